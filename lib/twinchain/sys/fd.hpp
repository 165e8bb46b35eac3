// File descriptors: ownership, whole reads and writes, waiting. Floor 1.
//
// All functions retry on EINTR unless said otherwise. Errors name the operation and the reason,
// the caller adds the path. Thread-safe as the system calls are.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include "twinchain/base/bytes.hpp"
#include "twinchain/base/result.hpp"

namespace twinchain {

/// Owns a descriptor and closes it; -1 is none.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept;
  ~UniqueFd() { reset(); }

  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool valid() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  void reset();

 private:
  int fd_ = -1;
};

/// "no such file or directory" for errno; thread-safe, lower case.
std::string errno_text(int error_number);
/// An Error with ExitCode::system (or `peer` for the network's): "<what>: <reason>".
Error errno_error(const std::string& what, int error_number);

Result<UniqueFd> open_file(const std::string& path, int flags, unsigned mode = 0644);

/// Reads up to into.size() bytes; 0 means end of file. Waits for data; when `stop_fd` is not -1
/// and becomes readable while there is no data, gives 0 and sets *stopped.
Result<std::size_t> read_some(int fd, std::span<std::uint8_t> into, int stop_fd = -1,
                              bool* stopped = nullptr);
/// Reads until `into` is full or the file ends; gives the number of bytes read.
Result<std::size_t> read_full(int fd, std::span<std::uint8_t> into);
/// Reads at an offset until `into` is full or the file ends.
Result<std::size_t> pread_full(int fd, std::span<std::uint8_t> into, std::uint64_t offset);
/// The whole of a small file; refuses one larger than max_bytes.
Result<Bytes> read_file(const std::string& path, std::uint64_t max_bytes);

Status write_all(int fd, ByteView bytes);
/// Writes all pieces with writev; `pieces` is used up.
Status writev_all(int fd, std::span<iovec> pieces);
Status fsync_fd(int fd);

/// True when the descriptor is readable (or at its end) within the time; -1 waits for ever.
Result<bool> wait_readable(int fd, int timeout_ms);

/// True for EPIPE errors that write_all and writev_all gave: the reader has gone.
bool is_broken_pipe(const Error& error);

}  // namespace twinchain
