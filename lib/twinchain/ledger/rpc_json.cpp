#include "twinchain/ledger/rpc_json.hpp"

#include <boost/json/basic_parser_impl.hpp>
// The library's implementation, compiled here once: nothing to link.
#include <boost/json/src.hpp>
#include <cmath>
#include <exception>

#include "twinchain/base/hex.hpp"
#include "twinchain/base/text.hpp"

namespace twinchain::ledger {
namespace {

namespace json = boost::json;

/// Builds the tree from the parser's events, so that a limit stops before the memory is taken.
class TreeBuilder {
 public:
  static constexpr std::size_t max_object_size = max_json_values;
  static constexpr std::size_t max_array_size = max_json_values;
  static constexpr std::size_t max_key_size = 256;
  static constexpr std::size_t max_string_size = std::size_t{16} * 1024 * 1024;

  JsonValue root;

  bool on_document_begin(json::error_code&) { return true; }
  bool on_document_end(json::error_code&) { return true; }
  bool on_object_begin(json::error_code& error) { return open(JsonValue::Kind::object, error); }
  bool on_object_end(std::size_t, json::error_code&) { return close(); }
  bool on_array_begin(json::error_code& error) { return open(JsonValue::Kind::array, error); }
  bool on_array_end(std::size_t, json::error_code&) { return close(); }

  bool on_key_part(json::string_view part, std::size_t, json::error_code&) {
    pending_.append(part.data(), part.size());
    return true;
  }
  bool on_key(json::string_view part, std::size_t, json::error_code&) {
    pending_.append(part.data(), part.size());
    key_ = std::move(pending_);
    pending_.clear();
    return true;
  }
  bool on_string_part(json::string_view part, std::size_t, json::error_code&) {
    pending_.append(part.data(), part.size());
    return true;
  }
  bool on_string(json::string_view part, std::size_t, json::error_code& error) {
    pending_.append(part.data(), part.size());
    JsonValue value;
    value.kind = JsonValue::Kind::text;
    value.text = std::move(pending_);
    pending_.clear();
    return add(std::move(value), error) != nullptr;
  }
  bool on_number_part(json::string_view, json::error_code&) { return true; }
  bool on_int64(std::int64_t number, json::string_view, json::error_code& error) {
    JsonValue value;
    value.kind = JsonValue::Kind::integer;
    value.integer = number;
    return add(std::move(value), error) != nullptr;
  }
  bool on_uint64(std::uint64_t number, json::string_view text, json::error_code& error) {
    return on_double(static_cast<double>(number), text, error);
  }
  bool on_double(double number, json::string_view, json::error_code& error) {
    JsonValue value;
    value.kind = JsonValue::Kind::real;
    value.real = number;
    return add(std::move(value), error) != nullptr;
  }
  bool on_bool(bool truth, json::error_code& error) {
    JsonValue value;
    value.kind = JsonValue::Kind::boolean;
    value.boolean = truth;
    return add(std::move(value), error) != nullptr;
  }
  bool on_null(json::error_code& error) { return add(JsonValue{}, error) != nullptr; }
  bool on_comment_part(json::string_view, json::error_code&) { return true; }
  bool on_comment(json::string_view, json::error_code&) { return true; }

 private:
  JsonValue* add(JsonValue value, json::error_code& error) {
    if (++count_ > max_json_values) {
      error = json::error::array_too_large;
      return nullptr;
    }
    if (open_.empty()) {
      root = std::move(value);
      return &root;
    }
    JsonValue& parent = *open_.back();
    if (parent.kind == JsonValue::Kind::object) parent.keys.push_back(std::move(key_));
    key_.clear();
    parent.items.push_back(std::move(value));
    return &parent.items.back();
  }
  bool open(JsonValue::Kind kind, json::error_code& error) {
    JsonValue value;
    value.kind = kind;
    // A pointer into parent.items stays good: the parent gets its next item after this is closed.
    JsonValue* const added = add(std::move(value), error);
    if (added == nullptr) return false;
    open_.push_back(added);
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  std::vector<JsonValue*> open_;
  std::string key_;
  std::string pending_;
  std::size_t count_ = 0;
};

constexpr double coin_sat = 1e8;
constexpr double max_coins = 90e6;

}  // namespace

const JsonValue* JsonValue::find(std::string_view key) const {
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (keys[i] == key) return &items[i];
  }
  return nullptr;
}

std::optional<std::int64_t> JsonValue::integer_at(std::string_view key) const {
  const JsonValue* const value = find(key);
  if (value == nullptr || value->kind != Kind::integer) return std::nullopt;
  return value->integer;
}

std::optional<std::string_view> JsonValue::text_at(std::string_view key) const {
  const JsonValue* const value = find(key);
  if (value == nullptr || value->kind != Kind::text) return std::nullopt;
  return value->text;
}

std::optional<Hash256> JsonValue::hash_at(std::string_view key) const {
  const auto digits = text_at(key);
  return digits ? hash_from_hex_reversed(*digits) : std::nullopt;
}

Result<JsonValue> parse_json(std::string_view text) {
  try {
    json::parse_options options;
    options.max_depth = max_json_depth;
    json::basic_parser<TreeBuilder> parser(options);
    json::error_code error;
    const std::size_t used = parser.write_some(false, text.data(), text.size(), error);
    if (error) {
      return fail(ExitCode::malformed,
                  "byte " + decimal(std::uint64_t{used}) + ": " + escape(error.message()));
    }
    for (std::size_t i = used; i < text.size(); ++i) {
      if (std::string_view(" \t\r\n").find(text[i]) == std::string_view::npos) {
        return fail(ExitCode::malformed,
                    "byte " + decimal(std::uint64_t{i}) + ": something follows the JSON value");
      }
    }
    return std::move(parser.handler().root);
  } catch (const std::exception& error) {
    return fail(ExitCode::malformed, "not readable as JSON: " + escape(error.what()));
  }
}

std::optional<std::int64_t> amount_sat(const JsonValue& value) {
  double coins = 0;
  switch (value.kind) {
    case JsonValue::Kind::integer:
      coins = static_cast<double>(value.integer);
      break;
    case JsonValue::Kind::real:
      coins = value.real;
      break;
    default:
      return std::nullopt;
  }
  // Exact: below 2^53 units, and a double nearest to n * 10^-8 is nearer to n than to n + 1.
  if (!(coins >= 0 && coins <= max_coins)) return std::nullopt;
  return std::llround(coins * coin_sat);
}

}  // namespace twinchain::ledger
