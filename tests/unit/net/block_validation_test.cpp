#include "twinchain/net/block_validation.hpp"

#include <doctest/doctest.h>

#include "unit/net/blocks_for_tests.hpp"

using namespace twinchain;
using namespace twinchain::net;
using namespace twinchain::testing;

namespace {

constexpr std::int64_t subsidy = 5'000'000'000;

}  // namespace

TEST_CASE("blocks: what is right is accepted, and its coins change hands") {
  for (const unsigned threads : {0U, 2U}) {
    CoinsForTests chain(10, threads);
    const auto a = spend({chain.funding(0)}, {600'000, 399'000});
    const auto b = spend({{a->txid, 1}, chain.funding(1)}, {1'000'000}, Bytes(1000, 7));
    BlockEffects effects;
    // a and b in one block, in whichever order their ids have.
    const NetBlock block = chain.block({a, b}, subsidy + 1'000 + 399'000);
    CHECK(chain.check(block, effects).accepted());
    CHECK(effects.fees_sat == 400'000);
    CHECK(effects.transactions_verified == 2);
    CHECK(effects.changes.spent.size() == 2);
    CHECK(effects.changes.created.size() == 3);
    chain.connect(block);
    CHECK(*chain.coins->count() == 10 - 2 + 3);
    const auto snapshot = chain.coins->snapshot();
    CHECK((*snapshot->find({a->txid, 0}))->value_sat == 600'000);
    CHECK_FALSE(snapshot->find({a->txid, 1})->has_value());
    CHECK((*snapshot->find({block.transactions[0]->txid, 0}))->coinbase);
    CHECK_FALSE(snapshot->find({b->txid, 1})->has_value());
  }
}

TEST_CASE("blocks: no signature is checked for transactions that are known to be valid") {
  CoinsForTests chain(50, 2);
  std::vector<TransactionPtr> transactions;
  for (std::uint32_t i = 0; i < 50; ++i) {
    transactions.push_back(spend({chain.funding(i)}, {999'000}));
  }
  const NetBlock block = chain.block(transactions, subsidy);
  BlockEffects effects;
  CHECK(chain.check(block, effects, [](const Hash256&) { return true; }).accepted());
  CHECK(effects.transactions_verified == 0);
  CHECK(
      chain
          .check(block, effects, [&](const Hash256& txid) { return txid != transactions[7]->txid; })
          .accepted());
  CHECK(effects.transactions_verified == 1);
}

TEST_CASE("blocks: bytes and back, and no other bytes") {
  CoinsForTests chain(3, 2);
  const NetBlock block = chain.block(
      {spend({chain.funding(0)}, {1'000}, Bytes(300, 1)), spend({chain.funding(1)}, {1, 2, 3})},
      subsidy);
  const Bytes raw = serialize(block);
  NetBlock read;
  REQUIRE(read_block(chain.parameters, raw, chain.workers, read).accepted());
  CHECK(serialize(read) == raw);
  CHECK(read.header == block.header);
  REQUIRE(read.transactions.size() == 3);
  for (std::size_t i = 0; i < 3; ++i)
    CHECK(read.transactions[i]->txid == block.transactions[i]->txid);
  for (std::size_t size = 0; size < raw.size(); ++size) {
    const Verdict verdict =
        read_block(chain.parameters, ByteView(raw).first(size), chain.workers, read);
    CHECK(verdict.outcome == Outcome::mismatched);
    CHECK(verdict.peer_to_blame);
  }
  Bytes longer = raw;
  longer.push_back(0);
  CHECK_FALSE(read_block(chain.parameters, longer, chain.workers, read).accepted());
  // Each changed byte is seen: by the parser, by the root, or it is the header's own.
  for (std::size_t at = bitcoin::block_header_size; at < raw.size(); ++at) {
    Bytes changed = raw;
    changed[at] ^= 0x55;
    Verdict verdict = read_block(chain.parameters, changed, chain.workers, read);
    if (verdict.accepted()) verdict = check_block_body(chain.parameters, read, 1);
    CHECK(verdict.outcome == Outcome::mismatched);
  }
}

TEST_CASE("blocks: a body that is not the header's says nothing about the block") {
  CoinsForTests chain(4);
  const auto a = spend({chain.funding(0)}, {1'000});
  const auto b = spend({chain.funding(1)}, {1'000});
  BlockEffects effects;
  NetBlock block = chain.block({a, b}, subsidy);
  block.transactions.pop_back();
  Verdict verdict = chain.check(block, effects);
  CHECK(verdict.outcome == Outcome::mismatched);
  CHECK(verdict.reason == "bad-txnmrklroot");
  CHECK(verdict.peer_to_blame);
  // CVE-2012-2459: three transactions, the last one repeated, have the root of three.
  block = chain.block({a, b}, subsidy);
  block.transactions.push_back(block.transactions.back());
  verdict = chain.check(block, effects);
  CHECK(verdict.outcome == Outcome::mismatched);
  CHECK(verdict.reason == "bad-txns-duplicate");
  block.transactions.clear();
  CHECK(chain.check(block, effects).outcome == Outcome::mismatched);
}

TEST_CASE("blocks: each broken rule is named") {
  CoinsForTests chain(20);
  const auto a = spend({chain.funding(0)}, {999'000});
  const auto b = spend({chain.funding(1)}, {999'000});
  BlockEffects effects;
  const auto expect = [&](NetBlock block, const std::string& reason, bool new_root = true) {
    if (new_root) set_root(block);
    const Verdict verdict = chain.check(block, effects);
    CAPTURE(reason);
    CHECK(verdict.outcome == Outcome::invalid);
    CHECK(verdict.reason == reason);
    CHECK(verdict.peer_to_blame);
  };
  NetBlock block = chain.block({a, b}, subsidy + 2'000);
  CHECK(chain.check(block, effects).accepted());
  expect(chain.block({a, b}, subsidy + 2'001), "bad-cb-amount");
  std::swap(block.transactions[1], block.transactions[2]);
  expect(block, "bad-tx-ordering");
  block = chain.block({a, b}, subsidy);
  block.transactions[2] = block.transactions[1];
  expect(block, "bad-tx-ordering");
  block = chain.block({a, b}, subsidy);
  block.transactions.erase(block.transactions.begin());
  expect(block, "bad-cb-missing");
  block = chain.block({a}, subsidy);
  block.transactions.push_back(block.transactions[0]);
  expect(block, "bad-cb-multiple");
  block = make_block(chain.parameters, chain.coins->tip().block, 2, 0, 0x207fffff, {}, 0);
  expect(block, "bad-cb-height");
  const auto spends_twice = spend({chain.funding(0)}, {1});
  expect(chain.block({a, spends_twice}, 0), "bad-txns-inputs-missingorspent");
  expect(chain.block({spend({{Hash256{}, 5}}, {1})}, 0), "bad-txns-inputs-missingorspent");
  expect(chain.block({spend({chain.funding(20)}, {1})}, 0), "bad-txns-inputs-missingorspent");
  expect(chain.block({a, spend({{a->txid, 1}}, {1})}, 0), "bad-txns-inputs-missingorspent");
  const auto data = spend({chain.funding(0)}, {1}, Bytes(10, 1));
  expect(chain.block({data, spend({{data->txid, 1}}, {0})}, 0), "bad-txns-inputs-missingorspent");
  expect(chain.block({spend({chain.funding(2)}, {1'000'001})}, 0), "bad-txns-in-belowout");
  expect(chain.block({spend({chain.funding(2)}, {1}, {}, 1, 0)}, 0), "non-final");
  expect(chain.block({spend({chain.funding(2)}, {1}, {}, 0, 2)}, 0), "non-BIP68-final");
  bitcoin::Transaction forged = a->tx;
  forged.inputs[0].script_sig[20] ^= 1;
  const auto verdict = [&] {
    NetBlock with = chain.block({share_transaction(forged)}, 0);
    return chain.check(with, effects);
  }();
  CHECK(verdict.outcome == Outcome::invalid);
  CHECK(verdict.reason.starts_with("mandatory-script-verify-flag-failed"));
  // A child of a coinbase of the same block, and of one that is not mature.
  block = chain.block({}, subsidy);
  chain.connect(block);
  const auto early = spend({{block.transactions[0]->txid, 0}}, {1});
  expect(chain.block({early}, 0), "bad-txns-premature-spend-of-coinbase");
  for (std::uint32_t i = 0; i < chain.parameters.coinbase_maturity - 1; ++i) {
    chain.connect(chain.block({}, subsidy));
  }
  CHECK(chain.check(chain.block({early}, 0), effects).accepted());
}

TEST_CASE("blocks: limits of size and signatures") {
  CoinsForTests chain(3);
  chain.parameters.block_limit_bytes = 1'000;
  BlockEffects effects;
  const auto a = spend({chain.funding(0)}, {1}, Bytes(700, 1));
  Verdict verdict = chain.check(chain.block({a}, 0), effects);
  CHECK(verdict.reason == "bad-blk-length");
  CHECK(verdict.outcome == Outcome::invalid);
  CHECK(count_signature_operations(script_for_tests(), {}) == 1);
  CHECK(count_signature_operations(Bytes{0x51, 0x51, 0x52, 0xae}, {}) == 2);
  CHECK(count_signature_operations(Bytes{0xae, 0xad, 0xaf}, {}) == 41);
  // P2SH: what the last push holds.
  Bytes pays_to_script = {0xa9, 20};
  pays_to_script.resize(22);
  pays_to_script.push_back(0x87);
  CHECK(count_signature_operations(pays_to_script, Bytes{3, 0xac, 0xac, 0xac}) == 3);
  // The first spends of a block of 1,000 bytes may check 20 signatures.
  CHECK(chain.check(chain.block({spend({chain.funding(0), chain.funding(1)}, {1})}, 0), effects)
            .accepted());
  chain.parameters.block_limit_bytes = 99;
  NetBlock two = chain.block({}, 0);
  CHECK(chain.check(two, effects).reason == "bad-blk-length");
}

TEST_CASE("blocks: relative locks in blocks and in time") {
  CoinsForTests chain(5);
  BlockEffects effects;
  const auto blocks = spend({chain.funding(0)}, {1}, {}, 0, 3);
  const auto time = spend({chain.funding(1)}, {1}, {}, 0, 1U << 22 | 1);
  const auto height_lock = spend({chain.funding(2)}, {1}, {}, 3, 0);
  CHECK(chain.check(chain.block({blocks}, 0), effects).reason == "non-BIP68-final");
  CHECK(chain.check(chain.block({time}, 0), effects).reason == "non-BIP68-final");
  CHECK(chain.check(chain.block({height_lock}, 0), effects).reason == "non-final");
  for (int i = 0; i < 2; ++i) chain.connect(chain.block({}, 0));
  // Block 3: three blocks after the coin; the lock time wants a later one.
  CHECK(chain.check(chain.block({blocks}, 0), effects).accepted());
  CHECK(chain.check(chain.block({height_lock}, 0), effects).reason == "non-final");
  chain.connect(chain.block({}, 0));
  CHECK(chain.check(chain.block({height_lock}, 0), effects).accepted());
  // 512 s are 52 blocks of 10 s.
  while (chain.coins->tip().height < 51) chain.connect(chain.block({}, 0));
  CHECK(chain.check(chain.block({time}, 0), effects).reason == "non-BIP68-final");
  chain.connect(chain.block({}, 0));
  CHECK(chain.check(chain.block({time}, 0), effects).accepted());
}
