#include <doctest/doctest.h>

#include "anchor_testing.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/crypto/merkle.hpp"
#include "twinchain/crypto/merkle_proof.hpp"
#include "twinchain/ledger/anchor_engine.hpp"
#include "twinchain/ledger/fleet.hpp"
#include "twinchain/sys/faulty_fs.hpp"

using namespace twinchain;
using namespace twinchain::ledger;
using namespace twinchain::ledger::testing;

namespace {

std::string member_name(std::size_t number) {
  return "recorder-" + decimal(std::uint64_t{number});
}

/// An engine that anchors fleets, and can be started anew.
struct FleetWorld {
  SimulatedNode node;
  MemoryFs fs;
  StillClock clock;
  AnchorSettings settings;
  std::unique_ptr<AnchorJournal> journal;
  std::unique_ptr<Bench> bench;

  explicit FleetWorld(std::uint32_t depth = 1) {
    settings.depth = depth;
    settings.fleet = true;
    start();
  }
  void start() {
    bench.reset();
    journal.reset();
    auto opened = AnchorJournal::open(fs, "state");
    REQUIRE(opened);
    journal = std::make_unique<AnchorJournal>(std::move(*opened));
    bench = std::make_unique<Bench>(node, *journal, clock, settings);
  }
  /// Link `number` of the first `count` recorders.
  void see(std::size_t count, std::uint64_t number) {
    for (std::size_t i = 0; i < count; ++i) {
      bench->engine.see_link(make_link(member_name(i), number));
    }
  }
  /// All that was emitted, once each and proven.
  void check_emitted(std::size_t count, std::uint64_t number) {
    std::set<Hash256> links;
    for (const auto& emitted : bench->emitted) {
      CHECK(emitted.receipt.link_hash == emitted.link.hash);
      const auto facts = check_receipt(emitted.receipt);
      REQUIRE(facts);
      CHECK(emitted.receipt.fleet_size == (count == 1 ? 1 : count));
      CHECK(encode_receipt(emitted.receipt).size() <= 2048);
      links.insert(emitted.link.hash);
    }
    CHECK(bench->emitted.size() == count);
    for (std::size_t i = 0; i < count; ++i) {
      CHECK(links.contains(make_link(member_name(i), number).hash));
    }
  }
};

}  // namespace

TEST_CASE("a fleet's tree is that of RFC 6962") {
  std::vector<LinkReference> links;
  for (std::size_t count = 1; count <= 70; ++count) {
    links.push_back(make_link(member_name(count), count));
    const FleetTree tree(links);
    std::vector<Hash256> leaves;
    for (const LinkReference& link : links) leaves.push_back(merkle_leaf(link.hash));
    CHECK(tree.root() == merkle_root(leaves));
    CHECK(hash_of_fleet(links) == fleet_hash(tree.root(), count));
    for (std::size_t i = 0; i < count; ++i) {
      CHECK(verify_inclusion(leaves[i], i, count, tree.path(i), tree.root()));
    }
  }
}

TEST_CASE("a fleet is anchored by one transaction, and each link has its receipt") {
  for (const std::size_t count : {1U, 2U, 3U, 7U, 300U}) {
    CAPTURE(count);
    FleetWorld world;
    world.see(count, 4);
    world.bench->engine.end_input();
    REQUIRE(world.bench->run(second_ns));
    CHECK(world.node.prepared == 1);
    CHECK(world.node.payloads().size() == 1);
    CHECK(world.bench->engine.outstanding() == 1);
    CHECK(world.bench->engine.unpublished() == 0);
    world.node.mine(1);
    REQUIRE(world.bench->run(2 * second_ns));
    CHECK(world.bench->engine.outstanding() == 0);
    world.check_emitted(count, 4);
  }
}

TEST_CASE("a restart follows a fleet's transaction; its links are not published again") {
  FleetWorld world(2);
  world.see(5, 1);
  world.bench->engine.end_input();
  REQUIRE(world.bench->run());
  for (int i = 0; i < 3; ++i) {
    world.start();
    world.see(5, 0);
    world.see(5, 1);
    world.bench->engine.end_input();
    REQUIRE(world.bench->run(20 * second_ns));
  }
  CHECK(world.node.prepared == 1);
  world.node.mine(2);
  REQUIRE(world.bench->run(2 * second_ns));
  world.check_emitted(5, 1);
  // The next windows are another fleet; one recorder more makes it larger.
  world.start();
  world.see(6, 2);
  world.bench->engine.end_input();
  REQUIRE(world.bench->run(second_ns));
  CHECK(world.node.prepared == 2);
  world.node.mine(2);
  REQUIRE(world.bench->run(2 * second_ns));
  world.check_emitted(6, 2);
  // Links whose anchors were emitted come again: the same receipts do, of those alone.
  world.start();
  world.see(2, 2);
  for (std::size_t i = 0; i < 2; ++i) {
    world.bench->engine.see_again(make_link(member_name(i), 2).hash);
  }
  world.bench->engine.end_input();
  REQUIRE(world.bench->run(2 * second_ns));
  CHECK(world.bench->emitted.size() == 2);
  CHECK(world.node.prepared == 2);
}

