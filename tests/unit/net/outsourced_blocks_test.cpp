#include "twinchain/net/outsourced_blocks.hpp"

#include "twinchain/base/hex.hpp"
#include "unit/net/server_for_tests.hpp"
#include "unit/net/storage_for_tests.hpp"

using namespace twinchain;
using namespace twinchain::net;
using namespace twinchain::testing;

namespace {

/// What storage nodes have, and how they answer. Outlives a crash of the full node.
struct FarNodes {
  struct Node {
    std::map<Hash256, Bytes> blocks;
    bool away = false;
    int pushes = 0;
    int fetches = 0;
  };
  std::vector<Node> nodes;
};

class FakeTransport final : public BlockTransport {
 public:
  explicit FakeTransport(FarNodes& far) : far_(far) {}
  [[nodiscard]] std::size_t nodes() const override { return far_.nodes.size(); }
  [[nodiscard]] std::string name(std::size_t node) const override { return std::to_string(node); }
  Status push(std::size_t number, const Hash256& block, ByteView raw) override {
    FarNodes::Node& node = far_.nodes[number];
    ++node.pushes;
    if (node.away) return fail(ExitCode::peer, "is away");
    node.blocks[block] = Bytes(raw.begin(), raw.end());
    return {};
  }
  Result<std::optional<Bytes>> fetch(std::size_t number, const Hash256& block,
                                     std::uint64_t size_bytes) override {
    FarNodes::Node& node = far_.nodes[number];
    ++node.fetches;
    if (node.away) return fail(ExitCode::peer, "is away");
    const auto found = node.blocks.find(block);
    if (found == node.blocks.end()) return std::nullopt;
    CHECK(found->second.size() == size_bytes);
    return found->second;
  }
  void stop() override {}

