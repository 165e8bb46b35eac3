#include "twinchain/net/mempool.hpp"

#include <algorithm>

namespace twinchain::net {
namespace {

using bitcoin::OutPoint;

// Entry, claims and the parsed form, besides the bytes of the scripts.
constexpr std::uint64_t entry_overhead_bytes = 600;
constexpr std::uint64_t input_overhead_bytes = 200;
constexpr std::uint64_t output_overhead_bytes = 60;

}  // namespace

std::uint64_t pool_cost_bytes(const NetTransaction& transaction) {
  return transaction.size_bytes + entry_overhead_bytes +
         input_overhead_bytes * transaction.tx.inputs.size() +
         output_overhead_bytes * transaction.tx.outputs.size();
}

LocalPool::LocalPool(const ChainParameters& parameters, const storage::CoinDatabase& coins,
                     WorkPool& workers, const PoolLimits& limits)
    : parameters_(parameters),
      coins_(coins),
      workers_(workers),
      limits_(limits),
      entries_(0, SaltedHasher{limits.table_key}),
      claims_(0, SaltedHasher{limits.table_key}),
      remembered_(0, SaltedHasher{limits.table_key}),
      remembered_before_(0, SaltedHasher{limits.table_key}) {}

void LocalPool::insert(ByteView raw, std::function<void(const Verdict&)> done) {
  auto admitted = admit(std::span(&raw, 1));
  // The caller may try again: nothing is known about the transaction.
  done(admitted ? (*admitted)[0].verdict : Verdict::incomplete(admitted.error().message));
}

void LocalPool::get(const Hash256& txid, std::function<void(TransactionPtr)> done) {
  done(find(txid));
}

void LocalPool::claim(const OutPoint& outpoint, const Hash256& txid,
                      std::function<void(const Hash256& holder)> done) {
  const auto [at, is_new] = claims_.emplace(outpoint, txid);
  const Hash256 holder = at->second;
  if (is_new) {
    bare_claims_.push_back(outpoint);
    if (bare_claims_.size() > limits_.max_bare_claims) {
      const auto oldest = claims_.find(bare_claims_.front());
      if (oldest != claims_.end() && !entries_.contains(oldest->second)) claims_.erase(oldest);
      bare_claims_.pop_front();
    }
  }
  done(holder);
}

TransactionPtr LocalPool::find(const Hash256& txid) const {
  const PoolEntry* found = entry(txid);
  return found == nullptr ? nullptr : found->transaction;
}

const PoolEntry* LocalPool::entry(const Hash256& txid) const {
  const auto found = entries_.find(txid);
  return found == entries_.end() ? nullptr : &found->second;
}

Hash256 LocalPool::spender(const OutPoint& outpoint) const {
  const auto found = claims_.find(outpoint);
  return found == claims_.end() ? Hash256{} : found->second;
}

bool LocalPool::scripts_known(const Hash256& txid) const {
  return entries_.contains(txid) || was_valid(txid);
}

bool LocalPool::was_valid(const Hash256& txid) const {
  return remembered_.contains(txid) || remembered_before_.contains(txid);
}

std::vector<PoolEntry> LocalPool::ascending() const {
  std::vector<PoolEntry> sorted;
  sorted.reserve(entries_.size());
  for (const auto& [txid, entry] : entries_) sorted.push_back(entry);
  std::sort(sorted.begin(), sorted.end(), [](const PoolEntry& a, const PoolEntry& b) {
    return a.transaction->txid < b.transaction->txid;
  });
  return sorted;
}

std::vector<const PoolEntry*> LocalPool::by_sequence() const {
  std::vector<const PoolEntry*> sorted;
  sorted.reserve(entries_.size());
  for (const auto& [txid, entry] : entries_) sorted.push_back(&entry);
  std::sort(sorted.begin(), sorted.end(),
            [](const PoolEntry* a, const PoolEntry* b) { return a->sequence < b->sequence; });
  return sorted;
}

Hash256 LocalPool::claim_inputs(const NetTransaction& transaction) {
  const auto& inputs = transaction.tx.inputs;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const auto [at, is_new] = claims_.emplace(inputs[i].previous_output, transaction.txid);
    if (is_new || at->second == transaction.txid) continue;
    const Hash256 other = at->second;
    while (i > 0) claims_.erase(inputs[--i].previous_output);
    return other;
  }
  return {};
}

