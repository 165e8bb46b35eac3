#include "twinchain/net/block_sync.hpp"

#include <algorithm>

namespace twinchain::net {
namespace {

/// Headers that lead nowhere, one after the other: no honest node sends so many.
constexpr std::size_t max_unconnected_headers = 20;
constexpr std::size_t max_lacks = 1'000;

}  // namespace

void BlockSync::greeted(const Peer& peer) {
  State& state = peers_[peer.id];
  if (peer.hello->role == NodeRole::user || peer.hello->role == NodeRole::miner) return;
  if (node_.chain.headers().find(peer.hello->tip) != nullptr) state.best = peer.hello->tip;
  ask_headers(peer.id);
}

void BlockSync::ask_headers(PeerId peer) {
  node_.send(peer, GetHeaders{node_.chain.headers().locator()});
}

void BlockSync::disconnected(PeerId peer) {
  peers_.erase(peer);
  std::erase_if(downloads_, [peer](const auto& one) { return one.second.from == peer; });
}

void BlockSync::has_header(PeerId peer, const Hash256& hash) {
  const auto found = peers_.find(peer);
  const HeaderNode* node = node_.chain.headers().find(hash);
  if (found == peers_.end() || node == nullptr) return;
  const HeaderNode* best = node_.chain.headers().find(found->second.best);
  if (best == nullptr || HeaderTree::better(*node, *best)) found->second.best = hash;
  found->second.lacks_until_ms.erase(hash);
}

Status BlockSync::take(PeerId from, const GetHeaders& message) {
  Headers answer;
  for (const HeaderNode* node : node_.chain.headers().after(message.locator, max_wire_headers)) {
    // What cannot be given is not shown: bodies may be on their way here.
    if (node->height > node_.chain.tip().height) break;
    answer.headers.push_back(node->header);
  }
  node_.send(from, answer);
  return {};
}

Status BlockSync::take(PeerId from, const Headers& message) {
  const auto found = peers_.find(from);
  if (found == peers_.end()) return {};
  for (const bitcoin::BlockHeader& header : message.headers) {
    auto verdict = node_.chain.process_header(header);
    if (!verdict) return pass(verdict);
    const Hash256 hash = bitcoin::block_hash(header);
    if (verdict->outcome == Outcome::incomplete) {
      if (++found->second.unconnected_headers > max_unconnected_headers) {
        node_.misbehaved(from, "headers that lead nowhere");
      } else {
        ask_headers(from);
      }
      return {};
    }
    if (verdict->outcome == Outcome::invalid && verdict->peer_to_blame) {
      node_.misbehaved(from, "header: " + verdict->reason);
      return {};
    }
    if (!verdict->accepted() && verdict->outcome != Outcome::known) return {};
    found->second.unconnected_headers = 0;
    has_header(from, hash);
  }
  if (message.headers.size() == max_wire_headers) ask_headers(from);
  return ask_for_bodies();
}

bool BlockSync::may_have(const State& state, const HeaderNode& node) const {
  const HeaderNode* best = node_.chain.headers().find(state.best);
  if (best == nullptr || HeaderTree::ancestor(*best, node.height) != &node) return false;
  const auto lacks = state.lacks_until_ms.find(node.hash);
  return lacks == state.lacks_until_ms.end() || lacks->second <= node_.now_ms();
}

std::size_t BlockSync::downloads_from(PeerId peer) const {
  return static_cast<std::size_t>(std::ranges::count_if(
      downloads_, [peer](const auto& one) { return one.second.from == peer; }));
}

Status BlockSync::ask_for_bodies() {
  for (const HeaderNode* node : node_.chain.missing_bodies(limits_.bodies_in_flight)) {
    if (downloads_.size() >= limits_.bodies_in_flight) break;
    if (downloads_.contains(node->hash) || aside_.contains(node->hash)) continue;
    // The one with the least to do.
    PeerId chosen = 0;
    std::size_t least = limits_.bodies_a_peer;
    for (const auto& [id, state] : peers_) {
      if (!may_have(state, *node)) continue;
      const std::size_t busy = downloads_from(id);
      if (busy >= least) continue;
      least = busy;
      chosen = id;
    }
    if (chosen == 0) continue;
    downloads_.emplace(node->hash,
                       Download{chosen, node_.now_ms() + limits_.stall_timeout_ms,
                                BlockParts(node->hash, node_.parameters.block_limit_bytes)});
    node_.send(chosen, GetBlock{node->hash});
  }
  return {};
}

Status BlockSync::take(PeerId from, const GetBlock& message) {
  const auto found = peers_.find(from);
  if (found == peers_.end()) return {};
  State& state = found->second;
  if (state.wanted.size() >= limits_.wanted_by_peer) {
    node_.host.disconnect(from, "asks for more blocks than it takes", false);
    return {};
  }
  state.wanted.push_back(message.block);
  return serve(from, state);
}

Status BlockSync::serve(PeerId peer, State& state) {
  while (node_.has_room(peer)) {
    if (!state.upload) {
      if (state.wanted.empty()) return {};
      const Hash256 block = state.wanted.front();
      state.wanted.pop_front();
      auto raw = node_.blocks.get(block);
      if (!raw) return pass(raw);
      if (!*raw) {
        node_.send(peer, NoBlock{block});
        continue;
      }
      state.upload = Upload{block, std::move(**raw), 0};
    }
    Upload& upload = *state.upload;
    const std::size_t size =
        std::min<std::uint64_t>(block_part_bytes, upload.bytes.size() - upload.offset);
    const auto begin = upload.bytes.begin() + static_cast<std::ptrdiff_t>(upload.offset);
    node_.send(peer, BlockPart{upload.block,
                               upload.bytes.size(),
                               upload.offset,
                               {begin, begin + static_cast<std::ptrdiff_t>(size)}});
    upload.offset += size;
    if (upload.offset == upload.bytes.size()) state.upload.reset();
  }
  return {};
}

Status BlockSync::take(PeerId from, BlockPart&& message) {
  const auto found = downloads_.find(message.block);
  // Not asked for, or no longer: it came late.
  if (found == downloads_.end() || found->second.from != from) return {};
  Download& download = found->second;
  const auto taken = download.parts.take(message);
  if (taken == BlockParts::Taken::misfit) {
    downloads_.erase(found);
    node_.misbehaved(from, "parts of a block that do not fit");
    return {};
  }
  download.deadline_ms = node_.now_ms() + limits_.stall_timeout_ms;
  if (taken == BlockParts::Taken::more) return {};
  const Download whole = std::move(download);
  downloads_.erase(found);
  return complete(whole);
}

Status BlockSync::complete(const Download& download) {
  NetBlock block;
  Verdict verdict = download.parts.read(node_.parameters, node_.workers, block);
  if (verdict.accepted()) {
    auto processed = node_.chain.process_block(block);
    if (!processed) return pass(processed);
    verdict = std::move(*processed);
  }
  if (verdict.peer_to_blame) {
    node_.misbehaved(download.from, "block: " + verdict.reason);
  } else if (verdict.accepted() && connected_) {
    connected_(download.parts.block(), download.from);
  }
  return ask_for_bodies();
}

void BlockSync::take(PeerId from, const NoBlock& message) {
  const auto found = peers_.find(from);
  if (found == peers_.end()) return;
  auto& lacks = found->second.lacks_until_ms;
  if (lacks.size() >= max_lacks) lacks.clear();
  lacks[message.block] = node_.now_ms() + limits_.retry_ms;
  const auto download = downloads_.find(message.block);
  if (download != downloads_.end() && download->second.from == from) downloads_.erase(download);
}

void BlockSync::announce_tip(PeerId except) {
  const Headers message{{node_.chain.tip().header}};
  for (const auto& [id, peer] : node_.peers) {
    if (id != except && peer.follows_chain()) node_.send(id, message);
  }
}

Status BlockSync::tick() {
  const std::int64_t now_ms = node_.now_ms();
  for (auto at = downloads_.begin(); at != downloads_.end();) {
    if (at->second.deadline_ms > now_ms) {
      ++at;
      continue;
    }
    const auto peer = peers_.find(at->second.from);
    if (peer != peers_.end()) {
      peer->second.lacks_until_ms[at->first] = now_ms + limits_.retry_ms;
    }
    at = downloads_.erase(at);
  }
  for (auto& [id, state] : peers_) TWINCHAIN_TRY(serve(id, state));
  return ask_for_bodies();
}

}  // namespace twinchain::net
