// Any bytes as lines of mosquitto_sub, after two bytes that say how. With option 8 each line of
// the input is a payload, so that what is inside of the hexadecimal digits is reached as well.

#include "parser_fuzzing.hpp"
#include "twinchain/base/hex.hpp"

namespace {

using namespace twinchain;
using namespace twinchain::record;

/// "1700000000 TOPIC HEX" for each line "TOPIC PAYLOAD".
std::string wrap(std::string_view payloads) {
  std::string lines;
  while (!payloads.empty()) {
    const std::string_view line = payloads.substr(0, payloads.find('\n'));
    payloads.remove_prefix(std::min(line.size() + 1, payloads.size()));
    const std::size_t blank = std::min(line.find(' '), line.size());
    lines += "1700000000 t";
    lines += line.substr(0, blank);
    lines += ' ';
    lines += to_hex(as_bytes(line.substr(std::min(blank + 1, line.size()))));
    lines += '\n';
  }
  return lines;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzzing::Plan plan = fuzzing::make_plan(data, size);
  ParserOptions options;
  options.format = RowFormat::mqtt;
  if ((plan.options & 1) != 0) options.time_unit = TimeUnit::arrival;
  const bool short_rows = (plan.options & 2) != 0;
  if (short_rows) options.max_row_bytes = 16;
  if ((plan.options & 4) != 0) {
    options.declared =
        Schema{"fuzz", {}, {{"t", ValueType::i64, "m", {}}, {"a.b", ValueType::string, {}, {}}}};
  }
  std::string wrapped;
  if ((plan.options & 8) != 0) {
    wrapped = wrap(plan.text);
    plan.text = wrapped;
  }
  const auto outcome = fuzzing::check_parser(options, plan);
  fuzzing::require(outcome.error.empty());
  if (short_rows) return 0;
  fuzzing::require(outcome.rows + outcome.rejects.size() == fuzzing::count_lines(plan.text, false));
  return 0;
}
