// Text and binary rows into a WindowBuilder. Floor 3.
//
// One interface, a parser a format. A row that cannot be read becomes a Reject with its raw text;
// nothing is dropped in silence. Parsers keep no row across calls: what is not consumed is given
// again.
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
  /// CSV: column name; NDJSON: (dotted) key. Empty: found by name (time, timestamp, ts, t, date,
  /// datetime, _time, @timestamp; any case), else arrival. Influx and MQTT carry their own.
  std::string time_field;
  TimeUnit time_unit = TimeUnit::detect;
  /// Raw rows: names of the columns; a column named as time_field holds the time.
  std::vector<std::string> column_names;
  /// CSV: names come from column_names instead of a first line.
  bool csv_without_header = false;
  char csv_separator = ',';
  /// From --schema: declares channels with type and unit; other channels are inferred.
  std::optional<Schema> declared;
  /// Longest row, in bytes, before it is cut into a reject.
  std::size_t max_row_bytes = std::size_t{1} << 20;
};

struct ParseControl {
  /// The wall clock when these bytes arrived: event time of rows without one.
  std::int64_t arrival_ns = 0;
  /// Stop (with rows left over) once builder.raw_size_bytes() has reached this.
  std::uint64_t max_raw_bytes = 0;
  /// --clock data: stop before a row whose event time is at or after this.
  std::optional<std::int64_t> event_limit_ns;
  /// --strict: the first reject is an error (ExitCode::malformed, with line and byte offset).
  bool strict = false;
};

struct ParseOutcome {
  std::size_t consumed = 0;          ///< bytes of the input that are done with
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
  /// milliseconds (detected)".
  [[nodiscard]] virtual std::string time_note() const = 0;
  /// What a restarted parser must know to go on in the middle of the input (CSV header, detected
  /// time unit, line number). restore() refuses bytes that save() did not make.
  [[nodiscard]] virtual Bytes save() const = 0;
  virtual Status restore(ByteView saved) = 0;
};

Result<std::unique_ptr<RowParser>> make_row_parser(const ParserOptions& options);

/// Reads a DTDL v3 interface (one object, or an array whose first Interface is taken): each
/// Telemetry's name, schema (double, float -> f64; integer, long -> i64; boolean -> bool; string,
/// date, dateTime, time, duration -> string; Enum and Object are flattened or refused with a
/// clear message), unit and displayName.
Result<Schema> parse_dtdl(ByteView json, const std::string& source_name);

}  // namespace twinchain::record
