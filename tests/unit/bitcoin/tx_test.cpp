#include "twinchain/bitcoin/tx.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string_view>

#include "twinchain/base/hex.hpp"

using namespace twinchain;
using namespace twinchain::bitcoin;

namespace {

// Bitcoin's genesis coinbase.
constexpr std::string_view genesis_coinbase =
    "01000000010000000000000000000000000000000000000000000000000000000000000000ffffffff4d04ffff001d"
    "0104455468652054696d65732030332f4a616e2f32303039204368616e63656c6c6f72206f6e206272696e6b206f"
    "66207365636f6e64206261696c6f757420666f722062616e6b73ffffffff0100f2052a01000000434104678afdb0"
    "fe5548271967f1a67130b7105cd6a828e03909a67962e0ea1f61deb649f6bc3f4cef38c4f35504e51ec112de5c38"
    "4df7ba0b8d578a4c702b6bf11d5fac00000000";

// BIP 143's native P2WPKH example, signed.
constexpr std::string_view bip143 =
    "01000000000102fff7f7881a8099afa6940d42d1e7f6362bec38171ea3edf433541db4e4ad969f00000000494830"
    "450221008b9d1dc26ba6a9cb62127b02742fa9d754cd3bebf337f7a55d114c8e5cdd30be022040529b194ba3f928"
    "1a99f2b1c0a19c0489bc22ede944ccf4ecbab4cc618ef3ed01eeffffffef51e1b804cc89d182d279655c3aa89e81"
    "5b1b309fe287d9b2b55d57b90ec68a0100000000ffffffff02202cb206000000001976a9148280b37df378db99f6"
    "6f85c95a783a76ac7a6d5988ac9093510d000000001976a9143bde42dbee7e4dbe6a21b2d50ce2f0167faa815988"
    "ac000247304402203609e17b84f6a7d30c80bfa610b5b4542f32a8a0d5447a12fb1366d7f01cc44a0220573a954c"
    "4518331561406f90300e8f3358f51928d43c212a8caed02de67eebee0121025476c2e83188368da1ff3e292e7aca"
    "fcdb3566bb0ad253f62fc70f07aeee635711000000";

std::string error_of(ByteView bytes, TxEncoding encoding = TxEncoding::full) {
  const auto parsed = parse_transaction(bytes, encoding);
  return parsed ? "" : parsed.error().message;
}

Transaction one_in_one_out() {
  Transaction transaction;
  transaction.inputs.push_back({{Hash256{1}, 7}, {0x51}, 0xfffffffd, {}});
  transaction.outputs.push_back({5000, {0x6a}});
  transaction.lock_time = 99;
  return transaction;
}

}  // namespace

