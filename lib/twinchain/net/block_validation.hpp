// Whole blocks: by themselves, and on top of a set of coins. Floor 6.
//
// By itself a block is checked for its Merkle root first. While that does not agree, the body is
// not the header's and says nothing about the block (Outcome::mismatched); so is one with repeated
// transactions that has the same root (CVE-2012-2459). From there on a broken rule makes the block
// invalid for good.
//
// Order: the coinbase, then ascending txid, compared as bytes in internal order, each once. A child
// may stand before its parent: all outputs of the block are there before any input is looked at.
#pragma once

#include <functional>

#include "twinchain/net/transaction_check.hpp"
#include "twinchain/net/workers.hpp"

namespace twinchain::net {

/// Bytes of a block besides its transactions, at the most: header and count.
inline constexpr std::size_t block_overhead_bytes = bitcoin::block_header_size + 9;

struct NetBlock {
  bitcoin::BlockHeader header;
  std::vector<TransactionPtr> transactions;
};

/// Header, CompactSize of the count, transactions.
Bytes serialize(const NetBlock& block);
/// Finds the transactions' ends, then parses and hashes them on the pool's threads. What cannot be
/// parsed is mismatched: no root can tell whose it is.
Verdict read_block(const ChainParameters& parameters, ByteView raw, WorkPool& workers,
                   NetBlock& into);

/// Merkle root, size, coinbase (one, first, its script, its height as BIP 34 has it), order.
Verdict check_block_body(const ChainParameters& parameters, const NetBlock& block,
                         std::uint32_t height);

/// The order of the chain: ascending txid. For whoever puts a block together.
void sort_canonically(std::vector<TransactionPtr>& without_coinbase);

struct BlockEffects {
  storage::CoinChanges changes;
  std::int64_t fees_sat = 0;
  /// Transactions whose scripts were run: those that `scripts_known` did not know.
  std::uint64_t transactions_verified = 0;
};

/// Checks a block on top of `coins`, whose tip is the block before it, and gives what it does to
/// them. check_block_body() has accepted it. `scripts_known`: whether the scripts of a transaction
/// were run before; a txid covers input scripts and, through the outpoints, what they spend, and
/// the flags never change, so that they need not be run again. Thread-safe. Errors are those of the
/// database.
Result<Verdict> check_block_spends(const ChainParameters& parameters, const NetBlock& block,
                                   const SpendContext& context, const storage::CoinDatabase& coins,
                                   const std::function<bool(const Hash256& txid)>& scripts_known,
                                   WorkPool& workers, BlockEffects& effects);

/// The coins of the genesis block: ordinary ones, to be spent at once.
std::vector<std::pair<bitcoin::OutPoint, Coin>> genesis_coins(const ChainParameters& parameters);

}  // namespace twinchain::net
