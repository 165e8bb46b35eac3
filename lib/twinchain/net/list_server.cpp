#include "twinchain/net/list_server.hpp"

#include <algorithm>
#include <cmath>
#include <functional>

namespace twinchain::net {
namespace {

/// Which transactions of a pool fit into one block, parents first.
class BlockFilling {
 public:
  BlockFilling(const ChainParameters& parameters, std::uint64_t free_bytes)
      : bytes_left_(parameters.block_limit_bytes - block_overhead_bytes - free_bytes),
        operations_left_(parameters.block_limit_bytes / bytes_a_signature_operation),
        hashing_left_(parameters.block_limit_bytes * block_signature_hash_factor) {}

  bool take(const PoolEntry& entry) {
    const std::uint64_t size = entry.transaction->size_bytes;
    const std::uint64_t hashing = entry.signature_operations * size;
    if (size > bytes_left_ || entry.signature_operations > operations_left_ ||
        hashing > hashing_left_) {
      return false;
    }
    bytes_left_ -= size;
    operations_left_ -= entry.signature_operations;
    hashing_left_ -= hashing;
    return true;
  }

 private:
  std::uint64_t bytes_left_;
  std::uint64_t operations_left_;
  std::uint64_t hashing_left_;
};

}  // namespace

void ListServer::tip_changed() {
  changed_ = true;
  tip_is_new_ = true;
  if (waiting_.empty()) return;
  make();
  tick();
}

bool ListServer::is_due() const {
  if (lists_.empty() || tip_is_new_) return true;
  return changed_ && node_.now_ms() >= made_ms_ + limits_.interval_ms;
}

/// By sequence, so that what came first is in a block first, and parents with their children.
void ListServer::make() {
  std::vector<const PoolEntry*> entries;
  entries.reserve(node_.pool.size());
  node_.pool.visit([&](const PoolEntry& entry) { entries.push_back(&entry); });
  std::ranges::sort(entries, {}, [](const PoolEntry* entry) { return entry->sequence; });
  BlockFilling filling(node_.parameters, limits_.coinbase_bytes);
  const auto is_new = [&](const PoolEntry* entry) { return entry->sequence > seen_sequence_; };
  const auto arrived = static_cast<std::uint64_t>(
      entries.end() - std::ranges::partition_point(entries, std::not_fn(is_new)));
  List list;
  SnapshotInfo info;
  std::vector<Hash256> txids;
  for (const PoolEntry* entry : entries) {
    if (txids.size() == max_snapshot_count || !filling.take(*entry)) break;
    info.fees_sat += entry->fee_sat;
    info.size_bytes += entry->transaction->size_bytes;
    txids.push_back(entry->transaction->txid);
    list.transactions.emplace(entry->transaction->txid, entry->transaction);
  }
  // After a restart the numbers go on above those of before.
  info.id = std::max(newest_id() + 1, first_id_);
  info.tip = node_.chain.tip().hash;
  info.height = node_.chain.tip().height + 1;
  info.bits = node_.chain.next_bits();
  info.min_time_s = node_.chain.next_time_s();
  // Before the first list nobody has counted what comes in.
  info.expected_difference = expected_difference(lists_.empty() ? 0 : arrived);
  if (!entries.empty()) seen_sequence_ = entries.back()->sequence;
  list.snapshot = make_snapshot(info, std::move(txids));
  lists_.push_back(std::move(list));
  if (lists_.size() > limits_.kept) lists_.pop_front();
  changed_ = false;
  tip_is_new_ = false;
  made_ms_ = node_.now_ms();
}

std::uint32_t ListServer::expected_difference(std::uint64_t arrived) const {
  const std::int64_t elapsed_ms = std::max(node_.now_ms() - made_ms_, limits_.interval_ms);
  const double meanwhile = static_cast<double>(arrived) * static_cast<double>(limits_.interval_ms) /
                           static_cast<double>(elapsed_ms);
  const double sum = static_cast<double>(sync_.median_difference()) + std::ceil(meanwhile);
  return static_cast<std::uint32_t>(std::min<double>(sum, max_snapshot_count));
}

const ListServer::List* ListServer::find(std::uint64_t id, const Hash256& root) const {
  const auto is_it = [&](const List& list) {
    return list.snapshot.info.id == id && list.snapshot.info.root == root;
  };
  const auto ours = std::ranges::find_if(lists_, is_it);
  if (ours != lists_.end()) return &*ours;
  const auto theirs = std::ranges::find_if(foreign_, is_it);
  return theirs == foreign_.end() ? nullptr : &*theirs;
}

void ListServer::add_foreign(Snapshot snapshot) {
  foreign_.push_back({std::move(snapshot), {}});
  if (foreign_.size() > limits_.kept) foreign_.pop_front();
}

void ListServer::take(PeerId from, const GetSnapshot& message) {
  if (is_due()) make();
  if (message.wait && message.known_id == newest_id()) {
    if (waiting_.size() < limits_.max_waiting) waiting_[from] = message.known_id;
    return;
  }
  answer(from, message.known_id);
}

void ListServer::answer(PeerId peer, std::uint64_t known_id) {
  const Snapshot& newest = lists_.back().snapshot;
  const auto base = std::ranges::find_if(
      lists_, [&](const List& list) { return list.snapshot.info.id == known_id; });
  if (base != lists_.end() && known_id != newest.info.id) {
    auto delta = encode_snapshot_delta(base->snapshot, newest);
    if (delta && delta->size() < newest.txids.size() * sizeof(Hash256)) {
      node_.send(peer, SnapshotDelta{std::move(*delta)});
      return;
    }
  }
  for (Bytes& part : encode_snapshot(newest)) node_.send(peer, SnapshotPart{std::move(part)});
}

void ListServer::tick() {
  if (waiting_.empty()) return;
  if (is_due()) make();
  for (auto at = waiting_.begin(); at != waiting_.end();) {
    if (at->second == newest_id()) {
      ++at;
      continue;
    }
    answer(at->first, at->second);
    at = waiting_.erase(at);
  }
}

}  // namespace twinchain::net
