#include "twinchain/net/node_server.hpp"

#include <unistd.h>

#include <algorithm>
#include <set>

#include "../temporary_folder.hpp"
#include "pipe_for_tests.hpp"
#include "server_for_tests.hpp"
#include "twinchain/base/hex.hpp"
#include "twinchain/sys/fs.hpp"

using namespace twinchain;
using namespace twinchain::net;
using namespace twinchain::testing;

namespace {

constexpr std::uint16_t ping_type = 2;

/// Ping n of a test.
std::shared_ptr<const Bytes> ping(std::uint64_t nonce) {
  return encoded(Ping{nonce});
}
std::uint64_t nonce_of(const RecordingNode::Received& message) {
  REQUIRE(message.type == ping_type);
  return load_le<std::uint64_t>(message.body.data());
}
/// The first message of a link that is no hello may be at most so large.
Bytes hello_bytes() {
  return *encoded(Hello{});
}
Bytes header_bytes(std::uint16_t type, std::uint32_t size) {
  Bytes bytes = *ping(0);
  bytes.resize(wire_header_size);
  store_le(bytes.data() + 4, type);
  store_le(bytes.data() + 8, size);
  return bytes;
}

}  // namespace

TEST_CASE("node server: two servers and their links") {
  RecordingNode first_node;
  RecordingNode second_node;
  RunningServer first(options_for_tests(1), first_node);
  ServerOptions options = options_for_tests(2);
  options.peers.push_back({first.address(), key_for_tests(1).public_key()});
  RunningServer second(std::move(options), second_node);
  REQUIRE(first_node.wait([&] { return first_node.links.size() == 1; }));
  REQUIRE(second_node.wait([&] { return second_node.links.size() == 1; }));
  const auto [inbound_id, inbound] = first_node.read([&] { return first_node.links[0]; });
  const auto [outbound_id, outbound] = second_node.read([&] { return second_node.links[0]; });
  CHECK_FALSE(inbound.outbound);
  CHECK(inbound.dialled.empty());
  CHECK(inbound.node_key == key_for_tests(2).public_key());
  CHECK(outbound.outbound);
  CHECK(outbound.dialled == first.address());
  CHECK(outbound.address == first.address());
  CHECK(outbound.node_key == key_for_tests(1).public_key());
  CHECK(inbound.link_secret == outbound.link_secret);
  CHECK(inbound.link_secret != Hash256{});

  SUBCASE("many messages in order, in both directions, small and large") {
    constexpr std::uint64_t count = 3000;
    const Bytes large_block(block_part_bytes, 7);
    const auto send_all = [&](NodeServer& server, PeerId peer) {
      server.send(peer, encoded(Hello{}));
      for (std::uint64_t i = 0; i < count; ++i) {
        server.send(peer, ping(i));
        if (i % 1000 == 500) {
          server.send(peer, encoded(BlockPart{{}, large_block.size(), 0, large_block}));
        }
      }
      CHECK(server.queued_bytes(peer) > 3 * large_block.size());
    };
    first.in_thread([&](NodeServer& server) { send_all(server, inbound_id); });
    second.in_thread([&](NodeServer& server) { send_all(server, outbound_id); });
    for (RecordingNode* const node : {&first_node, &second_node}) {
      REQUIRE(node->wait([&] { return node->messages.size() == count + 4; }));
      REQUIRE(node->wait([&] { return node->unflushed == 0; }));
      node->read([&] {
        std::uint64_t next = 0;
        std::size_t blocks = 0;
        for (const auto& message : node->messages) {
          if (message.type == ping_type) {
            CHECK(nonce_of(message) == next++);
          } else if (message.body.size() > large_block.size()) {
            ++blocks;
            CHECK(std::equal(large_block.rbegin(), large_block.rend(), message.body.rbegin()));
          }
        }
        CHECK(next == count);
        CHECK(blocks == 3);
        // Many messages for one flush.
        CHECK(node->flushes < static_cast<int>(count / 4));
      });
    }
    CHECK(first.in_thread([&](NodeServer& server) { return server.queued_bytes(inbound_id); }) ==
          0);
    REQUIRE(first.wait_for_stats([&](const ServerStats& stats) {
      return stats.sent_messages_total == count + 4 && stats.received_messages_total == count + 4 &&
             stats.sent_bytes_total > 3 << 22 && stats.received_bytes_total > 3 << 22 &&
             stats.inbound_links == 1 && stats.outbound_links == 0 && stats.queued_bytes == 0;
    }));
  }
  SUBCASE("a link that ends is made again, with another secret") {
    first.in_thread([&](NodeServer& server) { server.disconnect(inbound_id, "test", false); });
    REQUIRE(first_node.wait([&] { return first_node.gone == std::vector{inbound_id}; }));
    REQUIRE(second_node.wait([&] { return second_node.gone == std::vector{outbound_id}; }));
    REQUIRE(first_node.wait([&] { return first_node.links.size() == 2; }));
    CHECK(first_node.read([&] { return first_node.links[1].second.link_secret; }) !=
          inbound.link_secret);
    CHECK(first_node.read([&] { return first_node.links[1].first; }) != inbound_id);
    // For a link that is gone.
    first.in_thread([&](NodeServer& server) {
      server.send(inbound_id, ping(1));
      CHECK(server.queued_bytes(inbound_id) == 0);
      server.disconnect(inbound_id, "again", true);
    });
  }
  SUBCASE("what was sent before a link is ended arrives") {
    first.in_thread([&](NodeServer& server) {
      server.send(inbound_id, ping(77));
      server.disconnect(inbound_id, "test", false);
    });
    REQUIRE(second_node.wait([&] { return !second_node.messages.empty(); }));
    CHECK(second_node.read([&] { return nonce_of(second_node.messages[0]); }) == 77);
  }
  SUBCASE("who misbehaved does not come back") {
    first.in_thread([&](NodeServer& server) { server.disconnect(inbound_id, "liar", true); });
    REQUIRE(second_node.wait([&] { return second_node.gone.size() == 1; }));
    // It tries again and is refused, while somebody else is let in.
    REQUIRE(first.wait_for_stats([](const ServerStats& stats) { return stats.refused_total > 2; }));
    RawLink other(first.address(), 9);
    REQUIRE(first_node.wait([&] { return first_node.links.size() == 2; }));
    CHECK(first_node.read([&] { return first_node.links[1].second.node_key; }) ==
          key_for_tests(9).public_key());
    CHECK(first.in_thread([](NodeServer& server) { return server.stats().banned; }) == 1);
  }
}

