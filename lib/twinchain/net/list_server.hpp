// Numbered lists of valid transactions for miners [0091]. Floor 6.
//
// A list is made when somebody wants one that is newer than the last: at once when the tip is
// another, otherwise at most once an interval and only when the pool has changed. The newest lists
// are kept with their transactions, because skeletons name them.
//
// A list says in how many transactions the pools of others will probably differ from it when they
// get a block of it: as many as half of the peers' pools differed from this one when they were last
// compared, and as many as come in while a list is the newest one. Miners size skeletons by that.
#pragma once

#include "twinchain/net/pool_sync.hpp"

namespace twinchain::net {

struct ListLimits {
  std::int64_t interval_ms = 1'000;
  std::size_t kept = 8;
  std::uint64_t coinbase_bytes = 2'000;  ///< left free in the block
  std::size_t max_waiting = 1'000;
};

class ListServer {
 public:
  /// `sync` must outlive it.
  ListServer(NodeContext& node, const PoolSync& sync, const ListLimits& limits = {})
      : node_(node),
        sync_(sync),
        limits_(limits),
        first_id_(static_cast<std::uint64_t>(node.clock.wall_ns() / 1'000'000)) {}

  void pool_changed() { changed_ = true; }
  void tip_changed();
  void take(PeerId from, const GetSnapshot& message);
  void disconnected(PeerId peer) { waiting_.erase(peer); }
  void tick();

  /// A list of another node, which a skeleton out of a pipe names.
  void add_foreign(Snapshot snapshot);

  struct List {
    Snapshot snapshot;
    std::unordered_map<Hash256, TransactionPtr, HashHasher> transactions;
  };
  /// Nullptr when it is not (any more) here.
  [[nodiscard]] const List* find(std::uint64_t id, const Hash256& root) const;
  [[nodiscard]] std::uint64_t newest_id() const {
    return lists_.empty() ? 0 : lists_.back().snapshot.info.id;
  }

 private:
  [[nodiscard]] bool is_due() const;
  void make();
  void answer(PeerId peer, std::uint64_t known_id);
  [[nodiscard]] std::uint32_t expected_difference(std::uint64_t arrived) const;

  NodeContext& node_;
  const PoolSync& sync_;
  ListLimits limits_;
  std::deque<List> lists_;
  std::deque<List> foreign_;                 ///< without transactions
  std::map<PeerId, std::uint64_t> waiting_;  ///< peer -> the list it has
  std::uint64_t first_id_;
  bool changed_ = true;
  bool tip_is_new_ = true;
  std::int64_t made_ms_ = 0;
  std::uint64_t seen_sequence_ = 0;  ///< of the pool, when the last list was made
};

}  // namespace twinchain::net
