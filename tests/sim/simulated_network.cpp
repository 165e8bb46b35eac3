#include "sim/simulated_network.hpp"

#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "twinchain/base/hex.hpp"
#include "twinchain/bitcoin/script.hpp"
#include "twinchain/bitcoin/sighash.hpp"
#include "twinchain/crypto/sha256.hpp"

namespace twinchain::sim {
namespace {

constexpr std::int64_t tick_us = 50'000;
/// Bytes a second of a link: 1 MB takes 10 ms.
constexpr std::int64_t bytes_per_us = 100;
constexpr std::int64_t fee_sat = 10'000;

Hash256 hash_of(std::uint64_t value) {
  std::array<std::uint8_t, 8> bytes{};
  store_le(bytes.data(), value);
  return sha256({ByteView(bytes)});
}

}  // namespace

void broken(std::uint64_t seed, const std::string& what) {
  std::fprintf(stderr, "simulation: error: seed %llu: %s\n", static_cast<unsigned long long>(seed),
               what.c_str());
  std::exit(1);
}

const EcdsaSecretKey& simulation_key() {
  static const EcdsaSecretKey key = [] {
    std::array<std::uint8_t, 32> secret{};
    secret[31] = 7;
    return *EcdsaSecretKey::from_bytes(secret);
  }();
  return key;
}

Bytes simulation_script() {
  return net::pay_to_key_hash_script(simulation_key().public_key());
}

net::ChainParameters simulation_parameters(std::size_t coins) {
  net::ChainParameters parameters;
  parameters.name = "simulation";
  parameters.magic = 0x4d495354;
  parameters.coinbase_maturity = 5;
  parameters.genesis_time_s = 1'767'225'600;
  parameters.fundings.assign(coins, {100'000'000, simulation_script()});
  net::mine_genesis(parameters, [] { return false; });
  return parameters;
}

// A node with what it stands on.
struct World::SimulatedNode final : public net::NodeHost {
  SimulatedNode(World& the_world, std::size_t the_index) : world(the_world), index(the_index) {}

  void send(PeerId peer, std::shared_ptr<const Bytes> message) override {
    const auto found = links.find(peer);
    if (found == links.end()) return;
    const Link& link = world.links_.at(found->second);
    const std::size_t end = link.ends[0].node == index && link.ends[0].peer == peer ? 0 : 1;
    world.transmit(found->second, end, std::move(message));
  }
  std::uint64_t queued_bytes(PeerId peer) override {
    const auto found = links.find(peer);
    if (found == links.end()) return 0;
    const Link& link = world.links_.at(found->second);
    return link.queued[link.ends[0].node == index && link.ends[0].peer == peer ? 0 : 1];
  }
  void disconnect(PeerId peer, const std::string& reason, bool misbehaved) override {
    const auto found = links.find(peer);
    if (found == links.end()) return;
    const std::uint64_t id = found->second;
    if (misbehaved && !world.is_liar(id)) world.unfair_ = reason;
    // The node hears of it later, as with sockets.
    world.at(1, [this, id] { world.drop_link(id); });
  }
  void connect(const std::string& address) override { world.dial(index, address); }
  std::uint64_t random() override { return world.random(); }

