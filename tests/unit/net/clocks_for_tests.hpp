// Time in the tests of net: a clock that the test sets, and waiting for other threads.
#pragma once

#include <atomic>
#include <chrono>
#include <thread>

#include "twinchain/base/clock.hpp"

namespace twinchain::testing {

/// Stands still until the test puts it forward, or goes on with each look. Thread-safe.
class ClockForTests final : public Clock {
 public:
  /// At 0 ms the wall shows `start_s`. `look_ms`: monotonic_ns() goes on by so much, and then
  /// answers.
  explicit ClockForTests(std::int64_t start_s = 0, std::int64_t look_ms = 0)
      : start_ns_(start_s * 1'000'000'000), look_ms_(look_ms) {}
  std::int64_t wall_ns() override { return start_ns_ + now_ms * 1'000'000; }
  std::uint64_t monotonic_ns() override {
    return static_cast<std::uint64_t>(now_ms += look_ms_) * 1'000'000;
  }
  Id128 boot_id() override { return {}; }

  std::atomic<std::int64_t> now_ms = 1'000;

 private:
  std::int64_t start_ns_;
  std::int64_t look_ms_;
};

/// No wait of a test is longer; what is waited for comes in milliseconds.
inline constexpr auto longest_wait = std::chrono::seconds(60);

/// Looks again and again until it is so; false when it takes too long.
template <class Condition>
bool wait_until(Condition condition) {
  const auto end = std::chrono::steady_clock::now() + longest_wait;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

}  // namespace twinchain::testing
