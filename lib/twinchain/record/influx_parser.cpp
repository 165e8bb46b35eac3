#include "twinchain/record/influx_parser.hpp"

#include <algorithm>
#include <cstring>

#include "twinchain/base/text.hpp"

namespace twinchain::record {
namespace {

/// Position of the first of `stops` that no backslash stands before, or the end.
std::size_t find_unescaped(std::string_view text, std::size_t at, std::string_view stops) {
  for (; at < text.size(); ++at) {
    if (text[at] == '\\' && at + 1 < text.size()) {
      ++at;
    } else if (stops.find(text[at]) != std::string_view::npos) {
      return at;
    }
  }
  return text.size();
}

/// Takes the backslash away where it stands before one of `special`; others are kept.
std::string unescape(std::string_view text, std::string_view special) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size() &&
        special.find(text[i + 1]) != std::string_view::npos) {
      ++i;
    }
    out.push_back(text[i]);
  }
  return out;
}

/// Commas and equals signs inside of a name keep their backslash, so that no two series share one.
void append_part(std::string& out, std::string_view part) {
  for (const char c : part) {
    if (c == ',' || c == '=') out.push_back('\\');
    out.push_back(c);
  }
}

/// Where in a line a byte stands.
enum class Part { indent, series, gap, key_start, key, value_start, value, text, rest };

bool may_escape(Part part) {
  return part != Part::value_start && part != Part::value && part != Part::rest;
}

/// The part that the byte after `c` belongs to; `c` may be a backslash that escapes the next one.
Part next_part(Part part, char c) {
  switch (part) {
    case Part::indent:
      if (c == ' ' || c == '\t') return Part::indent;
      return c == '#' ? Part::rest : Part::series;
    case Part::series:
      return c == ' ' ? Part::gap : Part::series;
    case Part::gap:
      if (c == ' ') return Part::gap;
      [[fallthrough]];
    case Part::key_start:
      return c == '=' || c == ',' || c == ' ' ? Part::rest : Part::key;
    case Part::key:
      if (c == '=') return Part::value_start;
      return c == ',' || c == ' ' ? Part::rest : Part::key;
    case Part::value_start:
      if (c == '"') return Part::text;
      [[fallthrough]];
    case Part::value:
      if (c == ',') return Part::key_start;
      return c == ' ' ? Part::rest : Part::value;
    case Part::text:
      return c == '"' ? Part::value : Part::text;
    case Part::rest:
      break;
  }
  return Part::rest;
}

const char* parse_unsigned_or_signed(std::string_view digits, bool is_signed, RowValue& value) {
  const std::string_view unsigned_digits =
      is_signed && digits.starts_with('-') ? digits.substr(1) : digits;
  if (unsigned_digits.empty() ||
      unsigned_digits.find_first_not_of("0123456789") != std::string_view::npos) {
    return "not a value of the line protocol";
  }
  std::int64_t number = 0;
  const NumberFault wrong = parse_i64(digits, number);
  value.set_i64(number);
  return wrong == NumberFault::none ? nullptr : describe(wrong);
}

}  // namespace

InfluxParser::InfluxParser(const ParserOptions& options)
    : LineParser(options),
      time_(options.time_unit == TimeUnit::arrival ? TimeUnit::detect : options.time_unit) {}

bool InfluxParser::fault(std::string why) {
  row_.fault = std::move(why);
  return false;
}

/// A string value may hold line ends. A quote opens one where it stands directly after the "=" of
/// a field, as take_fields() reads it; any other quote is a byte like others.
LineParser::Extent InfluxParser::find_row(std::string_view input, bool give_up) const {
  Extent first = LineParser::find_row(input, give_up);
  if (std::memchr(input.data(), '"', first.size) == nullptr) return first;
  Part part = Part::indent;
  Extent row;
  for (std::size_t i = 0; i < input.size(); ++i) {
    const char c = input[i];
    if (c == '\n') {
      if (part != Part::text) {
        row.size = i;
        row.line_end = 1;
        return row;
      }
      if (++row.lines > max_quoted_lines) break;
      continue;
    }
    if (c == '\\' && may_escape(part) && i + 1 < input.size() && input[i + 1] != '\n') ++i;
    part = next_part(part, c);
  }
  if (part == Part::text && (give_up || row.lines > max_quoted_lines)) {
    first.quote_open = true;
    return first;
  }
  row.size = input.size();
  return row;
}

// ---- series ------------------------------------------------------------------------------------

