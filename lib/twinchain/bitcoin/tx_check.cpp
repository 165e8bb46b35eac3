#include "twinchain/bitcoin/tx_check.hpp"

#include <algorithm>
#include <string>

#include "twinchain/bitcoin/compact_size.hpp"

namespace twinchain::bitcoin {
namespace {

Status refuse_transaction(std::string_view reason) {
  return fail(ExitCode::refuted, "transaction: " + std::string(reason));
}

/// Of the encoding without witness, without making it.
std::size_t size_without_witness(const Transaction& transaction) {
  std::size_t size = 4 + 4;
  size += compact_size_bytes(transaction.inputs.size());
  for (const TxIn& input : transaction.inputs) {
    size += 32 + 4 + 4 + compact_size_bytes(input.script_sig.size()) + input.script_sig.size();
  }
  size += compact_size_bytes(transaction.outputs.size());
  for (const TxOut& output : transaction.outputs) {
    size += 8 + compact_size_bytes(output.script_pubkey.size()) + output.script_pubkey.size();
  }
  return size;
}

Status check_amounts(const Transaction& transaction) {
  std::int64_t total_sat = 0;
  for (const TxOut& output : transaction.outputs) {
    if (output.value_sat < 0) return refuse_transaction("bad-txns-vout-negative");
    if (output.value_sat > max_money_sat) return refuse_transaction("bad-txns-vout-toolarge");
    // Both are within range, so that the sum cannot overflow.
    total_sat += output.value_sat;
    if (!is_money(total_sat)) return refuse_transaction("bad-txns-txouttotal-toolarge");
  }
  return {};
}

/// Sorted, because transactions of thousands of inputs are somebody's to make.
bool spends_twice(const Transaction& transaction) {
  std::vector<const OutPoint*> spent;
  spent.reserve(transaction.inputs.size());
  for (const TxIn& input : transaction.inputs) spent.push_back(&input.previous_output);
  std::sort(spent.begin(), spent.end(), [](const OutPoint* a, const OutPoint* b) {
    return a->txid != b->txid ? a->txid < b->txid : a->index < b->index;
  });
  return std::adjacent_find(spent.begin(), spent.end(), [](const OutPoint* a, const OutPoint* b) {
           return *a == *b;
         }) != spent.end();
}

}  // namespace

Status check_transaction(const Transaction& transaction, std::size_t max_size) {
  if (transaction.inputs.empty()) return refuse_transaction("bad-txns-vin-empty");
  if (transaction.outputs.empty()) return refuse_transaction("bad-txns-vout-empty");
  if (size_without_witness(transaction) > max_size) {
    return refuse_transaction("bad-txns-oversize");
  }
  TWINCHAIN_TRY(check_amounts(transaction));
  if (spends_twice(transaction)) return refuse_transaction("bad-txns-inputs-duplicate");
  if (transaction.is_coinbase()) {
    const std::size_t size = transaction.inputs[0].script_sig.size();
    if (size < 2 || size > 100) return refuse_transaction("bad-cb-length");
    return {};
  }
  for (const TxIn& input : transaction.inputs) {
    if (input.previous_output.is_null()) return refuse_transaction("bad-txns-prevout-null");
  }
  return {};
}

}  // namespace twinchain::bitcoin
