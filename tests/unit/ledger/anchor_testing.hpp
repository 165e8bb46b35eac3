// A node that lives in memory and does on command what real ones do to a transaction, and a clock
// that stands still: for the tests of the anchoring engine.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "twinchain/bitcoin/merkle_branch.hpp"
#include "twinchain/bitcoin/script.hpp"
#include "twinchain/crypto/sha256.hpp"
#include "twinchain/ledger/anchor_engine.hpp"
#include "twinchain/ledger/dir_block.hpp"

namespace twinchain::ledger::testing {

constexpr std::uint64_t second_ns = 1'000'000'000;

class StillClock final : public Clock {
 public:
  std::uint64_t now_ns = 1000 * second_ns;
  std::int64_t wall_ns() override { return static_cast<std::int64_t>(now_ns); }
  std::uint64_t monotonic_ns() override { return now_ns; }
  Id128 boot_id() override { return {}; }
};

/// Blocks are real ones of the dir network, so that receipts are real too. Each new transaction
/// spends a coin of its own; a replacement spends the same one.
class SimulatedNode {
 public:
  bool away = false;
  std::optional<Error> refusal;  ///< of every call
  bool wallet_empty = false;
  bool wallet_ready = true;
  bool replaces = true;  ///< takes a transaction whose input is spent in the mempool
  std::uint64_t least_fee_sat = 0;
  std::uint64_t first_fee_sat = 100;
  std::set<Hash256> unwelcome;  ///< transactions that are refused for no reason of their own
  bool loses_answer = false;    ///< the next broadcast arrives, its answer does not
  std::string network = "dir";

  std::uint64_t prepared = 0;
  std::uint64_t broadcasts = 0;
  std::uint64_t abandoned = 0;
  std::vector<bitcoin::Block> chain{dir_genesis()};
  std::map<Hash256, bitcoin::Transaction> mempool;
  std::map<Hash256, bitcoin::Transaction> wallet;  ///< all that it ever made

  void mine(std::size_t count, bool with_mempool = true) {
    for (std::size_t i = 0; i < count; ++i) {
      std::vector<bitcoin::Transaction> transactions;
      if (with_mempool) {
        for (const auto& [txid, transaction] : mempool) transactions.push_back(transaction);
        mempool.clear();
      }
      // Branches of one height differ in their time.
      chain.push_back(mine_dir_block(tip_hash(), static_cast<std::uint32_t>(chain.size()),
                                     chain.back().header.time_s + 1 + ++made_blocks_,
                                     std::move(transactions)));
    }
  }
  /// Takes the newest blocks away; their transactions go back into the mempool, or are lost.
  void reorganise(std::size_t count, bool back_to_mempool) {
    for (; count > 0 && chain.size() > 1; --count) {
      for (const auto& transaction : chain.back().transactions) {
        if (!transaction.is_coinbase() && back_to_mempool) {
          mempool[bitcoin::txid(transaction)] = transaction;
        }
      }
      chain.pop_back();
    }
  }
  /// Somebody else spends the input of every transaction in the mempool, in a block.
  void double_spend() {
    std::vector<bitcoin::Transaction> others;
    for (const auto& [txid, transaction] : mempool) {
      others.push_back(make_dir_transaction(transaction.inputs[0].previous_output, Bytes(10, 7)));
    }
    mempool.clear();
    chain.push_back(mine_dir_block(tip_hash(), static_cast<std::uint32_t>(chain.size()),
                                   chain.back().header.time_s + 1, std::move(others)));
  }
  [[nodiscard]] Hash256 tip_hash() const { return bitcoin::block_hash(chain.back().header); }
  /// Payloads of the mempool and of the chain, as often as they occur.
  [[nodiscard]] std::multiset<Bytes> payloads() const {
    std::multiset<Bytes> found;
    const auto add = [&found](const bitcoin::Transaction& transaction) {
      for (const auto& output : transaction.outputs) {
        if (const auto payload = bitcoin::op_return_payload(output.script_pubkey)) {
          found.emplace(payload->begin(), payload->end());
        }
      }
    };
    for (const auto& [txid, transaction] : mempool) add(transaction);
    for (const auto& block : chain) {
      for (const auto& transaction : block.transactions) add(transaction);
    }
    return found;
  }
  [[nodiscard]] std::size_t count_of(const Hash256& link_hash) const {
    return payloads().count(anchor_payload(link_hash));
  }

  bitcoin::OutPoint next_coin() { return {sha256(as_bytes("coin")), next_coin_++}; }
  std::uint32_t next_lock_time() { return ++lock_time_; }

