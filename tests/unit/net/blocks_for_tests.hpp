// Signed transactions and blocks for the tests of net, and a chain of coins to put them on.
#pragma once

#include <doctest/doctest.h>

#include "twinchain/bitcoin/merkle_branch.hpp"
#include "twinchain/bitcoin/sighash.hpp"
#include "twinchain/crypto/secp256k1.hpp"
#include "twinchain/net/block_validation.hpp"
#include "unit/net/network_for_tests.hpp"
#include "unit/temporary_folder.hpp"

namespace twinchain::testing {

inline const EcdsaSecretKey& key_for_tests() {
  static const EcdsaSecretKey key = [] {
    std::array<std::uint8_t, 32> secret{};
    secret[31] = 1;
    return *EcdsaSecretKey::from_bytes(secret);
  }();
  return key;
}
inline Bytes script_for_tests() {
  return net::pay_to_key_hash_script(key_for_tests().public_key());
}

/// `coins` outputs of 1,000,000 satoshi each for key_for_tests().
inline net::ChainParameters funded_parameters(std::size_t coins) {
  net::ChainParameters parameters = parameters_for_tests();
  parameters.fundings.assign(coins, {1'000'000, script_for_tests()});
  net::mine_genesis(parameters, [] { return false; });
  return parameters;
}

inline void sign(bitcoin::Transaction& tx) {
  for (std::size_t i = 0; i < tx.inputs.size(); ++i) {
    Bytes signature = key_for_tests().sign(
        bitcoin::signature_hash(tx, i, script_for_tests(), bitcoin::sighash_all));
    signature.push_back(bitcoin::sighash_all);
    tx.inputs[i].script_sig.clear();
    bitcoin::append_push(tx.inputs[i].script_sig, signature);
    bitcoin::append_push(tx.inputs[i].script_sig, key_for_tests().public_key());
  }
}

/// Spends outputs of key_for_tests(), signed, to outputs of these values for the same key, and
/// carries data when there are any.
inline net::TransactionPtr spend(const std::vector<bitcoin::OutPoint>& from,
                                 const std::vector<std::int64_t>& values_sat, ByteView data = {},
                                 std::uint32_t lock_time = 0, std::uint32_t sequence = 0xffffffff) {
  bitcoin::Transaction tx;
  tx.version = 2;
  tx.lock_time = lock_time;
  for (const bitcoin::OutPoint& outpoint : from) tx.inputs.push_back({outpoint, {}, sequence, {}});
  for (const std::int64_t value : values_sat) tx.outputs.push_back({value, script_for_tests()});
  if (!data.empty())
    tx.outputs.push_back({0, *bitcoin::data_output_script(as_bytes("TWIN"), data)});
  sign(tx);
  return net::share_transaction(std::move(tx));
}

inline Bytes raw_of(const net::TransactionPtr& transaction) {
  return bitcoin::serialize(transaction->tx, bitcoin::TxEncoding::no_witness);
}

inline void set_root(net::NetBlock& block) {
  std::vector<Hash256> ids;
  for (const auto& transaction : block.transactions) ids.push_back(transaction->txid);
  block.header.merkle_root = bitcoin::merkle_root(ids);
}

/// A block in canonical order whose coinbase takes `reward_sat`.
inline net::NetBlock make_block(const net::ChainParameters& parameters, const Hash256& previous,
                                std::uint32_t height, std::uint32_t time_s, std::uint32_t bits,
                                std::vector<net::TransactionPtr> transactions,
                                std::int64_t reward_sat, std::uint8_t salt = 0) {
  (void)parameters;
  bitcoin::Transaction coinbase;
  Bytes script;
  bitcoin::append_coinbase_height(script, height);
  bitcoin::append_push(script, Bytes{salt, 1, 2});
  coinbase.inputs.push_back({{{}, 0xffffffff}, script, 0xffffffff, {}});
  coinbase.outputs.push_back({reward_sat, script_for_tests()});
  net::sort_canonically(transactions);
  net::NetBlock block;
  block.transactions.push_back(net::share_transaction(std::move(coinbase)));
  for (auto& transaction : transactions) block.transactions.push_back(std::move(transaction));
  block.header.version = 0x20000000;
  block.header.previous = previous;
  block.header.time_s = time_s;
  block.header.bits = bits;
  set_root(block);
  find_nonce(block.header);
  return block;
}

/// The coins of a network, with the blocks that tests put on top.
class CoinsForTests {
 public:
  explicit CoinsForTests(std::size_t fundings, unsigned threads = 0)
      : parameters(funded_parameters(fundings)),
        workers(threads, [](std::function<void()>& work) { work(); }) {
    auto opened = storage::CoinDatabase::open(
        folder / "coins", net::genesis_hash(parameters), net::genesis_coins(parameters),
        {.map_bytes = std::uint64_t{4} << 30, .durable = false});
    REQUIRE(opened);
    coins = std::move(*opened);
    genesis_txid = bitcoin::txid(net::genesis_block(parameters).transactions[0]);
  }
  [[nodiscard]] bitcoin::OutPoint funding(std::uint32_t index) const {
    return {genesis_txid, index};
  }
  /// For the block after the tip.
  [[nodiscard]] net::SpendContext context() const {
    const std::uint32_t height = coins->tip().height + 1;
    return {height, time_s(height - 1), [this](std::uint32_t at) { return time_s(at); }};
  }
  /// As if each block came 10 s after the one before, and the median were that of the block itself.
  [[nodiscard]] std::uint32_t time_s(std::uint32_t height) const {
    return parameters.genesis_time_s + 10 * height;
  }
  [[nodiscard]] net::NetBlock block(std::vector<net::TransactionPtr> transactions,
                                    std::int64_t reward_sat) const {
    const std::uint32_t height = coins->tip().height + 1;
    return make_block(parameters, coins->tip().block, height, time_s(height),
                      parameters.easiest_bits, std::move(transactions), reward_sat);
  }
  net::Verdict check(
      const net::NetBlock& block, net::BlockEffects& effects,
      const std::function<bool(const Hash256&)>& known = [](const Hash256&) { return false; }) {
    net::Verdict body = net::check_block_body(parameters, block, coins->tip().height + 1);
    if (!body.accepted()) return body;
    auto verdict =
        net::check_block_spends(parameters, block, context(), *coins, known, workers, effects);
    REQUIRE(verdict);
    return *verdict;
  }
  void connect(const net::NetBlock& block) {
    net::BlockEffects effects;
    const net::Verdict verdict = check(block, effects);
    CAPTURE(verdict.reason);
    REQUIRE(verdict.accepted());
    REQUIRE(coins->connect({bitcoin::block_hash(block.header), coins->tip().height + 1},
                           coins->tip().block, std::move(effects.changes)));
  }

  TemporaryFolder folder;
  net::ChainParameters parameters;
  net::WorkPool workers;
  std::unique_ptr<storage::CoinDatabase> coins;
  Hash256 genesis_txid{};
};

}  // namespace twinchain::testing
