// A TCP or Unix socket that several writers write to at a time.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <optional>
#include <vector>

#include "twinchain/base/text.hpp"
#include "twinchain/record/input_poll.hpp"
#include "twinchain/record/input_source.hpp"

namespace twinchain::record {
namespace {

constexpr std::size_t socket_piece_bytes = std::size_t{64} << 10;

/// Removes the socket file that was made, and only that one.
class SocketFile {
 public:
  SocketFile() = default;
  SocketFile(SocketFile&&) = delete;
  ~SocketFile() {
    struct stat info{};
    if (!path_.empty() && ::stat(path_.c_str(), &info) == 0 && info.st_ino == inode_) {
      ::unlink(path_.c_str());
    }
  }
  void own(const std::string& path) {
    struct stat info{};
    if (::stat(path.c_str(), &info) != 0) return;
    path_ = path;
    inode_ = info.st_ino;
  }

 private:
  std::string path_;
  ino_t inode_ = 0;
};

class ListenInput final : public InputSource {
 public:
  ListenInput(UniqueFd listener, const std::string& socket_path, int stop_fd, Notice notice)
      : listener_(std::move(listener)), stop_fd_(stop_fd), notice_(std::move(notice)) {
    if (!socket_path.empty()) file_.own(socket_path);
  }

  Result<InputEvent> wait(std::int64_t timeout_ns) override {
    if (auto event = next_queued()) return *event;
    if (stopping_) return stopping_event();
    std::vector<pollfd> waits;
    waits.reserve(connections_.size() + 2);
    waits.push_back({stop_fd_, POLLIN, 0});
    const bool room = connections_.size() < max_writers && !accept_paused_;
    waits.push_back({room ? listener_.get() : -1, POLLIN, 0});
    for (const Connection& connection : connections_) {
      waits.push_back({connection.fd.get(), POLLIN, 0});
    }
    auto ready = poll_for(waits, timeout_ns);
    if (!ready) return pass(ready);
    if (!*ready) return InputEvent{};
    for (std::size_t i = 0; i < connections_.size(); ++i) {
      if (waits[i + 2].revents != 0) {
        queue_.push_back({InputEvent::Kind::readable, connections_[i].writer});
      }
    }
    if (waits[1].revents != 0) TWINCHAIN_TRY(accept_writers());
    if (waits[0].revents != 0) TWINCHAIN_TRY(begin_stop());
    return wait(0);
  }

  Result<std::size_t> read(std::uint32_t writer, std::span<std::uint8_t> into) override {
    Connection* connection = find(writer);
    if (connection == nullptr) return std::size_t{0};
    if (stopping_) into = into.first(std::min(into.size(), connection->drain_bytes));
    const ssize_t count = ::read(connection->fd.get(), into.data(), into.size());
    if (count > 0) {
      connection->drain_bytes -= std::min(connection->drain_bytes, static_cast<std::size_t>(count));
      return static_cast<std::size_t>(count);
    }
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) return std::size_t{0};
    if (into.empty()) return std::size_t{0};
    drop(writer, count == 0 ? InputEvent::Kind::closed : InputEvent::Kind::broken);
    return std::size_t{0};
  }

  [[nodiscard]] std::size_t read_size_bytes() const override { return socket_piece_bytes; }
  [[nodiscard]] bool independent_writers() const override { return true; }

 private:
  struct Connection {
    UniqueFd fd;
    std::uint32_t writer = 0;
    std::size_t drain_bytes = 0;
  };

  Connection* find(std::uint32_t writer) {
    const auto found = std::find_if(connections_.begin(), connections_.end(),
                                    [&](const Connection& c) { return c.writer == writer; });
    return found == connections_.end() ? nullptr : &*found;
  }

  std::optional<InputEvent> next_queued() {
    while (!queue_.empty()) {
      const InputEvent event = queue_.front();
      queue_.pop_front();
      // A writer that went while its turn was waiting.
      if (event.kind == InputEvent::Kind::readable && find(event.writer) == nullptr) continue;
      return event;
    }
    return std::nullopt;
  }

  void drop(std::uint32_t writer, InputEvent::Kind kind) {
    std::erase_if(connections_, [&](const Connection& c) { return c.writer == writer; });
    queue_.push_front({kind, writer});
    accept_paused_ = false;
  }

