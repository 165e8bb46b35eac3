#include "twinchain/record/number.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>

namespace twinchain::record {
namespace {

using number_detail::integer_powers_of_ten;
using number_detail::join_eight;
using number_detail::load_digits;
using number_detail::mark_stops;
using number_detail::powers_of_ten;
using number_detail::with_sign;

__extension__ using Wide = unsigned __int128;

constexpr std::uint64_t exact_integers = std::uint64_t{1} << 53;
constexpr std::int64_t exponent_limit = 1'000'000'000;

// ---- Eisel-Lemire for small powers of ten ------------------------------------------------------
// Daniel Lemire, "Number Parsing at a Gigabyte per Second", 2021. Restricted to 10^-27..10^27,
// where a 64-bit mantissa times a 128-bit power of five always decides the rounding.

constexpr int lemire_limit = 27;
struct PowerOfFive {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
};

constexpr PowerOfFive split_wide(Wide value) {
  return {static_cast<std::uint64_t>(value >> 64), static_cast<std::uint64_t>(value)};
}

/// 5^q scaled to 128 bits with its top bit set; rounded up for q < 0.
constexpr PowerOfFive power_of_five(int q) {
  std::uint64_t five = 1;
  for (int i = 0; i < (q < 0 ? -q : q); ++i) five *= 5;
  if (q >= 0) return split_wide(static_cast<Wide>(five) << (64 + std::countl_zero(five)));
  // 2^(bits + 127) / five in limbs of 64 bits; the quotient is below 2^128.
  const int exponent = static_cast<int>(std::bit_width(five - 1)) + 127;
  std::array<std::uint64_t, 3> numerator{};
  numerator[static_cast<std::size_t>(exponent / 64)] = std::uint64_t{1} << (exponent % 64);
  Wide quotient = 0;
  std::uint64_t remainder = 0;
  for (std::size_t i = 3; i-- > 0;) {
    const Wide part = (static_cast<Wide>(remainder) << 64) | numerator[i];
    quotient = (quotient << 64) | static_cast<std::uint64_t>(part / five);
    remainder = static_cast<std::uint64_t>(part % five);
  }
  return split_wide(quotient + 1);
}

constexpr std::size_t place_of(int q) {
  const int place = q + lemire_limit;
  return static_cast<std::size_t>(place);
}

constexpr auto powers_of_five = [] {
  std::array<PowerOfFive, 2 * lemire_limit + 1> table{};
  for (int q = -lemire_limit; q <= lemire_limit; ++q) {
    table[place_of(q)] = power_of_five(q);
  }
  return table;
}();

/// mantissa * 10^q for |q| <= lemire_limit, correctly rounded. No result here is subnormal or
/// infinite.
double scale_exactly(std::uint64_t mantissa, int q) {
  if (mantissa == 0) return 0;
  const int leading_zeros = std::countl_zero(mantissa);
  mantissa <<= leading_zeros;
  const PowerOfFive& power = powers_of_five[place_of(q)];
  Wide product = static_cast<Wide>(mantissa) * power.high;
  constexpr std::uint64_t undecided = ~std::uint64_t{0} >> 55;
  if ((static_cast<std::uint64_t>(product >> 64) & undecided) == undecided) {
    product += static_cast<Wide>(mantissa) * power.low >> 64;
  }
  const auto upper = static_cast<std::uint64_t>(product >> 64);
  const auto lower = static_cast<std::uint64_t>(product);
  const int top = static_cast<int>(upper >> 63);
  const int shift = top + 64 - 52 - 3;
  std::uint64_t bits = upper >> shift;
  // Exactly between two doubles: to even. Possible only where 5^|q| fits into 64 bits.
  if (lower <= 1 && q >= -4 && q <= 23 && (bits & 3) == 1 && (bits << shift) == upper) {
    bits &= ~std::uint64_t{1};
  }
  bits += bits & 1;
  bits >>= 1;
  int exponent = (((152170 + 65536) * q) >> 16) + 63 + top - leading_zeros + 1023;
  if (bits >= std::uint64_t{2} << 52) {
    bits = std::uint64_t{1} << 52;
    ++exponent;
  }
  bits &= (std::uint64_t{1} << 52) - 1;
  return std::bit_cast<double>(bits | (static_cast<std::uint64_t>(exponent) << 52));
}

// ---- scanning ----------------------------------------------------------------------------------

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool equals_ignoring_case(std::string_view text, std::string_view lower) {
  if (text.size() != lower.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if ((text[i] | 0x20) != lower[i]) return false;
  }
  return true;
}

bool parse_special(std::string_view text, double& value) {
  bool negative = false;
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) {
    negative = text.front() == '-';
    text.remove_prefix(1);
  }
  if (equals_ignoring_case(text, "nan")) {
    value = with_sign(std::numeric_limits<double>::quiet_NaN(), negative);
    return true;
  }
  if (equals_ignoring_case(text, "inf") || equals_ignoring_case(text, "infinity")) {
    value = with_sign(std::numeric_limits<double>::infinity(), negative);
    return true;
  }
  return false;
}

/// Adds digits to a DecimalText one by one; counts those after the 19th significant one.
class DigitTaker {
 public:
  explicit DigitTaker(DecimalText& number) : number_(number) {}

