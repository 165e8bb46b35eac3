#include "twinchain/record/ndjson_flatten.hpp"

#include <simdjson.h>

#include <algorithm>
#include <cstring>

#include "twinchain/base/text.hpp"

namespace twinchain::record {
namespace {

namespace ondemand = simdjson::ondemand;

constexpr const char* no_scalar = "malformed json: neither a number, true, false nor null";

static_assert(JsonFlattener::padding >= simdjson::SIMDJSON_PADDING);

std::string_view trim_token(std::string_view token) {
  while (!token.empty() && (token.back() == ' ' || token.back() == '\t' || token.back() == '\n' ||
                            token.back() == '\r')) {
    token.remove_suffix(1);
  }
  return token;
}

/// Whether the first object or array of a text ends before the text does. simdjson looks at the
/// last bracket first, and takes one that is not there for a text that was cut.
bool is_followed(std::string_view json) {
  std::size_t depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (in_string) {
      if (c == '\\') ++i;
      in_string = c != '"';
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if (c == '}' || c == ']') {
      if (depth <= 1) return !trim_token(json.substr(i + 1)).empty();
      --depth;
    }
  }
  return false;
}

/// The key that starts at `raw` (after its quote) without its closing quote. simdjson has found
/// that quote already.
std::string_view raw_key(const char* raw, const char* end) {
  const char* at = raw;
  while (at < end && *at != '"') at += *at == '\\' ? 2 : 1;
  return {raw, static_cast<std::size_t>(std::min(at, end) - raw)};
}

}  // namespace

const char* describe_json_error(int simdjson_error) {
  switch (simdjson_error) {
    case simdjson::EMPTY:
      return "malformed json: nothing there";
    case simdjson::UTF8_ERROR:
      return "malformed json: not UTF-8";
    case simdjson::UNCLOSED_STRING:
      return "malformed json: a string is not closed";
    case simdjson::UNESCAPED_CHARS:
      return "malformed json: a control character in a string";
    case simdjson::STRING_ERROR:
      return "malformed json: a bad escape in a string";
    case simdjson::INCOMPLETE_ARRAY_OR_OBJECT:
      return "malformed json: ends too early";
    case simdjson::T_ATOM_ERROR:
    case simdjson::F_ATOM_ERROR:
    case simdjson::N_ATOM_ERROR:
    case simdjson::NUMBER_ERROR:
      return no_scalar;
    case simdjson::DEPTH_ERROR:
      return "malformed json: nested too deep";
    default:
      return "malformed json: not in the order of keys, values, commas and brackets";
  }
}

/// The walk over simdjson's on-demand interface. It checks syntax only where it passes, so it
/// passes everywhere: each scalar is read, and nothing may follow.
struct JsonFlattener::Json {
  explicit Json(JsonFlattener& owner) : flattener(owner) {}

  bool malformed(simdjson::error_code error) {
    const bool followed =
        error == simdjson::INCOMPLETE_ARRAY_OR_OBJECT && is_followed({begin, end});
    return malformed(followed ? something_follows : describe_json_error(error));
  }
  bool malformed(const char* why) {
    flattener.malformed_ = true;
    flattener.row_->fault = why;
    return false;
  }
  bool open(std::string_view json) {
    begin = json.data();
    end = begin + json.size();
    const auto error =
        parser.iterate(json.data(), json.size(), json.size() + padding).get(document);
    return error == simdjson::SUCCESS || malformed(error);
  }
  bool check_end() {
    const auto location = document.current_location();
    return location.error() == simdjson::OUT_OF_BOUNDS || malformed(something_follows);
  }

