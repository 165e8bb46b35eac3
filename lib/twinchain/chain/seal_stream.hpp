// hashchain: reads a twin stream, writes it with a LINK frame after each DATA frame. Floor 4.
#pragma once

#include <cstdint>
#include <functional>

#include "twinchain/base/result.hpp"
#include "twinchain/chain/seal.hpp"

namespace twinchain::chain {

struct SealStreamOptions {
  int input_fd = 0;
  int output_fd = 1;
  /// Readable: stop before the next frame; see cli::filter_stop_fd(). -1: none.
  int stop_fd = -1;
  /// Threads that hash; 0: this one does it.
  unsigned threads = 2;
  /// Told of the bytes read so far, now and then.
  std::function<void(std::uint64_t)> progress;
};

/// Seals until the input ends. All other frames are passed on unchanged, in their place.
///
/// A frame is sealed at once when no more input is waiting; under load frames are hashed in
/// parallel and links made durable in batches (at most 8 MiB of frames or 20 ms together). A link
/// is in the state, durably, before it is written to the output.
///
/// END is written only when all went well. Errors: damaged or truncated input, a malformed DATA or
/// LINK frame, an unknown critical frame: ExitCode::malformed, with the offset, after all that came
/// before it has been sealed and written; refusals of the Sealer: ExitCode::refuted;
/// stopped by stop_fd: ExitCode::loss. Does not own the descriptors.
///
/// Memory: at most 40 MiB of frames.
Status seal_stream(ChainState& state, Sealer& sealer, Clock& clock,
                   const SealStreamOptions& options);

}  // namespace twinchain::chain
