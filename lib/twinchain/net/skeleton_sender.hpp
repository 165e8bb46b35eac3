// What a miner, or a node that has the block, does for those who get its skeleton. Floor 6.
//
// No I/O. An object belongs to one thread at a time.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "twinchain/iblt/encoder.hpp"
#include "twinchain/net/skeleton.hpp"

namespace twinchain::net {

struct SkeletonOptions {
  std::uint64_t salt = 0;  ///< random
  /// Transactions that receivers are thought to lack of the list or to have beyond it: the first
  /// flight of symbols is made larger by that. 0 for receivers that have the list itself.
  std::uint64_t expected_extra = 0;
  /// Of the first flight. What is missing is asked for.
  std::uint32_t max_symbols = max_symbols_in_message;
};

/// Keeps the block's txids, and 24 bytes a transaction more.
class SkeletonSender {
 public:
  /// `coinbase`: the transaction, serialised. `txids`: of the block without the coinbase, in
  /// canonical order. `base`: the list that the block was made from, nullptr for none; not kept.
  SkeletonSender(const bitcoin::BlockHeader& header, Bytes coinbase, std::vector<Hash256> txids,
                 const Snapshot* base, const SkeletonOptions& options);

  /// The first flight has as many symbols as it takes to decode the difference between block and
  /// list, which the sender tries out; with extra differences to be expected, as many as
  /// iblt::first_flight says for their sum, if that is more.
  [[nodiscard]] const Skeleton& skeleton() const { return skeleton_; }

  /// ExitCode::refuted for what is about another block or beyond it.
  Result<iblt::SymbolRange> symbols(const SymbolRequest& request);
  [[nodiscard]] ShortIdList short_ids() const;
  /// Positions in the block (the coinbase is 0), ascending, of those transactions asked for that
  /// the block has; who keeps the transactions sends them.
  [[nodiscard]] Result<std::vector<std::uint32_t>> positions(
      const TransactionRequest& request) const;

 private:
  [[nodiscard]] std::uint32_t first_flight(const Snapshot* base,
                                           const SkeletonOptions& options) const;

  Skeleton skeleton_;
  Hash256 block_;
  SipKey key_;
  std::vector<Hash256> txids_;
  std::vector<iblt::Item<1>> ids_;
  std::vector<std::optional<iblt::Encoder<1>>> layers_;
};

}  // namespace twinchain::net
