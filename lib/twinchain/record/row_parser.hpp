// Text and binary rows into a WindowBuilder. Floor 3.
//
// One interface, a parser a format. A row that cannot be read becomes a Reject with its raw text;
// nothing is dropped in silence. Parsers keep no row across calls: what is not consumed is given
// again. Not thread-safe; several parsers may feed one builder in turn.
//
// Values. The first value of a channel decides its type, unless it is declared: numbers are f64,
// but an integer beyond +-2^53 opens an i64 channel; true and false are bool; other text is string.
// Decimals become the nearest f64. An integer that f64 does not hold exactly is refused by an f64
// channel, a value that is not whole or out of range by an i64 channel: never rounded in silence.
// A row with a value that does not fit its channel is a reject as a whole. A name that comes twice
// in a row is one too.
//   CSV     RFC 4180; cells may be quoted whatever their type, blanks around numbers do not matter.
//           nan, inf, -inf in any case are f64. An empty cell is no value; "" is the empty text in
//           a string channel, else no value. An integer that neither f64 nor i64 holds opens a
//           string channel. The separator ' ' stands for any run of blanks. Empty lines are
//           skipped. A quoted cell may span 100 lines and the longest row; beyond, its quote counts
//           as never closed, which costs the line where it is and no other.
//           Header names without text become column_1, column_2, ...
//   NDJSON  one object a line; {"a":{"b":[1,2]}} are a.b.0 and a.b.1; null is no value; a JSON
//           string never becomes a number. An integer that neither type holds is a reject.
//   Influx  channel measurement[,tag=value...].field: tags sorted by key, names unescaped but for
//           commas and equals signs. Integers with i and u need an i64 channel, or fit f64 exactly
//           where the channel is f64.
//   MQTT    lines of `mosquitto_sub -F '%U %t %x'`. The payload's bytes are kept in the string
//           channel TOPIC#payload ("#" cannot be in a topic). In addition a payload that is a
//           number, a bool or a text is a value of channel TOPIC, and JSON objects and arrays are
//           flattened to TOPIC.key; an empty payload has no value. Declared channels are found by
//           the whole name, by its last topic level, and by the keys alone.
//   Raw     f64 rows; the bits of a NaN are kept.
//
// Times are read without loss to the nanosecond; finer digits are cut off. TimeUnit::detect
// decides at the first time that is read: a text with a date is ISO 8601, UTC where it has no
// zone; a number below 10^10 in magnitude is seconds, below 10^13 milliseconds, below 10^16
// microseconds, else nanoseconds: so every epoch time from May 1970 on is read as what it is.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "twinchain/record/window_builder.hpp"

namespace twinchain::record {

enum class RowFormat { csv, ndjson, influx, mqtt, raw_f64 };

enum class TimeUnit { detect, seconds, milliseconds, microseconds, nanoseconds, iso8601, arrival };

struct ParserOptions {
  RowFormat format = RowFormat::csv;
  /// CSV: column name; NDJSON: (dotted) key; raw: one of column_names. Empty: found by name (time,
  /// timestamp, ts, t, date, datetime, _time, @timestamp; any case, the first of this list wins;
  /// NDJSON: among the top-level keys of the first row), else arrival. A row without the time that
  /// was found or named is a reject. Influx and MQTT carry their own: an Influx line without a
  /// timestamp has its arrival, MQTT lines begin with epoch seconds.
  std::string time_field;
  /// A unit that is named demands a time; arrival ignores times, which then are values.
  TimeUnit time_unit = TimeUnit::detect;
  /// Raw rows: names of the columns; a column named as time_field holds the time.
  std::vector<std::string> column_names;
  /// CSV: names come from column_names and there is no header line. With column_names and a header
  /// line, they replace its names.
  bool csv_without_header = false;
  char csv_separator = ',';
  /// From --schema: declares channels with type and unit; other channels are inferred.
  std::optional<Schema> declared;
  /// Longest row, in bytes without its line end, from 16 to 8 Mi. A longer one becomes rejects of
  /// this size. A caller's buffer must hold this and 3 bytes more.
  std::size_t max_row_bytes = std::size_t{1} << 20;
};

struct ParseControl {
  /// The wall clock when these bytes arrived: event time of rows without one.
  std::int64_t arrival_ns = 0;
  /// Stop (with rows left over) once builder.raw_size_bytes() has reached this; 0: no limit. The
  /// last row may go beyond it.
  std::uint64_t max_raw_bytes = 0;
  /// --clock data: stop before a row whose event time is at or after this.
  std::optional<std::int64_t> event_limit_ns;
  /// --strict: the first reject is an error (ExitCode::malformed, with line and byte offset).
  bool strict = false;
};

struct ParseOutcome {
  std::size_t consumed = 0;  ///< bytes of the input that are done with
  std::uint64_t rows = 0;
  bool stopped_by_size = false;
  /// Set when stopped by event_limit_ns: the event time of the next row.
  std::optional<std::int64_t> next_event_ns;
};

class RowParser {
 public:
  virtual ~RowParser() = default;
  /// Takes whole rows off the front of `input`. `at_end`: no more will come, so a last line
  /// without its newline is a row. Errors: --strict, or a header line that cannot be used.
  virtual Result<ParseOutcome> parse(ByteView input, bool at_end, WindowBuilder& builder,
                                     const ParseControl& control) = 0;
  /// How times are read, for people and SCHEMA; empty until it is known: "column \"ts\", epoch
  /// milliseconds (detected)", "arrival". The caller passes it on to set_time_note(); it may change
  /// once more when something new is met ("..., UTC where no zone is given").
  [[nodiscard]] virtual std::string time_note() const = 0;
  /// What a restarted parser must know to go on in the middle of the input (CSV header, detected
  /// time unit, line number). restore() refuses bytes that save() did not make, and takes what
  /// the options leave open from them: an option that was changed since wins.
  [[nodiscard]] virtual Bytes save() const = 0;
  virtual Status restore(ByteView saved) = 0;
};

/// usage: options that do not go together.
Result<std::unique_ptr<RowParser>> make_row_parser(const ParserOptions& options);

/// Reads a DTDL v3 interface (one object, or an array whose first Interface is taken): each
/// Telemetry's name, schema (double, float -> f64; integer, long -> i64; boolean -> bool; string,
/// date, dateTime, time, duration -> string; an Enum is its valueSchema; an Object is flattened to
/// name.field; names of schemas in "schemas" are followed), unit and displayName (English first).
/// Array, Map and unknown schemas are refused by name. Properties, commands and components are not
/// telemetry and left out. malformed: not JSON, no Interface, more than 4 MiB.
Result<Schema> parse_dtdl(ByteView json, const std::string& source_name);

}  // namespace twinchain::record
