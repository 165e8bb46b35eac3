#include "twinchain/record/csv_parser.hpp"

#include <algorithm>
#include <cstring>
#include <unordered_map>

#include "twinchain/base/text.hpp"

namespace twinchain::record {
namespace {

constexpr std::string_view utf8_mark = "\xef\xbb\xbf";
constexpr const char* stray_quote = "a quote inside of a field that is not quoted";
constexpr const char* open_quote = "a quote is not closed";
constexpr const char* after_quote = "text after a closing quote";

std::string column_place(std::size_t index, std::string_view name) {
  return "column " + decimal(std::uint64_t{index} + 1) + " " + quote_text(name) + ": ";
}

TimeUnit reader_unit(TimeUnit unit) {
  return unit == TimeUnit::arrival ? TimeUnit::detect : unit;
}

}  // namespace

CsvParser::CsvParser(const ParserOptions& options)
    : LineParser(options),
      time_(reader_unit(options.time_unit)),
      blank_separated_(options.csv_separator == ' ') {}

// ---- finding rows and cells --------------------------------------------------------------------

LineParser::Extent CsvParser::find_row(std::string_view input, bool give_up) const {
  Extent first = LineParser::find_row(input, give_up);
  if (std::memchr(input.data(), '"', first.size) == nullptr) return first;
  Extent row;
  bool in_quotes = false;
  bool at_field_start = true;
  const bool has_mark = at_first_byte() && input.starts_with(utf8_mark);
  for (std::size_t i = has_mark ? utf8_mark.size() : 0; i < input.size(); ++i) {
    const char c = input[i];
    if (in_quotes) {
      if (c == '"') {
        if (i + 1 < input.size() && input[i + 1] == '"') {
          ++i;
        } else {
          in_quotes = false;
        }
      } else if (c == '\n' && ++row.lines > max_quoted_lines) {
        break;
      }
    } else if (c == '"' && at_field_start) {
      in_quotes = true;
    } else if (c == '\n') {
      row.size = i;
      row.line_end = 1;
      return row;
    }
    at_field_start = !in_quotes && c == options_.csv_separator;
  }
  if (in_quotes && (give_up || row.lines > max_quoted_lines)) {
    first.quote_open = true;
    return first;
  }
  row.size = input.size();
  return row;
}

std::string_view CsvParser::trim_row(std::string_view row) const {
  if (!blank_separated_) return row;
  while (row.starts_with(' ')) row.remove_prefix(1);
  while (row.ends_with(' ')) row.remove_suffix(1);
  return row;
}

const char* CsvParser::skip_separator(const char* at) const {
  ++at;
  // Runs of blanks separate, as in awk; the row was trimmed, so that something follows.
  if (blank_separated_) {
    while (*at == ' ') ++at;
  }
  return at;
}

const char* CsvParser::read_quoted_cell(const char*& at, const char* end, Cell& cell) {
  const char* const start = at + 1;
  const char* scan = start;
  bool doubled = false;
  while (true) {
    const auto left = static_cast<std::size_t>(end - scan);
    const auto* quote = static_cast<const char*>(std::memchr(scan, '"', left));
    if (quote == nullptr) return open_quote;
    scan = quote + 1;
    if (scan == end || *scan != '"') break;
    doubled = true;
    ++scan;
  }
  if (scan != end && *scan != options_.csv_separator) return after_quote;
  cell.quoted = true;
  cell.text = std::string_view(start, static_cast<std::size_t>(scan - 1 - start));
  at = scan;
  if (!doubled) return nullptr;
  char* const out = row_.arena.allocate(cell.text.size());
  std::size_t size = 0;
  for (std::size_t i = 0; i < cell.text.size(); ++i) {
    if (cell.text[i] == '"') ++i;  // the second of a pair
    out[size++] = cell.text[i];
  }
  cell.text = std::string_view(out, size);
  return nullptr;
}

const char* CsvParser::read_cell(const char*& at, const char* end, Cell& cell) {
  cell = {};
  if (at != end && *at == '"') return read_quoted_cell(at, end, cell);
  const auto left = static_cast<std::size_t>(end - at);
  const void* const separator = left == 0 ? nullptr : std::memchr(at, options_.csv_separator, left);
  const char* const stop = separator == nullptr ? end : static_cast<const char*>(separator);
  cell.text = std::string_view(at, static_cast<std::size_t>(stop - at));
  at = stop;
  return cell.text.find('"') == std::string_view::npos ? nullptr : stray_quote;
}

std::optional<std::size_t> CsvParser::count_fields(std::string_view row) {
  const char* at = row.data();
  const char* const end = at + row.size();
  for (std::size_t count = 1;; ++count) {
    Cell cell;
    if (read_cell(at, end, cell) != nullptr) return std::nullopt;
    if (at == end) return count;
    at = skip_separator(at);
  }
}

// ---- the header line ---------------------------------------------------------------------------

Result<LineParser::Kind> CsvParser::take_header(std::string_view row) {
  const auto fault = [this](std::string text) {
    return fail(ExitCode::malformed, place() + ": header: " + std::move(text));
  };
  if (row.starts_with("\xff\xfe") || row.starts_with("\xfe\xff")) {
    return fault("the input is UTF-16, not UTF-8");
  }
  std::vector<std::string> names;
  bool all_numbers = true;
  const char* at = row.data();
  const char* const end = at + row.size();
  while (true) {
    Cell cell;
    if (const char* wrong = read_cell(at, end, cell)) {
      return fault("column " + decimal(std::uint64_t{names.size()} + 1) + ": " + wrong);
    }
    const std::string_view name = cell.quoted ? cell.text : trim_blanks(cell.text);
    double number = 0;
    all_numbers = all_numbers && parse_f64(name, number) == NumberFault::none;
    names.emplace_back(name);
    if (names.back().empty()) names.back() = "column_" + decimal(std::uint64_t{names.size()});
    if (at == end) break;
    at = skip_separator(at);
  }
  if (!options_.column_names.empty()) {
    if (options_.column_names.size() != names.size()) {
      return fault("it has " + decimal(std::uint64_t{names.size()}) + " columns, but " +
                   decimal(std::uint64_t{options_.column_names.size()}) + " names are given");
    }
    names = options_.column_names;
  } else if (all_numbers) {
    return std::unexpected(
        Error{ExitCode::malformed, place() + ": header: the first line holds numbers, not names",
              "if the input has no header line, say so and give the names of the columns"});
  }
  if (auto used = use_names(std::move(names)); !used) return fault(used.error().message);
  return Kind::nothing;
}

Status CsvParser::use_names(std::vector<std::string> names) {
  if (names.size() > max_channels) return fail(ExitCode::malformed, "too many columns");
  columns_.clear();
  std::unordered_map<std::string_view, std::size_t> seen;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto [other, is_new] = seen.emplace(names[i], i);
    if (!is_new) {
      return fail(ExitCode::malformed, "columns " + decimal(std::uint64_t{other->second} + 1) +
                                           " and " + decimal(std::uint64_t{i} + 1) +
                                           " have the same name " + quote_text(names[i]));
    }
  }
  for (std::string& name : names) columns_.emplace_back().name = std::move(name);
  return find_time_column();
}

