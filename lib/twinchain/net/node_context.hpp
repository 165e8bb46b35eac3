// What the parts of a node share: its chain, its links, its clock. Floor 6.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "twinchain/net/chain_state.hpp"
#include "twinchain/net/node_host.hpp"
#include "twinchain/net/wire.hpp"

namespace twinchain::net {

struct Peer {
  PeerId id = 0;
  LinkInfo link;
  std::optional<Hello> hello;  ///< none yet: nothing else is taken from it
  std::int64_t connected_ms = 0;
  std::int64_t last_heard_ms = 0;
  std::int64_t ping_sent_ms = 0;  ///< 0: none is unanswered
  std::uint64_t ping_nonce = 0;

  /// Whether it keeps a memory pool: transactions are announced to it, pools are compared.
  [[nodiscard]] bool has_pool() const {
    return hello && (hello->role == NodeRole::mnode || hello->role == NodeRole::full);
  }
  /// Whether it is told of new blocks.
  [[nodiscard]] bool follows_chain() const {
    return has_pool() || (hello && hello->role == NodeRole::storage);
  }
};

/// Belongs to the node; one thread at a time.
class NodeContext {
 public:
  NodeContext(const ChainParameters& rules, NodeHost& node_host, Clock& node_clock,
              ChainState& chain_state, BlockStore& block_store, WorkPool& work_pool)
      : parameters(rules),
        host(node_host),
        clock(node_clock),
        chain(chain_state),
        pool(chain_state.pool()),
        blocks(block_store),
        workers(work_pool) {}

  [[nodiscard]] std::int64_t now_ms() const {
    return static_cast<std::int64_t>(clock.monotonic_ns() / 1'000'000);
  }
  [[nodiscard]] Peer* find(PeerId id) {
    const auto found = peers.find(id);
    return found == peers.end() ? nullptr : &found->second;
  }
  void send(PeerId id, const Message& message) {
    host.send(id, std::make_shared<const Bytes>(encode_message(parameters.magic, message)));
  }
  /// The peer broke a rule that no honest node breaks.
  void misbehaved(PeerId id, const std::string& reason) {
    ++dropped_liars;
    host.disconnect(id, reason, true);
  }
  /// For an answer that may be large: false while the peer has not taken what it asked for before.
  [[nodiscard]] bool has_room(PeerId id) { return host.queued_bytes(id) < max_queued_bytes; }

  static constexpr std::uint64_t max_queued_bytes = std::uint64_t{8} << 20;

  const ChainParameters parameters;
  NodeHost& host;
  Clock& clock;
  ChainState& chain;
  LocalPool& pool;
  BlockStore& blocks;
  WorkPool& workers;
  std::map<PeerId, Peer> peers;
  std::uint64_t dropped_liars = 0;
};

}  // namespace twinchain::net
