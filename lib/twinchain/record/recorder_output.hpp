// Where a recorder's frames go. Floor 3.
#pragma once

#include <memory>

#include "twinchain/base/result.hpp"
#include "twinchain/stream/frame.hpp"

namespace twinchain::record {

class FrameOutput {
 public:
  virtual ~FrameOutput() = default;
  /// Called once, before the first frame: a reader sees a stream at once.
  virtual Status start() = 0;
  /// The header's body_size and body_crc are those of the body.
  virtual Status write(const FrameHeader& header, ByteView body) = 0;
  /// After a batch of frames: makes them durable where the output itself can be the place where
  /// they stay (a regular file), and says whether it did. A pipe says false.
  virtual Result<bool> settle() = 0;
  /// Writes END.
  virtual Status finish() = 0;
};

/// A twin stream on a descriptor, which stays the caller's. `delivers`: settle() syncs and says
/// true; only for a regular file that is not replaced at the end.
std::unique_ptr<FrameOutput> make_stream_output(int fd, bool delivers);

}  // namespace twinchain::record
