#include "twinchain/net/transaction_check.hpp"

#include "twinchain/bitcoin/opcodes.hpp"
#include "twinchain/bitcoin/script.hpp"
#include "twinchain/crypto/sha256.hpp"

namespace twinchain::net {
namespace {

// Bitcoin's LOCKTIME_THRESHOLD; BIP 68.
constexpr std::uint32_t lock_time_threshold = 500'000'000;
constexpr std::uint32_t final_sequence = 0xffffffff;
constexpr std::uint32_t sequence_disabled = 1U << 31;
constexpr std::uint32_t sequence_in_time = 1U << 22;
constexpr std::uint32_t sequence_mask = 0xffff;
constexpr unsigned sequence_time_shift = 9;  // units of 512 s
// CVE-2017-12842: a transaction that could be an inner node of a Merkle tree.
constexpr std::size_t merkle_node_size = 64;

/// "transaction: bad-txns-vin-empty" -> "bad-txns-vin-empty".
std::string reason_of(const Error& error) {
  constexpr std::string_view prefix = "transaction: ";
  const std::string_view message = error.message;
  return std::string(message.starts_with(prefix) ? message.substr(prefix.size()) : message);
}

std::uint64_t count_in_script(ByteView script) {
  std::uint64_t count = 0;
  bitcoin::ScriptReader reader(script);
  std::uint8_t last = 0xff;
  while (const auto operation = reader.next()) {
    switch (operation->opcode) {
      case bitcoin::OP_CHECKSIG:
      case bitcoin::OP_CHECKSIGVERIFY:
        ++count;
        break;
      case bitcoin::OP_CHECKMULTISIG:
      case bitcoin::OP_CHECKMULTISIGVERIFY:
        // The number of keys, where it can be seen.
        count += last >= bitcoin::OP_1 && last <= bitcoin::OP_16
                     ? static_cast<std::uint64_t>(last - bitcoin::OP_1 + 1)
                     : static_cast<std::uint64_t>(bitcoin::max_multisig_keys);
        break;
      default:
        break;
    }
    last = operation->opcode;
  }
  return count;
}

ByteView last_push(ByteView script_sig) {
  bitcoin::ScriptReader reader(script_sig);
  ByteView last;
  while (const auto operation = reader.next()) last = operation->data;
  return last;
}

/// BIP 68.
bool relative_locks_over(const bitcoin::Transaction& transaction, std::span<const Coin> coins,
                         const SpendContext& context) {
  if (static_cast<std::uint32_t>(transaction.version) < 2) return true;
  for (std::size_t i = 0; i < coins.size(); ++i) {
    const std::uint32_t sequence = transaction.inputs[i].sequence;
    if ((sequence & sequence_disabled) != 0) continue;
    const std::uint32_t wanted = sequence & sequence_mask;
    const std::uint32_t made = coins[i].height;
    if ((sequence & sequence_in_time) == 0) {
      if (context.height < std::uint64_t{made} + wanted) return false;
      continue;
    }
    // The time of a coin is that of the block before its own.
    const std::uint64_t since_s = made >= context.height
                                      ? context.median_time_s
                                      : context.median_time_at(made == 0 ? 0 : made - 1);
    if (context.median_time_s < since_s + (std::uint64_t{wanted} << sequence_time_shift)) {
      return false;
    }
  }
  return true;
}

}  // namespace

TransactionPtr share_transaction(bitcoin::Transaction transaction) {
  const Bytes raw = bitcoin::serialize(transaction, bitcoin::TxEncoding::no_witness);
  auto shared = std::make_shared<NetTransaction>();
  shared->tx = std::move(transaction);
  shared->txid = sha256d(raw);
  shared->size_bytes = raw.size();
  return shared;
}

Verdict read_transaction(const ChainParameters& parameters, ByteView raw, TransactionPtr& into) {
  if (raw.size() > parameters.transaction_limit_bytes) {
    return Verdict::invalid("bad-txns-oversize");
  }
  auto parsed = bitcoin::parse_transaction(raw, bitcoin::TxEncoding::no_witness, raw.size());
  if (!parsed) return Verdict::invalid(reason_of(parsed.error()));
  if (raw.size() == merkle_node_size) return Verdict::invalid("bad-txns-64-bytes");
  if (auto checked = bitcoin::check_transaction(*parsed, raw.size()); !checked) {
    return Verdict::invalid(reason_of(checked.error()));
  }
  auto transaction = std::make_shared<NetTransaction>();
  transaction->tx = std::move(*parsed);
  // There is one encoding only of what was parsed: these bytes.
  transaction->txid = sha256d(raw);
  transaction->size_bytes = raw.size();
  into = std::move(transaction);
  return {};
}

bool is_final(const bitcoin::Transaction& transaction, const SpendContext& context) {
  if (transaction.lock_time == 0) return true;
  const std::uint32_t now =
      transaction.lock_time < lock_time_threshold ? context.height : context.median_time_s;
  if (transaction.lock_time < now) return true;
  for (const bitcoin::TxIn& input : transaction.inputs) {
    if (input.sequence != final_sequence) return false;
  }
  return true;
}

std::uint64_t count_signature_operations(ByteView script_pubkey, ByteView script_sig) {
  std::uint64_t count = count_in_script(script_pubkey);
  if (bitcoin::is_pay_to_script_hash(script_pubkey))
    count += count_in_script(last_push(script_sig));
  return count;
}

Verdict check_spends(const ChainParameters& parameters, const NetTransaction& transaction,
                     std::span<const Coin> coins, const SpendContext& context, SpendCost& cost) {
  if (!is_final(transaction.tx, context)) return Verdict::refused("non-final");
  std::int64_t in_sat = 0;
  cost = {};
  for (std::size_t i = 0; i < coins.size(); ++i) {
    const Coin& coin = coins[i];
    if (coin.coinbase &&
        std::uint64_t{coin.height} + parameters.coinbase_maturity > context.height) {
      return Verdict::refused("bad-txns-premature-spend-of-coinbase");
    }
    in_sat += coin.value_sat;
    if (!bitcoin::is_money(coin.value_sat) || !bitcoin::is_money(in_sat)) {
      return Verdict::invalid("bad-txns-inputvalues-outofrange");
    }
    cost.signature_operations +=
        count_signature_operations(coin.script_pubkey, transaction.tx.inputs[i].script_sig);
  }
  std::int64_t out_sat = 0;
  for (const bitcoin::TxOut& output : transaction.tx.outputs) out_sat += output.value_sat;
  if (in_sat < out_sat) return Verdict::invalid("bad-txns-in-belowout");
  cost.fee_sat = in_sat - out_sat;
  if (cost.signature_operations > max_signature_hash_bytes / transaction.size_bytes) {
    return Verdict::invalid("bad-txns-too-many-sigops");
  }
  if (!relative_locks_over(transaction.tx, coins, context)) {
    return Verdict::refused("non-BIP68-final");
  }
  return {};
}

Verdict check_scripts(const NetTransaction& transaction, std::span<const Coin> coins) {
  const bitcoin::SignatureHasher hasher(transaction.tx);
  for (std::size_t i = 0; i < coins.size(); ++i) {
    const bitcoin::TransactionSignatureChecker checker(hasher, i);
    const bitcoin::ScriptError error = bitcoin::verify_script(
        transaction.tx.inputs[i].script_sig, coins[i].script_pubkey, chain_script_flags, checker);
    if (error != bitcoin::ScriptError::OK) {
      return Verdict::invalid("mandatory-script-verify-flag-failed (" +
                              std::string(bitcoin::name_of(error)) + ")");
    }
  }
  return {};
}

}  // namespace twinchain::net
