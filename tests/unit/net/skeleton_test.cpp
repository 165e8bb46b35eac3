#include "twinchain/net/skeleton.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

#include "twinchain/iblt/decoder.hpp"
#include "twinchain/iblt/sizing.hpp"
#include "twinchain/net/skeleton_sender.hpp"

using namespace twinchain;
using namespace twinchain::net;

namespace {

struct Case {
  Snapshot list;
  bitcoin::BlockHeader header;
  std::vector<Hash256> block;  ///< without the coinbase
  Bytes coinbase = Bytes(100, 0x5a);
};

// A block that takes all of a list but `left_out`, and `added` transactions of its own.
Case make_case(std::uint64_t seed, std::size_t count, std::size_t left_out, std::size_t added) {
  std::mt19937_64 random(seed);
  std::vector<Hash256> txids(count + added);
  for (auto& txid : txids) {
    for (std::size_t i = 0; i < 32; i += 8) store_le(&txid[i], random());
  }
  Case result;
  SnapshotInfo info;
  info.id = 5;
  const auto listed = txids.begin() + static_cast<std::ptrdiff_t>(count);
  result.list = make_snapshot(info, {txids.begin(), listed});
  result.block.assign(txids.begin() + static_cast<std::ptrdiff_t>(left_out), txids.end());
  std::sort(result.block.begin(), result.block.end(), canonical_less);
  result.header.time_s = static_cast<std::uint32_t>(seed);
  return result;
}

std::vector<iblt::Item<1>> ids_of(const std::vector<Hash256>& txids, const SipKey& key) {
  std::vector<iblt::Item<1>> ids;
  for (const auto& txid : txids) ids.push_back({short_id(key, txid)});
  return ids;
}

std::string skeleton_message(const Bytes& bytes) {
  const auto parsed = parse_skeleton(bytes);
  if (parsed) return "";
  CHECK(parsed.error().code == ExitCode::malformed);
  return parsed.error().message;
}

Bytes changed(Bytes bytes, std::size_t at, std::uint8_t value) {
  bytes[at] = value;
  return bytes;
}

}  // namespace

TEST_CASE("skeleton: who has the list decodes the first flight, whatever the difference") {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    CAPTURE(seed);
    const std::size_t left_out = seed % 7 * 5;
    const std::size_t added = seed % 5 * 4;
    const Case c = make_case(seed, 300, left_out, added);
    const SkeletonSender sender(c.header, c.coinbase, c.block, &c.list, {.salt = seed * 77});
    const Bytes bytes = encode_skeleton(sender.skeleton());
    const auto parsed = parse_skeleton(bytes);
    REQUIRE(parsed);
    CHECK(*parsed == sender.skeleton());
    CHECK(encode_skeleton(*parsed) == bytes);
    CHECK(parsed->snapshot_id == 5);
    CHECK(parsed->snapshot_root == c.list.info.root);
    CHECK(parsed->transaction_count == c.block.size() + 1);
    const SipKey key = skeleton_key(parsed->header, parsed->salt);
    iblt::Encoder<1> ours(key);
    ours.add(ids_of(c.list.txids, key));
    const auto& symbols = parsed->symbols.symbols;
    iblt::Decoder<1> decoder(key);
    decoder.add(iblt::difference<1>(symbols, ours.symbols(symbols.size())));
    CHECK(decoder.state() == iblt::DecodeState::complete);
    CHECK(decoder.only_theirs().size() == added);
    CHECK(decoder.only_ours().size() == left_out);
  }
}

TEST_CASE("skeleton: a larger first flight for who is thought to differ more") {
  const Case c = make_case(1, 300, 5, 5);
  const SkeletonSender sender(c.header, c.coinbase, c.block, &c.list, {.expected_extra = 40});
  CHECK(sender.skeleton().symbols.symbols.size() == iblt::first_flight(50));
  const SkeletonSender bounded(c.header, c.coinbase, c.block, &c.list,
                               {.expected_extra = 40, .max_symbols = 9});
  CHECK(bounded.skeleton().symbols.symbols.size() == 9);
  const SkeletonSender without(c.header, c.coinbase, c.block, nullptr, {});
  CHECK(without.skeleton().snapshot_id == 0);
  CHECK(without.skeleton().symbols.symbols.size() > c.block.size());
}

