#include "twinchain/report/signal.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <random>

using namespace twinchain;
using namespace twinchain::report;

namespace {

struct Sum {
  std::uint64_t count = 0;
  void merge(const Sum& later) { count += later.count; }
};

Signal a_signal() {
  return Signal({"T24", record::ValueType::f64, "R", ""});
}

}  // namespace

TEST_CASE("time buckets keep every moment within their bound, whatever the order") {
  std::mt19937_64 random(1);
  for (const std::int64_t spread : {std::int64_t{1}, std::int64_t{1'000}, std::int64_t{1} << 40,
                                    std::numeric_limits<std::int64_t>::max()}) {
    TimeBuckets<Sum> buckets(64);
    std::int64_t low = INT64_MAX;
    std::int64_t high = INT64_MIN;
    for (int i = 0; i < 2000; ++i) {
      const auto time = static_cast<std::int64_t>(random()) % spread;
      low = std::min(low, time);
      high = std::max(high, time);
      ++buckets.at(time).count;
      REQUIRE(buckets.size() <= 64);
    }
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < buckets.size(); ++i) sum += buckets[i].count;
    CHECK(sum == 2000);
    CHECK(buckets.start_ns(0) <= static_cast<double>(low));
    CHECK(buckets.start_ns(buckets.size()) > static_cast<double>(high) * (1 - 1e-12));
    // Not coarser than need be: the first and the last bucket are used.
    CHECK(buckets[0].count > 0);
    CHECK(buckets[buckets.size() - 1].count > 0);
    if (static_cast<double>(high) - static_cast<double>(low) > 64) CHECK(buckets.size() > 31);
  }
}

TEST_CASE("time buckets take the ends of time") {
  TimeBuckets<Sum> buckets(16);
  ++buckets.at(0).count;
  ++buckets.at(INT64_MAX).count;
  ++buckets.at(INT64_MIN).count;
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < buckets.size(); ++i) sum += buckets[i].count;
  CHECK(sum == 3);
  CHECK(buckets.size() <= 16);
}

TEST_CASE("each_in touches all buckets of a stretch") {
  TimeBuckets<Sum> buckets(8);
  buckets.each_in(0, 7, [](Sum& sum) { ++sum.count; });
  CHECK(buckets.size() == 8);
  for (std::size_t i = 0; i < 8; ++i) CHECK(buckets[i].count == 1);
  buckets.each_in(8, 15, [](Sum& sum) { sum.count += 10; });
  CHECK(buckets.size() == 8);
  CHECK(buckets[0].count == 2);
  CHECK(buckets[7].count == 10);
}

TEST_CASE("no peak is lost by decimation") {
  Signal signal = a_signal();
  for (int i = 0; i < 1'000'000; ++i) signal.add(std::int64_t{i} * 1'000'000, i == 654'321 ? 9 : 1);
  CHECK(signal.count == 1'000'000);
  CHECK(signal.largest == 9);
  double largest = 0;
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < signal.buckets.size(); ++i) {
    if (signal.buckets[i].count == 0) continue;
    largest = std::max(largest, signal.buckets[i].largest);
    count += signal.buckets[i].count;
  }
  CHECK(largest == 9);
  CHECK(count == 1'000'000);
  CHECK(signal.buckets.size() <= signal_buckets);
  CHECK(signal.buckets.size() > signal_buckets / 2 - 1);
  PlotArea area{0, 1e12, 0, 10, 1000, 100};
  const std::string path = signal_path(signal, area);
  // y of 9 within 0 to 10.
  CHECK(path.find(" 10.00") != std::string::npos);
  CHECK(path.size() < 100'000);
  // One line without a break.
  CHECK(path.find('M', 1) == std::string::npos);
}

TEST_CASE("a bucket keeps first, last, smallest and largest over a merge") {
  SignalBucket a;
  for (const double value : {3.0, 1.0, 2.0}) a.add(value);
  SignalBucket b;
  for (const double value : {5.0, 9.0, 4.0}) b.add(value);
  a.merge(b);
  CHECK(a.count == 6);
  CHECK(a.first == 3);
  CHECK(a.last == 4);
  CHECK(a.smallest == 1);
  CHECK(a.largest == 9);
  SignalBucket empty;
  a.merge(empty);
  CHECK(a.last == 4);
  empty.merge(b);
  CHECK(empty.first == 5);
}

TEST_CASE("a line breaks where values are missing") {
  Signal signal = a_signal();
  for (int i = 0; i < 100; ++i) {
    if (i < 40 || i >= 60) signal.add(i, i);
  }
  const std::string path = signal_path(signal, {0, 99, 0, 99, 1000, 100});
  CHECK(std::count(path.begin(), path.end(), 'M') == 2);
}

TEST_CASE("values that are no numbers are counted and not drawn") {
  Signal signal = a_signal();
  signal.add(0, std::nan(""));
  signal.add(1, std::numeric_limits<double>::infinity());
  signal.add(2, -std::numeric_limits<double>::infinity());
  CHECK(signal.count == 0);
  CHECK(signal.not_finite == 3);
  CHECK(signal.buckets.empty());
  CHECK(signal_path(signal, {}).empty());
  // The largest doubles: further apart than a double can say.
  constexpr double most = std::numeric_limits<double>::max();
  signal.add(3, most);
  signal.add(4, -most);
  const std::string path = signal_path(signal, {0, 10, -most, most, 1000, 100});
  CHECK(path.find("nan") == std::string::npos);
  CHECK(path.find("inf") == std::string::npos);
}

TEST_CASE("marks of an axis are round and within") {
  const Ticks ticks = value_ticks(-0.3, 9.7, 5);
  CHECK(ticks.step == 2);
  CHECK(ticks.at == std::vector<double>{0, 2, 4, 6, 8});
  CHECK(value_ticks(1, 1, 5).at.empty());
  CHECK(value_ticks(-1e308, 1e308, 5).at.size() <= 6);
  CHECK(value_ticks(std::nan(""), 1, 5).at.empty());

  constexpr std::int64_t minute = 60'000'000'000;
  auto times = time_ticks(minute / 2, 10 * minute, 10);
  REQUIRE(times.size() == 10);
  CHECK(times.front().label == "00:01");
  CHECK(times.back().label == "00:10");
  times = time_ticks(0, 1'000'000'000, 5);
  REQUIRE(times.size() == 6);
  CHECK(times[1].label == "00:00:00.2");
  times = time_ticks(0, std::int64_t{86'400'000'000'000} * 7, 9);
  REQUIRE(times.size() == 8);
  CHECK(times[1].label == "2 Jan");
  times = time_ticks(INT64_MIN, INT64_MAX, 9);
  CHECK(times.size() <= 10);
  CHECK_FALSE(times.empty());
  CHECK(time_ticks(5, 4, 9).empty());
}
