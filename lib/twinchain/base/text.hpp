// Text for people: escaping, numbers, durations, sizes and points in time. Floor 0.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "twinchain/base/bytes.hpp"

namespace twinchain {

/// Makes untrusted bytes safe for a terminal and a one-line message: printable ASCII and valid
/// UTF-8 letters stay, control characters, quotes' escape and invalid bytes become \n, \t, \xHH.
/// At most `max_bytes` of the input are shown, then "...".
std::string escape(std::string_view untrusted, std::size_t max_bytes = 120);

/// Length (2 to 4) of the well-formed multi-byte UTF-8 sequence that starts at `at`, or 0
/// (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF).
std::size_t utf8_sequence_bytes(std::string_view text, std::size_t at);

/// 1234567 -> "1234567"; kept here so that no caller needs a stream.
std::string decimal(std::uint64_t value);
std::string decimal(std::int64_t value);
/// The shortest text that reads back as the same double; "nan", "inf", "-inf" for those.
std::string shortest(double value);

/// Strict unsigned decimal: digits only, no sign, no overflow.
std::optional<std::uint64_t> parse_decimal(std::string_view text);

/// "500ms", "1s", "10m", "2h", "1.5s", "250us", "100ns", "7d": nanoseconds. A bare number is
/// refused: a unit must be said. Nothing when malformed, negative or over 10^9 s.
std::optional<std::int64_t> parse_duration_ns(std::string_view text);
/// The counterpart, with the largest unit that needs no fraction: 1500000000 -> "1500ms".
std::string format_duration_ns(std::int64_t duration_ns);

/// "64KiB", "16MiB", "1GiB", "4096": bytes (powers of 1024; KB, MB, GB are powers of 1000).
std::optional<std::uint64_t> parse_size_bytes(std::string_view text);

/// Nanoseconds since 1970-01-01T00:00:00Z as RFC 3339 in UTC with exactly the digits that are
/// not zero: "2026-11-22T11:18:47.25Z".
std::string format_time_ns(std::int64_t time_ns);
/// RFC 3339 / ISO 8601 with date and time ("T" or a space, optional fraction up to 9 digits,
/// "Z", "+hh:mm", "+hhmm" or nothing, which means UTC). Nothing when malformed or out of the
/// range of an int64 of nanoseconds (years 1678 to 2261).
std::optional<std::int64_t> parse_time_iso8601_ns(std::string_view text);
/// What an option like --from takes: ISO 8601, a date alone, "HH:MM[:SS]" on the UTC day of
/// `today_ns`, or "@SECONDS[.fraction]" since the epoch.
std::optional<std::int64_t> parse_time_option_ns(std::string_view text, std::int64_t today_ns);

/// Splits at a character; an empty text gives one empty piece.
std::vector<std::string_view> split(std::string_view text, char separator);
std::string_view trim(std::string_view text);

}  // namespace twinchain
