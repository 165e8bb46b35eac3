// The memory pool of one node. Floor 6.
//
// Admission is full validation: structure, standard form, inputs, fees, locks, scripts. A batch is
// checked on all threads of a given pool and taken in order, so that the outcome does not depend on
// the number of threads. The first spend of an outpoint that is valid wins. What lacks an input is
// incomplete and not kept: the sender tries again.
//
// Standard form, a rule of nodes and not of the chain: version 1 or 2; inputs of pushes only, with
// at most 1,650 bytes; outputs that pay to a key, to a key's hash, to a script's hash, or carry
// data (OP_RETURN or OP_FALSE OP_RETURN, then pushes only; any size up to the transaction's limit);
// a fee of the minimum rate.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>
#include <deque>
#include <string>

#include "twinchain/crypto/sha256.hpp"
#include "twinchain/net/block_validation.hpp"
#include "twinchain/net/header_tree.hpp"
#include "twinchain/net/salted_hasher.hpp"
#include "twinchain/net/transaction_pool.hpp"
#include "twinchain/sys/fs.hpp"

namespace twinchain::net {

struct PoolLimits {
  std::uint64_t memory_bytes = std::uint64_t{512} << 20;
  /// Longest chain of transactions in the pool, each spending the one before. High, because the
  /// data of one twin are such a chain.
  std::uint32_t max_chain = 10'000;
  std::int64_t expiry_s = 14 * 86'400;
  std::size_t max_bare_claims = 10'000;  ///< claims without their transaction
  std::size_t max_remembered = 200'000;  ///< transactions once valid, of each of two generations
  /// Of the pool's tables: one of its own for each, a secret. A simulation gives its own.
  SipKey table_key = sip_key(random_array<16>());
};

struct PoolEntry {
  TransactionPtr transaction;
  std::int64_t fee_sat = 0;
  std::uint64_t signature_operations = 0;
  std::int64_t time_s = 0;     ///< of admission
  std::uint64_t sequence = 0;  ///< order of admission: parents before children
  std::uint32_t chain = 1;     ///< transactions of the longest chain in the pool that ends here
};

enum class Removal { block, conflict, evicted, expired, no_longer_valid };

struct Admission {
  Verdict verdict;
  Hash256 txid{};  ///< zeros when it could not be parsed
  /// Who spends an input already, for a refusal with "txn-mempool-conflict".
  Hash256 conflict{};
};

struct PoolLoad {
  std::uint64_t admitted = 0;
  std::uint64_t refused = 0;        ///< no longer valid
  std::uint64_t dropped_bytes = 0;  ///< torn or damaged end of the file
};

/// Not thread-safe: one thread at a time; its own threads are those of `workers`. The coins must be
/// those of the tip that set_tip() told of.
class LocalPool final : public TransactionPool {
 public:
  LocalPool(const ChainParameters& parameters, const storage::CoinDatabase& coins,
            WorkPool& workers, const PoolLimits& limits = {});

  // TransactionPool: done() is called before these return.
  void insert(ByteView raw, std::function<void(const Verdict&)> done) override;
  void get(const Hash256& txid, std::function<void(TransactionPtr)> done) override;
  void claim(const bitcoin::OutPoint& outpoint, const Hash256& txid,
             std::function<void(const Hash256& holder)> done) override;

  /// Where the next block goes, and what time it is. Before all else, and after each new tip.
  void set_tip(SpendContext next_block) { context_ = std::move(next_block); }
  void set_time(std::int64_t now_s) { now_s_ = now_s; }

  /// Checks and takes transactions; parents and children may come in any order. One answer each.
  /// An Error is one of the node's own database: nothing was taken.
  Result<std::vector<Admission>> admit(std::span<const ByteView> raw);
  Result<std::vector<Admission>> admit_parsed(std::vector<TransactionPtr> transactions);

  [[nodiscard]] TransactionPtr find(const Hash256& txid) const;
  /// Until the pool changes.
  [[nodiscard]] const PoolEntry* entry(const Hash256& txid) const;
  /// Zeros when nobody spends it.
  [[nodiscard]] Hash256 spender(const bitcoin::OutPoint& outpoint) const;
  /// Whether the scripts of a transaction were found valid: in the pool, or once. Safe to be called
  /// from many threads while nothing changes the pool.
  [[nodiscard]] bool scripts_known(const Hash256& txid) const;
  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  [[nodiscard]] std::uint64_t memory_bytes() const { return memory_bytes_; }
  /// Transactions whose scripts were run, since the start.
  [[nodiscard]] std::uint64_t transactions_verified() const { return verified_; }
  /// All entries, in no particular order. `call` must not change the pool.
  template <class Call>
  void visit(Call call) const {
    for (const auto& [txid, entry] : entries_) call(entry);
  }
  /// All entries by ascending txid, as blocks and snapshots have them. They share what they hold.
  [[nodiscard]] std::vector<PoolEntry> ascending() const;

