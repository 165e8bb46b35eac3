// Simulates networks under loss, partitions, crashes and liars, a seed a network, and checks what
// must hold in the end: all nodes have one tip, all that was paid for is in the chain once, honest
// peers were not dropped, and nothing grew without bounds. A failure prints its seed.
//
// usage: network_simulation [FIRST-SEED [COUNT]]     default: 1 4

#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "sim/lying_actor.hpp"
#include "sim/simulated_network.hpp"

namespace {

using namespace twinchain;
using namespace twinchain::sim;

constexpr std::int64_t second_us = 1'000'000;
constexpr std::size_t payers = 4;
constexpr std::size_t payments = 40;

/// What goes wrong, drawn from the seed.
void disturb(World& world, std::int64_t until_us) {
  if (world.clock.now_us >= until_us) return;
  switch (world.below(8)) {
    case 0:
    case 1:
    case 2:
      world.break_a_link();
      break;
    case 3: {
      const std::size_t node = world.below(world.size());
      if (!world.is_up(node)) break;
      world.crash(node);
      const auto down_us = static_cast<std::int64_t>(1 + world.below(60)) * second_us;
      world.at(down_us, [&world, node] { world.start(node); });
      break;
    }
    case 4: {
      std::vector<int> groups(world.size());
      for (int& group : groups) group = static_cast<int>(world.below(2));
      world.partition(groups);
      const auto cut_us = static_cast<std::int64_t>(5 + world.below(90)) * second_us;
      world.at(cut_us, [&world] { world.partition(std::vector<int>(world.size(), 0)); });
      break;
    }
    default:
      break;
  }
  world.at(static_cast<std::int64_t>(world.below(10)) * second_us + second_us,
           [&world, until_us] { disturb(world, until_us); });
}

/// How often each payment is in the chain of a node.
void check_payments(World& world, std::uint64_t seed, const std::vector<PayingActor*>& actors) {
  std::map<Hash256, std::size_t> in_chain;
  net::NodeStorage& storage = world.storage(0);
  for (const net::HeaderNode* at = &storage.chain().tip(); at->parent != nullptr; at = at->parent) {
    auto raw = storage.blocks().get(at->hash);
    if (!raw || !*raw) broken(seed, "a block of the chain is missing");
    net::WorkPool alone(0, [](std::function<void()>& work) { work(); });
    net::NetBlock block;
    if (!net::read_block(world.parameters(), **raw, alone, block).accepted()) {
      broken(seed, "a block of the chain cannot be read");
    }
    for (const net::TransactionPtr& one : block.transactions) ++in_chain[one->txid];
  }
  for (const PayingActor* actor : actors) {
    for (const net::TransactionPtr& one : actor->sent()) {
      if (in_chain[one->txid] != 1) {
        broken(seed, "a payment is in the chain " + std::to_string(in_chain[one->txid]) +
                         " times instead of once");
      }
    }
  }
}

/// All nodes agree, and all that was paid for is in the chain.
bool settled(World& world, const std::vector<PayingActor*>& actors) {
  const Hash256 tip = world.node(0).chain().tip().hash;
  for (std::size_t i = 1; i < world.size(); ++i) {
    if (world.node(i).chain().tip().hash != tip) return false;
    if (world.node(i).pool().size() > 0) return false;
  }
  for (const PayingActor* actor : actors) {
    if (actor->sent().size() < payments) return false;
  }
  return world.node(0).pool().size() == 0;
}

void simulate(std::uint64_t seed) {
  const net::ChainParameters parameters = simulation_parameters(payers);
  WorldOptions options;
  options.seed = seed;
  options.nodes = 4 + seed % 4;
  World world(parameters, options);
  MiningActor first_miner(20 * second_us / 4, simulation_script());
  MiningActor second_miner(20 * second_us / 3, simulation_script());
  LyingActor liar;
  world.expect_liar(liar);
  world.link(first_miner, 0);
  world.link(second_miner, 1 % world.size());
  if (seed % 2 == 0) world.link(liar, world.below(world.size()));
  const Hash256 funding = bitcoin::txid(net::genesis_block(parameters).transactions[0]);
  std::vector<std::unique_ptr<PayingActor>> owned;
  std::vector<PayingActor*> actors;
  for (std::uint32_t i = 0; i < payers; ++i) {
    owned.push_back(std::make_unique<PayingActor>(bitcoin::OutPoint{funding, i}, 100'000'000,
                                                  1 + world.below(20'000)));
    actors.push_back(owned.back().get());
    world.link(*actors.back(), world.below(world.size()));
    world.at(5 * second_us,
             [&world, actor = actors.back()] { actor->pay(world, payments, 5 * second_us); });
  }
  const std::int64_t quiet_us = 300 * second_us;
  world.at(10 * second_us, [&world] { disturb(world, quiet_us); });
  world.run_for(quiet_us + 100 * second_us);
  // All is well again; whoever pays sends again what may have been lost.
  world.partition(std::vector<int>(world.size(), 0));
  bool done = false;
  for (int round = 0; round < 60 && !done; ++round) {
    for (PayingActor* actor : actors) actor->send_again(world);
    world.run_for(20 * second_us);
    done = settled(world, actors);
  }
  if (!done) broken(seed, "the nodes do not come together: " + world.describe());
  check_payments(world, seed, actors);
  if (const std::string unfair = world.honest_peer_dropped(); !unfair.empty()) {
    broken(seed, "an honest peer was dropped: " + unfair);
  }
  std::printf("seed %llu: %zu nodes, height %u, %llu blocks found, %llu messages, %.1f MB\n",
              static_cast<unsigned long long>(seed), world.size(),
              world.node(0).chain().tip().height,
              static_cast<unsigned long long>(first_miner.found + second_miner.found),
              static_cast<unsigned long long>(world.delivered_messages),
              static_cast<double>(world.delivered_bytes) / 1e6);
}

}  // namespace

int main(int argc, char** argv) {
  const std::uint64_t first = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1;
  const std::uint64_t count = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 4;
  for (std::uint64_t seed = first; seed < first + count; ++seed) simulate(seed);
  return 0;
}
