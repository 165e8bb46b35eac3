// A node's view of the chain: headers, bodies, coins and pool, kept in step. Floor 6.
//
// Deterministic: what comes in which order, and the clock, decide everything; threads do not. All
// state is in what is given: the simulation and the daemons run this same code.
//
// A crash at any moment is survived: a body is durable before the coins move, the coins move with
// their tip in one step, headers are in the bodies too. What was in flight is asked for again.
#pragma once

#include <map>
#include <set>

#include "twinchain/base/clock.hpp"
#include "twinchain/net/block_store.hpp"
#include "twinchain/net/header_log.hpp"
#include "twinchain/net/mempool.hpp"

namespace twinchain::net {

/// What a chain state stands on. All must outlive it.
struct ChainParts {
  storage::CoinDatabase& coins;
  BlockStore& blocks;
  WorkPool& workers;
  Clock& clock;
  HeaderLog* header_log = nullptr;  ///< none: headers are kept in memory only
};

/// Not thread-safe.
class ChainState {
 public:
  /// `tree` has what a header log knew. Brings tree and coins together and goes to the best tip
  /// whose bodies are here. ExitCode::malformed when the coins' tip is a block nobody knows.
  static Result<std::unique_ptr<ChainState>> open(const ChainParameters& parameters,
                                                  const ChainParts& parts, HeaderTree& tree,
                                                  LocalPool& pool);

  /// A header that came alone. Errors are the node's own.
  Result<Verdict> process_header(const bitcoin::BlockHeader& header);
  /// A whole block, of any branch. Accepted: the body belongs to its header and is kept, and
  /// whatever branch is now best is the chain. A block whose turn has not come (its parent's body
  /// is missing, or its branch is not the best) is accepted and checked in full when it comes. A
  /// branch for which a body would have to be undone or done that the block store does not give now
  /// is left alone until there is a further block on it.
  /// incomplete: the parent's header is not known. refused: too early, see header_tree.hpp.
  Result<Verdict> process_block(const NetBlock& block);

  /// The newest block of the chain: checked in full, its coins are in the set.
  [[nodiscard]] const HeaderNode& tip() const { return *tip_; }
  [[nodiscard]] const HeaderTree& headers() const { return tree_; }
  [[nodiscard]] LocalPool& pool() { return pool_; }
  [[nodiscard]] const storage::CoinDatabase& coins() const { return parts_.coins; }
  /// Where the next block goes.
  [[nodiscard]] SpendContext next_context() const;
  /// Of the next block: bits, and the earliest time that the rules allow.
  [[nodiscard]] std::uint32_t next_bits() const { return tree_.next_bits(*tip_); }
  [[nodiscard]] std::uint32_t next_time_s() const;

  [[nodiscard]] bool has_body(const HeaderNode& node) const { return bodies_.contains(&node); }
  /// Blocks of the best header's branch whose bodies are missing, lowest first.
  [[nodiscard]] std::vector<const HeaderNode*> missing_bodies(std::size_t max) const;
  /// Transactions whose scripts were run because of blocks, since the start.
  [[nodiscard]] std::uint64_t transactions_verified() const { return verified_; }
  /// Blocks that were taken back by reorganisations, since the start.
  [[nodiscard]] std::uint64_t blocks_disconnected() const { return disconnected_; }

  /// Called when the tip is another, with the old and the new one, after the pool has followed.
  void on_tip(std::function<void(const HeaderNode& old_tip, const HeaderNode& new_tip)> call) {
    on_tip_ = std::move(call);
  }

 private:
  ChainState(const ChainParameters& parameters, const ChainParts& parts, HeaderTree& tree,
             LocalPool& pool);
  Status load();
  HeaderTree::Answer accept_header(const bitcoin::BlockHeader& header, Status& logged);
  void add_body(const HeaderNode& node);
  struct Disconnected {
    const HeaderNode* node;
    std::vector<TransactionPtr> transactions;
  };
  Status go_to_best();
  Result<bool> bodies_at_hand(const HeaderNode& tip, const HeaderNode& target,
                              const HeaderNode& fork);
  Status switch_to(const HeaderNode& target, const HeaderNode& fork,
                   std::vector<Disconnected>& disconnected);
  Result<Verdict> connect(const HeaderNode& node, const NetBlock& block);
  Result<NetBlock> load_block(const HeaderNode& node);
  Status give_back(std::vector<Disconnected>& disconnected);
  [[nodiscard]] SpendContext context_after(const HeaderNode& parent) const;

  const ChainParameters parameters_;
  ChainParts parts_;
  HeaderTree& tree_;
  LocalPool& pool_;
  const HeaderNode* tip_;
  std::set<const HeaderNode*> bodies_;
  struct BetterFirst {
    bool operator()(const HeaderNode* a, const HeaderNode* b) const {
      return HeaderTree::better(*a, *b);
    }
  };
  /// Nodes with bodies all the way down to the genesis block that are at least as good as the tip.
  std::set<const HeaderNode*, BetterFirst> candidates_;
  std::set<const HeaderNode*> whole_;  ///< as candidates_, and all that were
  std::multimap<const HeaderNode*, const HeaderNode*> waiting_;  ///< parent -> child with body
  /// The block that process_block() has at hand, and what came out when its turn came.
  const NetBlock* given_ = nullptr;
  const HeaderNode* given_node_ = nullptr;
  Verdict given_verdict_;
  std::uint64_t verified_ = 0;
  std::uint64_t disconnected_ = 0;
  std::function<void(const HeaderNode&, const HeaderNode&)> on_tip_;
};

}  // namespace twinchain::net
