#include "twinchain/record/mqtt_parser.hpp"

#include <array>
#include <cstring>

#include "twinchain/base/text.hpp"

namespace twinchain::record {
namespace {

/// "#" is not allowed in a topic, so that no topic has this name.
constexpr std::string_view payload_suffix = "#payload";

constexpr std::array<std::uint8_t, 256> hex_digits = [] {
  std::array<std::uint8_t, 256> table{};
  table.fill(0xff);
  for (std::size_t i = 0; i < 10; ++i) table['0' + i] = static_cast<std::uint8_t>(i);
  for (std::size_t i = 0; i < 6; ++i) {
    table['a' + i] = static_cast<std::uint8_t>(10 + i);
    table['A' + i] = static_cast<std::uint8_t>(10 + i);
  }
  return table;
}();

/// %U is always in seconds; another unit can be said for lines that come from elsewhere.
TimeUnit unit_of(TimeUnit unit) {
  return unit == TimeUnit::detect || unit == TimeUnit::arrival ? TimeUnit::seconds : unit;
}

std::string_view trim_white(std::string_view text) {
  constexpr std::string_view white = " \t\r\n";
  const std::size_t first = text.find_first_not_of(white);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(white) - first + 1);
}

}  // namespace

MqttParser::MqttParser(const ParserOptions& options)
    : LineParser(options), time_(unit_of(options.time_unit)), flattener_(channels_) {}

MqttParser::Topic& MqttParser::find_topic(std::string_view name) {
  const auto found = topics_.find(name);
  if (found != topics_.end()) return found->second;
  if (topic_bytes_ > max_topic_bytes) {
    topics_.clear();
    topic_bytes_ = 0;
  }
  topic_bytes_ += name.size() + sizeof(Topic) + 64;
  return topics_.emplace(std::string(name), Topic()).first->second;
}

bool MqttParser::read_payload(std::string_view hex, std::string_view& payload) {
  const std::size_t size = hex.size() / 2;
  char* const out = row_.arena.allocate(size + JsonFlattener::padding);
  unsigned bad = hex.size() % 2 == 0 ? 0 : 0x80;
  for (std::size_t i = 0; i < size; ++i) {
    const unsigned high = hex_digits[static_cast<unsigned char>(hex[2 * i])];
    const unsigned low = hex_digits[static_cast<unsigned char>(hex[2 * i + 1])];
    bad |= high | low;
    out[i] = static_cast<char>((high << 4 | low) & 0xff);
  }
  if ((bad & 0x80) != 0) {
    row_.fault = "the payload is not hexadecimal: " + quote_text(hex);
    return false;
  }
  std::memset(out + size, 0, JsonFlattener::padding);
  payload = std::string_view(out, size);
  return true;
}

bool MqttParser::keep(std::uint32_t channel, std::string_view name, std::string_view unit,
                      const RowValue& value) {
  if (channel == no_channel) {
    if (!row_.allow_name(name.size())) return false;
    row_.added.push_back({row_.values.size(), row_.arena.copy(name), unit});
  } else if (!channels_.take_in_row(channel)) {
    row_.fault = "two values for " + quote_text(name);
    return false;
  }
  row_.values.push_back(value);
  row_.values.back().channel = channel;
  return true;
}

bool MqttParser::take_payload(std::string_view name, Topic& topic, std::string_view payload) {
  RowValue value;
  value.set_text(payload);
  if (topic.payload != no_channel) return keep(topic.payload, name, {}, value);
  const std::string full = std::string(name) + std::string(payload_suffix);
  topic.payload = channels_.find(full);
  if (topic.payload != no_channel && channels_.type(topic.payload) != ValueType::string) {
    topic.payload = no_channel;
    row_.fault = "channel " + quote_text(full) + " is there, and no string";
    return false;
  }
  return keep(topic.payload, full, {}, value);
}

