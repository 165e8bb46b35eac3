#include "twinchain/ledger/rpc_ledger.hpp"

#include <algorithm>
#include <cmath>

#include "twinchain/base/hex.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/bitcoin/merkle_branch.hpp"
#include "twinchain/bitcoin/script.hpp"
#include "twinchain/bitcoin/tx.hpp"
#include "twinchain/ledger/rpc_node.hpp"

namespace twinchain::ledger {
namespace {

/// Signals that the transaction may be replaced by one with a higher fee (BIP 125).
constexpr std::uint32_t replaceable_sequence = 0xfffffffd;
/// Change below this is not cut further for a fee: it stays above what nodes relay ("dust", 5,460
/// on Litecoin) and can be spent later.
constexpr std::int64_t least_change_sat = 10'000;
constexpr double bump_factor = 1.5;
/// A replacement must pay for its own relay: 1 sat/vbyte by default (Bitcoin Core's
/// DEFAULT_INCREMENTAL_RELAY_FEE), and a little for rounding.
constexpr double bump_step_sat_per_vbyte = 1.1;

std::uint64_t virtual_size(const bitcoin::Transaction& transaction, std::size_t full_size) {
  const std::size_t stripped =
      bitcoin::serialize(transaction, bitcoin::TxEncoding::no_witness).size();
  return (3 * stripped + full_size + 3) / 4;  // BIP 141, rounded up
}

/// The payload of the only data output. Nothing when there is none, or more than one.
std::optional<Bytes> payload_of(const bitcoin::Transaction& transaction) {
  std::optional<Bytes> found;
  for (const bitcoin::TxOut& output : transaction.outputs) {
    if (const auto payload = bitcoin::op_return_payload(output.script_pubkey)) {
      if (found) return std::nullopt;
      found = Bytes(payload->begin(), payload->end());
    }
  }
  return found;
}

std::vector<bitcoin::OutPoint> spent_by(const bitcoin::Transaction& transaction) {
  std::vector<bitcoin::OutPoint> outputs;
  outputs.reserve(transaction.inputs.size());
  for (const bitcoin::TxIn& input : transaction.inputs) outputs.push_back(input.previous_output);
  return outputs;
}

class RpcLedger final : public Ledger {
 public:
  RpcLedger(std::string family, std::unique_ptr<RpcConnection> connection,
            const LedgerOptions& options)
      : family_(std::move(family)),
        fee_rate_(options.fee_rate_sat_per_vbyte),
        node_(std::move(connection)) {}

  Result<Tip> tip() override {
    TWINCHAIN_TRY(find_network());
    auto hash = node_.best_block();
    if (!hash) return pass(hash);
    auto info = node_.block_info(*hash);
    if (!info) return pass(info);
    if (!*info) return fail(ExitCode::peer, "node does not know its own newest block");
    return Tip{*network_, (*info)->height, *hash, (*info)->time_s};
  }

  Status ready_to_publish() override { return node_.check_wallet(); }

  Result<Prepared> prepare(ByteView payload) override {
    auto funded = node_.fund({}, payload, fee_rate_);
    if (!funded) return pass(funded);
    return sign(funded->raw_transaction, funded->fee_sat, payload);
  }

  Status broadcast(const Prepared& transaction, bool* fee_too_low) override {
    if (fee_too_low != nullptr) *fee_too_low = false;
    auto sent = node_.send(transaction.raw_transaction);
    if (!sent) return pass(sent);
    using Outcome = RpcNode::SendOutcome;
    switch (sent->outcome) {
      case Outcome::accepted:
        return {};
      case Outcome::fee_too_low:
        if (fee_too_low != nullptr) *fee_too_low = true;
        return fail(ExitCode::refuted, "the fee is too low for the node: " + sent->reason);
      case Outcome::busy:
        return fail(
            ExitCode::peer,
            "the node takes no more unconfirmed transactions of the wallet: " + sent->reason);
      case Outcome::fee_too_high:
        return fail(ExitCode::usage, "the fee is too high for the node: " + sent->reason,
                    "give a lower --fee-rate; it is in satoshi per vbyte");
      case Outcome::refused:
        break;
    }
    return fail(ExitCode::refuted, "the node refuses the transaction: " + sent->reason);
  }

  void abandon(const Prepared& transaction) override {
    if (const auto parsed = bitcoin::parse_transaction(transaction.raw_transaction)) {
      (void)node_.lock_outputs(spent_by(*parsed), false);  // a restart of the node does it too
    }
  }

  Result<TransactionStatus> status(const Hash256& txid) override {
    TransactionStatus status;
    auto block = block_of(txid, &status);
    if (!block) return pass(block);
    if (*block) {
      auto info = node_.block_info(**block);
      if (!info) return pass(info);
      if (*info && (*info)->depth > 0) {
        status.place = TransactionPlace::block;
        status.height = (*info)->height;
        status.block_hash = **block;
        status.depth = (*info)->depth;
        return status;
      }
    }
    if (status.place == TransactionPlace::conflicted) return status;
    auto entry = node_.mempool_entry(txid);
    if (!entry) return pass(entry);
    if (*entry) status.place = TransactionPlace::mempool;
    return status;
  }

