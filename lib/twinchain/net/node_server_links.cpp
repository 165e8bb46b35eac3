// What happens on the links of a server: handshake, reading, writing.

#include <algorithm>
#include <boost/asio/post.hpp>
#include <chrono>

#include "twinchain/base/text.hpp"
#include "twinchain/net/node_server_impl.hpp"

namespace twinchain::net {
namespace {

/// Of one link, before the others have their turn.
constexpr std::size_t read_turn_bytes = std::size_t{1} << 20;
/// The node is given time for what came, at the latest after so much.
constexpr std::size_t unflushed_limit_bytes = std::size_t{16} << 20;
constexpr std::uint64_t ms_ns = 1'000'000;

}  // namespace

ServerLink::ServerLink(asio::io_context& io, const ServerLimits& limits, std::uint32_t magic)
    : socket(io),
      pause(io),
      reader(magic),
      messages(limits.received_messages_rate, limits.received_messages_rate),
      bytes(limits.received_bytes_rate, limits.received_bytes_rate),
      watch(limits.slow_reader_bytes, limits.slow_progress_bytes,
            static_cast<std::uint64_t>(std::max(limits.slow_reader_ms, 0)) * ms_ns) {}

bool NodeServer::Impl::begin_tls(const ServerLinkPtr& link, TlsChannel::Side side) {
  boost::system::error_code ignored;
  (void)link->socket.set_option(tcp::no_delay(true), ignored);  // only slower without
  auto channel = TlsChannel::open(identity, side);
  if (!channel) {
    drop(link, channel.error().message, true, false);
    return false;
  }
  link->tls.emplace(link->socket.native_handle(), std::move(*channel));
  return true;
}

/// The handshake, as far as it goes now.
void NodeServer::Impl::advance(const ServerLinkPtr& link) {
  if (link->closed) return;
  const auto status = link->tls->handshake();
  if (!status) {
    drop(link, status.error().message, false, false);
    return;
  }
  if (link->tls->wants_write()) wait_writable(link);
  if (link->tls->established()) {
    on_established(link);
  } else {
    wait_readable(link);
  }
}

void NodeServer::Impl::on_established(const ServerLinkPtr& link) {
  const PublicKey& key = link->tls->channel().peer_key();
  if (link->dial != nullptr && link->dial->peer.node_key && *link->dial->peer.node_key != key) {
    drop(link, "has another key than the one that was given for it", true, false);
    return;
  }
  if (key == identity.public_key()) {
    drop(link, "is this node itself", true, false);
    return;
  }
  if (guard_.banned(key, server_now_ns())) {
    ++stats_.refused_total;
    drop(link, "misbehaved before", false, false);
    return;
  }
  auto secret = link->tls->channel().link_secret();
  if (!secret) {
    drop(link, secret.error().message, true, false);
    return;
  }
  link->info.node_key = key;
  link->info.link_secret = *secret;
  link->announced = true;
  if (link->dial != nullptr) link->dial->last_reason.clear();
  node_->connected(link->id, link->info);
  pump_read(link);
}

ServerLinkPtr NodeServer::Impl::find(PeerId peer) const {
  const auto found = links_.find(peer);
  return found == links_.end() || !found->second->announced ? nullptr : found->second;
}

void NodeServer::Impl::send(PeerId peer, std::shared_ptr<const Bytes> message) {
  const auto link = find(peer);
  if (!link) return;
  link->queue.push(std::move(message));
  if (link->queue.bytes() > options.limits.max_queued_bytes) {
    drop(link, "takes too little of what it is sent", true, false);
    return;
  }
  pump_later(link);
}

std::uint64_t NodeServer::Impl::queued_bytes(PeerId peer) {
  const auto link = find(peer);
  return link ? link->queue.bytes() : 0;
}

/// After the event that is now handled, so that what it sends goes out together.
void NodeServer::Impl::pump_later(const ServerLinkPtr& link) {
  if (link->to_pump || link->write_waits) return;
  link->to_pump = true;
  to_pump_.push_back(link);
  if (to_pump_.size() > 1) return;
  asio::post(io, [this] {
    const auto links = std::exchange(to_pump_, {});
    for (const auto& one : links) {
      one->to_pump = false;
      pump_write(one);
    }
  });
}

void NodeServer::Impl::pump_write(const ServerLinkPtr& link) {
  if (link->closed) return;
  const auto status = link->queue.pump(*link->tls);
  if (!status) {
    drop(link, status.error().message, false, false);
    return;
  }
  if (link->tls->wants_write()) wait_writable(link);
}

void NodeServer::Impl::wait_writable(const ServerLinkPtr& link) {
  if (link->write_waits) return;
  link->write_waits = true;
  link->socket.async_wait(tcp::socket::wait_write,
                          [this, link](const boost::system::error_code& /*unused*/) {
                            link->write_waits = false;
                            pump_write(link);
                          });
}

void NodeServer::Impl::wait_readable(const ServerLinkPtr& link) {
  if (link->read_waits) return;
  link->read_waits = true;
  link->socket.async_wait(tcp::socket::wait_read,
                          [this, link](const boost::system::error_code& /*unused*/) {
                            link->read_waits = false;
                            if (link->announced) {
                              pump_read(link);
                            } else {
                              advance(link);
                            }
                          });
}

void NodeServer::Impl::pause(const ServerLinkPtr& link, std::uint64_t wait_ns) {
  link->pause.expires_after(std::chrono::nanoseconds(wait_ns));
  link->pause.async_wait([this, link](const boost::system::error_code& aborted) {
    if (!aborted) pump_read(link);
  });
}

/// Reads and delivers until there is nothing more, the link's turn is over, or it must wait.
void NodeServer::Impl::pump_read(const ServerLinkPtr& link) {
  std::size_t budget_bytes = read_turn_bytes;
  while (!link->closed && failure_) {
    if (link->reader.complete()) {
      if (!deliver(link)) return;
    } else if (budget_bytes == 0) {
      asio::post(io, [this, link] { pump_read(link); });
      return;
    } else if (!read_more(link, budget_bytes)) {
      return;
    }
  }
}

/// False when the link must wait.
bool NodeServer::Impl::deliver(const ServerLinkPtr& link) {
  if (!link->messages.ready(server_now_ns())) {
    pause(link, link->messages.wait_ns());
    return false;
  }
  link->messages.take(1);
  ++stats_.received_messages_total;
  const std::size_t size_bytes = link->reader.body().size();
  fail_node(node_->received(link->id, link->reader.type(), link->reader.body()));
  if (link->closed) return false;
  link->reader.next();
  link->message_since_ns = 0;
  count_memory(*link);
  flush_later(size_bytes);
  return true;
}

/// False when nothing came, or the link has ended.
bool NodeServer::Impl::read_more(const ServerLinkPtr& link, std::size_t& budget_bytes) {
  const std::uint64_t now_ns = server_now_ns();
  if (!link->bytes.ready(now_ns)) {
    pause(link, link->bytes.wait_ns());
    return false;
  }
  if (link->reader.growth_bytes() > 0) make_room(link);
  if (link->closed) return false;
  const auto space = link->reader.space();
  count_memory(*link);
  auto count = link->tls->read(space);
  if (!count) {
    drop(link, count.error().message, false, false);
    return false;
  }
  if (link->tls->wants_write()) wait_writable(link);
  if (*count == 0) {
    if (link->tls->ended()) {
      drop(link, "the other side ended the link", false, false);
    } else {
      wait_readable(link);
    }
    return false;
  }
  link->bytes.take(*count);
  budget_bytes -= std::min(budget_bytes, *count);
  if (link->message_since_ns == 0) link->message_since_ns = now_ns;
  const auto status = link->reader.advance(*count);
  if (!status) {
    drop(link, status.error().message, true, !link->reader.met_other_network());
  }
  return status.has_value();
}

/// Drops those that have kept messages unfinished for longest, until the next growth of this one
/// is within what is allowed for all: who does that to fill our memory is among them, and nobody
/// waits for anybody.
void NodeServer::Impl::make_room(const ServerLinkPtr& link) {
  const auto full = [&] {
    return stats_.receive_memory_bytes + link->reader.growth_bytes() >
           options.limits.max_receive_memory_bytes;
  };
  if (!full()) return;
  for (const auto& [id, other] : links_) release_idle(*other);
  while (!link->closed && full()) {
    ServerLinkPtr oldest = link;
    for (const auto& [id, other] : links_) {
      if (other->memory_bytes > 0 && other->message_since_ns != 0 &&
          other->message_since_ns < oldest->message_since_ns) {
        oldest = other;
      }
    }
    drop(oldest, "its message is unfinished and the memory for messages is full", true, false);
  }
}

void NodeServer::Impl::count_memory(ServerLink& link) {
  stats_.receive_memory_bytes -= link.memory_bytes;
  link.memory_bytes = link.reader.memory_bytes();
  stats_.receive_memory_bytes += link.memory_bytes;
}

/// Whether there was any since the last time.
bool NodeServer::Impl::count_traffic(ServerLink& link) {
  bool any = false;
  const auto add_new = [&any](std::uint64_t& total, std::uint64_t& counted, std::uint64_t now) {
    any = any || now != counted;
    total += now - counted;
    counted = now;
  };
  add_new(stats_.sent_messages_total, link.counted_sent_messages, link.queue.sent_messages());
  if (!link.tls) return any;
  add_new(stats_.sent_bytes_total, link.counted_sent_bytes, link.tls->sent_bytes());
  add_new(stats_.received_bytes_total, link.counted_received_bytes, link.tls->received_bytes());
  return any;
}

void NodeServer::Impl::release_idle(ServerLink& link) {
  link.reader.release_idle();
  count_memory(link);
  if (link.tls) link.tls->release_idle();
}

void NodeServer::Impl::flush_later(std::size_t received_bytes) {
  unflushed_bytes_ += received_bytes;
  if (unflushed_bytes_ > unflushed_limit_bytes) {
    flush_now();
    return;
  }
  if (flush_waits_) return;
  flush_waits_ = true;
  // Behind all the links that are readable now: what they bring is one burst.
  asio::post(io, [this] {
    flush_waits_ = false;
    flush_now();
  });
}

void NodeServer::Impl::flush_now() {
  unflushed_bytes_ = 0;
  if (failure_) fail_node(node_->flush());
}

}  // namespace twinchain::net