/// A payload that is one value: a number, a bool or a text. White space around numbers and bools
/// does not matter; a text is the payload as it is.
bool MqttParser::take_text(std::string_view name, Topic& topic, std::string_view text,
                           bool is_string) {
  if (topic.value == no_channel) topic.value = channels_.find(name);
  std::optional<ValueType> type;
  std::string_view unit;
  if (topic.value != no_channel) {
    type = channels_.type(topic.value);
  } else {
    const Channel* declared = channels_.declared(name);
    const std::size_t level = name.rfind('/');
    if (declared == nullptr && level != std::string_view::npos) {
      declared = channels_.declared(name.substr(level + 1));
    }
    if (declared != nullptr) {
      type = declared->type;
      unit = declared->unit;
    }
  }
  RowValue value;
  const char* fault = nullptr;
  if (is_string) {
    value.set_text(text);
    if (type && *type != ValueType::string) fault = type_fault(*type);
  } else {
    const std::string_view trimmed = trim_white(text);
    fault = type ? convert_text(trimmed, *type, value) : infer_text(trimmed, value);
    if (value.type == ValueType::string) value.set_text(text);
  }
  if (fault == nullptr) return keep(topic.value, name, unit, value);
  row_.fault = "topic " + quote_text(name) + ": " + fault + ": " + quote_text(text);
  return false;
}

bool MqttParser::take_content(std::string_view name, Topic& topic, std::string_view payload) {
  const std::string_view text = trim_white(payload);
  if (text.empty() || text == "null") return true;
  if (text.front() == '{' || text.front() == '[') {
    const std::size_t value_count = row_.values.size();
    const std::size_t added_count = row_.added.size();
    const auto outcome = flattener_.flatten(text, name, row_);
    if (outcome != JsonFlattener::Outcome::malformed) {
      if (outcome == JsonFlattener::Outcome::values) return true;
      row_.fault = "topic " + quote_text(name) + ": " + row_.fault;
      return false;
    }
    row_.values.resize(value_count);
    row_.added.resize(added_count);
    return take_text(name, topic, payload, true);
  }
  std::string_view string;
  if (text.front() == '"' &&
      flattener_.read_string(text, string, row_) == JsonFlattener::Outcome::values) {
    return take_text(name, topic, string, true);
  }
  return take_text(name, topic, payload, false);
}

Result<LineParser::Kind> MqttParser::take_row(std::string_view row) {
  if (trim_blanks(row).empty()) return Kind::nothing;
  // A topic may hold blanks, time and payload do not: so the first and the last blank part them.
  // After an empty payload's blank nothing follows; some pipes cut that blank off.
  const std::size_t first = row.find(' ');
  if (first == std::string_view::npos) {
    return refuse("not a time, a topic and a payload in hexadecimal");
  }
  std::size_t last = row.rfind(' ');
  if (last == first) last = row.size();
  const std::string_view name = row.substr(first + 1, last - first - 1);
  const std::string_view hex = last < row.size() ? row.substr(last + 1) : std::string_view();
  if (name.empty()) return refuse("the topic is missing");
  if (options_.time_unit != TimeUnit::arrival) {
    const std::string_view time = row.substr(0, first);
    const char* const fault = time_.read(time, row_.time_ns);
    if (fault != nullptr) return refuse(std::string("time: ") + fault + ": " + quote_text(time));
  }
  std::string_view payload;
  if (!read_payload(hex, payload)) return Kind::refused;
  Topic& topic = find_topic(name);
  if (!take_payload(name, topic, payload) || !take_content(name, topic, payload)) {
    return Kind::refused;
  }
  return Kind::values;
}

void MqttParser::forget_channels() {
  topics_.clear();
  topic_bytes_ = 0;
  flattener_.forget_channels();
}

std::string MqttParser::time_note() const {
  if (options_.time_unit == TimeUnit::arrival) return "arrival";
  return "first field of the line, " + time_.note();
}

void MqttParser::save_state(Bytes& out) const {
  time_.save(out);
}

bool MqttParser::restore_state(ByteCursor& in) {
  return time_.restore(in);
}

}  // namespace twinchain::record
