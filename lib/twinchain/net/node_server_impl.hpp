// The inside of NodeServer, for its own files only. Floor 6.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <list>
#include <map>

#include "twinchain/net/address_guard.hpp"
#include "twinchain/net/metrics_page.hpp"
#include "twinchain/net/node_server.hpp"
#include "twinchain/net/peer_link.hpp"
#include "twinchain/net/token_bucket.hpp"

namespace twinchain::net {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;

/// A configured peer, linked or waited for.
struct ServerDial {
  ServerPeer peer;
  std::uint64_t wait_ms = 0;  ///< the last one, 0: none yet
  std::uint64_t next_ns = 0;  ///< when to try
  PeerId link = 0;            ///< 0: none
  bool resolving = false;
  std::string last_reason;  ///< so that a person is not told the same again and again
};

struct ServerLink {
  ServerLink(asio::io_context& io, const ServerLimits& limits, std::uint32_t magic);

  PeerId id = 0;
  tcp::socket socket;
  asio::steady_timer pause;
  std::optional<TlsSocket> tls;  ///< once connected
  MessageReader reader;
  SendQueue queue;
  LinkInfo info;
  std::optional<IpAddress> ip;
  ServerDial* dial = nullptr;
  bool announced = false;  ///< the node knows of it
  bool closed = false;
  bool read_waits = false;
  bool write_waits = false;
  bool to_pump = false;
  std::uint64_t started_ns = 0;
  std::uint64_t message_since_ns = 0;
  std::size_t memory_bytes = 0;
  std::uint64_t counted_sent_messages = 0;
  std::uint64_t counted_sent_bytes = 0;
  std::uint64_t counted_received_bytes = 0;
  TokenBucket messages;
  TokenBucket bytes;
  SlowReaderWatch watch;
};
using ServerLinkPtr = std::shared_ptr<ServerLink>;

class NodeServer::Impl {
 public:
  Impl(ServerOptions options, TlsIdentity identity);

  // node_server.cpp: setting up, letting in, connecting, timers.
  Status listen();
  Status run(NodeEvents& node);
  void connect(const std::string& address);
  [[nodiscard]] ServerStats stats() const;

  // node_server_links.cpp: what happens on a link.
  void send(PeerId peer, std::shared_ptr<const Bytes> message);
  std::uint64_t queued_bytes(PeerId peer);
  void drop(const ServerLinkPtr& link, const std::string& reason, bool by_us, bool misbehaved);
  ServerLinkPtr find(PeerId peer) const;
  void fail_node(Status status);

  asio::io_context io{1};
  ServerOptions options;
  TlsIdentity identity;
  std::vector<tcp::acceptor> acceptors;
  std::unique_ptr<MetricsPage> metrics;

 private:
  void start();
  void accept(tcp::acceptor& acceptor);
  void let_in(tcp::socket socket);
  void dial(ServerDial& dial);
  void dial_failed(ServerDial& dial, const std::string& reason);
  void connect_link(const ServerLinkPtr& link, const tcp::resolver::results_type& endpoints);
  void retry_later(ServerDial& dial, bool was_good);
  void wait_for_tick();
  void on_tick();
  void watch_stop_fd();
  void say_farewell();

  bool begin_tls(const ServerLinkPtr& link, TlsChannel::Side side);
  void add(const ServerLinkPtr& link);
  void advance(const ServerLinkPtr& link);
  void on_established(const ServerLinkPtr& link);
  void pump_read(const ServerLinkPtr& link);
  bool deliver(const ServerLinkPtr& link);
  bool read_more(const ServerLinkPtr& link, std::size_t& budget_bytes);
  void make_room(const ServerLinkPtr& link);
  void count_memory(ServerLink& link);
  void pump_write(const ServerLinkPtr& link);
  void pump_later(const ServerLinkPtr& link);
  void pause(const ServerLinkPtr& link, std::uint64_t wait_ns);
  void wait_readable(const ServerLinkPtr& link);
  void wait_writable(const ServerLinkPtr& link);
  void flush_later(std::size_t received_bytes);
  void flush_now();
  bool count_traffic(ServerLink& link);
  void release_idle(ServerLink& link);
  void check_links(std::uint64_t now_ns);
  void note(const std::string& line) const {
    if (options.note) options.note(line);
  }

  NodeEvents* node_ = nullptr;
  Status failure_;
  AddressGuard guard_;
  std::map<PeerId, ServerLinkPtr> links_;
  std::list<ServerDial> dials_;  // links point to them
  tcp::resolver resolver_{io};
  asio::steady_timer tick_{io};
  asio::posix::stream_descriptor stop_{io};
  PeerId last_id_ = 0;
  std::vector<ServerLinkPtr> to_pump_;
  bool flush_waits_ = false;
  std::size_t unflushed_bytes_ = 0;
  ServerStats stats_;
};

/// Nanoseconds of a clock that does not go back.
std::uint64_t server_now_ns();

}  // namespace twinchain::net
