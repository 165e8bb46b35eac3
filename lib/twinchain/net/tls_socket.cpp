#include "twinchain/net/tls_socket.hpp"

#include <sys/socket.h>

#include <cerrno>

#include "twinchain/sys/fd.hpp"

namespace twinchain::net {
namespace {

std::unexpected<Error> socket_error(const char* what) {
  Error error = errno_error(what, errno);
  error.code = ExitCode::peer;
  return std::unexpected(std::move(error));
}

}  // namespace

TlsSocket::TlsSocket(int fd, std::unique_ptr<TlsChannel> channel)
    : fd_(fd), channel_(std::move(channel)) {}

/// Whether something came (or the end).
Result<bool> TlsSocket::fill() {
  const auto space = channel_->space();
  if (space.empty()) return false;
  while (true) {
    const ssize_t count = ::recv(fd_, space.data(), space.size(), MSG_DONTWAIT);
    if (count > 0) {
      channel_->received(static_cast<std::size_t>(count));
      received_bytes_ += static_cast<std::uint64_t>(count);
      return true;
    }
    if (count == 0) {
      channel_->received_end();
      return true;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) return false;
    if (errno != EINTR) return socket_error("cannot receive");
  }
}

Status TlsSocket::flush() {
  while (wants_write()) {
    const ByteView bytes = channel_->outgoing();
    const ssize_t count = ::send(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count >= 0) {
      channel_->sent(static_cast<std::size_t>(count));
      sent_bytes_ += static_cast<std::uint64_t>(count);
      continue;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) return {};
    if (errno != EINTR) return socket_error("cannot send");
  }
  return {};
}

Status TlsSocket::handshake() {
  while (!established()) {
    auto status = channel_->handshake();
    // Also after an error: the alert says why.
    auto flushed = flush();
    if (!status) return status;
    if (!flushed) return flushed;
    if (established()) break;
    auto came = fill();
    if (!came) return pass(came);
    if (!*came) break;
  }
  return {};
}

Result<std::size_t> TlsSocket::read(std::span<std::uint8_t> into) {
  while (true) {
    auto count = channel_->read(into);
    if (!count) {
      (void)flush();
      return count;
    }
    if (*count > 0 || ended()) return count;
    auto came = fill();
    if (!came) return pass(came);
    if (!*came) return std::size_t{0};
  }
}

Result<std::size_t> TlsSocket::write(ByteView bytes) {
  std::size_t taken = 0;
  do {
    auto count = channel_->write(bytes.subspan(taken));
    if (!count) return count;
    taken += *count;
    TWINCHAIN_TRY(flush());
  } while (taken < bytes.size() && !wants_write());
  return taken;
}

void TlsSocket::close() {
  channel_->close();
  (void)flush();
}

}  // namespace twinchain::net