  Status accept_writers() {
    while (connections_.size() < max_writers) {
      UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (!fd.valid()) {
        if (errno == EINTR || errno == ECONNABORTED || errno == EPERM) continue;
        if (errno == EAGAIN) return {};
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
          if (connections_.empty()) return std::unexpected(errno_error("accept", errno));
          notice_("cannot take another writer for now: " + errno_text(errno));
          accept_paused_ = true;
          return {};
        }
        return std::unexpected(errno_error("accept", errno));
      }
      // So that a machine that was switched off does not hold its place for ever. Fails, and is
      // not needed, on a Unix socket.
      const int on = 1;
      const int idle_s = 60;
      (void)::setsockopt(fd.get(), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
      (void)::setsockopt(fd.get(), IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
      connections_.push_back({std::move(fd), next_writer_, 0});
      queue_.push_back({InputEvent::Kind::opened, next_writer_});
      ++next_writer_;
    }
    return {};
  }

  /// What writers had sent before the signal is still read, also of those in the queue.
  Status begin_stop() {
    if (!accept_paused_) TWINCHAIN_TRY(accept_writers());
    stopping_ = true;
    for (Connection& connection : connections_) {
      connection.drain_bytes = bytes_waiting(connection.fd.get());
    }
    return {};
  }

  Result<InputEvent> stopping_event() {
    for (const Connection& connection : connections_) {
      if (connection.drain_bytes > 0) {
        return InputEvent{InputEvent::Kind::readable, connection.writer};
      }
    }
    for (const Connection& connection : connections_) {
      std::uint8_t byte = 0;
      if (::recv(connection.fd.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0) {
        drop(connection.writer, InputEvent::Kind::closed);
        return *next_queued();
      }
    }
    return InputEvent{InputEvent::Kind::stopped, 0};
  }

  SocketFile file_;
  UniqueFd listener_;
  int stop_fd_;
  Notice notice_;
  std::vector<Connection> connections_;
  std::deque<InputEvent> queue_;
  std::uint32_t next_writer_ = 0;
  bool accept_paused_ = false;
  bool stopping_ = false;
};

Error bad_address(const std::string& address) {
  return {ExitCode::usage, "not an address to listen on: " + escape(address),
          "write tcp:127.0.0.1:PORT, tcp:[::1]:PORT or unix:PATH"};
}

struct TcpAddress {
  sockaddr_storage bytes{};
  socklen_t size = 0;
};

std::optional<TcpAddress> parse_tcp(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto port = parse_decimal(text.substr(colon + 1));
  if (!port || *port > 65535) return std::nullopt;
  std::string host(text.substr(0, colon));
  TcpAddress address;
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
    sockaddr_in6 six{};
    six.sin6_family = AF_INET6;
    six.sin6_port = htons(static_cast<std::uint16_t>(*port));
    if (::inet_pton(AF_INET6, host.c_str(), &six.sin6_addr) != 1) return std::nullopt;
    std::memcpy(&address.bytes, &six, sizeof six);
    address.size = sizeof six;
    return address;
  }
  sockaddr_in four{};
  four.sin_family = AF_INET;
  four.sin_port = htons(static_cast<std::uint16_t>(*port));
  if (::inet_pton(AF_INET, host.c_str(), &four.sin_addr) != 1) return std::nullopt;
  std::memcpy(&address.bytes, &four, sizeof four);
  address.size = sizeof four;
  return address;
}

Result<UniqueFd> listen_at(int family, const sockaddr* address, socklen_t size,
                           const std::string& name) {
  UniqueFd fd(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int on = 1;
  if (!fd.valid() || ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      ::bind(fd.get(), address, size) != 0 || ::listen(fd.get(), 128) != 0) {
    return std::unexpected(errno_error("cannot listen on " + escape(name), errno));
  }
  return fd;
}

std::uint16_t bound_port(int fd) {
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &size) != 0) return 0;
  // The port is at the same place in both families.
  sockaddr_in four{};
  std::memcpy(&four, &bound, sizeof four);
  return ntohs(four.sin_port);
}

/// A socket file whose program is gone would keep the next one from starting.
Status remove_stale_socket(const std::string& path, const sockaddr_un& address) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) return {};
  if (!S_ISSOCK(info.st_mode)) {
    return fail(ExitCode::usage, escape(path) + " is there already and is no socket");
  }
  const UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!probe.valid()) return std::unexpected(errno_error("cannot make a socket", errno));
  if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
    return fail(ExitCode::system, escape(path) + " is in use by another process");
  }
  if (errno == ECONNREFUSED) ::unlink(path.c_str());
  return {};
}

}  // namespace

Result<std::unique_ptr<InputSource>> make_listen_input(const std::string& address, int stop_fd,
                                                       Notice notice) {
  const std::string_view text = address;
  if (text.starts_with("tcp:")) {
    const auto tcp = parse_tcp(text.substr(4));
    if (!tcp) return std::unexpected(bad_address(address));
    auto fd = listen_at(tcp->bytes.ss_family, reinterpret_cast<const sockaddr*>(&tcp->bytes),
                        tcp->size, address);
    if (!fd) return pass(fd);
    std::string bound = address.substr(0, address.rfind(':') + 1);
    bound += decimal(std::uint64_t{bound_port(fd->get())});
    notice("listening on " + bound);
    return std::make_unique<ListenInput>(std::move(*fd), "", stop_fd, std::move(notice));
  }
  if (text.starts_with("unix:") && text.size() > 5) {
    const std::string path = address.substr(5);
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    if (path.size() >= sizeof name.sun_path) {
      return fail(ExitCode::usage, "path of the socket is too long: " + escape(path));
    }
    std::memcpy(name.sun_path, path.c_str(), path.size() + 1);
    TWINCHAIN_TRY(remove_stale_socket(path, name));
    auto fd = listen_at(AF_UNIX, reinterpret_cast<const sockaddr*>(&name), sizeof name, address);
    if (!fd) return pass(fd);
    notice("listening on " + escape(address));
    return std::make_unique<ListenInput>(std::move(*fd), path, stop_fd, std::move(notice));
  }
  return std::unexpected(bad_address(address));
}

}  // namespace twinchain::record
