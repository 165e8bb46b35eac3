#include "twinchain/storage/coin_database.hpp"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <map>
#include <random>
#include <thread>

#include "twinchain/crypto/sha256.hpp"
#include "unit/sanitized.hpp"
#include "unit/temporary_folder.hpp"

using namespace twinchain;
using namespace twinchain::storage;
using bitcoin::OutPoint;

namespace {

struct Before {
  bool operator()(const OutPoint& a, const OutPoint& b) const { return before(a, b); }
};
using CoinModel = std::map<OutPoint, Coin, Before>;

Hash256 hash_of(std::uint64_t number) {
  std::array<std::uint8_t, 8> bytes{};
  store_le(bytes.data(), number);
  return sha256(bytes);
}

OutPoint outpoint_of(std::uint64_t number, std::uint32_t index = 0) {
  return {hash_of(number), index};
}

const CoinDatabaseOptions for_tests{.map_bytes = std::uint64_t{1} << 30, .durable = false};

/// What block `height` of branch `branch` does to a set: the same for everybody who asks.
CoinChanges changes_for(const CoinModel& coins, std::uint64_t branch, std::uint32_t height) {
  std::mt19937_64 random(branch * 1'000'003 + height);
  CoinChanges changes;
  for (const auto& [outpoint, coin] : coins) {
    if (random() % 4 == 0) changes.spent.push_back(outpoint);
  }
  const auto count = random() % 40;
  for (std::uint64_t i = 0; i < count; ++i) {
    Coin coin;
    coin.value_sat = static_cast<std::int64_t>(random() % 1'000'000);
    coin.height = height;
    coin.coinbase = i == 0;
    coin.script_pubkey.resize(random() % 200, static_cast<std::uint8_t>(i));
    changes.created.emplace_back(
        outpoint_of(branch << 40 | std::uint64_t{height} << 16 | i, static_cast<std::uint32_t>(i)),
        coin);
  }
  // The order of the lists says nothing.
  std::shuffle(changes.spent.begin(), changes.spent.end(), random);
  std::shuffle(changes.created.begin(), changes.created.end(), random);
  return changes;
}

void apply_changes(CoinModel& coins, const CoinChanges& changes) {
  for (const OutPoint& outpoint : changes.spent) coins.erase(outpoint);
  for (const auto& [outpoint, coin] : changes.created) coins.emplace(outpoint, coin);
}

CoinModel all_of(const CoinDatabase& database) {
  CoinModel coins;
  REQUIRE(database.visit([&](const OutPoint& outpoint, const Coin& coin) {
    coins.emplace(outpoint, coin);
    return true;
  }));
  return coins;
}

}  // namespace

