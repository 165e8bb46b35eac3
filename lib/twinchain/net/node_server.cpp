#include "twinchain/net/node_server.hpp"

#include <unistd.h>

#include <algorithm>
#include <boost/asio/connect.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <exception>

#include "twinchain/crypto/sha256.hpp"
#include "twinchain/net/listener.hpp"
#include "twinchain/net/node_server_impl.hpp"

namespace twinchain::net {
namespace {

constexpr std::uint64_t ms_in_ns = 1'000'000;
/// After errors of accept(): most likely no descriptors are left, and some will be given back.
constexpr auto accept_pause_time = std::chrono::milliseconds(100);
/// A link that held so long was good: the next try comes soon.
constexpr std::uint64_t good_link_ns = 10'000 * ms_in_ns;

std::uint64_t random_number() {
  return load_le<std::uint64_t>(random_array<8>().data());
}

std::optional<IpAddress> ip_of(const tcp::endpoint& endpoint) {
  return parse_ip_address(endpoint.address().to_string());
}

}  // namespace

std::uint64_t server_now_ns() {
  return static_cast<std::uint64_t>(
      std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count());
}

NodeServer::Impl::Impl(ServerOptions with, TlsIdentity who)
    : options(std::move(with)),
      identity(std::move(who)),
      guard_(options.limits.max_inbound_per_range, options.limits.exempt_loopback,
             options.limits.ban_ms * ms_in_ns) {
  for (const ServerPeer& peer : options.peers) {
    ServerDial entry;
    entry.peer = peer;
    dials_.push_back(std::move(entry));
  }
}

Status NodeServer::Impl::listen() {
  for (const ServerPeer& peer : options.peers) {
    if (!split_host_port(peer.address)) {
      return fail(ExitCode::usage, escape(peer.address) + ": not an address of a peer",
                  "HOST:PORT");
    }
  }
  for (const std::string& address : options.listen) {
    auto acceptor = open_listener(io, address);
    if (!acceptor) return pass(acceptor);
    acceptors.push_back(std::move(*acceptor));
  }
  if (options.metrics_listen.empty()) return {};
  auto page = MetricsPage::open(io, options.metrics_listen, [this] {
    return options.metrics ? options.metrics() : std::string();
  });
  if (!page) return pass(page);
  metrics = std::move(*page);
  return {};
}

Status NodeServer::Impl::run(NodeEvents& node) {
  node_ = &node;
  try {
    start();
    io.run();
    if (failure_) say_farewell();
  } catch (const std::exception& error) {
    return fail(ExitCode::system, "network: " + escape(error.what()));
  }
  return failure_;
}

void NodeServer::Impl::start() {
  for (tcp::acceptor& acceptor : acceptors) accept(acceptor);
  if (metrics) metrics->start();
  watch_stop_fd();
  for (ServerDial& entry : dials_) dial(entry);
  wait_for_tick();
}

void NodeServer::Impl::watch_stop_fd() {
  if (options.stop_fd < 0) return;
  boost::system::error_code error;
  // A copy: Asio closes what it has.
  (void)stop_.assign(::dup(options.stop_fd), error);
  if (error) {
    fail_node(fail(ExitCode::system, "cannot watch for the signal to stop: " + asio_reason(error)));
    return;
  }
  stop_.async_wait(asio::posix::stream_descriptor::wait_read,
                   [this](const boost::system::error_code& aborted) {
                     if (!aborted) io.stop();
                   });
}

/// What the links take at once still goes out.
void NodeServer::Impl::say_farewell() {
  const auto links = links_;
  for (const auto& [id, link] : links) drop(link, "this node stops", true, false);
}

void NodeServer::Impl::accept(tcp::acceptor& acceptor) {
  acceptor.async_accept(
      [this, &acceptor](const boost::system::error_code& error, tcp::socket socket) {
        if (error == asio::error::operation_aborted) return;
        if (!error) {
          let_in(std::move(socket));
          accept(acceptor);
          return;
        }
        auto timer = std::make_shared<asio::steady_timer>(io, accept_pause_time);
        timer->async_wait([this, &acceptor, timer](const boost::system::error_code& aborted) {
          if (!aborted) accept(acceptor);
        });
      });
}

void NodeServer::Impl::let_in(tcp::socket socket) {
  boost::system::error_code error;
  const tcp::endpoint endpoint = socket.remote_endpoint(error);
  if (error) return;  // gone already
  const auto ip = ip_of(endpoint);
  const std::uint64_t now_ns = server_now_ns();
  if (!ip || stats_.inbound_links >= options.limits.max_inbound || guard_.banned(*ip, now_ns) ||
      !guard_.enter(*ip)) {
    ++stats_.refused_total;
    return;
  }
  const auto link = std::make_shared<ServerLink>(io, options.limits, options.magic);
  link->socket = std::move(socket);
  link->ip = ip;
  link->info.address = endpoint_text(endpoint);
  ++stats_.accepted_total;
  add(link);
  if (begin_tls(link, TlsChannel::Side::server)) advance(link);
}

void NodeServer::Impl::add(const ServerLinkPtr& link) {
  link->id = ++last_id_;
  link->started_ns = server_now_ns();
  link->info.outbound ? ++stats_.outbound_links : ++stats_.inbound_links;
  links_.emplace(link->id, link);
}

void NodeServer::Impl::connect(const std::string& address) {
  const auto parts = split_host_port(address);
  const auto ip = parts ? parse_ip_address(parts->host) : std::nullopt;
  if (!ip || parts->port == "0" || guard_.banned(*ip, server_now_ns())) return;
  std::size_t outbound = 0;
  for (const auto& [id, link] : links_) {
    if (link->info.dialled == address || link->info.address == address) return;
    if (link->info.outbound && link->dial == nullptr) ++outbound;
  }
  if (outbound >= options.limits.max_outbound) return;
  boost::system::error_code error;
  const auto number = asio::ip::make_address(parts->host, error);
  if (error) return;
  const auto port = static_cast<std::uint16_t>(*parse_decimal(parts->port));
  const auto link = std::make_shared<ServerLink>(io, options.limits, options.magic);
  link->info.dialled = address;
  connect_link(link, tcp::resolver::results_type::create(tcp::endpoint(number, port), parts->host,
                                                         parts->port));
}

void NodeServer::Impl::dial(ServerDial& entry) {
  const auto parts = split_host_port(entry.peer.address);
  if (!parts) return;  // listen() has refused it
  entry.resolving = true;
  resolver_.async_resolve(
      parts->host, parts->port, tcp::resolver::numeric_service,
      [this, &entry](const boost::system::error_code& error,
                     const tcp::resolver::results_type& endpoints) {
        if (error == asio::error::operation_aborted) return;
        entry.resolving = false;
        if (error) {
          dial_failed(entry, "cannot look up its address: " + asio_reason(error));
          retry_later(entry, false);
          return;
        }
        const auto link = std::make_shared<ServerLink>(io, options.limits, options.magic);
        link->info.dialled = entry.peer.address;
        link->dial = &entry;
        connect_link(link, endpoints);
      });
}

void NodeServer::Impl::connect_link(const ServerLinkPtr& link,
                                    const tcp::resolver::results_type& endpoints) {
  link->info.outbound = true;
  link->info.address = link->info.dialled;
  add(link);
  if (link->dial != nullptr) link->dial->link = link->id;
  asio::async_connect(
      link->socket, endpoints,
      [this, link](const boost::system::error_code& error, const tcp::endpoint& endpoint) {
        if (link->closed) return;
        if (error) {
          drop(link, "cannot connect: " + asio_reason(error), false, false);
          return;
        }
        link->ip = ip_of(endpoint);
        link->info.address = endpoint_text(endpoint);
        if (begin_tls(link, TlsChannel::Side::client)) advance(link);
      });
}

void NodeServer::Impl::dial_failed(ServerDial& entry, const std::string& reason) {
  if (entry.last_reason == reason) return;
  entry.last_reason = reason;
  note("peer " + escape(entry.peer.address) + ": " + reason + "; trying again");
}

void NodeServer::Impl::retry_later(ServerDial& entry, bool was_good) {
  const auto first_ms = static_cast<std::uint64_t>(std::max(options.limits.retry_ms, 1));
  const auto longest_ms =
      std::max(first_ms, static_cast<std::uint64_t>(std::max(options.limits.max_retry_ms, 1)));
  entry.wait_ms =
      was_good || entry.wait_ms == 0 ? first_ms : std::min(2 * entry.wait_ms, longest_ms);
  // Nodes that lost the same peer at the same time shall not all come back at the same time.
  const std::uint64_t wait_ns = entry.wait_ms * ms_in_ns;
  entry.next_ns = server_now_ns() + wait_ns * 3 / 4 + random_number() % (wait_ns / 2 + 1);
}

void NodeServer::Impl::wait_for_tick() {
  tick_.expires_after(std::chrono::milliseconds(std::max(options.limits.tick_ms, 1)));
  tick_.async_wait([this](const boost::system::error_code& aborted) {
    if (!aborted) on_tick();
  });
}

void NodeServer::Impl::on_tick() {
  const std::uint64_t now_ns = server_now_ns();
  check_links(now_ns);
  for (ServerDial& entry : dials_) {
    if (entry.link == 0 && !entry.resolving && now_ns >= entry.next_ns) dial(entry);
  }
  fail_node(node_->tick());
  if (failure_) wait_for_tick();
}

/// Handshakes that take too long, readers that are too slow, memory that is not needed.
void NodeServer::Impl::check_links(std::uint64_t now_ns) {
  const auto timeout_ns =
      static_cast<std::uint64_t>(std::max(options.limits.handshake_timeout_ms, 0)) * ms_in_ns;
  const auto links = links_;
  for (const auto& [id, link] : links) {
    if (link->closed) continue;
    if (!count_traffic(*link)) release_idle(*link);
    if (!link->announced) {
      if (now_ns - link->started_ns > timeout_ns) drop(link, "no handshake in time", true, false);
    } else if (link->watch.too_slow(now_ns, link->queue.bytes(), link->tls->sent_bytes())) {
      drop(link, "does not take what it is sent", true, false);
    }
  }
}

/// A link has ended: whatever it had is given back.
void NodeServer::Impl::drop(const ServerLinkPtr& link, const std::string& reason, bool by_us,
                            bool misbehaved) {
  if (link->closed) return;
  const std::uint64_t now_ns = server_now_ns();
  if (link->tls) {
    if (by_us && !misbehaved && link->announced) (void)link->queue.pump(*link->tls);
    link->tls->close();
    count_traffic(*link);
  }
  link->closed = true;
  if (by_us) ++stats_.dropped_total;
  if (misbehaved && link->ip) guard_.ban(*link->ip, now_ns);
  if (misbehaved && link->announced) guard_.ban(link->info.node_key, now_ns);
  if (!link->info.outbound && link->ip) guard_.leave(*link->ip);
  link->info.outbound ? --stats_.outbound_links : --stats_.inbound_links;
  stats_.receive_memory_bytes -= link->memory_bytes;
  boost::system::error_code ignored;
  (void)link->socket.close(ignored);
  (void)link->pause.cancel();
  links_.erase(link->id);
  if (link->dial != nullptr) {
    link->dial->link = 0;
    retry_later(*link->dial, link->announced && now_ns - link->started_ns > good_link_ns);
    dial_failed(*link->dial, reason);
  } else if (by_us || link->announced) {
    note("link " + escape(link->info.address) + ": " + reason);
  }
  if (!link->announced) return;
  link->announced = false;
  asio::post(io, [this, id = link->id] { node_->disconnected(id); });
}

void NodeServer::Impl::fail_node(Status status) {
  if (status || !failure_) return;
  failure_ = std::move(status);
  io.stop();
}

ServerStats NodeServer::Impl::stats() const {
  ServerStats result = stats_;
  result.banned = guard_.ban_count();
  result.queued_bytes = 0;
  for (const auto& [id, link] : links_) result.queued_bytes += link->queue.bytes();
  return result;
}

NodeServer::NodeServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
NodeServer::~NodeServer() = default;

Result<std::unique_ptr<NodeServer>> NodeServer::open(ServerOptions options) {
  try {
    auto identity = TlsIdentity::make(options.key);
    if (!identity) return pass(identity);
    auto impl = std::make_unique<Impl>(std::move(options), std::move(*identity));
    TWINCHAIN_TRY(impl->listen());
    return std::unique_ptr<NodeServer>(new NodeServer(std::move(impl)));
  } catch (const std::exception& error) {
    return fail(ExitCode::system, "network: " + escape(error.what()));
  }
}

std::vector<std::string> NodeServer::addresses() const {
  std::vector<std::string> result;
  for (const tcp::acceptor& acceptor : impl_->acceptors) {
    result.push_back(listened_address(acceptor));
  }
  return result;
}
std::string NodeServer::metrics_address() const {
  return impl_->metrics ? impl_->metrics->address() : std::string();
}
PublicKey NodeServer::node_key() const {
  return impl_->identity.public_key();
}
Status NodeServer::run(NodeEvents& node) {
  return impl_->run(node);
}
void NodeServer::stop() {
  impl_->io.stop();
}
void NodeServer::post(std::function<Status()> call) {
  asio::post(impl_->io, [this, call = std::move(call)] { impl_->fail_node(call()); });
}
void NodeServer::send(PeerId peer, std::shared_ptr<const Bytes> message) {
  impl_->send(peer, std::move(message));
}
std::uint64_t NodeServer::queued_bytes(PeerId peer) {
  return impl_->queued_bytes(peer);
}
void NodeServer::disconnect(PeerId peer, const std::string& reason, bool misbehaved) {
  if (const auto link = impl_->find(peer)) impl_->drop(link, escape(reason, 400), true, misbehaved);
}
void NodeServer::connect(const std::string& address) {
  impl_->connect(address);
}
std::uint64_t NodeServer::random() {
  return random_number();
}
ServerStats NodeServer::stats() const {
  return impl_->stats();
}

}  // namespace twinchain::net
