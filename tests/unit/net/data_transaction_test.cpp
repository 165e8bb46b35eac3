#include "twinchain/net/data_transaction.hpp"

#include <doctest/doctest.h>

#include "twinchain/net/payer_key.hpp"
#include "twinchain/sys/faulty_fs.hpp"
#include "unit/net/payer_for_tests.hpp"

using namespace twinchain;
using namespace twinchain::net;
using namespace twinchain::testing;

namespace {

std::vector<Bytes> whole(const std::vector<StreamFrame>& frames) {
  std::vector<Bytes> out;
  for (const StreamFrame& frame : frames) out.push_back(encode_frame(frame.header, frame.body));
  return out;
}

bitcoin::Transaction with_payload(ByteView payload, std::string_view tag = "TWIN") {
  bitcoin::Transaction tx;
  tx.outputs.push_back({1, script_for_tests()});
  tx.outputs.push_back({0, *bitcoin::data_output_script(as_bytes(tag), payload)});
  return tx;
}

}  // namespace

TEST_CASE("data transaction: carries frames in order, pays its fee, and is signed") {
  const ChainParameters parameters = parameters_for_tests();
  const auto frames = whole(stream_frames(0, 5));
  const std::vector<PayerCoin> coins{{{{1}, 0}, 5'000}, {{{2}, 7}, 300}};
  const auto made = make_data_transaction(parameters, key_for_tests(), coins, frames, 0, 77);
  REQUIRE(made);
  const bitcoin::Transaction& tx = (*made)->tx;
  CHECK(tx.lock_time == 77);
  REQUIRE(tx.inputs.size() == 2);
  CHECK(tx.inputs[0].previous_output == coins[0].outpoint);
  CHECK(tx.inputs[0].sequence == 0xffffffff);
  REQUIRE(tx.outputs.size() == 6);
  const std::int64_t fee = 5'300 - tx.outputs[change_output_index].value_sat;
  CHECK(fee >= parameters.min_fee_sat((*made)->size_bytes));
  CHECK(fee <= parameters.min_fee_sat((*made)->size_bytes + 100));
  const CarriedFrames carried = frames_of(parameters, tx);
  CHECK(carried.malformed.empty());
  REQUIRE(carried.frames.size() == 5);
  for (std::size_t i = 0; i < 5; ++i) {
    CHECK(std::ranges::equal(carried.frames[i].whole, frames[i]));
    CHECK(carried.frames[i].output == i + 1);
    CHECK(carried.frames[i].header.sequence == i);
  }
  CHECK(payer_of(tx) == key_for_tests().public_key());
  const std::vector<Coin> spent{{5'000, 1, false, script_for_tests()},
                                {300, 1, false, script_for_tests()}};
  CHECK(check_scripts(**made, spent).accepted());
  // What the coins lack is said to the satoshi.
  const std::vector<PayerCoin> poor{{{{1}, 0}, 3}};
  std::int64_t missing = 0;
  CHECK_FALSE(make_data_transaction(parameters, key_for_tests(), poor, frames, 0, 0, &missing));
  REQUIRE(missing > 0);
  const std::vector<PayerCoin> enough{{{{1}, 0}, 3 + missing}};
  const auto just = make_data_transaction(parameters, key_for_tests(), enough, frames, 0, 0);
  REQUIRE(just);
  CHECK((*just)->tx.outputs[0].value_sat == 1);
}

TEST_CASE("data transaction: sizes stay below what batches count with") {
  ChainParameters parameters = parameters_for_tests();
  parameters.data_tag.assign(max_data_tag_bytes, 'x');
  std::vector<PayerCoin> coins;
  for (std::uint32_t i = 0; i < max_payment_inputs; ++i) coins.push_back({{{9}, i}, 100'000});
  for (const std::size_t size : {0UZ, 10UZ, 200UZ, 300UZ, 70'000UZ}) {
    const auto frames = whole(stream_frames(0, 40, size));
    std::size_t counted = payment_overhead_bytes;
    for (const Bytes& frame : frames) counted += frame.size() + data_output_overhead_bytes;
    const auto made = make_data_transaction(parameters, key_for_tests(), coins, frames, 0, 0);
    REQUIRE(made);
    CHECK((*made)->size_bytes <= counted);
  }
}

TEST_CASE("data transaction: payloads that hold no frame are named") {
  const ChainParameters parameters = parameters_for_tests();
  const StreamFrame frame = stream_frame(3, 50, FrameType::data);
  const Bytes good = encode_frame(frame.header, frame.body);
  const auto wrong = [&](Bytes payload, const std::string& what) {
    const bitcoin::Transaction tx = with_payload(payload);
    const CarriedFrames carried = frames_of(parameters, tx);
    CHECK(carried.frames.empty());
    REQUIRE(carried.malformed.size() == 1);
    CHECK(carried.malformed[0] == "output 1: " + what);
  };
  wrong({}, "shorter than the header of a frame");
  wrong({good.begin(), good.begin() + 63}, "shorter than the header of a frame");
  wrong({good.begin(), good.end() - 1}, "body of 49 bytes, the header says 50");
  Bytes longer = good;
  longer.push_back(0);
  wrong(longer, "body of 51 bytes, the header says 50");
  for (std::size_t i = 0; i < good.size(); ++i) {
    Bytes flipped = good;
    flipped[i] ^= 1;
    const bitcoin::Transaction tx = with_payload(flipped);
    CHECK(frames_of(parameters, tx).frames.empty());
    CHECK(frames_of(parameters, tx).malformed.size() == 1);
  }
  wrong(encode_end_frame(1, 2), "an END frame");
  // Other tags are other people's business.
  const bitcoin::Transaction other = with_payload(good, "TWINS");
  CHECK(frames_of(parameters, other).frames.empty());
  CHECK(frames_of(parameters, other).malformed.empty());
  CHECK_FALSE(carries_data(parameters, other));
  CHECK(carries_data(parameters, with_payload({})));
}

TEST_CASE("data transaction: nobody pays in another one's name") {
  const ChainParameters parameters = parameters_for_tests();
  const std::vector<PayerCoin> coins{{{{1}, 0}, 5'000}};
  const auto made =
      make_data_transaction(parameters, key_for_tests(), coins, whole(stream_frames(0, 1)), 0, 0);
  REQUIRE(made);
  const auto changed = [&](const std::function<void(bitcoin::Transaction&)>& how) {
    bitcoin::Transaction tx = (*made)->tx;
    how(tx);
    return payer_of(tx);
  };
  CHECK(changed([](auto&) {}) == key_for_tests().public_key());
  CHECK_FALSE(changed([](auto& tx) { tx.outputs[0].value_sat -= 1; }));
  CHECK_FALSE(changed([](auto& tx) { tx.outputs[1].script_pubkey.back() ^= 1; }));
  CHECK_FALSE(changed([](auto& tx) { tx.inputs[0].previous_output.index = 1; }));
  CHECK_FALSE(changed([](auto& tx) { tx.inputs[0].script_sig.clear(); }));
  CHECK_FALSE(changed([](auto& tx) { tx.inputs[0].script_sig.push_back(0); }));
  CHECK_FALSE(changed([](auto& tx) { tx.inputs.clear(); }));
  CHECK_FALSE(changed([](auto& tx) { tx.outputs.clear(); }));
  // Signed by somebody, with the change to another key.
  CHECK_FALSE(changed([](auto& tx) {
    tx.outputs[0].script_pubkey = pay_to_key_hash_script(EcdsaSecretKey::generate().public_key());
    sign(tx);
  }));
}

TEST_CASE("payer key: written once, read by its owner, nothing else passes") {
  MemoryFs fs;
  CHECK(payer_key_path("a/payer") == "a/payer.key");
  CHECK(payer_key_path("a/payer.key") == "a/payer.key");
  const auto made = create_payer_key(fs, "payer.key");
  REQUIRE(made);
  const auto read = read_payer_key(fs, "payer.key");
  REQUIRE(read);
  CHECK(read->public_key() == made->public_key());
  const auto again = create_payer_key(fs, "payer.key");
  REQUIRE_FALSE(again);
  CHECK(again.error().code == ExitCode::usage);
  const std::string zeros(64, '0');
  for (const std::string& text :
       {std::string(), std::string("twinchain payer key 2\n"), "twinchain payer key 1\n" + zeros,
        "twinchain payer key 1\n1" + zeros, "twinchain payer key 1\n" + std::string(64, 'f'),
        "twinchain payer key 1\n" + std::string(64, '1') + "\n\n"}) {
    CHECK_FALSE(parse_payer_key(as_bytes(text)));
  }
  CHECK(parse_payer_key(as_bytes("twinchain payer key 1\n" + std::string(64, '1'))));
}