TEST_CASE("coins: genesis, find, connect, disconnect") {
  const testing::TemporaryFolder folder;
  const std::vector<std::pair<OutPoint, Coin>> genesis = {
      {outpoint_of(1), {500, 0, false, {0x51}}}};
  {
    auto opened = CoinDatabase::open(folder / "coins", hash_of(0), genesis, for_tests);
    REQUIRE(opened);
    CoinDatabase& database = **opened;
    CHECK(database.tip() == CoinTip{hash_of(0), 0});
    CHECK(*database.count() == 1);
    auto old = database.snapshot();
    REQUIRE(old);
    CHECK(*old->find(outpoint_of(1)) == genesis[0].second);
    CHECK_FALSE(old->find(outpoint_of(1, 1))->has_value());

    const Coin made{7, 1, true, Bytes(300, 1)};
    REQUIRE(database.connect({hash_of(100), 1}, hash_of(0),
                             {{outpoint_of(1)}, {{outpoint_of(2, 77), made}}}));
    CHECK(database.tip() == CoinTip{hash_of(100), 1});
    // A snapshot stays what it was.
    CHECK(old->find(outpoint_of(1))->has_value());
    CHECK_FALSE(old->find(outpoint_of(2, 77))->has_value());
    CHECK(old->tip().height == 0);
    const auto now = database.snapshot();
    CHECK_FALSE(now->find(outpoint_of(1))->has_value());
    CHECK(*now->find(outpoint_of(2, 77)) == made);

    // What cannot be applied changes nothing.
    const auto missing = database.connect({hash_of(101), 2}, hash_of(100),
                                          {{outpoint_of(2, 77), outpoint_of(3)}, {}});
    REQUIRE_FALSE(missing);
    CHECK(missing.error().code == ExitCode::refuted);
    const auto doubled =
        database.connect({hash_of(101), 2}, hash_of(100), {{}, {{outpoint_of(2, 77), made}}});
    REQUIRE_FALSE(doubled);
    CHECK(doubled.error().code == ExitCode::refuted);
    const auto elsewhere = database.connect({hash_of(101), 2}, hash_of(0), {});
    REQUIRE_FALSE(elsewhere);
    CHECK(elsewhere.error().code == ExitCode::bug);
    CHECK(*database.count() == 1);
  }
  auto opened = CoinDatabase::open(folder / "coins", hash_of(0), genesis, for_tests);
  REQUIRE(opened);
  CHECK((*opened)->tip() == CoinTip{hash_of(100), 1});
  CHECK(*(*opened)->disconnect() == CoinTip{hash_of(0), 0});
  CHECK(all_of(**opened) == CoinModel{{genesis[0]}});
  const auto none = (*opened)->disconnect();
  REQUIRE_FALSE(none);
  CHECK(none.error().code == ExitCode::unproven);
  opened->reset();
  const auto other = CoinDatabase::open(folder / "coins", hash_of(9), genesis, for_tests);
  REQUIRE_FALSE(other);
  CHECK(other.error().code == ExitCode::usage);
}

TEST_CASE("coins: random blocks and reorganisations, beside a model") {
  for (const std::uint64_t seed : {1U, 2U, 3U}) {
    CAPTURE(seed);
    const testing::TemporaryFolder folder;
    std::mt19937_64 random(seed);
    CoinDatabaseOptions options = for_tests;
    options.undo_blocks = 20;
    auto opened = CoinDatabase::open(folder / "coins", hash_of(0), {}, options);
    REQUIRE(opened);
    std::vector<std::pair<CoinTip, CoinModel>> chain = {{{hash_of(0), 0}, {}}};
    std::uint32_t highest = 0;
    std::uint64_t branch = 1;
    for (int step = 0; step < 150; ++step) {
      if (random() % 10 == 0) {
        // Back by a few blocks, then on another branch.
        for (auto back = random() % 6; back > 0 && chain.size() > 1; --back) {
          const auto tip = (*opened)->disconnect();
          const bool undoable = chain.back().first.height + options.undo_blocks > highest;
          REQUIRE(tip.has_value() == undoable);
          if (!undoable) break;
          chain.pop_back();
          CHECK(*tip == chain.back().first);
        }
        ++branch;
      } else if (random() % 30 == 0) {
        opened->reset();
        opened = CoinDatabase::open(folder / "coins", hash_of(0), {}, options);
        REQUIRE(opened);
      } else {
        const CoinTip next{hash_of(branch << 32 | chain.size()),
                           static_cast<std::uint32_t>(chain.size())};
        const CoinChanges changes = changes_for(chain.back().second, branch, next.height);
        CoinModel model = chain.back().second;
        apply_changes(model, changes);
        REQUIRE((*opened)->connect(next, chain.back().first.block, changes));
        chain.emplace_back(next, std::move(model));
        highest = std::max(highest, next.height);
      }
      CHECK((*opened)->tip() == chain.back().first);
      CHECK(all_of(**opened) == chain.back().second);
    }
  }
}

