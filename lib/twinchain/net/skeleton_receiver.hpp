// From a skeleton to the block's list of transactions. Floor 6.
//
// No I/O: who owns it asks others for what next() says and hands in what comes. The ladder: more
// symbols, the list of 6-byte short ids, then the full block, which is not the receiver's business
// any more. On each of the first two rungs transactions that the receiver lacks are asked for.
//
// The one thing that counts is that the Merkle root of the coinbase and the txids in canonical
// order is the header's. All else in a skeleton and its answers may be false: what does not lead
// there goes a rung down, and says nothing about the block, nor about who sent what. Short ids that
// several txids have are tried out where there are few, and else lead down as well.
//
// The caller has checked the header's proof of work: before that a skeleton is worth no time. An
// object belongs to one thread at a time. Memory: some 200 bytes a transaction of base, block and
// pool, and what the limits say; when complete, the txids.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "twinchain/iblt/decoder.hpp"
#include "twinchain/iblt/encoder.hpp"
#include "twinchain/net/skeleton.hpp"
#include "twinchain/net/skeleton_match.hpp"

namespace twinchain::net {

struct ReceiverLimits {
  std::size_t symbols = std::size_t{1} << 20;
  std::size_t difference = std::size_t{1} << 20;
};

/// Of one request. The next one has those that did not come.
inline constexpr std::size_t max_transactions_in_request = 10'000;

class SkeletonReceiver {
 public:
  /// `base`: the list that the skeleton names when the receiver has it, else what it thinks is
  /// closest (its mempool's txids), in any order. `pool`: further txids it has. Both are copied,
  /// and forgotten when there is nothing more to match.
  SkeletonReceiver(Skeleton skeleton, std::span<const Hash256> base, std::span<const Hash256> pool,
                   const ReceiverLimits& limits = {});

  enum class Next { ask_symbols, ask_short_ids, ask_transactions, ask_block, complete };
  [[nodiscard]] Next next() const { return next_; }

  /// For ask_symbols: what iblt::next_extension says, one layer at a time. Symbols are asked for
  /// only while they cost less than the list of short ids.
  [[nodiscard]] SymbolRequest symbol_request() const;
  /// For ask_transactions: up to max_transactions_in_request, by short id or by position.
  [[nodiscard]] TransactionRequest transaction_request() const;

  /// What is not the answer to what next() asks for is ignored, and the answer is false: symbols of
  /// another layer, place or set; a list of another block; a transaction that is not missing. An
  /// answer may have less than was asked for.
  bool add_symbols(const iblt::SymbolRange& range);
  bool add_short_ids(const ShortIdList& list);
  bool add_transaction(const Hash256& txid);
  /// The one asked cannot answer: the next rung.
  void give_up_rung();

  /// When complete: in canonical order, without the coinbase.
  [[nodiscard]] const std::vector<Hash256>& txids() const { return txids_; }
  [[nodiscard]] const Skeleton& skeleton() const { return skeleton_; }
  [[nodiscard]] std::uint64_t symbols_received() const { return symbols_received_; }
  /// Transactions that are asked for and did not come yet.
  [[nodiscard]] std::size_t missing() const { return missing_; }

 private:
  enum class Rung { symbols, short_ids };

  void take_base(std::span<const Hash256> base, std::span<const Hash256> pool);
  void begin();
  [[nodiscard]] std::size_t block_size() const { return skeleton_.transaction_count - 1; }
  [[nodiscard]] bool list_costs_less_than(std::uint64_t symbols) const;
  void decode(const iblt::SymbolRange& range);
  [[nodiscard]] bool base_repeats_ids() const;
  void plan_extension();
  void ask_for_short_ids();
  void ask_for_block();
  void take_match(std::optional<Match> match);
  void try_match();
  [[nodiscard]] std::optional<std::vector<Hash256>> resolve() const;

  Skeleton skeleton_;
  ReceiverLimits limits_;
  Hash256 block_{};
  SipKey key_;
  Hash256 coinbase_txid_{};
  Rung rung_ = Rung::symbols;
  Next next_ = Next::ask_block;
  MatchCandidates candidates_;
  std::optional<iblt::Encoder<1>> ours_;
  std::optional<iblt::Decoder<1>> decoder_;
  std::uint64_t symbols_received_ = 0;
  std::uint32_t extensions_ = 0;
  std::uint32_t main_due_ = 0;   ///< symbols of layer 0 that the extension still lacks
  std::uint32_t layer_due_ = 0;  ///< and of layer `extensions_`
  Match match_;
  std::vector<Hash256> arrived_;
  std::size_t missing_ = 0;
  std::vector<Hash256> txids_;
};

}  // namespace twinchain::net
