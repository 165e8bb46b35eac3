#include "twinchain/ledger/rpc_json.hpp"

#include <doctest/doctest.h>

using namespace twinchain;
using namespace twinchain::ledger;

TEST_CASE("json values keep their types, integers are exact") {
  const auto value = parse_json(
      R"({"i": 9223372036854775807, "n": -9223372036854775808, "u": 18446744073709551615,
          "r": 1e-05, "s": "a\u00e9\"b", "t": true, "z": null, "a": [1, [2], {}], "i": 3})");
  REQUIRE(value);
  CHECK(value->integer_at("i") == INT64_MAX);
  CHECK(value->integer_at("n") == INT64_MIN);
  CHECK_FALSE(value->integer_at("u"));
  CHECK(value->find("u")->kind == JsonValue::Kind::real);
  CHECK_FALSE(value->integer_at("r"));
  CHECK(value->text_at("s") == "a\xc3\xa9\"b");
  CHECK_FALSE(value->text_at("i"));
  CHECK(value->find("t")->boolean);
  CHECK(value->find("z")->kind == JsonValue::Kind::null);
  CHECK(value->find("a")->items.size() == 3);
  CHECK(value->find("a")->items[1].items[0].integer == 2);
  CHECK(value->find("missing") == nullptr);
  CHECK(parse_json("7")->integer == 7);
  CHECK(parse_json(" [] \n")->items.empty());
}

TEST_CASE("what is not one json value is refused") {
  for (const char* text : {"", " ", "{", "[1,]", "{\"a\"}", "nul", "\"\x01\"", "\"\xff\"", "1 2",
                           "{} x", "<html>", "{\"a\":1}}", "'a'", "// a\n1", "\"\\ud800\"", "[1"}) {
    CAPTURE(text);
    const auto value = parse_json(text);
    REQUIRE_FALSE(value);
    CHECK(value.error().code == ExitCode::malformed);
    CHECK(value.error().message.find('\n') == std::string::npos);
  }
}

TEST_CASE("json that is too deep or has too many values is refused") {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  CHECK(parse_json(nested(max_json_depth)));
  CHECK_FALSE(parse_json(nested(max_json_depth + 1)));
  CHECK_FALSE(parse_json(nested(1'000'000)));
  std::string many = "[0";
  for (std::size_t i = 2; i < max_json_values; ++i) many += ",0";
  CHECK(parse_json(many + "]"));
  CHECK_FALSE(parse_json(many + ",0]"));
  CHECK_FALSE(parse_json("{\"" + std::string(300, 'k') + "\":1}"));
}

TEST_CASE("amounts are exact to the smallest unit") {
  const auto amount = [](const char* text) { return amount_sat(*parse_json(text)); };
  CHECK(amount("0") == 0);
  CHECK(amount("0.00000001") == 1);
  CHECK(amount("0.00000553") == 553);
  CHECK(amount("1e-05") == 1000);
  CHECK(amount("49.99999447") == 4'999'999'447);
  CHECK(amount("20999999.97690000") == 2'099'999'997'690'000);
  CHECK(amount("83999999.99999999") == 8'399'999'999'999'999);
  for (std::int64_t sat = 1; sat < 9'000'000'000'000'000; sat = sat * 7 + 3) {
    char text[64];
    std::snprintf(text, sizeof text, "%lld.%08lld", static_cast<long long>(sat / 100'000'000),
                  static_cast<long long>(sat % 100'000'000));
    CHECK(amount(text) == sat);
  }
  CHECK_FALSE(amount("-1"));
  CHECK_FALSE(amount("90000001"));
  CHECK_FALSE(amount("1e300"));
  CHECK_FALSE(amount("\"1\""));
  CHECK_FALSE(amount("null"));
}

TEST_CASE("hashes are 64 digits, displayed in reverse") {
  const std::string digits = "00" + std::string(60, '1') + "ab";
  const auto value = parse_json("{\"a\":\"" + digits + "\",\"b\":\"00\",\"c\":5}");
  REQUIRE(value->hash_at("a"));
  CHECK((*value->hash_at("a"))[0] == 0xab);
  CHECK_FALSE(value->hash_at("b"));
  CHECK_FALSE(value->hash_at("c"));
}