Status CsvParser::find_time_column() {
  time_column_ = no_column;
  if (options_.time_unit == TimeUnit::arrival) return {};
  if (!options_.time_field.empty()) {
    const auto found = std::find_if(columns_.begin(), columns_.end(), [this](const Column& column) {
      return column.name == options_.time_field;
    });
    if (found == columns_.end()) {
      columns_.clear();
      return fail(ExitCode::malformed, "no column is named " + quote_text(options_.time_field));
    }
    time_column_ = static_cast<std::size_t>(found - columns_.begin());
    return {};
  }
  std::size_t best = no_column;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    const auto rank = time_name_rank(columns_[i].name);
    if (rank && *rank < best) {
      best = *rank;
      time_column_ = i;
    }
  }
  if (time_column_ == no_column && options_.time_unit != TimeUnit::detect) {
    columns_.clear();
    return fail(ExitCode::malformed, "no column has a name that says time");
  }
  return {};
}

// ---- rows --------------------------------------------------------------------------------------

const char* CsvParser::take_value(Column& column, const Cell& cell) {
  RowValue value;
  const char* fault = nullptr;
  if (column.channel == no_channel) {
    column.channel = channels_.find(column.name);
    if (column.channel != no_channel) {
      column.type = channels_.type(column.channel);
      column.is_f64 = column.type == ValueType::f64;
    }
  }
  const Channel* const declared =
      column.channel == no_channel ? channels_.declared(column.name) : nullptr;
  const bool typed = column.channel != no_channel || declared != nullptr;
  const ValueType type = declared != nullptr ? declared->type : column.type;
  // Nothing between two separators is no value. In quotes it is an empty text, where text is
  // what the column holds.
  const bool is_string = typed && type == ValueType::string;
  if (trim_blanks(cell.text).empty() && !(cell.quoted && is_string)) return nullptr;
  fault = typed ? convert_text(cell.text, type, value) : infer_text(cell.text, value);
  if (fault != nullptr) return fault;
  value.channel = column.channel;
  if (column.channel == no_channel) {
    if (!row_.allow_name(column.name.size())) return "the name is too long";
    row_.added.push_back(
        {row_.values.size(), column.name,
         declared != nullptr ? std::string_view(declared->unit) : std::string_view()});
  }
  row_.values.push_back(value);
  return nullptr;
}