 private:
  FarNodes& far_;
};

using Step = OutsourcedBlocks::Step;

struct OutsourcedForTests {
  explicit OutsourcedForTests(std::size_t nodes) {
    far.nodes.resize(nodes);
    options.local_limit_bytes = 0;
    options.keep_blocks = 2;
    options.note = [this](const std::string& line) { notes.push_back(line); };
    for (std::uint32_t height = 1; height <= 8; ++height) {
      blocks.push_back(raw_block(parameters, height, 1'000));
    }
  }
  Result<std::unique_ptr<OutsourcedBlocks>> try_open() {
    return OutsourcedBlocks::open(fs, "bodies", parameters, options, clock,
                                  std::make_unique<FakeTransport>(far));
  }
  void open() {
    store.reset();
    auto opened = try_open();
    REQUIRE_MESSAGE(opened, (opened ? "" : opened.error().message));
    store = std::move(*opened);
  }
  void put(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) REQUIRE(store->put(blocks[i].hash, blocks[i].raw));
  }
  Step hand_out() {
    auto step = store->hand_out();
    REQUIRE_MESSAGE(step, (step ? "" : step.error().message));
    return *step;
  }
  std::optional<Bytes> get(std::size_t number) {
    auto raw = store->get(blocks[number].hash);
    REQUIRE(raw);
    return *raw;
  }
  [[nodiscard]] std::string path(std::size_t number) const {
    return "bodies/" + to_hex_reversed(blocks[number].hash) + ".block";
  }
  [[nodiscard]] bool has_file(std::size_t number) {
    return memory.content(path(number)) != nullptr;
  }
  [[nodiscard]] std::vector<Hash256> hashes(std::size_t count) const {
    std::vector<Hash256> all;
    for (std::size_t i = 0; i < count; ++i) all.push_back(blocks[i].hash);
    return all;
  }

  ChainParameters parameters = parameters_for_tests();
  std::vector<RawBlock> blocks;
  MemoryFs memory;
  FaultyFs fs{memory};
  FarNodes far;
  ClockForTests clock;
  OutsourcedOptions options;
  std::vector<std::string> notes;
  std::unique_ptr<OutsourcedBlocks> store;
};

}  // namespace

TEST_CASE("outsourced blocks: the oldest go to a storage node, and are found there") {
  OutsourcedForTests test(1);
  test.options.local_limit_bytes = 4 * test.blocks[0].raw.size();
  test.open();
  test.put(4);
  CHECK(test.hand_out() == Step::idle);
  test.put(6);
  CHECK(test.hand_out() == Step::handed_out);
  CHECK(test.hand_out() == Step::handed_out);
  CHECK(test.hand_out() == Step::idle);
  CHECK(test.store->local_blocks() == 4);
  const auto check = [&] {
    CHECK(test.store->all() == test.hashes(6));
    for (std::size_t i = 0; i < 6; ++i) {
      CHECK(test.has_file(i) == (i >= 2));
      CHECK(test.get(i) == test.blocks[i].raw);
    }
    CHECK(test.far.nodes[0].blocks.size() == 2);
    auto none = test.store->get(test.blocks[7].hash);
    REQUIRE(none);
    CHECK_FALSE(*none);
  };
  check();
  CHECK(test.far.nodes[0].fetches == 2);
  test.store.reset();
  test.memory.power_cut(Survival::nothing);
  test.open();
  CHECK(test.store->local_bytes() == 4 * test.blocks[0].raw.size());
  check();
  // One that has been handed out is not taken again.
  test.put(6);
  CHECK(test.store->local_blocks() == 4);
  CHECK(test.notes.empty());
}

TEST_CASE("outsourced blocks: the newest stay here whatever the limit") {
  OutsourcedForTests test(1);
  test.options.keep_blocks = 5;
  test.open();
  test.put(8);
  for (int i = 0; i < 3; ++i) CHECK(test.hand_out() == Step::handed_out);
  CHECK(test.hand_out() == Step::idle);
  CHECK_FALSE(test.has_file(2));
  CHECK(test.has_file(3));
}

TEST_CASE(
    "outsourced blocks: nothing is removed while too few nodes confirm, which are asked ever "
    "less") {
  OutsourcedForTests test(2);
  test.options.copies = 2;
  test.options.retry_ms = 1'000;
  test.options.max_retry_ms = 4'000;
  test.open();
  test.put(3);
  test.far.nodes[1].away = true;
  CHECK(test.hand_out() == Step::waiting);
  CHECK(test.far.nodes[1].pushes == 1);
  CHECK(test.hand_out() == Step::waiting);
  CHECK(test.far.nodes[1].pushes == 1);
  for (const int wait_ms : {1'000, 2'000, 4'000, 4'000}) {
    const int before = test.far.nodes[1].pushes;
    test.clock.now_ms += wait_ms - 1;
    CHECK(test.hand_out() == Step::waiting);
    CHECK(test.far.nodes[1].pushes == before);
    test.clock.now_ms += 1;
    CHECK(test.hand_out() == Step::waiting);
    CHECK(test.far.nodes[1].pushes == before + 1);
  }
  CHECK(test.has_file(0));
  // The other one has it and is not given it again.
  CHECK(test.far.nodes[0].pushes == 1);
  CHECK(test.notes == std::vector<std::string>{"storage node 1 fails: is away"});
  test.far.nodes[1].away = false;
  test.clock.now_ms += 4'000;
  CHECK(test.hand_out() == Step::handed_out);
  CHECK(test.far.nodes[0].pushes == 1);
  CHECK_FALSE(test.has_file(0));
  CHECK(test.get(0) == test.blocks[0].raw);
}

TEST_CASE("outsourced blocks: one copy goes to whichever node is there") {
  OutsourcedForTests test(3);
  test.open();
  test.put(8);
  test.far.nodes[0].away = true;
  test.far.nodes[2].away = true;
  for (int i = 0; i < 6; ++i) CHECK(test.hand_out() == Step::handed_out);
  CHECK(test.far.nodes[1].blocks.size() == 6);
  for (std::size_t i = 0; i < 8; ++i) CHECK(test.get(i) == test.blocks[i].raw);
}

TEST_CASE("outsourced blocks: a node that gives another block is not believed") {
  OutsourcedForTests test(2);
  test.options.copies = 2;
  test.open();
  test.put(3);
  CHECK(test.hand_out() == Step::handed_out);
  const Hash256 hash = test.blocks[0].hash;
  const std::size_t first = HashHasher{}(hash) % 2;
  SUBCASE("a changed byte") {
    test.far.nodes[first].blocks[hash][200] ^= 1;
  }
  SUBCASE("another block of that size") {
    test.far.nodes[first].blocks[hash] = test.blocks[1].raw;
  }
  SUBCASE("it has lost it") {
    test.far.nodes[first].blocks.clear();
  }
  CHECK(test.get(0) == test.blocks[0].raw);
  CHECK(test.far.nodes[first].fetches == 1);
}

TEST_CASE(
    "outsourced blocks: when no node gives it, it is not here, and the nodes are left alone") {
  OutsourcedForTests test(2);
  test.open();
  test.put(3);
  CHECK(test.hand_out() == Step::handed_out);
  for (auto& node : test.far.nodes) node.away = true;
  for (int i = 0; i < 3; ++i) CHECK_FALSE(test.get(0));
  CHECK(test.far.nodes[0].fetches == 1);
  CHECK(test.far.nodes[1].fetches == 1);
  for (auto& node : test.far.nodes) node.away = false;
  test.clock.now_ms += 1'000;
  CHECK(test.get(0) == test.blocks[0].raw);
}

TEST_CASE("outsourced blocks: a body that is damaged here is neither given nor handed out") {
  OutsourcedForTests test(1);
  test.open();
  test.put(4);
  (*test.memory.content(test.path(0)))[100] ^= 1;
  CHECK_FALSE(test.get(0));
  CHECK(test.hand_out() == Step::handed_out);
  CHECK(test.far.nodes[0].blocks.empty());
  CHECK(test.hand_out() == Step::handed_out);
  CHECK(test.far.nodes[0].blocks.contains(test.blocks[1].hash));
  CHECK(test.has_file(0));
}

TEST_CASE("outsourced blocks: a log that lost its end is made up for from the bodies") {
  OutsourcedForTests test(1);
  test.open();
  test.put(4);
  CHECK(test.hand_out() == Step::handed_out);
  test.store.reset();
  Bytes& log = *test.memory.content("bodies/log");
  CHECK(log.size() == 40 + 5 * 52);
  SUBCASE("torn") {
    log.resize(log.size() - 52 - 1);
  }
  SUBCASE("damaged") {
    log[40 + 3 * 52 + 9] ^= 1;
  }
  test.open();
  REQUIRE(test.notes.size() == 2);
  CHECK(test.notes[0].starts_with("log of blocks: the last "));
  CHECK(test.notes[1].ends_with(": its file is gone"));
  // That the first one was handed out is forgotten with the end: it is gone, and is put again.
  CHECK(test.store->all().size() == 3);
  test.put(4);
  for (std::size_t i = 0; i < 4; ++i) CHECK(test.get(i) == test.blocks[i].raw);
}

TEST_CASE("outsourced blocks: refuses what is another network's, in use, or cannot be") {
  OutsourcedForTests test(1);
  test.open();
  auto again = test.try_open();
  REQUIRE_FALSE(again);
  CHECK(again.error().code == ExitCode::system);
  test.store.reset();
  test.options.copies = 2;
  CHECK(test.try_open().error().code == ExitCode::usage);
  test.options.copies = 0;
  CHECK(test.try_open().error().code == ExitCode::usage);
  test.options.copies = 1;
  test.parameters.genesis_message = "another";
  mine_genesis(test.parameters, [] { return false; });
  CHECK(test.try_open().error().code == ExitCode::usage);
}

TEST_CASE("outsourced blocks: takes the blocks of a file in, once") {
  OutsourcedForTests test(1);
  {
    auto file = open_block_file(test.fs, "blocks", test.parameters);
    REQUIRE(file);
    for (const RawBlock& block : test.blocks) REQUIRE((*file)->put(block.hash, block.raw));
  }
  test.options.import_file = "blocks";
  test.open();
  CHECK(test.store->all() == test.hashes(8));
  CHECK(test.memory.content("blocks") == nullptr);
  CHECK(test.hand_out() == Step::handed_out);
  test.open();
  for (std::size_t i = 0; i < 8; ++i) CHECK(test.get(i) == test.blocks[i].raw);
}

TEST_CASE("outsourced blocks: nothing is lost at a fault of whatever operation") {
  struct Kind {
    FaultKind kind;
    Survival survival;
    std::uint64_t seeds;
  };
  const std::vector<Kind> kinds{{FaultKind::error, Survival::nothing, 1},
                                {FaultKind::error_for_good, Survival::nothing, 1},
                                {FaultKind::kill, Survival::everything, 1},
                                {FaultKind::power_cut, Survival::nothing, 1},
                                {FaultKind::power_cut, Survival::everything, 1},
                                {FaultKind::power_cut, Survival::seeded, 5}};
  std::uint64_t operations = 0;
  // Gives which blocks were kept when it ended, in order.
  const auto work = [](OutsourcedForTests& test) {
    std::vector<std::size_t> kept;
    auto opened = test.try_open();
    if (!opened) return kept;
    for (std::size_t i = 0; i < 6; ++i) {
      if ((*opened)->put(test.blocks[i].hash, test.blocks[i].raw)) kept.push_back(i);
      (void)(*opened)->hand_out();
    }
    return kept;
  };
  {
    OutsourcedForTests test(1);
    test.fs.set_fault({});
    CHECK(work(test).size() == 6);
    operations = test.fs.operations();
  }
  CHECK(operations > 40);
  for (const Kind& kind : kinds) {
    for (std::uint64_t seed = 0; seed < kind.seeds; ++seed) {
      for (std::uint64_t at = 1; at <= operations; ++at) {
        OutsourcedForTests test(1);
        test.fs.set_fault({kind.kind, at, EIO, kind.survival, seed});
        const std::vector<std::size_t> kept = work(test);
        CAPTURE(at);
        CAPTURE(seed);
        CAPTURE(static_cast<int>(kind.kind));
        CHECK(test.fs.happened());
        test.fs.reboot();
        // And the machine goes down once more, before anything else is written.
        if (kind.kind == FaultKind::error) test.memory.power_cut(Survival::nothing);
        test.open();
        const std::vector<Hash256> all = test.store->all();
        std::size_t place = 0;
        for (const std::size_t i : kept) {
          CHECK(test.get(i) == test.blocks[i].raw);
          // In the order in which they were kept.
          while (place < all.size() && all[place] != test.blocks[i].hash) ++place;
          CHECK(place < all.size());
        }
        // It goes on as if nothing had been.
        test.put(6);
        for (Step step = Step::handed_out; step == Step::handed_out;) step = test.hand_out();
        CHECK(test.store->local_blocks() == 2);
        for (std::size_t i = 0; i < 6; ++i) CHECK(test.get(i) == test.blocks[i].raw);
      }
    }
  }
}

TEST_CASE("outsourced blocks: over links to a storage node that goes away and comes back") {
  StorageNodeForTests far;
  far.stop();
  std::size_t far_count = 0;
  OutsourcedForTests test(0);
  TemporaryFolder folder;
  auto server_options = options_for_tests(1);
  auto opened = NodeServer::open(server_options);
  REQUIRE(opened);
  const std::string address = (*opened)->addresses().at(0);
  const auto run = [&](std::unique_ptr<NodeServer> server, const auto& work) {
    // The thread that opens a store is the one that uses it.
    std::thread thread([&] {
      far.start();
      StorageNode node(far.options, far.parameters, *server, system_clock(), *far.blocks,
                       far.workers);
      CHECK(server->run(node).has_value());
      far_count = far.blocks->count();
      CHECK(far.blocks->close().has_value());
      far.stop();
    });
    work();
    server->stop();
    thread.join();
  };
  const RawBlock large = raw_block(test.parameters, 9, std::size_t{9} << 20);
  test.options.transport.nodes = {{address, key_for_tests(1).public_key()}};
  test.options.retry_ms = 10;
  test.options.max_retry_ms = 50;
  auto transport = open_block_transport(test.parameters, test.options.transport);
  REQUIRE(transport);
  auto store = OutsourcedBlocks::open(test.fs, "bodies", test.parameters, test.options,
                                      system_clock(), std::move(*transport));
  REQUIRE(store);
  (*store)->start();
  run(std::move(*opened), [&] {
    REQUIRE((*store)->put(large.hash, large.raw));
    for (std::size_t i = 0; i < 4; ++i) {
      REQUIRE((*store)->put(test.blocks[i].hash, test.blocks[i].raw));
    }
    CHECK(wait_until([&] { return (*store)->local_blocks() == 2; }));
    CHECK((*store)->get(large.hash) == large.raw);
  });
  CHECK(far_count == 3);
  // Away: nothing is removed.
  REQUIRE((*store)->put(test.blocks[4].hash, test.blocks[4].raw));
  auto none = (*store)->get(large.hash);
  REQUIRE(none);
  CHECK_FALSE(*none);
  CHECK((*store)->local_blocks() == 3);
  server_options.listen = {address};
  auto again = NodeServer::open(server_options);
  REQUIRE_MESSAGE(again, (again ? "" : again.error().message));
  run(std::move(*again), [&] {
    CHECK(wait_until([&] { return (*store)->local_blocks() == 2; }));
    CHECK(wait_until([&] {
      auto raw = (*store)->get(large.hash);
      return raw && *raw == large.raw;
    }));
  });
  CHECK(far_count == 4);
}
