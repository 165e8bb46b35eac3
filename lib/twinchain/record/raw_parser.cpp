#include "twinchain/record/raw_parser.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "twinchain/base/text.hpp"
#include "twinchain/record/row_parser_lines.hpp"

namespace twinchain::record {
namespace {

double load_f64(const std::uint8_t* at) {
  return std::bit_cast<double>(load_le<std::uint64_t>(at));
}

}  // namespace

RawParser::RawParser(const ParserOptions& options)
    : options_(options),
      row_size_(8 * options.column_names.size()),
      time_(options.time_unit == TimeUnit::arrival ? TimeUnit::detect : options.time_unit) {
  if (options.time_unit == TimeUnit::arrival) return;
  std::size_t best = no_column;
  for (std::size_t i = 0; i < options.column_names.size(); ++i) {
    const std::string& name = options.column_names[i];
    if (!options.time_field.empty()) {
      if (name == options.time_field) time_column_ = i;
      continue;
    }
    const auto rank = time_name_rank(name);
    if (rank && *rank < best) {
      best = *rank;
      time_column_ = i;
    }
  }
}

bool RawParser::lacks_time_column() const {
  const bool wanted = !options_.time_field.empty() || options_.time_unit != TimeUnit::detect;
  return options_.time_unit != TimeUnit::arrival && wanted && time_column_ == no_column;
}

Status RawParser::use_builder(WindowBuilder& builder) {
  columns_.clear();
  // Rows of a time alone have nothing to be taken in blocks.
  all_in_order_ = options_.column_names.size() > (time_column_ == no_column ? 0 : 1);
  for (std::size_t i = 0; i < options_.column_names.size(); ++i) {
    if (i == time_column_) continue;
    const std::string& name = options_.column_names[i];
    ValueType type = ValueType::f64;
    std::string unit;
    if (options_.declared) {
      const auto& channels = options_.declared->channels;
      const auto found = std::find_if(channels.begin(), channels.end(),
                                      [&name](const Channel& c) { return c.name == name; });
      if (found != channels.end()) {
        type = found->type;
        unit = found->unit;
      }
    }
    const auto channel = builder.channel(name, type, unit);
    if (!channel) return std::unexpected(channel.error());
    type = builder.schema().channels[*channel].type;
    if (type != ValueType::f64 && type != ValueType::i64) {
      return fail(ExitCode::malformed, "column " + quote_text(name) + " is declared as " +
                                           value_type_name(type) + ", but raw rows hold numbers");
    }
    if (type != ValueType::f64 || *channel != columns_.size()) all_in_order_ = false;
    columns_.push_back({*channel, type});
  }
  builder_ = &builder;
  return {};
}

std::size_t RawParser::rows_that_fit(const WindowBuilder& builder,
                                     const ParseControl& control) const {
  if (control.max_raw_bytes == 0) return batch_rows;
  const std::uint64_t held = builder.raw_size_bytes();
  if (held >= control.max_raw_bytes) return 0;
  const std::uint64_t row_bytes = 8 * (std::uint64_t{columns_.size()} + 1);
  const std::uint64_t rows = (control.max_raw_bytes - held + row_bytes - 1) / row_bytes;
  return static_cast<std::size_t>(std::min<std::uint64_t>(rows, batch_rows));
}

std::size_t RawParser::read_times(ByteView rows, std::size_t count, const ParseControl& control,
                                  const char*& fault, std::optional<std::int64_t>& limited_by) {
  times_.clear();
  for (std::size_t i = 0; i < count; ++i) {
    std::int64_t time_ns = control.arrival_ns;
    if (time_column_ != no_column) {
      fault = time_.read(load_f64(rows.data() + i * row_size_ + 8 * time_column_), time_ns);
      if (fault != nullptr) return i;
    }
    if (control.event_limit_ns && time_ns >= *control.event_limit_ns) {
      limited_by = time_ns;
      return i;
    }
    times_.push_back(time_ns);
  }
  return count;
}

void RawParser::put_rows(ByteView rows, std::size_t count, WindowBuilder& builder) {
  const auto columns = static_cast<std::uint32_t>(columns_.size());
  if (time_column_ == no_column) {
    builder.append_f64_rows(rows.first(count * row_size_), columns, times_);
    return;
  }
  const std::size_t before = 8 * time_column_;
  const std::size_t after = row_size_ - before - 8;
  compact_.resize(count * (row_size_ - 8));
  std::uint8_t* to = compact_.data();
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint8_t* const from = rows.data() + i * row_size_;
    if (before > 0) std::memcpy(to, from, before);
    if (after > 0) std::memcpy(to + before, from + before + 8, after);
    to += before + after;
  }
  builder.append_f64_rows(compact_, columns, times_);
}

