// A network of nodes in one process and in virtual time: the code of the daemons, over queues.
//
// Everything is decided by the seed: delays, lost links, partitions, crashes, who mines when. A
// node that crashes loses what a killed process loses, and is started again from its files.
#pragma once

#include <array>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "twinchain/crypto/secp256k1.hpp"
#include "twinchain/net/miner.hpp"
#include "twinchain/net/node.hpp"
#include "twinchain/net/node_storage.hpp"
#include "twinchain/sys/faulty_fs.hpp"

namespace twinchain::sim {

using net::PeerId;

class VirtualClock final : public Clock {
 public:
  explicit VirtualClock(std::int64_t start_ns) : start_ns_(start_ns) {}
  std::int64_t wall_ns() override { return start_ns_ + now_us * 1'000; }
  std::uint64_t monotonic_ns() override { return static_cast<std::uint64_t>(now_us) * 1'000; }
  Id128 boot_id() override { return {}; }

  std::int64_t now_us = 0;

 private:
  std::int64_t start_ns_;
};

struct WorldOptions {
  std::uint64_t seed = 1;
  std::size_t nodes = 5;
  std::int64_t max_delay_us = 200'000;
  std::size_t links_a_node = 3;
  net::SyncLimits sync;
};

class World;

/// One end of a link that is not a node: a user, a miner, somebody who lies.
class Actor {
 public:
  virtual ~Actor() = default;
  /// A link to node `node` is up; `peer` is the node's name for it.
  virtual void connected(World& world, std::size_t node, std::uint64_t link) = 0;
  virtual void disconnected(World& world, std::uint64_t link) = 0;
  virtual void received(World& world, std::uint64_t link, const Bytes& message) = 0;
};

class World {
 public:
  World(const net::ChainParameters& parameters, const WorldOptions& options);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  void at(std::int64_t delay_us, std::function<void()> call);
  /// Runs all that happens until then.
  void run_for(std::int64_t duration_us);
  std::uint64_t random() { return random_(); }
  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }

  void start(std::size_t node);
  /// As SIGKILL.
  void crash(std::size_t node);
  [[nodiscard]] bool is_up(std::size_t node) const;
  /// Links between nodes of different groups are cut, and cannot be made; -1 for all one group.
  void partition(const std::vector<int>& groups);
  /// A random link between nodes breaks; both will connect again.
  void break_a_link();

  /// Links an actor to a node; it hears connected() after a while, or nothing when it is down.
  void link(Actor& actor, std::size_t node);
  void send(std::uint64_t link, const net::Message& message);
  void send_raw(std::uint64_t link, Bytes bytes);
  void close(std::uint64_t link);
  void forget(Actor& actor);

  [[nodiscard]] net::Node& node(std::size_t index);
  [[nodiscard]] net::NodeStorage& storage(std::size_t index);
  [[nodiscard]] std::size_t size() const { return nodes_.size(); }
  [[nodiscard]] const net::ChainParameters& parameters() const { return parameters_; }

  /// Tips and pools of all nodes, for the message of a failure.
  [[nodiscard]] std::string describe() const;
  /// Why a node dropped another node, a miner or a payer as a liar; empty when none did.
  [[nodiscard]] const std::string& honest_peer_dropped() const { return unfair_; }
  /// Who is thrown out rightly.
  void expect_liar(const Actor& actor) { liars_.insert(&actor); }

  VirtualClock clock;
  std::uint64_t delivered_messages = 0;
  std::uint64_t delivered_bytes = 0;

 private:
  struct SimulatedNode;
  struct End {
    std::size_t node = SIZE_MAX;  ///< SIZE_MAX: an actor
    Actor* actor = nullptr;
    PeerId peer = 0;
  };
  struct Link {
    std::array<End, 2> ends;
    std::array<std::int64_t, 2> free_us{};  ///< when the next message of each end may arrive
    std::array<std::uint64_t, 2> queued{};
    bool up = true;
  };
  struct Event {
    std::int64_t time_us;
    std::uint64_t order;
    std::function<void()> call;
    bool operator<(const Event& other) const {
      return std::tie(time_us, order) > std::tie(other.time_us, other.order);
    }
  };
  friend struct SimulatedNode;

  [[nodiscard]] std::int64_t delay_us() {
    return 500 +
           static_cast<std::int64_t>(below(static_cast<std::uint64_t>(options_.max_delay_us)));
  }
  void dial(std::size_t from, const std::string& address);
  void make_link(const End& a, const End& b, const std::string& dialled);
  void transmit(std::uint64_t link, std::size_t end, std::shared_ptr<const Bytes> message);
  void deliver(std::uint64_t link, std::size_t to, const std::shared_ptr<const Bytes>& message);
  void drop_link(std::uint64_t link);
  [[nodiscard]] bool is_liar(std::uint64_t link) const;
  void tick(std::size_t node, std::uint64_t life);
  [[nodiscard]] bool reachable(std::size_t a, std::size_t b) const {
    return groups_.empty() || groups_[a] == groups_[b];
  }
  static std::string address_of(std::size_t node) {
    return "127.0.0.1:" + std::to_string(7'000 + node);
  }

  const net::ChainParameters parameters_;
  WorldOptions options_;
  std::mt19937_64 random_;
  std::priority_queue<Event> events_;
  std::uint64_t next_order_ = 0;
  std::string folder_;
  std::vector<std::unique_ptr<SimulatedNode>> nodes_;
  std::map<std::uint64_t, Link> links_;
  std::uint64_t next_link_ = 1;
  std::uint64_t next_peer_ = 1;
  std::vector<int> groups_;
  std::string unfair_;
  std::set<const Actor*> liars_;
  /// Nothing is done in parallel: the order of events is all there is.
  net::WorkPool workers_{0, [](std::function<void()>& work) { work(); }};
};

/// Takes lists from a node and mines on them, at the rate that the difficulty asks for, one hash a
/// `hash_us` of virtual time in the mean.
class MiningActor final : public Actor {
 public:
  MiningActor(std::int64_t hash_us, Bytes payout_script)
      : hash_us_(hash_us), payout_script_(std::move(payout_script)) {}
  void connected(World& world, std::size_t node, std::uint64_t link) override;
  void disconnected(World& world, std::uint64_t link) override;
  void received(World& world, std::uint64_t link, const Bytes& message) override;
  std::uint64_t found = 0;

 private:
  void begin(World& world);
  void find(World& world, std::uint64_t work);

  std::int64_t hash_us_;
  Bytes payout_script_;
  std::size_t node_ = 0;
  std::uint64_t link_ = 0;
  net::SnapshotAssembler assembler_;
  net::Snapshot list_;
  std::uint64_t work_ = 0;
  std::map<Hash256, std::unique_ptr<net::SkeletonSender>> senders_;
};

/// Makes a chain of data transactions from one coin, submits them to a node, and again whenever
/// the node does not know them any more: what twin-tx does.
class PayingActor final : public Actor {
 public:
  PayingActor(const bitcoin::OutPoint& coin, std::int64_t value_sat, std::size_t data_bytes)
      : coin_(coin), value_sat_(value_sat), data_bytes_(data_bytes) {}
  void connected(World& world, std::size_t node, std::uint64_t link) override;
  void disconnected(World& world, std::uint64_t link) override;
  void received(World& world, std::uint64_t link, const Bytes& message) override;
  /// Pays now and then until there are so many.
  void pay(World& world, std::size_t count, std::int64_t interval_us);
  [[nodiscard]] const std::vector<net::TransactionPtr>& sent() const { return sent_; }
  /// Sends everything once more.
  void send_again(World& world);

 private:
  void make(World& world);

  bitcoin::OutPoint coin_;
  std::int64_t value_sat_;
  std::size_t data_bytes_;
  std::size_t node_ = 0;
  std::uint64_t link_ = 0;
  std::vector<net::TransactionPtr> sent_;
};

/// The key of all who pay in a simulation.
const EcdsaSecretKey& simulation_key();
Bytes simulation_script();
/// A network with `coins` coins for simulation_key(), blocks every 10 s.
net::ChainParameters simulation_parameters(std::size_t coins);

/// Ends the program with the seed when something that must hold does not.
[[noreturn]] void broken(std::uint64_t seed, const std::string& what);

}  // namespace twinchain::sim
