// Any bytes as InfluxDB line protocol, after two bytes that say how.

#include "parser_fuzzing.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace twinchain::record;
  const fuzzing::Plan plan = fuzzing::make_plan(data, size);
  ParserOptions options;
  options.format = RowFormat::influx;
  if ((plan.options & 1) != 0) options.time_unit = TimeUnit::arrival;
  if ((plan.options & 2) != 0) options.time_unit = TimeUnit::nanoseconds;
  const bool short_rows = (plan.options & 4) != 0;
  if (short_rows) options.max_row_bytes = 16;
  if ((plan.options & 8) != 0) {
    options.declared =
        Schema{"fuzz", {}, {{"f", ValueType::i64, "m", {}}, {"m.s", ValueType::string, {}, {}}}};
  }
  const auto outcome = fuzzing::check_parser(options, plan);
  fuzzing::require(outcome.error.empty());
  if (short_rows || plan.text.find('"') != std::string_view::npos) return 0;
  fuzzing::require(outcome.rows + outcome.rejects.size() ==
                   fuzzing::count_lines(plan.text, false, " \t", '#'));
  return 0;
}
