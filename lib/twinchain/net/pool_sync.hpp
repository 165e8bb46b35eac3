// Keeps memory pools equal by rateless IBLTs [0092]. Floor 6.
//
// Now and then a node asks a peer for the first symbols of the peer's pool and takes its own from
// them. What is left decodes to the transactions that only one of both has: those it lacks it asks
// for, those the peer lacks it offers. Short ids are 8 bytes, keyed by the link's secret, so that
// nobody who makes transactions can choose ids that cancel each other.
//
// The first symbols of each link are kept up to date as transactions come and go, in O(log n) each;
// a difference that is too large for them begins a new session with more symbols, of the set as it
// is then, extended as sizing.hpp says. One session a link at a time, each way.
#pragma once

#include <memory>
#include <optional>

#include "twinchain/iblt/decoder.hpp"
#include "twinchain/iblt/encoder.hpp"
#include "twinchain/net/transaction_relay.hpp"

namespace twinchain::net {

struct SyncLimits {
  std::uint32_t kept_symbols = 128;
  std::int64_t interval_ms = 2'000;
  std::int64_t timeout_ms = 10'000;
  /// A large session of a peer is begun at most so often.
  std::int64_t large_session_interval_ms = 1'000;
  std::uint32_t max_symbols_in_answer = 1 << 16;
  std::uint32_t max_symbols = 1 << 20;
  std::size_t max_links = 128;  ///< links with symbols kept up to date; no more are synchronised
};

class PoolSync {
 public:
  PoolSync(NodeContext& node, TransactionRelay& relay, const SyncLimits& limits = {})
      : node_(node), relay_(relay), limits_(limits) {}

  /// A peer with a pool has said hello.
  void greeted(const Peer& peer);
  void disconnected(PeerId peer) { links_.erase(peer); }
  void added(const Hash256& txid);
  void removed(const Hash256& txid);

  void take(PeerId from, const GetSketch& message);
  void take(PeerId from, const Sketch& message);
  void take(PeerId from, const GetByShortId& message);
  void tick();

  /// In how many transactions half of the peers' pools differed from this one or in fewer, when
  /// they were last compared; 0 when none has been.
  [[nodiscard]] std::size_t median_difference() const;
  [[nodiscard]] std::uint64_t sessions_completed() const { return completed_; }
  [[nodiscard]] std::uint64_t sessions_failed() const { return failed_; }
  [[nodiscard]] std::uint64_t differences_found() const { return differences_; }
  [[nodiscard]] std::uint64_t symbols_received() const { return symbols_; }

 private:
  /// The pool as it was when a session with many symbols began, one encoder a layer.
  struct Frozen {
    SipKey key;
    std::vector<iblt::Item<1>> items;
    std::vector<std::unique_ptr<iblt::Encoder<1>>> layers;
    std::span<const iblt::Symbol<1>> symbols(std::uint32_t layer, std::uint32_t first,
                                             std::uint32_t count);
  };
  struct Link {
    Link(const SipKey& link_key, std::uint32_t kept) : key(link_key), sketch(link_key, kept) {}
    SipKey key;
    iblt::Sketch<1> sketch;
    // What we have asked for.
    std::uint32_t session = 0;
    bool asking = false;
    std::int64_t deadline_ms = 0;
    std::int64_t next_ms = 0;
    GetSketch asked;
    std::uint32_t first_count = 0;  ///< of the next session; 0: the kept symbols
    std::unique_ptr<Frozen> ours;
    std::unique_ptr<iblt::Decoder<1>> decoder;
    std::optional<std::size_t> difference;  ///< that the last session found
    // What we are asked for.
    std::uint32_t their_session = 0;
    std::int64_t theirs_since_ms = 0;
    std::unique_ptr<Frozen> theirs;
  };

  [[nodiscard]] std::unique_ptr<Frozen> freeze(const SipKey& key) const;
  void begin(PeerId peer, Link& link);
  void ask(PeerId peer, Link& link, std::uint32_t layer, std::uint32_t first, std::uint32_t count);
  void finish(PeerId peer, Link& link);
  void give_up(Link& link);
  void go_on(PeerId peer, Link& link);

  NodeContext& node_;
  TransactionRelay& relay_;
  SyncLimits limits_;
  std::map<PeerId, Link> links_;
  std::uint64_t completed_ = 0;
  std::uint64_t failed_ = 0;
  std::uint64_t differences_ = 0;
  std::uint64_t symbols_ = 0;
};

}  // namespace twinchain::net
