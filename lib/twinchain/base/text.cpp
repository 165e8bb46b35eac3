#include "twinchain/base/text.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>

namespace twinchain {
namespace {

constexpr std::int64_t ns_per_second = 1'000'000'000;

/// As utf8_sequence_bytes, but 0 as well for the C1 controls and for the characters that
/// reorder or hide text on a terminal.
std::size_t printable_utf8_bytes(std::string_view text, std::size_t at) {
  const std::size_t length = utf8_sequence_bytes(text, at);
  if (length == 0) return 0;
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[at + i]); };
  if (byte(0) == 0xc2 && byte(1) < 0xa0) return 0;
  if (byte(0) == 0xe2 && byte(1) == 0x80 && byte(2) >= 0x8b && byte(2) <= 0xae) return 0;
  if (byte(0) == 0xe2 && byte(1) == 0x81 && byte(2) >= 0xa0 && byte(2) <= 0xaf) return 0;
  return length;
}

std::string two_digits(unsigned value) {
  std::string text = "00";
  text[0] = static_cast<char>('0' + value / 10 % 10);
  text[1] = static_cast<char>('0' + value % 10);
  return text;
}

// Howard Hinnant's civil calendar algorithms (chrono-Compatible Low-Level Date Algorithms).
std::int64_t days_from_civil(std::int64_t year, unsigned month, unsigned day) {
  year -= month <= 2 ? 1 : 0;
  const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
  const auto year_of_era = static_cast<unsigned>(year - era * 400);
  const unsigned day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  const unsigned day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + static_cast<std::int64_t>(day_of_era) - 719468;
}

struct Civil {
  std::int64_t year;
  unsigned month;
  unsigned day;
};

Civil civil_from_days(std::int64_t days) {
  days += 719468;
  const std::int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  const auto day_of_era = static_cast<unsigned>(days - era * 146097);
  const unsigned year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const unsigned day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const unsigned month_shifted = (5 * day_of_year + 2) / 153;
  const unsigned day = day_of_year - (153 * month_shifted + 2) / 5 + 1;
  const unsigned month = month_shifted < 10 ? month_shifted + 3 : month_shifted - 9;
  return {static_cast<std::int64_t>(year_of_era) + era * 400 + (month <= 2 ? 1 : 0), month, day};
}

unsigned days_in_month(std::int64_t year, unsigned month) {
  static constexpr std::array<unsigned, 12> days{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return month == 2 && leap ? 29 : days[month - 1];
}

/// Takes exactly `count` digits off the front.
bool take_digits(std::string_view& text, std::size_t count, unsigned& value) {
  if (text.size() < count) return false;
  value = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (text[i] < '0' || text[i] > '9') return false;
    value = value * 10 + static_cast<unsigned>(text[i] - '0');
  }
  text.remove_prefix(count);
  return true;
}

bool take(std::string_view& text, char expected) {
  if (text.empty() || text.front() != expected) return false;
  text.remove_prefix(1);
  return true;
}

/// An optional ".digits" (at most 9 digits) as nanoseconds.
bool take_fraction_ns(std::string_view& text, std::int64_t& fraction_ns) {
  fraction_ns = 0;
  if (text.empty() || (text.front() != '.' && text.front() != ',')) return true;
  text.remove_prefix(1);
  std::int64_t scale = ns_per_second;
  bool any = false;
  while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
    if (scale == 1) return false;
    scale /= 10;
    fraction_ns += (text.front() - '0') * scale;
    text.remove_prefix(1);
    any = true;
  }
  return any;
}

std::optional<std::int64_t> combine_ns(std::int64_t seconds, std::int64_t fraction_ns) {
  std::int64_t result = 0;
  if (seconds < 0 && fraction_ns > 0) {  // avoids an overflow at the lower end
    seconds += 1;
    fraction_ns -= ns_per_second;
  }
  if (__builtin_mul_overflow(seconds, ns_per_second, &result) ||
      __builtin_add_overflow(result, fraction_ns, &result)) {
    return std::nullopt;
  }
  return result;
}

}  // namespace

std::size_t utf8_sequence_bytes(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[at + i]); };
  const unsigned lead = byte(0);
  std::size_t length = 0;
  if (lead >= 0xc2 && lead <= 0xdf) length = 2;
  if (lead >= 0xe0 && lead <= 0xef) length = 3;
  if (lead >= 0xf0 && lead <= 0xf4) length = 4;
  if (length == 0 || at + length > text.size()) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  if ((lead == 0xe0 && byte(1) < 0xa0) || (lead == 0xed && byte(1) > 0x9f) ||
      (lead == 0xf0 && byte(1) < 0x90) || (lead == 0xf4 && byte(1) > 0x8f)) {
    return 0;
  }
  return length;
}

