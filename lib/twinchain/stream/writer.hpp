// Writes a twin stream to a descriptor. Floor 2.
#pragma once

#include <span>

#include "twinchain/base/result.hpp"
#include "twinchain/stream/frame.hpp"

namespace twinchain {

/// Each frame goes out with one writev, without a copy. Does not own the descriptor. An object
/// that is destroyed without finish() leaves no END: so a fault travels down the pipe.
class StreamWriter {
 public:
  explicit StreamWriter(int fd) : fd_(fd) {}

  /// Fills body_size and body_crc from the pieces, which together are the body (at most
  /// max_body_size; more is a bug of the caller, reported as ExitCode::bug).
  Status write(FrameHeader header, std::span<const ByteView> pieces);
  Status write(const FrameHeader& header, ByteView body) { return write(header, {&body, 1}); }
  /// Passes a frame on as it was read: header.body_crc is trusted and not computed again.
  Status write_unchanged(const FrameHeader& header, ByteView body);
  /// Writes the preamble if nothing has been written yet, and END.
  Status finish();
  /// Writes the preamble now, so that a reader sees a stream before the first frame.
  Status start();

  [[nodiscard]] std::uint64_t frames() const { return frames_; }
  [[nodiscard]] std::uint64_t size_bytes() const { return size_bytes_; }

 private:
  Status put(const FrameHeader& header, std::span<const ByteView> pieces);

  int fd_;
  bool started_ = false;
  std::uint64_t frames_ = 0;
  std::uint64_t size_bytes_ = 0;
};

/// The END frame for a stream of so many frames and bytes.
Bytes encode_end_frame(std::uint64_t frames, std::uint64_t size_bytes);
/// A whole frame in one piece of memory.
Bytes encode_frame(FrameHeader header, ByteView body);

}  // namespace twinchain
