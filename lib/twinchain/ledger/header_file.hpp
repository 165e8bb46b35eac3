// Writes a file of block headers from a ledger, and continues it. Floor 4.
//
// The file is the one that HeaderChain reads. Headers are appended and made durable batch after
// batch, so that after a crash the file is a part of the chain and perhaps a torn tail, which the
// next call mends. When the chain was reorganised, the headers behind the fork are taken away.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "twinchain/base/result.hpp"
#include "twinchain/ledger/ledger.hpp"
#include "twinchain/sys/fs.hpp"

namespace twinchain::ledger {

struct HeaderFileOptions {
  /// Height of the file's first header. Without it, a new file begins with the genesis, and one
  /// that exists must.
  std::optional<std::uint32_t> first_height;
  /// Asked between batches: true ends the work, with what is there kept (ExitCode::loss).
  std::function<bool()> stop;
  /// Called after each batch: headers in the file, and how many it will have.
  std::function<void(std::uint64_t done, std::uint64_t total)> progress;
};

struct HeaderFileOutcome {
  Tip tip;  ///< of the file
  std::uint32_t first_height = 0;
  Hash256 first_hash{};
  std::uint64_t added = 0;       ///< headers
  std::uint64_t removed = 0;     ///< headers that are no longer in the best chain
  std::uint64_t torn_bytes = 0;  ///< that were cut off at the end
};

/// Brings the file to the ledger's tip. That new headers follow each other and meet their proof of
/// work is checked; the whole file is checked by HeaderChain. Errors: those of the ledger
/// (what was written until then stays); ExitCode::refuted when the ledger's headers are wrong;
/// ExitCode::usage when the file is of another chain or begins at another height, or the first
/// height is above the tip; ExitCode::system. One process at a time: the file is locked.
Result<HeaderFileOutcome> update_header_file(Fs& fs, const std::string& path, Ledger& ledger,
                                             const HeaderFileOptions& options);

}  // namespace twinchain::ledger