TEST_CASE("skeleton: the sender answers about its own block only") {
  const Case c = make_case(2, 100, 3, 3);
  SkeletonSender sender(c.header, c.coinbase, c.block, &c.list, {.salt = 9});
  const Hash256 block = bitcoin::block_hash(c.header);
  const auto more = sender.symbols({block, 1, 2, 5});
  REQUIRE(more);
  CHECK(more->layer == 1);
  CHECK(more->first == 2);
  CHECK(more->symbols.size() == 5);
  CHECK_FALSE(sender.symbols({Hash256{}, 0, 0, 5}));
  CHECK_FALSE(sender.symbols({block, iblt::max_layers, 0, 5}));
  CHECK_FALSE(sender.symbols({block, 0, iblt::max_symbols - 4, 5}));
  const SipKey key = skeleton_key(c.header, 9);
  const ShortIdList list = sender.short_ids();
  REQUIRE(list.ids.size() == c.block.size());
  CHECK(list.ids[7] == (short_id(key, c.block[7]) & short_id_mask));
  CHECK(sender.positions({block, {short_id(key, c.block[7]), 1, short_id(key, c.block[2])}, {}}) ==
        std::vector<std::uint32_t>{3, 8});
  CHECK(sender.positions({block, {}, {0, 100, 101, 0}}) == std::vector<std::uint32_t>{0, 100});
  CHECK_FALSE(sender.positions({Hash256{}, {}, {0}}));
}

TEST_CASE("skeleton: each rule of the format has its refusal, and no truncation passes") {
  const Case c = make_case(3, 50, 2, 2);
  const SkeletonSender sender(c.header, c.coinbase, c.block, &c.list, {.salt = 4});
  const Bytes good = encode_skeleton(sender.skeleton());
  for (std::size_t size = 0; size < good.size(); ++size) {
    CHECK_FALSE(parse_skeleton(ByteView(good).first(size)));
  }
  CHECK(skeleton_message(changed(good, 0, 2)) == "skeleton: byte 0: version 2");
  CHECK(skeleton_message(changed(good, 2, 1)) == "skeleton: byte 2: unknown value 1");
  CHECK(skeleton_message(changed(good, 124, 0)) ==
        "skeleton: byte 124: not a number of transactions that a block has");
  CHECK(skeleton_message(changed(good, 127, 1)) ==
        "skeleton: byte 124: not a number of transactions that a block has");
  CHECK(skeleton_message(changed(good, 138, 2)) ==
        "skeleton: byte 136: a coinbase that is too long");
  CHECK(skeleton_message(changed(good, 124, 60)) ==
        "skeleton: byte 240: symbols that are not the first ones of the block");
  CHECK(skeleton_message(changed(good, 242, 1)) ==
        "skeleton: byte 240: symbols that are not the first ones of the block");
  CHECK(skeleton_message(changed(good, 240, 3)) == "skeleton: symbols: byte 240: version 3");
  Bytes longer = good;
  longer.push_back(0);
  CHECK(skeleton_message(longer) ==
        "skeleton: byte " + std::to_string(good.size()) + ": bytes after the last symbol");
  CHECK_FALSE(parse_skeleton(good, 1));
}

TEST_CASE("skeleton: requests and short ids go through their encodings, and truncations do not") {
  Hash256 block{};
  block[0] = 3;
  const SymbolRequest symbols{block, 2, 100, 50};
  CHECK(parse_symbol_request(encode_symbol_request(symbols)) == symbols);
  const ShortIdList list{block, {0, 1, short_id_mask}};
  CHECK(parse_short_id_list(encode_short_id_list(list)) == list);
  CHECK_FALSE(parse_short_id_list(encode_short_id_list(list), 2));
  const TransactionRequest ids{block, {1, ~std::uint64_t{0}}, {}};
  CHECK(parse_transaction_request(encode_transaction_request(ids)) == ids);
  const TransactionRequest positions{block, {}, {0, 7}};
  CHECK(parse_transaction_request(encode_transaction_request(positions)) == positions);
  CHECK_FALSE(parse_transaction_request(encode_transaction_request({block, {}, {}})));
  CHECK_FALSE(parse_symbol_request(encode_symbol_request({block, 8, 0, 1})));
  CHECK_FALSE(parse_symbol_request(encode_symbol_request({block, 0, iblt::max_symbols, 1})));
  CHECK_FALSE(parse_symbol_request(encode_symbol_request({block, 0, 0, 0})));
  const auto refuses_truncations = [](const Bytes& bytes, const auto& parse) {
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      CHECK_FALSE(parse(ByteView(bytes).first(size)));
    }
  };
  refuses_truncations(encode_symbol_request(symbols), parse_symbol_request);
  refuses_truncations(encode_short_id_list(list),
                      [](ByteView bytes) { return parse_short_id_list(bytes); });
  refuses_truncations(encode_transaction_request(ids),
                      [](ByteView bytes) { return parse_transaction_request(bytes); });
  refuses_truncations(encode_transaction_request(positions),
                      [](ByteView bytes) { return parse_transaction_request(bytes); });
}
