// The stream filter around the anchoring engine: passes frames on, adds ANCHOR frames. Floor 4.
//
// Two threads. The caller's reads and writes frames and never waits for the ledger; a second one
// runs the engine, which may wait for the ledger as long as a call's time-out. They share a mailbox
// in which a newer link of a chain takes the place of the older one, so that memory stays bounded
// however slow the ledger is.
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <string>

#include "twinchain/base/clock.hpp"
#include "twinchain/base/result.hpp"
#include "twinchain/ledger/anchor_engine.hpp"
#include "twinchain/ledger/anchor_journal.hpp"
#include "twinchain/ledger/ledger.hpp"

namespace twinchain::ledger {

struct AnchorFilterOptions {
  AnchorSettings settings;
  /// After the end of the input: how long to wait for depth.
  std::uint64_t timeout_ns = 7'200'000'000'000;
  /// After the end of the input: how long a ledger may stay out of reach.
  std::uint64_t trouble_timeout_ns = 60'000'000'000;
  bool wait = true;  ///< false: end as soon as everything is published
  /// Readable: stop now. -1: none.
  int stop_fd = -1;
  /// Set when stopping: the ledger's LedgerOptions::cancel.
  std::atomic<bool>* cancel = nullptr;
  /// From a LINK frame: the link's hash and chain. ExitCode::malformed when it is none.
  std::function<Result<LinkReference>(const FrameHeader&, ByteView)> read_link;
  /// Called by both threads.
  std::function<void(Notice, const std::string&)> tell;
};

struct AnchorOutcome {
  /// success; unproven: anchors are left, or nothing was sealed; otherwise that of `trouble`.
  ExitCode code = ExitCode::success;
  std::optional<Error> trouble;  ///< what kept anchors from being made, to the end
  std::size_t left = 0;          ///< anchors that are not made
};

/// Reads the stream of `input_fd` (-1: none, only anchors of earlier runs are written) and writes
/// it to `output_fd`. When this gives an outcome, the output is complete, with its END. Errors, and
/// no END: the input is damaged (malformed) or was not read to its end (loss), the output or the
/// journal cannot be written, or the very first call of the ledger showed a misconfiguration.
Result<AnchorOutcome> filter_anchors(int input_fd, int output_fd, Ledger& ledger,
                                     AnchorJournal& journal, Clock& clock,
                                     const AnchorFilterOptions& options);

}  // namespace twinchain::ledger
