#include "twinchain/net/pool_sync.hpp"

#include <algorithm>

#include "twinchain/iblt/sizing.hpp"

namespace twinchain::net {
namespace {

constexpr std::size_t short_ids_in_request = 50'000;

}  // namespace

void PoolSync::greeted(const Peer& peer) {
  if (links_.size() >= limits_.max_links) return;
  const auto [at, is_new] =
      links_.try_emplace(peer.id, sip_key(peer.link.link_secret), limits_.kept_symbols);
  if (!is_new) return;
  Link& link = at->second;
  std::vector<iblt::Item<1>> ids;
  ids.reserve(node_.pool.size());
  node_.pool.visit([&](const PoolEntry& entry) {
    ids.push_back({short_id(link.key, entry.transaction->txid)});
  });
  link.sketch.add(ids);
  // Not all links at once.
  link.next_ms = node_.now_ms() +
                 static_cast<std::int64_t>(node_.host.random() %
                                           static_cast<std::uint64_t>(limits_.interval_ms / 4 + 1));
}

void PoolSync::added(const Hash256& txid) {
  for (auto& [peer, link] : links_) link.sketch.add({short_id(link.key, txid)});
}

void PoolSync::removed(const Hash256& txid) {
  for (auto& [peer, link] : links_) link.sketch.remove({short_id(link.key, txid)});
}

std::unique_ptr<PoolSync::Frozen> PoolSync::freeze(const SipKey& key) const {
  auto frozen = std::make_unique<Frozen>();
  frozen->key = key;
  frozen->items.reserve(node_.pool.size());
  node_.pool.visit([&](const PoolEntry& entry) {
    frozen->items.push_back({short_id(key, entry.transaction->txid)});
  });
  frozen->layers.resize(iblt::max_layers);
  return frozen;
}

std::span<const iblt::Symbol<1>> PoolSync::Frozen::symbols(std::uint32_t layer, std::uint32_t first,
                                                           std::uint32_t count) {
  auto& encoder = layers[layer];
  if (encoder == nullptr) {
    encoder = std::make_unique<iblt::Encoder<1>>(key, layer);
    encoder->add(items);
  }
  return encoder->symbols(std::size_t{first} + count).subspan(first);
}

void PoolSync::take(PeerId from, const GetSketch& message) {
  const auto found = links_.find(from);
  if (found == links_.end()) return;
  Link& link = found->second;
  Sketch answer;
  answer.session = message.session;
  answer.range.layer = message.layer;
  answer.range.first = message.first;
  const std::uint64_t end = std::uint64_t{message.first} + message.count;
  if (message.count == 0 || message.count > limits_.max_symbols_in_answer ||
      end > limits_.max_symbols || !node_.has_room(from)) {
    return;
  }
  if (message.layer == 0 && message.first == 0 && message.count <= limits_.kept_symbols) {
    const auto kept = link.sketch.symbols().first(message.count);
    answer.range.set_size = static_cast<std::uint32_t>(link.sketch.size());
    answer.range.symbols.assign(kept.begin(), kept.end());
    node_.send(from, answer);
    return;
  }
  if (link.theirs == nullptr || link.their_session != message.session) {
    const std::int64_t now_ms = node_.now_ms();
    const bool begins = message.layer == 0 && message.first == 0;
    // No answer: the asker's time runs out, and it asks again.
    if (!begins || (link.theirs_since_ms != 0 &&
                    now_ms < link.theirs_since_ms + limits_.large_session_interval_ms)) {
      return;
    }
    link.theirs = freeze(link.key);
    link.their_session = message.session;
    link.theirs_since_ms = now_ms;
  }
  answer.range.set_size = static_cast<std::uint32_t>(link.theirs->items.size());
  const auto symbols = link.theirs->symbols(message.layer, message.first, message.count);
  answer.range.symbols.assign(symbols.begin(), symbols.end());
  node_.send(from, answer);
}

void PoolSync::ask(PeerId peer, Link& link, std::uint32_t layer, std::uint32_t first,
                   std::uint32_t count) {
  link.asked = {link.session, layer, first, std::min(count, limits_.max_symbols_in_answer)};
  link.deadline_ms = node_.now_ms() + limits_.timeout_ms;
  node_.send(peer, link.asked);
}

void PoolSync::begin(PeerId peer, Link& link) {
  ++link.session;
  link.asking = true;
  link.ours = nullptr;
  link.decoder = std::make_unique<iblt::Decoder<1>>(
      link.key, iblt::DecodeLimits{limits_.max_symbols, limits_.max_symbols});
  if (link.first_count > limits_.kept_symbols) link.ours = freeze(link.key);
  ask(peer, link, 0, 0, std::max(link.first_count, limits_.kept_symbols));
}

void PoolSync::take(PeerId from, const Sketch& message) {
  const auto found = links_.find(from);
  if (found == links_.end()) return;
  Link& link = found->second;
  const GetSketch& asked = link.asked;
  if (!link.asking || message.session != link.session) return;
  if (message.range.layer != asked.layer || message.range.first != asked.first ||
      message.range.symbols.size() != asked.count) {
    node_.misbehaved(from, "symbols that were not asked for");
    return;
  }
  symbols_ += asked.count;
  const std::span<const iblt::Symbol<1>> theirs = message.range.symbols;
  const std::span<const iblt::Symbol<1>> ours =
      link.ours == nullptr ? link.sketch.symbols().first(asked.count)
                           : link.ours->symbols(asked.layer, asked.first, asked.count);
  const auto left = iblt::difference(theirs, ours);
  switch (link.decoder->add(left, asked.layer)) {
    case iblt::DecodeState::complete:
      finish(from, link);
      return;
    case iblt::DecodeState::needs_more: {
      // How large the difference is at least: the sets' sizes say.
      const std::uint64_t our_size =
          link.ours == nullptr ? link.sketch.size() : link.ours->items.size();
      const std::uint64_t apart = message.range.set_size > our_size
                                      ? message.range.set_size - our_size
                                      : our_size - message.range.set_size;
      if (link.ours == nullptr) {
        link.first_count = std::max(4 * limits_.kept_symbols, iblt::first_flight(apart));
        link.first_count = std::min(link.first_count, limits_.max_symbols);
        begin(from, link);
      } else {
        go_on(from, link);
      }
      return;
    }
    case iblt::DecodeState::over_limit:
    case iblt::DecodeState::inconsistent:
      give_up(link);
      return;
  }
}

/// The next symbols of a session whose sets do not change.
void PoolSync::go_on(PeerId peer, Link& link) {
  const auto have = static_cast<std::uint32_t>(link.decoder->symbol_count());
  const auto main = static_cast<std::uint32_t>(link.decoder->symbol_count(0));
  if (main < std::min(link.first_count, limits_.max_symbols)) {
    ask(peer, link, 0, main, std::min(link.first_count, limits_.max_symbols) - main);
    return;
  }
  if (have >= limits_.max_symbols) {
    give_up(link);
    return;
  }
  const iblt::Extension extension = iblt::next_extension(have);
  // A small layer of another mapping after each extension of the first one.
  for (std::uint32_t layer = 1; layer < iblt::max_layers && link.asked.layer == 0; ++layer) {
    if (link.decoder->symbol_count(layer) > 0 || extension.layer == 0) continue;
    ask(peer, link, layer, 0, extension.layer);
    return;
  }
  ask(peer, link, 0, main, std::min(extension.main, limits_.max_symbols - main));
}

std::size_t PoolSync::median_difference() const {
  std::vector<std::size_t> differences;
  for (const auto& [peer, link] : links_) {
    if (link.difference) differences.push_back(*link.difference);
  }
  if (differences.empty()) return 0;
  const auto middle =
      differences.begin() + static_cast<std::ptrdiff_t>((differences.size() - 1) / 2);
  std::ranges::nth_element(differences, middle);
  return *middle;
}

void PoolSync::give_up(Link& link) {
  ++failed_;
  link.asking = false;
  link.decoder = nullptr;
  link.ours = nullptr;
  link.first_count = 0;
  link.next_ms = node_.now_ms() + limits_.interval_ms;
}

void PoolSync::finish(PeerId peer, Link& link) {
  ++completed_;
  const auto& only_theirs = link.decoder->only_theirs();
  const auto& only_ours = link.decoder->only_ours();
  link.difference = only_theirs.size() + only_ours.size();
  differences_ += *link.difference;
  for (std::size_t at = 0; at < only_theirs.size(); at += short_ids_in_request) {
    GetByShortId request;
    for (std::size_t i = at; i < std::min(at + short_ids_in_request, only_theirs.size()); ++i) {
      request.ids.push_back(only_theirs[i][0]);
    }
    node_.send(peer, request);
  }
  if (!only_ours.empty()) {
    std::vector<std::uint64_t> ids;
    ids.reserve(only_ours.size());
    for (const iblt::Item<1>& item : only_ours) ids.push_back(item[0]);
    std::ranges::sort(ids);
    Announce part;
    node_.pool.visit([&](const PoolEntry& entry) {
      if (!std::ranges::binary_search(ids, short_id(link.key, entry.transaction->txid))) return;
      part.txids.push_back(entry.transaction->txid);
      if (part.txids.size() < max_wire_txids) return;
      node_.send(peer, part);
      part.txids.clear();
    });
    if (!part.txids.empty()) node_.send(peer, part);
  }
  link.asking = false;
  link.decoder = nullptr;
  link.ours = nullptr;
  link.first_count = 0;
  link.next_ms = node_.now_ms() + limits_.interval_ms;
}

void PoolSync::take(PeerId from, const GetByShortId& message) {
  const auto found = links_.find(from);
  if (found == links_.end()) return;
  const SipKey key = found->second.key;
  // Sorted and not hashed: the peer chose them.
  std::vector<std::uint64_t> ids = message.ids;
  std::ranges::sort(ids);
  // In the order of admission, so that parents come before their children.
  std::vector<std::pair<std::uint64_t, Hash256>> matching;
  node_.pool.visit([&](const PoolEntry& entry) {
    const Hash256& txid = entry.transaction->txid;
    if (std::ranges::binary_search(ids, short_id(key, txid))) {
      matching.emplace_back(entry.sequence, txid);
    }
  });
  std::ranges::sort(matching);
  std::vector<Hash256> txids;
  txids.reserve(matching.size());
  for (const auto& [sequence, txid] : matching) txids.push_back(txid);
  relay_.offer(from, txids);
}

void PoolSync::tick() {
  const std::int64_t now_ms = node_.now_ms();
  for (auto& [peer, link] : links_) {
    if (link.asking && link.deadline_ms <= now_ms) give_up(link);
    if (!link.asking && link.next_ms <= now_ms) begin(peer, link);
    if (link.theirs != nullptr && link.theirs_since_ms + 6 * limits_.timeout_ms < now_ms) {
      link.theirs = nullptr;
    }
  }
}

}  // namespace twinchain::net