  void take(char digit, bool after_point) {
    const auto value = static_cast<std::uint64_t>(digit - '0');
    if (significant_ < 19) {
      number_.mantissa = number_.mantissa * 10 + value;
      if (number_.mantissa != 0) ++significant_;
      if (after_point) --number_.exponent10;
    } else {
      if (value != 0) number_.digits_dropped = true;
      if (!after_point) ++number_.exponent10;
    }
  }

 private:
  DecimalText& number_;
  int significant_ = 0;
};

/// The digits after "e"; nothing when there are none.
std::optional<std::int64_t> scan_exponent(std::string_view text) {
  bool negative = false;
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) {
    negative = text.front() == '-';
    text.remove_prefix(1);
  }
  if (text.empty()) return std::nullopt;
  std::int64_t value = 0;
  for (const char c : text) {
    if (!is_digit(c)) return std::nullopt;
    value = std::min(value * 10 + (c - '0'), exponent_limit);
  }
  return negative ? -value : value;
}

/// Whether the double nearest to a text of digits is the integer that they spell.
bool is_exact_integer(std::string_view digits, double value) {
  if (digits.front() == '-' || digits.front() == '+') digits.remove_prefix(1);
  digits.remove_prefix(std::min(digits.find_first_not_of('0'), digits.size()));
  std::array<char, 320> buffer{};  // DBL_MAX has 309 digits
  const auto [end, ec] = std::to_chars(buffer.data(), buffer.data() + buffer.size(),
                                       std::fabs(value), std::chars_format::fixed, 0);
  return ec == std::errc() && digits == std::string_view(buffer.data(), end);
}

/// The correctly rounded double of a scanned text.
NumberFault to_f64(const DecimalText& number, std::string_view text, double& value) {
  if (!number.digits_dropped && number.exponent10 >= -lemire_limit &&
      number.exponent10 <= lemire_limit) {
    value = with_sign(scale_exactly(number.mantissa, static_cast<int>(number.exponent10)),
                      number.negative);
    return NumberFault::none;
  }
  if (number.mantissa == 0) {
    value = with_sign(0, number.negative);
    return NumberFault::none;
  }
  if (text.front() == '+') text.remove_prefix(1);
  double parsed = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), parsed);
  // The standard leaves open what an out-of-range text gives: decide by the exponent.
  if (ec != std::errc() || std::isinf(parsed) || parsed == 0) {
    return number.exponent10 > 0 ? NumberFault::too_large : NumberFault::too_small;
  }
  value = parsed;
  return NumberFault::none;
}

NumberFault f64_of(const DecimalText& number, std::string_view text, double& value) {
  const NumberFault fault = to_f64(number, text, value);
  if (fault != NumberFault::none || !number.digits_only) return fault;
  if (number.mantissa <= exact_integers && number.exponent10 == 0) return NumberFault::none;
  return is_exact_integer(text, value) ? NumberFault::none : NumberFault::not_exact;
}

NumberFault i64_of(DecimalText number, std::int64_t& value) {
  if (number.mantissa == 0) {
    value = 0;
    return NumberFault::none;
  }
  while (number.exponent10 < 0 && number.mantissa % 10 == 0) {
    number.mantissa /= 10;
    ++number.exponent10;
  }
  if (number.exponent10 < 0) return NumberFault::not_whole;
  if (number.digits_dropped || number.exponent10 > 19) return NumberFault::beyond_i64;
  for (; number.exponent10 > 0; --number.exponent10) {
    if (__builtin_mul_overflow(number.mantissa, std::uint64_t{10}, &number.mantissa)) {
      return NumberFault::beyond_i64;
    }
  }
  constexpr auto largest = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (number.mantissa > largest + (number.negative ? 1 : 0)) return NumberFault::beyond_i64;
  value = static_cast<std::int64_t>(number.negative ? 0 - number.mantissa : number.mantissa);
  return NumberFault::none;
}

/// A run of digits at `at`: adds them to `mantissa`, counts them, returns their end. Gives up
/// (nullptr) beyond 24 digits.
const char* take_digit_run(const char* at, std::uint64_t& mantissa, unsigned& count) {
  for (int block = 0; block < 3; ++block) {
    const std::uint64_t digits = load_digits(at);
    const std::uint64_t stops = mark_stops(digits);
    if (stops != 0) {
      const auto here = static_cast<unsigned>(std::countr_zero(stops)) / 8;
      if (here > 0)
        mantissa = mantissa * integer_powers_of_ten[here] + join_eight(digits << (64 - 8 * here));
      count += here;
      return at + here;
    }
    mantissa = mantissa * 100'000'000 + join_eight(digits);
    count += 8;
    at += 8;
  }
  return nullptr;
}

}  // namespace

