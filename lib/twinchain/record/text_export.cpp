#include "twinchain/record/text_export.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "twinchain/base/json_writer.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/record/row_walk.hpp"

namespace twinchain::record {
namespace {

template <class T>
void append_number(std::string& out, T value) {
  std::array<char, 40> buffer{};
  const auto result = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  out.append(buffer.data(), result.ptr);
}

void append_csv_text(std::string& out, std::string_view text) {
  // An empty text is quoted, so that it is told from no value.
  const bool plain = !text.empty() && text.find_first_of(",\"\r\n") == std::string_view::npos &&
                     text.front() != ' ' && text.back() != ' ';
  if (plain) {
    out += text;
    return;
  }
  out += '"';
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  out += '"';
}

void append_csv_value(std::string& out, const Column& column, std::size_t index) {
  switch (column.type) {
    case ValueType::f64: {
      const double value = column.f64[index];
      if (std::isfinite(value)) {
        append_number(out, value);
      } else {
        out += shortest(value);
      }
      break;
    }
    case ValueType::i64:
      append_number(out, column.i64[index]);
      break;
    case ValueType::boolean:
      out += column.boolean[index] != 0 ? "true" : "false";
      break;
    case ValueType::string:
      append_csv_text(out, column.string[index]);
      break;
  }
}

void append_json_value(JsonWriter& json, const Column& column, std::size_t index) {
  switch (column.type) {
    case ValueType::f64:
      json.value(column.f64[index]);
      break;
    case ValueType::i64:
      json.value(column.i64[index]);
      break;
    case ValueType::boolean:
      json.value(column.boolean[index] != 0);
      break;
    case ValueType::string:
      json.value(std::string_view(column.string[index]));
      break;
  }
}

bool has_channel(const Schema& schema, std::string_view name) {
  return std::any_of(schema.channels.begin(), schema.channels.end(),
                     [&](const Channel& channel) { return channel.name == name; });
}

}  // namespace

Status TextExport::check_channels(const Schema& schema) const {
  for (const std::string& name : options_.channels) {
    if (!has_channel(schema, name)) {
      return fail(ExitCode::usage,
                  "source " + escape(schema.source_name) + " has no channel " + escape(name));
    }
  }
  return {};
}

std::optional<std::string> TextExport::missing_channel() const {
  for (const std::string& name : options_.channels) {
    if (!known_.contains(name)) return name;
  }
  return std::nullopt;
}

void TextExport::begin(const Schema& schema, std::string& out) {
  columns_ = options_.channels;
  if (columns_.empty()) {
    for (const Channel& channel : schema.channels) columns_.push_back(channel.name);
  }
  if (options_.format == TextFormat::csv) {
    append_csv_text(out, options_.time_name);
    for (const std::string& name : columns_) {
      out += ',';
      append_csv_text(out, name);
    }
    out += '\n';
  }
}

Status TextExport::append(const Window& window, const Schema& schema, std::string& out) {
  if (known_.size() < options_.channels.size()) {
    for (const std::string& name : options_.channels) {
      if (has_channel(schema, name)) known_.insert(name);
    }
  }
  std::vector<RowWalk> walks(columns_.size());
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    for (const Column& column : window.columns) {
      if (column.channel < schema.channels.size() &&
          schema.channels[column.channel].name == columns_[i]) {
        walks[i].column = &column;
      }
    }
  }
  JsonWriter json;
  for (std::uint32_t row = 0; row < window.times_ns.size(); ++row) {
    const std::int64_t time_ns = window.times_ns[row];
    if (options_.format == TextFormat::csv) {
      if (options_.time == TimeFormat::rfc3339) {
        out += format_time_ns(time_ns);
      } else {
        append_number(out, time_ns);
      }
      for (RowWalk& walk : walks) {
        out += ',';
        const std::ptrdiff_t index = walk.at(row);
        if (index >= 0) append_csv_value(out, *walk.column, static_cast<std::size_t>(index));
      }
      out += '\n';
      continue;
    }
    json.clear();
    json.begin_object();
    if (options_.name_source) json.member("source", std::string_view(schema.source_name));
    if (options_.time == TimeFormat::rfc3339) {
      json.member(options_.time_name, std::string_view(format_time_ns(time_ns)));
    } else {
      json.member(options_.time_name, time_ns);
    }
    for (std::size_t i = 0; i < walks.size(); ++i) {
      const std::ptrdiff_t index = walks[i].at(row);
      if (index < 0) continue;
      const auto at = static_cast<std::size_t>(index);
      const Column& column = *walks[i].column;
      json.key(columns_[i]);
      append_json_value(json, column, at);
      const bool lossy = (column.type == ValueType::f64 && !std::isfinite(column.f64[at]));
      if (lossy) ++lossy_values_;
    }
    json.end_object();
    out += json.text();
    out += '\n';
  }
  return {};
}

}  // namespace twinchain::record
