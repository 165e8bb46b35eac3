#include "twinchain/net/network_frames.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include "twinchain/base/hex.hpp"

namespace twinchain::net {
namespace {

constexpr std::uint16_t block_frame_version = 1;

FrameHeader frame_header_of(FrameType type, const Id128& source, std::uint64_t sequence,
                            std::uint32_t time_s) {
  FrameHeader header;
  header.type = type;
  header.source = source;
  header.sequence = sequence;
  header.window_start_ns = std::int64_t{time_s} * 1'000'000'000;
  header.window_end_ns = header.window_start_ns;
  return header;
}

std::unexpected<Error> bad_frame(FrameType type, const std::string& what) {
  return fail(ExitCode::malformed, frame_type_name(type) + " frame: " + what);
}

Status check_frame(const Frame& frame, FrameType type, const Id128& source) {
  if (frame.header.type != type) return bad_frame(type, "is of another type");
  if (frame.header.source != source) return bad_frame(type, "is of another network");
  return {};
}

// The number of parts of a block; each but the last is a full one.
std::uint64_t part_count(std::uint64_t size_bytes) {
  return (size_bytes + block_frame_part_bytes - 1) / block_frame_part_bytes;
}

bool states_time(const FrameHeader& header, std::uint32_t time_s) {
  const std::int64_t time_ns = std::int64_t{time_s} * 1'000'000'000;
  return header.window_start_ns == time_ns && header.window_end_ns == time_ns;
}

}  // namespace

Id128 network_source(const ChainParameters& parameters) {
  const Hash256 genesis = genesis_hash(parameters);
  Id128 source{};
  std::copy_n(genesis.begin(), source.size(), source.begin());
  return source;
}

NetworkFrame network_frame(const ChainParameters& parameters) {
  const std::string text = format_parameters(parameters);
  const ByteView bytes = as_bytes(text);
  return {
      frame_header_of(FrameType::network, network_source(parameters), 0, parameters.genesis_time_s),
      Bytes(bytes.begin(), bytes.end())};
}

std::vector<NetworkFrame> snapshot_frames(const ChainParameters& parameters,
                                          const Snapshot& snapshot) {
  const FrameHeader header = frame_header_of(FrameType::snapshot, network_source(parameters),
                                             snapshot.info.id, snapshot.info.min_time_s);
  std::vector<NetworkFrame> frames;
  for (Bytes& part : encode_snapshot(snapshot)) frames.push_back({header, std::move(part)});
  return frames;
}

NetworkFrame skeleton_frame(const ChainParameters& parameters, std::uint32_t height,
                            const Skeleton& skeleton) {
  return {frame_header_of(FrameType::skeleton, network_source(parameters), height,
                          skeleton.header.time_s),
          encode_skeleton(skeleton)};
}

Status block_frames(const ChainParameters& parameters, std::uint32_t height,
                    const bitcoin::BlockHeader& header, ByteView raw, const FrameSink& sink) {
  const FrameHeader frame =
      frame_header_of(FrameType::block, network_source(parameters), height, header.time_s);
  const auto parts = static_cast<std::uint32_t>(part_count(raw.size()));
  Bytes start;
  append_le(start, block_frame_version);
  append_le(start, std::uint16_t{0});
  append_le(start, std::uint32_t{0});
  append_le(start, parts);
  append(start, bitcoin::block_hash(header));
  append_le(start, std::uint64_t{raw.size()});
  for (std::uint32_t part = 0; part < parts; ++part) {
    store_le(&start[4], part);
    const ByteView rest = raw.subspan(part * block_frame_part_bytes);
    const std::array<ByteView, 2> pieces{start,
                                         rest.first(std::min(rest.size(), block_frame_part_bytes))};
    TWINCHAIN_TRY(sink(frame, pieces));
  }
  return {};
}

Result<ChainParameters> read_network_frame(const Frame& frame) {
  constexpr FrameType type = FrameType::network;
  if (frame.header.type != type) return bad_frame(type, "is of another type");
  auto parameters = parse_parameters(frame.body.view());
  if (!parameters) return bad_frame(type, parameters.error().message);
  TWINCHAIN_TRY(check_frame(frame, type, network_source(*parameters)));
  return parameters;
}

Result<SkeletonFrame> read_skeleton_frame(const Frame& frame, const Id128& source) {
  constexpr FrameType type = FrameType::skeleton;
  TWINCHAIN_TRY(check_frame(frame, type, source));
  auto skeleton = parse_skeleton(frame.body.view());
  if (!skeleton) return bad_frame(type, skeleton.error().message);
  if (frame.header.sequence > std::numeric_limits<std::uint32_t>::max()) {
    return bad_frame(type, "a height that no block has");
  }
  if (!states_time(frame.header, skeleton->header.time_s)) {
    return bad_frame(type, "its window is not the time of the block");
  }
  return SkeletonFrame{static_cast<std::uint32_t>(frame.header.sequence), std::move(*skeleton)};
}

Result<BlockFrameHead> parse_block_frame_head(ByteView body, std::uint64_t max_block_bytes) {
  constexpr FrameType type = FrameType::block;
  ByteCursor cursor(body);
  const auto version = cursor.read_le<std::uint16_t>();
  const auto reserved = cursor.read_le<std::uint16_t>();
  BlockFrameHead head;
  head.part = cursor.read_le<std::uint32_t>();
  head.parts = cursor.read_le<std::uint32_t>();
  head.block = cursor.read_array<32>();
  head.size_bytes = cursor.read_le<std::uint64_t>();
  if (!cursor.ok()) return bad_frame(type, "the header is cut off");
  if (version != block_frame_version) return bad_frame(type, "version " + std::to_string(version));
  if (reserved != 0) return bad_frame(type, "the reserved field is not zero");
  if (head.size_bytes <= bitcoin::block_header_size || head.size_bytes > max_block_bytes) {
    return bad_frame(type, std::to_string(head.size_bytes) + " bytes are no size of a block");
  }
  if (head.parts != part_count(head.size_bytes) || head.part >= head.parts) {
    return bad_frame(type, "its number of parts does not fit the block's size");
  }
  return head;
}

struct BlockFrameReader::Part {
  std::uint32_t number = 0;
  Hash256 block{};
  std::uint64_t size_bytes = 0;
  ByteView bytes;
};

Result<BlockFrameReader::Part> BlockFrameReader::parse(const Frame& frame) const {
  constexpr FrameType type = FrameType::block;
  TWINCHAIN_TRY(check_frame(frame, type, source_));
  const ByteView body = frame.body.view();
  auto head = parse_block_frame_head(body, max_block_bytes_);
  if (!head) return pass(head);
  const Part part{head->part, head->block, head->size_bytes, body.subspan(block_frame_header_size)};
  const std::uint64_t offset = part.number * std::uint64_t{block_frame_part_bytes};
  if (part.bytes.size() !=
      std::min<std::uint64_t>(block_frame_part_bytes, part.size_bytes - offset)) {
    return bad_frame(type, "its size is not that of part " + std::to_string(part.number + 1));
  }
  if (frame.header.sequence > std::numeric_limits<std::uint32_t>::max()) {
    return bad_frame(type, "a height that no block has");
  }
  return part;
}

void BlockFrameReader::leave_out() {
  if (size_bytes_ == 0) return;
  losses_.push_back("block " + to_hex_reversed(block_.block) + ": part " +
                    std::to_string(next_part_ + 1) + " of " +
                    std::to_string(part_count(size_bytes_)) + " is missing");
  left_out_ = block_.block;
  block_ = {};
  size_bytes_ = 0;
}

Result<std::optional<FramedBlock>> BlockFrameReader::add(const Frame& frame) {
  constexpr FrameType type = FrameType::block;
  auto part = parse(frame);
  if (!part) {
    leave_out();
    return pass(part);
  }
  const auto height = static_cast<std::uint32_t>(frame.header.sequence);
  if (part->number == 0) {
    leave_out();
    ByteCursor cursor(part->bytes);
    const bitcoin::BlockHeader header = bitcoin::read_header(cursor);
    if (bitcoin::block_hash(header) != part->block) {
      left_out_ = part->block;
      return bad_frame(type, "the block's header does not have the block's hash");
    }
    block_ = {height, part->block, header, {}};
    size_bytes_ = part->size_bytes;
    left_out_.reset();
  } else if (size_bytes_ == 0 || part->block != block_.block || part->size_bytes != size_bytes_ ||
             part->number != next_part_ || height != block_.height) {
    leave_out();
    if (left_out_ != part->block) {
      losses_.push_back("block " + to_hex_reversed(part->block) + ": its first part is missing");
      left_out_ = part->block;
    }
    return std::nullopt;
  }
  if (!states_time(frame.header, block_.header.time_s)) {
    leave_out();
    return bad_frame(type, "its window is not the time of the block");
  }
  append(block_.raw, part->bytes);
  next_part_ = part->number + 1;
  if (block_.raw.size() < size_bytes_) return std::nullopt;
  size_bytes_ = 0;
  return std::exchange(block_, {});
}

void BlockFrameReader::finish() {
  leave_out();
}

}  // namespace twinchain::net