TEST_CASE("the genesis coinbase: fields, id, same bytes again") {
  const Bytes bytes = *from_hex(genesis_coinbase);
  const auto parsed = parse_transaction(bytes);
  REQUIRE(parsed);
  CHECK(parsed->is_coinbase());
  CHECK(parsed->outputs.at(0).value_sat == 5'000'000'000);
  CHECK(to_hex_reversed(txid(*parsed)) ==
        "4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b");
  CHECK(serialize(*parsed) == bytes);
  CHECK(parse_transaction(bytes, TxEncoding::no_witness) == *parsed);
}

TEST_CASE("segregated witness: the id leaves it out, the bytes keep it") {
  const Bytes bytes = *from_hex(bip143);
  const auto parsed = parse_transaction(bytes);
  REQUIRE(parsed);
  CHECK(parsed->has_witness());
  CHECK(parsed->inputs.at(0).witness.empty());
  CHECK(parsed->inputs.at(1).witness.size() == 2);
  CHECK(serialize(*parsed) == bytes);
  CHECK(to_hex_reversed(txid(*parsed)) ==
        "e8151a2af31c368a35053ddd4bdb285a8595c769a3ad83e0fa02314a602d4609");
  CHECK(to_hex_reversed(wtxid(*parsed)) ==
        "c36c38370907df2324d9ce9d149d191192f338b37665a82e78e76a12c909b762");
  const Bytes stripped = *strip_witness(bytes);
  CHECK(stripped == serialize(*parsed, TxEncoding::no_witness));
  const auto again = parse_transaction(stripped);
  REQUIRE(again);
  CHECK_FALSE(again->has_witness());
  CHECK(txid(*again) == txid(*parsed));
}

TEST_CASE("Litecoin's HogEx: flag 8 and an extra zero, neither in the id") {
  Transaction hogex = one_in_one_out();
  hogex.hogex = true;
  const Bytes bytes = serialize(hogex);
  CHECK(to_hex(ByteView(bytes).subspan(4, 2)) == "0008");
  CHECK(to_hex(ByteView(bytes).last(5)) == "0063000000");
  const auto parsed = parse_transaction(bytes);
  REQUIRE(parsed);
  CHECK(*parsed == hogex);
  CHECK(txid(*parsed) == txid(one_in_one_out()));
  CHECK(*strip_witness(bytes) == serialize(one_in_one_out()));
  hogex.outputs.clear();
  CHECK(error_of(serialize(hogex)).find("hogex without outputs") != std::string::npos);
}

TEST_CASE("Litecoin's extension data outside of blocks is kept, inside of blocks refused") {
  Transaction pegin = one_in_one_out();
  pegin.extension = {1, 0xde, 0xad, 0xbe, 0xef};
  pegin.inputs[0].witness = {{0xaa}};
  const Bytes bytes = serialize(pegin);
  const auto parsed = parse_transaction(bytes);
  REQUIRE(parsed);
  CHECK(*parsed == pegin);
  CHECK(serialize(*parsed) == bytes);
  CHECK(txid(*parsed) == txid(one_in_one_out()));
  ByteCursor cursor(bytes);
  CHECK_FALSE(read_transaction(cursor));
}

TEST_CASE("what is no transaction names the byte at fault") {
  const Bytes good = serialize(one_in_one_out());
  for (std::size_t size = 0; size < good.size(); ++size) {
    CAPTURE(size);
    CHECK(error_of(ByteView(good).first(size)).starts_with("transaction: byte "));
  }
  Bytes longer = good;
  longer.push_back(0);
  CHECK(error_of(longer) ==
        "transaction: byte " + std::to_string(good.size()) + ": bytes after the transaction");
  Bytes many = good;
  many[4] = 0xfc;  // 252 inputs in a few bytes
  CHECK(error_of(many).find("more inputs") != std::string::npos);
  CHECK(error_of(*from_hex("01000000feffffffff")).find("too large") != std::string::npos);
  CHECK(error_of(*from_hex("01000000fd0100")).find("shortest form") != std::string::npos);
  // The witness flag without a witness, and a flag that nobody knows.
  Bytes superfluous = good;
  superfluous.insert(superfluous.begin() + 4, {0, 1});
  superfluous.insert(superfluous.end() - 4, 0);
  CHECK(error_of(superfluous).find("witness flag without a witness") != std::string::npos);
  superfluous[5] = 0x10;
  CHECK(error_of(superfluous).find("unknown flags") != std::string::npos);
  CHECK_FALSE(parse_transaction(good, TxEncoding::full, good.size() - 1));
  CHECK(parse_transaction(good, TxEncoding::full, good.size()));
}

TEST_CASE("an empty list of inputs means the extended form, but for the id's encoding") {
  const Bytes nothing = *from_hex("01000000000000000000");  // no inputs, no outputs
  CHECK(parse_transaction(nothing));
  CHECK(parse_transaction(nothing, TxEncoding::no_witness));
  Transaction no_inputs = one_in_one_out();
  no_inputs.inputs.clear();
  const Bytes bytes = serialize(no_inputs);
  const auto parsed = parse_transaction(bytes, TxEncoding::no_witness);
  REQUIRE(parsed);
  CHECK(*parsed == no_inputs);
  CHECK_FALSE(parse_transaction(bytes));
}

TEST_CASE("Bitcoin Core's valid transactions: same bytes again") {
  const char* shared = std::getenv("TWINCHAIN_SHARED");
  const std::string path =
      std::string(shared != nullptr ? shared : "../shared") + "/vectors/bitcoin/tx_valid.json";
  std::ifstream in(path);
  if (!in) {
    std::printf("SKIPPED Bitcoin Core's transactions: no %s\n", path.c_str());
    return;
  }
  const std::string json((std::istreambuf_iterator<char>(in)), {});
  // A transaction is the string after the list of its inputs' outputs: [[[...], [...]], "0100...",
  // "FLAGS"].
  std::size_t count = 0;
  std::size_t with_witness = 0;
  bool found_known = false;
  for (std::size_t at = json.find('"'); at != std::string::npos; at = json.find('"', at)) {
    const std::size_t end = json.find('"', at + 1);
    REQUIRE(end != std::string::npos);
    const std::string content = json.substr(at + 1, end - at - 1);
    const std::string_view before =
        std::string_view(json).substr(0, json.find_last_not_of(" \n", at - 1) + 1);
    at = end + 1;
    if (!before.ends_with("]],")) continue;
    CAPTURE(content);
    const auto bytes = from_hex(content);
    REQUIRE(bytes);
    const auto parsed = parse_transaction(*bytes);
    REQUIRE(parsed);
    CHECK(serialize(*parsed) == *bytes);
    const Bytes stripped = serialize(*parsed, TxEncoding::no_witness);
    const auto without = parse_transaction(stripped, TxEncoding::no_witness);
    REQUIRE(without);
    CHECK(txid(*without) == txid(*parsed));
    CHECK((txid(*parsed) == wtxid(*parsed)) == !parsed->has_witness());
    ++count;
    if (parsed->has_witness()) ++with_witness;
    // The file's first comment names the first one.
    if (to_hex_reversed(txid(*parsed)) ==
        "23b397edccd3740a74adb603c9756370fafcde9bcc4483eb271ecad09a94dd63") {
      found_known = true;
    }
  }
  CHECK(count > 100);
  CHECK(with_witness > 10);
  CHECK(found_known);
}
