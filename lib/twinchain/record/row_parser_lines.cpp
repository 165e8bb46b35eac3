#include "twinchain/record/row_parser_lines.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <unordered_set>

#include "twinchain/base/crc32c.hpp"
#include "twinchain/base/text.hpp"

namespace twinchain::record {
namespace {

constexpr std::string_view state_magic = "twinrow1";

}  // namespace

void append_text(Bytes& out, std::string_view text) {
  append_le(out, static_cast<std::uint32_t>(text.size()));
  append(out, text);
}

std::string read_text(ByteCursor& in) {
  const auto size = in.read_le<std::uint32_t>();
  return std::string(as_text(in.read_view(size)));
}

Bytes seal_state(RowFormat format, ByteView content) {
  Bytes out;
  append(out, state_magic);
  append_le(out, static_cast<std::uint8_t>(format));
  append(out, content);
  append_le(out, crc32c(out));
  return out;
}

std::optional<ByteView> open_state(RowFormat format, ByteView saved) {
  const std::size_t head = state_magic.size() + 1;
  if (saved.size() < head + 4) return std::nullopt;
  const ByteView sealed = saved.first(saved.size() - 4);
  if (load_le<std::uint32_t>(saved.data() + sealed.size()) != crc32c(sealed) ||
      as_text(sealed.first(state_magic.size())) != state_magic ||
      sealed[state_magic.size()] != static_cast<std::uint8_t>(format)) {
    return std::nullopt;
  }
  return sealed.subspan(head);
}

Status wrong_state() {
  return fail(ExitCode::malformed, "the saved state of the parser does not fit its options");
}

LineParser::LineParser(const ParserOptions& options)
    : options_(options), channels_(options.declared) {}

LineParser::Extent LineParser::find_row(std::string_view input, bool /*give_up*/) const {
  const void* const found = std::memchr(input.data(), '\n', input.size());
  if (found == nullptr) return {.size = input.size()};
  return {.size = static_cast<std::size_t>(static_cast<const char*>(found) - input.data()),
          .line_end = 1};
}

LineParser::Kind LineParser::refuse(std::string fault) {
  row_.fault = std::move(fault);
  return Kind::refused;
}

std::string LineParser::place() const {
  return "line " + decimal(line_) + " at byte " + decimal(offset_);
}

void LineParser::advance(ParseOutcome& outcome, std::size_t consumed, std::uint64_t lines) {
  outcome.consumed += consumed;
  offset_ += consumed;
  line_ += lines;
}

Status LineParser::reject(std::string_view text, const char* why, WindowBuilder& builder,
                          const ParseControl& control) {
  std::string reason = why != nullptr ? std::string(why) : std::move(row_.fault);
  // Without its header no row after it could be understood.
  if (at_header()) return fail(ExitCode::malformed, place() + ": header: " + reason);
  if (control.strict) return fail(ExitCode::malformed, place() + ": " + reason);
  builder.reject({.line = line_,
                  .arrival_ns = control.arrival_ns,
                  .reason = std::move(reason),
                  .text = std::string(text)});
  return {};
}

Status LineParser::cut_long_row(std::string_view rest, const Extent& extent, ParseOutcome& outcome,
                                WindowBuilder& builder, const ParseControl& control) {
  const std::size_t size = std::min(extent.size, options_.max_row_bytes);
  const bool ends_here = size == extent.size && extent.line_end > 0;
  if (size > 0) {
    std::string why =
        "row is longer than " + decimal(std::uint64_t{options_.max_row_bytes}) + " bytes";
    if (cutting_) why += " (continued)";
    TWINCHAIN_TRY(reject(rest.substr(0, size), why.c_str(), builder, control));
  }
  cutting_ = !ends_here;
  advance(outcome, size + (ends_here ? extent.line_end : 0), ends_here ? 1 : 0);
  return {};
}

Status LineParser::refuse_line(std::string_view rest, const Extent& line, ParseOutcome& outcome,
                               WindowBuilder& builder, const ParseControl& control) {
  std::string_view text = rest.substr(0, line.size);
  if (text.ends_with('\r')) text.remove_suffix(1);
  TWINCHAIN_TRY(reject(text, "a quote is not closed", builder, control));
  advance(outcome, line.size + line.line_end, 1);
  return {};
}

/// Before any of the new channels is made, so that a row that is refused leaves none behind.
bool LineParser::check_added() {
  if (row_.added.size() < 2) return true;
  std::unordered_set<std::string_view> names;
  names.reserve(row_.added.size());
  for (const RowValues::Added& added : row_.added) {
    if (names.insert(added.name).second) continue;
    row_.fault = quote_text(added.name) + " is given twice";
    return false;
  }
  return true;
}

bool LineParser::add_channels() {
  if (!check_added()) return false;
  for (const RowValues::Added& added : row_.added) {
    RowValue& value = row_.values[added.value];
    value.channel = channels_.find(added.name);
    if (value.channel == no_channel) {
      const auto channel = channels_.add(added.name, value.type, added.unit);
      if (!channel) {
        row_.fault = channel.error().message;
        return false;
      }
      value.channel = *channel;
    }
    if (!channels_.take_in_row(value.channel)) {
      row_.fault = quote_text(added.name) + " is given twice";
      return false;
    }
  }
  return true;
}

bool LineParser::put_row(WindowBuilder& builder) {
  if (!row_.added.empty() && !add_channels()) return false;
  builder.begin_row(row_.time_ns);
  for (const RowValue& value : row_.values) {
    switch (value.type) {
      case ValueType::f64:
        builder.put_f64(value.channel, value.f64());
        break;
      case ValueType::i64:
        builder.put_i64(value.channel, value.i64());
        break;
      case ValueType::boolean:
        builder.put_bool(value.channel, value.i64() != 0);
        break;
      case ValueType::string:
        builder.put_string(value.channel, value.text());
        break;
    }
  }
  builder.end_row();
  return true;
}

std::string_view LineParser::pad(std::string_view row, std::string_view rest) {
  if (rest.size() - row.size() >= row_padding) return row;
  padded_.assign(row);
  padded_.append(row_padding, '\0');
  return std::string_view(padded_).substr(0, row.size());
}

void LineParser::put_block(WindowBuilder& builder) {
  if (block_times_.empty()) return;
  if constexpr (std::endian::native == std::endian::big) {
    for (double& value : block_) {
      const auto bits = std::bit_cast<std::uint64_t>(value);
      store_le(reinterpret_cast<std::uint8_t*>(&value), bits);
    }
  }
  const std::size_t size = 8 * block_columns_ * block_times_.size();
  builder.append_f64_rows({reinterpret_cast<const std::uint8_t*>(block_.data()), size},
                          block_columns_, block_times_);
  block_times_.clear();
}

bool LineParser::is_full(const WindowBuilder& builder, const ParseControl& control) const {
  if (control.max_raw_bytes == 0) return false;
  const std::uint64_t in_block = 8 * (std::uint64_t{block_columns_} + 1) * block_times_.size();
  return builder.raw_size_bytes() + in_block >= control.max_raw_bytes;
}

std::optional<bool> LineParser::take_dense(std::string_view rest, const Extent& extent,
                                           ParseOutcome& outcome, WindowBuilder& builder,
                                           const ParseControl& control) {
  if (block_columns_ != dense_columns_ ||
      (block_times_.size() + 1) * block_columns_ > block_.size()) {
    put_block(builder);
    block_columns_ = dense_columns_;
    block_.resize(std::max<std::size_t>(max_block_values, block_columns_));
  }
  std::string_view row = rest.substr(0, extent.size);
  if (row.ends_with('\r')) row.remove_suffix(1);
  std::int64_t time_ns = control.arrival_ns;
  double* const values = block_.data() + block_times_.size() * block_columns_;
  if (!take_dense_row(pad(row, rest), values, time_ns)) return std::nullopt;
  if (control.event_limit_ns && time_ns >= *control.event_limit_ns) {
    outcome.next_event_ns = time_ns;
    return false;
  }
  block_times_.push_back(time_ns);
  ++outcome.rows;
  advance(outcome, extent.size + extent.line_end, extent.lines);
  return true;
}

Result<bool> LineParser::take(std::string_view rest, const Extent& extent, ParseOutcome& outcome,
                              WindowBuilder& builder, const ParseControl& control) {
  if (dense_columns_ > 0) {
    const auto taken = take_dense(rest, extent, outcome, builder, control);
    if (taken) return *taken;
  }
  std::string_view text = rest.substr(0, extent.size);
  if (text.ends_with('\r')) text.remove_suffix(1);
  row_.clear();
  row_.time_ns = control.arrival_ns;
  channels_.begin_row();
  auto kind = take_row(pad(text, rest));
  if (!kind) return pass(kind);
  if (*kind == Kind::values) {
    if (control.event_limit_ns && row_.time_ns >= *control.event_limit_ns) {
      outcome.next_event_ns = row_.time_ns;
      return false;
    }
    put_block(builder);
    if (put_row(builder)) {
      ++outcome.rows;
    } else {
      *kind = Kind::refused;
    }
  }
  if (*kind == Kind::refused && row_.quotes_are_wrong && extent.lines > 1) {
    // A quote that was forgotten pairs with one of a later row: give that row a chance.
    TWINCHAIN_TRY(refuse_line(rest, LineParser::find_row(rest, false), outcome, builder, control));
    return true;
  }
  if (*kind == Kind::refused) TWINCHAIN_TRY(reject(text, nullptr, builder, control));
  advance(outcome, extent.size + extent.line_end, extent.lines);
  return true;
}

Result<ParseOutcome> LineParser::parse(ByteView input, bool at_end, WindowBuilder& builder,
                                       const ParseControl& control) {
  if (channels_.attach(builder)) {
    dense_columns_ = 0;
    forget_channels();
  }
  ParseOutcome outcome;
  const Status parsed = parse_rows(as_text(input), at_end, outcome, builder, control);
  put_block(builder);
  if (!parsed) return std::unexpected(parsed.error());
  return outcome;
}

Status LineParser::parse_rows(std::string_view text, bool at_end, ParseOutcome& outcome,
                              WindowBuilder& builder, const ParseControl& control) {
  while (outcome.consumed < text.size()) {
    if (is_full(builder, control)) {
      outcome.stopped_by_size = true;
      break;
    }
    const std::string_view rest = text.substr(outcome.consumed);
    // The longest row, its line end and one byte more: enough to know that a row is too long.
    const std::string_view window = rest.substr(0, options_.max_row_bytes + 3);
    const bool full = window.size() > options_.max_row_bytes;
    const auto too_long = [this, window](const Extent& row) {
      const bool ends_in_return = row.size > 0 && window[row.size - 1] == '\r';
      return row.size > options_.max_row_bytes + (ends_in_return ? 1 : 0);
    };
    Extent extent =
        cutting_ ? LineParser::find_row(window, false) : find_row(window, full || at_end);
    if (!cutting_ && extent.lines > 1 && too_long(extent)) {
      // Which of its lines are rows nobody knows: refuse the first, as when the quote stays open.
      extent = LineParser::find_row(window, false);
      extent.quote_open = true;
    }
    if (cutting_ || too_long(extent)) {
      if (extent.line_end == 0 && !full && !at_end) break;
      TWINCHAIN_TRY(cut_long_row(rest, extent, outcome, builder, control));
      continue;
    }
    if (extent.line_end == 0 && !at_end) break;
    if (extent.quote_open) {
      TWINCHAIN_TRY(refuse_line(rest, extent, outcome, builder, control));
      continue;
    }
    const auto taken = take(rest, extent, outcome, builder, control);
    if (!taken) return std::unexpected(taken.error());
    if (!*taken) break;
  }
  return {};
}

Bytes LineParser::save() const {
  Bytes content;
  append_le(content, static_cast<std::uint8_t>(cutting_ ? 1 : 0));
  append_le(content, line_);
  append_le(content, offset_);
  save_state(content);
  return seal_state(options_.format, content);
}

Status LineParser::restore(ByteView saved) {
  const auto content = open_state(options_.format, saved);
  if (!content) return wrong_state();
  ByteCursor in(*content);
  const auto cutting = in.read_le<std::uint8_t>();
  const auto line = in.read_le<std::uint64_t>();
  const auto offset = in.read_le<std::uint64_t>();
  if (!in.ok() || cutting > 1 || !restore_state(in) || !in.at_end()) return wrong_state();
  cutting_ = cutting == 1;
  line_ = line;
  offset_ = offset;
  return {};
}

}  // namespace twinchain::record