const char* CsvParser::take_time(const Cell& cell) {
  const std::string_view text = trim_blanks(cell.text);
  return text.empty() ? "the time is missing" : time_.read(text, row_.time_ns);
}

bool CsvParser::take_cell(std::size_t index, const char*& at, const char* end) {
  Cell cell;
  Column& column = columns_[index];
  const char* fault = read_cell(at, end, cell);
  if (fault != nullptr) {
    row_.fault = column_place(index, column.name) + fault;
    row_.quotes_are_wrong = true;
    return false;
  }
  fault = index == time_column_ ? take_time(cell) : take_value(column, cell);
  if (fault == nullptr) return true;
  row_.fault = column_place(index, column.name) + fault;
  if (!cell.text.empty()) row_.fault += ": " + quote_text(cell.text);
  return false;
}

LineParser::Kind CsvParser::refuse_row(std::string_view row) {
  // Cells that shifted by a column fail in many ways; their number says it best.
  const auto count = count_fields(row);
  if (count && *count != columns_.size()) {
    row_.fault =
        counted(*count, "field") + " instead of " + decimal(std::uint64_t{columns_.size()});
  } else if (row_.fault.empty()) {
    // A field too many, whose quotes are wrong.
    row_.fault = "more than " + counted(columns_.size(), "field");
    row_.quotes_are_wrong = true;
  }
  return Kind::refused;
}

Result<LineParser::Kind> CsvParser::take_row(std::string_view row) {
  if (at_first_byte() && row.starts_with(utf8_mark)) row.remove_prefix(utf8_mark.size());
  row = trim_row(row);
  if (row.empty()) return Kind::nothing;
  if (columns_.empty()) {
    if (!options_.csv_without_header) return take_header(row);
    if (auto used = use_names(options_.column_names); !used) return pass(used);
  }
  const char* at = row.data();
  const char* const end = at + row.size();
  const char separator = options_.csv_separator;
  const std::size_t count = columns_.size();
  for (std::size_t i = 0; i < count; ++i) {
    const Column& column = columns_[i];
    number_detail::PlainNumber number{nullptr, 0};
    if (column.is_f64) number = parse_plain_f64<NumberSyntax::text>(at);
    if (number.end != nullptr && (number.end == end || *number.end == separator)) {
      row_.values.emplace_back(column.channel, number.value);
      at = number.end;
    } else if (!take_cell(i, at, end)) {
      return refuse_row(row);
    }
    if (at == end) {
      if (i + 1 < count) break;
      if (dense_columns_ == 0) find_dense_columns();
      return Kind::values;
    }
    at = skip_separator(at);
  }
  return refuse_row(row);
}

