// One channel's values over time, decimated to what a plot can show. Floor 5.
#pragma once

#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "twinchain/record/schema.hpp"
#include "twinchain/report/time_buckets.hpp"

namespace twinchain::report {

/// Of the values in one stretch of time the first, the last, the smallest and the largest (M4): a
/// line through them covers the same pixels as a line through all, so no peak is lost.
struct SignalBucket {
  std::uint64_t count = 0;
  double first = 0;
  double last = 0;
  double smallest = 0;
  double largest = 0;

  void add(double value) {
    if (count++ == 0) {
      first = last = smallest = largest = value;
      return;
    }
    last = value;
    smallest = std::min(smallest, value);
    largest = std::max(largest, value);
  }
  void merge(const SignalBucket& later) {
    if (later.count == 0) return;
    if (count == 0) {
      *this = later;
      return;
    }
    count += later.count;
    last = later.last;
    smallest = std::min(smallest, later.smallest);
    largest = std::max(largest, later.largest);
  }
};

/// So many stretches at the most; at least half as many over the whole of the time.
inline constexpr std::size_t signal_buckets = 1536;

struct Signal {
  explicit Signal(record::Channel what) : channel(std::move(what)) {}

  /// NaN and infinities are counted and not drawn.
  void add(std::int64_t time_ns, double value) {
    if (!(value - value == 0)) {
      ++not_finite;
      return;
    }
    ++count;
    smallest = std::min(smallest, value);
    largest = std::max(largest, value);
    buckets.at(time_ns).add(value);
  }

  record::Channel channel;
  TimeBuckets<SignalBucket> buckets{signal_buckets};
  std::uint64_t count = 0;  ///< of finite values
  std::uint64_t not_finite = 0;
  double smallest = std::numeric_limits<double>::infinity();
  double largest = -std::numeric_limits<double>::infinity();
};

/// Values (or times in seconds) for the marks of an axis: multiples of 1, 2 or 5 times a power of
/// ten within [low, high], about `wanted` of them. Empty when the range is empty or not finite.
struct Ticks {
  std::vector<double> at;
  double step = 0;
};
Ticks value_ticks(double low, double high, int wanted);

/// Points in time for the marks of an axis within [low_ns, high_ns]: round in UTC (whole days,
/// hours, minutes, ...), at most `wanted`; and how to write them: "14:20", "14:20:05.5", "22 Nov".
struct TimeTick {
  std::int64_t time_ns = 0;
  std::string label;
};
std::vector<TimeTick> time_ticks(std::int64_t low_ns, std::int64_t high_ns, int wanted);

/// A line in SVG path data: x from 0 to `width` for [low_ns, high_ns], y from `height` for `low` to
/// 0 for `high`. It is broken where no value came for much longer than usual.
struct PlotArea {
  double low_ns = 0;
  double high_ns = 1;
  double low = 0;
  double high = 1;
  double width = 1000;
  double height = 100;
};
std::string signal_path(const Signal& signal, const PlotArea& area);

}  // namespace twinchain::report
