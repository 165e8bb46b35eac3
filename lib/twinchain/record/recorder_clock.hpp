// The time that windows are stamped with. Floor 3.
#pragma once

#include <cstdint>
#include <optional>

#include "twinchain/base/clock.hpp"

namespace twinchain::record {

/// The wall clock, but never going back. When the wall clock is set back, this clock runs on at
/// half the speed of the monotonic clock until the wall clock has caught up: windows stay
/// contiguous and in order, and no window is stamped for a time that never came. Not thread-safe.
class RecorderClock {
 public:
  /// Time begins at `not_before_ns` at the earliest: the end of the last window of a spool.
  RecorderClock(Clock& clock, std::optional<std::int64_t> not_before_ns);

  std::int64_t now_ns();
  /// How far this clock is ahead of the wall clock; 0 when they agree.
  [[nodiscard]] std::int64_t ahead_ns() const { return time_ns_ - wall_ns_; }
  /// By how much the wall clock went back since the last call, when it did; for a message.
  std::optional<std::int64_t> take_step_back_ns();
  [[nodiscard]] Clock& clock() { return *clock_; }

 private:
  Clock* clock_;
  std::int64_t time_ns_;
  std::int64_t wall_ns_;
  std::uint64_t monotonic_ns_;
  std::optional<std::int64_t> step_back_ns_;
};

}  // namespace twinchain::record
