// Any bytes as NDJSON, after two bytes that say how. What was read as a row is a JSON object to
// another reader too.

#include <simdjson.h>

#include "parser_fuzzing.hpp"

namespace {

/// Integers beyond 64 bits are JSON too, but not to the other reader.
bool has_long_number(std::string_view line) {
  std::size_t digits = 0;
  for (const char c : line) {
    digits = c >= '0' && c <= '9' ? digits + 1 : 0;
    if (digits >= 19) return true;
  }
  return false;
}

bool is_object(std::string_view line) {
  simdjson::dom::parser parser;
  simdjson::dom::object object;
  const simdjson::padded_string text(line);
  return parser.parse(text).get(object) == simdjson::SUCCESS;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace twinchain::record;
  const fuzzing::Plan plan = fuzzing::make_plan(data, size);
  ParserOptions options;
  options.format = RowFormat::ndjson;
  if ((plan.options & 1) != 0) options.time_unit = TimeUnit::arrival;
  if ((plan.options & 2) != 0) options.time_field = "a.t";
  const bool short_rows = (plan.options & 4) != 0;
  if (short_rows) options.max_row_bytes = 16;
  if ((plan.options & 8) != 0) {
    options.declared =
        Schema{"fuzz", {}, {{"a", ValueType::i64, "m", {}}, {"b.c", ValueType::string, {}, {}}}};
  }
  const auto outcome = fuzzing::check_parser(options, plan);
  if (short_rows) return 0;
  fuzzing::require(outcome.error.empty());
  fuzzing::require(outcome.rows + outcome.rejects.size() == fuzzing::count_lines(plan.text, true));
  // The lines that are no rejects are rows, and those are objects.
  std::string_view text = plan.text;
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  std::size_t next_reject = 0;
  for (std::uint64_t number = 1; !text.empty(); ++number) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (next_reject < outcome.rejects.size() && outcome.rejects[next_reject].line == number) {
      ++next_reject;
      continue;
    }
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.find_first_not_of(" \t") != std::string_view::npos) {
      fuzzing::require(has_long_number(line) || is_object(line));
    }
  }
  return 0;
}
