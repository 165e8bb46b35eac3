// dir:PATH: an embedded chain of Bitcoin-format blocks in a folder. Floor 4.
//
// The default ledger, for trying out and tests: a real chain (dir_chain.hpp) whose blocks are mined
// in-process, at a difficulty that anyone can meet. Several anchors may share a folder; each write
// holds its lock, and is durable when the call returns.
#pragma once

#include <memory>
#include <string>

#include "twinchain/base/clock.hpp"
#include "twinchain/ledger/ledger.hpp"
#include "twinchain/sys/fs.hpp"

namespace twinchain::ledger {

/// A Ledger with a miner.
class DirLedger : public Ledger {
 public:
  /// Adds empty blocks.
  virtual Status mine(std::uint32_t count) = 0;
};

/// Opening checks the whole chain. With `create` a folder or ledger that is not there is made;
/// without, that is ExitCode::usage. Other errors: ExitCode::system (cannot read or write),
/// refuted (the chain is damaged; names file, block and byte). Reading needs no permission to
/// write.
///
/// prepare() mines a block the first time, and whenever more transactions are prepared than sent:
/// its coinbase is the coin that the transaction spends. So no other anchor can spend it first.
/// A transaction that was prepared before a crash is sent again as it is. broadcast() returns when
/// the transaction is in a block, with options.dir_blocks_per_anchor - 1 blocks on top; it gives
/// ExitCode::refuted for one that spends what is not there or is spent, and ExitCode::peer when
/// another process holds the lock for longer than options.timeout_ms.
Result<std::unique_ptr<DirLedger>> open_dir_ledger(Fs& fs, Clock& clock, const std::string& folder,
                                                   const LedgerOptions& options, bool create);

}  // namespace twinchain::ledger
