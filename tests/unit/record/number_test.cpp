#include "twinchain/record/number.hpp"

#include <doctest/doctest.h>

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <random>
#include <string>

#include "twinchain/base/text.hpp"
#include "unit/sanitized.hpp"

namespace twinchain::record {
namespace {

std::uint64_t bits(double value) {
  return std::bit_cast<std::uint64_t>(value);
}

/// Both ways to read a number, against strtod.
void check_like_strtod(const std::string& text) {
  CAPTURE(text);
  const double expected = std::strtod(text.c_str(), nullptr);
  double value = 0;
  const NumberFault fault = parse_f64(text, value);
  if (std::isinf(expected)) {
    CHECK(fault == NumberFault::too_large);
    return;
  }
  REQUIRE(fault == NumberFault::none);
  CHECK(bits(value) == bits(expected));
  const std::string padded = text + ",0000000000000000";
  const auto plain = parse_plain_f64<NumberSyntax::text>(padded.data());
  if (plain.end != nullptr && *plain.end == ',') CHECK(bits(plain.value) == bits(expected));
}

std::string print(double value, const char* format, int digits) {
  std::array<char, 400> text{};
  std::snprintf(text.data(), text.size(), format, digits, value);
  return text.data();
}

TEST_CASE("random doubles in every spelling are read as strtod reads them") {
  std::mt19937_64 random(20261122);  // NOLINT: a fixed seed makes the test repeatable
  for (int i = 0; i < 100'000; i += static_cast<int>(twinchain::testing::step_if_sanitized(10))) {
    const double any = std::bit_cast<double>(random());
    if (std::isfinite(any) && any != 0) {
      check_like_strtod(shortest(any));
      check_like_strtod(print(any, "%.*e", 17));
      check_like_strtod(print(any, "%.*g", static_cast<int>(random() % 25)));
    }
    // What sensors say: some digits on each side of the point.
    const double usual =
        std::ldexp(static_cast<double>(random() >> 11), -static_cast<int>(random() % 60)) *
        (random() % 2 == 0 ? 1 : -1);
    check_like_strtod(shortest(usual));
    const std::string fixed = print(usual, "%.*f", static_cast<int>(random() % 12));
    if (fixed.find('.') != std::string::npos) check_like_strtod(fixed);
  }
}

TEST_CASE("numbers of 1 to 19 digits with the point anywhere") {
  std::mt19937_64 random(7);  // NOLINT
  for (int count = 1; count <= 22; ++count) {
    for (int point = 0; point <= count; ++point) {
      for (int i = 0; i < 60; ++i) {
        std::string text = random() % 3 == 0 ? "-" : "";
        for (int digit = 0; digit < count; ++digit) {
          if (digit == point) text += '.';
          text += static_cast<char>('0' + (random() % 4 == 0 ? 9 : random() % 10));
        }
        if (text.find('.') == std::string::npos) continue;
        check_like_strtod(text);
      }
    }
  }
}

TEST_CASE("halfway cases and the edges of f64") {
  for (const char* text : {"0.0",
                           "-0.0",
                           "0.",
                           ".5",
                           "+1.5",
                           "1e0",
                           "1E+2",
                           "1e-2",
                           "4.9406564584124654e-324",
                           "2.4703282292062328e-324",
                           "2.2250738585072014e-308",
                           "2.2250738585072011e-308",
                           "1.7976931348623157e308",
                           "1.7976931348623158e308",
                           "9007199254740992.0",
                           "9007199254740993.0",
                           "9007199254740993.00000000000000000001",
                           "9007199254740994.0",
                           "0.500000000000000166533453693773481063544750213623046875",
                           "0.50000000000000016653345369377348106354475021362304687500000000000001",
                           "3.518437208883201171875e13",
                           "8.5e-320",
                           "123456789012345678901234567890.5",
                           "0.000000000000000000000000000000000000000000000000001",
                           "00001.5",
                           "1.00000000000000000000",
                           "99999999999999999999.9",
                           "18446744073709551615.5",
                           "1e22",
                           "1e23",
                           "8.98846567431158e307"}) {
    check_like_strtod(text);
  }
  // Ties between two doubles, made from the doubles themselves.
  std::mt19937_64 random(3);  // NOLINT
  for (int i = 0; i < 2000; ++i) {
    const std::uint64_t odd = (random() >> 10) | 1 | (std::uint64_t{1} << 53);
    check_like_strtod(decimal(odd) + ".0");
    check_like_strtod(decimal(odd) + "." + (random() % 2 == 0 ? "00000001" : "5"));
    check_like_strtod(print(std::ldexp(static_cast<double>(odd >> 1) + 0.0, -3), "%.*f", 4));
  }
}

TEST_CASE("nan and infinities, in any case") {
  double value = 0;
  for (const char* text : {"nan", "NaN", "NAN", "+nan"}) {
    CHECK(parse_f64(text, value) == NumberFault::none);
    CHECK(bits(value) == 0x7ff8000000000000);
  }
  CHECK(parse_f64("-nan", value) == NumberFault::none);
  CHECK(bits(value) == 0xfff8000000000000);
  for (const char* text : {"inf", "INF", "+Inf", "Infinity"}) {
    CHECK(parse_f64(text, value) == NumberFault::none);
    CHECK(value == std::numeric_limits<double>::infinity());
  }
  CHECK(parse_f64("-inf", value) == NumberFault::none);
  CHECK(value == -std::numeric_limits<double>::infinity());
  CHECK(parse_f64("nan", value, NumberSyntax::json) == NumberFault::not_a_number);
  for (const char* text : {"nano", "in", "infi", "- inf", "nan1", "iNg"}) {
    CHECK(parse_f64(text, value) == NumberFault::not_a_number);
  }
}

TEST_CASE("what is no number") {
  double value = 0;
  std::int64_t integer = 0;
  for (const char* text : {"", "-", "+", ".", "-.", "e5", "1e", "1e+", "1.2.3", "0x10", "1,5", "1 ",
                           " 1", "--1", "1-", "1e5.5", "1_000", "12a"}) {
    CAPTURE(text);
    CHECK(parse_f64(text, value) == NumberFault::not_a_number);
    CHECK(parse_i64(text, integer) == NumberFault::not_a_number);
    const std::string padded = std::string(text) + "\n0000000000000000";
    const auto plain = parse_plain_f64<NumberSyntax::text>(padded.data());
    if (plain.end != nullptr) CHECK(*plain.end != '\n');
  }
  // RFC 8259 is stricter than people are.
  for (const char* text : {"+1", "01", "-01", ".5", "5.", "1.e5", "00", "-.5", "-"}) {
    CAPTURE(text);
    CHECK(parse_f64(text, value, NumberSyntax::json) == NumberFault::not_a_number);
    const std::string padded = std::string(text) + ",0000000000000000";
    const auto plain = parse_plain_f64<NumberSyntax::json>(padded.data());
    if (plain.end != nullptr) CHECK(*plain.end != ',');
  }
  for (const char* text : {"0", "-0", "0.5", "-1e5", "1E-5", "10", "123456789.5"}) {
    CHECK(parse_f64(text, value, NumberSyntax::json) == NumberFault::none);
  }
}

TEST_CASE("out of the range of f64 is said, not rounded to zero or infinity") {
  double value = 0;
  for (const char* text : {"1e309", "-1.8e308", "1e999999999999", "1.7976931348623159e308"}) {
    CHECK(parse_f64(text, value) == NumberFault::too_large);
  }
  CHECK(parse_f64(std::string(400, '9'), value) == NumberFault::too_large);
  for (const char* text : {"1e-400", "-2e-324", "1e-999999999999"}) {
    CHECK(parse_f64(text, value) == NumberFault::too_small);
  }
  CHECK(parse_f64("0." + std::string(400, '0') + "1", value) == NumberFault::too_small);
  CHECK(parse_f64("0e999999", value) == NumberFault::none);
  CHECK(value == 0);
}

TEST_CASE("integers are exact in an f64 channel, or refused") {
  double value = 0;
  for (const char* text :
       {"9007199254740992", "-9007199254740992", "9007199254740994", "18446744073709551616",
        "100000000000000000000", "1208925819614629174706176",
        "00000000000000000000000000000000000000012", "1152921504606846976"}) {
    CAPTURE(text);
    CHECK(parse_f64(text, value) == NumberFault::none);
    CHECK(bits(value) == bits(std::strtod(text, nullptr)));
  }
  for (const char* text : {"9007199254740993", "-9007199254740993", "18446744073709551615",
                           "100000000000000000001", "123456789012345678901234567890"}) {
    CAPTURE(text);
    CHECK(parse_f64(text, value) == NumberFault::not_exact);
    const std::string padded = std::string(text) + ",0000000000000000";
    CHECK(parse_plain_f64<NumberSyntax::text>(padded.data()).end == nullptr);
  }
  // With a point it is a decimal, and the nearest f64 is what is asked for.
  CHECK(parse_f64("9007199254740993.0", value) == NumberFault::none);
}

TEST_CASE("whole numbers for an i64 channel, in any spelling") {
  std::int64_t value = 0;
  const auto check = [&value](const char* text, std::int64_t expected) {
    CAPTURE(text);
    CHECK(parse_i64(text, value) == NumberFault::none);
    CHECK(value == expected);
  };
  check("0", 0);
  check("-0", 0);
  check("12", 12);
  check("12.000", 12);
  check("1.2e1", 12);
  check("1200e-2", 12);
  check("9223372036854775807", std::numeric_limits<std::int64_t>::max());
  check("-9223372036854775808", std::numeric_limits<std::int64_t>::min());
  check("9223372036854775807.0000", std::numeric_limits<std::int64_t>::max());
  check("0e99999", 0);
  for (const char* text : {"9223372036854775808", "-9223372036854775809", "1e19", "1e30",
                           "99999999999999999999", "123456789012345678901234567890"}) {
    CHECK(parse_i64(text, value) == NumberFault::beyond_i64);
  }
  for (const char* text : {"1.5", "0.1", "1e-1", "-7.25"}) {
    CHECK(parse_i64(text, value) == NumberFault::not_whole);
  }
}

TEST_CASE("the first value decides the type of a channel") {
  InferredNumber number;
  CHECK(infer_number("9007199254740992", number) == NumberFault::none);
  CHECK(number.type == ValueType::f64);
  CHECK(infer_number("9007199254740993", number) == NumberFault::none);
  CHECK(number.type == ValueType::i64);
  CHECK(number.i64 == 9007199254740993);
  CHECK(infer_number("9007199254740994", number) == NumberFault::none);
  CHECK(number.type == ValueType::i64);
  CHECK(infer_number("-9223372036854775808", number) == NumberFault::none);
  CHECK(number.type == ValueType::i64);
  CHECK(infer_number("18446744073709551616", number) == NumberFault::none);
  CHECK(number.type == ValueType::f64);
  CHECK(infer_number("18446744073709551615", number) == NumberFault::beyond_i64);
  CHECK(infer_number("1e400", number) == NumberFault::too_large);
  CHECK(infer_number("9007199254740993.5", number) == NumberFault::none);
  CHECK(number.type == ValueType::f64);
  CHECK(infer_number("inf", number) == NumberFault::none);
  CHECK(number.type == ValueType::f64);
  CHECK(infer_number("x", number) == NumberFault::not_a_number);
}

TEST_CASE("the distance to a character") {
  const std::string text = "12.345,678901234567890,";
  CHECK(find_within_16(text.data(), ',') == 6);
  CHECK(find_within_16(text.data() + 7, ',') == 15);
  CHECK(find_within_16(text.data() + 6, ',') == 0);
  CHECK(find_within_16(text.data() + 7, ';') == 16);
}

}  // namespace
}  // namespace twinchain::record
