// A node of the network: M-node, full node. Floor 6. [0090]-[0098]
//
// The state machine without sockets, threads or clocks of its own: what comes in which order, what
// the clock says and what the host's random numbers are decides everything. The daemons run it over
// TLS links (node_server.hpp), the simulation over queues in virtual time.
//
// Each part does one job: transaction_relay.hpp (transactions in and out), pool_sync.hpp (IBLT),
// block_sync.hpp (headers, whole blocks), skeleton_exchange.hpp (blocks as skeletons),
// list_server.hpp (lists for miners), node_queries.hpp (questions of tools), address_book.hpp (whom
// to connect to). The node greets peers, hands messages to the parts, and drops who breaks rules.
#pragma once

#include <functional>

#include "twinchain/net/address_book.hpp"
#include "twinchain/net/list_server.hpp"
#include "twinchain/net/node_queries.hpp"
#include "twinchain/net/pool_sync.hpp"
#include "twinchain/net/skeleton_exchange.hpp"

namespace twinchain::net {

struct NodeOptions {
  NodeRole role = NodeRole::mnode;
  std::uint16_t listen_port = 0;
  std::string agent = "twinchain/" TWINCHAIN_VERSION;
  std::vector<std::string> peers;  ///< always kept connected
  AddressLimits addresses;
  RelayLimits relay;
  SyncLimits sync;
  BlockSyncLimits blocks;
  SkeletonLimits skeletons;
  ListLimits lists;
  std::int64_t hello_timeout_ms = 10'000;
  std::int64_t ping_interval_ms = 30'000;
  std::int64_t ping_timeout_ms = 60'000;
  /// Questions of one peer that make work (where a transaction is, lists, transactions by short
  /// id); one for coins, which goes through all of them, counts as ten.
  double questions_a_second = 50;
  /// A skeleton out of a pipe waits so long for the block before it.
  std::int64_t skeleton_wait_ms = 60'000;
  std::size_t max_waiting_skeletons = 1'000;
};

class Node {
 public:
  /// All that is given must outlive it. Sets the callbacks of pool and chain.
  Node(const NodeOptions& options, const ChainParameters& parameters, NodeHost& host, Clock& clock,
       ChainState& chain, BlockStore& blocks, WorkPool& workers);
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  // What the host tells. Errors are the node's own (its disk): it cannot go on.
  void connected(PeerId peer, LinkInfo link);
  void disconnected(PeerId peer);
  /// One message; `type` and the body's size have passed parse_wire_header().
  Status received(PeerId peer, std::uint16_t type, ByteView body);
  /// After one or more messages: what was collected is checked together.
  Status flush();
  /// Some 20 times a second.
  Status tick();

  /// JSON, see mnode(1).
  [[nodiscard]] std::string status_json() const;
  /// Text in Prometheus' format.
  [[nodiscard]] std::string metrics() const;

  /// A block is part of the chain, in order; after a reorganisation the new branch's come again.
  /// For those who hand blocks on.
  void on_block(std::function<Status(const HeaderNode& block)> call) {
    on_block_ = std::move(call);
  }

  [[nodiscard]] ChainState& chain() { return node_.chain; }
  [[nodiscard]] LocalPool& pool() { return node_.pool; }
  [[nodiscard]] const TransactionRelay& relay() const { return relay_; }
  [[nodiscard]] const PoolSync& sync() const { return sync_; }
  [[nodiscard]] const SkeletonExchange& skeletons() const { return skeletons_; }
  [[nodiscard]] std::size_t peer_count() const { return node_.peers.size(); }
  [[nodiscard]] std::uint64_t dropped_liars() const { return node_.dropped_liars; }
  /// A list that a skeleton out of a pipe may name.
  void take_list(Snapshot list) { lists_.add_foreign(std::move(list)); }
  /// Takes a skeleton that did not come over a link (a pipe's).
  /// It waits here until the block before its own has come.
  Status take_skeleton(Skeleton skeleton);
  /// When a peer last asked about a block; 0: never.
  [[nodiscard]] std::int64_t last_block_question_ms() const { return last_block_question_ms_; }
  /// Skeletons of a pipe that wait, or whose transactions are being fetched.
  [[nodiscard]] std::size_t skeletons_waiting() const {
    return waiting_skeletons_.size() + skeletons_.in_progress();
  }

 private:
  struct Questions {
    double left = 0;
    std::int64_t counted_ms = 0;
  };
  Status greet(Peer& peer, const Hello& hello);
  Status dispatch(Peer& peer, Message&& message);
  Status answer(Peer& peer, const GetCoins& question);
  Status answer(Peer& peer, const FindTransaction& question);
  void answer_peers(const Peer& peer);
  void asked_about_block() { last_block_question_ms_ = node_.now_ms(); }
  void learn(const Peer& peer, const Peers& message);
  bool may_ask(PeerId peer, double cost = 1);
  void answer(Peer& peer, const GetSnapshot& question);
  void answer(Peer& peer, const GetByShortId& question);
  void keep_links(std::int64_t now_ms);
  void ping(Peer& peer, std::int64_t now_ms);
  void tip_changed(const HeaderNode& old_tip, const HeaderNode& new_tip);
  Status report_blocks();
  Status take_waiting_skeletons();

  NodeOptions options_;
  NodeContext node_;
  AddressBook addresses_;
  TransactionRelay relay_;
  PoolSync sync_;
  BlockSync blocks_;
  ListServer lists_;
  SkeletonExchange skeletons_;
  TransactionFinder finder_;
  std::string parameters_text_;
  Hash256 genesis_{};
  std::map<PeerId, Questions> questions_;
  std::map<std::uint16_t, std::uint64_t> messages_;  ///< by type, since the start
  std::function<Status(const HeaderNode&)> on_block_;
  std::vector<const HeaderNode*> new_blocks_;  ///< to be reported
  struct WaitingSkeleton {
    Skeleton skeleton;
    std::int64_t until_ms = 0;
  };
  std::vector<WaitingSkeleton> waiting_skeletons_;
  std::int64_t last_block_question_ms_ = 0;
  std::int64_t started_ms_ = 0;
};

}  // namespace twinchain::net