TEST_CASE("node server: a ban ends") {
  RecordingNode node;
  ServerOptions options = options_for_tests(1);
  options.limits.ban_ms = 50;
  RunningServer server(std::move(options), node);
  RecordingNode other_node;
  ServerOptions other_options = options_for_tests(2);
  other_options.peers.push_back({server.address()});
  const RunningServer other(std::move(other_options), other_node);
  REQUIRE(node.wait([&] { return node.links.size() == 1; }));
  const PeerId peer = node.read([&] { return node.links[0].first; });
  server.in_thread([&](NodeServer& host) { host.disconnect(peer, "liar", true); });
  CHECK(node.wait([&] { return node.links.size() == 2; }));
}

TEST_CASE("node server: connect() to addresses that peers name") {
  RecordingNode node;
  RecordingNode other_node;
  RunningServer server(options_for_tests(1), node);
  RunningServer other(options_for_tests(2), other_node);
  server.in_thread([&](NodeServer& host) {
    host.connect("localhost:1");  // a name
    host.connect("127.0.0.1");
    host.connect("127.0.0.1:0");
    host.connect("[::1");
    host.connect("127.0.0.1:99999");
    CHECK(host.stats().outbound_links == 0);
    host.connect(other.address());
    host.connect(other.address());  // linked to already
    CHECK(host.stats().outbound_links == 1);
  });
  REQUIRE(node.wait([&] { return node.links.size() == 1; }));
  CHECK(node.read([&] { return node.links[0].second.dialled; }) == other.address());
  // Once only.
  const PeerId peer = node.read([&] { return node.links[0].first; });
  server.in_thread([&](NodeServer& host) { host.disconnect(peer, "test", false); });
  REQUIRE(node.wait([&] { return node.gone.size() == 1; }));
  const int ticks = node.read([&] { return node.ticks; });
  REQUIRE(node.wait([&] { return node.ticks > ticks + 20; }));
  CHECK(node.read([&] { return node.links.size(); }) == 1);

  SUBCASE("not to itself") {
    server.in_thread([&](NodeServer& host) { host.connect(host.addresses()[0]); });
    REQUIRE(server.wait_for_stats([](const ServerStats& stats) {
      return stats.accepted_total == 1 && stats.outbound_links + stats.inbound_links == 0;
    }));
    CHECK(node.read([&] { return node.links.size(); }) == 1);
  }
}

