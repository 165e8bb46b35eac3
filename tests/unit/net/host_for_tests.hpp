// The links of a node without sockets, for the tests of net: what it sends to whom.
#pragma once

#include <doctest/doctest.h>

#include <deque>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "twinchain/net/node_host.hpp"
#include "twinchain/net/wire.hpp"

namespace twinchain::testing {

/// A block as it travels.
inline std::vector<net::BlockPart> parts_of(const Hash256& hash, const Bytes& raw) {
  std::vector<net::BlockPart> parts;
  for (std::size_t at = 0; at < raw.size(); at += net::block_part_bytes) {
    const ByteView piece =
        ByteView(raw).subspan(at, std::min(net::block_part_bytes, raw.size() - at));
    parts.push_back({hash, raw.size(), at, {piece.begin(), piece.end()}});
  }
  return parts;
}

/// Keeps what is sent until the test takes it.
class HostForTests final : public net::NodeHost {
 public:
  enum class Links {
    fast,  ///< nothing is queued for a peer, unless the test says so in `queued`
    slow,  ///< what the test has not taken is queued
  };
  HostForTests(std::uint32_t magic, Links links) : magic_(magic), links_(links) {}

  void send(net::PeerId peer, std::shared_ptr<const Bytes> message) override {
    sent[peer].push_back(std::move(message));
  }
  std::uint64_t queued_bytes(net::PeerId peer) override {
    if (links_ == Links::fast) return queued[peer];
    std::uint64_t size = 0;
    for (const auto& message : sent[peer]) size += message->size();
    return size;
  }
  void disconnect(net::PeerId peer, const std::string& reason, bool misbehaved) override {
    disconnects.push_back({peer, reason, misbehaved});
  }
  void connect(const std::string& address) override { dialled.push_back(address); }
  std::uint64_t random() override { return random_(); }

  /// The oldest message that the peer has not taken.
  std::optional<net::Message> take(net::PeerId peer) {
    auto& queue = sent[peer];
    if (queue.empty()) return std::nullopt;
    net::Message message = parse(*queue.front());
    queue.pop_front();
    return message;
  }
  template <class T>
  T take_one(net::PeerId peer) {
    auto message = take(peer);
    REQUIRE(message);
    REQUIRE(std::holds_alternative<T>(*message));
    return std::get<T>(*message);
  }
  /// The messages of one type among those that the peer has not taken.
  template <class T>
  std::vector<T> heard(net::PeerId peer) {
    std::vector<T> found;
    for (const auto& bytes : sent[peer]) {
      net::Message message = parse(*bytes);
      if (auto* one = std::get_if<T>(&message)) found.push_back(std::move(*one));
    }
    return found;
  }
  /// Who was disconnected for what it did.
  [[nodiscard]] std::set<net::PeerId> banned() const { return disconnected(true); }
  /// Who was disconnected without blame.
  [[nodiscard]] std::set<net::PeerId> dropped() const { return disconnected(false); }

  struct Disconnect {
    net::PeerId peer;
    std::string reason;
    bool misbehaved;
  };
  std::map<net::PeerId, std::deque<std::shared_ptr<const Bytes>>> sent;
  std::map<net::PeerId, std::uint64_t> queued;
  std::vector<Disconnect> disconnects;
  std::vector<std::string> dialled;

 private:
  [[nodiscard]] net::Message parse(ByteView bytes) const {
    auto header = net::parse_wire_header(magic_, bytes.first(net::wire_header_size));
    REQUIRE(header);
    auto message = net::parse_message(header->type, bytes.subspan(net::wire_header_size));
    REQUIRE(message);
    return std::move(*message);
  }
  [[nodiscard]] std::set<net::PeerId> disconnected(bool misbehaved) const {
    std::set<net::PeerId> peers;
    for (const Disconnect& one : disconnects) {
      if (one.misbehaved == misbehaved) peers.insert(one.peer);
    }
    return peers;
  }

  std::uint32_t magic_;
  Links links_;
  std::mt19937_64 random_{1};
};

}  // namespace twinchain::testing
