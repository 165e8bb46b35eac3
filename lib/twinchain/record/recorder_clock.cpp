#include "twinchain/record/recorder_clock.hpp"

#include <algorithm>
#include <utility>

namespace twinchain::record {
namespace {

/// The two clocks are not read at the same moment; a smaller difference is no step.
constexpr std::int64_t step_tolerance_ns = 50'000'000;

}  // namespace

RecorderClock::RecorderClock(Clock& clock, std::optional<std::int64_t> not_before_ns)
    : clock_(&clock), wall_ns_(clock.wall_ns()), monotonic_ns_(clock.monotonic_ns()) {
  time_ns_ = std::max(wall_ns_, not_before_ns.value_or(wall_ns_));
  if (time_ns_ - wall_ns_ > step_tolerance_ns) step_back_ns_ = time_ns_ - wall_ns_;
}

std::int64_t RecorderClock::now_ns() {
  const std::uint64_t monotonic = clock_->monotonic_ns();
  const std::int64_t wall = clock_->wall_ns();
  const auto elapsed =
      static_cast<std::int64_t>(monotonic > monotonic_ns_ ? monotonic - monotonic_ns_ : 0);
  if (wall < wall_ns_ + elapsed - step_tolerance_ns && wall < time_ns_) {
    step_back_ns_ = wall_ns_ + elapsed - wall;
  }
  time_ns_ = wall >= time_ns_ ? wall : time_ns_ + elapsed / 2;
  wall_ns_ = wall;
  monotonic_ns_ = monotonic;
  return time_ns_;
}

std::optional<std::int64_t> RecorderClock::take_step_back_ns() {
  return std::exchange(step_back_ns_, std::nullopt);
}

}  // namespace twinchain::record