TEST_CASE("node server: no more outbound links than allowed") {
  RecordingNode node;
  ServerOptions options = options_for_tests(1);
  options.limits.max_outbound = 2;
  RunningServer server(std::move(options), node);
  std::vector<std::unique_ptr<RecordingNode>> nodes;
  std::vector<std::unique_ptr<RunningServer>> others;
  for (std::uint8_t i = 0; i < 3; ++i) {
    nodes.push_back(std::make_unique<RecordingNode>());
    others.push_back(std::make_unique<RunningServer>(
        options_for_tests(static_cast<std::uint8_t>(10 + i)), *nodes.back()));
  }
  server.in_thread([&](NodeServer& host) {
    for (const auto& other : others) host.connect(other->address());
    CHECK(host.stats().outbound_links == 2);
  });
  CHECK(node.wait([&] { return node.links.size() == 2; }));
}

TEST_CASE("node server: a peer with another key than the pinned one is not linked to") {
  RecordingNode node;
  RecordingNode other_node;
  RunningServer other(options_for_tests(2), other_node);
  std::mutex mutex;
  std::string notes;
  ServerOptions options = options_for_tests(1);
  options.peers.push_back({other.address(), key_for_tests(3).public_key()});
  options.note = [&](const std::string& line) {
    const std::lock_guard lock(mutex);
    notes += line;
  };
  const RunningServer server(std::move(options), node);
  // Several times.
  REQUIRE(other.wait_for_stats([](const ServerStats& stats) { return stats.accepted_total > 2; }));
  CHECK(node.read([&] { return node.links.empty(); }));
  const std::lock_guard lock(mutex);
  CHECK(notes.find("has another key") != std::string::npos);
  // Said once.
  CHECK(notes.find("has another key") == notes.rfind("has another key"));
}

TEST_CASE("node server: garbage and silence instead of a handshake") {
  RecordingNode node;
  ServerOptions options = options_for_tests(1);
  options.limits.handshake_timeout_ms = 200;
  RunningServer server(std::move(options), node);
  const UniqueFd garbage = connect_raw(server.address());
  REQUIRE(write_all(garbage.get(), as_bytes("GET / HTTP/1.1\r\n\r\n")));
  CHECK(wait_for_end(garbage.get()));
  const UniqueFd silent = connect_raw(server.address());
  CHECK(wait_for_end(silent.get()));
  // Half a TLS record, which is never finished.
  const UniqueFd half = connect_raw(server.address());
  REQUIRE(write_all(half.get(), Bytes{22, 3, 1, 2, 0, 1, 0}));
  CHECK(wait_for_end(half.get()));
  REQUIRE(server.wait_for_stats([](const ServerStats& stats) {
    return stats.accepted_total == 3 && stats.inbound_links == 0;
  }));
  CHECK(node.read([&] { return node.links.empty() && node.gone.empty(); }));
  // Honest peers are let in after that.
  const RawLink link(server.address(), 5);
  CHECK(node.wait([&] { return node.links.size() == 1; }));
}