bool InfluxParser::read_series(std::string_view raw, Series& series) {
  std::size_t end = find_unescaped(raw, 0, ",");
  series.measurement = unescape(raw.substr(0, end), ", ");
  if (series.measurement.empty()) return fault("the measurement is missing");
  std::vector<std::pair<std::string, std::string>> tags;
  while (end < raw.size()) {
    const std::size_t start = end + 1;
    end = find_unescaped(raw, start, ",");
    const std::string_view tag = raw.substr(start, end - start);
    const std::size_t equals = find_unescaped(tag, 0, "=");
    std::string key = unescape(tag.substr(0, equals), ",= ");
    if (key.empty()) return fault("a tag has no name");
    if (equals + 1 >= tag.size()) return fault("tag " + quote_text(key) + " has no value");
    tags.emplace_back(std::move(key), unescape(tag.substr(equals + 1), ",= "));
  }
  std::sort(tags.begin(), tags.end());
  append_part(series.name, series.measurement);
  for (std::size_t i = 0; i < tags.size(); ++i) {
    if (i > 0 && tags[i].first == tags[i - 1].first) {
      return fault("tag " + quote_text(tags[i].first) + " is given twice");
    }
    series.name += ',';
    append_part(series.name, tags[i].first);
    series.name += '=';
    append_part(series.name, tags[i].second);
  }
  return true;
}

InfluxParser::Series* InfluxParser::find_series(std::string_view raw) {
  if (series_bytes_ > max_series_bytes) forget_channels();
  if (last_series_ != nullptr && raw == last_raw_) return last_series_;
  auto found = series_.find(raw);
  if (found == series_.end()) {
    Series series;
    if (!read_series(raw, series)) return nullptr;
    series_bytes_ += 3 * raw.size() + sizeof(Series);
    found = series_.emplace(std::string(raw), std::move(series)).first;
  }
  last_series_ = &found->second;
  last_raw_ = raw;
  return last_series_;
}

InfluxParser::Field& InfluxParser::find_field(Series& series, std::size_t expected,
                                              std::string_view raw) {
  std::vector<Field>& fields = series.fields;
  if (expected < fields.size() && fields[expected].raw == raw) return fields[expected];
  const auto found = series.positions.find(raw);
  if (found != series.positions.end()) return fields[found->second];
  series.positions.emplace(raw, fields.size());
  Field& added = fields.emplace_back();
  added.raw = raw;
  added.name = unescape(raw, ",= ");
  series_bytes_ += 3 * raw.size() + 2 * sizeof(Field);
  return added;
}

// ---- fields ------------------------------------------------------------------------------------

const char* InfluxParser::convert(std::string_view token, bool is_text,
                                  std::optional<ValueType> type, RowValue& value) {
  if (is_text) {
    const bool escaped = token.find('\\') != std::string_view::npos;
    value.set_text(escaped ? row_.arena.copy(unescape(token, "\"\\")) : token);
    return type && *type != ValueType::string ? type_fault(*type) : nullptr;
  }
  static constexpr std::string_view truths[] = {"t", "T", "true",  "True",  "TRUE",
                                                "f", "F", "false", "False", "FALSE"};
  const auto* const truth = std::find(std::begin(truths), std::end(truths), token);
  if (truth != std::end(truths)) {
    value.set_bool(*truth == "t" || *truth == "T" || truth->size() == 4);
    return type && *type != ValueType::boolean ? type_fault(*type) : nullptr;
  }
  if (token.ends_with('i') || token.ends_with('u')) {
    const std::string_view digits = token.substr(0, token.size() - 1);
    const char* const wrong = parse_unsigned_or_signed(digits, token.ends_with('i'), value);
    if (wrong != nullptr || !type || *type == ValueType::i64) return wrong;
    return *type == ValueType::f64 ? convert_text(digits, *type, value) : type_fault(*type);
  }
  if (!scan_decimal(token)) return "not a value of the line protocol";
  if (!type) return infer_number_value(token, NumberSyntax::text, value);
  if (*type == ValueType::f64 || *type == ValueType::i64) return convert_text(token, *type, value);
  return type_fault(*type);
}

const char* InfluxParser::take_value(std::string_view token, bool is_text, const Series& series,
                                     Field& field) {
  RowValue value;
  std::optional<ValueType> type;
  if (field.channel != no_channel) {
    type = channels_.type(field.channel);
    const char* const wrong = convert(token, is_text, type, value);
    if (wrong != nullptr) return wrong;
    if (!channels_.take_in_row(field.channel)) return "is given twice";
    value.channel = field.channel;
    row_.values.push_back(value);
    return nullptr;
  }
  if (!row_.allow_name(series.name.size() + 1 + field.name.size())) return "the name is too long";
  const std::string_view name = row_.arena.copy(series.name + "." + field.name);
  field.channel = channels_.find(name);
  if (field.channel != no_channel) return take_value(token, is_text, series, field);
  const Channel* declared = channels_.declared(name);
  if (declared == nullptr) declared = channels_.declared(series.measurement + "." + field.name);
  if (declared == nullptr) declared = channels_.declared(field.name);
  if (declared != nullptr) type = declared->type;
  if (const char* const wrong = convert(token, is_text, type, value)) return wrong;
  row_.added.push_back(
      {row_.values.size(), name,
       declared != nullptr ? std::string_view(declared->unit) : std::string_view()});
  row_.values.push_back(value);
  return nullptr;
}

