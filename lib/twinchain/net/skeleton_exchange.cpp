#include "twinchain/net/skeleton_exchange.hpp"

#include <algorithm>

namespace twinchain::net {
namespace {

std::vector<Hash256> txids_of(const LocalPool& pool) {
  std::vector<Hash256> txids;
  txids.reserve(pool.size());
  pool.visit([&](const PoolEntry& entry) { txids.push_back(entry.transaction->txid); });
  return txids;
}

}  // namespace

Status SkeletonExchange::take(PeerId from, Skeleton&& message) {
  auto verdict = node_.chain.process_header(message.header);
  if (!verdict) return pass(verdict);
  if (verdict->outcome == Outcome::incomplete) {
    blocks_.ask_headers(from);
    return {};
  }
  if (verdict->outcome == Outcome::invalid && verdict->peer_to_blame) {
    node_.misbehaved(from, "skeleton: " + verdict->reason);
    return {};
  }
  const Hash256 hash = bitcoin::block_hash(message.header);
  const HeaderNode* node = node_.chain.headers().find(hash);
  if (node == nullptr || node->invalid) return {};
  blocks_.has_header(from, hash);
  if (node_.chain.has_body(*node)) return {};
  if (const auto known = assemblies_.find(hash); known != assemblies_.end()) {
    auto& sources = known->second.sources;
    if (std::ranges::find(sources, from) == sources.end()) sources.push_back(from);
    return {};
  }
  // Without the block before it, it could not be judged: headers and bodies are fetched as usual.
  if (node->parent == nullptr || !node_.chain.has_body(*node->parent) ||
      assemblies_.size() >= limits_.assemblies) {
    return blocks_.ask_for_bodies();
  }
  Assembly assembly;
  if (from != 0) assembly.sources.push_back(from);
  const ListServer::List* list = lists_.find(message.snapshot_id, message.snapshot_root);
  if (list != nullptr) assembly.bodies = list->transactions;
  std::vector<Hash256> base;
  if (list == nullptr) base = txids_of(node_.pool);
  const std::vector<Hash256> pool = list == nullptr ? std::vector<Hash256>{} : txids_of(node_.pool);
  symbols_ += message.symbols.symbols.size();
  assembly.receiver = std::make_unique<SkeletonReceiver>(
      std::move(message), list == nullptr ? base : list->snapshot.txids, pool);
  blocks_.set_aside(hash);
  assemblies_.emplace(hash, std::move(assembly));
  return drive(hash);
}

/// Does what comes next, until somebody has to be waited for.
Status SkeletonExchange::drive(const Hash256& hash) {
  const auto found = assemblies_.find(hash);
  if (found == assemblies_.end()) return {};
  Assembly& assembly = found->second;
  SkeletonReceiver& receiver = *assembly.receiver;
  if (receiver.next() == SkeletonReceiver::Next::complete) return finish(hash);
  if (receiver.next() == SkeletonReceiver::Next::ask_block || assembly.sources.empty()) {
    give_up(hash);
    return blocks_.ask_for_bodies();
  }
  const PeerId asked = assembly.sources.front();
  const Peer* peer = node_.find(asked);
  assembly.deadline_ms = node_.now_ms() + limits_.answer_timeout_ms;
  switch (receiver.next()) {
    case SkeletonReceiver::Next::ask_symbols:
      node_.send(asked, receiver.symbol_request());
      break;
    case SkeletonReceiver::Next::ask_short_ids:
      node_.send(asked, GetShortIds{hash});
      break;
    case SkeletonReceiver::Next::ask_transactions:
      // Miners have no transactions, only ids.
      if (peer == nullptr || peer->hello->role == NodeRole::miner) {
        if (!ask_another(assembly)) {
          give_up(hash);
          return blocks_.ask_for_bodies();
        }
        return drive(hash);
      }
      node_.send(asked, receiver.transaction_request());
      break;
    case SkeletonReceiver::Next::ask_block:
    case SkeletonReceiver::Next::complete:
      break;
  }
  return {};
}

bool SkeletonExchange::ask_another(Assembly& assembly) {
  if (!assembly.sources.empty()) assembly.sources.erase(assembly.sources.begin());
  return !assembly.sources.empty();
}

SkeletonExchange::Assembly* SkeletonExchange::assembly_of(const Hash256& block, PeerId from) {
  const auto found = assemblies_.find(block);
  if (found == assemblies_.end() || found->second.sources.empty() ||
      found->second.sources.front() != from) {
    return nullptr;
  }
  return &found->second;
}

Status SkeletonExchange::take(PeerId from, const Symbols& message) {
  Assembly* assembly = assembly_of(message.block, from);
  if (assembly == nullptr || assembly->receiver->next() != SkeletonReceiver::Next::ask_symbols) {
    return {};
  }
  const SymbolRequest asked = assembly->receiver->symbol_request();
  if (message.range.layer != asked.layer || message.range.first != asked.first ||
      message.range.symbols.empty()) {
    return {};
  }
  symbols_ += message.range.symbols.size();
  assembly->receiver->add_symbols(message.range);
  return drive(message.block);
}

Status SkeletonExchange::take(PeerId from, const ShortIdList& message) {
  Assembly* assembly = assembly_of(message.block, from);
  if (assembly == nullptr || assembly->receiver->next() != SkeletonReceiver::Next::ask_short_ids) {
    return {};
  }
  assembly->receiver->add_short_ids(message);
  return drive(message.block);
}

Status SkeletonExchange::take(PeerId from, BlockTransactions&& message) {
  Assembly* assembly = assembly_of(message.block, from);
  if (assembly == nullptr) return {};
  const std::size_t missing_before = assembly->receiver->missing();
  for (const Bytes& raw : message.transactions) {
    TransactionPtr transaction;
    const Verdict verdict = read_transaction(node_.parameters, raw, transaction);
    if (!verdict.accepted()) {
      node_.misbehaved(from, "block transaction: " + verdict.reason);
      return {};
    }
    assembly->bytes += transaction->size_bytes;
    if (assembly->bytes > limits_.fetched_bytes) break;
    ++fetched_;
    const Hash256 txid = transaction->txid;
    assembly->bodies.emplace(txid, std::move(transaction));
    assembly->receiver->add_transaction(txid);
  }
  assembly->deadline_ms = node_.now_ms() + limits_.answer_timeout_ms;
  if (!message.last && assembly->receiver->missing() > 0) return {};
  // An answer without anything that was asked for: this one has not got it.
  const bool helped = assembly->receiver->missing() < missing_before ||
                      assembly->receiver->next() != SkeletonReceiver::Next::ask_transactions;
  if (!helped && !ask_another(*assembly)) {
    give_up(message.block);
    return blocks_.ask_for_bodies();
  }
  return drive(message.block);
}

Status SkeletonExchange::take(PeerId from, const NoBlock& message) {
  Assembly* assembly = assembly_of(message.block, from);
  if (assembly == nullptr) return {};
  if (ask_another(*assembly)) return drive(message.block);
  give_up(message.block);
  return blocks_.ask_for_bodies();
}

void SkeletonExchange::give_up(const Hash256& hash) {
  ++given_up_;
  assemblies_.erase(hash);
  blocks_.no_longer_aside(hash);
}

/// Puts the transactions in order; false, and the rest is asked for, when some are not here.
Result<bool> SkeletonExchange::collect(Assembly& assembly, NetBlock& block) {
  std::vector<Hash256> lacking;
  for (const Hash256& txid : assembly.receiver->txids()) {
    TransactionPtr body = node_.pool.find(txid);
    if (body == nullptr) {
      const auto kept = assembly.bodies.find(txid);
      if (kept != assembly.bodies.end()) body = kept->second;
    }
    if (body == nullptr) lacking.push_back(txid);
    block.transactions.push_back(std::move(body));
  }
  if (lacking.empty()) return true;
  relay_.fetch(lacking);
  return false;
}

Status SkeletonExchange::finish(const Hash256& hash) {
  Assembly& assembly = assemblies_.at(hash);
  const Skeleton& skeleton = assembly.receiver->skeleton();
  NetBlock block;
  block.header = skeleton.header;
  TransactionPtr coinbase;
  const Verdict verdict = read_transaction(node_.parameters, skeleton.coinbase, coinbase);
  if (!verdict.accepted()) {
    // Its id is under the Merkle root, which agrees: the block itself is wrong.
    const PeerId from = assembly.sources.empty() ? 0 : assembly.sources.front();
    give_up(hash);
    if (from != 0) node_.misbehaved(from, "coinbase: " + verdict.reason);
    return {};
  }
  block.transactions.push_back(std::move(coinbase));
  auto whole = collect(assembly, block);
  if (!whole) return pass(whole);
  if (!*whole) {
    if (!assembly.lacks_bodies) {
      assembly.deadline_ms = node_.now_ms() + limits_.bodies_timeout_ms;
    }
    assembly.lacks_bodies = true;
    return {};
  }
  Assembly done = std::move(assembly);
  assemblies_.erase(hash);
  blocks_.no_longer_aside(hash);
  return judge(hash, std::move(done), std::move(block));
}

Status SkeletonExchange::judge(const Hash256& hash, Assembly assembly, NetBlock block) {
  const PeerId from = assembly.sources.empty() ? 0 : assembly.sources.front();
  auto processed = node_.chain.process_block(block);
  if (!processed) return pass(processed);
  if (processed->peer_to_blame) {
    if (from != 0) node_.misbehaved(from, "block: " + processed->reason);
    return {};
  }
  if (!processed->accepted()) return {};
  ++assembled_count_;
  const Skeleton& skeleton = assembly.receiver->skeleton();
  recent_.push_back({hash, skeleton, block.transactions, nullptr});
  if (recent_.size() > limits_.recent_blocks) recent_.pop_front();
  const auto message =
      std::make_shared<const Bytes>(encode_message(node_.parameters.magic, skeleton));
  for (const auto& [id, peer] : node_.peers) {
    const bool has_it = std::ranges::find(assembly.sources, id) != assembly.sources.end();
    if (peer.has_pool() && !has_it) node_.host.send(id, message);
  }
  if (assembled_) assembled_(block, skeleton);
  return blocks_.ask_for_bodies();
}

SkeletonExchange::Recent* SkeletonExchange::recent(const Hash256& block) {
  const auto found = std::ranges::find(recent_, block, &Recent::hash);
  return found == recent_.end() ? nullptr : &*found;
}

/// Symbols depend on header, salt and set only: the same as the first sender's.
SkeletonSender& SkeletonExchange::sender(Recent& recent) {
  if (recent.sender == nullptr) {
    std::vector<Hash256> txids;
    txids.reserve(recent.transactions.size());
    for (std::size_t i = 1; i < recent.transactions.size(); ++i) {
      txids.push_back(recent.transactions[i]->txid);
    }
    SkeletonOptions options;
    options.salt = recent.skeleton.salt;
    options.max_symbols = 1;
    recent.sender = std::make_unique<SkeletonSender>(
        recent.skeleton.header, recent.skeleton.coinbase, std::move(txids), nullptr, options);
  }
  return *recent.sender;
}

Status SkeletonExchange::take(PeerId from, const SymbolRequest& message) {
  Recent* at = recent(message.block);
  if (at == nullptr || !node_.has_room(from)) {
    node_.send(from, NoBlock{message.block});
    return {};
  }
  auto range = sender(*at).symbols(message);
  if (!range) {
    node_.misbehaved(from, range.error().message);
    return {};
  }
  node_.send(from, Symbols{message.block, std::move(*range)});
  return {};
}

Status SkeletonExchange::take(PeerId from, const GetShortIds& message) {
  Recent* at = recent(message.block);
  if (at == nullptr || !node_.has_room(from)) {
    node_.send(from, NoBlock{message.block});
    return {};
  }
  node_.send(from, sender(*at).short_ids());
  return {};
}

Status SkeletonExchange::take(PeerId from, const TransactionRequest& message) {
  Recent* at = recent(message.block);
  if (at == nullptr || !node_.has_room(from)) {
    node_.send(from, NoBlock{message.block});
    return {};
  }
  auto positions = sender(*at).positions(message);
  if (!positions) {
    node_.misbehaved(from, positions.error().message);
    return {};
  }
  BlockTransactions part;
  part.block = message.block;
  part.last = false;
  std::size_t bytes = 0;
  for (const std::uint32_t position : *positions) {
    const NetTransaction& transaction = *at->transactions[position];
    // The rest is asked for again.
    if (!node_.has_room(from)) break;
    if (bytes > 0 && bytes + transaction.size_bytes > transactions_message_bytes) {
      node_.send(from, part);
      part.transactions.clear();
      bytes = 0;
    }
    bytes += transaction.size_bytes;
    part.transactions.push_back(
        bitcoin::serialize(transaction.tx, bitcoin::TxEncoding::no_witness));
  }
  part.last = true;
  node_.send(from, part);
  return {};
}

void SkeletonExchange::disconnected(PeerId peer) {
  for (auto& [hash, assembly] : assemblies_) {
    const bool was_asked = !assembly.sources.empty() && assembly.sources.front() == peer;
    std::erase(assembly.sources, peer);
    if (was_asked) assembly.deadline_ms = 0;  // tick() goes on with the next
  }
}

Status SkeletonExchange::tick() {
  const std::int64_t now_ms = node_.now_ms();
  std::vector<Hash256> late;
  for (const auto& [hash, assembly] : assemblies_) {
    if (assembly.deadline_ms <= now_ms || assembly.lacks_bodies) late.push_back(hash);
  }
  for (const Hash256& hash : late) {
    const auto found = assemblies_.find(hash);
    if (found == assemblies_.end()) continue;
    Assembly& assembly = found->second;
    if (assembly.lacks_bodies && assembly.deadline_ms > now_ms) {
      TWINCHAIN_TRY(finish(hash));
      continue;
    }
    const bool asked_has_gone = assembly.deadline_ms == 0;
    const bool left = asked_has_gone ? !assembly.sources.empty() : ask_another(assembly);
    if (left && !assembly.lacks_bodies) {
      TWINCHAIN_TRY(drive(hash));
    } else {
      give_up(hash);
      TWINCHAIN_TRY(blocks_.ask_for_bodies());
    }
  }
  return {};
}

}  // namespace twinchain::net