TEST_CASE("a fleet's transaction is sent again, raised, and made anew as any other") {
  FleetWorld world(2);
  world.node.least_fee_sat = 200;  // makes replacements
  world.see(3, 1);
  world.bench->engine.end_input();
  REQUIRE(world.bench->run(second_ns));
  CHECK(world.node.prepared == 1);
  CHECK(world.bench->was_told("the fleet of 3 links: raised the fee"));
  SUBCASE("evicted") {
    world.node.mempool.clear();
    REQUIRE(world.bench->run(20 * second_ns));
    CHECK(world.bench->was_told("the fleet of 3 links: sent transaction"));
    CHECK(world.node.prepared == 1);
  }
  SUBCASE("reorganised away") {
    world.node.mine(1);
    REQUIRE(world.bench->run(2 * second_ns));
    world.node.reorganise(1, false);
    world.node.mine(2, false);
    REQUIRE(world.bench->run(20 * second_ns));
    CHECK(world.bench->emitted.empty());
    CHECK(world.node.prepared == 1);
  }
  SUBCASE("its input was spent otherwise") {
    world.node.double_spend();
    REQUIRE(world.bench->run(20 * second_ns));
    CHECK(world.bench->was_told("publishing anew"));
    CHECK(world.node.prepared == 2);
  }
  world.node.mine(2);
  REQUIRE(world.bench->run(20 * second_ns));
  world.check_emitted(3, 1);
}

TEST_CASE("an anchor of a fleet that vanished after it was emitted is made again") {
  FleetWorld world;
  world.see(3, 1);
  world.bench->engine.end_input();
  REQUIRE(world.bench->run(second_ns));
  world.node.mine(1);
  REQUIRE(world.bench->run(2 * second_ns));
  world.node.reorganise(1, true);
  world.node.mine(2, false);
  world.start();
  world.see(3, 1);
  for (std::size_t i = 0; i < 3; ++i) {
    world.bench->engine.see_again(make_link(member_name(i), 1).hash);
  }
  world.bench->engine.end_input();
  REQUIRE(world.bench->run(2 * second_ns));
  CHECK(world.bench->emitted.empty());
  world.node.mine(1);
  REQUIRE(world.bench->run(20 * second_ns));
  world.check_emitted(3, 1);
  CHECK(world.node.prepared == 1);
}

TEST_CASE("killed or without power at any write: one transaction for the fleet, and all receipts") {
  for (const FaultKind kind : {FaultKind::kill, FaultKind::power_cut}) {
    bool happened = true;
    for (std::uint64_t operation = 1; happened; ++operation) {
      CAPTURE(operation);
      MemoryFs memory;
      FaultyFs fs(memory);
      SimulatedNode node;
      StillClock clock;
      fs.set_fault({.kind = kind, .operation = operation, .seed = operation});
      std::set<Hash256> emitted;
      const auto run = [&] {
        auto journal = AnchorJournal::open(fs, "state");
        if (!journal) return;
        AnchorSettings settings;
        settings.depth = 1;
        settings.fleet = true;
        Bench bench(node, *journal, clock, settings);
        for (const char* const name : {"a", "b", "c"}) bench.engine.see_link(make_link(name, 0));
        bench.engine.end_input();
        if (bench.run(2 * second_ns)) {
          node.mine(1);
          bench.run(2 * second_ns);
        }
        for (const auto& one : bench.emitted) {
          CHECK(check_receipt(one.receipt));
          emitted.insert(one.link.hash);
        }
      };
      run();
      happened = fs.happened();
      fs.reboot();
      run();
      node.mine(1);
      run();
      CHECK(emitted.size() == 3);
      CHECK(node.payloads().size() == 1);
    }
  }
}

TEST_CASE("the file of a fleet's anchor: read as written, refused when changed or wrong") {
  AnchorRecord record;
  record.fleet = {make_link("a", 1), make_link("b", 2), make_link("c", 3)};
  record.link.hash = hash_of_fleet(record.fleet);
  record.network = "dir";
  record.order = 7;
  record.transactions.push_back({Bytes{1, 2, 3}, Hash256{}, 5});
  const std::string text = encode_anchor_record(record);
  const auto again = parse_anchor_record(text);
  REQUIRE(again);
  CHECK(encode_anchor_record(*again) == text);
  CHECK(again->fleet.size() == 3);
  CHECK(again->fleet[1].hash == record.fleet[1].hash);
  CHECK(again->fleet[2].header.window_end_ns == record.fleet[2].header.window_end_ns);
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string changed = text;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    CHECK_FALSE(parse_anchor_record(changed));
  }
  std::swap(record.fleet[0], record.fleet[1]);
  CHECK_FALSE(parse_anchor_record(encode_anchor_record(record)));
  record.fleet.resize(1);
  CHECK_FALSE(parse_anchor_record(encode_anchor_record(record)));
}

TEST_CASE("whatever is changed in the receipt of one of a fleet, nothing is proven") {
  FleetWorld world;
  world.see(5, 1);
  world.bench->engine.end_input();
  REQUIRE(world.bench->run(second_ns));
  world.node.mine(1);
  REQUIRE(world.bench->run(2 * second_ns));
  REQUIRE(world.bench->emitted.size() == 5);
  for (const auto& emitted : world.bench->emitted) {
    const Bytes body = encode_receipt(emitted.receipt);
    for (std::size_t bit = 0; bit < body.size() * 8; ++bit) {
      Bytes changed = body;
      changed[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
      const auto receipt = parse_receipt(changed);
      if (receipt) CHECK_FALSE(check_receipt(*receipt));
    }
    for (std::size_t size = 0; size < body.size(); ++size) {
      CHECK_FALSE(parse_receipt(ByteView(body).first(size)));
    }
  }
  // Another member's link with this member's place.
  Receipt swapped = world.bench->emitted[0].receipt;
  swapped.link_hash = world.bench->emitted[1].receipt.link_hash;
  CHECK_FALSE(check_receipt(swapped));
}
