#include "twinchain/net/block_validation.hpp"

#include <algorithm>
#include <atomic>
#include <unordered_map>

#include "twinchain/bitcoin/compact_size.hpp"
#include "twinchain/bitcoin/merkle_branch.hpp"
#include "twinchain/bitcoin/script.hpp"
#include "twinchain/net/header_tree.hpp"

namespace twinchain::net {
namespace {

using bitcoin::OutPoint;

constexpr std::size_t transaction_grain = 256;
// Version, two counts, lock time.
constexpr std::size_t least_transaction_bytes = 10;

/// Steps over a list of `fixed` bytes, a script, `rest` bytes each.
bool skip_list(ByteCursor& cursor, std::size_t fixed, std::size_t rest) {
  const auto count = bitcoin::read_compact_size(cursor);
  if (!count || *count > cursor.remaining() / (fixed + 1 + rest)) return false;
  for (std::uint64_t i = 0; i < *count; ++i) {
    (void)cursor.read_view(fixed);
    const auto size = bitcoin::read_compact_size(cursor);
    if (!size || *size > cursor.remaining()) return false;
    (void)cursor.read_view(static_cast<std::size_t>(*size) + rest);
  }
  return cursor.ok();
}

/// The bytes of the next transaction; nothing when they are not one.
std::optional<ByteView> next_transaction(ByteView block, ByteCursor& cursor) {
  const std::size_t begin = cursor.offset();
  (void)cursor.read_view(4);
  if (!skip_list(cursor, 36, 4) || !skip_list(cursor, 8, 0)) return std::nullopt;
  (void)cursor.read_view(4);
  if (!cursor.ok()) return std::nullopt;
  return block.subspan(begin, cursor.offset() - begin);
}

/// What one block spends and makes, while it is checked.
class Spending {
 public:
  Spending(const ChainParameters& parameters, const NetBlock& block, const SpendContext& context,
           const storage::CoinDatabase& coins, WorkPool& workers)
      : parameters_(parameters),
        block_(block),
        context_(context),
        database_(coins),
        workers_(workers) {}

  Result<Verdict> run(const std::function<bool(const Hash256&)>& scripts_known,
                      BlockEffects& effects) {
    list_inputs();
    for (std::size_t i = 1; i < order_.size(); ++i) {
      if (outpoint(order_[i - 1]) == outpoint(order_[i])) {
        return Verdict::invalid("bad-txns-inputs-missingorspent");
      }
    }
    auto found = find_coins();
    if (!found) return pass(found);
    if (!*found) return Verdict::invalid("bad-txns-inputs-missingorspent");
    Verdict verdict = check_transactions(scripts_known, effects);
    if (!verdict.accepted()) return verdict;
    std::int64_t reward_sat = 0;
    for (const bitcoin::TxOut& output : block_.transactions[0]->tx.outputs) {
      reward_sat += output.value_sat;
    }
    if (reward_sat > effects.fees_sat + parameters_.block_subsidy_sat(context_.height)) {
      return Verdict::invalid("bad-cb-amount");
    }
    list_changes(effects.changes);
    return Verdict{};
  }

 private:
  struct Input {
    std::uint32_t transaction;
    std::uint32_t input;
  };
  [[nodiscard]] const OutPoint& outpoint(std::uint32_t at) const {
    const Input& input = inputs_[at];
    return block_.transactions[input.transaction]->tx.inputs[input.input].previous_output;
  }

  void list_inputs() {
    const std::size_t count = block_.transactions.size();
    first_input_.reserve(count + 1);
    for (std::size_t i = 0; i < count; ++i) {
      first_input_.push_back(static_cast<std::uint32_t>(inputs_.size()));
      if (i == 0) continue;
      const std::size_t size = block_.transactions[i]->tx.inputs.size();
      for (std::size_t j = 0; j < size; ++j) {
        inputs_.push_back({static_cast<std::uint32_t>(i), static_cast<std::uint32_t>(j)});
      }
    }
    first_input_.push_back(static_cast<std::uint32_t>(inputs_.size()));
    // Coins are asked for in the order of the database. The first bytes decide nearly always, and
    // are at hand, which outpoints spread over the memory are not.
    struct Ordered {
      std::uint64_t first_bytes;
      std::uint32_t input;
    };
    std::vector<Ordered> ordered(inputs_.size());
    for (std::uint32_t i = 0; i < ordered.size(); ++i) {
      std::uint64_t first_bytes = 0;
      for (std::size_t j = 0; j < 8; ++j) first_bytes = first_bytes << 8 | outpoint(i).txid[j];
      ordered[i] = {first_bytes, i};
    }
    std::sort(ordered.begin(), ordered.end(), [this](const Ordered& a, const Ordered& b) {
      if (a.first_bytes != b.first_bytes) return a.first_bytes < b.first_bytes;
      return storage::before(outpoint(a.input), outpoint(b.input));
    });
    order_.reserve(ordered.size());
    for (const Ordered& one : ordered) order_.push_back(one.input);
    positions_.reserve(count);
    for (std::size_t i = 0; i < count; ++i) positions_.emplace(block_.transactions[i]->txid, i);
  }

