#include "twinchain/net/mempool.hpp"

#include <doctest/doctest.h>

#include <random>

#include "twinchain/sys/faulty_fs.hpp"
#include "unit/net/blocks_for_tests.hpp"

using namespace twinchain;
using namespace twinchain::net;
using namespace twinchain::testing;

namespace {

struct PoolForTests {
  explicit PoolForTests(std::size_t fundings, const PoolLimits& limits = {}, unsigned threads = 0)
      : chain(fundings, threads), pool(chain.parameters, *chain.coins, chain.workers, limits) {
    pool.set_tip(chain.context());
    pool.set_time(1'000);
  }
  std::vector<Admission> admit(const std::vector<TransactionPtr>& transactions) {
    std::vector<Bytes> raw;
    for (const TransactionPtr& transaction : transactions) raw.push_back(raw_of(transaction));
    const std::vector<ByteView> views(raw.begin(), raw.end());
    auto admitted = pool.admit(views);
    REQUIRE(admitted);
    return std::move(*admitted);
  }
  Admission admit(const TransactionPtr& transaction) { return admit(std::vector{transaction})[0]; }
  void connect(const NetBlock& block) {
    chain.connect(block);
    pool.set_tip(chain.context());
    pool.block_connected(block);
  }
  CoinsForTests chain;
  LocalPool pool;
};

}  // namespace

TEST_CASE("pool: takes what is valid, once, and says who spends an outpoint") {
  PoolForTests t(5);
  const auto a = spend({t.chain.funding(0)}, {990'000}, Bytes(500, 1));
  CHECK(t.admit(a).verdict.accepted());
  CHECK(t.pool.size() == 1);
  CHECK(t.pool.find(a->txid)->tx == a->tx);
  CHECK(t.pool.entry(a->txid)->fee_sat == 10'000);
  CHECK(t.pool.entry(a->txid)->time_s == 1'000);
  CHECK(t.pool.spender(t.chain.funding(0)) == a->txid);
  CHECK(t.pool.spender(t.chain.funding(1)) == Hash256{});
  CHECK(t.admit(a).verdict.outcome == Outcome::known);
  // The first spend wins.
  const auto other = spend({t.chain.funding(0)}, {1});
  const Admission refused = t.admit(other);
  CHECK(refused.verdict.outcome == Outcome::refused);
  CHECK(refused.verdict.reason == "txn-mempool-conflict");
  CHECK(refused.conflict == a->txid);
  CHECK_FALSE(refused.verdict.peer_to_blame);
  CHECK(t.pool.memory_bytes() == pool_cost_bytes(*a));
  CHECK(t.pool.transactions_verified() == 1);
  // The interface for pools that may be far away.
  TransactionPool& any = t.pool;
  any.get(a->txid, [&](const TransactionPtr& found) { CHECK(found->txid == a->txid); });
  any.get(other->txid, [&](const TransactionPtr& found) { CHECK(found == nullptr); });
  const auto b = spend({t.chain.funding(1)}, {1});
  any.claim(t.chain.funding(1), b->txid, [&](const Hash256& holder) { CHECK(holder == b->txid); });
  any.claim(t.chain.funding(1), other->txid,
            [&](const Hash256& holder) { CHECK(holder == b->txid); });
  any.claim(t.chain.funding(0), other->txid,
            [&](const Hash256& holder) { CHECK(holder == a->txid); });
  any.insert(raw_of(spend({t.chain.funding(1)}, {2})),
             [](const Verdict& verdict) { CHECK(verdict.reason == "txn-mempool-conflict"); });
  any.insert(raw_of(b), [](const Verdict& verdict) { CHECK(verdict.accepted()); });
}

TEST_CASE("pool: what is refused, incomplete and invalid") {
  PoolForTests t(10);
  const auto expect = [&](const TransactionPtr& transaction, Outcome outcome,
                          const std::string& reason) {
    const Admission admission = t.admit(transaction);
    CAPTURE(admission.verdict.reason);
    CHECK(admission.verdict.outcome == outcome);
    CHECK(admission.verdict.reason.starts_with(reason));
    CHECK(admission.verdict.peer_to_blame == (outcome == Outcome::invalid));
    CHECK(t.pool.size() == 0);
    CHECK(t.pool.memory_bytes() == 0);
  };
  const auto change = [&](auto how) {
    bitcoin::Transaction tx = spend({t.chain.funding(0)}, {990'000})->tx;
    how(tx);
    sign(tx);
    return share_transaction(tx);
  };
  expect(spend({{Hash256{}, 3}}, {1}), Outcome::incomplete, "missing-inputs");
  expect(spend({t.chain.funding(10)}, {1}), Outcome::incomplete, "missing-inputs");
  expect(spend({t.chain.funding(0)}, {1'000'001}), Outcome::invalid, "bad-txns-in-belowout");
  expect(spend({t.chain.funding(0)}, {1'000'000}), Outcome::refused, "min relay fee not met");
  expect(spend({t.chain.funding(0)}, {-1}), Outcome::invalid, "bad-txns-vout-negative");
  expect(spend({t.chain.funding(0), t.chain.funding(0)}, {1}), Outcome::invalid,
         "bad-txns-inputs-duplicate");
  expect(spend({t.chain.funding(0)}, {1}, {}, 5, 0), Outcome::refused, "non-final");
  expect(spend({t.chain.funding(0)}, {1}, {}, 0, 5), Outcome::refused, "non-BIP68-final");
  expect(change([](auto& tx) { tx.version = 3; }), Outcome::refused, "version");
  expect(change([](auto& tx) { tx.outputs[0].script_pubkey = {0x51}; }), Outcome::refused,
         "scriptpubkey");
  expect(change([](auto& tx) { tx.outputs[0].script_pubkey = {0x6a, 0x76}; }), Outcome::refused,
         "scriptpubkey");
  bitcoin::Transaction tx = spend({t.chain.funding(0)}, {990'000})->tx;
  tx.inputs[0].script_sig[30] ^= 1;
  expect(share_transaction(tx), Outcome::invalid, "mandatory-script-verify-flag-failed");
  tx.inputs[0].script_sig = {0x61};
  expect(share_transaction(tx), Outcome::refused, "scriptsig-not-pushonly");
  tx.inputs[0].script_sig.assign(2'000, 0);
  expect(share_transaction(tx), Outcome::refused, "scriptsig-size");
  tx.inputs[0] = {{{}, 0xffffffff}, {1, 2, 3}, 0, {}};
  expect(share_transaction(tx), Outcome::invalid, "coinbase");
  PoolForTests small(1);
  ChainParameters parameters = small.chain.parameters;
  parameters.transaction_limit_bytes = 500;
  LocalPool pool(parameters, *small.chain.coins, small.chain.workers);
  pool.set_tip(small.chain.context());
  const Bytes raw = raw_of(spend({small.chain.funding(0)}, {1}, Bytes(500, 1)));
  const ByteView views[] = {raw, ByteView(raw).first(100), ByteView()};
  const auto admitted = pool.admit(views);
  REQUIRE(admitted);
  CHECK((*admitted)[0].verdict.reason == "bad-txns-oversize");
  CHECK((*admitted)[1].verdict.outcome == Outcome::invalid);
  CHECK((*admitted)[2].verdict.outcome == Outcome::invalid);
}

TEST_CASE("pool: a batch in any order, with conflicts, is what one thread would do") {
  for (const unsigned threads : {0U, 3U}) {
    CAPTURE(threads);
    PoolForTests t(10, {}, threads);
    // A chain, given from its end; two spends of one coin, the first of which is not valid.
    std::vector<TransactionPtr> given;
    bitcoin::OutPoint from = t.chain.funding(0);
    for (int i = 0; i < 60; ++i) {
      given.insert(given.begin(), spend({from}, {999'000 - 1'000 * i}));
      from = {given.front()->txid, 0};
    }
    bitcoin::Transaction forged = spend({t.chain.funding(1)}, {5})->tx;
    forged.inputs[0].script_sig[20] ^= 1;
    given.push_back(share_transaction(forged));
    given.push_back(spend({t.chain.funding(1)}, {6}));
    given.push_back(spend({t.chain.funding(1)}, {7}));
    given.push_back(spend({{given[60]->txid, 0}}, {1}));  // child of the forged one
    given.push_back(given[61]);
    const auto admissions = t.admit(given);
    for (std::size_t i = 0; i < 60; ++i) CHECK(admissions[i].verdict.accepted());
    CHECK(admissions[60].verdict.outcome == Outcome::invalid);
    CHECK(admissions[61].verdict.accepted());
    CHECK(admissions[62].verdict.reason == "txn-mempool-conflict");
    CHECK(admissions[62].conflict == given[61]->txid);
    CHECK(admissions[63].verdict.outcome == Outcome::incomplete);
    CHECK(admissions[64].verdict.outcome == Outcome::known);
    CHECK(t.pool.size() == 61);
    CHECK(t.pool.entry(given[0]->txid)->chain == 60);
    const auto sorted = t.pool.ascending();
    for (std::size_t i = 1; i < sorted.size(); ++i) {
      CHECK(sorted[i - 1].transaction->txid < sorted[i].transaction->txid);
    }
  }
}

TEST_CASE("pool: what the pool has checked, a block checks no more; the block empties the pool") {
  PoolForTests t(120, {}, 2);
  std::vector<TransactionPtr> given;
  for (std::uint32_t i = 0; i < 100; ++i) given.push_back(spend({t.chain.funding(i)}, {990'000}));
  for (const Admission& admission : t.admit(given)) CHECK(admission.verdict.accepted());
  const auto late = spend({{given[0]->txid, 0}}, {900'000});
  const auto later = spend({{late->txid, 0}}, {800'000});
  const auto doomed = spend({t.chain.funding(100)}, {900'000});
  const auto doomed_child = spend({{doomed->txid, 0}}, {800'000});
  t.admit({late, later, doomed, doomed_child});
  CHECK(t.pool.entry(later->txid)->chain == 3);
  CHECK(t.pool.transactions_verified() == 104);

  std::vector<std::pair<Hash256, Removal>> removed;
  t.pool.on_removed([&](const PoolEntry& entry, Removal why) {
    removed.emplace_back(entry.transaction->txid, why);
  });
  std::vector<TransactionPtr> in_block = given;
  const auto winner = spend({t.chain.funding(100)}, {1});
  in_block.push_back(winner);
  const NetBlock block = t.chain.block(in_block, 0);
  BlockEffects effects;
  const auto known = [&](const Hash256& txid) { return t.pool.scripts_known(txid); };
  CHECK(t.chain.check(block, effects, known).accepted());
  CHECK(effects.transactions_verified == 1);  // the winner, which the pool has never seen
  t.connect(block);
  CHECK(t.pool.size() == 2);
  CHECK(t.pool.entry(late->txid)->chain == 1);
  CHECK(t.pool.entry(later->txid)->chain == 2);
  CHECK(removed.size() == 102);
  CHECK(std::count_if(removed.begin(), removed.end(), [&](const auto& one) {
          return one.second == Removal::conflict &&
                 (one.first == doomed->txid || one.first == doomed_child->txid);
        }) == 2);
  CHECK(t.pool.memory_bytes() == pool_cost_bytes(*late) + pool_cost_bytes(*later));
  CHECK(t.pool.spender(t.chain.funding(5)) == Hash256{});

  // The block goes again: its transactions come back, without a check of a signature.
  const std::uint64_t before = t.pool.transactions_verified();
  REQUIRE(t.chain.coins->disconnect());
  t.pool.set_tip(t.chain.context());
  REQUIRE(t.pool.reorganised(block.transactions));
  CHECK(t.pool.size() == 103);
  CHECK(t.pool.transactions_verified() == before);
  CHECK(t.pool.entry(later->txid)->chain == 3);
  CHECK(t.pool.entry(given[0]->txid)->sequence < t.pool.entry(late->txid)->sequence);
  CHECK(t.pool.find(winner->txid) != nullptr);
}

TEST_CASE("pool: a reorganisation drops what the new chain does not allow") {
  PoolForTests t(10);
  const auto parent = spend({t.chain.funding(0)}, {990'000});
  t.connect(t.chain.block({parent}, 0));
  const auto child = spend({{parent->txid, 0}}, {900'000});
  const auto grandchild = spend({{child->txid, 0}}, {800'000});
  CHECK(t.admit({child, grandchild})[1].verdict.accepted());
  // Another block spends the same coin otherwise.
  REQUIRE(t.chain.coins->disconnect());
  const NetBlock other = t.chain.block({spend({t.chain.funding(0)}, {1'000})}, 0);
  t.connect(other);
  REQUIRE(t.pool.reorganised({parent}));
  CHECK(t.pool.size() == 0);
  CHECK(t.pool.memory_bytes() == 0);
}

TEST_CASE("pool: memory is bounded, the lowest fee rates go first") {
  PoolForTests t(100, {.memory_bytes = 40'000});
  std::vector<TransactionPtr> given;
  std::uint64_t removals = 0;
  t.pool.on_removed([&](const PoolEntry&, Removal why) { removals += why == Removal::evicted; });
  for (std::uint32_t i = 0; i < 100; ++i) {
    given.push_back(spend({t.chain.funding(i)}, {900'000 - 1'000 * std::int64_t{i}}));
    const Admission admission = t.admit(given.back());
    CHECK(admission.verdict.accepted());
    CHECK(t.pool.memory_bytes() <= 40'000);
  }
  CHECK(removals + t.pool.size() == 100);
  CHECK(t.pool.find(given[99]->txid) != nullptr);
  CHECK(t.pool.find(given[0]->txid) == nullptr);
  // What pays less than all others when there is no room is not taken.
  PoolForTests full(100, {.memory_bytes = 40'000});
  bool refused = false;
  for (std::uint32_t i = 0; i < 100 && !refused; ++i) {
    const auto poor = spend({full.chain.funding(i)}, {900'000 + 900 * std::int64_t{i}});
    refused = full.admit(poor).verdict.reason == "mempool full";
  }
  CHECK(refused);
}

TEST_CASE("pool: chains are limited, old transactions go") {
  PoolForTests t(3, {.max_chain = 5, .expiry_s = 100});
  bitcoin::OutPoint from = t.chain.funding(0);
  for (int i = 0; i < 6; ++i) {
    const auto next = spend({from}, {999'000 - 1'000 * i});
    const Admission admission = t.admit(next);
    CHECK(admission.verdict.accepted() == (i < 5));
    if (i == 5) CHECK(admission.verdict.reason == "too-long-mempool-chain");
    from = {next->txid, 0};
  }
  t.pool.set_time(1'050);
  t.admit(spend({t.chain.funding(1)}, {1}));
  t.pool.expire();
  CHECK(t.pool.size() == 6);
  t.pool.set_time(1'101);
  t.pool.expire();
  CHECK(t.pool.size() == 1);
}

TEST_CASE("pool: the file survives a crash at every write, and any truncation") {
  PoolForTests t(12, {}, 0);
  std::vector<TransactionPtr> given;
  for (std::uint32_t i = 0; i < 10; ++i) given.push_back(spend({t.chain.funding(i)}, {990'000}));
  given.push_back(spend({{given[3]->txid, 0}}, {900'000}));
  t.admit(given);
  MemoryFs memory;
  REQUIRE(t.pool.save(memory, "pool"));
  const Bytes whole = *memory.content("pool");
  const auto load = [&](Fs& fs) {
    LocalPool pool(t.chain.parameters, *t.chain.coins, t.chain.workers);
    pool.set_tip(t.chain.context());
    auto loaded = pool.load(fs, "pool");
    REQUIRE(loaded);
    CHECK(pool.size() == loaded->admitted);
    CHECK(loaded->refused == 0);
    return *loaded;
  };
  CHECK(load(memory).admitted == 11);
  std::uint64_t last = 0;
  for (std::size_t size = 0; size < whole.size(); size += 7) {
    *memory.content("pool") =
        Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    const PoolLoad loaded = load(memory);
    CHECK(loaded.admitted >= last);
    CHECK(loaded.admitted < 11);
    last = loaded.admitted;
  }
  CHECK(last == 10);
  for (std::size_t at = 40; at < whole.size(); at += 53) {
    *memory.content("pool") = whole;
    (*memory.content("pool"))[at] ^= 4;
    CHECK(load(memory).admitted <= 11);
  }
  CHECK(load(memory).admitted < 11);
  // A crash while it is replaced leaves the old or the new one.
  *memory.content("pool") = whole;
  for (std::uint64_t k = 1;; ++k) {
    MemoryFs disk;
    FaultyFs fs(disk);
    PoolForTests half(12);
    half.admit({given[0]});
    REQUIRE(half.pool.save(fs, "pool"));
    fs.set_fault({.kind = FaultKind::power_cut, .operation = k, .seed = k});
    const Status saved = t.pool.save(fs, "pool");
    fs.reboot();
    const std::uint64_t admitted = load(fs).admitted;
    CHECK((admitted == 1 || admitted == 11));
    if (saved) {
      CHECK(admitted == 11);
      break;
    }
  }
  MemoryFs none;
  CHECK(load(none).admitted == 0);
}