TEST_CASE("node server: messages that break the protocol end the link and ban the key") {
  const auto is_refused = [](const std::vector<Bytes>& sent, bool with_ban) {
    RecordingNode node;
    RunningServer server(options_for_tests(1), node);
    RawLink link(server.address(), 5);
    for (const Bytes& bytes : sent) {
      if (!link.send(bytes)) break;
    }
    if (!link.ends() || !node.wait([&] { return node.gone.size() == 1; })) return false;
    return server.in_thread([](NodeServer& host) { return host.stats().banned; }) ==
           (with_ban ? 1U : 0U);
  };
  // Larger than a first message may be, of a type that may have it.
  CHECK(is_refused({header_bytes(6, 2000)}, true));
  // After that, larger than any may be.
  CHECK(is_refused({hello_bytes(), header_bytes(6, 0xffff'ffff)}, true));
  CHECK(is_refused({hello_bytes(), header_bytes(999, 0)}, true));
  CHECK(is_refused({hello_bytes(), Bytes(1000, 0xee)}, true));
  // Another network's is no misdeed.
  CHECK(is_refused({encode_message(1, Hello{})}, false));
}

TEST_CASE("node server: an announced body costs memory only as it comes") {
  RecordingNode node;
  RunningServer server(options_for_tests(1), node);
  RawLink link(server.address(), 5);
  REQUIRE(link.send(hello_bytes()));
  Bytes bytes = header_bytes(6, 32 << 20);
  bytes.resize(bytes.size() + 100'000);
  REQUIRE(link.send(bytes));
  REQUIRE(server.wait_for_stats(
      [](const ServerStats& stats) { return stats.receive_memory_bytes > 100'000; }));
  CHECK(server.in_thread([](NodeServer& host) { return host.stats().receive_memory_bytes; }) <
        300'000);
}

TEST_CASE("node server: when the memory for bodies is full, the oldest unfinished one goes") {
  RecordingNode node;
  ServerOptions options = options_for_tests(1);
  options.limits.max_receive_memory_bytes = 3 << 20;
  RunningServer server(std::move(options), node);
  RawLink holder(server.address(), 5);
  REQUIRE(holder.send(hello_bytes()));
  Bytes part = header_bytes(6, 8 << 20);
  part.resize(part.size() + 900'000);
  REQUIRE(holder.send(part));
  REQUIRE(server.wait_for_stats(
      [](const ServerStats& stats) { return stats.receive_memory_bytes > 900'000; }));
  RawLink honest(server.address(), 6);
  REQUIRE(honest.send(hello_bytes()));
  const Bytes block(2 << 20, 1);
  REQUIRE(honest.send(*encoded(BlockPart{{}, block.size(), 0, block})));
  CHECK(node.wait([&] {
    return std::any_of(node.messages.begin(), node.messages.end(),
                       [&](const auto& message) { return message.body.size() > block.size(); });
  }));
  CHECK(holder.ends());
}

TEST_CASE("node server: who does not read is dropped, the others are not") {
  RecordingNode node;
  ServerOptions options = options_for_tests(1);
  options.limits.slow_reader_bytes = 1 << 20;
  options.limits.slow_reader_ms = 200;
  RunningServer server(std::move(options), node);
  const RawLink slow(server.address(), 5);
  REQUIRE(node.wait([&] { return node.links.size() == 1; }));
  RawLink good(server.address(), 6);
  REQUIRE(node.wait([&] { return node.links.size() == 2; }));
  const auto block = encoded(BlockPart{{}, block_part_bytes, 0, Bytes(block_part_bytes, 1)});
  server.in_thread([&](NodeServer& host) {
    // More than the operating system keeps.
    for (int i = 0; i < 5; ++i) {
      for (const PeerId peer : {PeerId{1}, PeerId{2}}) host.send(peer, block);
    }
  });
  std::size_t got = 0;
  while (got < 5 * block->size()) {
    const Bytes bytes = good.receive();
    REQUIRE_FALSE(bytes.empty());
    got += bytes.size();
  }
  REQUIRE(node.wait([&] { return node.gone.size() == 1; }));
  CHECK(node.read([&] { return node.gone[0] == node.links[0].first; }));
  CHECK(server.in_thread([](NodeServer& host) { return host.stats().inbound_links; }) == 1);

  SUBCASE("and with too much queued at once") {
    server.in_thread([&](NodeServer& host) {
      for (int i = 0; i < 300; ++i) host.send(2, block);  // more than 1 GiB, one copy
    });
    CHECK(node.wait([&] { return node.gone.size() == 2; }));
  }
}

TEST_CASE("node server: places are limited, in total and for each range") {
  RecordingNode node;
  ServerOptions options = options_for_tests(1);
  SUBCASE("in total") {
    options.limits.max_inbound = 2;
  }
  SUBCASE("for each range") {
    options.limits.max_inbound_per_range = 2;
    options.limits.exempt_loopback = false;
  }
  RunningServer server(std::move(options), node);
  auto first = std::make_unique<RawLink>(server.address(), 5);
  const RawLink second(server.address(), 6);
  REQUIRE(node.wait([&] { return node.links.size() == 2; }));
  const UniqueFd third = connect_raw(server.address());
  CHECK(wait_for_end(third.get()));
  CHECK(server.in_thread([](NodeServer& host) { return host.stats().refused_total; }) == 1);
  // A place that is given back can be taken.
  first.reset();
  REQUIRE(node.wait([&] { return node.gone.size() == 1; }));
  const RawLink fourth(server.address(), 7);
  CHECK(node.wait([&] { return node.links.size() == 3; }));
}

TEST_CASE("node server: above its rate a peer waits and nothing is lost") {
  RecordingNode node;
  ServerOptions options = options_for_tests(1);
  constexpr std::uint64_t count = 300;
  SUBCASE("messages") {
    options.limits.received_messages_rate = 200;
  }
  SUBCASE("bytes") {
    options.limits.received_bytes_rate = 5000;
  }
  RunningServer server(std::move(options), node);
  RawLink link(server.address(), 5);
  const auto begin = std::chrono::steady_clock::now();
  for (std::uint64_t i = 0; i < count; ++i) REQUIRE(link.send(*ping(i)));
  REQUIRE(node.wait([&] { return node.messages.size() == count; }));
  // 100 messages, or 1000 bytes, are over what is allowed at once: half a second, or 0.2.
  CHECK(std::chrono::steady_clock::now() - begin > std::chrono::milliseconds(100));
  node.read([&] {
    for (std::uint64_t i = 0; i < count; ++i) CHECK(nonce_of(node.messages[i]) == i);
  });
}

TEST_CASE("node server: the node's own errors end it, and nothing else does") {
  struct FailingNode : RecordingNode {
    enum class Place { received, flush, tick } place = Place::received;
    Status at(Place where, Status otherwise) const {
      if (where == place) return fail(ExitCode::system, "disk is full");
      return otherwise;
    }
    Status received(PeerId peer, std::uint16_t type, ByteView body) override {
      return at(Place::received, RecordingNode::received(peer, type, body));
    }
    Status flush() override { return at(Place::flush, RecordingNode::flush()); }
    Status tick() override { return at(Place::tick, RecordingNode::tick()); }
  };
  FailingNode node;
  SUBCASE("received") {
    node.place = FailingNode::Place::received;
  }
  SUBCASE("flush") {
    node.place = FailingNode::Place::flush;
  }
  SUBCASE("tick") {
    node.place = FailingNode::Place::tick;
  }
  RunningServer server(options_for_tests(1), node);
  if (node.place != FailingNode::Place::tick) {
    RawLink link(server.address(), 5);
    REQUIRE(link.send(hello_bytes()));
    const auto status = server.join();
    REQUIRE_FALSE(status);
    CHECK(status.error().message == "disk is full");
  } else {
    const auto status = server.join();
    REQUIRE_FALSE(status);
    CHECK(status.error().code == ExitCode::system);
  }
}

TEST_CASE("node server: the stop descriptor") {
  const Pipe stop;
  RecordingNode node;
  ServerOptions options = options_for_tests(1);
  options.stop_fd = stop.from.get();
  RunningServer server(std::move(options), node);
  RawLink link(server.address(), 5);
  REQUIRE(node.wait([&] { return node.links.size() == 1; }));
  REQUIRE(write_all(stop.to.get(), Bytes{1}));
  CHECK(server.join());
  // The last word of the link.
  CHECK(link.ends());
}

TEST_CASE("node server: addresses that cannot be listened to") {
  ServerOptions options = options_for_tests(1);
  options.listen = {"127.0.0.1"};
  CHECK(NodeServer::open(options).error().code == ExitCode::usage);
  options.listen = {"127.0.0.1:0"};
  options.peers.push_back({"nonsense"});
  CHECK(NodeServer::open(options).error().code == ExitCode::usage);
  options.peers.clear();
  auto server = NodeServer::open(options);
  REQUIRE(server);
  options.listen = (*server)->addresses();
  CHECK(NodeServer::open(options).error().code == ExitCode::system);
  CHECK((*server)->metrics_address().empty());
  CHECK((*server)->node_key() == key_for_tests(1).public_key());
}

TEST_CASE("node server: the page of figures") {
  RecordingNode node;
  ServerOptions options = options_for_tests(1);
  options.metrics_listen = "127.0.0.1:0";
  options.metrics = [] { return std::string("twinchain_height 12\n"); };
  RunningServer server(std::move(options), node);
  const auto get = [&](const std::string& request) {
    const UniqueFd fd = connect_raw(server->metrics_address());
    REQUIRE(write_all(fd.get(), as_bytes(request)));
    std::string answer;
    std::array<std::uint8_t, 4096> piece{};
    while (poll_one(fd.get(), POLLIN)) {
      const ssize_t count = ::recv(fd.get(), piece.data(), piece.size(), 0);
      if (count <= 0) break;
      answer += as_text(ByteView(piece).first(static_cast<std::size_t>(count)));
    }
    return answer;
  };
  const std::string good = get("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(good.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(good.ends_with("\r\n\r\ntwinchain_height 12\n"));
  const std::string head = get("HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(head.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(head.find("twinchain_height") == std::string::npos);
  CHECK(get("GET / HTTP/1.1\r\nHost: x\r\n\r\n").starts_with("HTTP/1.1 404 "));
  CHECK(get("DELETE /metrics HTTP/1.1\r\nHost: x\r\n\r\n").starts_with("HTTP/1.1 405 "));
  CHECK(get("nonsense\r\n\r\n").empty());
  CHECK(get("GET /metrics HTTP/1.1\r\nX: " + std::string(9000, 'x') + "\r\n\r\n").empty());
  CHECK(get("POST /metrics HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello").empty());
}
