#include "twinchain/record/data_frame.hpp"

#include <doctest/doctest.h>

#include "twinchain/base/crc32c.hpp"
#include "twinchain/base/hex.hpp"
#include "twinchain/crypto/merkle.hpp"
#include "twinchain/crypto/sha256.hpp"

namespace twinchain::record {
namespace {

DataHeader some_header() {
  DataHeader header;
  header.source = source_id("engine-1");
  header.sequence = 0x0102030405060708;
  header.window_start_ns = -1;
  header.window_end_ns = 2;
  header.flags = window_recovered | window_closed_by_size;
  header.channel_count = 3;
  header.schema_digest.fill(4);
  header.reject_digest.fill(5);
  header.reject_frames = 6;
  header.rows = 7;
  header.samples = 8;
  header.first_event_ns = -9;
  header.last_event_ns = 10;
  header.closed_wall_ns = 11;
  header.closed_monotonic_ns = 12;
  header.boot_id.fill(13);
  header.declared_rate_mhz = 14;
  header.late_rows = 15;
  header.duplicate_rows = 16;
  header.out_of_order_rows = 17;
  header.rejected_rows = 18;
  return header;
}

/// Seed of bytes 0, 1, 2 ...; a header leaf, a leaf of each kind that is known, one that is not.
Bytes some_body() {
  Bytes body;
  for (std::uint8_t i = 0; i < 32; ++i) body.push_back(i);
  append_leaf(body, LeafType::header, encode_data_header(some_header()));
  append_leaf(body, LeafType::time_column, Bytes{1, 2, 3});
  append_leaf(body, LeafType::value_column, Bytes{});
  append_leaf(body, LeafType::value_column, Bytes(300, 7));
  append_leaf(body, static_cast<LeafType>(0x1234), Bytes{9});
  return body;
}

TEST_CASE("data frame: the header leaf comes back, and has its size") {
  const Bytes bytes = encode_data_header(some_header());
  CHECK(bytes.size() == data_header_size);
  const auto header = parse_data_header(bytes);
  REQUIRE(header);
  CHECK(*header == some_header());
  CHECK(to_hex(ByteView(bytes).subspan(16, 8)) == "0807060504030201");
  CHECK(to_hex(ByteView(bytes).subspan(24, 8)) == "ffffffffffffffff");
  CHECK(to_hex(ByteView(bytes).subspan(216, 8)) == "1200000000000000");
}

TEST_CASE("data frame: a header leaf of another size, or with something in its reserve") {
  Bytes bytes = encode_data_header(some_header());
  bytes[116] = 1;
  CHECK(parse_data_header(bytes).error().message ==
        "reserved field of the header leaf is not zero");
  bytes.push_back(0);
  CHECK(parse_data_header(bytes).error().message == "header leaf has 225 bytes instead of 224");
  CHECK_FALSE(parse_data_header({}));
}

TEST_CASE("data frame: leaves are views into the body") {
  const Bytes body = some_body();
  const auto leaves = parse_leaves(body);
  REQUIRE(leaves);
  REQUIRE(leaves->size() == 5);
  CHECK((*leaves)[1].type == LeafType::time_column);
  CHECK((*leaves)[1].payload.size() == 3);
  CHECK((*leaves)[1].payload.data() == body.data() + 32 + 12 + 224 + 12);
  CHECK((*leaves)[1].bytes.size() == 15);
  CHECK((*leaves)[2].payload.empty());
  CHECK((*leaves)[4].type == static_cast<LeafType>(0x1234));
  CHECK(body_seed(body)[31] == 31);
}

TEST_CASE("data frame: the CRC of a leaf names the one that was damaged by accident") {
  Bytes body = some_body();
  CHECK(load_le<std::uint32_t>(&body[268 + 8]) == crc32c(Bytes{1, 2, 3}));
  body[295 + 12 + 200] ^= 1;
  body[283 + 8] ^= 1;
  const auto leaves = parse_leaves(body);
  REQUIRE(leaves);
  std::string right;
  for (const Leaf& leaf : *leaves) right += leaf.crc_ok ? "y" : "n";
  CHECK(right == "yynny");
  CHECK((*parse_leaves(body, false))[3].crc_ok);
}

TEST_CASE("data frame: leaves that do not add up") {
  const Bytes body = some_body();
  for (std::size_t size = 0; size < body.size(); ++size) {
    CAPTURE(size);
    const Bytes prefix(body.begin(), body.begin() + static_cast<std::ptrdiff_t>(size));
    const auto leaves = parse_leaves(prefix);
    // Cut between two leaves it is a body with fewer of them, which the header's counts find.
    const bool between = size == 268 || size == 283 || size == 295 || size == 607;
    CHECK(leaves.has_value() == between);
    if (!leaves) CHECK(leaves.error().code == ExitCode::malformed);
  }
  const auto error_of = [](const Bytes& bytes) {
    const auto parsed = parse_leaves(bytes);
    return parsed ? std::string() : parsed.error().message;
  };
  CHECK(error_of(Bytes(31)) == "body too short for its seed");
  CHECK(error_of(Bytes(32)) == "body has no header leaf");
  CHECK(error_of(Bytes(33)) == "leaf head cut short at body byte 32");
  Bytes changed = body;
  changed[32 + 2] = 1;
  CHECK(error_of(changed) == "leaf 0 at body byte 32 does not fit into its frame");
  changed = body;
  changed[268 + 7] = 0xff;
  CHECK(error_of(changed) == "leaf 1 at body byte 268 does not fit into its frame");
  changed = body;
  changed[268] = 1;
  CHECK(error_of(changed) == "the header leaf is not the first one and alone");
  changed = body;
  changed[32] = 2;
  CHECK(error_of(changed) == "the header leaf is not the first one and alone");
}

TEST_CASE("data frame: the root is the RFC 6962 tree of salted leaves, computed by hand") {
  const Bytes body = some_body();
  const Bytes seed(body.begin(), body.begin() + 32);
  // Offsets and sizes written out, so that nothing of the parser is used here.
  const std::vector<std::pair<std::size_t, std::size_t>> leaves{
      {32, 236}, {268, 15}, {283, 12}, {295, 312}, {607, 13}};
  std::vector<Hash256> hashes;
  for (std::uint8_t i = 0; i < leaves.size(); ++i) {
    Bytes message;
    append(message, "twinchain leaf salt 1");
    append(message, Bytes{i, 0, 0, 0});
    const Hash256 salt = hmac_sha256(seed, message);
    Bytes hashed{0x00};
    append(hashed, salt);
    append(hashed, ByteView(body).subspan(leaves[i].first, leaves[i].second));
    hashes.push_back(sha256(hashed));
    CHECK(leaf_salt(body_seed(body), i) == salt);
  }
  const auto node = [](const Hash256& left, const Hash256& right) {
    Bytes bytes{0x01};
    append(bytes, left);
    append(bytes, right);
    return sha256(bytes);
  };
  const Hash256 root =
      node(node(node(hashes[0], hashes[1]), node(hashes[2], hashes[3])), hashes[4]);
  const auto computed = frame_root(body);
  REQUIRE(computed);
  CHECK(to_hex(*computed) == to_hex(root));
}

TEST_CASE("data frame: the root covers every byte of the body") {
  const Bytes body = some_body();
  const Hash256 root = *frame_root(body);
  for (std::size_t i = 0; i < body.size(); ++i) {
    Bytes changed = body;
    changed[i] ^= 0x10;
    const auto other = frame_root(changed);
    CHECK((!other || *other != root));
  }
}

TEST_CASE("data frame: header leaf and frame header must agree") {
  const Bytes body = some_body();
  FrameHeader frame;
  frame.type = FrameType::data;
  frame.source = source_id("engine-1");
  frame.sequence = 0x0102030405060708;
  frame.window_start_ns = -1;
  frame.window_end_ns = 2;
  const auto header = check_data_frame(frame, body);
  REQUIRE(header);
  CHECK(*header == some_header());
  const auto refused = [&](const auto& change) {
    FrameHeader other = frame;
    change(other);
    return !check_data_frame(other, body);
  };
  CHECK(refused([](FrameHeader& h) { h.source[0] ^= 1; }));
  CHECK(refused([](FrameHeader& h) { ++h.sequence; }));
  CHECK(refused([](FrameHeader& h) { ++h.window_start_ns; }));
  CHECK(refused([](FrameHeader& h) { ++h.window_end_ns; }));
}

TEST_CASE("reject body: entries come back, and damage is found") {
  Bytes body{2, 0, 0, 0};
  append_reject(body, {12, -5, "column 3: not a number", std::string("1,2,x\0\xff", 7)});
  append_reject(body, {0, 6, "", ""});
  const auto rejects = parse_reject_body(body);
  REQUIRE(rejects);
  REQUIRE(rejects->size() == 2);
  CHECK((*rejects)[0].line == 12);
  CHECK((*rejects)[0].arrival_ns == -5);
  CHECK((*rejects)[0].reason == "column 3: not a number");
  CHECK((*rejects)[0].text == std::string("1,2,x\0\xff", 7));
  for (std::size_t size = 0; size < body.size(); ++size) {
    const Bytes prefix(body.begin(), body.begin() + static_cast<std::ptrdiff_t>(size));
    CHECK_FALSE(parse_reject_body(prefix));
  }
  body.push_back(0);
  CHECK(parse_reject_body(body).error().message == "REJECT body has the wrong size");
  // A count that no memory could hold.
  CHECK_FALSE(parse_reject_body(Bytes{0xff, 0xff, 0xff, 0xff, 0, 0}));
}

}  // namespace
}  // namespace twinchain::record
