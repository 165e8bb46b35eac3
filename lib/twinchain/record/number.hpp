// Decimal text to f64 and i64 without a wrong bit. Floor 3.
//
// Every double is the one nearest to the text (ties to even), as strtod gives it in the C locale.
// Integers are never rounded: a text of digits only that f64 cannot hold exactly is refused as f64.
#pragma once

#include <bit>
#include <cstdint>
#include <optional>
#include <string_view>

#include "twinchain/base/bytes.hpp"
#include "twinchain/record/schema.hpp"

namespace twinchain::record {

enum class NumberSyntax {
  /// [+-] digits [. [digits]] or . digits, [eE [+-] digits]: what people write in CSV.
  text,
  /// RFC 8259: no leading "+" or zeros, digits on both sides of the point.
  json,
};

/// What is wrong with a number; none when nothing is.
enum class NumberFault {
  none,
  not_a_number,
  too_large,
  too_small,
  not_exact,
  not_whole,
  beyond_i64
};
/// "not a number", "integer is not exact as f64", ...: for the end of a message.
const char* describe(NumberFault fault);

/// A number as it is written: mantissa * 10^exponent10, plus `digits_dropped` when there were more
/// than 19 significant digits and one of those left out was not zero.
struct DecimalText {
  std::uint64_t mantissa = 0;
  std::int64_t exponent10 = 0;  ///< saturates at +-10^9
  bool negative = false;
  bool digits_only = true;  ///< no point and no exponent
  bool digits_dropped = false;
};
/// Nothing when the whole of `text` is not a number of this syntax.
std::optional<DecimalText> scan_decimal(std::string_view text,
                                        NumberSyntax syntax = NumberSyntax::text);

/// For an f64 channel. With NumberSyntax::text also nan, inf, infinity in any case and with a sign
/// (nan becomes the quiet NaN of its sign). too_large: would be infinite; too_small: not zero, but
/// nearer to zero than to any other f64.
NumberFault parse_f64(std::string_view text, double& value,
                      NumberSyntax syntax = NumberSyntax::text);
/// For an i64 channel: any spelling of a whole number in range ("12", "12.0", "1.2e1").
NumberFault parse_i64(std::string_view text, std::int64_t& value,
                      NumberSyntax syntax = NumberSyntax::text);

struct InferredNumber {
  ValueType type = ValueType::f64;
  double f64 = 0;
  std::int64_t i64 = 0;
};
/// For a new channel: i64 when the text is digits only and its value is beyond +-2^53, where f64
/// begins to have gaps; otherwise f64. beyond_i64 when neither holds it.
NumberFault infer_number(std::string_view text, InferredNumber& number,
                         NumberSyntax syntax = NumberSyntax::text);

namespace number_detail {

constexpr std::uint64_t ascii_zeros = 0x3030303030303030;

inline std::uint64_t load_digits(const char* at) {
  return load_le<std::uint64_t>(reinterpret_cast<const std::uint8_t*>(at)) ^ ascii_zeros;
}
/// Bit 7 of each byte that is not a digit value. Right for the first such byte, and for the next
/// when that was a point: a carry comes out only of bytes of 0x8a and more.
constexpr std::uint64_t mark_stops(std::uint64_t digits) {
  return ((digits + 0x7676767676767676) | digits) & 0x8080808080808080;
}
/// The number that eight digit values spell, the first in the lowest byte.
constexpr std::uint64_t join_eight(std::uint64_t digits) {
  digits = (digits * 2561) >> 8;
  digits = ((digits & 0x00ff00ff00ff00ff) * 6553601) >> 16;
  return ((digits & 0x0000ffff0000ffff) * 42949672960001) >> 32;
}
constexpr std::array<double, 23> powers_of_ten{1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                               1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                               1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
inline double with_sign(double value, bool negative) {
  return std::bit_cast<double>(std::bit_cast<std::uint64_t>(value) ^
                               (std::uint64_t{negative} << 63));
}
const char* parse_long_f64(const char* at, double& value, NumberSyntax syntax);

}  // namespace number_detail

/// The hot path: a plain decimal ([-] digits [. digits], no exponent) at `at`. Returns the end of
/// the digits, or nullptr when parse_f64() must decide. The caller looks at what follows. At least
/// 8 bytes must be readable from the byte that ends the number.
///
/// Up to eight characters are handled in one 64-bit word. The quotient of an integer below 2^53
/// and a power of ten up to 10^22 is correctly rounded, because both are exact (Clinger 1990).
template <NumberSyntax syntax>
inline const char* parse_plain_f64(const char* at, double& value) {
  using namespace number_detail;
  const bool negative = *at == '-';
  const char* start = at + (negative ? 1 : 0);
  std::uint64_t digits = load_digits(start);
  const std::uint64_t stops = mark_stops(digits);
  if (stops == 0) return parse_long_f64(at, value, syntax);
  const auto whole = static_cast<unsigned>(std::countr_zero(stops)) / 8;
  if constexpr (syntax == NumberSyntax::json) {
    if (whole > 1 && *start == '0') return nullptr;
  }
  if (whole == 0) return nullptr;
  if (start[whole] != '.') {
    value = with_sign(static_cast<double>(join_eight(digits << (64 - 8 * whole))), negative);
    return start + whole;
  }
  const std::uint64_t later_stops = stops & (stops - 1);
  if (later_stops == 0) return parse_long_f64(at, value, syntax);
  const auto end = static_cast<unsigned>(std::countr_zero(later_stops)) / 8;
  const unsigned fraction = end - whole - 1;
  if constexpr (syntax == NumberSyntax::json) {
    if (fraction == 0) return nullptr;
  }
  // Close the gap that the point leaves, then move the last digit to the top byte.
  const std::uint64_t before_point = (std::uint64_t{1} << (8 * whole)) - 1;
  digits = (digits & before_point) | ((digits >> 8) & ~before_point);
  digits <<= 64 - 8 * (end - 1);
  value = with_sign(static_cast<double>(join_eight(digits)) / powers_of_ten[fraction], negative);
  return start + end;
}

}  // namespace twinchain::record
