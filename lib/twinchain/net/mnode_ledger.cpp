#include "twinchain/net/mnode_ledger.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "twinchain/base/hex.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/bitcoin/merkle_branch.hpp"
#include "twinchain/bitcoin/script.hpp"
#include "twinchain/net/data_transaction.hpp"
#include "twinchain/net/header_line.hpp"
#include "twinchain/net/node_queries.hpp"
#include "twinchain/net/node_questions.hpp"
#include "twinchain/net/payer_key.hpp"

namespace twinchain::net {
namespace {

using ledger::Prepared;
using ledger::TransactionPlace;

/// Headers that came so recently are not asked for again.
constexpr std::uint64_t fresh_ns = 1'000'000'000;
/// A transaction that nothing is known of is looked for in so many of the newest blocks.
constexpr std::uint32_t blocks_to_look_back = 100;
/// No block so deep is expected to leave the chain.
constexpr std::uint32_t blocks_until_buried = 1'000;
/// How far beyond our headers a node's tip may be while it answers.
constexpr std::uint32_t blocks_ahead = 100;
constexpr std::size_t anchor_overhead_bytes = 4 + 1 + 1 + (8 + 1 + 25) + (8 + 1) + 4;

class MnodeLedger final : public ledger::Ledger {
 public:
  MnodeLedger(std::string name, LinkToNode connect, Clock& clock,
              const ledger::LedgerOptions& ledger_options, const MnodeLedgerOptions& options)
      : name_(std::move(name)),
        clock_(clock),
        fee_rate_sat_(
            static_cast<std::int64_t>(std::ceil(ledger_options.fee_rate_sat_per_vbyte * 1000))),
        payer_key_file_(options.payer_key_file),
        rules_are_told_(!options.parameters),
        node_(std::move(connect), ledger_options, options.parameters) {}

  Result<ledger::Tip> tip() override {
    TWINCHAIN_TRY(follow());
    return ledger::Tip{*network_, line_->height(), line_->tip().hash, line_->tip().time_s};
  }

  Status ready_to_publish() override { return read_key(); }

  Result<Prepared> prepare(ByteView payload) override {
    TWINCHAIN_TRY(read_key());
    TWINCHAIN_TRY(follow_unless_fresh());
    auto coins = node_.ask<Coins>(GetCoins{script_});
    if (!coins) return pass(coins);
    std::erase_if(coins->coins,
                  [this](const WireCoin& coin) { return is_reserved(coin.outpoint); });
    std::ranges::stable_sort(coins->coins, std::greater<>(), &WireCoin::value_sat);
    Spend spend;
    for (const WireCoin& coin : coins->coins) {
      if (spend.coins.size() == max_payment_inputs) break;
      if (coin.value_sat <= 0 || coin.value_sat > max_money_sat - spend.value_sat) continue;
      spend.coins.push_back(coin.outpoint);
      spend.value_sat += coin.value_sat;
      spend.fee_sat = fee_sat(rate_sat(), size_of(spend.coins.size(), payload));
      if (spend.value_sat > spend.fee_sat) return sign(spend, payload, line_->height());
    }
    return fail(ExitCode::refuted,
                "the key of " + escape(payer_key_file_) + " has " + decimal(spend.value_sat) +
                    " satoshi at hand, which does not pay for an anchor",
                "send it some: its script is " + to_hex(script_));
  }

  Status broadcast(const Prepared& transaction, bool* fee_too_low) override {
    if (fee_too_low != nullptr) *fee_too_low = false;
    track(transaction);
    auto answer = node_.ask<Verdicts>(Submit{{transaction.raw_transaction}});
    if (!answer) return pass(answer);
    if (answer->verdicts.size() != 1 || answer->verdicts[0].txid != transaction.txid) {
      node_.drop();
      return fail(ExitCode::malformed, "the node answers for another transaction");
    }
    return judge(answer->verdicts[0], fee_too_low);
  }

  void abandon(const Prepared& transaction) override { tracked_.erase(transaction.txid); }

  void remember(const Prepared& transaction) override { track(transaction); }

  Result<ledger::TransactionStatus> status(const Hash256& txid) override {
    TWINCHAIN_TRY(follow_unless_fresh());
    Tracked& one = tracked_[txid];
    if (one.found && !line_->find(bitcoin::block_hash(one.found->header))) one.found.reset();
    ledger::TransactionStatus status;
    if (!one.found) {
      auto place = look_for(txid, one);
      if (!place) return pass(place);
      status.place = *place;
      if (*place != TransactionPlace::block) return status;
    }
    status.place = TransactionPlace::block;
    status.block_hash = bitcoin::block_hash(one.found->header);
    status.height = *line_->find(status.block_hash);
    status.depth = line_->height() - status.height + 1;
    return status;
  }

