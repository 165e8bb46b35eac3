#include "twinchain/net/network_frames.hpp"

#include <doctest/doctest.h>

#include "twinchain/base/hex.hpp"
#include "twinchain/stream/writer.hpp"
#include "unit/net/network_for_tests.hpp"

using namespace twinchain;
using namespace twinchain::net;

namespace {

Frame frame_of(const NetworkFrame& written) {
  return {written.header, Buffer(ByteView(written.body)), 0};
}

// Bytes that are a block's as far as frames look into it.
Bytes block_of_size(const bitcoin::BlockHeader& header, std::size_t size_bytes) {
  Bytes raw(size_bytes);
  for (std::size_t i = 0; i < raw.size(); ++i) raw[i] = static_cast<std::uint8_t>(i * 7 >> 3);
  const auto start = bitcoin::serialize(header);
  std::copy(start.begin(), start.end(), raw.begin());
  return raw;
}

bitcoin::BlockHeader header_at(std::uint32_t time_s) {
  bitcoin::BlockHeader header;
  header.time_s = time_s;
  return header;
}

std::vector<NetworkFrame> frames_of(const ChainParameters& parameters, std::uint32_t height,
                                    const bitcoin::BlockHeader& header, ByteView raw) {
  std::vector<NetworkFrame> frames;
  const auto sink = [&](const FrameHeader& frame, std::span<const ByteView> pieces) -> Status {
    frames.push_back({frame, {}});
    for (const ByteView piece : pieces) append(frames.back().body, piece);
    return {};
  };
  REQUIRE(block_frames(parameters, height, header, raw, sink));
  return frames;
}

std::string message_of(BlockFrameReader& reader, const NetworkFrame& frame) {
  const auto added = reader.add(frame_of(frame));
  if (added) return "";
  CHECK(added.error().code == ExitCode::malformed);
  return added.error().message;
}

struct Blocks {
  ChainParameters parameters = testing::parameters_for_tests();
  Id128 source = network_source(parameters);
  bitcoin::BlockHeader header = header_at(testing::genesis_time_for_tests_s + 10);
  Hash256 hash = bitcoin::block_hash(header);
  Bytes raw = block_of_size(header, 2 * block_frame_part_bytes + 5);
  std::vector<NetworkFrame> frames = frames_of(parameters, 3, header, raw);
  BlockFrameReader reader{source, parameters.block_limit_bytes};
};

}  // namespace

TEST_CASE("network frames: the rules go through a stream and come back as they were") {
  const ChainParameters parameters = testing::parameters_for_tests();
  const NetworkFrame written = network_frame(parameters);
  CHECK(written.header.type == FrameType::network);
  CHECK(written.header.sequence == 0);
  const Hash256 genesis = genesis_hash(parameters);
  CHECK(std::equal(written.header.source.begin(), written.header.source.end(), genesis.begin()));

  Bytes stream(stream_preamble.begin(), stream_preamble.end());
  append(stream, encode_frame(written.header, written.body));
  std::size_t at = 0;
  StreamReader reader(
      [&](std::span<std::uint8_t> into) -> Result<std::size_t> {
        const std::size_t size = std::min(into.size(), stream.size() - at);
        std::copy_n(stream.begin() + static_cast<std::ptrdiff_t>(at), size, into.begin());
        at += size;
        return size;
      },
      {});
  const auto event = reader.next();
  REQUIRE(event);
  REQUIRE(event->kind == StreamEventKind::frame);
  const auto read = read_network_frame(event->frame);
  REQUIRE(read);
  CHECK(*read == parameters);
}

TEST_CASE("network frames: rules that are changed, or of another network's frame, are refused") {
  NetworkFrame written = network_frame(testing::parameters_for_tests());
  written.header.source[0] ^= 1;
  CHECK(read_network_frame(frame_of(written)).error().message ==
        "NETWORK frame: is of another network");
  written.header.source[0] ^= 1;
  written.body.resize(written.body.size() / 2);
  CHECK(read_network_frame(frame_of(written)).error().code == ExitCode::malformed);
  written.header.type = FrameType::block;
  CHECK_FALSE(read_network_frame(frame_of(written)));
}

TEST_CASE("network frames: a list in its frames is the list") {
  const ChainParameters parameters = testing::parameters_for_tests();
  SnapshotInfo info;
  info.id = 9;
  info.min_time_s = 1'800'000'000;
  std::vector<Hash256> txids(1000);
  for (std::size_t i = 0; i < txids.size(); ++i) store_le(txids[i].data(), i);
  const Snapshot snapshot = make_snapshot(info, txids);
  SnapshotAssembler assembler;
  for (const NetworkFrame& frame : snapshot_frames(parameters, snapshot)) {
    CHECK(frame.header.type == FrameType::snapshot);
    CHECK(frame.header.sequence == 9);
    CHECK(frame.header.window_start_ns == 1'800'000'000'000'000'000);
    REQUIRE(assembler.add(frame.body));
  }
  CHECK(assembler.take() == snapshot);
}