std::string escape(std::string_view untrusted, std::size_t max_bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string out;
  std::size_t i = 0;
  while (i < untrusted.size()) {
    if (i >= max_bytes) {
      out += "...";
      break;
    }
    const auto c = static_cast<unsigned char>(untrusted[i]);
    if (c >= 0x80) {
      const std::size_t length = printable_utf8_bytes(untrusted, i);
      if (length > 0) {
        out.append(untrusted.substr(i, length));
        i += length;
        continue;
      }
    }
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c < 0x20 || c >= 0x7f) {
      out += "\\x";
      out.push_back(digits[c >> 4]);
      out.push_back(digits[c & 15]);
    } else {
      out.push_back(static_cast<char>(c));
    }
    ++i;
  }
  return out;
}

std::string decimal(std::uint64_t value) {
  return std::to_string(value);
}
std::string decimal(std::int64_t value) {
  return std::to_string(value);
}

std::string shortest(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  std::array<char, 40> buffer{};
  const auto [end, ec] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  return ec == std::errc() ? std::string(buffer.data(), end) : "nan";
}

std::optional<std::uint64_t> parse_decimal(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (ec != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

std::optional<std::int64_t> parse_duration_ns(std::string_view text) {
  std::uint64_t whole = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), whole);
  if (ec != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  std::int64_t fraction = 0;
  if (!take_fraction_ns(text, fraction)) return std::nullopt;
  std::int64_t unit_ns = 0;
  if (text == "ns") unit_ns = 1;
  if (text == "us" || text == "\u00b5s") unit_ns = 1'000;
  if (text == "ms") unit_ns = 1'000'000;
  if (text == "s") unit_ns = ns_per_second;
  if (text == "m" || text == "min") unit_ns = 60 * ns_per_second;
  if (text == "h") unit_ns = 3600 * ns_per_second;
  if (text == "d") unit_ns = 86400 * ns_per_second;
  if (unit_ns == 0) return std::nullopt;
  const std::int64_t limit = 1'000'000'000LL * ns_per_second;
  if (whole > static_cast<std::uint64_t>(limit / unit_ns)) return std::nullopt;
  const long double fraction_part = static_cast<long double>(fraction) *
                                    static_cast<long double>(unit_ns) /
                                    static_cast<long double>(ns_per_second);
  return static_cast<std::int64_t>(whole) * unit_ns + static_cast<std::int64_t>(fraction_part);
}

std::string format_duration_ns(std::int64_t duration_ns) {
  struct Unit {
    std::int64_t size_ns;
    const char* name;
  };
  static constexpr std::array<Unit, 7> units{{{86400 * ns_per_second, "d"},
                                              {3600 * ns_per_second, "h"},
                                              {60 * ns_per_second, "m"},
                                              {ns_per_second, "s"},
                                              {1'000'000, "ms"},
                                              {1'000, "us"},
                                              {1, "ns"}}};
  if (duration_ns == 0) return "0s";
  for (const Unit& unit : units) {
    if (duration_ns % unit.size_ns == 0) return decimal(duration_ns / unit.size_ns) + unit.name;
  }
  return decimal(duration_ns) + "ns";
}

std::optional<std::uint64_t> parse_size_bytes(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (ec != std::errc()) return std::nullopt;
  const std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  std::uint64_t factor = 0;
  if (unit.empty() || unit == "B") factor = 1;
  if (unit == "KiB" || unit == "K" || unit == "k") factor = 1024;
  if (unit == "MiB" || unit == "M") factor = 1024 * 1024;
  if (unit == "GiB" || unit == "G") factor = 1024 * 1024 * 1024;
  if (unit == "KB" || unit == "kB") factor = 1000;
  if (unit == "MB") factor = 1000 * 1000;
  if (unit == "GB") factor = 1000 * 1000 * 1000;
  std::uint64_t result = 0;
  if (factor == 0 || __builtin_mul_overflow(value, factor, &result)) return std::nullopt;
  return result;
}

std::string format_time_ns(std::int64_t time_ns) {
  std::int64_t seconds = time_ns / ns_per_second;
  std::int64_t fraction = time_ns % ns_per_second;
  if (fraction < 0) {
    seconds -= 1;
    fraction += ns_per_second;
  }
  std::int64_t days = seconds / 86400;
  std::int64_t of_day = seconds % 86400;
  if (of_day < 0) {
    days -= 1;
    of_day += 86400;
  }
  const Civil civil = civil_from_days(days);
  std::string text = decimal(civil.year);
  while (text.size() < 4) text.insert(text.begin(), '0');
  text += '-';
  text += two_digits(civil.month);
  text += '-';
  text += two_digits(civil.day);
  text += 'T';
  text += two_digits(static_cast<unsigned>(of_day / 3600));
  text += ':';
  text += two_digits(static_cast<unsigned>(of_day / 60 % 60));
  text += ':';
  text += two_digits(static_cast<unsigned>(of_day % 60));
  if (fraction != 0) {
    std::string digits = decimal(fraction);
    digits.insert(0, 9 - digits.size(), '0');
    while (digits.back() == '0') digits.pop_back();
    text += '.';
    text += digits;
  }
  text += 'Z';
  return text;
}

std::optional<std::int64_t> parse_time_iso8601_ns(std::string_view text) {
  unsigned year = 0;
  unsigned month = 0;
  unsigned day = 0;
  unsigned hour = 0;
  unsigned minute = 0;
  unsigned second = 0;
  std::int64_t fraction = 0;
  if (!take_digits(text, 4, year) || !take(text, '-') || !take_digits(text, 2, month) ||
      !take(text, '-') || !take_digits(text, 2, day)) {
    return std::nullopt;
  }
  if (!take(text, 'T') && !take(text, 't') && !take(text, ' ')) return std::nullopt;
  if (!take_digits(text, 2, hour) || !take(text, ':') || !take_digits(text, 2, minute)) {
    return std::nullopt;
  }
  if (take(text, ':')) {
    if (!take_digits(text, 2, second) || !take_fraction_ns(text, fraction)) return std::nullopt;
  }
  if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month) || hour > 23 ||
      minute > 59 || second > 60) {
    return std::nullopt;
  }
  std::int64_t zone_s = 0;
  if (!text.empty() && !take(text, 'Z') && !take(text, 'z')) {
    const char sign = text.front();
    if (sign != '+' && sign != '-') return std::nullopt;
    text.remove_prefix(1);
    unsigned zone_hour = 0;
    unsigned zone_minute = 0;
    if (!take_digits(text, 2, zone_hour)) return std::nullopt;
    if (!text.empty()) {
      take(text, ':');
      if (!take_digits(text, 2, zone_minute)) return std::nullopt;
    }
    if (zone_hour > 23 || zone_minute > 59) return std::nullopt;
    zone_s = static_cast<std::int64_t>(zone_hour) * 3600 + zone_minute * 60;
    if (sign == '-') zone_s = -zone_s;
  }
  if (!text.empty()) return std::nullopt;
  const std::int64_t seconds = days_from_civil(year, month, day) * 86400 +
                               static_cast<std::int64_t>(hour) * 3600 + minute * 60 + second -
                               zone_s;
  return combine_ns(seconds, fraction);
}

std::optional<std::int64_t> parse_time_option_ns(std::string_view text, std::int64_t today_ns) {
  if (text.starts_with('@')) {
    text.remove_prefix(1);
    const bool negative = take(text, '-');
    std::uint64_t seconds = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    if (ec != std::errc() || seconds > 9'223'372'036ULL) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    std::int64_t fraction = 0;
    if (!take_fraction_ns(text, fraction) || !text.empty()) return std::nullopt;
    const auto value = combine_ns(static_cast<std::int64_t>(seconds), fraction);
    if (value && negative) return -*value;
    return value;
  }
  if (const auto exact = parse_time_iso8601_ns(text)) return exact;
  std::string completed(text);
  if (text.size() == 10 && text[4] == '-') {
    completed += "T00:00:00Z";
  } else {
    completed = format_time_ns(today_ns).substr(0, 11) + completed;
  }
  return parse_time_iso8601_ns(completed);
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> pieces;
  while (true) {
    const std::size_t at = text.find(separator);
    pieces.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return pieces;
    text.remove_prefix(at + 1);
  }
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view white = " \t\r\n";
  const std::size_t first = text.find_first_not_of(white);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(white) - first + 1);
}

}  // namespace twinchain