  Result<Prepared> bump_fee(const Prepared& old) override {
    TWINCHAIN_TRY(read_key());
    TWINCHAIN_TRY(follow_unless_fresh());
    auto tx = bitcoin::parse_transaction(old.raw_transaction, bitcoin::TxEncoding::no_witness);
    if (!tx) return pass(tx);
    Spend spend;
    spend.value_sat = static_cast<std::int64_t>(old.fee_sat);
    std::optional<Bytes> payload;
    for (const bitcoin::TxOut& output : tx->outputs) {
      spend.value_sat += output.value_sat;
      const auto found = bitcoin::op_return_payload(output.script_pubkey);
      if (found) payload = Bytes(found->begin(), found->end());
    }
    if (!payload) return fail(ExitCode::bug, "transaction to replace has no payload");
    for (const bitcoin::TxIn& input : tx->inputs) spend.coins.push_back(input.previous_output);
    const std::size_t size = size_of(spend.coins.size(), *payload);
    const auto old_fee_sat = static_cast<std::int64_t>(old.fee_sat);
    spend.fee_sat = std::max({old_fee_sat + old_fee_sat / 2,
                              old_fee_sat + fee_sat(parameters().min_fee_rate_sat, size) + 1,
                              fee_sat(rate_sat(), size)});
    if (spend.value_sat <= spend.fee_sat) {
      return fail(ExitCode::refuted, "the coins of the transaction do not pay a higher fee");
    }
    return sign(spend, *payload, tx->lock_time);
  }

  Result<ledger::Receipt> receipt(const Hash256& txid, ByteView payload) override {
    auto place = status(txid);
    if (!place) return pass(place);
    if (place->place != TransactionPlace::block) {
      return fail(ExitCode::peer,
                  "transaction " + to_hex_reversed(txid) + " is not in a block of the best chain");
    }
    forget_buried(txid);
    const Tracked& one = tracked_[txid];
    if (one.raw.empty()) return fail(ExitCode::bug, "transaction was not made here");
    ledger::Receipt receipt;
    receipt.network_magic = network_->magic;
    receipt.genesis = network_->genesis();
    if (payload.size() == ledger::anchor_tag.size() + receipt.link_hash.size()) {
      std::copy(payload.begin() + ledger::anchor_tag.size(), payload.end(),
                receipt.link_hash.begin());
    }
    receipt.transaction = one.raw;
    receipt.transaction_index = one.found->position;
    receipt.transaction_branch = one.found->branch;
    receipt.coinbase = one.found->coinbase;
    receipt.coinbase_branch = one.found->coinbase_branch;
    receipt.block_header = bitcoin::serialize(one.found->header);
    receipt.block_hash = place->block_hash;
    // What the node said is proof now, or it is not: nothing is taken on trust.
    auto facts = ledger::check_receipt(receipt);
    if (facts && facts->height != place->height) {
      facts = fail(ExitCode::refuted, "receipt: coinbase states another height than the block has");
    }
    if (!facts) {
      node_.drop();
      facts.error().message = "node's answers do not prove the anchor: " + facts.error().message;
      return pass(facts);
    }
    return receipt;
  }

  Result<ledger::BlockPosition> position(const Hash256& block_hash) override {
    TWINCHAIN_TRY(follow_unless_fresh());
    ledger::BlockPosition position;
    const auto height = line_->find(block_hash);
    if (!height) return position;
    position.on_best_chain = true;
    position.height = *height;
    position.depth = line_->height() - *height + 1;
    position.time_s = line_->at(*height).time_s;
    return position;
  }

  Result<std::vector<bitcoin::BlockHeaderBytes>> headers(std::uint32_t first_height,
                                                         std::uint32_t count) override {
    TWINCHAIN_TRY(follow_unless_fresh());
    std::vector<bitcoin::BlockHeaderBytes> out;
    std::uint64_t next = first_height;
    if (next == 0 && count > 0) {
      out.push_back(bitcoin::serialize(genesis_block(parameters()).header));
      next = 1;
    }
    while (out.size() < count && next <= line_->height()) {
      const Hash256& before = line_->at(static_cast<std::uint32_t>(next - 1)).hash;
      auto answer = node_.ask<Headers>(GetHeaders{{before}});
      if (!answer) return pass(answer);
      const std::size_t had = out.size();
      for (const bitcoin::BlockHeader& header : answer->headers) {
        if (out.size() == count || next > line_->height()) break;
        // Only what was checked; after a reorganisation there is less.
        if (bitcoin::block_hash(header) != line_->at(static_cast<std::uint32_t>(next)).hash) break;
        out.push_back(bitcoin::serialize(header));
        ++next;
      }
      if (out.size() == had) break;
    }
    return out;
  }