TEST_CASE("network frames: a skeleton comes back with its height; what contradicts is refused") {
  const ChainParameters parameters = testing::parameters_for_tests();
  const Id128 source = network_source(parameters);
  Skeleton skeleton;
  skeleton.header.time_s = 1'800'000'000;
  skeleton.transaction_count = 1;
  skeleton.coinbase = {1, 2, 3};
  NetworkFrame written = skeleton_frame(parameters, 77, skeleton);
  const auto read = read_skeleton_frame(frame_of(written), source);
  REQUIRE(read);
  CHECK(read->height == 77);
  CHECK(read->skeleton == skeleton);
  CHECK_FALSE(read_skeleton_frame(frame_of(written), Id128{}));
  written.header.window_end_ns += 1;
  CHECK(read_skeleton_frame(frame_of(written), source).error().message ==
        "SKELETON frame: its window is not the time of the block");
  written = skeleton_frame(parameters, 77, skeleton);
  written.header.sequence = std::uint64_t{1} << 32;
  CHECK_FALSE(read_skeleton_frame(frame_of(written), source));
  written = skeleton_frame(parameters, 77, skeleton);
  written.body.pop_back();
  CHECK_FALSE(read_skeleton_frame(frame_of(written), source));
}

TEST_CASE(
    "network frames: a block of several parts is put together; nothing is copied on the way") {
  Blocks b;
  REQUIRE(b.frames.size() == 3);
  CHECK(b.frames[2].body.size() == block_frame_header_size + 5);
  for (int round = 0; round < 2; ++round) {
    for (std::size_t i = 0; i < 2; ++i) {
      const auto part = b.reader.add(frame_of(b.frames[i]));
      REQUIRE(part);
      CHECK_FALSE(part->has_value());
    }
    const auto whole = b.reader.add(frame_of(b.frames[2]));
    REQUIRE(whole);
    REQUIRE(whole->has_value());
    CHECK((*whole)->height == 3);
    CHECK((*whole)->block == b.hash);
    CHECK((*whole)->header == b.header);
    CHECK((*whole)->raw == b.raw);
  }
  b.reader.finish();
  CHECK(b.reader.take_losses().empty());
  const auto sink = [&](const FrameHeader&, std::span<const ByteView> pieces) -> Status {
    CHECK(pieces.back().data() == b.raw.data());
    return fail(ExitCode::system, "full");
  };
  CHECK(block_frames(b.parameters, 3, b.header, b.raw, sink).error().message == "full");
}

TEST_CASE("network frames: a block that lacks a part is left out and named once") {
  Blocks b;
  const std::string name = "block " + to_hex_reversed(b.hash);
  SUBCASE("the second part is missing") {
    for (const std::size_t i : {0U, 2U}) {
      CHECK_FALSE(b.reader.add(frame_of(b.frames[i])).value().has_value());
    }
    CHECK(b.reader.take_losses() == std::vector{name + ": part 2 of 3 is missing"});
  }
  SUBCASE("the first part is missing") {
    for (const std::size_t i : {1U, 2U}) {
      CHECK_FALSE(b.reader.add(frame_of(b.frames[i])).value().has_value());
    }
    CHECK(b.reader.take_losses() == std::vector{name + ": its first part is missing"});
  }
  SUBCASE("the stream ends") {
    CHECK(b.reader.add(frame_of(b.frames[0])));
    b.reader.finish();
    CHECK(b.reader.take_losses() == std::vector{name + ": part 2 of 3 is missing"});
  }
  SUBCASE("another block begins, and is whole") {
    CHECK(b.reader.add(frame_of(b.frames[0])));
    const auto next = header_at(testing::genesis_time_for_tests_s + 20);
    const Bytes small = block_of_size(next, 300);
    const auto frames = frames_of(b.parameters, 4, next, small);
    REQUIRE(frames.size() == 1);
    CHECK(b.reader.add(frame_of(frames[0])).value()->raw == small);
    CHECK(b.reader.take_losses() == std::vector{name + ": part 2 of 3 is missing"});
  }
  CHECK(b.reader.take_losses().empty());
}

TEST_CASE("network frames: each rule of a BLOCK frame has its refusal") {
  Blocks b;
  const auto refusal = [&](std::size_t at, std::uint8_t value) {
    NetworkFrame frame = b.frames[0];
    frame.body[at] = value;
    return message_of(b.reader, frame);
  };
  CHECK(refusal(0, 2) == "BLOCK frame: version 2");
  CHECK(refusal(2, 1) == "BLOCK frame: the reserved field is not zero");
  CHECK(refusal(4, 3) == "BLOCK frame: its number of parts does not fit the block's size");
  CHECK(refusal(4, 2) == "BLOCK frame: its size is not that of part 3");
  CHECK(refusal(8, 2) == "BLOCK frame: its number of parts does not fit the block's size");
  CHECK(refusal(12, static_cast<std::uint8_t>(b.hash[0] + 1)) ==
        "BLOCK frame: the block's header does not have the block's hash");
  CHECK(refusal(51, 1) == "BLOCK frame: 72057594054705157 bytes are no size of a block");
  CHECK(refusal(52, 0xff) == "BLOCK frame: the block's header does not have the block's hash");
  NetworkFrame frame = b.frames[0];
  frame.body.resize(51);
  CHECK(message_of(b.reader, frame) == "BLOCK frame: the header is cut off");
  frame = b.frames[0];
  frame.header.window_start_ns += 1;
  CHECK(message_of(b.reader, frame) == "BLOCK frame: its window is not the time of the block");
  frame = b.frames[0];
  frame.header.source[3] ^= 1;
  CHECK(message_of(b.reader, frame) == "BLOCK frame: is of another network");
  frame = b.frames[0];
  frame.body.pop_back();
  CHECK(message_of(b.reader, frame) == "BLOCK frame: its size is not that of part 1");
  BlockFrameReader small(b.source, b.raw.size() - 1);
  CHECK(message_of(small, b.frames[0]) == "BLOCK frame: 16777221 bytes are no size of a block");
}
