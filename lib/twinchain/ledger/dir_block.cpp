#include "twinchain/ledger/dir_block.hpp"

#include <algorithm>
#include <string_view>

#include "twinchain/bitcoin/merkle_branch.hpp"
#include "twinchain/bitcoin/pow.hpp"
#include "twinchain/bitcoin/script.hpp"
#include "twinchain/ledger/network.hpp"

namespace twinchain::ledger {
namespace {

using bitcoin::Block;
using bitcoin::Transaction;

constexpr std::string_view coinbase_tag = "twinchain dir ledger";
// 2025-01-01T00:00:00Z.
constexpr std::uint32_t genesis_time_s = 1'735'689'600;
// BIP 9: no signals.
constexpr std::int32_t block_version = 0x20000000;

bitcoin::TxOut op_true_output() {
  return {0, {bitcoin::OP_TRUE}};
}

Bytes coinbase_script(std::uint32_t height) {
  Bytes script;
  bitcoin::append_coinbase_height(script, height);
  bitcoin::append_push(script, as_bytes(coinbase_tag));
  return script;
}

Transaction make_coinbase(std::uint32_t height) {
  Transaction coinbase;
  coinbase.inputs.push_back({{{}, 0xffffffff}, coinbase_script(height), 0xffffffff, {}});
  coinbase.outputs.push_back(op_true_output());
  return coinbase;
}

// The work is asked of the block's id itself.
bool meets_target(const Hash256& hash) {
  static const bitcoin::UInt256 target = bitcoin::decode_compact(dir_bits).target;
  return bitcoin::UInt256::from_hash(hash) <= target;
}

std::unexpected<Error> refuted(std::string_view what) {
  return fail(ExitCode::refuted, std::string(what));
}

}  // namespace

const Block& dir_genesis() {
  static const Block genesis = mine_dir_block({}, 0, genesis_time_s, {});
  return genesis;
}

bool is_dir_coinbase(const Transaction& coinbase) {
  const auto height = bitcoin::coinbase_height(coinbase);
  return height && coinbase.inputs[0].script_sig == coinbase_script(*height);
}

Transaction make_dir_transaction(const bitcoin::OutPoint& coin, ByteView payload) {
  Transaction transaction;
  transaction.inputs.push_back({coin, {}, 0xffffffff, {}});
  transaction.outputs.push_back({0, bitcoin::op_return_script(payload)});
  transaction.outputs.push_back(op_true_output());
  return transaction;
}

Status check_dir_transaction(const Transaction& transaction) {
  if (transaction.inputs.empty() || transaction.outputs.empty()) {
    return refuted("transaction without inputs or outputs");
  }
  if (transaction.has_witness() || transaction.hogex || !transaction.extension.empty()) {
    return refuted("transaction with witness or extension");
  }
  for (const bitcoin::TxIn& input : transaction.inputs) {
    if (input.previous_output.is_null()) return refuted("transaction with a coinbase's input");
    if (!input.script_sig.empty())
      return refuted("transaction with a script that nothing asks for");
  }
  for (const bitcoin::TxOut& output : transaction.outputs) {
    if (output.value_sat != 0) return refuted("transaction with a value that is not 0");
  }
  if (bitcoin::serialize(transaction).size() == 64) return refuted("transaction of 64 bytes");
  return {};
}

void MedianTime::add(std::uint32_t time_s) {
  times_s_[count_ % times_s_.size()] = time_s;
  ++count_;
}

std::uint32_t MedianTime::median_s() const {
  const std::size_t count = std::min(count_, times_s_.size());
  if (count == 0) return 0;
  auto times = times_s_;
  const auto middle = times.begin() + static_cast<std::ptrdiff_t>(count / 2);
  std::nth_element(times.begin(), middle, times.begin() + static_cast<std::ptrdiff_t>(count));
  return *middle;
}

Block mine_dir_block(const Hash256& previous, std::uint32_t height, std::uint32_t time_s,
                     std::vector<Transaction> transactions) {
  Block block;
  block.transactions.push_back(make_coinbase(height));
  for (Transaction& transaction : transactions) {
    block.transactions.push_back(std::move(transaction));
  }
  block.header = {block_version, previous, bitcoin::merkle_root(bitcoin::txids(block)),
                  time_s,        dir_bits, 0};
  while (!meets_target(bitcoin::block_hash(block.header))) ++block.header.nonce;
  return block;
}

Status check_dir_header(const bitcoin::BlockHeader& header, const Hash256& hash,
                        const Hash256& previous, std::uint32_t median_time_s) {
  if (header.previous != previous) return refuted("block does not follow the one before it");
  if (header.bits != dir_bits) return refuted("block states another difficulty");
  if (!meets_target(hash)) return refuted("block does not meet its proof of work");
  if (header.time_s <= median_time_s) {
    return refuted("block is not later than the median of the last 11");
  }
  return {};
}

Status check_dir_body(const Block& block, std::uint32_t height, std::vector<Hash256>* ids) {
  TWINCHAIN_TRY(bitcoin::check_block(block, ids));
  const Transaction& coinbase = block.transactions[0];
  if (coinbase.has_witness() || coinbase.inputs[0].script_sig != coinbase_script(height)) {
    return refuted("block's coinbase is not that of its height");
  }
  for (std::size_t i = 1; i < block.transactions.size(); ++i) {
    TWINCHAIN_TRY(check_dir_transaction(block.transactions[i]));
  }
  return {};
}

Bytes dir_record(const Block& block) {
  const Bytes bytes = bitcoin::serialize(block);
  Bytes record;
  record.reserve(dir_record_prefix_size + bytes.size());
  append_le(record, network_by_name("dir")->magic);
  append_le(record, static_cast<std::uint32_t>(bytes.size()));
  append(record, bytes);
  return record;
}

}  // namespace twinchain::ledger
