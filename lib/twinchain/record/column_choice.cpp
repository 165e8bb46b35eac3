#include "twinchain/record/column_choice.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

#include "twinchain/record/column_kernels.hpp"
#include "twinchain/record/column_rice.hpp"

namespace twinchain::record {
namespace {

/// Parts by which a column is judged, from its middle.
constexpr std::size_t rice_sample = 512;
constexpr std::size_t planes_sample = 1024;
/// Decimals below this size are not weighed against encodings of the bits.
constexpr double clearly_small = 3.5;
/// What zstd saves must be worth its time, here and in the reader.
constexpr double zstd_handicap = 1.03;

std::span<const std::uint64_t> middle(std::span<const std::uint64_t> all, std::size_t size) {
  return all.size() <= size ? all : all.subspan((all.size() - size) / 2, size);
}

/// The largest factor of all differences once they are taken from the first.
std::uint64_t common_factor(std::span<const std::uint64_t> words, unsigned order) {
  std::uint64_t factor = 0;
  const std::uint64_t first = difference_at(words, order, 0);
  for (std::size_t i = 1; i < words.size() - order && factor != 1; ++i) {
    const auto offset = static_cast<std::int64_t>(difference_at(words, order, i) - first);
    factor = std::gcd(factor, offset < 0 ? 0 - static_cast<std::uint64_t>(offset)
                                         : static_cast<std::uint64_t>(offset));
  }
  return factor == 0 ? 1 : factor;
}

/// log2 of a positive number within a hundredth.
double fast_log2(double value) {
  const auto bits = std::bit_cast<std::uint64_t>(value);
  const auto exponent = static_cast<double>(bits >> 52) - 1023;
  const double fraction =
      std::bit_cast<double>((bits & 0x000fffffffffffff) | 0x3ff0000000000000) - 1;
  return exponent + fraction * (1.3465 - 0.3465 * fraction);
}

/// What an order-0 coder makes of a plane, in bytes: its entropy, and half a byte for each symbol
/// in its table. Planes as even as random ones count in full.
double plane_cost(ByteView plane) {
  std::array<std::uint32_t, 256> counts{};
  for (const std::uint8_t byte : plane) ++counts[byte];
  const auto size = static_cast<double>(plane.size());
  double bits = size * fast_log2(size);
  double symbols = 0;
  for (const std::uint32_t count : counts) {
    if (count == 0) continue;
    bits -= count * fast_log2(count);
    ++symbols;
  }
  if (symbols == 1) return 1;
  return std::min(size, bits / 8 + symbols / 2 + 14);
}

/// Whether more than a tenth of the numbers begin a repetition: their low bytes, and those of the
/// seven that follow, have been there before.
bool repeats(ByteView low_bytes) {
  constexpr std::size_t length = 8;
  if (low_bytes.size() < 4 * length) return false;
  std::array<std::uint16_t, 1024> places{};
  std::size_t found = 0;
  const std::size_t end = low_bytes.size() - length;
  for (std::size_t i = 1; i <= end; ++i) {
    const auto here = load_le<std::uint64_t>(&low_bytes[i]);
    std::uint16_t& place = places[here * 0x9e3779b97f4a7c15 >> 54];
    found += load_le<std::uint64_t>(&low_bytes[place]) == here ? 1 : 0;
    place = static_cast<std::uint16_t>(i);
  }
  return 10 * found > end;
}

}  // namespace

std::optional<unsigned> find_digits(std::span<const std::uint64_t> words) {
  const std::size_t stride = std::max<std::size_t>(1, words.size() / 32);
  std::size_t looked_at = 0;
  std::size_t failed = 0;
  unsigned digits = 0;
  for (std::size_t i = 0; i < words.size(); i += stride, ++looked_at) {
    const unsigned needed = decimal_digits(words[i], most_digits_tried);
    if (needed <= most_digits_tried) {
      digits = std::max(digits, needed);
    } else if (++failed > 6) {
      return std::nullopt;
    }
  }
  if (failed > looked_at / values_per_exception) return std::nullopt;
  return digits;
}

namespace {

/// Of ascending numbers that are multiples of one, up to rounding: Euclid on the gaps, in which
/// what is smaller than rounding leaves is nothing; then each difference from the first, and each
/// number, makes it more exact.
std::optional<double> common_step(std::span<const double> numbers) {
  const double largest = numbers.back();
  const double noise = largest * 0x1p-27;
  double step = 0;
  for (std::size_t i = 1; i < numbers.size(); ++i) {
    double rest = numbers[i] - numbers[i - 1];
    while (rest > noise) {
      double remainder = std::fmod(step, rest);
      if (rest - remainder <= noise) remainder = 0;
      step = rest;
      rest = remainder;
    }
    if (step > 0 && step < 4 * noise) return std::nullopt;
  }
  if (step == 0) return std::nullopt;
  const auto refine = [&step](double multiple) {
    const double count = multiple / step;
    const double whole = std::round(count);
    if (whole > 0 && std::fabs(count - whole) < 0.25) step = multiple / whole;
  };
  for (const double number : numbers) refine(number - numbers.front());
  for (const double number : numbers) refine(number);
  return step;
}

}  // namespace

std::optional<double> find_scale(std::span<const std::uint64_t> words,
                                 std::vector<double>& numbers) {
  numbers.clear();
  const std::size_t stride = std::max<std::size_t>(1, words.size() / 64);
  for (std::size_t i = 0; i < words.size(); i += stride) {
    const double number = std::fabs(std::bit_cast<double>(words[i]));
    if (std::isnormal(number)) numbers.push_back(number);
  }
  if (numbers.size() < 8) return std::nullopt;
  std::ranges::sort(numbers);
  const double largest = numbers.back();
  const auto step = common_step(numbers);
  if (!step) return std::nullopt;
  const double scale = largest / std::round(largest / *step);
  const double below = std::nextafter(scale, 0.0);
  const double above = std::nextafter(scale, largest);
  const std::array<double, 5> candidates{scale, below, above, std::nextafter(below, 0.0),
                                         std::nextafter(above, largest)};
  std::array<std::uint64_t, 64> integers{};
  const auto sample = middle(words, integers.size());
  for (const double candidate : candidates) {
    if (!std::isnormal(candidate)) continue;
    const std::size_t failed = to_integers(sample, {candidate, false}, integers.data(), {});
    if (failed <= sample.size() / values_per_exception) return candidate;
  }
  return std::nullopt;
}

std::span<const std::uint64_t> ColumnChooser::residuals(std::span<const std::uint64_t> words,
                                                        const ResidualRule& rule,
                                                        std::uint64_t& used) {
  const std::size_t count = words.size() - rule.order;
  if (residuals_.size() < count) residuals_.resize(count);
  if (!make_residuals(words, rule, residuals_.data(), used)) return {};
  return std::span(residuals_).first(count);
}

void ColumnChooser::weigh_rice(std::span<const std::uint64_t> words, IntegerPlan plan,
                               ColumnChoice& best) {
  words = middle(words, rice_sample);
  if (words.size() <= plan.order) return;
  if (!plan.descending) plan.factor = common_factor(words, plan.order);
  const ResidualRule rule = residual_rule(plan, words);
  std::uint64_t used = 0;
  const auto numbers = residuals(words, rule, used);
  if (numbers.empty()) return;
  const std::size_t head = varint_size(zigzag(rule.base)) + varint_size(rule.factor) +
                           (plan.order > 0 ? varint_size(zigzag(words[0])) : 0) +
                           (plan.order > 1 ? varint_size(zigzag(words[1] - words[0])) : 0);
  const double cost =
      (static_cast<double>(rice_cost_bits(numbers)) / 8 + static_cast<double>(head)) /
      static_cast<double>(numbers.size());
  if (cost >= best.bytes_per_value) return;
  best.bytes_per_value = cost;
  best.plan = plan;
}

void ColumnChooser::weigh_planes(std::span<const std::uint64_t> words, IntegerPlan plan,
                                 ColumnChoice& best) {
  words = middle(words, planes_sample);
  if (words.size() < 32) return;
  plan.rice = false;
  const ResidualRule rule = residual_rule(plan, words);
  std::uint64_t used = 0;
  const auto numbers = residuals(words, rule, used);
  if (numbers.empty()) return;
  const std::size_t count = numbers.size();
  const std::size_t planes = (static_cast<std::size_t>(std::bit_width(used)) + 7) / 8;
  planes_.resize_uninitialized(planes * count);
  split_planes(numbers, planes_.data(), planes);
  const bool repeating = planes > 0 && repeats(planes_.view().first(count));
  // Differences of many bytes that do not repeat are noise, for which Rice codes are right.
  if (plan.zigzag && planes > 4 && !repeating) return;
  double size = 8;
  plan.zstd_planes = 0;
  for (std::size_t plane = 0; plane < planes; ++plane) {
    const ByteView bytes = planes_.view().subspan(plane * count, count);
    double cost = plane_cost(bytes);
    if (cost > 1 && repeating) {
      trial_.clear();
      blocks_.append_bytes(trial_, bytes);
      cost = static_cast<double>(trial_.size());
    }
    // What is saved must be worth the time.
    if (cost < 0.95 * static_cast<double>(count)) {
      plan.zstd_planes = static_cast<std::uint8_t>(plan.zstd_planes | 1U << plane);
      size += cost;
    } else {
      size += static_cast<double>(count);
    }
  }
  // Planes above those of the sample are seldom random.
  for (std::size_t plane = planes; plane < 8; ++plane) {
    plan.zstd_planes = static_cast<std::uint8_t>(plan.zstd_planes | 1U << plane);
  }
  const double cost = zstd_handicap * size / static_cast<double>(count);
  if (cost >= best.bytes_per_value) return;
  best.bytes_per_value = cost;
  best.plan = plan;
}

ColumnChoice ColumnChooser::choose_integers(std::span<const std::uint64_t> words) {
  ColumnChoice best;
  best.encoding = ColumnEncoding::integers;
  best.bytes_per_value = 1e9;
  for (std::uint8_t order = 0; order <= max_difference_order; ++order) {
    weigh_rice(words, {order, true, true, false, 0xff, 1}, best);
  }
  const IntegerPlan rice = best.plan;
  IntegerPlan planes = rice;
  weigh_planes(words, planes, best);
  // Repetitions show in the values or in their differences.
  planes.order = rice.order == 0 ? 1 : 0;
  planes.factor = 1;
  weigh_planes(words, planes, best);
  return best;
}

void ColumnChooser::weigh_scaled(std::span<const std::uint64_t> words, ColumnChoice& best) {
  const auto sample = middle(words, planes_sample);
  integers_.resize(std::max(integers_.size(), sample.size()));
  const auto weigh = [&](const IntegerScale& scale) {
    to_integers(sample, scale, integers_.data(), {});
    const ColumnChoice choice = choose_integers(std::span(integers_).first(sample.size()));
    if (choice.bytes_per_value >= best.bytes_per_value) return;
    best = choice;
    best.encoding = scale.divides ? ColumnEncoding::decimal : ColumnEncoding::scaled;
    best.scale = scale.scale;
  };
  if (const auto digits = find_digits(words)) {
    weigh({decimal_divisors[*digits], true});
    best.digits = static_cast<std::uint8_t>(*digits);
  } else if (const auto scale = find_scale(words, numbers_)) {
    weigh({*scale, false});
  }
}

void ColumnChooser::weigh_bits(std::span<const std::uint64_t> words, ColumnChoice& best) {
  ColumnChoice choice = choose_integers(words);
  if (choice.bytes_per_value < best.bytes_per_value) best = choice;
  ColumnChoice as_is;
  as_is.encoding = ColumnEncoding::integers;
  weigh_planes(words, {0, false, false, false, 0, 1}, as_is);
  if (as_is.bytes_per_value < best.bytes_per_value) best = as_is;

  const auto sample = middle(words, rice_sample);
  integers_.resize(std::max(integers_.size(), sample.size()));
  std::ranges::transform(sample, integers_.begin(),
                         [](std::uint64_t word) { return std::rotl(word, 1); });
  ColumnChoice rotated;
  rotated.encoding = ColumnEncoding::rotated;
  weigh_rice(std::span(integers_).first(sample.size()), {0, false, true, true, 0, 1}, rotated);
  if (rotated.bytes_per_value < best.bytes_per_value) best = rotated;
}

void ColumnChooser::weigh_repeats(std::span<const std::uint64_t> words, ColumnChoice& best) {
  const auto sample = middle(words, planes_sample);
  if (sample.size() < 32 || !distinct_.build(sample, 3 * sample.size() / 4)) return;
  trial_.clear();
  blocks_.append_plain(trial_, sample, true);
  const double plain =
      zstd_handicap * static_cast<double>(trial_.size()) / static_cast<double>(sample.size());
  if (plain < best.bytes_per_value) {
    best = {};
    best.plan.zstd_planes = 1;
    best.bytes_per_value = plain;
  }
  // A dictionary is stored once for the whole column, so a larger part of it is looked at.
  const auto large = middle(words, 4 * planes_sample);
  if (!distinct_.build(large, large.size() / 4)) return;
  distinct_.sort();
  ColumnChoice choice = choose_integers(distinct_.numbers());
  trial_.clear();
  blocks_.append_integers(trial_, distinct_.entries(), {});
  choice.bytes_per_value += static_cast<double>(trial_.size()) / static_cast<double>(large.size());
  if (choice.bytes_per_value >= best.bytes_per_value) return;
  best = choice;
  best.encoding = ColumnEncoding::dictionary;
}

ColumnChoice ColumnChooser::choose_words(std::span<const std::uint64_t> words, bool is_f64,
                                         bool allow_scaled) {
  ColumnChoice best;
  best.plan.zstd_planes = 0;
  if (is_f64) {
    if (allow_scaled) weigh_scaled(words, best);
    if (best.bytes_per_value > clearly_small) weigh_bits(words, best);
  } else {
    best = choose_integers(words);
  }
  if (best.bytes_per_value > 0.1) weigh_repeats(words, best);
  return best;
}

}  // namespace twinchain::record