TEST_CASE("coins: snapshots are read by many threads while blocks come") {
  const testing::TemporaryFolder folder;
  auto opened = CoinDatabase::open(folder / "coins", hash_of(0), {}, for_tests);
  REQUIRE(opened);
  std::atomic<bool> stop = false;
  std::atomic<int> wrong = 0;
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&] {
      while (!stop) {
        const auto snapshot = (*opened)->snapshot();
        if (!snapshot) {
          ++wrong;
          continue;
        }
        // Block N makes coin N and spends coin N - 1: one of them is there.
        const std::uint32_t height = snapshot->tip().height;
        const bool there = snapshot->find(outpoint_of(height))->has_value();
        const bool last = height > 0 && snapshot->find(outpoint_of(height - 1))->has_value();
        if (there != (height > 0) || last) ++wrong;
      }
    });
  }
  Hash256 previous = hash_of(0);
  for (std::uint32_t height = 1; height <= 200; ++height) {
    CoinChanges changes;
    if (height > 1) changes.spent.push_back(outpoint_of(height - 1));
    changes.created.emplace_back(outpoint_of(height), Coin{1, height, false, {}});
    CHECK((*opened)->connect({hash_of(height + 1000), height}, previous, changes));
    previous = hash_of(height + 1000);
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
  CHECK(wrong == 0);
}

// SIGKILL somewhere within a write: the set is that of a whole number of blocks.
TEST_CASE("coins: a process that is killed leaves before or after") {
  const testing::TemporaryFolder folder;
  CoinDatabaseOptions options = for_tests;
  options.durable = true;
  const auto name_of = [](std::uint32_t height) { return hash_of(5'000'000 + height); };
  std::uint32_t reached = 0;
  const std::uint64_t rounds = testing::sanitized ? 4 : 12;
  for (std::uint64_t round = 0; round < rounds; ++round) {
    const pid_t pid = ::fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
      auto database = CoinDatabase::open(folder / "coins", name_of(0), {}, options);
      if (!database) ::_exit(1);
      CoinModel model = [&] {
        CoinModel coins;
        (void)(*database)->visit([&](const OutPoint& outpoint, const Coin& coin) {
          coins.emplace(outpoint, coin);
          return true;
        });
        return coins;
      }();
      while (true) {
        const CoinTip tip = (*database)->tip();
        const CoinChanges changes = changes_for(model, 1, tip.height + 1);
        apply_changes(model, changes);
        if (!(*database)->connect({name_of(tip.height + 1), tip.height + 1}, tip.block, changes)) {
          ::_exit(2);
        }
      }
    }
    std::mt19937_64 random(round);
    ::usleep(static_cast<useconds_t>(20'000 + random() % 60'000));
    ::kill(pid, SIGKILL);
    int status = 0;
    REQUIRE(::waitpid(pid, &status, 0) == pid);
    REQUIRE(WIFSIGNALED(status));
    auto database = CoinDatabase::open(folder / "coins", name_of(0), {}, options);
    REQUIRE(database);
    const CoinTip tip = (*database)->tip();
    CHECK(tip.block == name_of(tip.height));
    CHECK(tip.height >= reached);
    reached = tip.height;
    CoinModel model;
    for (std::uint32_t height = 1; height <= tip.height; ++height) {
      apply_changes(model, changes_for(model, 1, height));
    }
    CHECK(all_of(**database) == model);
  }
  CHECK(reached > 0);
}

TEST_CASE("coins: a damaged file is refused, not followed") {
  const testing::TemporaryFolder folder;
  const std::string path = folder / "coins";
  {
    auto database = CoinDatabase::open(path, hash_of(0), {}, for_tests);
    REQUIRE(database);
    CoinModel model;
    Hash256 previous = hash_of(0);
    for (std::uint32_t height = 1; height < 20; ++height) {
      const CoinChanges changes = changes_for(model, 1, height);
      apply_changes(model, changes);
      REQUIRE((*database)->connect({hash_of(height), height}, previous, changes));
      previous = hash_of(height);
    }
  }
  REQUIRE(::truncate((path + "/data.mdb").c_str(), 8192) == 0);
  const auto damaged = CoinDatabase::open(path, hash_of(0), {}, for_tests);
  REQUIRE_FALSE(damaged);
  CHECK(damaged.error().code == ExitCode::malformed);
}
