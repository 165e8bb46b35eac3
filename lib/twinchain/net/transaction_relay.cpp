#include "twinchain/net/transaction_relay.hpp"

#include <algorithm>

namespace twinchain::net {
namespace {

/// One batch: large enough for all threads, small enough that a block does not wait long.
constexpr std::size_t relay_batch_count = 4'096;
constexpr std::uint64_t relay_batch_bytes = std::uint64_t{32} << 20;
constexpr std::size_t max_announcers = 8;

}  // namespace

void TransactionRelay::take(PeerId from, Submit&& message) {
  for (Bytes& raw : message.transactions) {
    waiting_bytes_ += raw.size();
    waiting_.push_back({from, true, std::move(raw)});
  }
}

void TransactionRelay::take(PeerId from, Transactions&& message) {
  for (Bytes& raw : message.transactions) {
    waiting_bytes_ += raw.size();
    waiting_.push_back({from, false, std::move(raw)});
  }
}

bool TransactionRelay::is_known(const Hash256& txid) const {
  return node_.pool.scripts_known(txid) || orphans_.contains(txid);
}

void TransactionRelay::take(PeerId from, const Announce& message) {
  std::vector<Hash256> unknown;
  for (const Hash256& txid : message.txids) {
    if (is_known(txid)) continue;
    const auto found = requests_.find(txid);
    if (found == requests_.end()) {
      if (requests_.size() + unknown.size() < limits_.requested_count) unknown.push_back(txid);
      continue;
    }
    auto& others = found->second.others;
    if (found->second.asked != from && others.size() < max_announcers &&
        std::ranges::find(others, from) == others.end()) {
      others.push_back(from);
    }
  }
  ask(from, unknown);
}

void TransactionRelay::ask(PeerId peer, const std::vector<Hash256>& txids) {
  if (txids.empty()) return;
  const std::int64_t deadline_ms = node_.now_ms() + limits_.request_timeout_ms;
  for (const Hash256& txid : txids) {
    Request& request = requests_[txid];
    request.asked = peer;
    request.deadline_ms = deadline_ms;
  }
  for (std::size_t at = 0; at < txids.size(); at += max_wire_txids) {
    const auto begin = txids.begin() + static_cast<std::ptrdiff_t>(at);
    const auto end =
        txids.begin() + static_cast<std::ptrdiff_t>(std::min(at + max_wire_txids, txids.size()));
    node_.send(peer, GetTransactions{{begin, end}});
  }
}

void TransactionRelay::take(PeerId from, const GetTransactions& message) {
  std::deque<Hash256>& wanted = wanted_[from];
  if (wanted.size() + message.txids.size() > limits_.wanted_by_peer) {
    node_.host.disconnect(from, "asks for more transactions than it takes", false);
    return;
  }
  wanted.insert(wanted.end(), message.txids.begin(), message.txids.end());
  serve(from, wanted);
}

void TransactionRelay::offer(PeerId to, const std::vector<Hash256>& txids) {
  std::deque<Hash256>& wanted = wanted_[to];
  for (const Hash256& txid : txids) {
    if (wanted.size() >= limits_.wanted_by_peer) break;
    wanted.push_back(txid);
  }
  serve(to, wanted);
}

void TransactionRelay::fetch(const std::vector<Hash256>& txids) {
  std::vector<PeerId> holders;
  for (const auto& [id, peer] : node_.peers) {
    if (peer.has_pool() && holders.size() < max_announcers) holders.push_back(id);
  }
  if (holders.empty()) return;
  std::vector<Hash256> unknown;
  for (const Hash256& txid : txids) {
    if (node_.pool.find(txid) == nullptr && !requests_.contains(txid)) unknown.push_back(txid);
  }
  ask(holders.front(), unknown);
  for (const Hash256& txid : unknown) {
    requests_.at(txid).others.assign(holders.begin() + 1, holders.end());
  }
}

/// Sends as much as the peer has room for; the rest waits for tick().
void TransactionRelay::serve(PeerId peer, std::deque<Hash256>& wanted) {
  NotFound not_found;
  while (!wanted.empty() && node_.has_room(peer)) {
    Transactions part;
    std::size_t bytes = 0;
    while (!wanted.empty() && bytes < transactions_message_bytes) {
      const TransactionPtr found = node_.pool.find(wanted.front());
      if (found == nullptr) {
        not_found.txids.push_back(wanted.front());
      } else {
        if (bytes > 0 && bytes + found->size_bytes > transactions_message_bytes) break;
        bytes += found->size_bytes;
        part.transactions.push_back(bitcoin::serialize(found->tx, bitcoin::TxEncoding::no_witness));
      }
      wanted.pop_front();
      if (not_found.txids.size() == max_wire_txids) {
        node_.send(peer, not_found);
        not_found.txids.clear();
      }
    }
    if (!part.transactions.empty()) node_.send(peer, part);
  }
  if (!not_found.txids.empty()) node_.send(peer, not_found);
}

void TransactionRelay::take(PeerId from, const NotFound& message) {
  for (const Hash256& txid : message.txids) {
    const auto found = requests_.find(txid);
    if (found != requests_.end() && found->second.asked == from) {
      ask_another(txid, found->second);
    }
  }
}

/// May erase the request.
void TransactionRelay::ask_another(const Hash256& txid, Request& request) {
  const Hash256 copy = txid;
  while (!request.others.empty()) {
    const PeerId next = request.others.back();
    request.others.pop_back();
    if (node_.find(next) == nullptr) continue;
    ask(next, {copy});
    return;
  }
  requests_.erase(copy);
}

void TransactionRelay::disconnected(PeerId peer) {
  wanted_.erase(peer);
  std::vector<Hash256> asked;
  for (const auto& [txid, request] : requests_) {
    if (request.asked == peer) asked.push_back(txid);
  }
  for (const Hash256& txid : asked) ask_another(txid, requests_.at(txid));
}

Status TransactionRelay::flush() {
  while (!waiting_.empty()) {
    std::vector<Waiting> batch;
    std::uint64_t bytes = 0;
    std::size_t count = 0;
    while (count < waiting_.size() && count < relay_batch_count && bytes < relay_batch_bytes) {
      bytes += waiting_[count].raw.size();
      ++count;
    }
    const auto end = waiting_.begin() + static_cast<std::ptrdiff_t>(count);
    batch.assign(std::make_move_iterator(waiting_.begin()), std::make_move_iterator(end));
    waiting_.erase(waiting_.begin(), end);
    waiting_bytes_ -= bytes;
    // Orphans whose parent is in this batch come behind it.
    TWINCHAIN_TRY(check(std::move(batch)));
  }
  return {};
}

Status TransactionRelay::check(std::vector<Waiting> batch) {
  std::vector<ByteView> raw;
  raw.reserve(batch.size());
  for (const Waiting& one : batch) raw.emplace_back(one.raw);
  auto admissions = node_.pool.admit(raw);
  if (!admissions) return pass(admissions);
  std::vector<std::pair<Hash256, PeerId>> accepted;
  std::map<PeerId, Verdicts> answers;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const Admission& admission = (*admissions)[i];
    Waiting& one = batch[i];
    requests_.erase(admission.txid);
    if (one.from_user) {
      std::string reason = admission.verdict.reason.substr(0, 200);
      answers[one.from].verdicts.push_back(
          {admission.txid, admission.verdict.outcome, std::move(reason)});
    }
    if (admission.verdict.accepted()) {
      ++accepted_;
      accepted.emplace_back(admission.txid, one.from_user ? 0 : one.from);
    } else if (admission.verdict.outcome == Outcome::incomplete) {
      if (!one.from_user) keep_orphan(std::move(one), admission.txid);
    } else if (admission.verdict.outcome != Outcome::known) {
      ++refused_;
      if (admission.verdict.peer_to_blame && !one.from_user) {
        node_.misbehaved(one.from, "transaction: " + admission.verdict.reason);
      }
    }
  }
  for (auto& [peer, answer] : answers) {
    auto& all = answer.verdicts;
    for (std::size_t at = 0; at < all.size(); at += max_wire_txids) {
      const auto begin = all.begin() + static_cast<std::ptrdiff_t>(at);
      const auto end =
          all.begin() + static_cast<std::ptrdiff_t>(std::min(at + max_wire_txids, all.size()));
      node_.send(peer, Verdicts{{begin, end}});
    }
  }
  announce(accepted);
  for (const auto& [txid, from] : accepted) wake_orphans(txid);
  return {};
}

