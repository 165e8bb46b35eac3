#include "twinchain/net/wire.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <set>

#include "twinchain/base/hex.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/bitcoin/tx_check.hpp"
#include "twinchain/net/chain_parameters.hpp"
#include "twinchain/net/snapshot.hpp"

using namespace twinchain;
using namespace twinchain::net;

namespace {

constexpr std::uint32_t test_magic = 0xd1a9f00d;

Hash256 filled(std::uint8_t first) {
  Hash256 hash{};
  for (std::size_t i = 0; i < hash.size(); ++i) hash[i] = static_cast<std::uint8_t>(first + i);
  return hash;
}

Bytes counted(std::size_t size) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(i * 7);
  return bytes;
}

bitcoin::BlockHeader some_header() {
  return {-1, filled(1), filled(2), 0xffffffff, 0x207fffff, 0x80000000};
}

// The counts are those of a set of 5, near to and far from what is expected of them.
iblt::SymbolRange some_range(std::uint32_t layer, std::uint32_t first) {
  iblt::SymbolRange range{layer, first, 5, {}};
  range.symbols.push_back({{0xffffffffffffffff}, 0xffffffff, 5});
  range.symbols.push_back({{1}, 0, 0});
  range.symbols.push_back({{0x8000000000000000}, 7, 3});
  return range;
}

FoundTransaction found_in_block() {
  return {
      filled(9), FoundTransaction::Place::block, 0xffffffff,  0xffffffff,  some_header(),
      2,         max_block_transactions,         {filled(1)}, counted(60), {filled(2), filled(3)}};
}

