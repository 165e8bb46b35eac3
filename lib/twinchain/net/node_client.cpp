#include "twinchain/net/node_client.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>

#include "twinchain/base/hex.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/net/address_guard.hpp"
#include "twinchain/net/message_reader.hpp"
#include "twinchain/net/node_key.hpp"
#include "twinchain/net/tls_socket.hpp"
#include "twinchain/sys/fd.hpp"

namespace twinchain::net {
namespace {

using ClientTime = std::chrono::steady_clock;

/// The time of one call; -1: without end.
class Deadline {
 public:
  explicit Deadline(int timeout_ms)
      : endless_(timeout_ms < 0),
        end_(ClientTime::now() + std::chrono::milliseconds(std::max(timeout_ms, 0))) {}
  /// For poll(): -1 without end, 0 when it is over.
  [[nodiscard]] int left_ms() const {
    if (endless_) return -1;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end_ - ClientTime::now());
    return static_cast<int>(std::max<std::int64_t>(left.count(), 0));
  }

 private:
  bool endless_;
  ClientTime::time_point end_;
};

struct AddressListFree {
  void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};
using AddressList = std::unique_ptr<addrinfo, AddressListFree>;

std::unexpected<Error> node_away(const std::string& address, const std::string& why) {
  return fail(ExitCode::peer, "node " + escape(address) + ": " + why);
}

/// True when the descriptor is ready, false when the time is over.
Result<bool> wait_for_socket(int fd, short events, const Deadline& deadline, int stop_fd,
                             const std::string& address) {
  while (true) {
    std::array<pollfd, 2> waits{{{fd, events, 0}, {stop_fd, POLLIN, 0}}};
    const int count = ::poll(waits.data(), waits.size(), deadline.left_ms());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return std::unexpected(errno_error("cannot wait for a node", errno));
    if (waits[1].revents != 0) return node_away(address, "stopped while waiting for it");
    if (count == 0) return false;
    return true;
  }
}

Result<UniqueFd> connect_to(const addrinfo& where, const Deadline& deadline,
                            const ClientOptions& options) {
  UniqueFd fd(::socket(where.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP));
  if (!fd.valid()) return std::unexpected(errno_error("cannot make a socket", errno));
  if (::connect(fd.get(), where.ai_addr, where.ai_addrlen) != 0) {
    if (errno != EINPROGRESS && errno != EINTR) {
      return node_away(options.address, "cannot connect: " + errno_text(errno));
    }
    auto ready = wait_for_socket(fd.get(), POLLOUT, deadline, options.stop_fd, options.address);
    if (!ready) return pass(ready);
    if (!*ready) return node_away(options.address, "no connection in time");
    int error = 0;
    socklen_t size = sizeof error;
    if (::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
    if (error != 0) return node_away(options.address, "cannot connect: " + errno_text(error));
  }
  const int on = 1;
  (void)::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // only slower without
  return fd;
}

/// The first of the host's addresses that answers.
Result<UniqueFd> connect_to_host(const ClientOptions& options, const Deadline& deadline) {
  const auto parts = split_host_port(options.address);
  if (!parts || parts->port == "0") {
    return fail(ExitCode::usage, escape(options.address) + ": not the address of a node",
                "HOST:PORT");
  }
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(parts->host.c_str(), parts->port.c_str(), &hints, &found);
  const AddressList list(found);
  if (error != 0 || !list) {
    return node_away(options.address,
                     std::string("cannot look up its address: ") + escape(::gai_strerror(error)));
  }
  Result<UniqueFd> fd = node_away(options.address, "has no address");
  for (const addrinfo* where = list.get(); where != nullptr; where = where->ai_next) {
    fd = connect_to(*where, deadline, options);
    if (fd) break;
  }
  return fd;
}

Result<SecretKey> client_key(const ClientOptions& options) {
  if (options.key_file.empty()) return SecretKey::generate();
  return load_or_make_node_key(real_fs(), options.key_file);
}

}  // namespace

struct NodeClient::Parts {
  Parts(const ClientOptions& with, UniqueFd socket, std::unique_ptr<TlsChannel> channel)
      : address(with.address),
        timeout_ms(with.timeout_ms),
        stop_fd(with.stop_fd),
        fd(std::move(socket)),
        tls(fd.get(), std::move(channel)) {}