void TransactionRelay::announce(const std::vector<std::pair<Hash256, PeerId>>& accepted) {
  if (accepted.empty()) return;
  for (const auto& [id, peer] : node_.peers) {
    if (!peer.has_pool()) continue;
    Announce part;
    for (const auto& [txid, from] : accepted) {
      if (from != id) part.txids.push_back(txid);
    }
    // A batch is smaller than what an announcement can hold.
    if (!part.txids.empty()) node_.send(id, part);
  }
}

void TransactionRelay::keep_orphan(Waiting&& waiting, const Hash256& txid) {
  if (orphans_.contains(txid) || waiting.raw.size() > limits_.orphan_bytes / 2) return;
  TransactionPtr parsed;
  if (!read_transaction(node_.parameters, waiting.raw, parsed).accepted()) return;
  Orphan orphan{waiting.from, std::move(waiting.raw), {}, node_.now_ms()};
  std::vector<Hash256> unknown;
  for (const bitcoin::TxIn& input : parsed->tx.inputs) {
    const Hash256& parent = input.previous_output.txid;
    if (node_.pool.find(parent) != nullptr ||
        std::ranges::find(orphan.missing, parent) != orphan.missing.end()) {
      continue;
    }
    orphan.missing.push_back(parent);
    orphans_of_.emplace(parent, txid);
    if (!is_known(parent) && !requests_.contains(parent)) unknown.push_back(parent);
  }
  orphan_bytes_ += orphan.raw.size();
  orphans_.emplace(txid, std::move(orphan));
  orphan_order_.push_back(txid);
  if (requests_.size() < limits_.requested_count && node_.find(waiting.from) != nullptr) {
    ask(waiting.from, unknown);
  }
  while (!orphan_order_.empty() &&
         (orphans_.size() > limits_.orphan_count || orphan_bytes_ > limits_.orphan_bytes)) {
    drop_orphan(orphan_order_.front());
    orphan_order_.pop_front();
  }
}

