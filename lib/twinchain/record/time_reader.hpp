// Event times of rows, from text or numbers, in integers of nanoseconds. Floor 3.
//
// No time goes through a double on its way: "1700000000.123456789" keeps its last digit. Digits
// finer than a nanosecond are cut off.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "twinchain/base/result.hpp"
#include "twinchain/record/row_parser.hpp"

namespace twinchain::record {

/// ISO 8601 date, or date and time: "2026-11-22", "2026-11-22T11:18", "2026-11-22 11:18:47",
/// with a fraction after "." or "," of any length, then "Z", "+01", "+0100", "+01:00" (a space may
/// stand before it) or nothing, which means UTC. The basic forms "20261122T111847Z" too. 24:00:00
/// is the next midnight, a leap second :60 the next second. Day numbers are remembered between
/// calls, because most rows are of the day of the row before.
class Iso8601Reader {
 public:
  /// Nullptr, or what is wrong.
  const char* read(std::string_view text, std::int64_t& time_ns);
  /// Whether the last text said its zone.
  [[nodiscard]] bool had_zone() const { return had_zone_; }

 private:
  bool read_date(std::string_view& text, std::int64_t& day);

  bool had_zone_ = false;
  std::string last_date_;
  std::int64_t last_day_ = 0;
};

/// Reads the times of one input. With TimeUnit::detect the first readable time decides for all
/// that follow: a text with a date is ISO 8601; a number is seconds when its magnitude is below
/// 10^10 (later seconds, from 2262 on, do not fit anyway), milliseconds below 10^13, microseconds
/// below 10^16, else nanoseconds.
class TimeReader {
 public:
  /// `unit`: not TimeUnit::arrival.
  explicit TimeReader(TimeUnit unit) : unit_(unit), configured_(unit) {}

  /// Nullptr, or what is wrong: "neither a number nor an ISO 8601 time", "time out of range ...".
  const char* read(std::string_view text, std::int64_t& time_ns);
  /// A binary number: its exact value, to the nearest nanosecond.
  const char* read(double value, std::int64_t& time_ns);

  /// detect as long as that is not decided.
  [[nodiscard]] TimeUnit unit() const { return unit_; }
  /// "epoch milliseconds (detected)", "ISO 8601, UTC where no zone is given (detected)"; empty as
  /// long as nothing is decided.
  [[nodiscard]] std::string note() const;

  void save(Bytes& out) const;
  bool restore(ByteCursor& in);

 private:
  TimeUnit unit_;
  TimeUnit configured_;
  bool zone_missing_ = false;
  Iso8601Reader iso8601_;
};

/// The default names of a time column or key, in order of preference: time, timestamp, ts, t,
/// date, datetime, _time, @timestamp, in any case. The position in that list; nothing when `name`
/// is none of them.
std::optional<std::size_t> time_name_rank(std::string_view name);

}  // namespace twinchain::record