  std::unexpected<Error> broken(const Error& error) const {
    return node_away(address, error.message);
  }
  std::unexpected<Error> gone() const { return node_away(address, "has ended the link"); }
  [[nodiscard]] std::unexpected<Error> malformed(const std::string& what) const {
    return fail(ExitCode::malformed, "node " + escape(address) + ": " + what);
  }
  Result<bool> wait(const Deadline& deadline, bool for_reading) {
    short events = for_reading ? POLLIN : 0;
    if (tls.wants_write()) events |= POLLOUT;
    return wait_for_socket(fd.get(), events, deadline, stop_fd, address);
  }

  Status handshake(const Deadline& deadline) {
    while (true) {
      auto status = tls.handshake();
      if (!status) return broken(status.error());
      if (tls.established()) break;
      auto ready = wait(deadline, true);
      if (!ready) return pass(ready);
      if (!*ready) return node_away(address, "no handshake in time");
    }
    key = tls.channel().peer_key();
    auto shared = tls.channel().link_secret();
    if (!shared) return broken(shared.error());
    secret = *shared;
    return {};
  }

  Status send(ByteView bytes, const Deadline& deadline) {
    while (true) {
      auto taken = tls.write(bytes);
      if (!taken) return broken(taken.error());
      bytes = bytes.subspan(*taken);
      if (bytes.empty() && !tls.wants_write()) return {};
      auto ready = wait(deadline, false);
      if (!ready) return pass(ready);
      if (!*ready) return node_away(address, "does not take what it is sent");
    }
  }
  Status send(const Message& message, const Deadline& deadline) {
    return send(ByteView(encode_message(magic, message)), deadline);
  }

  /// Fills the reader until a message is complete; false when the time is over.
  Result<bool> fill(MessageReader& into, const Deadline& deadline) {
    while (!into.complete()) {
      auto count = tls.read(into.space());
      if (!count) return broken(count.error());
      if (*count > 0) {
        auto status = into.advance(*count);
        if (!status) return malformed(status.error().message);
        continue;
      }
      if (tls.ended()) return gone();
      auto ready = wait(deadline, true);
      if (!ready) return pass(ready);
      if (!*ready) return false;
      auto flushed = tls.flush();
      if (!flushed) return broken(flushed.error());
    }
    return true;
  }

  /// The next message that is no ping.
  Result<std::optional<Message>> receive(const Deadline& deadline) {
    while (true) {
      auto complete = fill(*reader, deadline);
      if (!complete) return pass(complete);
      if (!*complete) return std::optional<Message>();
      auto message = parse_message(reader->type(), reader->body());
      reader->next();
      if (!message) return malformed(message.error().message);
      const auto* const ping = std::get_if<Ping>(&*message);
      if (ping == nullptr) return std::optional<Message>(std::move(*message));
      TWINCHAIN_TRY(send(Pong{ping->nonce}, Deadline(timeout_ms)));
    }
  }

  /// Which network it is is in the first bytes that a node sends, the header of its hello.
  Status learn_magic(const Deadline& deadline) {
    std::array<std::uint8_t, wire_header_size> header{};
    std::size_t got = 0;
    while (got < header.size()) {
      auto count = tls.read(std::span(header).subspan(got));
      if (!count) return broken(count.error());
      got += *count;
      if (*count > 0) continue;
      if (tls.ended()) return gone();
      auto ready = wait(deadline, true);
      if (!ready) return pass(ready);
      if (!*ready) return node_away(address, "does not say hello");
    }
    magic = wire_header_magic(header);
    reader.emplace(magic);
    const auto space = reader->space();
    std::copy(header.begin(), header.end(), space.begin());
    auto status = reader->advance(header.size());
    if (!status) return malformed(status.error().message);
    return {};
  }