 private:
  std::uint32_t next_coin_ = 0;
  std::uint32_t lock_time_ = 0;
  std::uint32_t made_blocks_ = 0;
};

class SimulatedLedger final : public Ledger {
 public:
  explicit SimulatedLedger(SimulatedNode& node) : node_(node) {}
  /// Called before a transaction is sent.
  std::function<void(const Prepared&)> before_broadcast;

  Result<Tip> tip() override {
    TWINCHAIN_TRY(reach());
    const auto& header = node_.chain.back().header;
    return Tip{*network_by_name(node_.network), static_cast<std::uint32_t>(node_.chain.size() - 1),
               node_.tip_hash(), header.time_s};
  }
  Status ready_to_publish() override {
    TWINCHAIN_TRY(reach());
    if (!node_.wallet_ready) return fail(ExitCode::usage, "no wallet");
    return {};
  }
  Result<Prepared> prepare(ByteView payload) override {
    TWINCHAIN_TRY(reach());
    if (node_.wallet_empty) return fail(ExitCode::refuted, "wallet is empty", "fill it");
    ++node_.prepared;
    return make(node_.next_coin(), payload, node_.first_fee_sat);
  }
  Status broadcast(const Prepared& transaction, bool* fee_too_low) override {
    *fee_too_low = false;
    if (before_broadcast) before_broadcast(transaction);
    TWINCHAIN_TRY(reach());
    ++node_.broadcasts;
    const auto parsed = *bitcoin::parse_transaction(transaction.raw_transaction);
    if (position_of(transaction.txid) || node_.mempool.contains(transaction.txid)) return {};
    if (node_.unwelcome.contains(transaction.txid)) return fail(ExitCode::refuted, "unwelcome");
    if (transaction.fee_sat < node_.least_fee_sat) {
      *fee_too_low = true;
      return fail(ExitCode::refuted, "fee too low");
    }
    if (is_spent(parsed)) return fail(ExitCode::refuted, "missing inputs");
    for (const auto& [txid, other] : node_.mempool) {
      if (other.inputs[0].previous_output != parsed.inputs[0].previous_output) continue;
      if (!node_.replaces) return fail(ExitCode::refuted, "mempool conflict");
      node_.mempool.erase(txid);
      break;
    }
    node_.mempool[transaction.txid] = parsed;
    if (std::exchange(node_.loses_answer, false)) return fail(ExitCode::peer, "connection lost");
    return {};
  }
  void abandon(const Prepared&) override { ++node_.abandoned; }
  Result<TransactionStatus> status(const Hash256& txid) override {
    TWINCHAIN_TRY(reach());
    TransactionStatus status;
    if (const auto at = position_of(txid)) {
      status.place = TransactionPlace::block;
      status.height = static_cast<std::uint32_t>(*at);
      status.block_hash = bitcoin::block_hash(node_.chain[*at].header);
      status.depth = static_cast<std::uint32_t>(node_.chain.size() - *at);
    } else if (node_.mempool.contains(txid)) {
      status.place = TransactionPlace::mempool;
    } else if (const auto seen = node_.wallet.find(txid);
               seen != node_.wallet.end() && is_spent(seen->second)) {
      status.place = TransactionPlace::conflicted;
    }
    return status;
  }
  Result<Prepared> bump_fee(const Prepared& old) override {
    TWINCHAIN_TRY(reach());
    auto parsed = *bitcoin::parse_transaction(old.raw_transaction);
    const auto payload = bitcoin::op_return_payload(parsed.outputs[0].script_pubkey);
    return make(parsed.inputs[0].previous_output, *payload, old.fee_sat * 3 / 2);
  }
  Result<Receipt> receipt(const Hash256& txid, ByteView payload) override {
    TWINCHAIN_TRY(reach());
    const auto at = position_of(txid);
    if (!at) return fail(ExitCode::peer, "not in a block");
    const bitcoin::Block& block = node_.chain[*at];
    const auto ids = bitcoin::txids(block);
    const auto index =
        static_cast<std::size_t>(std::find(ids.begin(), ids.end(), txid) - ids.begin());
    Receipt receipt;
    receipt.network_magic = network_by_name("dir")->magic;
    std::copy(payload.begin() + anchor_tag.size(), payload.end(), receipt.link_hash.begin());
    receipt.transaction = bitcoin::serialize(block.transactions[index]);
    receipt.transaction_index = static_cast<std::uint32_t>(index);
    receipt.transaction_branch = bitcoin::merkle_branch(ids, index);
    receipt.coinbase = bitcoin::serialize(block.transactions[0]);
    receipt.coinbase_branch = bitcoin::merkle_branch(ids, 0);
    receipt.block_header = bitcoin::serialize(block.header);
    receipt.block_hash = bitcoin::block_hash(block.header);
    return receipt;
  }
  Result<BlockPosition> position(const Hash256& block_hash) override {
    TWINCHAIN_TRY(reach());
    BlockPosition position;
    for (std::size_t i = 0; i < node_.chain.size(); ++i) {
      if (bitcoin::block_hash(node_.chain[i].header) != block_hash) continue;
      position.on_best_chain = true;
      position.height = static_cast<std::uint32_t>(i);
      position.depth = static_cast<std::uint32_t>(node_.chain.size() - i);
    }
    return position;
  }
  [[nodiscard]] std::string trust_statement() const override { return "a simulation"; }

