// A server with its thread, and ends to try it with, for the tests of net.
#pragma once

#include <doctest/doctest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <condition_variable>
#include <future>
#include <mutex>
#include <thread>
#include <vector>

#include "clocks_for_tests.hpp"
#include "network_for_tests.hpp"
#include "twinchain/net/address_guard.hpp"
#include "twinchain/net/node_server.hpp"
#include "twinchain/net/tls_socket.hpp"
#include "twinchain/net/wire.hpp"
#include "twinchain/sys/fd.hpp"

namespace twinchain::testing {

inline SecretKey key_for_tests(std::uint8_t number) {
  std::array<std::uint8_t, 32> seed{};
  seed[0] = number;
  return SecretKey::from_seed(seed);
}

/// Keeps what happens. The server's thread writes, the test's reads.
class RecordingNode : public net::NodeEvents {
 public:
  struct Received {
    net::PeerId peer = 0;
    std::uint16_t type = 0;
    Bytes body;
  };

  void connected(net::PeerId peer, const net::LinkInfo& link) override {
    change([&] {
      links.push_back({peer, link});
      ++linked;
    });
  }
  void disconnected(net::PeerId peer) override {
    change([&] {
      gone.push_back(peer);
      --linked;
    });
  }
  Status received(net::PeerId peer, std::uint16_t type, ByteView body) override {
    change([&] {
      messages.push_back({peer, type, Bytes(body.begin(), body.end())});
      ++unflushed;
    });
    return {};
  }
  Status flush() override {
    change([&] {
      ++flushes;
      unflushed = 0;
    });
    return {};
  }
  Status tick() override {
    change([&] { ++ticks; });
    return {};
  }

  /// Waits until it is so.
  template <class Condition>
  bool wait(Condition condition) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, longest_wait, condition);
  }
  template <class Call>
  auto read(Call call) {
    const std::lock_guard lock(mutex_);
    return call();
  }

  // To be looked at inside wait() and read().
  std::vector<std::pair<net::PeerId, net::LinkInfo>> links;
  std::vector<net::PeerId> gone;
  int linked = 0;
  std::vector<Received> messages;
  int unflushed = 0;
  int flushes = 0;
  int ticks = 0;

 protected:
  template <class Call>
  void change(Call call) {
    const std::lock_guard lock(mutex_);
    call();
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
};

/// One that says something itself, from the server's thread; RunningServer gives it the server.
class SpeakingNode : public RecordingNode {
 public:
  net::ChainParameters parameters = parameters_for_tests();
  std::uint32_t magic = parameters.magic;
  std::atomic<net::NodeServer*> host = nullptr;

 protected:
  void say(net::PeerId peer, const net::Message& message) {
    host.load()->send(peer, std::make_shared<const Bytes>(net::encode_message(magic, message)));
  }
};

inline net::ServerOptions options_for_tests(std::uint8_t key_number) {
  net::ServerOptions options{.magic = parameters_for_tests().magic,
                             .key = key_for_tests(key_number),
                             .listen = {"127.0.0.1:0"},
                             .peers = {}};
  options.limits.tick_ms = 10;
  options.limits.retry_ms = 10;
  options.limits.max_retry_ms = 50;
  return options;
}

/// Runs a server until the end of the scope.
class RunningServer {
 public:
  RunningServer(net::ServerOptions options, net::NodeEvents& node) {
    open(std::move(options));
    start(node);
  }
  RunningServer(net::ServerOptions options, SpeakingNode& node) {
    open(std::move(options));
    node.host = server_.get();
    start(node);
  }
  RunningServer(const RunningServer&) = delete;
  RunningServer& operator=(const RunningServer&) = delete;
  ~RunningServer() { CHECK(stop().has_value()); }

  Status stop() {
    if (thread_.joinable()) {
      server_->stop();
      thread_.join();
    }
    return std::exchange(result_, {});
  }
  /// When it has ended by itself.
  Status join() {
    thread_.join();
    return std::exchange(result_, {});
  }
  net::NodeServer* operator->() { return server_.get(); }
  [[nodiscard]] std::string address() const { return server_->addresses().at(0); }