void CsvParser::find_dense_columns() {
  const std::size_t count = columns_.size() - (time_column_ == no_column ? 0 : 1);
  if (blank_separated_ || count == 0) return;
  dense_channels_.clear();
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    const Column& column = columns_[i];
    const bool is_time = i == time_column_;
    if (!is_time && (!column.is_f64 || column.channel >= count)) return;
    dense_channels_.push_back(is_time ? no_channel : column.channel);
  }
  dense_columns_ = static_cast<std::uint32_t>(count);
}

bool CsvParser::take_dense_row(std::string_view row, double* values, std::int64_t& time_ns) {
  const char* at = row.data();
  const char* const end = at + row.size();
  const char separator = options_.csv_separator;
  const std::uint32_t* const last = dense_channels_.data() + dense_channels_.size() - 1;
  for (const std::uint32_t* channel = dense_channels_.data();; ++channel) {
    const char* stop = channel == last ? end : at + find_within_16(at, separator);
    number_detail::PlainNumber number{nullptr, 0};
    if (*channel != no_channel) [[likely]]
      number = parse_plain_f64<NumberSyntax::text>(at);
    if (number.end == stop && (channel == last || *stop == separator)) [[likely]] {
      values[*channel] = number.value;
    } else {
      stop = take_dense_cell(at, end, *channel, values, time_ns);
      if (stop == nullptr || (stop == end) != (channel == last)) return false;
    }
    if (channel == last) return true;
    at = stop + 1;
  }
}

/// The time, or a number that is not plain. The end of the cell, or nullptr.
const char* CsvParser::take_dense_cell(const char* at, const char* end, std::uint32_t channel,
                                       double* values, std::int64_t& time_ns) {
  const auto left = static_cast<std::size_t>(end - at);
  const void* const separator = left == 0 ? nullptr : std::memchr(at, options_.csv_separator, left);
  const char* const stop = separator == nullptr ? end : static_cast<const char*>(separator);
  const std::string_view text =
      trim_blanks(std::string_view(at, static_cast<std::size_t>(stop - at)));
  const bool fits = channel == no_channel ? time_.read(text, time_ns) == nullptr
                                          : parse_f64(text, values[channel]) == NumberFault::none;
  return fits ? stop : nullptr;
}

void CsvParser::forget_channels() {
  for (Column& column : columns_) {
    column.channel = no_channel;
    column.is_f64 = false;
  }
}

// ---- notes and state ---------------------------------------------------------------------------

std::string CsvParser::time_note() const {
  if (options_.time_unit == TimeUnit::arrival) return "arrival";
  if (columns_.empty()) return {};
  if (time_column_ == no_column) return "arrival";
  const std::string note = time_.note();
  return note.empty() ? note : "column " + quote_text(columns_[time_column_].name) + ", " + note;
}

void CsvParser::save_state(Bytes& out) const {
  append_le(out, static_cast<std::uint32_t>(columns_.size()));
  for (const Column& column : columns_) append_text(out, column.name);
  time_.save(out);
}

bool CsvParser::restore_state(ByteCursor& in) {
  const auto count = in.read_le<std::uint32_t>();
  if (count > in.remaining() / 4) return false;
  std::vector<std::string> names;
  names.reserve(count);
  for (std::uint32_t i = 0; i < count; ++i) names.push_back(read_text(in));
  if (!time_.restore(in)) return false;
  return names.empty() || use_names(std::move(names)).has_value();
}

}  // namespace twinchain::record
