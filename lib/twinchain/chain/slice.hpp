// SLICE frames: a DATA frame of which only some channels are shown. Floor 4.
// Specified in twin-stream(5).
//
//   body = leaf count u32, then for each leaf: shown u8
//          1: salt[32], leaf (head and payload)      0: leaf hash[32]
//
// The root is the same as that of the DATA frame, so the same LINK seals both. The seed, which
// would give away the salts of what is not shown, is not in it. A salt hides a leaf: 32 bytes that
// nobody can guess make its hash say nothing about its content.
#pragma once

#include <span>
#include <vector>

#include "twinchain/base/result.hpp"
#include "twinchain/record/data_frame.hpp"
#include "twinchain/stream/frame.hpp"

namespace twinchain::chain {

struct Slice {
  FrameHeader header;  ///< as the DATA's, type SLICE; body_size and body_crc are filled
  Bytes body;
};

/// Shows the header leaf, the time column and the value columns of `channels` (indices in the
/// schema, any order; a channel without a value in this window has no column and is no error).
/// Leaves of types that this program does not know stay hidden. The input is a DATA frame, or a
/// SLICE frame that is to show less; a column that a SLICE hides already stays hidden.
/// ExitCode::malformed for a body that is not what its type says, or a slice that would be larger
/// than a frame may be.
Result<Slice> make_slice(const FrameHeader& header, ByteView body,
                         std::span<const std::uint32_t> channels);

struct ShownLeaf {
  std::uint32_t index = 0;  ///< among all leaves of the frame
  Hash256 salt{};
  record::Leaf leaf;  ///< views into the body
};

struct SliceContent {
  Hash256 root{};  ///< R_n, to be compared with the link's frame_root
  record::DataHeader header;
  std::uint32_t leaf_count = 0;
  std::vector<ShownLeaf> shown;  ///< by index; the first is the header leaf
};

/// Parses a SLICE body and computes the root. ExitCode::malformed when the structure is wrong, the
/// header leaf is not shown or does not say what the frame header says. Memory: 100 bytes for each
/// leaf shown; the number of leaves is bounded by the size of the body.
Result<SliceContent> check_slice(const FrameHeader& header, ByteView body);

}  // namespace twinchain::chain
