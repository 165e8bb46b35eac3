// The new full node [0097]: gets blocks together, keeps them, hands them on. Floor 6.
//
// As a filter it reads SKELETON frames (and the SNAPSHOT frames that they name) from a pipe, writes
// BLOCK frames to another, and ends with its input. As a daemon it gets skeletons over links only.
// Either way it takes part in the network: it keeps its pool equal to its peers', checks every
// block in full and passes skeletons on.
#pragma once

#include "twinchain/net/node_daemon.hpp"

namespace twinchain::net {

struct AssemblerOptions {
  DaemonOptions daemon;
  int input_fd = -1;   ///< a twin stream; -1: none, until stopped
  int output_fd = -1;  ///< -1: blocks are kept only
  /// What was written before is in FOLDER/emitted; writing begins again so many blocks before it,
  /// because the reader may have lost some. A store knows what it has.
  std::uint32_t repeat_blocks = 100;
  /// After the input's end, at the most, for the peers to get what they ask for.
  std::int64_t linger_ms = 30'000;
  std::function<void(const Error&)> error;  ///< damage of the input
  /// Told once, when links can be made.
  std::function<Status(const NodeDaemon&)> ready;
};

struct AssemblerResult {
  std::uint64_t skeletons = 0;
  std::uint64_t assembled = 0;  ///< of these
  std::uint64_t invalid = 0;    ///< of these
  std::uint64_t blocks = 0;     ///< that became part of the chain
  bool input_damaged = false;
  /// malformed for a damaged input, refuted for invalid blocks, peer when some block could not be
  /// put together.
  [[nodiscard]] ExitCode verdict() const;
};

Result<AssemblerResult> run_assembler(AssemblerOptions options);

}  // namespace twinchain::net
