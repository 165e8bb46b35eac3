// Any bytes as rows of f64, after two bytes that say how.

#include "parser_fuzzing.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace twinchain::record;
  const fuzzing::Plan plan = fuzzing::make_plan(data, size);
  ParserOptions options;
  options.format = RowFormat::raw_f64;
  const std::vector<std::string> names{"a", "time", "b", "c"};
  const std::size_t first = plan.options & 1;
  const std::size_t count = 1 + ((plan.options >> 1) & 1) + ((plan.options >> 2) & 1);
  options.column_names.assign(names.begin() + static_cast<std::ptrdiff_t>(first),
                              names.begin() + static_cast<std::ptrdiff_t>(first + count));
  if ((plan.options & 8) != 0) options.time_unit = TimeUnit::arrival;
  if ((plan.options & 16) != 0) {
    options.declared = Schema{"fuzz", {}, {{"b", ValueType::i64, "m", {}}}};
  }
  const auto outcome = fuzzing::check_parser(options, plan);
  fuzzing::require(outcome.error.empty());
  const std::size_t row = 8 * count;
  fuzzing::require(outcome.rows + outcome.rejects.size() == (plan.text.size() + row - 1) / row);
  return 0;
}