number_detail::PlainNumber number_detail::parse_long_f64(const char* at, NumberSyntax syntax) {
  constexpr PlainNumber undecided{nullptr, 0};
  const bool negative = *at == '-';
  const char* start = at + (negative ? 1 : 0);
  std::uint64_t mantissa = 0;
  unsigned digit_count = 0;
  const char* end = take_digit_run(start, mantissa, digit_count);
  if (end == nullptr || digit_count == 0) return undecided;
  if (syntax == NumberSyntax::json && digit_count > 1 && *start == '0') return undecided;
  const unsigned whole = digit_count;
  if (*end == '.') {
    end = take_digit_run(end + 1, mantissa, digit_count);
    if (end == nullptr || digit_count == whole) return undecided;
  } else if (mantissa > exact_integers) {
    return undecided;
  }
  // Up to 19 digits the mantissa cannot have overflowed.
  if (digit_count > 19) return undecided;
  const unsigned fraction = digit_count - whole;
  if (mantissa <= exact_integers) {
    return {end, with_sign(static_cast<double>(static_cast<std::int64_t>(mantissa)) /
                               powers_of_ten[fraction],
                           negative)};
  }
  return {end, with_sign(scale_exactly(mantissa, -static_cast<int>(fraction)), negative)};
}

const char* describe(NumberFault fault) {
  switch (fault) {
    case NumberFault::none:
      return "nothing";
    case NumberFault::not_a_number:
      return "not a number";
    case NumberFault::too_large:
      return "number too large for f64";
    case NumberFault::too_small:
      return "number too small for f64";
    case NumberFault::not_exact:
      return "integer is not exact as f64";
    case NumberFault::not_whole:
      return "not a whole number";
    case NumberFault::beyond_i64:
      return "integer out of the range of i64";
  }
  return "unknown";
}

std::optional<DecimalText> scan_decimal(std::string_view text, NumberSyntax syntax) {
  const bool json = syntax == NumberSyntax::json;
  DecimalText number;
  std::size_t at = 0;
  if (!text.empty() && (text[0] == '-' || (text[0] == '+' && !json))) {
    number.negative = text[0] == '-';
    at = 1;
  }
  DigitTaker digits(number);
  const std::size_t whole_start = at;
  for (; at < text.size() && is_digit(text[at]); ++at) digits.take(text[at], false);
  const std::size_t whole = at - whole_start;
  if (json && (whole == 0 || (whole > 1 && text[whole_start] == '0'))) return std::nullopt;
  std::size_t fraction = 0;
  if (at < text.size() && text[at] == '.') {
    number.digits_only = false;
    ++at;
    const std::size_t fraction_start = at;
    for (; at < text.size() && is_digit(text[at]); ++at) digits.take(text[at], true);
    fraction = at - fraction_start;
    if (json && fraction == 0) return std::nullopt;
  }
  if (whole + fraction == 0) return std::nullopt;
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    number.digits_only = false;
    const auto exponent = scan_exponent(text.substr(at + 1));
    if (!exponent) return std::nullopt;
    number.exponent10 += *exponent;
    at = text.size();
  }
  if (at != text.size()) return std::nullopt;
  return number;
}

NumberFault parse_f64(std::string_view text, double& value, NumberSyntax syntax) {
  const auto number = scan_decimal(text, syntax);
  if (number) return f64_of(*number, text, value);
  if (syntax == NumberSyntax::text && parse_special(text, value)) return NumberFault::none;
  return NumberFault::not_a_number;
}

NumberFault parse_i64(std::string_view text, std::int64_t& value, NumberSyntax syntax) {
  const auto number = scan_decimal(text, syntax);
  return number ? i64_of(*number, value) : NumberFault::not_a_number;
}

NumberFault infer_number(std::string_view text, InferredNumber& number, NumberSyntax syntax) {
  const auto scanned = scan_decimal(text, syntax);
  if (scanned && scanned->digits_only &&
      (scanned->mantissa > exact_integers || scanned->exponent10 != 0)) {
    number.type = ValueType::i64;
    if (i64_of(*scanned, number.i64) == NumberFault::none) return NumberFault::none;
    number.type = ValueType::f64;
    const NumberFault fault = f64_of(*scanned, text, number.f64);
    return fault == NumberFault::not_exact ? NumberFault::beyond_i64 : fault;
  }
  number.type = ValueType::f64;
  if (scanned) return to_f64(*scanned, text, number.f64);
  if (syntax == NumberSyntax::text && parse_special(text, number.f64)) return NumberFault::none;
  return NumberFault::not_a_number;
}

}  // namespace twinchain::record
