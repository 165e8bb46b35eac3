#include "twinchain/record/row_parser.hpp"

#include <unordered_set>

#include "twinchain/base/text.hpp"
#include "twinchain/record/csv_parser.hpp"
#include "twinchain/record/influx_parser.hpp"
#include "twinchain/record/mqtt_parser.hpp"
#include "twinchain/record/ndjson_parser.hpp"
#include "twinchain/record/raw_parser.hpp"

namespace twinchain::record {
namespace {

constexpr std::size_t smallest_row_limit = 16;
constexpr std::size_t largest_row_limit = std::size_t{8} << 20;

Status check_names(const ParserOptions& options) {
  std::unordered_set<std::string_view> seen;
  if (options.column_names.size() > max_channels) {
    return fail(ExitCode::usage,
                "more than " + decimal(std::uint64_t{max_channels}) + " column names");
  }
  for (const std::string& name : options.column_names) {
    if (name.empty()) return fail(ExitCode::usage, "a column name is empty");
    if (name.size() > 0xffff) return fail(ExitCode::usage, "a column name is too long");
    if (!seen.insert(name).second) {
      return fail(ExitCode::usage, "two columns are named " + quote_text(name));
    }
  }
  return {};
}

Status check_csv(const ParserOptions& options) {
  const char separator = options.csv_separator;
  if (separator == '"' || separator == '\n' || separator == '\r' || separator == '\0') {
    return fail(ExitCode::usage, "the separator cannot be a quote, a line end or a null byte");
  }
  // A cell's number is found by what ends it.
  constexpr std::string_view of_numbers = "0123456789.-+";
  if (of_numbers.find(separator) != std::string_view::npos) {
    return fail(ExitCode::usage, "the separator cannot be a character of numbers");
  }
  if (options.csv_without_header && options.column_names.empty()) {
    return fail(ExitCode::usage, "without a header line the columns need names");
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<RowParser>> make_row_parser(const ParserOptions& options) {
  TWINCHAIN_TRY(check_names(options));
  if (options.max_row_bytes < smallest_row_limit || options.max_row_bytes > largest_row_limit) {
    return fail(ExitCode::usage, "the longest row must be between 16 bytes and 8 MiB");
  }
  switch (options.format) {
    case RowFormat::csv:
      TWINCHAIN_TRY(check_csv(options));
      return std::make_unique<CsvParser>(options);
    case RowFormat::ndjson:
      return std::make_unique<NdjsonParser>(options);
    case RowFormat::influx:
      return std::make_unique<InfluxParser>(options);
    case RowFormat::mqtt:
      return std::make_unique<MqttParser>(options);
    case RowFormat::raw_f64: {
      if (options.column_names.empty()) {
        return fail(ExitCode::usage, "raw rows need the names of their columns");
      }
      if (options.time_unit == TimeUnit::iso8601) {
        return fail(ExitCode::usage, "raw rows hold no ISO 8601 times");
      }
      auto parser = std::make_unique<RawParser>(options);
      if (parser->lacks_time_column()) {
        return fail(ExitCode::usage, options.time_field.empty()
                                         ? "no column has a name that says time"
                                         : "no column is named " + quote_text(options.time_field));
      }
      return parser;
    }
  }
  return fail(ExitCode::bug, "unknown row format");
}

}  // namespace twinchain::record