bool InfluxParser::take_field(Series& series, Field& field, std::string_view text,
                              std::size_t& at) {
  const std::size_t start = at;
  bool is_text = false;
  std::string_view token;
  if (at < text.size() && text[at] == '"') {
    is_text = true;
    at = find_unescaped(text, at + 1, "\"");
    if (at == text.size())
      return fault("field " + quote_text(field.name) + ": a quote is not closed");
    token = text.substr(start + 1, at - start - 1);
    ++at;
    if (at < text.size() && text[at] != ',' && text[at] != ' ') {
      row_.quotes_are_wrong = true;
      return fault("field " + quote_text(field.name) + ": text after a closing quote");
    }
  } else {
    while (at < text.size() && text[at] != ',' && text[at] != ' ') ++at;
    token = text.substr(start, at - start);
    if (token.empty()) return fault("field " + quote_text(field.name) + " has no value");
    if (field.channel != no_channel && channels_.type(field.channel) == ValueType::f64) {
      const auto number = parse_plain_f64<NumberSyntax::text>(text.data() + start);
      if (number.end == token.data() + token.size() && channels_.take_in_row(field.channel)) {
        row_.values.emplace_back(field.channel, number.value);
        return true;
      }
    }
  }
  const char* const wrong = take_value(token, is_text, series, field);
  return wrong == nullptr || fault("field " + quote_text(field.name) + ": " + wrong + ": " +
                                   (is_text ? quote_text(token) : escape(token, 60)));
}

bool InfluxParser::take_fields(Series& series, std::string_view text, std::size_t& at) {
  for (std::size_t index = 0;; ++index) {
    const std::size_t start = at;
    at = find_unescaped(text, at, "=, ");
    const std::string_view raw = text.substr(start, at - start);
    if (raw.empty()) return fault(index == 0 ? "the fields are missing" : "a field has no name");
    if (at == text.size() || text[at] != '=')
      return fault("field " + quote_text(raw) + " has no value");
    ++at;
    if (!take_field(series, find_field(series, index, raw), text, at)) return false;
    if (at == text.size() || text[at] == ' ') return true;
    ++at;  // the comma
  }
}

bool InfluxParser::take_time(std::string_view text) {
  if (options_.time_unit == TimeUnit::arrival) return true;
  if (text.empty()) {
    some_lack_time_ = true;
    return true;
  }
  const char* const wrong = time_.read(text, row_.time_ns);
  if (wrong != nullptr) return fault(std::string("timestamp: ") + wrong + ": " + quote_text(text));
  some_have_time_ = true;
  return true;
}

Result<LineParser::Kind> InfluxParser::take_row(std::string_view row) {
  row = trim_blanks(row);
  if (row.empty() || row.front() == '#') return Kind::nothing;
  std::size_t at = find_unescaped(row, 0, " ");
  Series* const series = find_series(row.substr(0, at));
  if (series == nullptr) return Kind::refused;
  while (at < row.size() && row[at] == ' ') ++at;
  if (!take_fields(*series, row, at)) return Kind::refused;
  return take_time(trim_blanks(row.substr(at))) ? Kind::values : Kind::refused;
}

void InfluxParser::forget_channels() {
  series_.clear();
  series_bytes_ = 0;
  last_series_ = nullptr;
}

std::string InfluxParser::time_note() const {
  if (options_.time_unit == TimeUnit::arrival) return "arrival";
  if (!some_have_time_) return some_lack_time_ ? "arrival" : "";
  return "timestamp of the line, " + time_.note() + (some_lack_time_ ? ", else arrival" : "");
}

void InfluxParser::save_state(Bytes& out) const {
  append_le(out, static_cast<std::uint8_t>(some_have_time_ ? 1 : 0));
  append_le(out, static_cast<std::uint8_t>(some_lack_time_ ? 1 : 0));
  time_.save(out);
}

bool InfluxParser::restore_state(ByteCursor& in) {
  some_have_time_ = in.read_le<std::uint8_t>() == 1;
  some_lack_time_ = in.read_le<std::uint8_t>() == 1;
  return time_.restore(in);
}

}  // namespace twinchain::record
