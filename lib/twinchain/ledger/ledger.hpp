// One interface to every ledger. Floor 4.
//
// A payload (at most 80 bytes) is published in one transaction. prepare() makes and signs it
// without sending, so that the caller can write it down first: a restart then sends the same
// transaction again instead of a second one.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "twinchain/base/result.hpp"
#include "twinchain/bitcoin/header.hpp"
#include "twinchain/ledger/network.hpp"
#include "twinchain/ledger/receipt.hpp"

namespace twinchain::ledger {

struct LedgerOptions {
  std::string cookie_file;            ///< RPC: PATH of the node's .cookie
  std::string credentials_file;       ///< RPC: 0600 file with "user:password"
  std::string wallet;                 ///< RPC: wallet name; empty: the node's default
  double fee_rate_sat_per_vbyte = 0;  ///< 0: the node's estimate
  int timeout_ms = 30'000;            ///< RPC, tsa: of a call; dir: of waiting for another writer
  /// dir: nobody else mines there, so broadcast() and status() mine what is missing for a
  /// transaction to be this deep (1: its own block only). 0: status() never writes.
  std::uint32_t dir_blocks_per_anchor = 0;
  /// tsa: PEM file with certificates; a token that does not lead to one of them is not taken.
  /// Empty: whoever signed is believed to be the authority.
  std::string timestamp_certificates_file;
  /// RPC, tsa: a call that is under way ends with ExitCode::peer soon after this becomes true. Must
  /// outlive the ledger.
  const std::atomic<bool>* cancel = nullptr;
};

struct Tip {
  Network network;
  std::uint32_t height = 0;
  Hash256 block_hash{};
  std::int64_t time_s = 0;
};

struct Prepared {
  Bytes raw_transaction;  ///< as it is sent, witness included
  Hash256 txid{};
  std::uint64_t fee_sat = 0;
};

enum class TransactionPlace {
  unknown,  ///< the ledger has never seen it, or forgot it (evicted)
  mempool,
  block,      ///< in a block of the best chain
  conflicted  ///< another transaction has spent its inputs
};
struct TransactionStatus {
  TransactionPlace place = TransactionPlace::unknown;
  std::uint32_t height = 0;  ///< block
  Hash256 block_hash{};      ///< block
  std::uint32_t depth = 0;   ///< block: 1 for the tip
};

struct BlockPosition {
  bool on_best_chain = false;
  std::uint32_t height = 0;
  std::uint32_t depth = 0;
  std::int64_t time_s = 0;
};

/// Errors: ExitCode::peer when trying again may help (node down, starting, time-out),
/// ExitCode::usage for configuration (credentials, unknown wallet), ExitCode::refuted with a hint
/// for what a person must mend (wallet empty). Not thread-safe.
class Ledger {
 public:
  virtual ~Ledger() = default;
  virtual Result<Tip> tip() = 0;
  /// Finds out early what would keep prepare() from working for good: no such wallet, no keys in
  /// it, locked. That there is no money in it yet is no error.
  virtual Status ready_to_publish() { return {}; }
  virtual Result<Prepared> prepare(ByteView payload) = 0;
  /// Fine when the ledger has the transaction already. `fee_too_low` is set when it was refused for
  /// its fee.
  virtual Status broadcast(const Prepared& transaction, bool* fee_too_low) = 0;
  /// It will not be sent any more: what it would have spent is free again.
  virtual void abandon(const Prepared& /*transaction*/) {}
  /// A transaction that an earlier run prepared, told before anything is asked about it.
  virtual void remember(const Prepared& /*transaction*/) {}
  virtual Result<TransactionStatus> status(const Hash256& txid) = 0;
  /// The same payload with a higher fee, spending at least one of the same inputs, so that only
  /// one of both can ever be in the chain.
  virtual Result<Prepared> bump_fee(const Prepared& transaction) = 0;
  /// For a transaction in a block of the best chain.
  virtual Result<Receipt> receipt(const Hash256& txid, ByteView payload) = 0;
  /// Whether and how deep a block is in the best chain.
  virtual Result<BlockPosition> position(const Hash256& block_hash) = 0;
  /// Whether what a receipt of this ledger proves still holds: its block is in the best chain.
  virtual Result<bool> still_holds(const Receipt& receipt) {
    auto where = position(receipt.block_hash);
    if (!where) return pass(where);
    return where->on_best_chain;
  }
  /// Headers of the best chain from a height on: `count` of them (at most 1000), fewer or
  /// none when it ends before. When the chain is reorganised meanwhile they may not follow each
  /// other: the caller looks.
  virtual Result<std::vector<bitcoin::BlockHeaderBytes>> headers(std::uint32_t /*first_height*/,
                                                                 std::uint32_t /*count*/) {
    return fail(ExitCode::usage, "this ledger has no block headers");
  }
  /// One sentence for reports: what trusting this ledger means.
  [[nodiscard]] virtual std::string trust_statement() const = 0;
};

/// What a URL of a ledger may be, for hints.
inline constexpr const char* ledger_forms =
    "dir:PATH, bitcoin:http://HOST:PORT, litecoin:http://HOST:PORT, mnode:HOST:PORT or "
    "tsa:http://HOST/PATH";

/// Any of these but mnode:, which net opens (net/mnode_ledger.hpp). `create`: a dir: ledger that is
/// not there is made.
Result<std::unique_ptr<Ledger>> open_ledger(const std::string& url, const LedgerOptions& options,
                                            bool create);

}  // namespace twinchain::ledger
