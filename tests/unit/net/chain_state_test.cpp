#include "twinchain/net/chain_state.hpp"

#include <doctest/doctest.h>

#include <random>
#include <set>

#include "twinchain/sys/faulty_fs.hpp"
#include "unit/net/blocks_for_tests.hpp"
#include "unit/net/clocks_for_tests.hpp"

using namespace twinchain;
using namespace twinchain::net;
using namespace twinchain::testing;

namespace {

/// Bodies in another store, some of which cannot be got for a while.
class AbsentBlocks final : public BlockStore {
 public:
  explicit AbsentBlocks(BlockStore& of) : of_(of) {}
  Status put(const Hash256& hash, ByteView raw) override { return of_.put(hash, raw); }
  Result<std::optional<Bytes>> get(const Hash256& hash) override {
    if (absent.contains(hash)) return std::optional<Bytes>();
    return of_.get(hash);
  }
  [[nodiscard]] std::vector<Hash256> all() const override { return of_.all(); }

  std::set<Hash256> absent;

 private:
  BlockStore& of_;
};

/// One node on a disk in memory; its coins are in a folder.
struct ChainNode {
  explicit ChainNode(const ChainParameters& from, std::uint32_t undo_blocks = 1'000)
      : parameters(from), undo(undo_blocks) {
    start();
  }
  ~ChainNode() { stop(); }
  ChainNode(const ChainNode&) = delete;
  ChainNode& operator=(const ChainNode&) = delete;

  void start() {
    tree = std::make_unique<HeaderTree>(parameters);
    auto opened_log = HeaderLog::open(disk, "headers", *tree);
    REQUIRE(opened_log);
    log = std::move(*opened_log);
    auto opened_blocks = open_block_file(disk, "blocks", parameters);
    REQUIRE(opened_blocks);
    stored_blocks = std::move(*opened_blocks);
    blocks = std::make_unique<AbsentBlocks>(*stored_blocks);
    auto opened_coins = storage::CoinDatabase::open(
        folder / "coins", genesis_hash(parameters), genesis_coins(parameters),
        {.map_bytes = std::uint64_t{1} << 30, .undo_blocks = undo, .durable = false});
    REQUIRE(opened_coins);
    coins = std::move(*opened_coins);
    pool = std::make_unique<LocalPool>(parameters, *coins, workers);
    const ChainParts parts{*coins, *blocks, workers, clock, log.get()};
    auto opened = ChainState::open(parameters, parts, *tree, *pool);
    REQUIRE(opened);
    state = std::move(*opened);
  }
  void stop() {
    state.reset();
    pool.reset();
    coins.reset();
    blocks.reset();
    stored_blocks.reset();
    log.reset();
    tree.reset();
  }

  Verdict give(const NetBlock& block) {
    auto verdict = state->process_block(block);
    REQUIRE(verdict);
    return *verdict;
  }
  /// A block on any branch, which need not be that of the tip.
  NetBlock block_on(const HeaderNode& parent, std::vector<TransactionPtr> transactions = {},
                    std::uint8_t salt = 0, std::uint32_t later_s = 10,
                    std::int64_t reward_sat = 0) const {
    return make_block(parameters, parent.hash, parent.height + 1, parent.header.time_s + later_s,
                      tree->next_bits(parent), std::move(transactions), reward_sat, salt);
  }
  /// Gives it, and its node.
  const HeaderNode& extend(const HeaderNode& parent, std::vector<TransactionPtr> transactions = {},
                           std::uint8_t salt = 0) {
    const NetBlock block = block_on(parent, std::move(transactions), salt);
    const Verdict verdict = give(block);
    CAPTURE(verdict.reason);
    REQUIRE(verdict.accepted());
    return *tree->find(bitcoin::block_hash(block.header));
  }
  Admission admit(const TransactionPtr& transaction) {
    const Bytes raw = raw_of(transaction);
    const ByteView view(raw);
    auto admitted = pool->admit(std::span(&view, 1));
    REQUIRE(admitted);
    return (*admitted)[0];
  }
  bitcoin::OutPoint funding(std::uint32_t index) const {
    return {bitcoin::txid(genesis_block(parameters).transactions[0]), index};
  }
  /// All coins as bytes, to compare nodes.
  std::vector<std::pair<bitcoin::OutPoint, Coin>> all_coins() const {
    std::vector<std::pair<bitcoin::OutPoint, Coin>> all;
    REQUIRE(coins->visit([&](const bitcoin::OutPoint& outpoint, const Coin& coin) {
      all.emplace_back(outpoint, coin);
      return true;
    }));
    return all;
  }

  ChainParameters parameters;
  std::uint32_t undo;
  TemporaryFolder folder;
  MemoryFs disk;
  ClockForTests clock{std::int64_t{genesis_time_for_tests_s} + 1'000'000};
  WorkPool workers{0, [](std::function<void()>& work) { work(); }};
  std::unique_ptr<HeaderTree> tree;
  std::unique_ptr<HeaderLog> log;
  std::unique_ptr<BlockStore> stored_blocks;
  std::unique_ptr<AbsentBlocks> blocks;
  std::unique_ptr<storage::CoinDatabase> coins;
  std::unique_ptr<LocalPool> pool;
  std::unique_ptr<ChainState> state;
};

}  // namespace

TEST_CASE("chain: grows, empties the pool, and is there again after a restart") {
  ChainNode node(funded_parameters(5));
  const auto a = spend({node.funding(0)}, {900'000}, Bytes(100, 1));
  CHECK(node.admit(a).verdict.accepted());
  std::vector<std::uint32_t> tips;
  node.state->on_tip([&](const HeaderNode&, const HeaderNode& tip) { tips.push_back(tip.height); });
  const HeaderNode& one = node.extend(node.tree->genesis(), {a});
  const HeaderNode& two = node.extend(one);
  CHECK(tips == std::vector<std::uint32_t>{1, 2});
  CHECK(&node.state->tip() == &two);
  CHECK(node.pool->size() == 0);
  CHECK(node.state->transactions_verified() == 0);
  CHECK(node.give(node.block_on(one, {}, 0)).outcome == Outcome::known);
  const Hash256 hash = two.hash;
  const auto coins = node.all_coins();
  node.stop();
  node.start();
  CHECK(node.state->tip().hash == hash);
  CHECK(node.all_coins() == coins);
}

TEST_CASE("chain: bodies in any order, headers first") {
  ChainNode source(funded_parameters(3));
  std::vector<NetBlock> blocks;
  const HeaderNode* tip = &source.tree->genesis();
  for (int i = 0; i < 30; ++i) {
    blocks.push_back(source.block_on(*tip));
    tip = &source.extend(*tip);
  }
  ChainNode node(source.parameters);
  CHECK(node.give(blocks[5]).outcome == Outcome::incomplete);
  for (const NetBlock& block : blocks) {
    auto verdict = node.state->process_header(block.header);
    REQUIRE(verdict);
    CHECK(verdict->accepted());
  }
  CHECK(node.state->headers().best().height == 30);
  CHECK(node.state->tip().height == 0);
  CHECK(node.state->missing_bodies(100).size() == 30);
  CHECK(node.state->missing_bodies(7).back()->height == 7);
  std::mt19937 random(1);
  std::vector<NetBlock> shuffled = blocks;
  std::shuffle(shuffled.begin(), shuffled.end(), random);
  for (const NetBlock& block : shuffled) CHECK(node.give(block).accepted());
  CHECK(node.state->tip().hash == tip->hash);
  CHECK(node.state->missing_bodies(100).empty());
  CHECK(node.all_coins() == source.all_coins());
}

TEST_CASE("chain: a heavier branch takes over; what only the old one held goes back to the pool") {
  ChainNode node(funded_parameters(5));
  const auto a = spend({node.funding(0)}, {900'000});
  const auto b = spend({node.funding(1)}, {900'000});
  const auto b2 = spend({node.funding(1)}, {800'000});
  const auto c = spend({{b->txid, 0}}, {700'000});
  const HeaderNode& one = node.extend(node.tree->genesis(), {}, 0);
  node.extend(one, {a, b}, 1);
  CHECK(node.admit(c).verdict.accepted());
  // Another branch, in which b's coin is spent otherwise.
  const HeaderNode& two = node.extend(one, {b2}, 2);
  CHECK(node.state->tip().height == 2);
  CHECK(&node.state->tip() != &two);
  CHECK(node.pool->size() == 1);
  const std::uint64_t verified = node.state->transactions_verified();
  const HeaderNode& three = node.extend(two, {}, 2);
  CHECK(&node.state->tip() == &three);
  CHECK(node.state->blocks_disconnected() == 1);
  CHECK(node.pool->size() == 1);
  CHECK(node.pool->find(a->txid) != nullptr);
  CHECK(node.state->transactions_verified() == verified + 1);  // b2
  CHECK(node.pool->transactions_verified() == 1);              // c, not a again
}

TEST_CASE(
    "chain: an invalid block in a heavier branch takes the branch out, the old one comes back") {
  ChainNode node(funded_parameters(6));
  const auto a = spend({node.funding(0)}, {900'000});
  const HeaderNode& one = node.extend(node.tree->genesis(), {}, 0);
  const HeaderNode& old_two = node.extend(one, {a}, 1);
  const auto coins = node.all_coins();
  const HeaderNode& two = node.extend(one, {spend({node.funding(1)}, {1})}, 2);
  // Good by itself; spends what is not there.
  const NetBlock bad = node.block_on(two, {spend({{Hash256{}, 1}}, {1})}, 2);
  const Verdict verdict = node.give(bad);
  CHECK(verdict.outcome == Outcome::invalid);
  CHECK(verdict.reason == "bad-txns-inputs-missingorspent");
  CHECK(verdict.peer_to_blame);
  CHECK(&node.state->tip() == &old_two);
  CHECK(node.all_coins() == coins);
  CHECK(node.pool->find(a->txid) == nullptr);
  CHECK(node.tree->best().height == 2);
  // Whatever is built on it is invalid, too, and asking again does not change that.
  CHECK(node.give(bad).outcome == Outcome::invalid);
  NetBlock next = node.block_on(two, {}, 9);
  next.header.previous = bitcoin::block_hash(bad.header);
  find_nonce(next.header);
  CHECK(node.give(next).reason == "bad-prevblk");
  // A body that is not the header's blames its sender, not the block.
  NetBlock wrong = node.block_on(old_two, {spend({node.funding(2)}, {1})}, 3);
  const NetBlock right = wrong;
  wrong.transactions.pop_back();
  CHECK(node.give(wrong).outcome == Outcome::mismatched);
  CHECK(node.give(right).accepted());
  CHECK(node.state->tip().height == 3);
  // The invalid block was remembered as a body only; after a restart it is found out again.
  const Hash256 tip = node.state->tip().hash;
  node.stop();
  node.start();
  CHECK(node.state->tip().hash == tip);
}

TEST_CASE("chain: a branch deeper than can be undone is left, not half followed") {
  ChainNode node(funded_parameters(1), 5);
  const HeaderNode* tip = &node.tree->genesis();
  for (int i = 0; i < 20; ++i) tip = &node.extend(*tip, {}, 1);
  const auto coins = node.all_coins();
  const HeaderNode* other = HeaderTree::ancestor(*tip, 10);
  for (int i = 0; i < 12; ++i) other = &node.extend(*other, {}, 2);
  CHECK(node.tree->best().height == 22);
  CHECK(&node.state->tip() == tip);
  CHECK(node.all_coins() == coins);
  CHECK(node.state->tip().height == node.coins->tip().height);
}

TEST_CASE("chain: a branch for which a body is away is left until it is there again") {
  ChainNode node(funded_parameters(1));
  const HeaderNode& start = node.tree->genesis();
  const HeaderNode& old_first = node.extend(start, {}, 1);
  const HeaderNode& old_tip = node.extend(old_first, {}, 1);
  const HeaderNode& new_first = node.extend(start, {}, 2);
  const HeaderNode* tip = &node.extend(new_first, {}, 2);
  const auto coins = node.all_coins();
  SUBCASE("one to be undone") {
    node.blocks->absent = {old_first.hash};
  }
  SUBCASE("one to be done") {
    node.blocks->absent = {new_first.hash};
  }
  tip = &node.extend(*tip, {}, 2);
  CHECK(&node.state->tip() == &old_tip);
  CHECK(node.all_coins() == coins);
  tip = &node.extend(*tip, {}, 2);
  CHECK(&node.state->tip() == &old_tip);
  node.blocks->absent.clear();
  tip = &node.extend(*tip, {}, 2);
  CHECK(&node.state->tip() == tip);
  CHECK(node.state->blocks_disconnected() == 2);
}

// Two nodes get the same blocks of a random tree in different orders, one of them with restarts;
// a third connects only the best branch. All agree.
TEST_CASE("chain: the outcome does not depend on the order of blocks, or on restarts") {
  for (const std::uint32_t seed : {1U, 2U, 3U}) {
    CAPTURE(seed);
    ChainNode source(funded_parameters(8));
    std::mt19937 random(seed);
    std::vector<NetBlock> all;
    std::vector<const HeaderNode*> nodes = {&source.tree->genesis()};
    for (int i = 0; i < 60; ++i) {
      const HeaderNode& parent =
          *nodes[nodes.size() - 1 - random() % std::min<std::size_t>(nodes.size(), 5)];
      std::vector<TransactionPtr> transactions;
      // What is unspent on this branch is known for the genesis block's coins: by looking back.
      const auto index = static_cast<std::uint32_t>(random() % 8);
      bool free = true;
      for (const HeaderNode* at = &parent; at->parent != nullptr && free; at = at->parent) {
        for (const NetBlock& block : all) {
          if (bitcoin::block_hash(block.header) != at->hash) continue;
          for (const auto& transaction : block.transactions) {
            free = free && !(transaction->tx.inputs[0].previous_output == source.funding(index));
          }
        }
      }
      if (free) transactions.push_back(spend({source.funding(index)}, {1'000 + i}));
      const NetBlock block = source.block_on(parent, transactions, static_cast<std::uint8_t>(i),
                                             5 + static_cast<std::uint32_t>(random() % 10));
      REQUIRE(source.give(block).accepted());
      all.push_back(block);
      nodes.push_back(source.tree->find(bitcoin::block_hash(block.header)));
    }
    ChainNode other(source.parameters);
    std::vector<NetBlock> waiting = all;
    int steps = 0;
    while (!waiting.empty()) {
      const std::size_t at = random() % std::min<std::size_t>(waiting.size(), 10);
      const Verdict verdict = other.give(waiting[at]);
      if (verdict.outcome == Outcome::incomplete) continue;
      CHECK(verdict.accepted());
      waiting.erase(waiting.begin() + static_cast<std::ptrdiff_t>(at));
      if (++steps % 13 == 0) {
        other.stop();
        other.start();
      }
    }
    CHECK(other.tree->best().work == source.tree->best().work);
    CHECK(other.state->tip().work == source.state->tip().work);
    // Of branches with equal work each keeps the first it saw; one more block decides.
    const NetBlock last = source.block_on(source.state->tip(), {}, 99);
    CHECK(source.give(last).accepted());
    CHECK(other.give(last).accepted());
    CHECK(other.state->tip().hash == source.state->tip().hash);
    CHECK(other.all_coins() == source.all_coins());
    ChainNode straight(source.parameters);
    for (std::uint32_t height = 1; height <= source.state->tip().height; ++height) {
      const Hash256 hash = HeaderTree::ancestor(source.state->tip(), height)->hash;
      auto raw = source.blocks->get(hash);
      REQUIRE((raw && *raw));
      NetBlock block;
      REQUIRE(read_block(source.parameters, **raw, source.workers, block).accepted());
      CHECK(straight.give(block).accepted());
    }
    CHECK(straight.all_coins() == source.all_coins());
    CHECK(straight.state->blocks_disconnected() == 0);
  }
}

TEST_CASE("chain: a lost header file and a torn block file are made good") {
  ChainNode node(funded_parameters(1));
  const HeaderNode* tip = &node.tree->genesis();
  for (int i = 0; i < 10; ++i) tip = &node.extend(*tip);
  const Hash256 hash = tip->hash;
  const Bytes whole = *node.disk.content("blocks");
  node.stop();
  REQUIRE(node.disk.remove("headers"));
  node.start();
  CHECK(node.state->tip().hash == hash);
  node.stop();
  // The tail of the last block's record is gone, its coins are not.
  node.disk.content("blocks")->resize(whole.size() - 3);
  node.start();
  CHECK(node.state->tip().hash == hash);
  CHECK(node.give(node.block_on(node.state->tip())).accepted());
  CHECK(node.state->tip().height == 11);
}
