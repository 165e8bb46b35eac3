#include "twinchain/net/wake_fd.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>

namespace twinchain::net {
namespace {

bool wake_fd_add(int set, int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  return epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) == 0;
}

}  // namespace

Result<WakeFd> WakeFd::open(int also) {
  WakeFd opened;
  opened.own_ = UniqueFd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  opened.both_ = UniqueFd(epoll_create1(EPOLL_CLOEXEC));
  if (!opened.own_.valid() || !opened.both_.valid() ||
      !wake_fd_add(opened.both_.get(), opened.own_.get()) ||
      (also >= 0 && !wake_fd_add(opened.both_.get(), also))) {
    return std::unexpected(errno_error("cannot make a descriptor to wait for", errno));
  }
  return opened;
}

void WakeFd::wake() const {
  const std::uint64_t one = 1;
  // Fails only when it has been woken very often already.
  [[maybe_unused]] const auto written = ::write(own_.get(), &one, sizeof one);
}

void WakeFd::clear() const {
  std::uint64_t count = 0;
  [[maybe_unused]] const auto taken = ::read(own_.get(), &count, sizeof count);
}

}  // namespace twinchain::net