 private:
  Status reach() {
    if (node_.refusal) return std::unexpected(*node_.refusal);
    if (node_.away) return fail(ExitCode::peer, "node is away");
    return {};
  }
  Prepared make(const bitcoin::OutPoint& coin, ByteView payload, std::uint64_t fee_sat) {
    auto transaction = make_dir_transaction(coin, payload);
    transaction.lock_time = node_.next_lock_time();  // no two have the same id
    node_.wallet[bitcoin::txid(transaction)] = transaction;
    return {bitcoin::serialize(transaction), bitcoin::txid(transaction), fee_sat};
  }
  [[nodiscard]] std::optional<std::size_t> position_of(const Hash256& txid) const {
    for (std::size_t i = 0; i < node_.chain.size(); ++i) {
      for (const auto& transaction : node_.chain[i].transactions) {
        if (bitcoin::txid(transaction) == txid) return i;
      }
    }
    return std::nullopt;
  }
  [[nodiscard]] bool is_spent(const bitcoin::Transaction& transaction) const {
    for (const auto& block : node_.chain) {
      for (const auto& other : block.transactions) {
        if (other.inputs[0].previous_output == transaction.inputs[0].previous_output) return true;
      }
    }
    return false;
  }

  SimulatedNode& node_;
};

inline LinkReference make_link(std::string_view source, std::uint64_t number,
                               std::uint8_t record = 1) {
  LinkReference link;
  link.header.type = FrameType::link;
  link.header.source = source_id(source);
  link.header.sequence = number;
  link.header.window_start_ns = static_cast<std::int64_t>(number) - 5;
  link.header.window_end_ns = static_cast<std::int64_t>(number) + 5;
  link.record.fill(record);
  Bytes seed;
  append(seed, source);
  append_le(seed, number);
  append(seed, link.record);
  link.hash = sha256(ByteView(seed));
  return link;
}

/// An engine with its surroundings. What it emits and says is kept.
class Bench {
 public:
  Bench(SimulatedNode& node, AnchorJournal& journal, StillClock& clock,
        const AnchorSettings& settings)
      : ledger(node), clock_(clock), engine(ledger, journal, clock, settings, output()) {}

  struct Emitted {
    LinkReference link;
    Receipt receipt;
  };
  std::vector<Emitted> emitted;
  std::vector<std::string> told;
  std::optional<Error> output_fails;

  /// Calls step() until `duration_ns` have gone by, as a caller would. False: the engine gave up.
  bool run(std::uint64_t duration_ns = 0) {
    const std::uint64_t end = clock_.now_ns + duration_ns;
    while (true) {
      auto next = engine.step();
      if (!next) {
        fatal = next.error();
        return false;
      }
      ++steps;
      // A time in the past would make the caller spin.
      if (*next > end) break;
      clock_.now_ns = std::max(clock_.now_ns + 1'000'000, *next);
    }
    clock_.now_ns = end;
    return true;
  }
  [[nodiscard]] bool was_told(std::string_view part) const {
    return std::any_of(told.begin(), told.end(), [part](const std::string& line) {
      return line.find(part) != std::string::npos;
    });
  }

  SimulatedLedger ledger;
  std::optional<Error> fatal;
  std::size_t steps = 0;

 private:
  AnchorOutput output() {
    return {[this](const LinkReference& link, ByteView body) -> Status {
              if (output_fails) return std::unexpected(*output_fails);
              emitted.push_back({link, *parse_receipt(body)});
              return {};
            },
            [this](Notice, const std::string& line) { told.push_back(line); }};
  }
  StillClock& clock_;

 public:
  AnchorEngine engine;
};

}  // namespace twinchain::ledger::testing
