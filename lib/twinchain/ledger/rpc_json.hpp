// JSON as a node sends it, with limits. Floor 4.
//
// A node's answers are untrusted: depth, number of values and types are checked, integers are
// exact. Not for anything that is kept or hashed. Source: RFC 8259. Thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "twinchain/base/bytes.hpp"
#include "twinchain/base/result.hpp"

namespace twinchain::ledger {

struct JsonValue {
  enum class Kind : std::uint8_t { null, boolean, integer, real, text, array, object };
  Kind kind = Kind::null;
  bool boolean = false;
  std::int64_t integer = 0;      ///< numbers without fraction and exponent, within int64
  double real = 0;               ///< other numbers
  std::string text;              ///< valid UTF-8
  std::vector<JsonValue> items;  ///< of an array; of an object in the order of `keys`
  std::vector<std::string> keys;

  /// The first member of that name; null when there is none or this is no object.
  [[nodiscard]] const JsonValue* find(std::string_view key) const;
  [[nodiscard]] std::optional<std::int64_t> integer_at(std::string_view key) const;
  [[nodiscard]] std::optional<std::string_view> text_at(std::string_view key) const;
  /// 64 hexadecimal digits as Bitcoin displays a hash; the result is in internal order.
  [[nodiscard]] std::optional<Hash256> hash_at(std::string_view key) const;
};

/// A whole block's list of transaction ids fits: a block of 4,000,000 weight units has at most
/// some 16,600 transactions.
inline constexpr std::size_t max_json_values = 50'000;
inline constexpr std::size_t max_json_depth = 16;

/// Errors (ExitCode::malformed): not JSON, deeper or larger than the limits, or more than one
/// value. Memory is bounded by the text's size and max_json_values.
Result<JsonValue> parse_json(std::string_view text);

/// An amount of coins, a number like 0.00000553, in the smallest unit (10^-8), rounded to
/// it. Nothing when it is no number or not within 0 and 90 million coins.
std::optional<std::int64_t> amount_sat(const JsonValue& value);

}  // namespace twinchain::ledger
