#include "sim/lying_actor.hpp"

namespace twinchain::sim {
namespace {

Hash256 random_hash(World& world) {
  Hash256 hash{};
  for (std::size_t i = 0; i < hash.size(); i += 8) store_le(&hash[i], world.random());
  return hash;
}

bitcoin::BlockHeader random_header(World& world) {
  bitcoin::BlockHeader header;
  header.version = 0x20000000;
  header.previous =
      world.below(2) == 0 ? net::genesis_hash(world.parameters()) : random_hash(world);
  header.merkle_root = random_hash(world);
  header.time_s = static_cast<std::uint32_t>(world.clock.wall_ns() / 1'000'000'000);
  header.bits = world.parameters().easiest_bits;
  return header;
}

}  // namespace

void LyingActor::connected(World& world, std::size_t node, std::uint64_t link) {
  node_ = node;
  link_ = link;
  ++life_;
  net::Hello hello;
  hello.role = world.below(3) == 0 ? net::NodeRole::user : net::NodeRole::mnode;
  hello.genesis = net::genesis_hash(world.parameters());
  hello.height = 1'000'000;
  hello.tip = random_hash(world);
  world.send(link, hello);
  lie(world);
}

void LyingActor::disconnected(World& world, std::uint64_t) {
  link_ = 0;
  ++thrown_out;
  // A ban lasts a while; whoever has many addresses comes again.
  world.at(3'000'000, [this, &world] { world.link(*this, world.below(world.size())); });
}

void LyingActor::received(World&, std::uint64_t, const Bytes& message) {
  last_ = message;
}

net::Message LyingActor::a_lie(World& world) const {
  switch (world.below(12)) {
    case 0: {
      bitcoin::BlockHeader header = random_header(world);
      net::Skeleton skeleton;
      skeleton.header = header;
      skeleton.transaction_count = 1 + static_cast<std::uint32_t>(world.below(1'000'000));
      skeleton.coinbase.assign(world.below(200), 0xab);
      skeleton.symbols.set_size = skeleton.transaction_count - 1;
      return skeleton;
    }
    case 1:
      return net::Headers{{random_header(world), random_header(world)}};
    case 2:
      return net::Transactions{{Bytes(1 + world.below(300), 0x01)}};
    case 3: {
      net::Announce announce;
      for (std::size_t i = 0; i < 1'000; ++i) announce.txids.push_back(random_hash(world));
      return announce;
    }
    case 4: {
      net::GetTransactions get;
      for (std::size_t i = 0; i < 50'000; ++i) get.txids.push_back(random_hash(world));
      return get;
    }
    case 5:
      return net::GetBlock{random_hash(world)};
    case 6:
      return net::Sketch{static_cast<std::uint32_t>(world.below(4)),
                         {0, 0, 5, {{{world.random()}, 1, 2}}}};
    case 7:
      return net::SymbolRequest{random_hash(world), 0, 0, 1 << 20};
    case 8:
      return net::Peers{{"10.0.0.1:7000", "10.0.0.2:7000", "127.0.0.1:7999"}};
    case 9:
      return net::BlockPart{random_hash(world), 1'000'000, 0, Bytes(100, 1)};
    case 10: {
      net::GetByShortId get;
      for (std::size_t i = 0; i < 1'000; ++i) get.ids.push_back(world.random());
      return get;
    }
    default:
      return net::GetCoins{Bytes(25, 7)};
  }
}

void LyingActor::lie(World& world) {
  if (link_ == 0) return;
  switch (world.below(6)) {
    case 0: {
      // What a node sent, with a byte changed, comes back.
      Bytes changed = last_;
      if (!changed.empty()) {
        changed[world.below(changed.size())] ^= static_cast<std::uint8_t>(1U << world.below(8));
      }
      world.send_raw(link_, std::move(changed));
      break;
    }
    case 1: {
      Bytes rubbish(world.below(100));
      for (std::uint8_t& byte : rubbish) byte = static_cast<std::uint8_t>(world.random());
      if (world.below(20) == 0) world.send_raw(link_, std::move(rubbish));
      break;
    }
    default:
      world.send(link_, a_lie(world));
      break;
  }
  const std::uint64_t life = life_;
  world.at(static_cast<std::int64_t>(world.below(300'000)), [this, &world, life] {
    if (life == life_) lie(world);
  });
}

}  // namespace twinchain::sim
