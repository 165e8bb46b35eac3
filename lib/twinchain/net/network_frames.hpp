// Frames of the network in a twin stream: NETWORK, SNAPSHOT, SKELETON, BLOCK. Floor 6.
//
// So that a miner, a full node and a store can be put together by pipes. All are of one source, the
// network: the first 16 bytes of its genesis hash (internal order). Bodies:
//
//   NETWORK   the file of the network's parameters
//   SNAPSHOT  a part of a list (snapshot.hpp)
//   SKELETON  as encode_skeleton() makes it (skeleton.hpp)
//   BLOCK     0 version u16, 1   2 reserved u16, 0   4 part u32   8 number of parts u32
//             12 block hash, internal order   44 size of the whole block u64   52 bytes of it
//
// A block is cut into parts of 8 MiB; only the last one may be shorter, and none is empty. The
// sequence of the frame's header is 0 (NETWORK), the list's number, the block's height; its window
// is the time that the block's header states, twice (SNAPSHOT: the earliest time that it may state;
// NETWORK: that of the genesis block). Integers are little-endian.
//
// Functions are thread-safe; a BlockFrameReader belongs to one thread at a time.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "twinchain/net/chain_parameters.hpp"
#include "twinchain/net/skeleton.hpp"
#include "twinchain/net/snapshot.hpp"
#include "twinchain/stream/reader.hpp"

namespace twinchain::net {

inline constexpr std::size_t block_frame_header_size = 52;
inline constexpr std::size_t block_frame_part_bytes = std::size_t{8} << 20;

/// StreamWriter::write() takes both.
struct NetworkFrame {
  FrameHeader header;  ///< without size and CRC of the body
  Bytes body;
};

/// The source of a network's frames.
Id128 network_source(const ChainParameters& parameters);

NetworkFrame network_frame(const ChainParameters& parameters);
/// One a part of the list.
std::vector<NetworkFrame> snapshot_frames(const ChainParameters& parameters,
                                          const Snapshot& snapshot);
NetworkFrame skeleton_frame(const ChainParameters& parameters, std::uint32_t height,
                            const Skeleton& skeleton);

/// Takes one frame: the pieces together are its body.
using FrameSink =
    std::function<Status(const FrameHeader& header, std::span<const ByteView> pieces)>;
/// A block part by part, without a copy of it. `header` is that of the block, `raw` the whole block
/// with it (up to largest_block_limit_bytes). Ends at the sink's first error.
Status block_frames(const ChainParameters& parameters, std::uint32_t height,
                    const bitcoin::BlockHeader& header, ByteView raw, const FrameSink& sink);

/// The first block_frame_header_size bytes of a BLOCK frame's body.
struct BlockFrameHead {
  std::uint32_t part = 0;
  std::uint32_t parts = 0;
  Hash256 block{};
  std::uint64_t size_bytes = 0;  ///< of the whole block
};
/// `body`: the beginning of it is enough. Numbers that fit each other, nothing about the bytes of
/// the part. Errors (ExitCode::malformed) start with "BLOCK frame:".
Result<BlockFrameHead> parse_block_frame_head(ByteView body, std::uint64_t max_block_bytes);

/// The rules that a NETWORK frame states. Errors (ExitCode::malformed) start with "NETWORK frame:".
Result<ChainParameters> read_network_frame(const Frame& frame);

struct SkeletonFrame {
  std::uint32_t height = 0;  ///< as the miner says: what it is follows from the header
  Skeleton skeleton;
};
/// Errors (ExitCode::malformed) start with "SKELETON frame:". `source`: network_source().
Result<SkeletonFrame> read_skeleton_frame(const Frame& frame, const Id128& source);

struct FramedBlock {
  std::uint32_t height = 0;  ///< as the stream says
  Hash256 block{};
  bitcoin::BlockHeader header;
  Bytes raw;  ///< the whole block
};

/// Puts blocks together from their frames. Holds the bytes of one block that came, not what a frame
/// says will come. Checks that the header has the block's hash: neither that it has proof of work
/// nor that the transactions are the header's.
class BlockFrameReader {
 public:
  BlockFrameReader(const Id128& source, std::uint64_t max_block_bytes)
      : source_(source), max_block_bytes_(max_block_bytes) {}

  /// A BLOCK frame; a block when it was the last of its parts. Errors (ExitCode::malformed) start
  /// with "BLOCK frame:", are about this frame, and leave the block that it is a part of out. A
  /// block that lacks a part is left out as well, see take_losses().
  Result<std::optional<FramedBlock>> add(const Frame& frame);
  /// The stream has ended: a block that is not complete is left out.
  void finish();
  /// What was left out since the last call, one line a block: "block HASH: part 2 of 3 is missing".
  std::vector<std::string> take_losses() { return std::exchange(losses_, {}); }

 private:
  struct Part;
  Result<Part> parse(const Frame& frame) const;
  void leave_out();

  Id128 source_;
  std::uint64_t max_block_bytes_;
  FramedBlock block_;
  std::uint64_t size_bytes_ = 0;  ///< of the block that is being read; 0: none
  std::uint32_t next_part_ = 0;
  std::optional<Hash256> left_out_;  ///< further parts of it say nothing new
  std::vector<std::string> losses_;
};

}  // namespace twinchain::net
