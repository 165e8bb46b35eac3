#include "twinchain/report/html.hpp"

#include <array>
#include <cmath>
#include <cstdio>

#include "twinchain/base/text.hpp"

namespace twinchain::report {
namespace {

constexpr std::string_view narrow_space = "\xe2\x80\xaf";
constexpr std::string_view ellipsis = "\xe2\x80\xa6";

char32_t decode_utf8(std::string_view sequence) {
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(sequence[at]); };
  switch (sequence.size()) {
    case 2:
      return (byte(0) & 0x1fU) << 6 | (byte(1) & 0x3fU);
    case 3:
      return (byte(0) & 0x0fU) << 12 | (byte(1) & 0x3fU) << 6 | (byte(2) & 0x3fU);
    default:
      return (byte(0) & 0x07U) << 18 | (byte(1) & 0x3fU) << 12 | (byte(2) & 0x3fU) << 6 |
             (byte(3) & 0x3fU);
  }
}

/// Characters that nobody sees or that change how others are shown.
bool deceives(char32_t c) {
  return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0xad || c == 0x34f || c == 0x61c ||
         (c >= 0x115f && c <= 0x1160) || (c >= 0x17b4 && c <= 0x17b5) ||
         (c >= 0x180b && c <= 0x180f) || (c >= 0x200b && c <= 0x200f) ||
         (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0x3164 ||
         (c >= 0xe000 && c <= 0xf8ff) || (c >= 0xfe00 && c <= 0xfe0f) || c == 0xfeff ||
         c == 0xffa0 || (c >= 0xfff0 && c <= 0xfffb) || (c & 0xfffe) == 0xfffe ||
         (c >= 0xfdd0 && c <= 0xfdef) || c >= 0xe0000;
}

void append_visible(std::string& out, const char* form, unsigned value) {
  std::array<char, 16> buffer{};
  static_cast<void>(std::snprintf(buffer.data(), buffer.size(), form, value));
  out += buffer.data();
}

void append_ascii(std::string& out, char c) {
  switch (c) {
    case '&':
      out += "&amp;";
      break;
    case '<':
      out += "&lt;";
      break;
    case '>':
      out += "&gt;";
      break;
    case '"':
      out += "&quot;";
      break;
    case '\'':
      out += "&#39;";
      break;
    default:
      out += c;
  }
}

/// "20 ms" and the like, for less than a minute.
std::string short_duration(std::int64_t duration_ns) {
  struct Unit {
    std::int64_t size_ns;
    const char* name;
  };
  constexpr std::array<Unit, 4> units{
      {{1'000'000'000, " s"}, {1'000'000, " ms"}, {1'000, " \xc2\xb5s"}, {1, " ns"}}};
  for (const Unit& unit : units) {
    if (duration_ns < unit.size_ns) continue;
    std::array<char, 40> buffer{};
    const double value = static_cast<double>(duration_ns) / static_cast<double>(unit.size_ns);
    static_cast<void>(std::snprintf(buffer.data(), buffer.size(), "%.3g%s", value, unit.name));
    // Three digits may round up to 1000.
    if (value >= 999.5)
      static_cast<void>(std::snprintf(buffer.data(), buffer.size(), "%.0f%s", value, unit.name));
    return buffer.data();
  }
  return "0 s";
}

}  // namespace

std::string html_text(std::string_view untrusted, std::size_t max_bytes) {
  std::string out;
  out.reserve(untrusted.size() + 16);
  for (std::size_t at = 0; at < untrusted.size();) {
    if (at >= max_bytes) {
      out += ellipsis;
      break;
    }
    const auto byte = static_cast<unsigned char>(untrusted[at]);
    if (byte >= 0x20 && byte < 0x7f) {
      append_ascii(out, untrusted[at++]);
      continue;
    }
    if (byte < 0x80) {
      append_visible(out, "[U+%04X]", byte);
      ++at;
      continue;
    }
    const std::size_t size = utf8_sequence_bytes(untrusted, at);
    if (size == 0) {
      append_visible(out, "[0x%02X]", byte);
      ++at;
      continue;
    }
    const std::string_view sequence = untrusted.substr(at, size);
    const char32_t c = decode_utf8(sequence);
    if (deceives(c)) {
      append_visible(out, "[U+%04X]", static_cast<unsigned>(c));
    } else {
      out += sequence;
    }
    at += size;
  }
  return out;
}

std::string grouped(std::uint64_t value) {
  std::string digits = decimal(value);
  if (digits.size() < 5) return digits;
  std::string out;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) out += narrow_space;
    out += digits[i];
  }
  return out;
}

Html& Html::count(std::uint64_t value) {
  out_ += grouped(value);
  return *this;
}

Html& Html::counted(std::uint64_t value, const char* noun) {
  count(value);
  out_ += ' ';
  out_ += noun;
  if (value != 1) out_ += 's';
  return *this;
}

Html& Html::decimal3(double value) {
  if (!std::isfinite(value)) value = 0;
  std::array<char, 64> buffer{};
  static_cast<void>(
      std::snprintf(buffer.data(), buffer.size(), "%.3f", std::min(1e9, std::max(-1e9, value))));
  std::string text = buffer.data();
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  out_ += text == "-0" ? "0" : text;
  return *this;
}

Html& Html::time(std::int64_t time_ns) {
  out_ += "<time datetime=\"" + format_time_ns(time_ns) + "\">" + spoken_time(time_ns) + "</time>";
  return *this;
}

std::string spoken_duration(std::int64_t duration_ns) {
  constexpr std::int64_t second = 1'000'000'000;
  constexpr std::int64_t day = 86'400 * second;
  if (duration_ns < 0) {
    return duration_ns == INT64_MIN ? "-292 years" : "-" + spoken_duration(-duration_ns);
  }
  if (duration_ns < 60 * second) return short_duration(duration_ns);
  const auto two = [&](std::int64_t large, const char* large_name, std::int64_t small,
                       const char* small_name) {
    std::string text = decimal(duration_ns / large) + large_name;
    const std::int64_t rest = duration_ns % large / small;
    if (rest > 0) text += " " + decimal(rest) + small_name;
    return text;
  };
  if (duration_ns < 3600 * second) return two(60 * second, " min", second, " s");
  if (duration_ns < day) return two(3600 * second, " h", 60 * second, " min");
  return two(day, duration_ns < 2 * day ? " day" : " days", 3600 * second, " h");
}

std::string spoken_time(std::int64_t time_ns) {
  std::string text = format_time_ns(time_ns);
  if (text.size() < 20) return text;
  text[10] = ' ';
  text.pop_back();
  const std::size_t point = text.find('.');
  if (point != std::string::npos) {
    text.resize(std::min(text.size(), point + 4));
    text.append(point + 4 - text.size(), '0');
  }
  return text + " UTC";
}

}  // namespace twinchain::report
