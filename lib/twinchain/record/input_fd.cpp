// Standard input, a file or a pipe: one writer, from beginning to end.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "twinchain/record/input_poll.hpp"
#include "twinchain/record/input_source.hpp"

namespace twinchain::record {
namespace {

class FdInput final : public InputSource {
 public:
  FdInput(UniqueFd fd, int stop_fd) : fd_(std::move(fd)), stop_fd_(stop_fd) {
    struct stat info{};
    if (::fstat(fd_.get(), &info) == 0 && S_ISFIFO(info.st_mode)) {
      ::fcntl(fd_.get(), F_SETPIPE_SZ,
              static_cast<int>(file_piece_bytes));  // works as it is otherwise
    }
  }

  Result<InputEvent> wait(std::int64_t timeout_ns) override {
    switch (state_) {
      case State::fresh:
        state_ = State::reading;
        return InputEvent{InputEvent::Kind::opened, 0};
      case State::reading:
        break;
      case State::stopping:
        if (drain_bytes_ > 0) return InputEvent{InputEvent::Kind::readable, 0};
        state_ = State::done;
        return InputEvent{InputEvent::Kind::stopped, 0};
      case State::at_end:
        state_ = State::done;
        return InputEvent{InputEvent::Kind::closed, 0};
      case State::done:
        return InputEvent{InputEvent::Kind::ended, 0};
    }
    std::array<pollfd, 2> waits{{{stop_fd_, POLLIN, 0}, {fd_.get(), POLLIN, 0}}};
    auto ready = poll_for(waits, timeout_ns);
    if (!ready) return pass(ready);
    if (!*ready) return InputEvent{};
    if (waits[0].revents != 0) {
      // What its writer had written before the signal is still recorded.
      state_ = State::stopping;
      drain_bytes_ = bytes_waiting(fd_.get());
      return wait(0);
    }
    return InputEvent{InputEvent::Kind::readable, 0};
  }

  Result<std::size_t> read(std::uint32_t /*writer*/, std::span<std::uint8_t> into) override {
    if (state_ == State::stopping) into = into.first(std::min(into.size(), drain_bytes_));
    const ssize_t count = ::read(fd_.get(), into.data(), into.size());
    if (count < 0) {
      if (errno == EINTR || errno == EAGAIN) return std::size_t{0};
      return std::unexpected(errno_error("cannot read the input", errno));
    }
    if (count == 0) state_ = State::at_end;
    drain_bytes_ -= std::min(drain_bytes_, static_cast<std::size_t>(count));
    return static_cast<std::size_t>(count);
  }

  [[nodiscard]] std::size_t read_size_bytes() const override { return file_piece_bytes; }

 private:
  enum class State { fresh, reading, stopping, at_end, done };

  UniqueFd fd_;
  int stop_fd_;
  State state_ = State::fresh;
  std::size_t drain_bytes_ = 0;
};

}  // namespace

std::unique_ptr<InputSource> make_fd_input(UniqueFd fd, int stop_fd) {
  return std::make_unique<FdInput>(std::move(fd), stop_fd);
}

}  // namespace twinchain::record
