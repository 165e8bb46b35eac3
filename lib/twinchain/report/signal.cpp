#include "twinchain/report/signal.hpp"

#include <array>
#include <cmath>
#include <cstdio>

#include "twinchain/base/text.hpp"

namespace twinchain::report {
namespace {

constexpr std::int64_t second_ns = 1'000'000'000;
constexpr std::int64_t day_ns = 86'400 * second_ns;

constexpr std::array<std::int64_t, 34> time_steps_ns{
    1,
    10,
    100,
    1'000,
    10'000,
    100'000,
    1'000'000,
    2'000'000,
    5'000'000,
    10'000'000,
    20'000'000,
    50'000'000,
    100'000'000,
    200'000'000,
    500'000'000,
    second_ns,
    2 * second_ns,
    5 * second_ns,
    10 * second_ns,
    15 * second_ns,
    30 * second_ns,
    60 * second_ns,
    120 * second_ns,
    300 * second_ns,
    600 * second_ns,
    900 * second_ns,
    1'800 * second_ns,
    3'600 * second_ns,
    7'200 * second_ns,
    10'800 * second_ns,
    21'600 * second_ns,
    43'200 * second_ns,
    day_ns,
    2 * day_ns,
};

std::int64_t time_step_ns(double span_ns, int wanted) {
  for (const std::int64_t step : time_steps_ns) {
    if (span_ns / static_cast<double>(step) <= wanted) return step;
  }
  // Whole numbers of days: 5, 10, 20, 50, ...
  double days = 5;
  for (int i = 0; span_ns / (days * static_cast<double>(day_ns)) > wanted; ++i) {
    days *= i % 3 == 2 ? 2.5 : 2;
  }
  return static_cast<std::int64_t>(days * static_cast<double>(day_ns));
}

/// As fine as the step asks for.
std::string time_label(std::int64_t time_ns, std::int64_t step_ns) {
  constexpr std::array<const char*, 12> months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                               "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  // "2026-11-22T14:20:05.25Z"
  std::string text = format_time_ns(time_ns);
  if (text.size() < 20) return text;
  const auto month = parse_decimal(std::string_view(text).substr(5, 2)).value_or(1);
  std::string date = text.substr(8, 2);
  if (date[0] == '0') date.erase(0, 1);
  date += " ";
  date += months[(month + 11) % 12];
  if (step_ns >= 120 * day_ns) return date + " " + text.substr(0, 4);
  if (step_ns >= day_ns || (time_ns % day_ns == 0 && step_ns >= 3600 * second_ns)) return date;
  if (step_ns % (60 * second_ns) == 0) return text.substr(11, 5);
  std::string clock = text.substr(11);
  clock.pop_back();
  return clock;
}

void append_point(std::string& path, char command, double x, double y) {
  std::array<char, 64> buffer{};
  static_cast<void>(std::snprintf(buffer.data(), buffer.size(), "%c%.1f %.2f", command, x, y));
  path += buffer.data();
}

/// The usual number of buckets from one with a value to the next.
double usual_distance(const TimeBuckets<SignalBucket>& buckets) {
  std::vector<std::size_t> distances;
  std::optional<std::size_t> previous;
  for (std::size_t i = 0; i < buckets.size(); ++i) {
    if (buckets[i].count == 0) continue;
    if (previous) distances.push_back(i - *previous);
    previous = i;
  }
  if (distances.empty()) return 1;
  const auto middle = distances.begin() + static_cast<std::ptrdiff_t>(distances.size() / 2);
  std::nth_element(distances.begin(), middle, distances.end());
  return static_cast<double>(*middle);
}

}  // namespace

Ticks value_ticks(double low, double high, int wanted) {
  Ticks ticks;
  const double span = high - low;
  if (!std::isfinite(span) || span <= 0 || wanted < 1) return ticks;
  const double magnitude = std::pow(10.0, std::floor(std::log10(span / wanted)));
  if (!(magnitude > 0)) return ticks;
  ticks.step = magnitude;
  for (const double factor : {1.0, 2.0, 5.0, 10.0}) {
    ticks.step = magnitude * factor;
    if (span / ticks.step <= wanted) break;
  }
  const double first = std::ceil(low / ticks.step);
  for (int i = 0; i <= wanted + 1; ++i) {
    const double at = (first + i) * ticks.step;
    if (at > high) break;
    ticks.at.push_back(at);
  }
  return ticks;
}

std::vector<TimeTick> time_ticks(std::int64_t low_ns, std::int64_t high_ns, int wanted) {
  std::vector<TimeTick> ticks;
  if (high_ns < low_ns || wanted < 1) return ticks;
  const double span_ns = static_cast<double>(high_ns) - static_cast<double>(low_ns);
  const std::int64_t step_ns = time_step_ns(span_ns, wanted);
  std::int64_t before = low_ns % step_ns;
  if (before < 0) before += step_ns;
  std::int64_t at = low_ns;
  if (before > 0 && __builtin_add_overflow(low_ns, step_ns - before, &at)) return ticks;
  while (at <= high_ns && ticks.size() <= static_cast<std::size_t>(wanted)) {
    ticks.push_back({at, time_label(at, step_ns)});
    if (__builtin_add_overflow(at, step_ns, &at)) break;
  }
  return ticks;
}

std::string signal_path(const Signal& signal, const PlotArea& area) {
  std::string path;
  const TimeBuckets<SignalBucket>& buckets = signal.buckets;
  const double longest = std::max(2.0, 3 * usual_distance(buckets));
  const double x_scale = area.width / std::max(1.0, area.high_ns - area.low_ns);
  // Halved first: the largest doubles are further apart than a double can say.
  const double half = area.high / 2 - area.low / 2;
  const auto y_of = [&](double value) {
    const double part = half > 0 ? (value / 2 - area.low / 2) / half : 0.5;
    return area.height * (1 - std::clamp(part, 0.0, 1.0));
  };
  std::optional<std::size_t> previous;
  for (std::size_t i = 0; i < buckets.size(); ++i) {
    const SignalBucket& bucket = buckets[i];
    if (bucket.count == 0) continue;
    const double middle = buckets.start_ns(i) + static_cast<double>(buckets.width_ns()) / 2;
    const double x = std::clamp((middle - area.low_ns) * x_scale, 0.0, area.width);
    const bool joined = previous && static_cast<double>(i - *previous) <= longest;
    append_point(path, joined ? 'L' : 'M', x, y_of(bucket.first));
    // A point on its own is seen only as a line with round ends.
    if (!joined) path += "h0";
    const bool down_first = bucket.first - bucket.smallest <= bucket.largest - bucket.first;
    const double near = down_first ? bucket.smallest : bucket.largest;
    const double far = down_first ? bucket.largest : bucket.smallest;
    if (near != bucket.first) append_point(path, 'L', x, y_of(near));
    if (far != near) append_point(path, 'L', x, y_of(far));
    if (bucket.last != far) append_point(path, 'L', x, y_of(bucket.last));
    previous = i;
  }
  return path;
}

}  // namespace twinchain::report