  /// Calls it in the server's thread.
  template <class Call>
  auto in_thread(Call call) {
    using Value = decltype(call(*server_));
    auto promise = std::make_shared<std::promise<Value>>();
    auto future = promise->get_future();
    server_->post([this, promise, call]() -> Status {
      if constexpr (std::is_void_v<Value>) {
        call(*server_);
        promise->set_value();
      } else {
        promise->set_value(call(*server_));
      }
      return {};
    });
    REQUIRE(future.wait_for(longest_wait) == std::future_status::ready);
    return future.get();
  }
  /// Waits until the server's figures are so.
  template <class Condition>
  bool wait_for_stats(Condition condition) {
    return wait_until([&] {
      return condition(in_thread([](net::NodeServer& server) { return server.stats(); }));
    });
  }

 private:
  void open(net::ServerOptions options) {
    auto opened = net::NodeServer::open(std::move(options));
    REQUIRE_MESSAGE(opened, (opened ? "" : opened.error().message));
    server_ = std::move(*opened);
  }
  void start(net::NodeEvents& node) {
    thread_ = std::thread([this, &node] { result_ = server_->run(node); });
  }

  std::unique_ptr<net::NodeServer> server_;
  std::thread thread_;
  Status result_;
};

inline UniqueFd connect_raw(const std::string& address) {
  const auto parts = net::split_host_port(address);
  REQUIRE(parts);
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_port = htons(static_cast<std::uint16_t>(std::stoi(parts->port)));
  where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&where), sizeof where) == 0);
  return fd;
}

inline bool poll_one(int fd, short events) {
  pollfd wait{fd, events, 0};
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(longest_wait).count();
  return ::poll(&wait, 1, static_cast<int>(ms)) == 1;
}

/// Whether the other side ends the connection; what it sends before is passed over.
inline bool wait_for_end(int fd) {
  std::array<std::uint8_t, 4096> ignored{};
  while (poll_one(fd, POLLIN)) {
    const ssize_t count = ::recv(fd, ignored.data(), ignored.size(), 0);
    if (count <= 0) return true;
  }
  return false;
}

/// A link whose bytes the test decides.
class RawLink {
 public:
  RawLink(const std::string& address, std::uint8_t key_number) : fd_(connect_raw(address)) {
    auto identity = TlsIdentity::make(key_for_tests(key_number));
    REQUIRE(identity);
    auto channel = TlsChannel::open(*identity, TlsChannel::Side::client);
    REQUIRE(channel);
    tls_.emplace(fd_.get(), std::move(*channel));
    while (true) {
      REQUIRE(tls_->handshake());
      if (tls_->established()) break;
      REQUIRE(poll_one(fd_.get(), POLLIN));
    }
  }
  /// False when the other side has ended the link.
  bool send(ByteView bytes) {
    while (!bytes.empty() || tls_->wants_write()) {
      const auto taken = tls_->write(bytes);
      if (!taken) return false;
      bytes = bytes.subspan(*taken);
      if ((!bytes.empty() || tls_->wants_write()) && !poll_one(fd_.get(), POLLOUT)) return false;
    }
    return true;
  }
  /// The next bytes; empty at the end of the link.
  Bytes receive() {
    Bytes bytes(1 << 16);
    while (true) {
      const auto count = tls_->read(bytes);
      if (!count || tls_->ended()) return {};
      if (*count > 0) {
        bytes.resize(*count);
        return bytes;
      }
      REQUIRE(poll_one(fd_.get(), POLLIN));
    }
  }
  bool ends() {
    while (true) {
      if (receive().empty()) return true;
    }
  }
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  UniqueFd fd_;
  std::optional<net::TlsSocket> tls_;
};

inline std::shared_ptr<const Bytes> encoded(const net::Message& message) {
  return std::make_shared<const Bytes>(net::encode_message(parameters_for_tests().magic, message));
}

}  // namespace twinchain::testing