  bool take_object(ondemand::object object, std::uint32_t node, int depth) {
    std::uint32_t previous = no_node;
    for (auto next : object) {
      ondemand::field field;
      if (const auto error = std::move(next).get(field)) return malformed(error);
      const std::uint32_t child = take_key(field, node, previous);
      if (child == no_node) return false;
      if (!take_value(field.value(), child, depth)) return false;
      previous = child;
    }
    return true;
  }
  bool take_array(ondemand::array array, std::uint32_t node, int depth) {
    std::uint32_t previous = no_node;
    std::size_t index = 0;
    for (auto next : array) {
      ondemand::value value;
      if (const auto error = std::move(next).get(value)) return malformed(error);
      const std::uint32_t child = take_index(index++, node, previous);
      if (!take_value(value, child, depth)) return false;
      previous = child;
    }
    return true;
  }
  [[nodiscard]] std::uint32_t expect(std::uint32_t node, std::uint32_t previous) const {
    return previous == no_node ? flattener.nodes_[node].first : flattener.nodes_[previous].next;
  }
  std::uint32_t take_index(std::size_t index, std::uint32_t node, std::uint32_t previous) {
    const std::string raw = decimal(std::uint64_t{index});
    const std::uint32_t expected = expect(node, previous);
    if (expected != no_node && flattener.nodes_[expected].raw == raw) return expected;
    std::uint32_t child = flattener.find_child(node, raw);
    if (child == no_node) child = flattener.add_child(node, raw, raw);
    flattener.predict(node, previous, child);
    return child;
  }
  std::uint32_t take_key(ondemand::field& field, std::uint32_t node, std::uint32_t previous) {
    const char* const raw = field.key().raw();
    const std::uint32_t expected = expect(node, previous);
    if (expected != no_node) {
      const std::string& text = flattener.nodes_[expected].raw;
      if (static_cast<std::size_t>(end - raw) > text.size() && raw[text.size()] == '"' &&
          std::memcmp(raw, text.data(), text.size()) == 0) {
        return expected;
      }
    }
    const std::string_view key = raw_key(raw, end);
    std::uint32_t child = flattener.find_child(node, key);
    if (child == no_node) {
      std::string_view name;
      if (const auto error = field.unescaped_key().get(name)) {
        malformed(error);
        return no_node;
      }
      child = flattener.add_child(node, key, name);
    }
    flattener.predict(node, previous, child);
    return child;
  }
  bool take_value(ondemand::value value, std::uint32_t node, int depth) {
    const std::string_view rest = value.raw_json_token();
    switch (rest.empty() ? '\0' : rest.front()) {
      case '{': {
        if (depth >= max_depth) return too_deep(node);
        ondemand::object object;
        if (const auto error = value.get_object().get(object)) return malformed(error);
        return take_object(object, node, depth + 1);
      }
      case '[': {
        if (depth >= max_depth) return too_deep(node);
        ondemand::array array;
        if (const auto error = value.get_array().get(array)) return malformed(error);
        return take_array(array, node, depth + 1);
      }
      case '"': {
        std::string_view text;
        if (const auto error = value.get_string().get(text)) return malformed(error);
        return flattener.take_string(node, trim_token(rest), text);
      }
      default:
        return take_plain(trim_token(rest), node);
    }
  }
  bool take_plain(std::string_view token, std::uint32_t node) {
    if (token == "null") {
      if (flattener.nodes_[node].is_time) return flattener.take_time(node, token, {});
      return true;
    }
    if (token == "true" || token == "false") {
      return flattener.take_bool(node, token, token == "true");
    }
    return flattener.take_number(node, token);
  }
  bool too_deep(std::uint32_t node) { return flattener.refuse(node, "nested too deep", {}); }

  static constexpr const char* something_follows = "malformed json: something follows the value";