bool LocalPool::add(PoolEntry entry) {
  const auto [at, is_new] = entries_.try_emplace(entry.transaction->txid, std::move(entry));
  if (!is_new) return false;
  at->second.sequence = next_sequence_++;
  memory_bytes_ += pool_cost_bytes(*at->second.transaction);
  if (added_) added_(at->second);
  return true;
}

void LocalPool::remember(const Hash256& txid) {
  if (remembered_.size() >= limits_.max_remembered) {
    std::swap(remembered_before_, remembered_);
    remembered_.clear();
  }
  remembered_.insert(txid);
}

void LocalPool::remove(const Hash256& txid, Removal why) {
  const auto found = entries_.find(txid);
  const PoolEntry entry = std::move(found->second);
  entries_.erase(found);
  for (const bitcoin::TxIn& input : entry.transaction->tx.inputs) {
    claims_.erase(input.previous_output);
  }
  memory_bytes_ -= pool_cost_bytes(*entry.transaction);
  remember(txid);
  if (removed_) removed_(entry, why);
}

std::vector<Hash256> LocalPool::children(const NetTransaction& transaction) const {
  std::vector<Hash256> found;
  for (std::uint32_t i = 0; i < transaction.tx.outputs.size(); ++i) {
    const Hash256 child = spender({transaction.txid, i});
    if (child != Hash256{} && entries_.contains(child)) found.push_back(child);
  }
  return found;
}

void LocalPool::remove_with_descendants(const Hash256& txid, Removal why) {
  std::vector<Hash256> waiting = {txid};
  while (!waiting.empty()) {
    const Hash256 next = waiting.back();
    waiting.pop_back();
    const TransactionPtr transaction = find(next);
    if (transaction == nullptr) continue;  // reached by two ways
    const auto below = children(*transaction);
    waiting.insert(waiting.end(), below.begin(), below.end());
    remove(next, why);
  }
}

std::uint32_t LocalPool::chain_of(const NetTransaction& transaction) const {
  std::uint32_t longest = 0;
  for (const bitcoin::TxIn& input : transaction.tx.inputs) {
    const PoolEntry* parent = entry(input.previous_output.txid);
    if (parent != nullptr) longest = std::max(longest, parent->chain);
  }
  return longest + 1;
}

/// The parents of these have left the pool, so that their chains are shorter now.
void LocalPool::shorten_chains(const std::vector<Hash256>& starts) {
  // By sequence, so that parents are done before their children.
  const auto later = [this](const Hash256& a, const Hash256& b) {
    return entries_.at(a).sequence > entries_.at(b).sequence;
  };
  std::vector<Hash256> heap(starts);
  std::erase_if(heap, [this](const Hash256& txid) { return !entries_.contains(txid); });
  std::make_heap(heap.begin(), heap.end(), later);
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), later);
    PoolEntry& entry = entries_.at(heap.back());
    heap.pop_back();
    const std::uint32_t chain = chain_of(*entry.transaction);
    if (chain == entry.chain) continue;
    entry.chain = chain;
    for (const Hash256& child : children(*entry.transaction)) {
      heap.push_back(child);
      std::push_heap(heap.begin(), heap.end(), later);
    }
  }
}

void LocalPool::block_connected(const NetBlock& block) {
  std::vector<Hash256> orphaned;
  for (const TransactionPtr& transaction : block.transactions) {
    const Hash256& txid = transaction->txid;
    if (entries_.contains(txid)) {
      const auto below = children(*transaction);
      orphaned.insert(orphaned.end(), below.begin(), below.end());
      remove(txid, Removal::block);
      continue;
    }
    if (transaction->tx.is_coinbase()) continue;
    remember(txid);
    for (const bitcoin::TxIn& input : transaction->tx.inputs) {
      const Hash256 other = spender(input.previous_output);
      if (other != Hash256{} && entries_.contains(other)) {
        remove_with_descendants(other, Removal::conflict);
      }
      claims_.erase(input.previous_output);
    }
  }
  shorten_chains(orphaned);
}

