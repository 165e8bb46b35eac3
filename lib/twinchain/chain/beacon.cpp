#include "twinchain/chain/beacon.hpp"

#include <chrono>
#include <string>

#include "twinchain/base/text.hpp"

namespace twinchain::chain {

BeaconPoller::BeaconPoller(std::function<Result<Beacon>()> source, Clock& clock, Options options)
    : source_(std::move(source)),
      clock_(clock),
      options_(std::move(options)),
      answered_ns_(clock.monotonic_ns()),
      thread_([this] { run(); }) {}

BeaconPoller::~BeaconPoller() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

std::optional<Beacon> BeaconPoller::current() {
  const std::lock_guard lock(mutex_);
  return beacon_;
}

void BeaconPoller::wait_for_first(int timeout_ms) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, std::chrono::milliseconds(timeout_ms), [this] { return asked_; });
}

void BeaconPoller::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    const Result<Beacon> answer = source_();
    take(answer);
    lock.lock();
    changed_.wait_for(lock, std::chrono::milliseconds(options_.interval_ms),
                      [this] { return stopping_; });
  }
}

void BeaconPoller::take(const Result<Beacon>& answer) {
  const std::uint64_t now = clock_.monotonic_ns();
  std::string message;
  {
    const std::lock_guard lock(mutex_);
    if (answer) {
      beacon_ = *answer;
      answered_ns_ = now;
      if (failing_) message = "beacon: the ledger answers again";
      failing_ = stale_told_ = false;
    } else if (!failing_) {
      failing_ = true;
      message = "beacon: " + answer.error().message +
                (beacon_ ? "; links carry the last known block" : "; links carry no beacon yet");
    } else if (!stale_told_ && now - answered_ns_ >= options_.stale_after_ns) {
      stale_told_ = true;
      message = "beacon: no answer for " +
                format_duration_ns(static_cast<std::int64_t>((now - answered_ns_) / 1'000'000'000) *
                                   1'000'000'000);
    }
    asked_ = true;
  }
  changed_.notify_all();
  if (!message.empty()) options_.warn(message);
}

}  // namespace twinchain::chain