  Result<Prepared> bump_fee(const Prepared& old) override {
    auto parsed = bitcoin::parse_transaction(old.raw_transaction);
    if (!parsed) return pass(parsed);
    const auto payload = payload_of(*parsed);
    if (!payload) return fail(ExitCode::bug, "transaction to replace has no payload");
    auto entry = node_.mempool_entry(old.txid);
    if (!entry) return pass(entry);
    if (*entry && (*entry)->descendants > 1) {
      return fail(ExitCode::refuted,
                  "further unconfirmed transactions build on this one, and would go with it");
    }
    auto minimum = node_.minimum_fee_rate();
    if (!minimum) return pass(minimum);
    const std::uint64_t size = virtual_size(*parsed, old.raw_transaction.size());
    const double old_rate = static_cast<double>(old.fee_sat) / static_cast<double>(size);
    const double rate = std::max(
        {old_rate * bump_factor, old_rate + bump_step_sat_per_vbyte, *minimum * 1.1, fee_rate_});
    const auto fee_sat = static_cast<std::uint64_t>(std::ceil(rate * static_cast<double>(size)));

    for (bitcoin::TxIn& input : parsed->inputs) {
      input.script_sig.clear();
      input.witness.clear();
      input.sequence = std::min(input.sequence, replaceable_sequence);
    }
    if (auto cut = pay_from_change(*parsed, static_cast<std::int64_t>(fee_sat - old.fee_sat))) {
      return sign(bitcoin::serialize(*cut), fee_sat, *payload);
    }
    // The change does not carry it: the wallet adds an input, but never the output that the old
    // transaction made, which is gone when the new one replaces it.
    std::vector<bitcoin::OutPoint> own;
    own.reserve(parsed->outputs.size());
    for (std::uint32_t i = 0; i < parsed->outputs.size(); ++i) own.push_back({old.txid, i});
    TWINCHAIN_TRY(node_.lock_outputs(own, true));
    auto funded = node_.fund(parsed->inputs, *payload, rate);
    if (!funded) return pass(funded);
    return sign(funded->raw_transaction, funded->fee_sat, *payload);
  }

  Result<Receipt> receipt(const Hash256& txid, ByteView payload) override {
    TWINCHAIN_TRY(find_network());
    auto place = status(txid);
    if (!place) return pass(place);
    if (place->place != TransactionPlace::block) {
      return fail(ExitCode::peer,
                  "transaction " + to_hex_reversed(txid) + " is not in a block of the best chain");
    }
    const Hash256& block_hash = place->block_hash;
    auto header = node_.block_header(block_hash);
    if (!header) return pass(header);
    auto txids = node_.block_txids(block_hash);
    if (!txids) return pass(txids);
    const auto found = std::find(txids->begin(), txids->end(), txid);
    if (found == txids->end()) {
      return fail(ExitCode::malformed,
                  "node's block " + to_hex_reversed(block_hash) + " does not list the transaction");
    }
    const auto index = static_cast<std::size_t>(found - txids->begin());
    auto transaction = stripped_transaction(txid, block_hash);
    if (!transaction) return pass(transaction);
    auto coinbase = stripped_transaction(txids->front(), block_hash);
    if (!coinbase) return pass(coinbase);

    Receipt receipt;
    receipt.network_magic = network_->magic;
    if (payload.size() == anchor_tag.size() + receipt.link_hash.size()) {
      std::copy(payload.begin() + anchor_tag.size(), payload.end(), receipt.link_hash.begin());
    }
    receipt.transaction = std::move(*transaction);
    receipt.transaction_index = static_cast<std::uint32_t>(index);
    receipt.transaction_branch = bitcoin::merkle_branch(*txids, index);
    receipt.coinbase = std::move(*coinbase);
    receipt.coinbase_branch = bitcoin::merkle_branch(*txids, 0);
    receipt.block_header = *header;
    receipt.block_hash = block_hash;
    // What the node said is proof now, or it is not: nothing is taken on trust.
    if (auto facts = check_receipt(receipt); !facts) {
      facts.error().message = "node's answers do not prove the anchor: " + facts.error().message;
      return pass(facts);
    }
    return receipt;
  }

  Result<BlockPosition> position(const Hash256& block_hash) override {
    auto info = node_.block_info(block_hash);
    if (!info) return pass(info);
    BlockPosition position;
    if (!*info) return position;
    position.on_best_chain = (*info)->depth > 0;
    position.height = (*info)->height;
    position.depth = (*info)->depth;
    position.time_s = (*info)->time_s;
    return position;
  }

  Result<std::vector<bitcoin::BlockHeaderBytes>> headers(std::uint32_t first_height,
                                                         std::uint32_t count) override {
    TWINCHAIN_TRY(find_network());
    return node_.headers(first_height, count);
  }

