#include <doctest/doctest.h>

#include <random>

#include "unit/record/row_parser_testing.hpp"

namespace twinchain::record::testing {
namespace {

using Texts = std::vector<std::string>;

ParserOptions ndjson() {
  ParserOptions options;
  options.format = RowFormat::ndjson;
  return options;
}

Parsed parse_ndjson(const std::string& text) {
  return parse_every_way(ndjson(), text);
}

TEST_CASE("ndjson: nested keys and arrays are flattened with dots") {
  const Parsed parsed = parse_ndjson(
      "{\"a\":1.5,\"b\":{\"c\":true,\"d\":[1,\"x\",null,{\"e\":false}]},\"f\":{},\"g\":[]}\n"
      "{\"b\":{\"d\":[2,\"y\"],\"c\":false}}\n");
  CHECK(row_texts(parsed) ==
        Texts{"a=f64 1.5 b.c=bool true b.d.0=f64 1 b.d.1=string x b.d.3.e=bool false",
              "b.c=bool false b.d.0=f64 2 b.d.1=string y"});
  CHECK(parsed.rejects.empty());
  CHECK(parsed.time_note == "arrival");
}

TEST_CASE("ndjson: blanks, empty lines, line ends, byte order mark") {
  for (const char* text :
       {"{\"a\":1}\n{\"a\":2}\n", "{\"a\":1}\r\n\r\n{\"a\":2}\r\n",
        "\xef\xbb\xbf{\"a\":1}\n{\"a\":2}", " { \"a\" : 1 } \n\n  \n\t{\"a\"\t:2}\n"}) {
    const Parsed parsed = parse_ndjson(text);
    CHECK(row_texts(parsed) == Texts{"a=f64 1", "a=f64 2"});
    CHECK(parsed.rejects.empty());
  }
}

TEST_CASE("ndjson: escapes in keys and strings") {
  const Parsed parsed = parse_ndjson(
      "{\"k\\u00e9y\":\"a\\\"b\\n\\ud83d\\ude00\",\"q\\\"\":1}\n"
      "{\"k\xc3\xa9y\":\"plain\",\"q\\u0022\":2}\n{\"k\\u00e9y\":\"again\",\"q\\\"\":3}\n");
  CHECK(row_texts(parsed) == Texts{"k\xc3\xa9y=string a\"b\n\xf0\x9f\x98\x80 q\"=f64 1",
                                   "k\xc3\xa9y=string plain q\"=f64 2",
                                   "k\xc3\xa9y=string again q\"=f64 3"});
  CHECK(parsed.schema.channels.size() == 2);
}

TEST_CASE("ndjson: numbers") {
  const Parsed parsed = parse_ndjson(
      "{\"a\":1,\"b\":9007199254740993}\n{\"a\":-0.0,\"b\":-9223372036854775808}\n"
      "{\"a\":1E5,\"b\":2.0}\n{\"a\":12345678901234567890.5,\"b\":1e3}\n"
      "{\"a\":0.1234567890123456789,\"b\":0}\n{\"a\":-1.5e-3,\"b\":-0}\n");
  CHECK(row_texts(parsed) == Texts{"a=f64 1 b=i64 9007199254740993",
                                   "a=f64 -0 b=i64 -9223372036854775808", "a=f64 1e+05 b=i64 2",
                                   "a=f64 12345678901234567168 b=i64 1000",
                                   "a=f64 0.12345678901234568 b=i64 0", "a=f64 -0.0015 b=i64 0"});
  CHECK(parsed.rejects.empty());
}

TEST_CASE("ndjson: the time key") {
  Parsed parsed =
      parse_ndjson("{\"ts\":1700000000123,\"a\":1}\n{\"a\":2,\"ts\":1700000000456.789}\n");
  CHECK(row_texts(parsed) == Texts{"1700000000123000000 a=f64 1", "1700000000456789000 a=f64 2"});
  CHECK(parsed.time_note == "key \"ts\", epoch milliseconds (detected)");
  parsed = parse_ndjson("{\"t\":1,\"time\":\"2026-11-22T11:18:47.25+01:00\"}\n");
  CHECK(row_texts(parsed) == Texts{"1795342727250000000 t=f64 1"});
  CHECK(parsed.time_note == "key \"time\", ISO 8601 (detected)");
  // The first row decides: here that rows have arrival times.
  parsed = parse_ndjson("{\"a\":1}\n{\"a\":2,\"ts\":1700000000}\n");
  CHECK(row_texts(parsed) == Texts{"a=f64 1", "a=f64 2 ts=f64 1.7e+09"});
  // A line that is no object decides nothing.
  parsed = parse_ndjson("[]\n{\"ts\":1700000000}\n");
  CHECK(row_texts(parsed) == Texts{"1700000000000000000"});

  ParserOptions options = ndjson();
  options.time_field = "meta.when";
  options.time_unit = TimeUnit::microseconds;
  parsed = parse_text(options, "{\"time\":3,\"meta\":{\"when\":\"1700000000123456\",\"x\":1}}\n");
  CHECK(row_texts(parsed) == Texts{"1700000000123456000 meta.x=f64 1 time=f64 3"});
  CHECK(parsed.time_note == "key \"meta.when\", epoch microseconds");
  options.time_field = "";
  parsed = parse_text(options, "{\"a\":1}\n{\"a\":1,\"ts\":1700000000123456}\n");
  REQUIRE(parsed.rejects.size() == 1);
  CHECK(parsed.rejects[0].reason == "no key has a name that says time");
  CHECK(parsed.rows.size() == 1);
  options.time_unit = TimeUnit::arrival;
  parsed = parse_text(options, "{\"ts\":5}\n");
  CHECK(row_texts(parsed) == Texts{"ts=f64 5"});
}

TEST_CASE("ndjson: bad lines, one fault each") {
  const std::string head = "{\"ts\":1700000000,\"temp\":1.5,\"on\":true,\"name\":\"x\"}\n";
  const auto check = [&](const std::string& line, const std::string& reason) {
    // Before and after rows that make a template of the line's shape.
    check_bad_line(ndjson(), {head + head + head + line + "\n" + head, line, "line 4: " + reason});
  };
  const std::string order = "malformed json: not in the order of keys, values, commas and brackets";
  const std::string scalar = "malformed json: neither a number, true, false nor null";
  check("{\"ts\":1700000000,\"temp\":\"hot\",\"on\":true,\"name\":\"x\"}",
        "key \"temp\": not a number: \"hot\"");
  check("{\"ts\":1700000000,\"temp\":true,\"on\":true,\"name\":\"x\"}",
        "key \"temp\": not a number: true");
  check("{\"ts\":1700000000,\"temp\":1.5,\"on\":1,\"name\":\"x\"}",
        "key \"on\": not true or false: 1");
  check("{\"ts\":1700000000,\"temp\":1.5,\"on\":true,\"name\":5}", "key \"name\": not a string: 5");
  check("{\"ts\":1700000000,\"temp\":9007199254740993,\"on\":true,\"name\":\"x\"}",
        "key \"temp\": integer is not exact as f64: 9007199254740993");
  check("{\"ts\":1700000000,\"temp\":1e400,\"on\":true,\"name\":\"x\"}",
        "key \"temp\": number too large for f64: 1e400");
  check("{\"ts\":1700000000,\"new\":18446744073709551615}",
        "key \"new\": integer out of the range of i64: 18446744073709551615");
  check("{\"temp\":1.5,\"on\":true,\"name\":\"x\"}", "key \"ts\": the time is missing");
  check("{\"ts\":null,\"temp\":1.5}", "key \"ts\": the time is missing");
  check("{\"ts\":\"soon\",\"temp\":1.5}", "key \"ts\": not a number: \"soon\"");
  check("{\"ts\":true,\"temp\":1.5}", "key \"ts\": not a time: true");
  check("{\"ts\":1,\"ts\":2}", "key \"ts\": is given twice");
  check("{\"ts\":1,\"temp\":1,\"temp\":2}", "key \"temp\": is given twice");
  check("{\"ts\":1,\"n\":1,\"n\":2}", "\"n\" is given twice");
  check("{\"ts\":1,\"\":2}", "a name is empty");
  check("[1,2]", "not a json object");
  check("17", "not a json object");
  check("{\"ts\":1700000000,\"temp\":1.5,\"on\":true,\"name\":\"x\"",
        "malformed json: ends too early");
  check("{\"ts\":1700000000,\"temp\":1.5,\"on\":true,\"name\":\"x\"}}",
        "malformed json: something follows the value");
  check("{\"ts\":1700000000,\"temp\":1.5,\"on\":true,\"name\":\"x\"},",
        "malformed json: something follows the value");
  check("{\"ts\":1700000000,\"temp\":1.5,\"on\":true,\"name\":\"x\"} 5",
        "malformed json: something follows the value");
  check("{\"ts\":1700000000,,\"temp\":1.5}", order);
  check("{\"ts\":1700000000,\"temp\":1.5,}", order);
  check("{\"ts\":1700000000 \"temp\":1.5}", order);
  check("{\"ts\" 1700000000}", order);
  check("{ts:1700000000}", order);
  check("{\"ts\":1700000000,\"temp\":}", scalar);
  check("{\"ts\":1700000000,\"temp\":01.5,\"on\":true,\"name\":\"x\"}", scalar);
  check("{\"ts\":1700000000,\"temp\":.5,\"on\":true,\"name\":\"x\"}", scalar);
  check("{\"ts\":1700000000,\"temp\":5.,\"on\":true,\"name\":\"x\"}", scalar);
  check("{\"ts\":1700000000,\"temp\":+5,\"on\":true,\"name\":\"x\"}", scalar);
  check("{\"ts\":1700000000,\"temp\":NaN,\"on\":true,\"name\":\"x\"}", scalar);
  check("{\"ts\":1700000000,\"temp\":1.5,\"on\":truex,\"name\":\"x\"}", scalar);
  check("{\"ts\":1700000000,\"temp\":1.5,\"on\":nul,\"name\":\"x\"}", scalar);
  check("{\"ts\":+1700000000,\"temp\":1.5,\"on\":true,\"name\":\"x\"}", scalar);
  check("{\"ts\":01700000000,\"temp\":1.5,\"on\":true,\"name\":\"x\"}", scalar);
  check("{\"ts\":1700000000,\"name\":\"x}", "malformed json: a string is not closed");
  check("{\"ts\":1700000000,\"name\":\"\\q\"}", "malformed json: a bad escape in a string");
  check("{\"ts\":1700000000,\"name\":\"a\x01\"}",
        "malformed json: a control character in a string");
  check("{\"ts\":1700000000,\"temp\":1.5,\"on\":true,\"name\":\"\xff\"}",
        "malformed json: not UTF-8");
  check(
      std::string("{\"ts\":1700000000,\"a\":") + std::string(70, '[') + std::string(70, ']') + "}",
      "key \"a" +
          std::string([] {
            std::string text;
            for (int i = 0; i < 63; ++i) text += ".0";
            return text;
          }())
              .substr(0, 59) +
          "...\": nested too deep");
}

TEST_CASE("ndjson: names cannot grow without bounds") {
  // 60 kB of key around thousands of short ones would spell hundreds of megabytes.
  std::string text = "{\"" + std::string(60'000, 'k') + "\":{";
  for (int i = 0; i < 10'000; ++i) {
    if (i > 0) text += ',';
    text += "\"" + decimal(std::int64_t{i}) + "\":1";
  }
  text +=
      "}}\n{\"" + std::string(65'536, 'k') + "\":1}\n{\"" + std::string(65'535, 'k') + "\":1}\n";
  const Parsed parsed = parse_text(ndjson(), text);
  REQUIRE(parsed.rejects.size() == 2);
  CHECK(parsed.rejects[0].reason == "the names of its new channels are too long");
  CHECK(parsed.rejects[1].reason == "a name is longer than 65535 bytes");
  CHECK(parsed.rows.size() == 1);
}

TEST_CASE("ndjson: declared channels") {
  ParserOptions options = ndjson();
  options.declared = Schema{
      "test", {}, {{"n", ValueType::i64, "rpm", {}}, {"pos.x", ValueType::f64, "metre", {}}}};
  const Parsed parsed = parse_text(options, "{\"n\":5,\"pos\":{\"x\":7}}\n{\"n\":5.5}\n");
  CHECK(row_texts(parsed) == Texts{"n=i64 5 pos.x=f64 7"});
  REQUIRE(parsed.rejects.size() == 1);
  CHECK(parsed.rejects[0].reason == "key \"n\": not a whole number: 5.5");
  CHECK(parsed.schema.channels[1].unit == "metre");
}

/// What the rows of one random generator are, and the same rows with every key in its own order,
/// which no template fits.
TEST_CASE("ndjson: templates do not change what is read") {
  std::mt19937_64 random(99);  // NOLINT: a fixed seed makes the test repeatable
  for (int round = 0; round < 60; ++round) {
    const std::size_t keys = 1 + random() % 8;
    const char* const blank = random() % 2 == 0 ? " " : "";
    std::string regular;
    std::string shuffled;
    std::vector<int> kinds;
    for (std::size_t i = 0; i < keys; ++i) kinds.push_back(static_cast<int>(random() % 6));
    for (int row = 0; row < 80; ++row) {
      std::vector<std::string> members;
      for (std::size_t i = 0; i < keys; ++i) {
        std::string value;
        switch (kinds[i]) {
          case 0:
            value = random() % 2 == 0 ? "true" : "false";
            break;
          case 1:
            value = "\"" + std::string(random() % 9, 'x') +
                    (random() % 5 == 0   ? "\\n"
                     : random() % 5 == 0 ? "\xc3\xa9"
                                         : "") +
                    "\"";
            break;
          case 2:
            value = decimal(static_cast<std::int64_t>(random() % 1000));
            break;
          default:
            value = shortest(std::ldexp(static_cast<double>(random() >> (random() % 60)), -30));
        }
        if (random() % 30 == 0) value = "null";
        members.push_back("\"key" + decimal(std::uint64_t{i}) + "\":" + blank + value);
        if (kinds[i] == 5) members.back().insert(0, "\"in\":{").append("}");
        if (kinds[i] == 5) members.back().replace(1, 2, "in" + decimal(std::uint64_t{i}));
      }
      const auto join = [&members, blank] {
        std::string text = "{";
        for (std::size_t i = 0; i < members.size(); ++i) {
          if (i > 0) text += std::string(",") + blank;
          text += members[i];
        }
        return text + "}\n";
      };
      regular += join();
      std::shuffle(members.begin(), members.end(), random);
      shuffled += join();
    }
    const Parsed expected = parse_text(ndjson(), shuffled);
    CHECK(expected.rejects.empty());
    for (const std::size_t piece : {std::size_t{0}, std::size_t{1}, 1 + random() % 300}) {
      ParseControl control;
      if (random() % 2 == 0) control.max_raw_bytes = 1 + random() % 3000;
      const Parsed parsed = parse_text(ndjson(), regular, piece, control);
      CHECK(parsed.rejects.empty());
      CHECK(row_texts(parsed) == row_texts(expected));
    }
  }
}

TEST_CASE("ndjson: rows of several shapes in turn") {
  std::string text;
  Texts expected;
  for (int i = 0; i < 300; ++i) {
    const std::string n = decimal(std::int64_t{i});
    switch (i % 7) {
      case 0:
      case 3:
        text += "{\"a\":" + n + ",\"b\":2}\n";
        expected.push_back("a=f64 " + shortest(i) + " b=f64 2");
        break;
      case 1:
        text += "{\"b\":" + n + "}\n";
        expected.push_back("b=f64 " + shortest(i));
        break;
      case 2:
        text += "{\"s\":\"x" + n + "\",\"a\":null}\n";
        expected.push_back("s=string x" + n);
        break;
      default:
        text += "{\"k" + decimal(std::int64_t{i % 10}) + "\":{\"v\":" + n + "}}\n";
        expected.push_back("k" + decimal(std::int64_t{i % 10}) + ".v=f64 " + shortest(i));
    }
  }
  const Parsed parsed = parse_text(ndjson(), text);
  CHECK(parsed.rejects.empty());
  CHECK(row_texts(parsed) == expected);
}

TEST_CASE("ndjson: spellings of numbers that JSON does not have, as values and times") {
  for (const char* number :
       {"+1",    "01",   "-01",  "1.",  ".5",  "-.5",      "-",         "1e",
        "1e+",   "1.e5", "0x10", "NaN", "nan", "Infinity", "-Infinity", "inf",
        "1_000", "1,5x", "--1",  "1-",  "1 2", "TRUE",     "None",      "'1'"}) {
    CAPTURE(number);
    const std::string as_value = std::string("{\"a\":") + number + "}";
    const std::string as_time = std::string("{\"ts\":") + number + "}";
    // As the first row, and where rows like it have made a template.
    for (const char* before : {"", "{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n"}) {
      const Parsed parsed = parse_ndjson(before + as_value + "\n");
      CHECK(parsed.rows.size() == (*before == 0 ? 0 : 3));
      REQUIRE(parsed.rejects.size() == 1);
      CHECK(parsed.rejects[0].text == as_value);
      CHECK(parsed.rejects[0].reason.starts_with("malformed json: "));
    }
    for (const char* before : {"", "{\"ts\":1}\n{\"ts\":2}\n{\"ts\":3}\n"}) {
      const Parsed parsed = parse_ndjson(before + as_time + "\n");
      CHECK(parsed.rows.size() == (*before == 0 ? 0 : 3));
      REQUIRE(parsed.rejects.size() == 1);
      CHECK(parsed.rejects[0].reason.starts_with("malformed json: "));
    }
  }
}

TEST_CASE("ndjson: what follows the object, and what is missing of it") {
  const auto reason = [](const std::string& line) {
    const Parsed parsed = parse_ndjson(line + "\n");
    REQUIRE(parsed.rejects.size() == 1);
    CHECK(parsed.rows.empty());
    return parsed.rejects[0].reason;
  };
  const std::string follows = "malformed json: something follows the value";
  const std::string early = "malformed json: ends too early";
  for (const char* rest :
       {" 5", "5", " x", ",", "]", "}", " {}", "{\"b\":1}", "\"s\"", " null", "[]", ":"}) {
    CAPTURE(rest);
    CHECK(reason(std::string("{\"a\":\"}\\\"]\",\"b\":[{}]}") + rest) == follows);
  }
  const std::string whole = "{\"a\":{\"b\":[1,\"x\"]}}";
  CHECK(parse_ndjson(whole + "\n").rejects.empty());
  for (std::size_t size = 1; size < whole.size(); ++size) {
    CAPTURE(size);
    CHECK(reason(whole.substr(0, size)).starts_with("malformed json: "));
  }
  CHECK(reason("{\"a\":1") == early);
  CHECK(reason("{\"a\":[1}") != follows);
  CHECK(reason("{") == early);
}

TEST_CASE("ndjson: surrogates") {
  CHECK(row_texts(parse_ndjson("{\"a\":\"\\ud83d\\ude00\"}\n")) ==
        Texts{"a=string \xf0\x9f\x98\x80"});
  for (const char* bad : {"\\ud83d", "\\ude00", "\\ud83dx", "\\ud83d\\u0041", "\\u12", "\\u123g"}) {
    CAPTURE(bad);
    const Parsed parsed = parse_ndjson(std::string("{\"a\":\"") + bad + "\"}\n");
    CHECK(parsed.rows.empty());
    REQUIRE(parsed.rejects.size() == 1);
    CHECK(parsed.rejects[0].reason == "malformed json: a bad escape in a string");
  }
}

TEST_CASE("ndjson: null bytes and other bytes that JSON does not have") {
  CHECK(row_texts(parse_ndjson("{\"a\":\"x\\u0000y\"}\n")) ==
        Texts{std::string("a=string x\0y", 12)});
  for (const std::string& bad : {std::string("{\"a\":\"x\0y\"}", 11), std::string("{\"a\":1\0}", 8),
                                 std::string("{\"a\":1}\0", 8), std::string("\0{\"a\":1}", 8),
                                 std::string("{\"a\":\"\xc3\"}"), std::string("{\"\xff\":1}"),
                                 std::string("{\"a\":\"\xed\xa0\x80\"}")}) {
    const Parsed parsed = parse_ndjson("{\"a\":\"\"}\n" + bad + "\n{\"a\":\"z\"}\n");
    CHECK(parsed.rows.size() == 2);
    REQUIRE(parsed.rejects.size() == 1);
    CHECK(parsed.rejects[0].text == bad);
    CHECK(parsed.rejects[0].reason.starts_with("malformed json: "));
  }
}

TEST_CASE("ndjson: a name that two spellings share is given twice, and leaves no channel behind") {
  for (const char* line : {"{\"a\":{\"b\":1},\"a.b\":2}", "{\"n\":1,\"n\":2}",
                           "{\"n\":1,\"\\u006e\":2}", "{\"x\":[5],\"x.0\":6}"}) {
    CAPTURE(line);
    const Parsed parsed = parse_ndjson(std::string(line) + "\n");
    CHECK(parsed.rows.empty());
    REQUIRE(parsed.rejects.size() == 1);
    CHECK(parsed.rejects[0].reason.ends_with(" is given twice"));
    CHECK(parsed.schema.channels.empty());
  }
}

TEST_CASE("ndjson: a row longer than the limit") {
  ParserOptions options = ndjson();
  options.max_row_bytes = 20;
  const Parsed parsed = parse_every_way(
      options, "{\"a\":1}\n{\"a\":\"012345678901\"}\n{\"a\":1,\"b\":\"0123\"}\n{\"a\":2}");
  CHECK(row_texts(parsed) == Texts{"a=f64 1", "a=f64 1 b=string 0123", "a=f64 2"});
  REQUIRE(parsed.rejects.size() == 1);
  CHECK(reject_text(parsed.rejects[0]) == "line 2: key \"a\": not a number: \"012345678901\"");
  options.max_row_bytes = 17;
  CHECK(parse_every_way(options, "{\"a\":1,\"b\":\"0123\"}\r\n").rejects.size() == 2);
}

}  // namespace
}  // namespace twinchain::record::testing
