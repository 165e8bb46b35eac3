#include "twinchain/record/time_reader.hpp"

#include <array>
#include <cmath>

#include "twinchain/record/number.hpp"

namespace twinchain::record {
namespace {

constexpr std::int64_t ns_per_second = 1'000'000'000;
constexpr const char* out_of_range = "time out of the range of nanoseconds (years 1678 to 2261)";
constexpr const char* not_iso8601 = "not an ISO 8601 time";
constexpr const char* not_a_number = "not a number";
constexpr const char* not_a_time = "neither a number nor an ISO 8601 time";

// Howard Hinnant's days_from_civil (chrono-Compatible Low-Level Date Algorithms).
std::int64_t days_from_civil(std::int64_t year, unsigned month, unsigned day) {
  year -= month <= 2 ? 1 : 0;
  const std::int64_t era = year / 400;  // years are 0 to 9999 here
  const auto year_of_era = static_cast<unsigned>(year - era * 400);
  const unsigned day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  const unsigned day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + static_cast<std::int64_t>(day_of_era) - 719468;
}

unsigned days_in_month(unsigned year, unsigned month) {
  static constexpr std::array<unsigned, 12> days{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return month == 2 && leap ? 29 : days[month - 1];
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// Takes exactly `count` digits off the front.
bool take_digits(std::string_view& text, std::size_t count, unsigned& value) {
  if (text.size() < count) return false;
  unsigned taken = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (!is_digit(text[i])) return false;
    taken = taken * 10 + static_cast<unsigned>(text[i] - '0');
  }
  value = taken;
  text.remove_prefix(count);
  return true;
}

bool take(std::string_view& text, char expected) {
  if (text.empty() || text.front() != expected) return false;
  text.remove_prefix(1);
  return true;
}

/// An optional fraction; digits after the ninth are cut off.
bool take_fraction_ns(std::string_view& text, std::int64_t& fraction_ns) {
  fraction_ns = 0;
  if (!take(text, '.') && !take(text, ',')) return true;
  std::int64_t scale = ns_per_second;
  std::size_t count = 0;
  for (; count < text.size() && is_digit(text[count]); ++count) {
    scale /= 10;
    fraction_ns += (text[count] - '0') * scale;
  }
  text.remove_prefix(count);
  return count > 0;
}

/// "hh:mm[:ss[.fraction]]" or "hhmm[ss[.fraction]]".
bool take_time_of_day(std::string_view& text, std::int64_t& second_of_day,
                      std::int64_t& fraction_ns) {
  unsigned hour = 0;
  unsigned minute = 0;
  unsigned second = 0;
  fraction_ns = 0;
  if (!take_digits(text, 2, hour)) return false;
  const bool extended = take(text, ':');
  if (!take_digits(text, 2, minute)) return false;
  const bool has_seconds = extended ? take(text, ':') : !text.empty() && is_digit(text.front());
  if (has_seconds && (!take_digits(text, 2, second) || !take_fraction_ns(text, fraction_ns))) {
    return false;
  }
  if (hour == 24 && (minute != 0 || second != 0 || fraction_ns != 0)) return false;
  if (hour > 24 || minute > 59 || second > 60) return false;
  second_of_day = static_cast<std::int64_t>(hour) * 3600 + minute * 60 + second;
  return true;
}

bool take_zone(std::string_view& text, std::int64_t& zone_s, bool& given) {
  zone_s = 0;
  given = false;
  if (text.size() > 1 && text.front() == ' ') text.remove_prefix(1);
  if (text.empty()) return true;
  given = true;
  if (take(text, 'Z') || take(text, 'z')) return true;
  const bool west = text.front() == '-';
  if (!take(text, '+') && !take(text, '-')) return false;
  unsigned hour = 0;
  unsigned minute = 0;
  if (!take_digits(text, 2, hour)) return false;
  if (take(text, ':') || !text.empty()) {
    if (!take_digits(text, 2, minute)) return false;
  }
  if (hour > 23 || minute > 59) return false;
  zone_s = static_cast<std::int64_t>(hour) * 3600 + minute * 60;
  if (west) zone_s = -zone_s;
  return true;
}

/// seconds * 10^9 + fraction, which is 0 to 999,999,999.
bool combine_ns(std::int64_t seconds, std::int64_t fraction_ns, std::int64_t& time_ns) {
  if (seconds < 0 && fraction_ns > 0) {  // avoids an overflow at the lower end
    seconds += 1;
    fraction_ns -= ns_per_second;
  }
  return !__builtin_mul_overflow(seconds, ns_per_second, &time_ns) &&
         !__builtin_add_overflow(time_ns, fraction_ns, &time_ns);
}

/// Decimal places of a unit in nanoseconds.
int unit_scale(TimeUnit unit) {
  switch (unit) {
    case TimeUnit::seconds:
      return 9;
    case TimeUnit::milliseconds:
      return 6;
    case TimeUnit::microseconds:
      return 3;
    default:
      return 0;
  }
}

TimeUnit unit_of_magnitude(double magnitude) {
  if (magnitude < 1e10) return TimeUnit::seconds;
  if (magnitude < 1e13) return TimeUnit::milliseconds;
  if (magnitude < 1e16) return TimeUnit::microseconds;
  return TimeUnit::nanoseconds;
}

/// Without its decimals, which f64 holds exactly where it matters: below 2^53.
double magnitude_of(const DecimalText& number) {
  std::uint64_t whole = number.mantissa;
  std::int64_t exponent10 = number.exponent10;
  for (; exponent10 < 0 && whole != 0; ++exponent10) whole /= 10;
  return static_cast<double>(whole) * std::pow(10.0, static_cast<double>(exponent10));
}

/// What machines write: up to 18 digits, of which some may stand after a point.
bool scan_plain(std::string_view text, DecimalText& number) {
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  if (text.empty() || text.size() > 19) return false;
  std::uint64_t mantissa = 0;
  std::size_t point = text.size();
  std::size_t i = 0;
  if (text.size() >= 8) {
    const char* const first = text.data();
    const std::uint64_t digits = number_detail::load_digits(first);
    if (number_detail::mark_stops(digits) == 0) {
      mantissa = number_detail::join_eight(digits);
      i = 8;
    }
  }
  for (; i < text.size(); ++i) {
    const auto digit = static_cast<unsigned>(text[i] - '0');
    if (digit <= 9) {
      mantissa = mantissa * 10 + digit;
    } else if (text[i] == '.' && point == text.size() && i > 0) {
      point = i;
    } else {
      return false;
    }
  }
  if (text.size() - (point < text.size() ? 1 : 0) > 18) return false;
  number.mantissa = mantissa;
  number.negative = negative;
  number.exponent10 = point < text.size() ? -static_cast<std::int64_t>(text.size() - point - 1) : 0;
  return true;
}

/// mantissa * 10^(exponent10 + scale), cut to whole nanoseconds.
bool scale_to_ns(const DecimalText& number, int scale, std::int64_t& time_ns) {
  std::uint64_t value = number.mantissa;
  std::int64_t shift = number.exponent10 + scale;
  for (; shift < 0 && value != 0; ++shift) value /= 10;
  for (; shift > 0 && value != 0; --shift) {
    if (__builtin_mul_overflow(value, std::uint64_t{10}, &value)) return false;
  }
  if (value > static_cast<std::uint64_t>(INT64_MAX)) return false;
  time_ns = static_cast<std::int64_t>(value);
  if (number.negative) time_ns = -time_ns;
  return true;
}

bool looks_like_iso8601(std::string_view text) {
  // A date has "-" after four digits, or "T" after eight: a number has neither.
  return (text.size() >= 10 && text[4] == '-' && is_digit(text[3])) ||
         (text.size() > 9 && (text[8] == 'T' || text[8] == 't'));
}

std::string_view unit_name(TimeUnit unit) {
  switch (unit) {
    case TimeUnit::seconds:
      return "epoch seconds";
    case TimeUnit::milliseconds:
      return "epoch milliseconds";
    case TimeUnit::microseconds:
      return "epoch microseconds";
    case TimeUnit::nanoseconds:
      return "epoch nanoseconds";
    case TimeUnit::iso8601:
      return "ISO 8601";
    default:
      return {};
  }
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

}  // namespace

bool Iso8601Reader::read_date(std::string_view& text, std::int64_t& day) {
  if (!last_date_.empty() && text.starts_with(last_date_)) {
    day = last_day_;
    text.remove_prefix(last_date_.size());
    return true;
  }
  const std::string_view whole = text;
  unsigned year = 0;
  unsigned month = 0;
  unsigned day_of_month = 0;
  if (!take_digits(text, 4, year)) return false;
  const bool extended = take(text, '-');
  if (!take_digits(text, 2, month) || (extended && !take(text, '-')) ||
      !take_digits(text, 2, day_of_month)) {
    return false;
  }
  if (month < 1 || month > 12 || day_of_month < 1 || day_of_month > days_in_month(year, month)) {
    return false;
  }
  day = days_from_civil(year, month, day_of_month);
  last_date_.assign(whole.substr(0, whole.size() - text.size()));
  last_day_ = day;
  return true;
}

const char* Iso8601Reader::read(std::string_view text, std::int64_t& time_ns) {
  std::int64_t day = 0;
  if (!read_date(text, day)) return not_iso8601;
  std::int64_t second_of_day = 0;
  std::int64_t fraction_ns = 0;
  std::int64_t zone_s = 0;
  had_zone_ = false;
  if (!text.empty()) {
    if (!take(text, 'T') && !take(text, 't') && !take(text, ' ')) return not_iso8601;
    if (!take_time_of_day(text, second_of_day, fraction_ns) ||
        !take_zone(text, zone_s, had_zone_) || !text.empty()) {
      return not_iso8601;
    }
  }
  const std::int64_t seconds = day * 86400 + second_of_day - zone_s;
  return combine_ns(seconds, fraction_ns, time_ns) ? nullptr : out_of_range;
}

const char* TimeReader::read(std::string_view text, std::int64_t& time_ns) {
  const bool iso8601 =
      unit_ == TimeUnit::iso8601 || (unit_ == TimeUnit::detect && looks_like_iso8601(text));
  if (iso8601) {
    if (const char* fault = iso8601_.read(text, time_ns)) return fault;
    if (!iso8601_.had_zone()) zone_missing_ = true;
    unit_ = TimeUnit::iso8601;
    return nullptr;
  }
  DecimalText number;
  if (!scan_plain(text, number)) {
    const auto scanned = scan_decimal(text);
    if (!scanned) return unit_ == TimeUnit::detect ? not_a_time : not_a_number;
    number = *scanned;
  }
  const TimeUnit unit = unit_ == TimeUnit::detect ? unit_of_magnitude(magnitude_of(number)) : unit_;
  if (!scale_to_ns(number, unit_scale(unit), time_ns)) return out_of_range;
  unit_ = unit;
  return nullptr;
}

const char* TimeReader::read(double value, std::int64_t& time_ns) {
  if (unit_ == TimeUnit::iso8601 || !std::isfinite(value)) return not_a_number;
  const TimeUnit unit = unit_ == TimeUnit::detect ? unit_of_magnitude(std::fabs(value)) : unit_;
  static constexpr std::array<double, 10> factors{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};
  const int scale = unit_scale(unit);
  // Whole units are exact; so is the fraction, whose product is below 10^9 and off by 2^-24 ns at
  // most. One multiplication of the whole would lose the nanoseconds of today's times.
  const double whole = std::trunc(value);
  if (std::fabs(whole) >= 9.3e18) return out_of_range;
  const double factor = factors[static_cast<std::size_t>(scale)];
  const auto fraction_ns = static_cast<std::int64_t>(std::nearbyint((value - whole) * factor));
  std::int64_t units = 0;
  if (whole >= 9223372036854775808.0 || whole < -9223372036854775808.0) return out_of_range;
  units = static_cast<std::int64_t>(whole);
  if (__builtin_mul_overflow(units, static_cast<std::int64_t>(factor), &time_ns) ||
      __builtin_add_overflow(time_ns, fraction_ns, &time_ns)) {
    return out_of_range;
  }
  unit_ = unit;
  return nullptr;
}

std::string TimeReader::note() const {
  if (unit_ == TimeUnit::detect) return {};
  std::string text(unit_name(unit_));
  if (zone_missing_) text += ", UTC where no zone is given";
  if (configured_ == TimeUnit::detect) text += " (detected)";
  return text;
}

void TimeReader::save(Bytes& out) const {
  append_le(out, static_cast<std::uint8_t>(unit_));
  append_le(out, static_cast<std::uint8_t>(zone_missing_ ? 1 : 0));
}

bool TimeReader::restore(ByteCursor& in) {
  const auto unit = in.read_le<std::uint8_t>();
  const auto zone_missing = in.read_le<std::uint8_t>();
  if (!in.ok() || unit >= static_cast<std::uint8_t>(TimeUnit::arrival) || zone_missing > 1) {
    return false;
  }
  // An option that was changed since wins over what was detected.
  if (configured_ == TimeUnit::detect) unit_ = static_cast<TimeUnit>(unit);
  zone_missing_ = zone_missing == 1 && unit_ == TimeUnit::iso8601;
  return true;
}

std::optional<std::size_t> time_name_rank(std::string_view name) {
  static constexpr std::array<std::string_view, 8> names{
      "time", "timestamp", "ts", "t", "date", "datetime", "_time", "@timestamp"};
  for (std::size_t rank = 0; rank < names.size(); ++rank) {
    if (name.size() != names[rank].size()) continue;
    bool same = true;
    for (std::size_t i = 0; i < name.size(); ++i) same = same && lower(name[i]) == names[rank][i];
    if (same) return rank;
  }
  return std::nullopt;
}

}  // namespace twinchain::record