bool RawParser::put_row(ByteView row, std::int64_t time_ns, WindowBuilder& builder,
                        std::string& fault) {
  builder.begin_row(time_ns);
  std::size_t column = 0;
  for (std::size_t i = 0; i < options_.column_names.size(); ++i) {
    if (i == time_column_) continue;
    const Column& to = columns_[column++];
    const double value = load_f64(row.data() + 8 * i);
    if (to.type == ValueType::f64) {
      builder.put_f64(to.channel, value);
    } else if (value >= -9223372036854775808.0 && value < 9223372036854775808.0 &&
               std::trunc(value) == value) {
      builder.put_i64(to.channel, static_cast<std::int64_t>(value));
    } else {
      builder.cancel_row();
      fault = "column " + decimal(std::uint64_t{i} + 1) + " " +
              quote_text(options_.column_names[i]) +
              ": not a whole number in the range of i64: " + shortest(value);
      return false;
    }
  }
  builder.end_row();
  return true;
}

Status RawParser::reject(ByteView row, std::string why, WindowBuilder& builder,
                         const ParseControl& control) {
  if (control.strict) {
    return fail(ExitCode::malformed,
                "row " + decimal(row_number_) + " at byte " + decimal(offset_) + ": " + why);
  }
  builder.reject({.line = row_number_,
                  .arrival_ns = control.arrival_ns,
                  .reason = std::move(why),
                  .text = std::string(as_text(row))});
  return {};
}

Result<ParseOutcome> RawParser::parse(ByteView input, bool at_end, WindowBuilder& builder,
                                      const ParseControl& control) {
  if (builder_ != &builder || builder.schema().channels.size() < columns_.size()) {
    TWINCHAIN_TRY(use_builder(builder));
  }
  ParseOutcome outcome;
  const auto advance = [&](std::size_t rows, std::size_t bytes) {
    outcome.consumed += bytes;
    offset_ += bytes;
    row_number_ += rows;
  };
  while (input.size() - outcome.consumed >= row_size_) {
    const ByteView rest = input.subspan(outcome.consumed);
    const std::size_t room = rows_that_fit(builder, control);
    if (room == 0) {
      outcome.stopped_by_size = true;
      return outcome;
    }
    const std::size_t wanted = std::min(room, rest.size() / row_size_);
    const char* fault = nullptr;
    const std::size_t count = read_times(rest, wanted, control, fault, outcome.next_event_ns);
    if (all_in_order_) {
      if (count > 0) put_rows(rest, count, builder);
      outcome.rows += count;
      advance(count, count * row_size_);
    } else {
      for (std::size_t i = 0; i < count; ++i) {
        const ByteView row = rest.subspan(i * row_size_, row_size_);
        std::string why;
        if (put_row(row, times_[i], builder, why)) {
          ++outcome.rows;
        } else {
          TWINCHAIN_TRY(reject(row, std::move(why), builder, control));
        }
        advance(1, row_size_);
      }
    }
    if (fault != nullptr) {
      const ByteView row = rest.subspan(count * row_size_, row_size_);
      const std::string column = quote_text(options_.column_names[time_column_]);
      const double value = load_f64(row.data() + 8 * time_column_);
      TWINCHAIN_TRY(reject(row,
                           "column " + decimal(std::uint64_t{time_column_} + 1) + " " + column +
                               ": " + fault + ": " + shortest(value),
                           builder, control));
      advance(1, row_size_);
    }
    if (outcome.next_event_ns) return outcome;
  }
  const ByteView rest = input.subspan(outcome.consumed);
  if (at_end && !rest.empty()) {
    TWINCHAIN_TRY(reject(rest,
                         "the last row has " + counted(rest.size(), "byte") + " instead of " +
                             decimal(std::uint64_t{row_size_}),
                         builder, control));
    advance(1, rest.size());
  }
  return outcome;
}

std::string RawParser::time_note() const {
  if (time_column_ == no_column) return "arrival";
  std::string note = time_.note();
  if (note.empty()) return note;
  return "column " + quote_text(options_.column_names[time_column_]) + ", " + note;
}

Bytes RawParser::save() const {
  Bytes content;
  append_le(content, row_number_);
  append_le(content, offset_);
  time_.save(content);
  return seal_state(options_.format, content);
}

Status RawParser::restore(ByteView saved) {
  const auto content = open_state(options_.format, saved);
  if (!content) return wrong_state();
  ByteCursor in(*content);
  const auto row_number = in.read_le<std::uint64_t>();
  const auto offset = in.read_le<std::uint64_t>();
  if (!in.ok() || !time_.restore(in) || !in.at_end()) return wrong_state();
  row_number_ = row_number;
  offset_ = offset;
  return {};
}

}  // namespace twinchain::record