  Status meet(const ClientOptions& options) {
    const Deadline deadline(timeout_ms);
    TWINCHAIN_TRY(handshake(deadline));
    if (options.node_key && *options.node_key != key) {
      return fail(ExitCode::refuted,
                  "node " + escape(address) + ": has another key than asked for: " + to_hex(key));
    }
    TWINCHAIN_TRY(learn_magic(deadline));
    if (options.parameters != nullptr && options.parameters->magic != magic) return another();
    auto message = receive(deadline);
    if (!message) return pass(message);
    if (!*message) return node_away(address, "does not say hello");
    const auto* const said = std::get_if<Hello>(&**message);
    if (said == nullptr) return malformed("does not say hello first");
    hello = *said;
    if (hello.version != wire_version) {
      return malformed("speaks version " + decimal(std::uint64_t{hello.version}) +
                       " of the protocol, this program version " +
                       decimal(std::uint64_t{wire_version}));
    }
    if (options.parameters != nullptr) {
      if (genesis_hash(*options.parameters) != hello.genesis) return another();
      parameters = *options.parameters;
    }
    Hello ours;
    ours.role = options.role;
    ours.listen_port = options.listen_port;
    // Zeros say that we do not know the network, which is for users only.
    const bool learns = options.parameters == nullptr && options.role == NodeRole::user;
    if (!learns) ours.genesis = hello.genesis;
    ours.agent = "twinchain " TWINCHAIN_VERSION;
    return send(ours, deadline);
  }
  [[nodiscard]] std::unexpected<Error> another() const {
    return fail(ExitCode::refuted, "node " + escape(address) + ": belongs to another network");
  }

  /// The network's rules as the node has them: they must be those of the genesis block that it
  /// names, and of the magic that it uses.
  Status believe(const ParametersText& text) {
    auto parsed = parse_parameters(as_bytes(text.text));
    if (!parsed) return malformed("its parameters: " + parsed.error().message);
    if (genesis_hash(*parsed) != hello.genesis || parsed->magic != magic) {
      return malformed("its parameters are not those of its network");
    }
    parameters = std::move(*parsed);
    return {};
  }

  std::string address;
  int timeout_ms;
  int stop_fd;
  UniqueFd fd;
  TlsSocket tls;
  std::optional<MessageReader> reader;
  std::uint32_t magic = 0;
  ChainParameters parameters;
  Hello hello;
  Hash256 key{};
  Hash256 secret{};
};

NodeClient::NodeClient(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
NodeClient::~NodeClient() {
  parts_->tls.close();
}

Result<std::unique_ptr<NodeClient>> NodeClient::connect(const ClientOptions& options) {
  auto secret = client_key(options);
  if (!secret) return pass(secret);
  auto identity = TlsIdentity::make(*secret);
  if (!identity) return pass(identity);
  auto fd = connect_to_host(options, Deadline(options.timeout_ms));
  if (!fd) return pass(fd);
  auto channel = TlsChannel::open(*identity, TlsChannel::Side::client);
  if (!channel) return pass(channel);
  auto parts = std::make_unique<Parts>(options, std::move(*fd), std::move(*channel));
  std::unique_ptr<NodeClient> client(new NodeClient(std::move(parts)));
  TWINCHAIN_TRY(client->parts_->meet(options));
  if (options.parameters != nullptr) return client;
  auto text = client->ask<ParametersText>(GetParameters{});
  if (!text) return pass(text);
  TWINCHAIN_TRY(client->parts_->believe(*text));
  return client;
}

const ChainParameters& NodeClient::parameters() const {
  return parts_->parameters;
}
const Hello& NodeClient::hello() const {
  return parts_->hello;
}
const Hash256& NodeClient::node_key() const {
  return parts_->key;
}
const Hash256& NodeClient::link_secret() const {
  return parts_->secret;
}
int NodeClient::fd() const {
  return parts_->fd.get();
}

Status NodeClient::send(const Message& message) {
  return parts_->send(message, Deadline(parts_->timeout_ms));
}

Result<std::optional<Message>> NodeClient::receive(int timeout_ms) {
  return parts_->receive(Deadline(timeout_ms));
}

Result<Message> NodeClient::wait_for(std::uint16_t type) {
  const Deadline deadline(parts_->timeout_ms);
  while (true) {
    auto message = parts_->receive(deadline);
    if (!message) return pass(message);
    if (!*message) {
      return node_away(parts_->address, "no " + message_name(type) + " in time");
    }
    if (message_type(**message) == type) return std::move(**message);
  }
}

}  // namespace twinchain::net