Status LocalPool::reorganised(std::vector<TransactionPtr> disconnected) {
  std::erase_if(disconnected, [](const TransactionPtr& one) { return one->tx.is_coinbase(); });
  auto admitted = admit_parsed(std::move(disconnected));
  if (!admitted) return pass(admitted);
  // Children that were here already stand after parents that came now: order and chains anew.
  return drop_invalid();
}

Status LocalPool::drop_invalid() {
  auto snapshot = coins_.snapshot();
  if (!snapshot) return pass(snapshot);
  std::vector<Hash256> gone;
  for (const PoolEntry* at : by_sequence()) {
    std::vector<Coin> spent;
    const NetTransaction& transaction = *at->transaction;
    for (const bitcoin::TxIn& input : transaction.tx.inputs) {
      const OutPoint& outpoint = input.previous_output;
      if (const TransactionPtr parent = find(outpoint.txid); parent != nullptr) {
        const bitcoin::TxOut& output = parent->tx.outputs[outpoint.index];
        spent.push_back({output.value_sat, context_.height, false, output.script_pubkey});
        continue;
      }
      auto coin = snapshot->find(outpoint);
      if (!coin) return pass(coin);
      if (!*coin) break;
      spent.push_back(std::move(**coin));
    }
    SpendCost cost;
    if (spent.size() != transaction.tx.inputs.size() ||
        !check_spends(parameters_, transaction, spent, context_, cost).accepted()) {
      gone.push_back(transaction.txid);
    }
  }
  for (const Hash256& txid : gone) remove_with_descendants(txid, Removal::no_longer_valid);
  // Parents that came back have a later sequence than their children: numbered anew, parents first.
  std::vector<Hash256> order;
  order.reserve(entries_.size());
  for (const PoolEntry* at : by_sequence()) order.push_back(at->transaction->txid);
  boost::unordered_flat_set<Hash256, SaltedHasher> done(0, SaltedHasher{limits_.table_key});
  std::vector<Hash256> waiting;
  for (const Hash256& start : order) {
    waiting.push_back(start);
    while (!waiting.empty()) {
      PoolEntry& entry = entries_.at(waiting.back());
      const auto& inputs = entry.transaction->tx.inputs;
      const auto parent = std::find_if(inputs.begin(), inputs.end(), [&](const auto& input) {
        const Hash256& id = input.previous_output.txid;
        return entries_.contains(id) && !done.contains(id);
      });
      if (parent != inputs.end() && !done.contains(waiting.back())) {
        waiting.push_back(parent->previous_output.txid);
        continue;
      }
      waiting.pop_back();
      if (!done.insert(entry.transaction->txid).second) continue;
      entry.sequence = next_sequence_++;
      entry.chain = chain_of(*entry.transaction);
    }
  }
  return {};
}

void LocalPool::expire() {
  std::vector<Hash256> old;
  for (const auto& [txid, entry] : entries_) {
    if (entry.time_s + limits_.expiry_s < now_s_) old.push_back(txid);
  }
  for (const Hash256& txid : old) remove_with_descendants(txid, Removal::expired);
}

void LocalPool::evict() {
  // The lowest fee rates go, of equal ones the newest, which nothing depends on yet. A tenth more
  // than needed, so that it need not be done for each transaction.
  const std::uint64_t wanted = limits_.memory_bytes / 10 * 9;
  auto sorted = by_sequence();
  std::stable_sort(sorted.begin(), sorted.end(), [](const PoolEntry* a, const PoolEntry* b) {
    const auto rate = [](const PoolEntry* entry) {
      return static_cast<std::uint64_t>(entry->fee_sat) * 1000 / entry->transaction->size_bytes;
    };
    if (rate(a) != rate(b)) return rate(a) < rate(b);
    return a->sequence > b->sequence;
  });
  std::vector<Hash256> victims;
  victims.reserve(sorted.size());
  for (const PoolEntry* entry : sorted) victims.push_back(entry->transaction->txid);
  for (const Hash256& txid : victims) {
    if (memory_bytes_ <= wanted) return;
    remove_with_descendants(txid, Removal::evicted);
  }
}

}  // namespace twinchain::net
