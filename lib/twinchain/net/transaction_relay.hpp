// Transactions between a node, its users and its peers. Floor 6.
//
// What comes is collected and checked in batches, on all processors. What was accepted is announced
// by its txid to peers with a pool, who ask for what they do not know. A transaction whose parent
// is missing waits here for a while, and the parent is asked for. Nobody can make a node keep more
// than the limits below; what does not fit is forgotten, and found again by comparing pools
// (pool_sync.hpp).
#pragma once

#include <deque>
#include <list>
#include <unordered_map>

#include "twinchain/net/node_context.hpp"
#include "twinchain/net/salted_hasher.hpp"

namespace twinchain::net {

struct RelayLimits {
  std::size_t orphan_count = 10'000;
  std::uint64_t orphan_bytes = std::uint64_t{64} << 20;
  std::int64_t orphan_age_ms = 60'000;
  std::size_t requested_count = 200'000;     ///< transactions asked for and not yet come
  std::int64_t request_timeout_ms = 10'000;  ///< then another peer that announced it is asked
  std::size_t wanted_by_peer = 200'000;      ///< txids that a peer has asked for and not yet got
};

class TransactionRelay {
 public:
  explicit TransactionRelay(NodeContext& node, const RelayLimits& limits = {})
      : node_(node), limits_(limits), hasher_{{node.host.random(), node.host.random()}} {}

  void take(PeerId from, Submit&& message);
  void take(PeerId from, Transactions&& message);
  void take(PeerId from, const Announce& message);
  void take(PeerId from, const GetTransactions& message);
  void take(PeerId from, const NotFound& message);
  /// Sends transactions of the pool when the peer has room for them.
  void offer(PeerId to, const std::vector<Hash256>& txids);
  /// Asks peers with a pool for these, one after the other.
  void fetch(const std::vector<Hash256>& txids);
  void disconnected(PeerId peer);

  /// Checks all that has come since. Errors are the node's own.
  Status flush();
  /// Asks again, forgets what is old, goes on with what peers want.
  void tick();

  /// Bytes of transactions that have come and wait for flush().
  [[nodiscard]] std::uint64_t waiting_bytes() const { return waiting_bytes_; }
  [[nodiscard]] std::size_t orphan_count() const { return orphans_.size(); }
  [[nodiscard]] std::uint64_t accepted() const { return accepted_; }
  [[nodiscard]] std::uint64_t refused() const { return refused_; }

 private:
  struct Waiting {
    PeerId from = 0;
    bool from_user = false;
    Bytes raw;
  };
  struct Orphan {
    PeerId from = 0;
    Bytes raw;
    std::vector<Hash256> missing;
    std::int64_t since_ms = 0;
  };
  struct Request {
    PeerId asked = 0;
    std::int64_t deadline_ms = 0;
    std::vector<PeerId> others;  ///< who announced it, too
  };

  Status check(std::vector<Waiting> batch);
  void keep_orphan(Waiting&& waiting, const Hash256& txid);
  void drop_orphan(const Hash256& txid);
  void wake_orphans(const Hash256& parent);
  void announce(const std::vector<std::pair<Hash256, PeerId>>& accepted);
  void ask(PeerId peer, const std::vector<Hash256>& txids);
  void ask_another(const Hash256& txid, Request& request);
  void serve(PeerId peer, std::deque<Hash256>& wanted);
  [[nodiscard]] bool is_known(const Hash256& txid) const;

  NodeContext& node_;
  RelayLimits limits_;
  std::vector<Waiting> waiting_;
  std::uint64_t waiting_bytes_ = 0;
  const SaltedHasher hasher_;
  std::unordered_map<Hash256, Orphan, SaltedHasher> orphans_{0, hasher_};
  std::deque<Hash256> orphan_order_;  ///< oldest first; some are gone
  /// parent -> orphan
  std::unordered_multimap<Hash256, Hash256, SaltedHasher> orphans_of_{0, hasher_};
  std::uint64_t orphan_bytes_ = 0;
  std::unordered_map<Hash256, Request, SaltedHasher> requests_{0, hasher_};
  std::map<PeerId, std::deque<Hash256>> wanted_;
  std::uint64_t accepted_ = 0;
  std::uint64_t refused_ = 0;
};

}  // namespace twinchain::net