  World& world;
  std::size_t index;
  std::uint64_t life = 0;
  MemoryFs fs;
  std::unique_ptr<net::NodeStorage> storage;
  std::unique_ptr<net::Node> node;
  std::map<PeerId, std::uint64_t> links;
  std::vector<std::string> peers;
};

World::World(const net::ChainParameters& parameters, const WorldOptions& options)
    : clock(std::int64_t{parameters.genesis_time_s} * 1'000'000'000),
      parameters_(parameters),
      options_(options),
      random_(options.seed) {
  std::string pattern = (std::filesystem::temp_directory_path() / "twinchain-sim-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) broken(options_.seed, "no temporary folder");
  folder_ = pattern;
  for (std::size_t i = 0; i < options_.nodes; ++i) {
    nodes_.push_back(std::make_unique<SimulatedNode>(*this, i));
    // A ring, so that all are joined, and some chords.
    std::set<std::size_t> others = {(i + 1) % options_.nodes};
    while (others.size() < std::min(options_.links_a_node, options_.nodes - 1)) {
      const std::size_t other = below(options_.nodes);
      if (other != i) others.insert(other);
    }
    for (const std::size_t other : others) {
      if (other != i) nodes_[i]->peers.push_back(address_of(other));
    }
  }
  for (std::size_t i = 0; i < options_.nodes; ++i) start(i);
}

World::~World() {
  events_ = {};
  for (auto& one : nodes_) {
    one->node.reset();
    one->storage.reset();
  }
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

bool World::is_up(std::size_t node) const {
  return nodes_[node]->node != nullptr;
}

net::Node& World::node(std::size_t index) {
  return *nodes_[index]->node;
}

net::NodeStorage& World::storage(std::size_t index) {
  return *nodes_[index]->storage;
}

void World::at(std::int64_t delay_us, std::function<void()> call) {
  events_.push({clock.now_us + delay_us, next_order_++, std::move(call)});
}

void World::run_for(std::int64_t duration_us) {
  const std::int64_t end_us = clock.now_us + duration_us;
  while (!events_.empty() && events_.top().time_us <= end_us) {
    Event event = events_.top();
    events_.pop();
    clock.now_us = event.time_us;
    event.call();
  }
  clock.now_us = end_us;
}

void World::start(std::size_t index) {
  SimulatedNode& one = *nodes_[index];
  const std::string coins_folder = folder_ + "/coins-" + std::to_string(index);
  std::filesystem::create_directories(coins_folder);
  net::NodeStorageOptions storage_options;
  storage_options.coins = {.map_bytes = std::uint64_t{1} << 30, .durable = false};
  storage_options.coins_folder = coins_folder;
  storage_options.pool.table_key = {random(), random()};
  auto storage = net::NodeStorage::open(one.fs, "node", parameters_, workers_, clock,
                                        storage_options, [](const std::string&) {});
  if (!storage) broken(options_.seed, "a node does not open: " + storage.error().message);
  one.storage = std::move(*storage);
  net::NodeOptions options;
  options.role = index % 2 == 0 ? net::NodeRole::mnode : net::NodeRole::full;
  options.listen_port = static_cast<std::uint16_t>(7'000 + index);
  options.peers = one.peers;
  options.sync = options_.sync;
  one.node = std::make_unique<net::Node>(options, parameters_, one, clock, one.storage->chain(),
                                         one.storage->blocks(), workers_);
  const std::uint64_t life = ++one.life;
  at(static_cast<std::int64_t>(below(tick_us)), [this, index, life] { tick(index, life); });
}

void World::tick(std::size_t index, std::uint64_t life) {
  SimulatedNode& one = *nodes_[index];
  if (one.life != life || one.node == nullptr) return;
  const Status done = one.node->tick();
  if (!done) broken(options_.seed, "tick: " + done.error().message);
  at(tick_us, [this, index, life] { tick(index, life); });
}

void World::crash(std::size_t index) {
  SimulatedNode& one = *nodes_[index];
  std::vector<std::uint64_t> links;
  for (const auto& [peer, link] : one.links) links.push_back(link);
  one.node.reset();
  one.storage.reset();
  ++one.life;
  one.fs.kill_processes();
  one.links.clear();
  for (const std::uint64_t link : links) drop_link(link);
}

void World::partition(const std::vector<int>& groups) {
  groups_ = groups;
  std::vector<std::uint64_t> cut;
  for (const auto& [id, link] : links_) {
    if (link.ends[0].actor == nullptr && link.ends[1].actor == nullptr &&
        !reachable(link.ends[0].node, link.ends[1].node)) {
      cut.push_back(id);
    }
  }
  for (const std::uint64_t id : cut) drop_link(id);
}

void World::break_a_link() {
  std::vector<std::uint64_t> candidates;
  for (const auto& [id, link] : links_) {
    if (link.ends[0].actor == nullptr && link.ends[1].actor == nullptr) candidates.push_back(id);
  }
  if (!candidates.empty()) drop_link(candidates[below(candidates.size())]);
}

void World::dial(std::size_t from, const std::string& address) {
  const std::size_t colon = address.rfind(':');
  const std::size_t to = std::stoul(address.substr(colon + 1)) - 7'000;
  if (to >= nodes_.size() || to == from) return;
  const std::uint64_t from_life = nodes_[from]->life;
  at(delay_us(), [this, from, to, from_life, address] {
    if (nodes_[from]->life != from_life || !is_up(from) || !is_up(to) || !reachable(from, to)) {
      return;
    }
    const End here{from, nullptr, next_peer_++};
    const End there{to, nullptr, next_peer_++};
    make_link(here, there, address);
  });
}

void World::make_link(const End& a, const End& b, const std::string& dialled) {
  const std::uint64_t id = next_link_++;
  links_.emplace(id, Link{{a, b}, {}, {}, true});
  const Hash256 secret = hash_of(random());
  for (std::size_t i = 0; i < 2; ++i) {
    const End& here = i == 0 ? a : b;
    const End& there = i == 0 ? b : a;
    if (here.actor != nullptr) {
      here.actor->connected(*this, there.node, id);
      continue;
    }
    SimulatedNode& one = *nodes_[here.node];
    one.links.emplace(here.peer, id);
    net::LinkInfo info;
    info.outbound = i == 0;
    info.address = there.actor == nullptr ? address_of(there.node) : "127.0.0.1:1";
    if (i == 0) info.dialled = dialled;
    info.node_key = hash_of(there.actor == nullptr ? there.node : 1'000'000 + id);
    info.link_secret = secret;
    one.node->connected(here.peer, info);
  }
}

void World::link(Actor& actor, std::size_t node) {
  at(delay_us(), [this, &actor, node] {
    if (!is_up(node)) {
      link(actor, node);
      return;
    }
    const End here{SIZE_MAX, &actor, next_peer_++};
    const End there{node, nullptr, next_peer_++};
    make_link(here, there, "");
  });
}

void World::transmit(std::uint64_t id, std::size_t end, std::shared_ptr<const Bytes> message) {
  const auto found = links_.find(id);
  if (found == links_.end()) return;
  Link& link = found->second;
  const auto size = static_cast<std::int64_t>(message->size());
  link.queued[end] += message->size();
  const std::int64_t start_us = std::max(clock.now_us + delay_us(), link.free_us[end]);
  link.free_us[end] = start_us + size / bytes_per_us + 1;
  const std::int64_t delay = link.free_us[end] - clock.now_us;
  at(delay, [this, id, end, message = std::move(message)] {
    const auto still = links_.find(id);
    if (still == links_.end()) return;
    still->second.queued[end] -= message->size();
    deliver(id, 1 - end, message);
  });
}

void World::send(std::uint64_t id, const net::Message& message) {
  send_raw(id, net::encode_message(parameters_.magic, message));
}

void World::send_raw(std::uint64_t id, Bytes bytes) {
  const auto found = links_.find(id);
  if (found == links_.end()) return;
  const std::size_t end = found->second.ends[0].actor != nullptr ? 0 : 1;
  transmit(id, end, std::make_shared<const Bytes>(std::move(bytes)));
}

void World::deliver(std::uint64_t id, std::size_t to, const std::shared_ptr<const Bytes>& message) {
  ++delivered_messages;
  delivered_bytes += message->size();
  const End end = links_.at(id).ends[to];
  if (end.actor != nullptr) {
    end.actor->received(*this, id, *message);
    return;
  }
  SimulatedNode& one = *nodes_[end.node];
  if (one.node == nullptr) return;
  // What the daemon does with the bytes of a socket.
  const ByteView bytes = *message;
  auto header = bytes.size() < net::wire_header_size
                    ? Result<net::WireHeader>(fail(ExitCode::malformed, "short"))
                    : net::parse_wire_header(parameters_.magic, bytes.first(net::wire_header_size));
  if (!header || header->body_size != bytes.size() - net::wire_header_size) {
    one.disconnect(end.peer, "not a message", true);
    return;
  }
  Status done = one.node->received(end.peer, header->type, bytes.subspan(net::wire_header_size));
  if (done) done = one.node->flush();
  if (!done) broken(options_.seed, "a node failed: " + done.error().message);
}

void World::close(std::uint64_t id) {
  drop_link(id);
}

void World::drop_link(std::uint64_t id) {
  const auto found = links_.find(id);
  if (found == links_.end()) return;
  const Link link = found->second;
  links_.erase(found);
  for (const End& end : link.ends) {
    if (end.actor != nullptr) {
      end.actor->disconnected(*this, id);
      continue;
    }
    SimulatedNode& one = *nodes_[end.node];
    one.links.erase(end.peer);
    if (one.node != nullptr) one.node->disconnected(end.peer);
  }
}

bool World::is_liar(std::uint64_t id) const {
  const Link& link = links_.at(id);
  return liars_.contains(link.ends[0].actor) || liars_.contains(link.ends[1].actor);
}

std::string World::describe() const {
  std::string text;
  for (const auto& one : nodes_) {
    if (one->node == nullptr) {
      text += "down; ";
      continue;
    }
    const net::HeaderNode& tip = one->node->chain().tip();
    text += "height " + std::to_string(tip.height) + " " + to_hex_reversed(tip.hash).substr(0, 8) +
            " headers " + std::to_string(one->node->chain().headers().best().height) + " pool " +
            std::to_string(one->node->pool().size()) + " links " +
            std::to_string(one->node->peer_count()) + "; ";
  }
  return text;
}

void World::forget(Actor& actor) {
  std::vector<std::uint64_t> of_it;
  for (const auto& [id, link] : links_) {
    if (link.ends[0].actor == &actor || link.ends[1].actor == &actor) of_it.push_back(id);
  }
  for (const std::uint64_t id : of_it) drop_link(id);
}

// --- A miner.

namespace {

/// The message of a node, which never sends what cannot be parsed.
net::Message message_of(std::uint32_t magic, const Bytes& bytes) {
  const auto header = net::parse_wire_header(magic, ByteView(bytes).first(net::wire_header_size));
  auto message = net::parse_message(header->type, ByteView(bytes).subspan(net::wire_header_size));
  if (!message) broken(0, "a node sent: " + message.error().message);
  return std::move(*message);
}

net::Hello hello_of(const World& world, net::NodeRole role) {
  net::Hello hello;
  hello.role = role;
  hello.genesis = net::genesis_hash(world.parameters());
  return hello;
}

}  // namespace

void MiningActor::connected(World& world, std::size_t node, std::uint64_t link) {
  node_ = node;
  link_ = link;
  world.send(link, hello_of(world, net::NodeRole::miner));
  world.send(link, net::GetSnapshot{0, false});
}

void MiningActor::disconnected(World& world, std::uint64_t) {
  link_ = 0;
  ++work_;
  world.link(*this, node_);
}

void MiningActor::received(World& world, std::uint64_t link, const Bytes& bytes) {
  net::Message message = message_of(world.parameters().magic, bytes);
  if (auto* part = std::get_if<net::SnapshotPart>(&message)) {
    if (!assembler_.add(part->bytes)) broken(0, "a node sent a list that is not one");
    if (auto list = assembler_.take()) {
      list_ = std::move(*list);
      begin(world);
      world.send(link, net::GetSnapshot{list_.info.id, true});
    }
  } else if (auto* delta = std::get_if<net::SnapshotDelta>(&message)) {
    auto list = net::apply_snapshot_delta(list_, delta->bytes);
    if (!list) broken(0, "a node sent a change of a list that does not fit");
    list_ = std::move(*list);
    begin(world);
    world.send(link, net::GetSnapshot{list_.info.id, true});
  } else if (auto* request = std::get_if<net::SymbolRequest>(&message)) {
    const auto sender = senders_.find(request->block);
    if (sender == senders_.end()) return;
    auto range = sender->second->symbols(*request);
    if (range) world.send(link, net::Symbols{request->block, std::move(*range)});
  } else if (auto* ids = std::get_if<net::GetShortIds>(&message)) {
    const auto sender = senders_.find(ids->block);
    if (sender != senders_.end()) world.send(link, sender->second->short_ids());
  } else if (auto* asked = std::get_if<net::TransactionRequest>(&message)) {
    world.send(link, net::NoBlock{asked->block});
  }
}

/// Draws when this miner would find a block on this list.
void MiningActor::begin(World& world) {
  const std::uint64_t work = ++work_;
  // Small networks: the expected number of hashes fits into 64 bits.
  const auto hashes = static_cast<double>(bitcoin::block_work(list_.info.bits).low64());
  const double uniform = (static_cast<double>(world.random() >> 11) + 0.5) / 0x1p53;
  const double wait_us = -std::log(uniform) * hashes * static_cast<double>(hash_us_);
  world.at(static_cast<std::int64_t>(std::min(wait_us, 3.6e9)),
           [this, &world, work] { find(world, work); });
}

void MiningActor::find(World& world, std::uint64_t work) {
  if (work != work_ || link_ == 0) return;
  ++work_;
  const auto now_s = static_cast<std::uint32_t>(world.clock.wall_ns() / 1'000'000'000);
  auto block = net::make_pre_block(world.parameters(), std::make_shared<net::Snapshot>(list_),
                                   payout_script_, world.random(), now_s);
  if (!block) broken(0, "a node's list makes no block: " + block.error().message);
  // Few hashes: the search is part of the virtual time already.
  const bitcoin::UInt256 any = ~bitcoin::UInt256();
  bitcoin::BlockHeader& header = block->header;
  while (!bitcoin::meets_target(bitcoin::block_hash(header), header.bits, any)) ++header.nonce;
  auto sender = net::make_skeleton_sender(*block, world.random());
  ++found;
  world.send(link_, sender->skeleton());
  senders_.emplace(bitcoin::block_hash(header), std::move(sender));
}

// --- Who pays.

void PayingActor::connected(World& world, std::size_t node, std::uint64_t link) {
  node_ = node;
  link_ = link;
  world.send(link, hello_of(world, net::NodeRole::user));
  send_again(world);
}

void PayingActor::disconnected(World& world, std::uint64_t) {
  link_ = 0;
  // Any node will do.
  world.link(*this, world.below(world.size()));
}

void PayingActor::received(World& world, std::uint64_t, const Bytes& bytes) {
  const net::Message message = message_of(world.parameters().magic, bytes);
  const auto* verdicts = std::get_if<net::Verdicts>(&message);
  if (verdicts == nullptr) return;
  for (const net::TransactionVerdict& one : verdicts->verdicts) {
    if (one.outcome == net::Outcome::invalid) broken(0, "an honest payment is " + one.reason);
  }
}

void PayingActor::send_again(World& world) {
  if (link_ == 0) return;
  for (const net::TransactionPtr& transaction : sent_) {
    world.send(link_,
               net::Submit{{bitcoin::serialize(transaction->tx, bitcoin::TxEncoding::no_witness)}});
  }
}

void PayingActor::pay(World& world, std::size_t count, std::int64_t interval_us) {
  if (count == 0) return;
  make(world);
  world.at(static_cast<std::int64_t>(world.below(static_cast<std::uint64_t>(2 * interval_us))),
           [this, &world, count, interval_us] { pay(world, count - 1, interval_us); });
}

void PayingActor::make(World& world) {
  bitcoin::Transaction tx;
  tx.version = 2;
  tx.inputs.push_back({coin_, {}, 0xffffffff, {}});
  Bytes data(data_bytes_);
  for (std::uint8_t& byte : data) byte = static_cast<std::uint8_t>(world.random());
  tx.outputs.push_back({0, *bitcoin::data_output_script(world.parameters().data_tag, data)});
  value_sat_ -= fee_sat;
  tx.outputs.push_back({value_sat_, simulation_script()});
  Bytes signature = simulation_key().sign(
      bitcoin::signature_hash(tx, 0, simulation_script(), bitcoin::sighash_all));
  signature.push_back(bitcoin::sighash_all);
  bitcoin::append_push(tx.inputs[0].script_sig, signature);
  bitcoin::append_push(tx.inputs[0].script_sig, simulation_key().public_key());
  sent_.push_back(net::share_transaction(std::move(tx)));
  coin_ = {sent_.back()->txid, 1};
  if (link_ != 0) {
    world.send(link_, net::Submit{
                          {bitcoin::serialize(sent_.back()->tx, bitcoin::TxEncoding::no_witness)}});
  }
}

}  // namespace twinchain::sim