  /// False when one is missing.
  Result<bool> find_coins() {
    coins_.resize(inputs_.size());
    made_here_.resize(inputs_.size());
    std::atomic<bool> missing = false;
    std::mutex mutex;
    std::optional<Error> failure;
    parallel_for(workers_, order_.size(), 4'096, [&](std::size_t begin, std::size_t end) {
      auto snapshot = database_.snapshot();
      for (std::size_t i = begin; i < end && snapshot; ++i) {
        const OutPoint& wanted = outpoint(order_[i]);
        if (find_here(wanted, order_[i])) continue;
        auto coin = snapshot->find(wanted);
        if (!coin) {
          snapshot = pass(coin);
        } else if (*coin) {
          coins_[order_[i]] = std::move(**coin);
        } else {
          missing = true;
          return;
        }
      }
      if (!snapshot) {
        const std::lock_guard lock(mutex);
        failure = std::move(snapshot.error());
      }
    });
    if (failure) return std::unexpected(std::move(*failure));
    return !missing;
  }

  /// An output of the block itself. The coinbase's is not mature, and so is none.
  bool find_here(const OutPoint& wanted, std::uint32_t input) {
    const auto parent = positions_.find(wanted.txid);
    if (parent == positions_.end()) return false;
    const auto& outputs = block_.transactions[parent->second]->tx.outputs;
    if (wanted.index >= outputs.size()) return false;
    const bitcoin::TxOut& output = outputs[wanted.index];
    if (bitcoin::is_unspendable(output.script_pubkey)) return false;
    coins_[input] = {output.value_sat, context_.height, parent->second == 0, output.script_pubkey};
    made_here_[input] = 1;
    return true;
  }

  Verdict check_transactions(const std::function<bool(const Hash256&)>& scripts_known,
                             BlockEffects& effects) {
    const std::size_t count = block_.transactions.size();
    std::vector<Verdict> verdicts(count);
    std::vector<SpendCost> costs(count);
    std::atomic<std::uint64_t> verified = 0;
    std::atomic<bool> failed = false;
    parallel_for(workers_, count, transaction_grain, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = std::max<std::size_t>(begin, 1); i < end && !failed; ++i) {
        const NetTransaction& transaction = *block_.transactions[i];
        const std::span<const Coin> spent = std::span<const Coin>(coins_).subspan(
            first_input_[i], first_input_[i + 1] - first_input_[i]);
        verdicts[i] = check_spends(parameters_, transaction, spent, context_, costs[i]);
        if (verdicts[i].accepted() && !scripts_known(transaction.txid)) {
          ++verified;
          verdicts[i] = check_scripts(transaction, spent);
        }
        if (!verdicts[i].accepted()) failed = true;
      }
    });
    effects.transactions_verified = verified;
    std::uint64_t operations = 0;
    std::uint64_t hashed_bytes = 0;
    for (std::size_t i = 0; i < count; ++i) {
      // What is too early for a pool is wrong in a block.
      if (!verdicts[i].accepted()) return Verdict::invalid(std::move(verdicts[i].reason));
      effects.fees_sat += costs[i].fee_sat;
      if (!bitcoin::is_money(effects.fees_sat)) return Verdict::invalid("bad-txns-fee-outofrange");
      operations += costs[i].signature_operations;
      hashed_bytes += costs[i].signature_operations * block_.transactions[i]->size_bytes;
    }
    if (!is_final(block_.transactions[0]->tx, context_)) return Verdict::invalid("non-final");
    if (operations > parameters_.block_limit_bytes / bytes_a_signature_operation ||
        hashed_bytes > parameters_.block_limit_bytes * block_signature_hash_factor) {
      return Verdict::invalid("bad-blk-sigops");
    }
    return {};
  }

  void list_changes(storage::CoinChanges& changes) {
    std::vector<OutPoint> spent_here;
    for (const std::uint32_t at : order_) {
      (made_here_[at] != 0 ? spent_here : changes.spent).push_back(outpoint(at));
    }
    for (std::size_t i = 0; i < block_.transactions.size(); ++i) {
      const NetTransaction& transaction = *block_.transactions[i];
      for (std::uint32_t j = 0; j < transaction.tx.outputs.size(); ++j) {
        const bitcoin::TxOut& output = transaction.tx.outputs[j];
        if (bitcoin::is_unspendable(output.script_pubkey)) continue;
        const OutPoint made{transaction.txid, j};
        if (std::binary_search(spent_here.begin(), spent_here.end(), made, storage::before)) {
          continue;
        }
        changes.created.emplace_back(
            made, Coin{output.value_sat, context_.height, i == 0, output.script_pubkey});
      }
    }
  }

  const ChainParameters& parameters_;
  const NetBlock& block_;
  const SpendContext& context_;
  const storage::CoinDatabase& database_;
  WorkPool& workers_;
  std::vector<Input> inputs_;               // of all transactions but the coinbase
  std::vector<std::uint32_t> first_input_;  // of each transaction
  std::vector<std::uint32_t> order_;        // of inputs_, by outpoint
  std::vector<Coin> coins_;                 // as inputs_
  std::vector<std::uint8_t> made_here_;     // as inputs_; not bool: threads write neighbours
  std::unordered_map<Hash256, std::size_t, HashHasher> positions_;
};

}  // namespace

