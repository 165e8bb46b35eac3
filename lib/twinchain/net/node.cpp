#include "twinchain/net/node.hpp"

#include <algorithm>

#include "twinchain/base/hex.hpp"
#include "twinchain/base/json_writer.hpp"

namespace twinchain::net {
namespace {

/// A peer that had not said hello may do nothing but that.
constexpr std::uint16_t hello_type = 1;

const char* role_name(NodeRole role) {
  switch (role) {
    case NodeRole::user:
      return "user";
    case NodeRole::mnode:
      return "mnode";
    case NodeRole::miner:
      return "miner";
    case NodeRole::full:
      return "full";
    case NodeRole::storage:
      return "storage";
  }
  return "unknown";
}

/// Where a peer that has connected to us can be connected to, if it is where it says; no address
/// when it listens nowhere.
std::string listening_address(const Peer& peer) {
  if (!peer.hello || peer.hello->listen_port == 0) return {};
  return peer.link.address.substr(0, peer.link.address.rfind(':') + 1) +
         std::to_string(peer.hello->listen_port);
}

}  // namespace

Node::Node(const NodeOptions& options, const ChainParameters& parameters, NodeHost& host,
           Clock& clock, ChainState& chain, BlockStore& blocks, WorkPool& workers)
    : options_(options),
      node_(parameters, host, clock, chain, blocks, workers),
      addresses_(options.peers, options.addresses),
      relay_(node_, options.relay),
      sync_(node_, relay_, options.sync),
      blocks_(node_, options.blocks),
      lists_(node_, sync_, options.lists),
      skeletons_(node_, relay_, blocks_, lists_, options.skeletons),
      parameters_text_(format_parameters(parameters)),
      genesis_(genesis_hash(parameters)),
      started_ms_(node_.now_ms()) {
  node_.pool.on_added([this](const PoolEntry& entry) {
    sync_.added(entry.transaction->txid);
    lists_.pool_changed();
  });
  node_.pool.on_removed([this](const PoolEntry& entry, Removal) {
    sync_.removed(entry.transaction->txid);
    lists_.pool_changed();
  });
  node_.chain.on_tip([this](const HeaderNode& old_tip, const HeaderNode& new_tip) {
    tip_changed(old_tip, new_tip);
  });
  blocks_.on_block([this](const Hash256&, PeerId from) { blocks_.announce_tip(from); });
}

Node::~Node() {
  node_.pool.on_added({});
  node_.pool.on_removed({});
  node_.chain.on_tip({});
}

void Node::tip_changed(const HeaderNode& old_tip, const HeaderNode& new_tip) {
  const HeaderNode& fork = HeaderTree::fork(old_tip, new_tip);
  std::vector<const HeaderNode*> fresh;
  for (const HeaderNode* at = &new_tip; at != &fork; at = at->parent) fresh.push_back(at);
  new_blocks_.insert(new_blocks_.end(), fresh.rbegin(), fresh.rend());
  lists_.tip_changed();
}

/// Not from within the chain's own call.
Status Node::report_blocks() {
  const auto blocks = std::exchange(new_blocks_, {});
  if (!on_block_) return {};
  for (const HeaderNode* block : blocks) TWINCHAIN_TRY(on_block_(*block));
  return {};
}

void Node::connected(PeerId id, LinkInfo link) {
  Peer peer;
  peer.id = id;
  peer.link = std::move(link);
  peer.connected_ms = node_.now_ms();
  peer.last_heard_ms = peer.connected_ms;
  node_.peers.emplace(id, std::move(peer));
  Hello hello;
  hello.role = options_.role;
  hello.listen_port = options_.listen_port;
  hello.genesis = genesis_;
  hello.height = node_.chain.tip().height;
  hello.tip = node_.chain.tip().hash;
  hello.agent = options_.agent;
  node_.send(id, hello);
}

void Node::disconnected(PeerId id) {
  node_.peers.erase(id);
  questions_.erase(id);
  addresses_.forget_source(id);
  relay_.disconnected(id);
  sync_.disconnected(id);
  blocks_.disconnected(id);
  lists_.disconnected(id);
  skeletons_.disconnected(id);
}

Status Node::received(PeerId id, std::uint16_t type, ByteView body) {
  Peer* peer = node_.find(id);
  if (peer == nullptr) return {};
  if (!peer->hello && (type != hello_type || body.size() > max_hello_body_bytes)) {
    node_.misbehaved(id, "does not say hello first");
    return {};
  }
  auto message = parse_message(type, body);
  if (!message) {
    node_.misbehaved(id, message.error().message);
    return {};
  }
  peer->last_heard_ms = node_.now_ms();
  ++messages_[type];
  // Answered at once, and cheap to ask: not while the answers to earlier ones are not taken.
  const bool is_answered_at_once = std::holds_alternative<Ping>(*message) ||
                                   std::holds_alternative<GetPeers>(*message) ||
                                   std::holds_alternative<GetHeaders>(*message) ||
                                   std::holds_alternative<GetParameters>(*message) ||
                                   std::holds_alternative<GetStatus>(*message);
  if (is_answered_at_once && !node_.has_room(id)) return {};
  return dispatch(*peer, std::move(*message));
}

Status Node::greet(Peer& peer, const Hello& hello) {
  if (peer.hello) {
    node_.misbehaved(peer.id, "says hello twice");
    return {};
  }
  const bool stranger = hello.genesis == Hash256{} && hello.role == NodeRole::user;
  if (!stranger && hello.genesis != genesis_) {
    node_.host.disconnect(peer.id, "is of another network", false);
    return {};
  }
  if (hello.version != wire_version) {
    node_.host.disconnect(peer.id, "speaks version " + std::to_string(hello.version), false);
    return {};
  }
  peer.hello = hello;
  if (!peer.link.dialled.empty()) addresses_.succeeded(peer.link.dialled);
  blocks_.greeted(peer);
  if (peer.has_pool()) {
    sync_.greeted(peer);
    node_.send(peer.id, GetPeers{});
    if (!peer.link.outbound) addresses_.learn(listening_address(peer), peer.id);
  }
  return {};
}

void Node::answer_peers(const Peer& peer) {
  node_.send(peer.id, Peers{addresses_.some(max_wire_peers)});
}

void Node::learn(const Peer& peer, const Peers& message) {
  for (const std::string& address : message.addresses) addresses_.learn(address, peer.id);
}

/// A bucket of two seconds' questions.
bool Node::may_ask(PeerId peer, double cost) {
  const std::int64_t now_ms = node_.now_ms();
  const auto [at, is_new] = questions_.try_emplace(peer);
  Questions& bucket = at->second;
  const double most = 2 * options_.questions_a_second;
  bucket.left = is_new
                    ? most
                    : std::min(most, bucket.left + static_cast<double>(now_ms - bucket.counted_ms) /
                                                       1000 * options_.questions_a_second);
  bucket.counted_ms = now_ms;
  if (bucket.left < cost) {
    node_.host.disconnect(peer, "asks too much", false);
    return false;
  }
  bucket.left -= cost;
  return true;
}

Status Node::answer(Peer& peer, const GetCoins& question) {
  if (!may_ask(peer.id, 10)) return {};
  auto coins = find_coins(node_, question.script_pubkey);
  if (!coins) return pass(coins);
  node_.send(peer.id, *coins);
  return {};
}

Status Node::answer(Peer& peer, const FindTransaction& question) {
  if (!may_ask(peer.id)) return {};
  auto found = finder_.find(node_, question);
  if (!found) return pass(found);
  node_.send(peer.id, *found);
  return {};
}

void Node::answer(Peer& peer, const GetSnapshot& question) {
  if (may_ask(peer.id) && node_.has_room(peer.id)) lists_.take(peer.id, question);
}

void Node::answer(Peer& peer, const GetByShortId& question) {
  if (may_ask(peer.id)) sync_.take(peer.id, question);
}

Status Node::dispatch(Peer& peer, Message&& message) {
  const PeerId from = peer.id;
  // One overload a message; those that only nodes send to tools are ignored.
  struct Visitor {
    Node& self;
    Peer& peer;
    PeerId from;
    Status operator()(const Hello& m) const { return self.greet(peer, m); }
    Status operator()(const Ping& m) const {
      return self.node_.send(from, Pong{m.nonce}), Status();
    }
    Status operator()(const Pong& m) const {
      if (m.nonce == peer.ping_nonce) peer.ping_sent_ms = 0;
      return {};
    }
    Status operator()(const GetPeers&) const { return self.answer_peers(peer), Status(); }
    Status operator()(const Peers& m) const { return self.learn(peer, m), Status(); }
    Status operator()(Submit& m) const { return self.relay_.take(from, std::move(m)), Status(); }
    Status operator()(Transactions& m) const {
      return self.relay_.take(from, std::move(m)), Status();
    }
    Status operator()(const Announce& m) const { return self.relay_.take(from, m), Status(); }
    Status operator()(const GetTransactions& m) const {
      return self.relay_.take(from, m), Status();
    }
    Status operator()(const NotFound& m) const { return self.relay_.take(from, m), Status(); }
    Status operator()(const GetHeaders& m) const { return self.blocks_.take(from, m); }
    Status operator()(const Headers& m) const { return self.blocks_.take(from, m); }
    Status operator()(const GetBlock& m) const {
      return self.asked_about_block(), self.blocks_.take(from, m);
    }
    Status operator()(BlockPart& m) const { return self.blocks_.take(from, std::move(m)); }
    Status operator()(const NoBlock& m) const {
      self.blocks_.take(from, m);
      return self.skeletons_.take(from, m);
    }
    Status operator()(Skeleton& m) const { return self.skeletons_.take(from, std::move(m)); }
    Status operator()(const SymbolRequest& m) const {
      return self.asked_about_block(), self.skeletons_.take(from, m);
    }
    Status operator()(const Symbols& m) const { return self.skeletons_.take(from, m); }
    Status operator()(const GetShortIds& m) const {
      return self.asked_about_block(), self.skeletons_.take(from, m);
    }
    Status operator()(const ShortIdList& m) const { return self.skeletons_.take(from, m); }
    Status operator()(const TransactionRequest& m) const {
      return self.asked_about_block(), self.skeletons_.take(from, m);
    }
    Status operator()(BlockTransactions& m) const {
      return self.skeletons_.take(from, std::move(m));
    }
    Status operator()(const GetSketch& m) const { return self.sync_.take(from, m), Status(); }
    Status operator()(const Sketch& m) const { return self.sync_.take(from, m), Status(); }
    Status operator()(const GetByShortId& m) const { return self.answer(peer, m), Status(); }
    Status operator()(const GetSnapshot& m) const { return self.answer(peer, m), Status(); }
    Status operator()(const GetParameters&) const {
      return self.node_.send(from, ParametersText{self.parameters_text_}), Status();
    }
    Status operator()(const GetStatus&) const {
      if (self.may_ask(from)) self.node_.send(from, StatusText{self.status_json()});
      return {};
    }
    Status operator()(const GetCoins& m) const { return self.answer(peer, m); }
    Status operator()(const FindTransaction& m) const { return self.answer(peer, m); }
    Status operator()(const Verdicts&) const { return {}; }
    Status operator()(const BlockStored&) const { return {}; }
    Status operator()(const SnapshotPart&) const { return {}; }
    Status operator()(const SnapshotDelta&) const { return {}; }
    Status operator()(const ParametersText&) const { return {}; }
    Status operator()(const StatusText&) const { return {}; }
    Status operator()(const Coins&) const { return {}; }
    Status operator()(const FoundTransaction&) const { return {}; }
  };
  return std::visit(Visitor{*this, peer, from}, message);
}

Status Node::flush() {
  TWINCHAIN_TRY(relay_.flush());
  return report_blocks();
}

void Node::ping(Peer& peer, std::int64_t now_ms) {
  if (!peer.hello) {
    if (peer.connected_ms + options_.hello_timeout_ms <= now_ms) {
      node_.host.disconnect(peer.id, "does not say hello", false);
    }
    return;
  }
  if (peer.ping_sent_ms != 0) {
    if (peer.ping_sent_ms + options_.ping_timeout_ms <= now_ms &&
        peer.last_heard_ms + options_.ping_timeout_ms <= now_ms) {
      node_.host.disconnect(peer.id, "does not answer", false);
    }
    return;
  }
  if (peer.last_heard_ms + options_.ping_interval_ms > now_ms) return;
  peer.ping_nonce = node_.host.random();
  peer.ping_sent_ms = now_ms;
  node_.send(peer.id, Ping{peer.ping_nonce});
}

void Node::keep_links(std::int64_t now_ms) {
  std::set<std::string> connected;
  std::set<std::string> linked;
  for (auto& [id, peer] : node_.peers) {
    if (!peer.link.dialled.empty()) connected.insert(peer.link.dialled);
    if (!peer.link.outbound) linked.insert(listening_address(peer));
    ping(peer, now_ms);
  }
  for (const std::string& address : addresses_.due(now_ms, connected, linked)) {
    node_.host.connect(address);
  }
}

Status Node::take_skeleton(Skeleton skeleton) {
  if (waiting_skeletons_.size() >= options_.max_waiting_skeletons) {
    return fail(ExitCode::peer, "too many skeletons wait for the blocks before them");
  }
  waiting_skeletons_.push_back({std::move(skeleton), node_.now_ms() + options_.skeleton_wait_ms});
  return take_waiting_skeletons();
}

/// Those whose turn has come; each may be what the next one waits for.
Status Node::take_waiting_skeletons() {
  auto waiting = std::exchange(waiting_skeletons_, {});
  for (WaitingSkeleton& one : waiting) {
    const HeaderNode* parent = node_.chain.headers().find(one.skeleton.header.previous);
    if (parent != nullptr && node_.chain.has_body(*parent)) {
      TWINCHAIN_TRY(skeletons_.take(0, std::move(one.skeleton)));
    } else if (one.until_ms > node_.now_ms()) {
      waiting_skeletons_.push_back(std::move(one));
    }
  }
  return {};
}

Status Node::tick() {
  const std::int64_t now_ms = node_.now_ms();
  node_.pool.set_time(node_.clock.wall_ns() / 1'000'000'000);
  keep_links(now_ms);
  relay_.tick();
  TWINCHAIN_TRY(relay_.flush());
  sync_.tick();
  TWINCHAIN_TRY(blocks_.tick());
  TWINCHAIN_TRY(skeletons_.tick());
  lists_.tick();
  TWINCHAIN_TRY(take_waiting_skeletons());
  return report_blocks();
}

std::string Node::status_json() const {
  JsonWriter json;
  const HeaderNode& tip = node_.chain.tip();
  json.begin_object().member("format", "twinchain node status 1");
  json.member("network", node_.parameters.name).member("genesis", to_hex_reversed(genesis_));
  json.member("role", role_name(options_.role)).member("agent", options_.agent);
  json.member("uptime_s", (node_.now_ms() - started_ms_) / 1000);
  json.key("tip").begin_object();
  json.member("height", tip.height).member("hash", to_hex_reversed(tip.hash));
  json.member("time", std::uint64_t{tip.header.time_s}).end_object();
  json.member("best_header_height", node_.chain.headers().best().height);
  json.key("pool").begin_object();
  json.member("transactions", std::uint64_t{node_.pool.size()});
  json.member("memory_bytes", node_.pool.memory_bytes());
  json.member("orphans", std::uint64_t{relay_.orphan_count()}).end_object();
  json.key("transactions").begin_object();
  json.member("accepted", relay_.accepted()).member("refused", relay_.refused());
  json.member("scripts_verified", node_.pool.transactions_verified());
  json.member("scripts_verified_in_blocks", node_.chain.transactions_verified()).end_object();
  json.key("sync").begin_object();
  json.member("sessions", sync_.sessions_completed());
  json.member("sessions_failed", sync_.sessions_failed());
  json.member("differences", sync_.differences_found());
  json.member("symbols", sync_.symbols_received()).end_object();
  json.key("blocks").begin_object();
  json.member("assembled", skeletons_.assembled())
      .member("skeletons_given_up", skeletons_.given_up());
  json.member("skeleton_symbols", skeletons_.symbols_received());
  json.member("transactions_fetched", skeletons_.transactions_fetched());
  json.member("disconnected", node_.chain.blocks_disconnected()).end_object();
  json.member("list", lists_.newest_id()).member("dropped_liars", node_.dropped_liars);
  json.key("peers").begin_array();
  for (const auto& [id, peer] : node_.peers) {
    json.begin_object().member("address", peer.link.address);
    json.member("outbound", peer.link.outbound).member("node_key", to_hex(peer.link.node_key));
    if (peer.hello) {
      json.member("role", role_name(peer.hello->role)).member("agent", peer.hello->agent);
      json.member("height_at_hello", peer.hello->height);
    }
    json.end_object();
  }
  json.end_array().end_object();
  return json.text() + "\n";
}

std::string Node::metrics() const {
  std::string text;
  const auto metric = [&](const char* name, const char* type, const char* help,
                          std::uint64_t value) {
    text += std::string("# HELP twinchain_") + name + " " + help + "\n# TYPE twinchain_" + name +
            " " + type + "\ntwinchain_" + name + " " + std::to_string(value) + "\n";
  };
  metric("tip_height", "gauge", "Height of the newest block.", node_.chain.tip().height);
  metric("best_header_height", "gauge", "Height of the best header.",
         node_.chain.headers().best().height);
  metric("pool_transactions", "gauge", "Transactions in the memory pool.", node_.pool.size());
  metric("pool_memory_bytes", "gauge", "Memory that they count for.", node_.pool.memory_bytes());
  metric("orphans", "gauge", "Transactions that wait for a parent.", relay_.orphan_count());
  metric("peers", "gauge", "Links.", node_.peers.size());
  metric("transactions_accepted_total", "counter", "Transactions taken into the pool.",
         relay_.accepted());
  metric("transactions_refused_total", "counter", "Transactions refused.", relay_.refused());
  metric("scripts_verified_total", "counter", "Transactions whose scripts were run.",
         node_.pool.transactions_verified());
  metric("sync_sessions_total", "counter", "Pool comparisons completed.",
         sync_.sessions_completed());
  metric("sync_sessions_failed_total", "counter", "Pool comparisons given up.",
         sync_.sessions_failed());
  metric("sync_differences_total", "counter", "Transactions in which pools differed.",
         sync_.differences_found());
  metric("blocks_assembled_total", "counter", "Blocks put together from skeletons.",
         skeletons_.assembled());
  metric("skeletons_given_up_total", "counter", "Skeletons whose block was fetched whole.",
         skeletons_.given_up());
  metric("blocks_disconnected_total", "counter", "Blocks taken back by reorganisations.",
         node_.chain.blocks_disconnected());
  metric("dropped_liars_total", "counter", "Peers dropped for breaking rules.",
         node_.dropped_liars);
  text +=
      "# HELP twinchain_messages_received_total Messages by type.\n"
      "# TYPE twinchain_messages_received_total counter\n";
  for (const auto& [type, count] : messages_) {
    text += "twinchain_messages_received_total{type=\"" + message_name(type) + "\"} " +
            std::to_string(count) + "\n";
  }
  return text;
}

}  // namespace twinchain::net
