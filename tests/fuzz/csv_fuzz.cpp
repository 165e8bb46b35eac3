// Any bytes as CSV, after two bytes that say how.

#include "parser_fuzzing.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace twinchain::record;
  const fuzzing::Plan plan = fuzzing::make_plan(data, size);
  ParserOptions options;
  options.format = RowFormat::csv;
  constexpr char separators[] = {',', ';', '\t', ' '};
  options.csv_separator = separators[plan.options & 3];
  options.csv_without_header = (plan.options & 4) != 0;
  if (options.csv_without_header) options.column_names = {"time", "a", "b"};
  if ((plan.options & 8) != 0) options.time_unit = TimeUnit::arrival;
  const bool short_rows = (plan.options & 16) != 0;
  if (short_rows) options.max_row_bytes = 16;
  if ((plan.options & 32) != 0) {
    options.declared = Schema{"fuzz",
                              {},
                              {{"a", ValueType::i64, "m", {}},
                               {"b", ValueType::string, {}, {}},
                               {"c", ValueType::boolean, {}, {}}}};
  }
  const auto outcome = fuzzing::check_parser(options, plan);
  if (!outcome.error.empty() || short_rows || plan.text.find('"') != std::string_view::npos) {
    return 0;
  }
  // Without quotes a line is a row, a reject, or the header.
  const std::string_view blanks = options.csv_separator == ' ' ? " " : "";
  const std::uint64_t lines = fuzzing::count_lines(plan.text, true, blanks);
  const std::uint64_t header = lines > 0 && !options.csv_without_header ? 1 : 0;
  fuzzing::require(outcome.rows + outcome.rejects.size() + header == lines);
  return 0;
}