  /// A block became the tip: what it holds goes, and what spends the same outpoints with all that
  /// depends on it.
  void block_connected(const NetBlock& block);
  /// After a reorganisation: takes transactions of blocks that are no longer in the chain (their
  /// scripts need not run again), then drops what the new chain does not allow.
  Status reorganised(std::vector<TransactionPtr> disconnected);
  void expire();

  /// Called after each change. They must not call the pool.
  void on_added(std::function<void(const PoolEntry&)> call) { added_ = std::move(call); }
  void on_removed(std::function<void(const PoolEntry&, Removal)> call) {
    removed_ = std::move(call);
  }

  /// Replaces the file in one step. ExitCode::system.
  Status save(Fs& fs, const std::string& path) const;
  /// Admits what a file holds; none is an empty one. A torn or damaged end is left out and counted.
  /// ExitCode::system; usage for a file of another network.
  Result<PoolLoad> load(Fs& fs, const std::string& path);

 private:
  struct Candidate;
  class Batch;
  [[nodiscard]] Verdict check_standard(const NetTransaction& transaction) const;
  void examine(Candidate& candidate, const Batch* batch,
               const storage::CoinSnapshot& snapshot) const;
  Status examine_all(std::vector<Candidate>& candidates, const Batch* batch,
                     const std::function<bool(std::size_t)>& wanted);
  void run_and_take(std::vector<Candidate>& candidates);
  void take(Candidate& candidate, const std::vector<Candidate>& batch);
  /// `prepare` makes a candidate's transaction, on a worker's thread.
  Result<std::vector<Admission>> admit_candidates(std::vector<Candidate>& candidates,
                                                  const std::function<void(std::size_t)>& prepare);
  /// Who has one of them already, and then none is claimed; zeros when they are its own now.
  Hash256 claim_inputs(const NetTransaction& transaction);
  /// Its inputs are claimed. False when it is in the pool already.
  bool add(PoolEntry entry);
  /// Was in the pool or in a block, and is no longer in the pool.
  [[nodiscard]] bool was_valid(const Hash256& txid) const;
  void remember(const Hash256& txid);
  /// Takes out one entry; its children stay.
  void remove(const Hash256& txid, Removal why);
  void remove_with_descendants(const Hash256& txid, Removal why);
  [[nodiscard]] std::vector<Hash256> children(const NetTransaction& transaction) const;
  [[nodiscard]] std::uint32_t chain_of(const NetTransaction& transaction) const;
  void shorten_chains(const std::vector<Hash256>& starts);
  void evict();
  Status drop_invalid();
  [[nodiscard]] std::vector<const PoolEntry*> by_sequence() const;

  const ChainParameters parameters_;
  const storage::CoinDatabase& coins_;
  WorkPool& workers_;
  PoolLimits limits_;
  SpendContext context_;
  std::int64_t now_s_ = 0;
  // Flat: a look-up touches one line of memory, and there are four or more for each transaction.
  boost::unordered_flat_map<Hash256, PoolEntry, SaltedHasher> entries_;
  boost::unordered_flat_map<bitcoin::OutPoint, Hash256, SaltedHasher> claims_;
  std::deque<bitcoin::OutPoint> bare_claims_;  // oldest first; some have their transaction by now
  boost::unordered_flat_set<Hash256, SaltedHasher> remembered_;
  boost::unordered_flat_set<Hash256, SaltedHasher> remembered_before_;
  std::uint64_t memory_bytes_ = 0;
  std::uint64_t next_sequence_ = 0;
  std::uint64_t verified_ = 0;
  std::function<void(const PoolEntry&)> added_;
  std::function<void(const PoolEntry&, Removal)> removed_;
};

/// Bytes of memory that a transaction counts for.
std::uint64_t pool_cost_bytes(const NetTransaction& transaction);

}  // namespace twinchain::net
