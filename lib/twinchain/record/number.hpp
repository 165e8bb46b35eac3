// Decimal text to f64 and i64 without a wrong bit. Floor 3.
//
// Every double is the one nearest to the text (ties to even), as strtod gives it in the C locale.
// Integers are never rounded: a text of digits only that f64 cannot hold exactly is refused as f64.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <optional>
#include <string_view>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

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
// For the hot path, up to 7 digits. The quotient takes its sign from the divisor, so that -0 has
// one too. C arrays, because the checks of std::array cost a tenth of a number.
constexpr double signed_powers_of_ten[2][8] = {{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7},
                                               {-1e0, -1e1, -1e2, -1e3, -1e4, -1e5, -1e6, -1e7}};
constexpr std::uint64_t integer_powers_of_ten[8] = {1,      10,      100,       1'000,
                                                    10'000, 100'000, 1'000'000, 10'000'000};
inline double divide(std::uint64_t mantissa, int fraction_digits, bool negative) {
  return static_cast<double>(static_cast<std::int64_t>(mantissa)) /
         signed_powers_of_ten[negative ? 1 : 0][fraction_digits];
}
inline double with_sign(double value, bool negative) {
  return std::bit_cast<double>(std::bit_cast<std::uint64_t>(value) ^
                               (std::uint64_t{negative} << 63));
}
/// Where a number ends (nullptr: parse_f64() must decide) and its value. Returned, because a value
/// whose address is taken would live in memory on the hot path too.
struct PlainNumber {
  const char* end;
  double value;
};
/// Any plain decimal of up to 19 digits.
PlainNumber parse_long_f64(const char* at, NumberSyntax syntax);

}  // namespace number_detail

/// The hot path: a plain decimal ([-] digits [. digits], no exponent) at `at`. `end` is that of
/// the digits, or nullptr when parse_f64() must decide. The caller looks at what follows. At least
/// 8 bytes must be readable from the byte that ends the number.
///
/// Up to 7 digits on each side of the point are handled as one word of 8 bytes a side, without a
/// loop. The quotient of an integer of at most 2^53 and a power of ten up to 10^22 is correctly
/// rounded, because both are exact (Clinger 1990).
template <NumberSyntax syntax>
[[gnu::always_inline]] inline number_detail::PlainNumber parse_plain_f64(const char* at) {
  using namespace number_detail;
  const bool negative = *at == '-';
  const char* const start = at + (negative ? 1 : 0);
  const std::uint64_t whole = load_digits(start);
  const std::uint64_t whole_stops = mark_stops(whole);
  if (whole_stops == 0) [[unlikely]]
    return parse_long_f64(at, syntax);
  // 8 * digits + 7: the shift that brings the last digit to the top byte is 71 less that.
  const int whole_mark = __builtin_ctzll(whole_stops);
  if (whole_mark == 7) [[unlikely]]
    return {nullptr, 0};
  if (syntax == NumberSyntax::json && whole_mark > 15 && *start == '0') return {nullptr, 0};
  const std::uint64_t mantissa = join_eight(whole << (71 - whole_mark));
  const char* const stop = start + whole_mark / 8;
  if (*stop != '.') return {stop, divide(mantissa, 0, negative)};
  const std::uint64_t fraction = load_digits(stop + 1);
  const std::uint64_t fraction_stops = mark_stops(fraction);
  if (fraction_stops == 0) [[unlikely]]
    return parse_long_f64(at, syntax);
  const int fraction_mark = __builtin_ctzll(fraction_stops);
  if (syntax == NumberSyntax::json && fraction_mark == 7) return {nullptr, 0};
  const int count = fraction_mark / 8;
  // In two steps, because without digits it is by 64.
  const std::uint64_t tail = join_eight((fraction << 8) << (63 - fraction_mark));
  return {stop + 1 + count,
          divide(mantissa * integer_powers_of_ten[count] + tail, count, negative)};
}

/// How far from `at` the first `wanted` is; 16 when it is not within 16 bytes, which must be
/// readable. To step over a number so costs a third of the time that reading it takes, and where
/// the next one begins is all that its reading has to wait for.
[[gnu::always_inline]] inline unsigned find_within_16(const char* at, char wanted) {
#ifdef __SSE2__
  const __m128i text = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
  const int marks = _mm_movemask_epi8(_mm_cmpeq_epi8(text, _mm_set1_epi8(wanted)));
  return static_cast<unsigned>(__builtin_ctz(static_cast<unsigned>(marks) | 0x10000));
#else
  unsigned distance = 0;
  while (distance < 16 && at[distance] != wanted) ++distance;
  return distance;
#endif
}

}  // namespace twinchain::record
