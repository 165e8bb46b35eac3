#include "twinchain/sys/fd.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "twinchain/base/text.hpp"

namespace twinchain {
namespace {

constexpr std::string_view broken_pipe_message = "the reader of standard output has gone";

}  // namespace

UniqueFd& UniqueFd::operator=(UniqueFd&& other) noexcept {
  if (this != &other) {
    reset();
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

void UniqueFd::reset() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

std::string errno_text(int error_number) {
  std::array<char, 128> buffer{};
  // The GNU version, which may return a static string instead of filling the buffer.
  std::string text = ::strerror_r(error_number, buffer.data(), buffer.size());
  if (!text.empty() && text[0] >= 'A' && text[0] <= 'Z' && text.substr(1, 1) != "/") {
    text[0] = static_cast<char>(text[0] - 'A' + 'a');
  }
  return text;
}

Error errno_error(const std::string& what, int error_number) {
  ExitCode code = ExitCode::system;
  switch (error_number) {
    case ECONNREFUSED:
    case ECONNRESET:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ETIMEDOUT:
      code = ExitCode::peer;
      break;
    default:
      break;
  }
  std::string message(what);
  message += ": ";
  message += errno_text(error_number);
  return Error{code, std::move(message), {}};
}

Result<UniqueFd> open_file(const std::string& path, int flags, unsigned mode) {
  while (true) {
    const int fd = ::open(path.c_str(), flags | O_CLOEXEC, mode);
    if (fd >= 0) return UniqueFd(fd);
    if (errno == EINTR) continue;
    return std::unexpected(errno_error("cannot open " + escape(path), errno));
  }
}

Result<std::size_t> read_some(int fd, std::span<std::uint8_t> into, int stop_fd, bool* stopped) {
  while (true) {
    if (stop_fd >= 0) {
      std::array<pollfd, 2> waits{{{fd, POLLIN, 0}, {stop_fd, POLLIN, 0}}};
      const int ready = ::poll(waits.data(), waits.size(), -1);
      if (ready < 0 && errno == EINTR) continue;
      if (ready > 0 && waits[0].revents == 0 && waits[1].revents != 0) {
        if (stopped != nullptr) *stopped = true;
        return std::size_t{0};
      }
    }
    const ssize_t count = ::read(fd, into.data(), into.size());
    if (count >= 0) return static_cast<std::size_t>(count);
    if (errno == EINTR) continue;
    if (errno == EAGAIN) {
      TWINCHAIN_TRY(wait_readable(fd, -1));
      continue;
    }
    return std::unexpected(errno_error("read", errno));
  }
}

Result<std::size_t> read_full(int fd, std::span<std::uint8_t> into) {
  std::size_t done = 0;
  while (done < into.size()) {
    auto count = read_some(fd, into.subspan(done));
    if (!count) return pass(count);
    if (*count == 0) break;
    done += *count;
  }
  return done;
}

Result<std::size_t> pread_full(int fd, std::span<std::uint8_t> into, std::uint64_t offset) {
  std::size_t done = 0;
  while (done < into.size()) {
    const ssize_t count =
        ::pread(fd, into.data() + done, into.size() - done, static_cast<off_t>(offset + done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return std::unexpected(errno_error("read", errno));
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  return done;
}

Result<Bytes> read_file(const std::string& path, std::uint64_t max_bytes) {
  auto fd = open_file(path, O_RDONLY);
  if (!fd) return pass(fd);
  Bytes bytes;
  std::array<std::uint8_t, 65536> chunk{};
  while (true) {
    auto count = read_some(fd->get(), chunk);
    if (!count) {
      count.error().message = escape(path) + ": " + count.error().message;
      return pass(count);
    }
    if (*count == 0) return bytes;
    if (bytes.size() + *count > max_bytes) {
      return fail(ExitCode::malformed,
                  escape(path) + ": larger than " + decimal(max_bytes) + " bytes");
    }
    bytes.insert(bytes.end(), chunk.begin(), chunk.begin() + static_cast<std::ptrdiff_t>(*count));
  }
}

Status write_all(int fd, ByteView bytes) {
  iovec piece{const_cast<std::uint8_t*>(bytes.data()),
              bytes.size()};  // writev does not write to it
  return writev_all(fd, {&piece, 1});
}

Status writev_all(int fd, std::span<iovec> pieces) {
  while (!pieces.empty()) {
    if (pieces.front().iov_len == 0) {
      pieces = pieces.subspan(1);
      continue;
    }
    const auto batch = static_cast<int>(std::min<std::size_t>(pieces.size(), 1024));
    const ssize_t count = ::writev(fd, pieces.data(), batch);
    if (count < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) {
        pollfd wait{fd, POLLOUT, 0};
        ::poll(&wait, 1, -1);
        continue;
      }
      if (errno == EPIPE) return fail(ExitCode::system, std::string(broken_pipe_message));
      return std::unexpected(errno_error("write", errno));
    }
    auto left = static_cast<std::size_t>(count);
    while (left > 0) {
      iovec& first = pieces.front();
      const std::size_t taken = std::min(left, first.iov_len);
      first.iov_base = static_cast<std::uint8_t*>(first.iov_base) + taken;
      first.iov_len -= taken;
      left -= taken;
      if (first.iov_len == 0) pieces = pieces.subspan(1);
    }
  }
  return {};
}

Status fsync_fd(int fd) {
  while (::fsync(fd) != 0) {
    if (errno == EINTR) continue;
    // A pipe or a terminal has nothing to bring to the disk.
    if (errno == EINVAL || errno == EROFS) return {};
    return std::unexpected(errno_error("fsync", errno));
  }
  return {};
}

Result<bool> wait_readable(int fd, int timeout_ms) {
  pollfd wait{fd, POLLIN, 0};
  while (true) {
    const int ready = ::poll(&wait, 1, timeout_ms);
    if (ready >= 0) return ready > 0;
    if (errno == EINTR) continue;
    return std::unexpected(errno_error("poll", errno));
  }
}

bool is_broken_pipe(const Error& error) {
  return error.message == broken_pipe_message;
}

}  // namespace twinchain