Bytes serialize(const NetBlock& block) {
  Bytes out;
  std::size_t size = block_overhead_bytes;
  for (const TransactionPtr& transaction : block.transactions) size += transaction->size_bytes;
  out.reserve(size);
  append(out, bitcoin::serialize(block.header));
  bitcoin::append_compact_size(out, block.transactions.size());
  for (const TransactionPtr& transaction : block.transactions) {
    bitcoin::append_transaction(out, transaction->tx, bitcoin::TxEncoding::no_witness);
  }
  return out;
}

Verdict read_block(const ChainParameters& parameters, ByteView raw, WorkPool& workers,
                   NetBlock& into) {
  if (raw.size() > parameters.block_limit_bytes) return Verdict::mismatched("bad-blk-length");
  ByteCursor cursor(raw);
  into.header = bitcoin::read_header(cursor);
  const auto count = bitcoin::read_compact_size(cursor);
  if (!count || *count > cursor.remaining() / least_transaction_bytes) {
    return Verdict::mismatched("block: malformed header or count");
  }
  std::vector<ByteView> parts;
  parts.reserve(static_cast<std::size_t>(*count));
  for (std::uint64_t i = 0; i < *count; ++i) {
    const auto part = next_transaction(raw, cursor);
    if (!part) return Verdict::mismatched("block: malformed transaction");
    parts.push_back(*part);
  }
  if (!cursor.at_end()) return Verdict::mismatched("block: bytes after the last transaction");
  into.transactions.assign(parts.size(), nullptr);
  std::vector<Verdict> verdicts(parts.size());
  parallel_for(workers, parts.size(), transaction_grain, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      verdicts[i] = read_transaction(parameters, parts[i], into.transactions[i]);
    }
  });
  for (Verdict& verdict : verdicts) {
    if (!verdict.accepted()) return Verdict::mismatched(std::move(verdict.reason));
  }
  return {};
}

Verdict check_block_body(const ChainParameters& parameters, const NetBlock& block,
                         std::uint32_t height) {
  std::vector<Hash256> ids;
  ids.reserve(block.transactions.size());
  std::size_t size =
      bitcoin::block_header_size + bitcoin::compact_size_bytes(block.transactions.size());
  for (const TransactionPtr& transaction : block.transactions) {
    ids.push_back(transaction->txid);
    size += transaction->size_bytes;
  }
  bool mutated = false;
  if (ids.empty() || bitcoin::merkle_root(ids, &mutated) != block.header.merkle_root) {
    return Verdict::mismatched("bad-txnmrklroot");
  }
  if (mutated) return Verdict::mismatched("bad-txns-duplicate");
  if (size > parameters.block_limit_bytes) return Verdict::invalid("bad-blk-length");
  if (!block.transactions[0]->tx.is_coinbase()) return Verdict::invalid("bad-cb-missing");
  for (std::size_t i = 1; i < ids.size(); ++i) {
    if (block.transactions[i]->tx.is_coinbase()) return Verdict::invalid("bad-cb-multiple");
    if (i > 1 && !(ids[i - 1] < ids[i])) return Verdict::invalid("bad-tx-ordering");
  }
  if (bitcoin::coinbase_height(block.transactions[0]->tx) != height) {
    return Verdict::invalid("bad-cb-height");
  }
  return {};
}

void sort_canonically(std::vector<TransactionPtr>& without_coinbase) {
  std::sort(without_coinbase.begin(), without_coinbase.end(),
            [](const TransactionPtr& a, const TransactionPtr& b) { return a->txid < b->txid; });
}

Result<Verdict> check_block_spends(const ChainParameters& parameters, const NetBlock& block,
                                   const SpendContext& context, const storage::CoinDatabase& coins,
                                   const std::function<bool(const Hash256& txid)>& scripts_known,
                                   WorkPool& workers, BlockEffects& effects) {
  effects = {};
  return Spending(parameters, block, context, coins, workers).run(scripts_known, effects);
}

std::vector<std::pair<OutPoint, Coin>> genesis_coins(const ChainParameters& parameters) {
  const bitcoin::Transaction coinbase = genesis_block(parameters).transactions[0];
  const Hash256 id = bitcoin::txid(coinbase);
  std::vector<std::pair<OutPoint, Coin>> coins;
  for (std::uint32_t i = 0; i < coinbase.outputs.size(); ++i) {
    const bitcoin::TxOut& output = coinbase.outputs[i];
    if (bitcoin::is_unspendable(output.script_pubkey)) continue;
    coins.emplace_back(OutPoint{id, i}, Coin{output.value_sat, 0, false, output.script_pubkey});
  }
  return coins;
}

}  // namespace twinchain::net