void TransactionRelay::drop_orphan(const Hash256& txid) {
  const auto found = orphans_.find(txid);
  if (found == orphans_.end()) return;
  for (const Hash256& parent : found->second.missing) {
    const auto [begin, end] = orphans_of_.equal_range(parent);
    for (auto at = begin; at != end; ++at) {
      if (at->second != txid) continue;
      orphans_of_.erase(at);
      break;
    }
  }
  orphan_bytes_ -= found->second.raw.size();
  orphans_.erase(found);
}

/// Its children are checked with what comes next.
void TransactionRelay::wake_orphans(const Hash256& parent) {
  std::vector<Hash256> children;
  const auto [begin, end] = orphans_of_.equal_range(parent);
  for (auto at = begin; at != end; ++at) children.push_back(at->second);
  for (const Hash256& child : children) {
    Orphan& orphan = orphans_.at(child);
    waiting_bytes_ += orphan.raw.size();
    waiting_.push_back({orphan.from, false, orphan.raw});
    drop_orphan(child);
  }
}

void TransactionRelay::tick() {
  const std::int64_t now_ms = node_.now_ms();
  std::vector<Hash256> late;
  for (const auto& [txid, request] : requests_) {
    if (request.deadline_ms <= now_ms) late.push_back(txid);
  }
  for (const Hash256& txid : late) ask_another(txid, requests_.at(txid));
  while (!orphan_order_.empty()) {
    const auto oldest = orphans_.find(orphan_order_.front());
    if (oldest != orphans_.end() && oldest->second.since_ms + limits_.orphan_age_ms > now_ms) break;
    if (oldest != orphans_.end()) drop_orphan(orphan_order_.front());
    orphan_order_.pop_front();
  }
  for (auto& [peer, wanted] : wanted_) serve(peer, wanted);
}

}  // namespace twinchain::net
