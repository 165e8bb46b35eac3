#include "twinchain/ledger/anchor_engine.hpp"

#include <doctest/doctest.h>

#include "anchor_testing.hpp"
#include "twinchain/base/hex.hpp"
#include "twinchain/sys/faulty_fs.hpp"

using namespace twinchain;
using namespace twinchain::ledger;
using namespace twinchain::ledger::testing;

namespace {

AnchorSettings depth(std::uint32_t blocks, std::uint64_t every_ns = 600 * second_ns) {
  AnchorSettings settings;
  settings.depth = blocks;
  settings.every_ns = every_ns;
  return settings;
}

/// A world with one engine in it, which can be started anew.
struct World {
  SimulatedNode node;
  MemoryFs fs;
  StillClock clock;
  AnchorSettings settings;
  std::unique_ptr<AnchorJournal> journal;
  std::unique_ptr<Bench> bench;

  explicit World(const AnchorSettings& s = depth(1)) : settings(s) { start(); }
  void start() {
    bench.reset();
    journal.reset();
    auto opened = AnchorJournal::open(fs, "state");
    REQUIRE(opened);
    journal = std::make_unique<AnchorJournal>(std::move(*opened));
    bench = std::make_unique<Bench>(node, *journal, clock, settings);
  }
  AnchorEngine& engine() { return bench->engine; }
};

}  // namespace

TEST_CASE("at the end of the input the newest link of each chain is published") {
  World world;
  for (std::uint64_t n = 0; n < 5; ++n) world.engine().see_link(make_link("a", n));
  world.engine().see_link(make_link("b", 7));
  world.engine().see_link(make_link("b", 3, 2));
  REQUIRE(world.bench->run(second_ns));
  CHECK(world.node.prepared == 0);
  world.engine().end_input();
  REQUIRE(world.bench->run(second_ns));
  CHECK(world.node.prepared == 3);
  CHECK(world.node.count_of(make_link("a", 4).hash) == 1);
  CHECK(world.node.count_of(make_link("b", 7).hash) == 1);
  CHECK(world.node.count_of(make_link("b", 3, 2).hash) == 1);
  CHECK(world.engine().outstanding() == 3);
  CHECK(world.bench->emitted.empty());
  world.node.mine(1);
  REQUIRE(world.bench->run(2 * second_ns));
  CHECK(world.bench->emitted.size() == 3);
  CHECK(world.engine().outstanding() == 0);
  for (const auto& emitted : world.bench->emitted) {
    const auto facts = check_receipt(emitted.receipt);
    REQUIRE(facts);
    CHECK(emitted.receipt.link_hash == emitted.link.hash);
    CHECK(facts->block_hash == world.node.tip_hash());
  }
}

TEST_CASE("links are published in batches, the newest of each") {
  World world(depth(1, 60 * second_ns));
  std::uint64_t number = 0;
  for (int second = 0; second < 300; ++second) {
    world.engine().see_link(make_link("a", number++));
    REQUIRE(world.bench->run(second_ns));
  }
  CHECK(world.node.prepared == 5);
  // Without new links nothing more is published.
  REQUIRE(world.bench->run(500 * second_ns));
  CHECK(world.node.prepared == 5);
  CHECK(world.node.count_of(make_link("a", number - 1).hash) == 1);
  world.engine().end_input();
  REQUIRE(world.bench->run(second_ns));
  CHECK(world.node.prepared == 5);
}

