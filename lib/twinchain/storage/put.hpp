// `store put`: a twin stream into a store, durable in groups. Floor 5.
#pragma once

#include <string>

#include "twinchain/storage/writer.hpp"

namespace twinchain::storage {

struct PutOptions {
  WriterOptions writer;
  std::string acknowledge_folder;  ///< empty: none
  bool pass = false;               ///< what is durable goes on to output_fd
  int input_fd = 0;
  int output_fd = 1;
  /// Readable when the tool is to stop before its input ends; -1: none.
  int stop_fd = -1;
};

/// What a run tells while it goes on: damage of the input and refused frames as errors.
struct PutMessages {
  std::function<void(const Error&)> error;
  Notes note;
  /// Bytes of input read, for a progress line; may be empty.
  std::function<void(std::uint64_t)> progress;
};

struct PutResult {
  std::uint64_t stored_frames = 0;
  std::uint64_t stored_bytes = 0;
  std::uint64_t duplicate_frames = 0;
  std::uint64_t refused_frames = 0;
  std::uint64_t damaged_places = 0;  ///< in the input, its missing end included
  bool stopped = false;
  /// refuted when frames were refused, malformed when the input was damaged or cut short, loss
  /// when it was stopped by a signal, else success.
  [[nodiscard]] ExitCode verdict() const;
};

/// Reads until the input ends. Whatever can be read without waiting becomes durable with one sync
/// (up to 8 MiB), is acknowledged, passed on, and only then more input is waited for. An Error is
/// one of the system's, or an input that is no twin stream; all that was acknowledged is stored.
Result<PutResult> put_stream(Fs& fs, const std::string& folder, const PutOptions& options,
                             const PutMessages& messages);

}  // namespace twinchain::storage