  [[nodiscard]] std::string trust_statement() const override {
    std::string text = "to forge this takes the ";
    text += line_ ? bitcoin::work_text(line_->work()) : "";
    text += " hashes of all headers, which were checked; that no branch has more is the word of ";
    text += name_;
    if (rules_are_told_) text += ", and so are the rules";
    return text;
  }

 private:
  struct Tracked {
    Bytes raw;
    std::vector<bitcoin::OutPoint> coins;      ///< that it spends
    std::optional<std::uint32_t> next_height;  ///< blocks before it do not have it
    std::optional<FoundTransaction> found;     ///< in a block, and proven
  };
  struct Spend {
    std::vector<bitcoin::OutPoint> coins;
    std::int64_t value_sat = 0;
    std::int64_t fee_sat = 0;
  };

  [[nodiscard]] const ChainParameters& parameters() const { return *node_.parameters(); }
  [[nodiscard]] std::int64_t rate_sat() const {
    return std::max(fee_rate_sat_, parameters().min_fee_rate_sat);
  }
  static std::size_t size_of(std::size_t inputs, ByteView payload) {
    return anchor_overhead_bytes + inputs * signed_input_bytes +
           bitcoin::op_return_script(payload).size();
  }

  Status read_key() {
    if (key_) return {};
    if (payer_key_file_.empty()) {
      return fail(ExitCode::usage, "anchors in this ledger need a key that pays for them",
                  "--payer FILE; twin-tx key makes one");
    }
    auto key = read_payer_key(real_fs(), payer_key_file_);
    if (!key) return pass(key);
    script_ = pay_to_key_hash_script(key->public_key());
    key_ = std::move(*key);
    return {};
  }

