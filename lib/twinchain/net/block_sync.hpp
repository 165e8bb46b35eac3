// Headers and whole blocks between nodes. Floor 6.
//
// Headers come first: they cost work to make, and say which bodies are worth having. A body is
// asked of one peer that has shown its header; who has not got it (NoBlock) or is too slow is not
// to blame, another is asked. Only a body that does not belong to its header, or that breaks a
// rule, is its sender's fault. Bodies travel in parts of 4 MiB, so that nobody waits long behind
// one, and memory is taken as they come.
#pragma once

#include <set>

#include "twinchain/net/block_parts.hpp"
#include "twinchain/net/node_context.hpp"

namespace twinchain::net {

struct BlockSyncLimits {
  std::size_t bodies_in_flight = 16;
  std::size_t bodies_a_peer = 4;
  std::int64_t stall_timeout_ms = 20'000;  ///< without a new part
  std::int64_t retry_ms = 5'000;           ///< who had no body is asked again after that
  std::size_t wanted_by_peer = 64;         ///< blocks that a peer has asked for and not yet got
};

class BlockSync {
 public:
  /// What to do when a block came whole and its verdict is known, for those who relay.
  using Connected = std::function<void(const Hash256& block, PeerId from)>;

  explicit BlockSync(NodeContext& node, const BlockSyncLimits& limits = {})
      : node_(node), limits_(limits) {}

  void greeted(const Peer& peer);
  void disconnected(PeerId peer);

  Status take(PeerId from, const GetHeaders& message);
  Status take(PeerId from, const Headers& message);
  Status take(PeerId from, const GetBlock& message);
  Status take(PeerId from, BlockPart&& message);
  void take(PeerId from, const NoBlock& message);

  /// The peer has shown that it has this header and all before it.
  void has_header(PeerId peer, const Hash256& hash);
  void ask_headers(PeerId peer);
  /// Another part of the node is getting this block; it is not asked for here while that lasts.
  void set_aside(const Hash256& block) { aside_.insert(block); }
  void no_longer_aside(const Hash256& block) { aside_.erase(block); }
  /// Asks for bodies that are missing, sends those that are wanted.
  Status tick();
  Status ask_for_bodies();
  void announce_tip(PeerId except);
  void on_block(Connected call) { connected_ = std::move(call); }

 private:
  struct Download {
    PeerId from = 0;
    std::int64_t deadline_ms = 0;
    BlockParts parts;
  };
  struct Upload {
    Hash256 block{};
    Bytes bytes;
    std::uint64_t offset = 0;
  };
  struct State {
    Hash256 best{};  ///< the best header that it has shown
    std::map<Hash256, std::int64_t> lacks_until_ms;
    std::deque<Hash256> wanted;
    std::optional<Upload> upload;
    std::size_t unconnected_headers = 0;
  };

  [[nodiscard]] bool may_have(const State& state, const HeaderNode& node) const;
  [[nodiscard]] std::size_t downloads_from(PeerId peer) const;
  Status complete(const Download& download);
  Status serve(PeerId peer, State& state);

  NodeContext& node_;
  BlockSyncLimits limits_;
  std::map<PeerId, State> peers_;
  std::map<Hash256, Download> downloads_;
  std::set<Hash256> aside_;
  Connected connected_;
};

}  // namespace twinchain::net
