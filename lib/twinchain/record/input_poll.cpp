#include "twinchain/record/input_poll.hpp"

#include <sys/ioctl.h>
#include <sys/stat.h>

#include <cerrno>
#include <ctime>

#include "twinchain/sys/fd.hpp"

namespace twinchain::record {

Result<bool> poll_for(std::span<pollfd> waits, std::int64_t timeout_ns) {
  timespec timeout{};
  timeout.tv_sec = timeout_ns / 1'000'000'000;
  timeout.tv_nsec = timeout_ns % 1'000'000'000;
  const int ready =
      ::ppoll(waits.data(), waits.size(), timeout_ns < 0 ? nullptr : &timeout, nullptr);
  if (ready >= 0) return ready > 0;
  if (errno != EINTR) return std::unexpected(errno_error("poll", errno));
  for (pollfd& wait : waits) wait.revents = 0;
  return false;
}

std::size_t bytes_waiting(int fd) {
  struct stat info{};
  if (::fstat(fd, &info) != 0 || S_ISREG(info.st_mode)) return 0;
  int count = 0;
  return ::ioctl(fd, FIONREAD, &count) == 0 && count > 0 ? static_cast<std::size_t>(count) : 0;
}

}  // namespace twinchain::record