  /// Takes the node's headers up to its tip.
  Status follow() {
    TWINCHAIN_TRY(node_.connect());
    if (!line_) {
      line_.emplace(parameters());
      network_ = ledger_network(parameters());
    }
    while (true) {
      auto answer = node_.ask<Headers>(GetHeaders{line_->locator()});
      if (!answer) return pass(answer);
      auto taken = line_->take(answer->headers, clock_.wall_ns() / 1'000'000'000);
      if (!taken) {
        line_->end_answers();
        node_.drop();
        taken.error().message = name_ + ": " + taken.error().message;
        return taken;
      }
      if (answer->headers.size() < max_wire_headers) break;
    }
    line_->end_answers();
    followed_ns_ = clock_.monotonic_ns();
    if (const auto fork = line_->take_fork()) {
      for (auto& [txid, one] : tracked_) {
        if (one.next_height) one.next_height = std::min(*one.next_height, *fork + 1);
      }
    }
    return {};
  }
  Status follow_unless_fresh() {
    if (line_ && followed_ns_ && clock_.monotonic_ns() - *followed_ns_ < fresh_ns) return {};
    return follow();
  }

  void track(const Prepared& transaction) {
    Tracked& one = tracked_[transaction.txid];
    if (!one.raw.empty()) return;
    one.raw = transaction.raw_transaction;
    const auto tx =
        bitcoin::parse_transaction(transaction.raw_transaction, bitcoin::TxEncoding::no_witness);
    if (!tx) return;
    for (const bitcoin::TxIn& input : tx->inputs) one.coins.push_back(input.previous_output);
    // sign() has left there how high the chain was.
    one.next_height = tx->lock_time;
  }
  /// What is so deep that no reorganisation brings it back, but for one.
  void forget_buried(const Hash256& kept) {
    std::erase_if(tracked_, [&](const auto& entry) {
      if (!entry.second.found || entry.first == kept) return false;
      const auto height = line_->find(bitcoin::block_hash(entry.second.found->header));
      return height && line_->height() - *height > blocks_until_buried;
    });
  }
  [[nodiscard]] bool is_reserved(const bitcoin::OutPoint& coin) const {
    return std::ranges::any_of(tracked_, [&](const auto& entry) {
      return !entry.second.found &&
             std::ranges::find(entry.second.coins, coin) != entry.second.coins.end();
    });
  }

  Result<Prepared> sign(const Spend& spend, ByteView payload, std::uint32_t height) {
    bitcoin::Transaction tx;
    tx.version = 2;
    // Without effect, because all inputs are final: it says from which block on to look for it.
    tx.lock_time = height;
    for (const bitcoin::OutPoint& coin : spend.coins) {
      tx.inputs.push_back({coin, {}, 0xffffffff, {}});
    }
    tx.outputs.push_back({spend.value_sat - spend.fee_sat, script_});
    tx.outputs.push_back({0, bitcoin::op_return_script(payload)});
    sign_inputs(tx, *key_, script_);
    Prepared prepared{bitcoin::serialize(tx, bitcoin::TxEncoding::no_witness), bitcoin::txid(tx),
                      static_cast<std::uint64_t>(spend.fee_sat)};
    track(prepared);
    return prepared;
  }

  static Status judge(const TransactionVerdict& verdict, bool* fee_too_low) {
    const std::string reason = escape(verdict.reason, max_wire_reason_bytes);
    switch (verdict.outcome) {
      case Outcome::accepted:
      case Outcome::known:
        return {};
      case Outcome::incomplete:
        return fail(ExitCode::refuted, "the node lacks what the transaction spends: " + reason);
      case Outcome::refused:
        break;
      default:
        return fail(ExitCode::refuted, "the node refuses the transaction: " + reason);
    }
    if (reason == "min relay fee not met") {
      if (fee_too_low != nullptr) *fee_too_low = true;
      return fail(ExitCode::refuted, "the fee is too low for the node: " + reason);
    }
    if (reason == "mempool full" || reason == "too-long-mempool-chain") {
      return fail(ExitCode::peer, "the node takes no more transactions now: " + reason);
    }
    return fail(ExitCode::refuted, "the node refuses the transaction: " + reason);
  }

  /// Sets one.found when it is in a block.
  Result<TransactionPlace> look_for(const Hash256& txid, Tracked& one) {
    if (!one.next_height) {
      one.next_height = line_->height() - std::min(line_->height(), blocks_to_look_back);
    }
    // A tip that the node claims cannot make us ask for ever.
    const std::uint64_t end = std::uint64_t{line_->height()} + blocks_ahead;
    for (std::uint64_t from = *one.next_height;;) {
      auto answer =
          node_.ask<FoundTransaction>(FindTransaction{txid, static_cast<std::uint32_t>(from)});
      if (!answer) return pass(answer);
      if (answer->txid != txid) return lied("it answers for another transaction");
      if (answer->place == FoundTransaction::Place::pool) return TransactionPlace::mempool;
      if (answer->place == FoundTransaction::Place::block) {
        TWINCHAIN_TRY(check_found(*answer));
        one.found = std::move(*answer);
        return TransactionPlace::block;
      }
      from += TransactionFinder::blocks_a_question;
      const std::uint64_t last = std::min(std::uint64_t{answer->tip_height}, end);
      if (from > last) {
        // The newest block is looked into again: the node may have taken it since our headers.
        one.next_height =
            std::min(std::max(*one.next_height, line_->height()), static_cast<std::uint32_t>(last));
        return TransactionPlace::unknown;
      }
    }
  }
  Status check_found(const FoundTransaction& found) {
    const Hash256 block = bitcoin::block_hash(found.header);
    if (!line_->find(block)) TWINCHAIN_TRY(follow());
    if (!line_->find(block)) {
      return fail(ExitCode::peer, name_ + " is changing to another branch");
    }
    const auto root = bitcoin::root_from_branch(found.txid, found.position, found.branch);
    if (!root || *root != found.header.merkle_root) {
      return lied("the transaction is not in the block that it names");
    }
    return {};
  }
  std::unexpected<Error> lied(const std::string& what) {
    node_.drop();
    return fail(ExitCode::malformed, name_ + ": " + what);
  }

  std::string name_;
  Clock& clock_;
  std::int64_t fee_rate_sat_;
  std::string payer_key_file_;
  bool rules_are_told_;
  NodeQuestions node_;
  std::optional<EcdsaSecretKey> key_;
  Bytes script_;
  std::optional<ledger::Network> network_;
  std::optional<HeaderLine> line_;
  std::optional<std::uint64_t> followed_ns_;
  std::map<Hash256, Tracked> tracked_;
};

}  // namespace

std::unique_ptr<ledger::Ledger> make_mnode_ledger(const std::string& name, LinkToNode connect,
                                                  Clock& clock,
                                                  const ledger::LedgerOptions& ledger_options,
                                                  const MnodeLedgerOptions& options) {
  return std::make_unique<MnodeLedger>(name, std::move(connect), clock, ledger_options, options);
}

}  // namespace twinchain::net