  [[nodiscard]] std::string trust_statement() const override {
    const std::string name = network_ ? std::string(network_->name) : family_;
    if (network_ && network_->trivial) {
      return name + " is a network for tests: anyone can make its blocks at no cost";
    }
    return "as much work as the best chain of " + name + " has would be needed to forge this";
  }

 private:
  /// By the genesis block, because the node's own name for its chain is the same in both families.
  Status find_network() {
    if (network_) return {};
    auto genesis = node_.block_at(0);
    if (!genesis) return pass(genesis);
    for (const Network& network : networks()) {
      if (network.genesis() != *genesis) continue;
      const std::string_view name = network.name;
      if (name != family_ && !name.starts_with(family_ + "-")) {
        return fail(
            ExitCode::usage, "this is a node of " + std::string(name) + ", not of " + family_,
            "give its URL as " + std::string(name.substr(0, name.find('-'))) + ":http://HOST:PORT");
      }
      network_ = network;
      return {};
    }
    return fail(ExitCode::usage, "node's chain begins with block " + to_hex_reversed(*genesis) +
                                     ", which is of no network known here");
  }

  /// The block that holds a transaction, also one that is not in the best chain any more. Sets
  /// status->place when another transaction has taken its inputs.
  Result<std::optional<Hash256>> block_of(const Hash256& txid, TransactionStatus* status) {
    auto entry = node_.wallet_transaction(txid);
    if (!entry && entry.error().code != ExitCode::usage) return pass(entry);
    if (entry && *entry) {
      if ((*entry)->confirmations < 0) status->place = TransactionPlace::conflicted;
      return (*entry)->block_hash;
    }
    // Not the wallet's, or there is no wallet: nodes with -txindex know all the same.
    auto indexed = node_.indexed_block_of(txid);
    if (!indexed && !entry) return pass(entry);
    return indexed;
  }

  Result<Bytes> stripped_transaction(const Hash256& txid, const Hash256& block_hash) {
    auto raw = node_.block_transaction(txid, block_hash);
    if (!raw) return pass(raw);
    return bitcoin::strip_witness(*raw);
  }

  /// Takes from the change; nothing when there is not exactly one output that can be it, or too
  /// little would remain.
  static std::optional<bitcoin::Transaction> pay_from_change(bitcoin::Transaction transaction,
                                                             std::int64_t amount_sat) {
    bitcoin::TxOut* change = nullptr;
    for (bitcoin::TxOut& output : transaction.outputs) {
      if (bitcoin::op_return_payload(output.script_pubkey)) continue;
      if (change != nullptr) return std::nullopt;
      change = &output;
    }
    if (change == nullptr || amount_sat < 0 || change->value_sat < least_change_sat + amount_sat) {
      return std::nullopt;
    }
    change->value_sat -= amount_sat;
    return transaction;
  }

  Result<Prepared> sign(ByteView raw_transaction, std::uint64_t fee_sat, ByteView payload) {
    auto unsigned_transaction = parse_ours(raw_transaction);
    if (!unsigned_transaction) return pass(unsigned_transaction);
    if (unsigned_transaction->inputs.empty()) {
      return fail(ExitCode::refuted, "the wallet's money is not in ordinary outputs",
                  "Litecoin: coins in the extension block (MWEB) cannot pay for an anchor; send "
                  "some to an address of getnewaddress \"\" bech32");
    }
    auto raw = node_.sign(raw_transaction);
    if (!raw) {
      (void)node_.lock_outputs(spent_by(*unsigned_transaction), false);
      return pass(raw);
    }
    auto parsed = parse_ours(*raw);
    if (!parsed) return pass(parsed);
    const auto found = payload_of(*parsed);
    if (!found || !std::equal(found->begin(), found->end(), payload.begin(), payload.end()) ||
        parsed->inputs.empty()) {
      return fail(ExitCode::malformed, "node made a transaction without the payload");
    }
    return Prepared{std::move(*raw), bitcoin::txid(*parsed), fee_sat};
  }
  /// A transaction from the node.
  static Result<bitcoin::Transaction> parse_ours(ByteView raw) {
    // Without inputs the bytes look like the beginning of the witness form.
    auto parsed = bitcoin::parse_transaction(raw);
    if (!parsed) parsed = bitcoin::parse_transaction(raw, bitcoin::TxEncoding::no_witness);
    if (!parsed) parsed.error().message = "node's answer: " + parsed.error().message;
    return parsed;
  }

  std::string family_;
  double fee_rate_;
  RpcNode node_;
  std::optional<Network> network_;
};

}  // namespace

std::unique_ptr<Ledger> make_rpc_ledger(const std::string& family,
                                        std::unique_ptr<RpcConnection> connection,
                                        const LedgerOptions& options) {
  return std::make_unique<RpcLedger>(family, std::move(connection), options);
}

Result<std::unique_ptr<Ledger>> open_rpc_ledger(const std::string& family,
                                                const std::string& http_url,
                                                const LedgerOptions& options) {
  auto connection = open_rpc_connection(http_url, options);
  if (!connection) return pass(connection);
  return make_rpc_ledger(family, std::move(*connection), options);
}

}  // namespace twinchain::ledger