  JsonFlattener& flattener;
  ondemand::parser parser;
  ondemand::document document;
  const char* begin = nullptr;
  const char* end = nullptr;
};

JsonFlattener::JsonFlattener(ChannelTable& channels)
    : channels_(channels), json_(std::make_unique<Json>(*this)) {
#ifdef SIMDJSON_THREADS_ENABLED
  json_->parser.threaded = false;
#endif
}
JsonFlattener::~JsonFlattener() = default;

void JsonFlattener::set_time(std::string key, TimeReader* reader) {
  time_key_ = std::move(key);
  time_ = reader;
  forget_channels();
}

void JsonFlattener::forget_channels() {
  children_.clear();
  nodes_.clear();
  node_bytes_ = 0;
}

// ---- the tree of keys --------------------------------------------------------------------------

std::uint32_t JsonFlattener::find_child(std::uint32_t node, std::string_view raw) {
  const auto found = children_.find({node, raw});
  return found == children_.end() ? no_node : found->second;
}

std::uint32_t JsonFlattener::add_child(std::uint32_t node, std::string_view raw,
                                       std::string_view name) {
  const auto child = static_cast<std::uint32_t>(nodes_.size());
  Node& added = nodes_.emplace_back();
  added.raw = raw;
  added.name = name;
  added.parent = node;
  children_.emplace(Key{node, added.raw}, child);
  node_bytes_ += raw.size() + name.size();
  added.is_time = names_time(child);
  return child;
}

void JsonFlattener::predict(std::uint32_t node, std::uint32_t previous, std::uint32_t child) {
  (previous == no_node ? nodes_[node].first : nodes_[previous].next) = child;
}

std::uint32_t JsonFlattener::root(std::string_view prefix) {
  if (nodes_.size() > max_nodes || node_bytes_ > max_node_bytes) forget_channels();
  std::uint32_t node = find_child(no_node, prefix);
  if (node != no_node) return node;
  node = static_cast<std::uint32_t>(nodes_.size());
  Node& added = nodes_.emplace_back();
  added.raw = prefix;
  added.name = prefix;
  added.is_root = true;
  children_.emplace(Key{no_node, added.raw}, node);
  node_bytes_ += 2 * prefix.size();
  return node;
}

std::size_t JsonFlattener::name_size(std::uint32_t node) const {
  std::size_t size = nodes_[node].name.size();
  while (true) {
    node = nodes_[node].parent;
    if (nodes_[node].is_root && nodes_[node].name.empty()) return size;
    size += 1 + nodes_[node].name.size();
    if (nodes_[node].is_root) return size;
  }
}

/// Writes the name so that it ends before `end`: from its last part to its first.
void JsonFlattener::write_name(std::uint32_t node, char* end) const {
  while (true) {
    const std::string& name = nodes_[node].name;
    end -= name.size();
    std::copy(name.begin(), name.end(), end);
    if (nodes_[node].is_root) return;
    node = nodes_[node].parent;
    if (nodes_[node].is_root && nodes_[node].name.empty()) return;
    *--end = '.';
  }
}

std::string JsonFlattener::name_of(std::uint32_t node) const {
  std::string name(name_size(node), '\0');
  write_name(node, name.data() + name.size());
  return name;
}

bool JsonFlattener::names_time(std::uint32_t node) const {
  return time_ != nullptr && name_size(node) == time_key_.size() && name_of(node) == time_key_;
}

// ---- values ------------------------------------------------------------------------------------

bool JsonFlattener::refuse(std::uint32_t node, std::string_view why, std::string_view token) {
  row_->fault = "key " + quote_text(name_of(node)) + ": ";
  row_->fault += why;
  if (!token.empty()) row_->fault += ": " + escape(token, 60);
  return false;
}

/// A declaration for the whole name; for MQTT also without the topic's levels but the last, and
/// for the keys alone.
const Channel* JsonFlattener::find_declared(std::uint32_t node, std::string_view name) const {
  const Channel* declared = channels_.declared(name);
  if (declared != nullptr) return declared;
  while (!nodes_[node].is_root) node = nodes_[node].parent;
  const std::size_t prefix = nodes_[node].name.size();
  if (prefix == 0) return nullptr;
  const std::size_t level = name.substr(0, prefix).rfind('/');
  if (level != std::string_view::npos) declared = channels_.declared(name.substr(level + 1));
  return declared != nullptr ? declared : channels_.declared(name.substr(prefix + 1));
}

bool JsonFlattener::find_target(std::uint32_t node, Target& target) {
  Node& here = nodes_[node];
  if (here.channel == no_channel) {
    const std::size_t size = name_size(node);
    if (!row_->allow_name(size)) return false;
    char* const name = row_->arena.allocate(size);
    write_name(node, name + size);
    target.name = {name, size};
    here.channel = channels_.find(target.name);
  }
  if (here.channel != no_channel) {
    target.type = channels_.type(here.channel);
  } else if (const Channel* declared = find_declared(node, target.name)) {
    target.type = declared->type;
    target.unit = declared->unit;
  }
  return true;
}

bool JsonFlattener::keep(std::uint32_t node, std::string_view token, const RowValue& value,
                         const Target& target) {
  const std::uint32_t channel = nodes_[node].channel;
  if (channel == no_channel) {
    row_->added.push_back({row_->values.size(), target.name, target.unit});
  } else if (!channels_.take_in_row(channel)) {
    return refuse(node, "is given twice", {});
  }
  row_->values.push_back(value);
  row_->values.back().channel = channel;
  leaves_.push_back({token, channel, false});
  return true;
}

bool JsonFlattener::take_time(std::uint32_t node, std::string_view token, std::string_view text) {
  if (had_time_) return refuse(node, "is given twice", {});
  had_time_ = true;
  if (text.empty()) return refuse(node, "the time is missing", {});
  const char* const fault = time_->read(text, row_->time_ns);
  if (fault != nullptr) return refuse(node, fault, token);
  leaves_.push_back({token, no_channel, true});
  return true;
}

bool JsonFlattener::take_number(std::uint32_t node, std::string_view token) {
  if (nodes_[node].is_time) {
    // The reader of times takes more spellings than JSON has.
    if (!scan_decimal(token, NumberSyntax::json)) return json_->malformed(no_scalar);
    return take_time(node, token, token);
  }
  Target target;
  if (!find_target(node, target)) return false;
  RowValue value;
  if (target.type == ValueType::f64) {
    // The token is followed by what ended it, or by the padding.
    const char* const digits = token.data();
    const auto number = parse_plain_f64<NumberSyntax::json>(digits);
    if (number.end == token.data() + token.size()) [[likely]] {
      value.set_f64(number.value);
      return keep(node, token, value, target);
    }
  }
  const char* const fault = target.type ? convert_json_number(token, *target.type, value)
                                        : infer_number_value(token, NumberSyntax::json, value);
  if (fault == nullptr) return keep(node, token, value, target);
  if (scan_decimal(token, NumberSyntax::json)) return refuse(node, fault, token);
  return json_->malformed(no_scalar);
}

bool JsonFlattener::take_string(std::uint32_t node, std::string_view token, std::string_view text) {
  if (nodes_[node].is_time) return take_time(node, token, text);
  Target target;
  if (!find_target(node, target)) return false;
  if (target.type && *target.type != ValueType::string) {
    return refuse(node, type_fault(*target.type), token);
  }
  RowValue value;
  value.set_text(text);
  return keep(node, token, value, target);
}

bool JsonFlattener::take_bool(std::uint32_t node, std::string_view token, bool truth) {
  if (nodes_[node].is_time) return refuse(node, "not a time", token);
  Target target;
  if (!find_target(node, target)) return false;
  if (target.type && *target.type != ValueType::boolean) {
    return refuse(node, type_fault(*target.type), token);
  }
  RowValue value;
  value.set_bool(truth);
  return keep(node, token, value, target);
}

// ---- whole texts -------------------------------------------------------------------------------

JsonFlattener::Outcome JsonFlattener::flatten(std::string_view json, std::string_view prefix,
                                              RowValues& row) {
  row_ = &row;
  malformed_ = false;
  had_time_ = false;
  leaves_.clear();
  const auto walk = [&] {
    if (!json_->open(json)) return false;
    simdjson::ondemand::json_type type{};
    if (const auto error = json_->document.type().get(type)) return json_->malformed(error);
    const std::uint32_t node = root(prefix);
    if (type == simdjson::ondemand::json_type::object) {
      simdjson::ondemand::object object;
      if (const auto error = json_->document.get_object().get(object)) {
        return json_->malformed(error);
      }
      return json_->take_object(object, node, 1) && json_->check_end();
    }
    if (type == simdjson::ondemand::json_type::array && !prefix.empty()) {
      simdjson::ondemand::array array;
      if (const auto error = json_->document.get_array().get(array)) {
        return json_->malformed(error);
      }
      return json_->take_array(array, node, 1) && json_->check_end();
    }
    row.fault = "not a json object";
    return false;
  };
  if (walk()) return Outcome::values;
  return malformed_ ? Outcome::malformed : Outcome::refused;
}

JsonFlattener::Outcome JsonFlattener::read_string(std::string_view json, std::string_view& value,
                                                  RowValues& row) {
  row_ = &row;
  if (!json_->open(json)) return Outcome::malformed;
  if (const auto error = json_->document.get_string().get(value)) {
    json_->malformed(error);
    return Outcome::malformed;
  }
  return json_->check_end() ? Outcome::values : Outcome::malformed;
}

std::optional<std::string> JsonFlattener::find_time_key(std::string_view json) {
  RowValues unused;
  row_ = &unused;
  if (!json_->open(json)) return std::nullopt;
  simdjson::ondemand::object object;
  if (json_->document.get_object().get(object) != simdjson::SUCCESS) return std::nullopt;
  std::string best_key;
  std::size_t best = static_cast<std::size_t>(-1);
  for (auto next : object) {
    simdjson::ondemand::field field;
    std::string_view key;
    if (std::move(next).get(field) != simdjson::SUCCESS) return std::nullopt;
    if (field.unescaped_key().get(key) != simdjson::SUCCESS) return std::nullopt;
    const auto rank = time_name_rank(key);
    if (rank && *rank < best) {
      best = *rank;
      best_key = key;
    }
  }
  return json_->check_end() ? std::optional(best_key) : std::nullopt;
}

}  // namespace twinchain::record
