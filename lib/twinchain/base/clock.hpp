// Clocks as a value, so that tests decide what time it is. Floor 0.
#pragma once

#include <cstdint>

#include "twinchain/base/bytes.hpp"

namespace twinchain {

/// Thread-safe. The real clock is system_clock().
class Clock {
 public:
  virtual ~Clock() = default;
  /// CLOCK_REALTIME: nanoseconds since 1970-01-01T00:00:00Z. May jump.
  virtual std::int64_t wall_ns() = 0;
  /// CLOCK_BOOTTIME: nanoseconds since boot, time asleep included. Never goes back while
  /// boot_id() stays the same.
  virtual std::uint64_t monotonic_ns() = 0;
  /// The kernel's boot id; all zeros where it cannot be read.
  virtual Id128 boot_id() = 0;
};

Clock& system_clock();

}  // namespace twinchain
