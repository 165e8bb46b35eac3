#include "twinchain/record/ndjson_parser.hpp"

#include "twinchain/base/text.hpp"

namespace twinchain::record {
namespace {

constexpr std::string_view utf8_mark = "\xef\xbb\xbf";

}  // namespace

NdjsonParser::NdjsonParser(const ParserOptions& options)
    : LineParser(options),
      time_(options.time_unit == TimeUnit::arrival ? TimeUnit::detect : options.time_unit),
      flattener_(channels_) {
  if (options.time_unit == TimeUnit::arrival) {
    time_decided_ = true;
  } else if (!options.time_field.empty()) {
    use_time_key(options.time_field);
  }
}

void NdjsonParser::use_time_key(std::string key) {
  time_decided_ = true;
  time_key_ = std::move(key);
  if (!time_key_.empty()) flattener_.set_time(time_key_, &time_);
  templates_.clear();
}

/// The first row that is an object decides, so that later rows do not change what time means.
bool NdjsonParser::decide_time(std::string_view row) {
  auto key = flattener_.find_time_key(row);
  if (!key) return true;  // read_in_full will say what is wrong
  if (key->empty() && options_.time_unit != TimeUnit::detect) {
    row_.fault = "no key has a name that says time";
    return false;
  }
  use_time_key(std::move(*key));
  return true;
}

Result<LineParser::Kind> NdjsonParser::take_row(std::string_view row) {
  if (at_first_byte() && row.starts_with(utf8_mark)) row.remove_prefix(utf8_mark.size());
  if (trim_blanks(row).empty()) return Kind::nothing;
  std::string_view time;
  if (!templates_.match(row, row_, time)) return read_in_full(row);
  dense_columns_ = templates_.dense() != nullptr ? templates_.dense()->dense_columns() : 0;
  if (time_key_.empty() || time_.read(time, row_.time_ns) == nullptr) return Kind::values;
  row_.clear();
  return read_in_full(row);
}

bool NdjsonParser::take_dense_row(std::string_view row, double* values, std::int64_t& time_ns) {
  const JsonTemplate* const shape = templates_.dense();
  std::string_view time;
  if (shape == nullptr || shape->dense_columns() != dense_columns_) return false;
  if (!shape->match_dense(row, values, time)) return false;
  return time_key_.empty() || time_.read(time, time_ns) == nullptr;
}

LineParser::Kind NdjsonParser::read_in_full(std::string_view row) {
  if (!time_decided_ && !decide_time(row)) return Kind::refused;
  if (flattener_.flatten(row, {}, row_) != JsonFlattener::Outcome::values) return Kind::refused;
  if (!time_key_.empty() && !flattener_.had_time()) {
    return refuse("key " + quote_text(time_key_) + ": the time is missing");
  }
  templates_.learn(row, flattener_.leaves(), channels_);
  return Kind::values;
}

void NdjsonParser::forget_channels() {
  flattener_.forget_channels();
  templates_.clear();
}

std::string NdjsonParser::time_note() const {
  if (!time_decided_) return {};
  if (time_key_.empty()) return "arrival";
  const std::string note = time_.note();
  return note.empty() ? note : "key " + quote_text(time_key_) + ", " + note;
}

void NdjsonParser::save_state(Bytes& out) const {
  append_le(out, static_cast<std::uint8_t>(time_decided_ ? 1 : 0));
  append_text(out, time_key_);
  time_.save(out);
}

bool NdjsonParser::restore_state(ByteCursor& in) {
  const auto decided = in.read_le<std::uint8_t>();
  std::string key = read_text(in);
  if (decided > 1 || !time_.restore(in)) return false;
  // Options that were changed since win over what was found.
  if (decided == 1 && !time_decided_) use_time_key(std::move(key));
  return true;
}

}  // namespace twinchain::record