// At least one of each type, with the values that are easiest to get wrong.
std::vector<Message> all_messages() {
  const std::uint64_t most = 0xffffffffffffffff;
  const std::vector<Hash256> hashes{Hash256{}, filled(200)};
  const std::vector<Bytes> transactions{counted(1), counted(300), Bytes(70'000, 0xff)};
  std::string printable;
  for (char c = ' '; c <= '~'; ++c) printable += c;
  return {
      Hello{},
      Hello{wire_version, NodeRole::storage, 65535, filled(3), 0xffffffff, filled(4),
            printable.substr(0, max_wire_agent_bytes)},
      Ping{most},
      Pong{1},
      GetPeers{},
      Peers{},
      Peers{{"1.2.3.4:1", "", "[::1]:65535", std::string(max_wire_address_bytes, '~')}},
      Submit{transactions},
      Submit{},
      Verdicts{{{filled(1), Outcome::accepted, ""},
                {filled(2), Outcome::invalid, std::string(max_wire_reason_bytes, '"')}}},
      Transactions{transactions},
      Announce{hashes},
      GetTransactions{hashes},
      NotFound{hashes},
      GetHeaders{hashes},
      Headers{{some_header(), bitcoin::BlockHeader{}}},
      Headers{},
      GetBlock{filled(5)},
      BlockPart{filled(6), 200, 0, counted(200)},
      BlockPart{filled(6), 2 * block_part_bytes + 1, 2 * block_part_bytes, counted(1)},
      NoBlock{filled(7)},
      BlockStored{filled(8)},
      Skeleton{some_header(), most, filled(1), 6, most, counted(100), some_range(0, 0)},
      SymbolRequest{filled(1), iblt::max_layers - 1, iblt::max_symbols - 1, 1},
      Symbols{filled(1), some_range(iblt::max_layers - 1, iblt::max_symbols - 3)},
      GetShortIds{filled(1)},
      ShortIdList{filled(1), {0, 1, short_id_mask}},
      TransactionRequest{filled(1), {most, 0}, {}},
      TransactionRequest{filled(1), {}, {0, 0xffffffff}},
      BlockTransactions{filled(1), false, transactions},
      BlockTransactions{filled(1), true, {}},
      GetSketch{0xffffffff, iblt::max_layers - 1, iblt::max_symbols - 1, 1},
      GetSketch{0, 0, 0, max_symbols_in_message},
      Sketch{0xffffffff, some_range(1, 77)},
      GetByShortId{{0, most}},
      GetSnapshot{most, true},
      SnapshotPart{encode_snapshot_part(make_snapshot({.id = 3}, {filled(1), filled(2)}), 0)},
      SnapshotDelta{*encode_snapshot_delta(make_snapshot({.id = 3}, {filled(1)}),
                                           make_snapshot({.id = 4}, {filled(2)}))},
      GetParameters{},
      ParametersText{"name = a\n\n"},
      GetStatus{},
      StatusText{"{\"a\":\n[]}"},
      GetCoins{counted(25)},
      GetCoins{},
      Coins{{{{filled(1), 0xffffffff}, 0}, {{filled(2), 0}, bitcoin::max_money_sat}}},
      FindTransaction{filled(1), 0xffffffff},
      FoundTransaction{filled(9), FoundTransaction::Place::unknown, 7, 0, {}, 0, 0, {}, {}, {}},
      FoundTransaction{filled(9), FoundTransaction::Place::pool, 0, 0, {}, 0, 0, {}, {}, {}},
      found_in_block(),
  };
}

Bytes body_of(const Message& message) {
  const Bytes bytes = encode_message(test_magic, message);
  return {bytes.begin() + wire_header_size, bytes.end()};
}

// What a message with these contents is refused for; empty when it is not.
std::string refusal(std::uint16_t type, ByteView body) {
  const auto parsed = parse_message(type, body);
  if (parsed) return "";
  CHECK(parsed.error().code == ExitCode::malformed);
  return parsed.error().message;
}
std::string refusal(const Message& message) {
  return refusal(message_type(message), body_of(message));
}
// With the `value` in the place of one byte.
std::string refusal_with(const Message& message, std::size_t at, std::uint8_t value) {
  Bytes body = body_of(message);
  body.at(at) = value;
  return refusal(message_type(message), body);
}

std::string header_refusal(ByteView header, std::size_t max_body_bytes = max_wire_body_bytes) {
  const auto parsed = parse_wire_header(test_magic, header, max_body_bytes);
  if (parsed) return "";
  CHECK(parsed.error().code == ExitCode::malformed);
  return parsed.error().message;
}
// Of a message of this type with a body of `size` bytes.
std::string header_refusal(std::uint16_t type, std::size_t size,
                           std::size_t max_body_bytes = max_wire_body_bytes) {
  Bytes header = encode_message(test_magic, Message(GetPeers{}));
  store_le(&header[4], type);
  store_le(&header[8], static_cast<std::uint32_t>(size));
  return header_refusal(header, max_body_bytes);
}
template <class M>
std::string header_refusal(std::size_t size) {
  return header_refusal(message_type(M{}), size);
}

std::string source_file(const std::string& name) {
  const char* source = std::getenv("TWINCHAIN_SOURCE");
  REQUIRE_MESSAGE(source != nullptr, "TWINCHAIN_SOURCE names the source folder, as tests/run does");
  std::ifstream file(std::string(source) + "/" + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// All bytes are the message: parsers of other modules see to what is in them.
bool takes_any_bytes(const Message& message) {
  return std::holds_alternative<SnapshotPart>(message) ||
         std::holds_alternative<SnapshotDelta>(message) ||
         std::holds_alternative<ParametersText>(message) ||
         std::holds_alternative<StatusText>(message);
}

}  // namespace

TEST_CASE("wire: every message goes through its encoding") {
  std::set<std::uint16_t> types;
  for (const Message& message : all_messages()) {
    const std::uint16_t type = message_type(message);
    CAPTURE(message_name(type));
    types.insert(type);
    const Bytes bytes = encode_message(test_magic, message);
    CHECK(wire_header_magic(bytes) == test_magic);
    const auto header = parse_wire_header(test_magic, ByteView(bytes).first(wire_header_size));
    REQUIRE(header);
    CHECK(header->type == type);
    REQUIRE(header->body_size == bytes.size() - wire_header_size);
    const auto parsed = parse_message(type, ByteView(bytes).subspan(wire_header_size));
    REQUIRE_MESSAGE(parsed, parsed.error().message);
    CHECK(*parsed == message);
    CHECK(encode_message(test_magic, *parsed) == bytes);
  }
  CHECK(types.size() == message_type_count);
}

TEST_CASE("wire: no truncation of a message passes, and nothing after it") {
  for (const Message& message : all_messages()) {
    const std::uint16_t type = message_type(message);
    if (takes_any_bytes(message)) continue;
    CAPTURE(message_name(type));
    const std::string start = message_name(type) + ": byte ";
    Bytes body = body_of(message);
    // Each place of what is short; of long contents, where one begins and ends.
    for (std::size_t size = 0; size < body.size(); ++size) {
      if (size == 2'000 && body.size() > 10'000) size = body.size() - 100;
      const std::string message_of_it = refusal(type, ByteView(body).first(size));
      CAPTURE(size);
      REQUIRE(message_of_it.starts_with(start));
    }
    body.push_back(0);
    CHECK(refusal(type, body).starts_with(start));
  }
}

TEST_CASE("wire: a header of another network, an unknown type or reserved bits is refused") {
  const Bytes good = encode_message(test_magic, Message(Ping{5}));
  const ByteView header = ByteView(good).first(wire_header_size);
  CHECK(to_hex(header) == "d1a9f00d0200000008000000");
  CHECK(header_refusal(header).empty());
  for (std::size_t size = 0; size < wire_header_size; ++size) {
    CHECK(header_refusal(header.first(size)) == "message: the header is cut off");
  }
  for (std::size_t i = 0; i < 4; ++i) {
    Bytes other(header.begin(), header.end());
    other[i] ^= 1;
    CHECK(header_refusal(other) ==
          "message: of another network, with magic " + to_hex(ByteView(other).first(4)));
  }
  Bytes reserved(header.begin(), header.end());
  reserved[7] = 1;
  CHECK(header_refusal(reserved) == "message: the reserved field is not zero");
  CHECK(header_refusal(0, 0) == "message: unknown type 0");
  CHECK(header_refusal(message_type_count + 1, 0) == "message: unknown type 39");
  CHECK(header_refusal(0xffff, 0) == "message: unknown type 65535");
  CHECK(refusal(0, {}) == "type 0: byte 0: no such type of message");
  CHECK(refusal(0x0101, {}) == "type 257: byte 0: no such type of message");
}

TEST_CASE("wire: each type has its largest body, and a stranger's is smaller") {
  CHECK(header_refusal<GetPeers>(0).empty());
  CHECK(header_refusal<GetPeers>(1) == "message: get peers of 1 bytes, where 0 are the most");
  CHECK(refusal(4, Bytes(1)) == "get peers: byte 0: longer than any such message");
  CHECK(header_refusal<Ping>(9) == "message: ping of 9 bytes, where 8 are the most");
  Hello longest{};
  longest.agent = std::string(max_wire_agent_bytes, 'a');
  const std::size_t size = body_of(longest).size();
  CHECK(header_refusal<Hello>(size).empty());
  CHECK_FALSE(header_refusal<Hello>(size + 1).empty());
  FoundTransaction found = found_in_block();
  found.branch.resize(max_wire_branch);
  found.coinbase_branch.resize(max_wire_branch);
  found.coinbase.resize(max_skeleton_coinbase_size);
  CHECK(refusal(found).empty());
  CHECK(header_refusal<FoundTransaction>(body_of(found).size()).empty());
  CHECK_FALSE(header_refusal<FoundTransaction>(body_of(found).size() + 1).empty());
  const std::size_t one_large = 8 + largest_transaction_limit_bytes;
  CHECK(header_refusal<Submit>(one_large).empty());
  CHECK_FALSE(header_refusal<Submit>(one_large + 1).empty());
  // Before the hello.
  CHECK(header_refusal(message_type(Submit{}), max_hello_body_bytes, max_hello_body_bytes).empty());
  CHECK(header_refusal(message_type(Submit{}), max_hello_body_bytes + 1, max_hello_body_bytes) ==
        "message: submit of 1025 bytes, where 1024 are the most");
}

TEST_CASE("wire: the largest parts and changes of lists fit into their messages") {
  std::vector<Hash256> txids(snapshot_part_count + 1);
  for (std::size_t i = 0; i < txids.size(); ++i) {
    for (std::size_t byte = 0; byte < 4; ++byte) {
      txids[i][byte] = static_cast<std::uint8_t>(i >> (24 - 8 * byte));
    }
  }
  const Snapshot base = make_snapshot({.id = 1}, txids);
  CHECK(refusal(SnapshotPart{encode_snapshot_part(base, 0)}).empty());
  // All are left out and as many others come.
  for (Hash256& txid : txids) txid[31] = 1;
  txids.pop_back();
  const auto delta = encode_snapshot_delta(base, make_snapshot({.id = 2}, txids));
  REQUIRE(delta);
  CHECK(header_refusal<SnapshotDelta>(delta->size()).empty());
  CHECK(refusal(SnapshotDelta{*delta}).empty());
}

TEST_CASE("wire: lists have their bounds, which are checked before there is a list") {
  const auto lists = [](std::size_t count) {
    return std::vector<Message>{
        Announce{std::vector<Hash256>(count)}, GetTransactions{std::vector<Hash256>(count)},
        NotFound{std::vector<Hash256>(count)}, Verdicts{std::vector<TransactionVerdict>(count)},
        GetByShortId{std::vector<std::uint64_t>(count)}};
  };
  for (const Message& message : lists(max_wire_txids)) CHECK(refusal(message).empty());
  for (const Message& message : lists(max_wire_txids + 1)) CHECK_FALSE(refusal(message).empty());
  CHECK(refusal(Submit{std::vector<Bytes>(max_wire_transactions, Bytes(59))}).empty());
  CHECK(refusal(Submit{std::vector<Bytes>(max_wire_transactions + 1, Bytes(1))}) ==
        "submit: byte 0: more than allowed");
  CHECK(refusal(Headers{std::vector<bitcoin::BlockHeader>(max_wire_headers)}).empty());
  CHECK_FALSE(refusal(Headers{std::vector<bitcoin::BlockHeader>(max_wire_headers + 1)}).empty());
  CHECK(refusal(GetHeaders{std::vector<Hash256>(max_wire_locator)}).empty());
  CHECK_FALSE(refusal(GetHeaders{std::vector<Hash256>(max_wire_locator + 1)}).empty());
  CHECK(refusal(Peers{std::vector<std::string>(max_wire_peers)}).empty());
  CHECK(refusal(Peers{std::vector<std::string>(max_wire_peers + 1)}) ==
        "peers: byte 0: more than allowed");
  CHECK(refusal(Coins{std::vector<WireCoin>(max_wire_coins)}).empty());
  CHECK_FALSE(refusal(Coins{std::vector<WireCoin>(max_wire_coins + 1)}).empty());
  FoundTransaction found = found_in_block();
  found.coinbase_branch.resize(max_wire_branch + 1);
  CHECK(refusal(found) == "found transaction: byte 229: more than allowed");
  // A number of elements for which there are no bytes.
  CHECK(refusal_with(Announce{{filled(1)}}, 0, 2) ==
        "announce: byte 0: more than there are bytes for");
}

TEST_CASE("wire: transactions are not empty, and many are small together") {
  const Bytes half(transactions_message_bytes / 2);
  CHECK(refusal(Transactions{{half, half}}).empty());
  CHECK(refusal(Transactions{{half, half, Bytes(1)}}) ==
        "transactions: byte 4194316: more bytes of transactions than a message may have");
  CHECK(refusal(Submit{{Bytes(largest_transaction_limit_bytes)}}).empty());
  CHECK_FALSE(refusal(Submit{{Bytes(largest_transaction_limit_bytes + 1)}}).empty());
  CHECK(refusal(BlockTransactions{{}, true, {Bytes(transactions_message_bytes + 1)}}).empty());
  CHECK(refusal(Submit{{Bytes(5), Bytes()}}) == "submit: byte 13: a size out of its limits");
}

TEST_CASE("wire: parts of blocks begin and end where parts do") {
  const Bytes part(block_part_bytes);
  CHECK(refusal(BlockPart{{}, 2 * block_part_bytes, block_part_bytes, part}).empty());
  const std::string wrong_size = "block part: byte 40: a part that has not its size";
  CHECK(refusal(BlockPart{{}, 2 * block_part_bytes, 0, counted(10)}) == wrong_size);
  CHECK(refusal(BlockPart{{}, 100, 0, counted(101)}) == wrong_size);
  CHECK(refusal(BlockPart{{}, 100, 0, counted(99)}) == wrong_size);
  const std::string wrong_place = "block part: byte 40: not where a part begins";
  CHECK(refusal(BlockPart{{}, 100, 1, counted(99)}) == wrong_place);
  CHECK(refusal(BlockPart{{}, block_part_bytes, block_part_bytes, {}}) == wrong_place);
  CHECK(refusal(BlockPart{{}, 5, 0xffffffffffc00000, counted(5)}) == wrong_place);
  const std::string wrong_block = "block part: byte 32: a number out of its limits";
  CHECK(refusal(BlockPart{{}, 0, 0, {}}) == wrong_block);
  CHECK(refusal(BlockPart{{}, largest_block_limit_bytes, 0, part}).empty());
  CHECK(refusal(BlockPart{{}, largest_block_limit_bytes + 1, 0, part}) == wrong_block);
}

TEST_CASE("wire: values, flags and texts have one form") {
  const Hello hello{wire_version, NodeRole::full, 1, filled(1), 2, filled(3), "agent"};
  // Of another version: whoever reads it can say so.
  CHECK(refusal_with(hello, 0, 2).empty());
  CHECK(refusal_with(hello, 2, 5) == "hello: byte 2: an unknown value");
  CHECK(refusal_with(hello, 3, 1) == "hello: byte 3: a reserved byte that is not zero");
  CHECK(refusal_with(hello, 74, 6) == "hello: byte 76: the message is cut off");
  CHECK(refusal_with(hello, 74, 4) == "hello: byte 80: bytes after the message");
  CHECK(refusal_with(hello, 74, max_wire_agent_bytes + 1) ==
        "hello: byte 74: a text that is too long");
  for (const int bad : {0, 9, 10, 13, 27, 31, 127, 128, 255}) {
    CAPTURE(bad);
    const auto byte = static_cast<std::uint8_t>(bad);
    CHECK(refusal_with(hello, 78, byte) == "hello: byte 78: not printable ASCII");
    const bool line = bad == '\n';
    CHECK(refusal_with(ParametersText{"a = b"}, 2, byte).empty() == line);
    CHECK(refusal_with(StatusText{"{  }"}, 2, byte).empty() == line);
  }
  CHECK(refusal_with(Verdicts{{{filled(1), Outcome::known, "why"}}}, 36, 6) ==
        "verdicts: byte 36: an unknown value");
  CHECK(refusal(Verdicts{{{{}, Outcome::known, std::string(max_wire_reason_bytes + 1, 'a')}}}) ==
        "verdicts: byte 37: a text that is too long");
  CHECK(refusal_with(BlockTransactions{}, 32, 2) ==
        "block transactions: byte 32: a number out of its limits");
  CHECK(refusal_with(GetSnapshot{}, 8, 2) == "get snapshot: byte 8: a number out of its limits");
  CHECK(refusal(Coins{{{{}, -1}}}) == "coins: byte 40: a number out of its limits");
  CHECK_FALSE(refusal(Coins{{{{}, bitcoin::max_money_sat + 1}}}).empty());
}

TEST_CASE("wire: symbols that cannot be are not asked for, nor sent") {
  CHECK_FALSE(refusal(GetSketch{1, iblt::max_layers, 0, 1}).empty());
  CHECK_FALSE(refusal(GetSketch{1, 0, 0, 0}).empty());
  CHECK_FALSE(refusal(GetSketch{1, 0, 0, max_symbols_in_message + 1}).empty());
  CHECK_FALSE(refusal(GetSketch{1, 0, iblt::max_symbols, 1}).empty());
  CHECK(refusal(GetSketch{1, 0, iblt::max_symbols - 1, 2}) ==
        "get sketch: byte 12: symbols beyond the last one");
  // Errors of nested parts count from the message's first byte and bear its name.
  CHECK(refusal_with(Sketch{1, some_range(1, 0)}, 4, 2) == "sketch: byte 4: version 2");
  CHECK(refusal_with(Symbols{{}, some_range(1, 0)}, 34, 8) == "symbols: byte 34: layer 8");
  const Skeleton skeleton{some_header(), 1, {}, 6, 0, counted(100), some_range(0, 0)};
  CHECK(refusal_with(skeleton, 240, 3) == "skeleton: byte 240: version 3");
  CHECK(refusal_with(SymbolRequest{{}, 0, 0, 1}, 0, 2) == "symbol request: byte 0: version 2");
}

TEST_CASE("wire: where a transaction was found") {
  FoundTransaction found = found_in_block();
  found.tip_height = 10;
  found.height = 11;
  CHECK(refusal(found) == "found transaction: byte 37: a number out of its limits");
  found.height = 10;
  CHECK(refusal(found).empty());
  found.position = found.transaction_count;
  CHECK(refusal(found) == "found transaction: byte 125: a position beyond the block's end");
  found.position = 0;
  found.transaction_count = max_block_transactions + 1;
  CHECK(refusal(found) == "found transaction: byte 121: a number out of its limits");
  found.transaction_count = 0;
  CHECK_FALSE(refusal(found).empty());
  found = found_in_block();
  found.coinbase.clear();
  CHECK(refusal(found) == "found transaction: byte 165: a size out of its limits");
  // Fields of a block that it is not in are not sent.
  found = found_in_block();
  found.place = FoundTransaction::Place::pool;
  CHECK(body_of(found).size() == 37);
}

TEST_CASE("wire: the hello in twin-network(5) is a hello") {
  const std::string text = source_file("tests/golden/hello.v1.wire");
  const ByteView bytes = as_bytes(text);
  REQUIRE(bytes.size() > wire_header_size);
  const std::uint32_t magic = wire_header_magic(bytes);
  CHECK(magic == 0x7477696e);
  const auto header = parse_wire_header(magic, bytes.first(wire_header_size));
  REQUIRE(header);
  CHECK(message_name(header->type) == "hello");
  CHECK(header->body_size == bytes.size() - wire_header_size);
  const auto message = parse_message(header->type, bytes.subspan(wire_header_size));
  REQUIRE_MESSAGE(message, message.error().message);
  const Hello expected{1, NodeRole::full, 7001, filled(0), 1000, filled(0x20), "twinchain/0.1.0"};
  CHECK(*message == Message(expected));
  CHECK(as_text(encode_message(magic, *message)) == text);
}

TEST_CASE("wire: types, names and largest bodies are those of twin-network(5)") {
  const std::string page = source_file("man/twin-network.5");
  const std::size_t begin = page.find(".Sh TYPES");
  REQUIRE(begin != std::string::npos);
  std::uint16_t type = 0;
  for (const std::string_view line :
       split(std::string_view(page).substr(begin, page.find(".El", begin) - begin), '\n')) {
    if (!line.starts_with(".It ") || line.starts_with(".It Sy")) continue;
    CAPTURE(line);
    std::vector<std::string_view> columns;
    for (std::string_view rest = line.substr(4);;) {
      const std::size_t end = rest.find(" Ta");
      columns.push_back(trim(rest.substr(0, end)));
      if (end == std::string_view::npos) break;
      rest.remove_prefix(end + 3);
    }
    ++type;
    REQUIRE(columns.size() == 4);
    CHECK(columns[0] == std::to_string(type));
    CHECK(columns[1] == message_name(type));
    const auto size = parse_decimal(columns[2]);
    REQUIRE(size);
    CHECK(header_refusal(type, *size) == "");
    CHECK(header_refusal(type, *size + 1) != "");
  }
  CHECK(type == message_type_count);
}