TEST_CASE("a transaction is durable in the journal before it is sent") {
  World world;
  const LinkReference link = make_link("a", 0);
  int sent = 0;
  world.bench->ledger.before_broadcast = [&](const Prepared& transaction) {
    ++sent;
    MemoryFs& fs = world.fs;
    const std::string path = "state/" + to_hex(link.hash) + ".anchor";
    const auto content = read_whole_file(fs, path, 100'000);
    REQUIRE(content);
    const auto record = parse_anchor_record(as_text(*content));
    REQUIRE(record);
    CHECK(record->transactions.back().raw_transaction == transaction.raw_transaction);
  };
  world.node.least_fee_sat = 200;
  world.engine().see_link(link);
  world.engine().end_input();
  REQUIRE(world.bench->run());
  CHECK(sent == 3);
}

TEST_CASE("a journal that cannot be written ends the run, and nothing is sent") {
  MemoryFs memory;
  FaultyFs fs(memory);
  SimulatedNode node;
  StillClock clock;
  auto journal = AnchorJournal::open(fs, "state");
  REQUIRE(journal);
  Bench bench(node, *journal, clock, depth(1));
  fs.set_fault({.kind = FaultKind::error_for_good, .operation = 1, .error_number = ENOSPC});
  bench.engine.see_link(make_link("a", 0));
  bench.engine.end_input();
  CHECK_FALSE(bench.run());
  REQUIRE(bench.fatal);
  CHECK(bench.fatal->code == ExitCode::system);
  CHECK(node.broadcasts == 0);
}

TEST_CASE("a restart follows what was sent instead of sending another") {
  World world(depth(2));
  world.engine().see_link(make_link("a", 4));
  world.engine().end_input();
  REQUIRE(world.bench->run());
  CHECK(world.node.prepared == 1);
  for (int i = 0; i < 3; ++i) {
    world.start();
    world.engine().see_link(make_link("a", 3));  // sent before, covered
    world.engine().see_link(make_link("a", 4));
    world.engine().end_input();
    REQUIRE(world.bench->run(20 * second_ns));
    CHECK(world.engine().outstanding() == 1);
  }
  CHECK(world.node.prepared == 1);
  world.node.mine(2);
  world.start();
  world.engine().see_source(source_id("a"));
  REQUIRE(world.bench->run(2 * second_ns));
  REQUIRE(world.bench->emitted.size() == 1);
  CHECK(world.bench->emitted[0].link.header == make_link("a", 4).header);
  // From now on the anchor is remembered, and comes again with its link.
  world.start();
  world.engine().see_link(make_link("a", 4));
  world.engine().see_again(make_link("a", 4).hash);
  world.engine().end_input();
  REQUIRE(world.bench->run(2 * second_ns));
  CHECK(world.bench->emitted.size() == 1);
  CHECK(world.engine().outstanding() == 0);
  CHECK(world.node.prepared == 1);
}

TEST_CASE("an anchor of a source that is not in the input waits for one that is") {
  World world;
  world.engine().see_link(make_link("a", 0));
  world.engine().end_input();
  REQUIRE(world.bench->run());
  world.node.mine(1);
  world.start();
  world.engine().see_link(make_link("b", 0));
  world.engine().end_input();
  REQUIRE(world.bench->run());
  world.node.mine(1);
  REQUIRE(world.bench->run(20 * second_ns));
  REQUIRE(world.bench->emitted.size() == 1);
  CHECK(world.bench->emitted[0].link.hash == make_link("b", 0).hash);
  CHECK(world.engine().outstanding() == 0);
  // Collecting takes all, what was emitted before as well.
  world.settings.collect_only = true;
  world.node.wallet_ready = false;
  world.start();
  world.engine().see_all();
  world.engine().end_input();
  REQUIRE(world.bench->run(2 * second_ns));
  CHECK(world.bench->emitted.size() == 2);
}

TEST_CASE("an unreachable ledger is tried again with growing pauses") {
  World world;
  world.node.away = true;
  world.engine().see_link(make_link("a", 0));
  world.engine().end_input();
  REQUIRE(world.bench->run(0));
  CHECK(world.bench->was_told("node is away; trying again"));
  REQUIRE(world.engine().trouble());
  const std::uint64_t began = world.clock.now_ns;
  REQUIRE(world.bench->run(301 * second_ns));
  CHECK(world.engine().trouble()->since_ns == began);
  // 1 + 2 + 4 + 8 + 16 + 30 + 30 ...
  CHECK(world.bench->steps <= 17);
  CHECK(world.bench->told.size() == 1);
  world.node.away = false;
  REQUIRE(world.bench->run(30 * second_ns));
  CHECK_FALSE(world.engine().trouble());
  CHECK(world.bench->was_told("works again after"));
  CHECK(world.node.prepared == 1);
}

TEST_CASE("a misconfiguration ends the run when it shows at once, later it is tried again") {
  {
    World world;
    world.node.refusal = Error{ExitCode::usage, "wrong password", {}};
    CHECK_FALSE(world.bench->run());
    CHECK(world.bench->fatal->message == "wrong password");
  }
  {
    World world;
    world.node.wallet_ready = false;
    CHECK_FALSE(world.bench->run());
    CHECK(world.bench->fatal->code == ExitCode::usage);
  }
  World world;
  REQUIRE(world.bench->run());
  world.node.refusal = Error{ExitCode::usage, "wrong password", "mend it"};
  world.engine().see_link(make_link("a", 0));
  world.engine().end_input();
  REQUIRE(world.bench->run(100 * second_ns));
  CHECK(world.engine().trouble()->error.code == ExitCode::usage);
  CHECK(world.bench->was_told("mend it"));
  world.node.refusal.reset();
  REQUIRE(world.bench->run(30 * second_ns));
  CHECK(world.node.prepared == 1);
}

TEST_CASE("an empty wallet keeps nothing else from going on") {
  World world(depth(1, second_ns));
  world.engine().see_link(make_link("a", 0));
  REQUIRE(world.bench->run(2 * second_ns));
  world.node.wallet_empty = true;
  world.engine().see_link(make_link("a", 1));
  REQUIRE(world.bench->run(3 * second_ns));
  CHECK(world.engine().trouble()->error.code == ExitCode::refuted);
  world.node.mine(1);
  REQUIRE(world.bench->run(40 * second_ns));
  CHECK(world.bench->emitted.size() == 1);
  world.engine().see_link(make_link("a", 2));
  world.node.wallet_empty = false;
  REQUIRE(world.bench->run(40 * second_ns));
  CHECK(world.node.prepared == 2);
  CHECK(world.node.count_of(make_link("a", 2).hash) == 1);
}

TEST_CASE("a fee that the node refuses is raised until it takes it") {
  World world;
  world.node.least_fee_sat = 500;
  world.engine().see_link(make_link("a", 0));
  world.engine().end_input();
  REQUIRE(world.bench->run());
  CHECK(world.node.prepared == 1);
  CHECK(world.node.mempool.size() == 1);
  CHECK(world.journal->find(make_link("a", 0).hash)->transactions.size() == 5);
  world.node.mine(1);
  REQUIRE(world.bench->run(2 * second_ns));
  CHECK(world.bench->emitted.size() == 1);
  // Beyond a number of tries it is left, its coin is free again, and the next try starts anew.
  World dear;
  dear.node.least_fee_sat = 1'000'000;
  dear.engine().see_link(make_link("a", 0));
  dear.engine().end_input();
  REQUIRE(dear.bench->run());
  CHECK(dear.engine().trouble()->error.message.find("fee is too low") != std::string::npos);
  CHECK(dear.node.abandoned == max_transactions_per_anchor);
  CHECK(dear.journal->records().empty());
}

TEST_CASE("a transaction that stays in the mempool for many blocks gets a higher fee") {
  World world(depth(2));
  world.engine().see_link(make_link("a", 0));
  world.engine().end_input();
  REQUIRE(world.bench->run());
  const Hash256 first = world.node.mempool.begin()->first;
  world.node.mine(11, false);
  REQUIRE(world.bench->run(2 * second_ns));
  CHECK(world.node.mempool.contains(first));
  world.node.mine(1, false);
  REQUIRE(world.bench->run(2 * second_ns));
  CHECK(world.node.mempool.size() == 1);
  CHECK_FALSE(world.node.mempool.contains(first));
  world.node.mine(11, false);
  REQUIRE(world.bench->run(2 * second_ns));
  CHECK(world.journal->find(make_link("a", 0).hash)->transactions.size() == 2);
  SUBCASE("the replacement is mined") {
    world.node.mine(2);
  }
  SUBCASE("the first one is mined after all") {
    const auto record = *world.journal->find(make_link("a", 0).hash);
    world.node.mempool.clear();
    world.node.mempool[first] = *bitcoin::parse_transaction(record.transactions[0].raw_transaction);
    world.node.mine(2);
  }
  REQUIRE(world.bench->run(2 * second_ns));
  CHECK(world.bench->emitted.size() == 1);
  CHECK(world.node.prepared == 1);
}

TEST_CASE("a node that replaces nothing keeps the first transaction, which is not forgotten") {
  World world;
  world.node.replaces = false;
  world.engine().see_link(make_link("a", 0));
  world.engine().end_input();
  REQUIRE(world.bench->run());
  for (int i = 0; i < 5; ++i) {
    world.node.mine(12, false);
    REQUIRE(world.bench->run(2 * second_ns));
  }
  CHECK(world.journal->find(make_link("a", 0).hash)->transactions.size() == 1);
  CHECK(world.bench->was_told("cannot raise the fee"));
  CHECK_FALSE(world.engine().trouble());
  world.node.mine(1);
  REQUIRE(world.bench->run(2 * second_ns));
  CHECK(world.bench->emitted.size() == 1);
}

TEST_CASE("an evicted transaction is sent again") {
  World world;
  world.engine().see_link(make_link("a", 0));
  world.engine().end_input();
  REQUIRE(world.bench->run());
  const Hash256 txid = world.node.mempool.begin()->first;
  world.node.mempool.clear();
  REQUIRE(world.bench->run(15 * second_ns));
  CHECK(world.node.mempool.contains(txid));
  CHECK(world.node.prepared == 1);
  SUBCASE("with a higher fee when the node wants more now") {
    world.node.least_fee_sat = 120;
    world.node.mempool.clear();
    REQUIRE(world.bench->run(15 * second_ns));
    CHECK(world.node.mempool.size() == 1);
    CHECK_FALSE(world.node.mempool.contains(txid));
  }
  SUBCASE("and given up when it is refused for some blocks") {
    world.node.mempool.clear();
    world.node.unwelcome.insert(txid);
    REQUIRE(world.bench->run(15 * second_ns));
    CHECK(world.node.prepared == 1);
    world.node.mine(1);
    REQUIRE(world.bench->run(35 * second_ns));
    CHECK(world.node.prepared == 1);
    world.node.mine(1);
    REQUIRE(world.bench->run(65 * second_ns));
    CHECK(world.node.prepared == 2);
    CHECK(world.node.abandoned == 1);
  }
  world.node.mine(1);
  REQUIRE(world.bench->run(35 * second_ns));
  CHECK(world.bench->emitted.size() == 1);
  CHECK(world.node.count_of(make_link("a", 0).hash) == 1);
}

TEST_CASE("an answer that is lost does not make a second transaction") {
  World world;
  world.node.loses_answer = true;
  world.engine().see_link(make_link("a", 0));
  world.engine().end_input();
  REQUIRE(world.bench->run());
  CHECK(world.engine().trouble());
  REQUIRE(world.bench->run(5 * second_ns));
  CHECK_FALSE(world.engine().trouble());
  CHECK(world.node.prepared == 1);
  world.node.mine(1);
  REQUIRE(world.bench->run(5 * second_ns));
  CHECK(world.bench->emitted.size() == 1);
}

TEST_CASE("depth is that in the best chain") {
  World world(depth(3));
  world.engine().see_link(make_link("a", 0));
  world.engine().end_input();
  REQUIRE(world.bench->run());
  world.node.mine(2);
  REQUIRE(world.bench->run(2 * second_ns));
  const bool back_to_mempool = [] {
    bool value = false;
    SUBCASE("the transaction returns to the mempool") {
      value = true;
    }
    SUBCASE("the transaction is lost") {
      value = false;
    }
    return value;
  }();
  world.node.reorganise(2, back_to_mempool);
  world.node.mine(4, false);
  REQUIRE(world.bench->run(2 * second_ns));
  CHECK(world.bench->emitted.empty());
  CHECK(world.bench->was_told("is not in the best chain any more"));
  REQUIRE(world.bench->run(12 * second_ns));
  CHECK(world.node.mempool.size() == 1);
  world.node.mine(2);
  REQUIRE(world.bench->run(2 * second_ns));
  CHECK(world.bench->emitted.empty());
  world.node.mine(1);
  REQUIRE(world.bench->run(2 * second_ns));
  REQUIRE(world.bench->emitted.size() == 1);
  const auto position = world.bench->ledger.position(world.bench->emitted[0].receipt.block_hash);
  CHECK(position->depth == 3);
  CHECK(world.node.prepared == 1);
}

TEST_CASE("when its input is spent otherwise, the newest link of the chain is published instead") {
  World world(depth(2, second_ns));
  world.engine().see_link(make_link("a", 0));
  REQUIRE(world.bench->run(3 * second_ns));
  CHECK(world.node.prepared == 1);
  world.node.double_spend();
  SUBCASE("which is another by now") {
    world.engine().see_link(make_link("a", 9));
    REQUIRE(world.bench->run(5 * second_ns));
    CHECK(world.node.prepared == 2);
    CHECK(world.node.count_of(make_link("a", 9).hash) == 1);
  }
  SUBCASE("which is still the same") {
    REQUIRE(world.bench->run(5 * second_ns));
    CHECK(world.node.prepared == 2);
    CHECK(world.node.count_of(make_link("a", 0).hash) == 1);
  }
  SUBCASE("which nobody has seen since a restart") {
    world.start();
    world.engine().end_input();
    REQUIRE(world.bench->run(5 * second_ns));
    CHECK(world.node.prepared == 2);
    CHECK(world.engine().outstanding() == 0);
  }
  CHECK(world.bench->was_told("publishing anew"));
}

TEST_CASE("an anchor that was emitted and vanished later is made again when its link comes again") {
  World world(depth(1));
  world.engine().see_link(make_link("a", 0));
  world.engine().end_input();
  REQUIRE(world.bench->run());
  world.node.mine(1);
  REQUIRE(world.bench->run(2 * second_ns));
  CHECK(world.bench->emitted.size() == 1);
  world.node.reorganise(1, false);
  world.node.mine(3, false);
  world.start();
  world.engine().see_link(make_link("a", 0));
  world.engine().see_again(make_link("a", 0).hash);
  world.engine().end_input();
  REQUIRE(world.bench->run(2 * second_ns));
  CHECK(world.bench->emitted.empty());
  CHECK(world.engine().outstanding() == 1);
  world.node.mine(1);
  REQUIRE(world.bench->run(2 * second_ns));
  REQUIRE(world.bench->emitted.size() == 1);
  CHECK(world.bench->emitted[0].receipt.block_hash == world.node.tip_hash());
  CHECK(world.node.prepared == 1);
}

TEST_CASE("a link with an anchor in the input is not published again") {
  World first;
  first.engine().see_link(make_link("a", 0));
  first.engine().end_input();
  REQUIRE(first.bench->run());
  first.node.mine(1);
  REQUIRE(first.bench->run(2 * second_ns));
  Receipt receipt = first.bench->emitted.at(0).receipt;

  World world;
  world.node.chain = first.node.chain;
  bool published = true;
  SUBCASE("it is in this ledger") {
    published = false;
  }
  SUBCASE("its block is not in this ledger") {
    world.node.chain.resize(1);
  }
  SUBCASE("it is of another network") {
    receipt.network_magic = network_by_name("litecoin-regtest")->magic;
  }
  SUBCASE("it is forged") {
    receipt.transaction.back() ^= 1;
  }
  SUBCASE("it is of another link") {
    receipt.link_hash = make_link("a", 1).hash;
  }
  bool later_link = false;
  SUBCASE("a later link follows it") {
    later_link = true;
  }
  world.engine().see_link(make_link("a", 0));
  world.engine().see_anchor(receipt);
  if (later_link) world.engine().see_link(make_link("a", 1));
  world.engine().end_input();
  REQUIRE(world.bench->run());
  CHECK(world.node.prepared == (published ? 1 : 0));
  if (!published) CHECK(world.engine().outstanding() == 0);
}

TEST_CASE("a state folder of another ledger is refused") {
  World world;
  world.engine().see_link(make_link("a", 0));
  world.engine().end_input();
  REQUIRE(world.bench->run());
  world.node.network = "litecoin";
  world.start();
  CHECK_FALSE(world.bench->run());
  CHECK(world.bench->fatal->code == ExitCode::usage);
  CHECK(world.bench->fatal->message.find("belongs to ledger dir") != std::string::npos);
}

TEST_CASE("an output that cannot be written ends the run; the anchor comes with the next") {
  World world;
  world.engine().see_link(make_link("a", 0));
  world.engine().end_input();
  REQUIRE(world.bench->run());
  world.node.mine(1);
  world.bench->output_fails = Error{ExitCode::system, "write: no space left on device", {}};
  CHECK_FALSE(world.bench->run(2 * second_ns));
  CHECK(world.bench->fatal->code == ExitCode::system);
  world.start();
  world.engine().see_source(source_id("a"));
  REQUIRE(world.bench->run());
  CHECK(world.bench->emitted.size() == 1);
}

TEST_CASE("anchors that pile up for want of blocks are bounded") {
  World world(depth(1, second_ns));
  for (std::uint64_t n = 0; n < 200; ++n) {
    world.engine().see_link(make_link("a", n));
    REQUIRE(world.bench->run(2 * second_ns));
  }
  CHECK(world.journal->records().size() == world.settings.max_pending_per_chain);
  world.engine().end_input();
  world.node.mine(1);
  REQUIRE(world.bench->run(20 * second_ns));
  CHECK(world.node.count_of(make_link("a", 199).hash) == 1);
  world.node.mine(1);
  REQUIRE(world.bench->run(20 * second_ns));
  CHECK(world.engine().outstanding() == 0);
  // Emitted ones are forgotten but for the last few.
  CHECK(world.journal->records().size() == 16);
}

TEST_CASE("killed or without power at any write: one transaction, and its anchor in the end") {
  for (const FaultKind kind : {FaultKind::kill, FaultKind::power_cut}) {
    bool happened = true;
    std::uint64_t operation = 0;
    for (operation = 1; happened; ++operation) {
      CAPTURE(operation);
      MemoryFs memory;
      FaultyFs fs(memory);
      SimulatedNode node;
      node.least_fee_sat = 200;  // makes replacements
      StillClock clock;
      fs.set_fault({.kind = kind, .operation = operation, .seed = operation});
      std::size_t emitted = 0;
      const auto run = [&] {
        auto journal = AnchorJournal::open(fs, "state");
        if (!journal) return;
        Bench bench(node, *journal, clock, depth(1));
        bench.engine.see_link(make_link("a", 0));
        bench.engine.end_input();
        if (bench.run(2 * second_ns)) {
          node.mine(1);
          bench.run(2 * second_ns);
        }
        emitted += bench.emitted.size();
      };
      run();
      happened = fs.happened();
      fs.reboot();
      run();
      node.mine(1);
      run();
      CHECK(emitted >= 1);
      CHECK(node.count_of(make_link("a", 0).hash) == 1);
    }
    CHECK(operation > 10);
  }
}

TEST_CASE("whatever happens in whatever order: each chain's end is anchored, and once") {
  for (std::uint32_t seed = 1; seed <= 150; ++seed) {
    CAPTURE(seed);
    std::uint32_t state = seed * 2654435761U;
    const auto dice = [&state](std::uint32_t sides) {
      state ^= state << 13;
      state ^= state >> 17;
      state ^= state << 5;
      return state % sides;
    };
    World world(depth(1 + dice(4), (1 + dice(30)) * second_ns));
    std::uint64_t newest = 0;
    bool double_spent = false;
    std::vector<Bench::Emitted> emitted;
    const auto collect = [&] {
      for (auto& one : world.bench->emitted) emitted.push_back(one);
      world.bench->emitted.clear();
    };
    world.engine().see_link(make_link("a", newest));
    for (int i = 0; i < 60; ++i) {
      switch (dice(12)) {
        case 0:
          world.node.away = !world.node.away;
          break;
        case 1:
          world.node.mempool.clear();
          break;
        case 2:
          world.node.reorganise(1 + dice(3), dice(2) == 0);
          break;
        case 3:
          world.node.loses_answer = true;
          break;
        case 4:
          world.node.wallet_empty = !world.node.wallet_empty;
          break;
        case 5:
          world.node.least_fee_sat = 50 * dice(5);
          break;
        case 6:
          world.node.replaces = dice(2) == 0;
          break;
        case 7:
          collect();
          if (dice(2) == 0) world.fs.kill_processes();
          world.start();
          world.engine().see_link(make_link("a", newest));
          break;
        case 8:
          double_spent = double_spent || !world.node.mempool.empty();
          world.node.double_spend();
          break;
        default:
          world.node.mine(1 + dice(2), dice(3) > 0);
          world.engine().see_link(make_link("a", ++newest));
          break;
      }
      REQUIRE(world.bench->run(dice(20) * second_ns));
    }
    world.node.away = world.node.wallet_empty = false;
    world.node.least_fee_sat = 0;
    world.node.replaces = true;
    world.engine().end_input();
    for (int i = 0; i < 40 && world.engine().outstanding() > 0; ++i) {
      REQUIRE(world.bench->run(40 * second_ns));
      world.node.mine(1);
    }
    collect();
    CHECK(world.engine().outstanding() == 0);
    CHECK(std::any_of(emitted.begin(), emitted.end(), [newest](const auto& one) {
      return one.link.hash == make_link("a", newest).hash;
    }));
    for (const auto& one : emitted) CHECK(check_receipt(one.receipt));
    if (!double_spent) {
      for (std::uint64_t n = 0; n <= newest; ++n) {
        CHECK(world.node.count_of(make_link("a", n).hash) <= 1);
      }
    }
  }
}
