#include <doctest/doctest.h>

#include "twinchain/base/hex.hpp"
#include "unit/record/row_parser_testing.hpp"

namespace twinchain::record::testing {
namespace {

using Texts = std::vector<std::string>;

ParserOptions mqtt() {
  ParserOptions options;
  options.format = RowFormat::mqtt;
  return options;
}

/// A line as mosquitto_sub -F '%U %t %x' prints it.
std::string line(const std::string& topic, const std::string& payload,
                 const std::string& time = "1700000000.123456789") {
  return time + " " + topic + " " + to_hex(as_bytes(payload)) + "\n";
}

Parsed parse_mqtt(const std::string& text) {
  return parse_every_way(mqtt(), text);
}

/// The values of one message on topic "t", without its time and raw payload.
std::string content(const std::string& payload) {
  const Parsed parsed = parse_mqtt(line("t", payload));
  REQUIRE(parsed.rows.size() == 1);
  CHECK(parsed.rejects.empty());
  CHECK(parsed.rows[0].time_ns == 1700000000123456789);
  CHECK(parsed.rows[0].values.at("t#payload") == "string " + payload);
  Row row = parsed.rows[0];
  row.time_ns = arrival_ns;
  row.values.erase("t#payload");
  return row_text(row);
}

TEST_CASE("mqtt: payloads that are one value") {
  CHECK(content("21.5") == "t=f64 21.5");
  CHECK(content(" 21.5\r\n") == "t=f64 21.5");
  CHECK(content("-0") == "t=f64 -0");
  CHECK(content("nan") == "t=f64 nan");
  CHECK(content("9007199254740993") == "t=i64 9007199254740993");
  CHECK(content("true") == "t=bool true");
  CHECK(content("False") == "t=bool false");
  CHECK(content("on") == "t=string on");
  CHECK(content(" on \n") == "t=string  on \n");
  CHECK(content("\"12\"") == "t=string 12");
  CHECK(content("\"a\\u00e9\\n\"") == "t=string a\xc3\xa9\n");
  CHECK(content("\"not closed") == "t=string \"not closed");
  CHECK(content("\"a\" b") == "t=string \"a\" b");
  CHECK(content("") == "");
  CHECK(content(" \t\r\n") == "");
  CHECK(content("null") == "");
}

TEST_CASE("mqtt: payloads that are JSON are flattened") {
  CHECK(content("{\"a\":1,\"b\":{\"c\":true,\"d\":[\"x\",null,2]}}") ==
        "t.a=f64 1 t.b.c=bool true t.b.d.0=string x t.b.d.2=f64 2");
  CHECK(content("[1,{\"k\":\"v\"}]") == "t.0=f64 1 t.1.k=string v");
  CHECK(content("\n{ \"a\" : 1 }\n") == "t.a=f64 1");
  CHECK(content("{}") == "");
  CHECK(content("[]") == "");
}

TEST_CASE("mqtt: what only looks like JSON is a text") {
  for (const char* text :
       {"{\"a\":1", "{\"a\":01}", "{a:1}", "[1,2", "{\"a\":1} 5", "[x]", "{", "{\"a\":\"\xff\"}"}) {
    CAPTURE(text);
    CHECK(content(text) == std::string("t=string ") + text);
  }
}

TEST_CASE("mqtt: every byte of a payload is kept") {
  std::string payload;
  for (int i = 0; i < 256; ++i) payload += static_cast<char>(i);
  const Parsed parsed = parse_text(mqtt(), line("t", payload));
  REQUIRE(parsed.rows.size() == 1);
  CHECK(parsed.rows[0].values.at("t#payload") == "string " + payload);
  CHECK(parsed.rows[0].values.at("t") == "string " + payload);
  CHECK(content(std::string("\0", 1)) == std::string("t=string \0", 10));
  CHECK(content(std::string("1\0", 2)) == std::string("t=string 1\0", 11));
  CHECK(content("\xff\xfe") == "t=string \xff\xfe");
  // Large digits are digits too.
  CHECK(row_texts(parse_mqtt("1700000000 t C3A9\n")) ==
        Texts{"1700000000000000000 t=string \xc3\xa9 t#payload=string \xc3\xa9"});
}

TEST_CASE("mqtt: topics with blanks, unicode, dots, and levels") {
  const Parsed parsed = parse_mqtt(
      line("room 1/temp", "1", "1700000000") + line(" lead", "2", "1700000000") +
      line("a  b", "3", "1700000000") + line("gr\xc3\xbc\xc3\x9f\x65", "4", "1700000000") +
      line("/", "5", "1700000000") + line("x.y", "{\"z\":6}", "1700000000"));
  CHECK(parsed.rejects.empty());
  REQUIRE(parsed.rows.size() == 6);
  CHECK(parsed.rows[0].values.at("room 1/temp") == "f64 1");
  CHECK(parsed.rows[1].values.at(" lead") == "f64 2");
  CHECK(parsed.rows[2].values.at("a  b") == "f64 3");
  CHECK(parsed.rows[3].values.at("gr\xc3\xbc\xc3\x9f\x65") == "f64 4");
  CHECK(parsed.rows[4].values.at("/") == "f64 5");
  CHECK(parsed.rows[5].values.at("x.y.z") == "f64 6");
}

TEST_CASE("mqtt: an empty payload, with its blank and without") {
  for (const char* text :
       {"1700000000.5 a/b \n", "1700000000.5 a/b\n", "1700000000.5 a/b \r\n", "1700000000.5 a/b"}) {
    CAPTURE(text);
    CHECK(row_texts(parse_mqtt(text)) == Texts{"1700000000500000000 a/b#payload=string "});
  }
}

TEST_CASE("mqtt: times") {
  const Parsed parsed = parse_mqtt(line("t", "1", "1700000000") + line("t", "2", "0.000000001") +
                                   line("t", "3", "-1.5"));
  REQUIRE(parsed.rows.size() == 3);
  CHECK(parsed.rows[0].time_ns == 1700000000000000000);
  CHECK(parsed.rows[1].time_ns == 1);
  CHECK(parsed.rows[2].time_ns == -1500000000);
  CHECK(parsed.time_note == "first field of the line, epoch seconds");
  ParserOptions options = mqtt();
  options.time_unit = TimeUnit::milliseconds;
  CHECK(parse_text(options, line("t", "1", "1700000000123")).rows[0].time_ns ==
        1700000000123000000);
  options.time_unit = TimeUnit::arrival;
  const Parsed arrival = parse_text(options, line("t", "1", "whenever"));
  REQUIRE(arrival.rows.size() == 1);
  CHECK(arrival.rows[0].time_ns == arrival_ns);
  CHECK(arrival.time_note == "arrival");
}

TEST_CASE("mqtt: a channel takes the type of its first value; texts take all") {
  const Parsed parsed =
      parse_mqtt(line("n", "1") + line("n", "on") + line("n", "\"2\"") + line("n", "") +
                 line("s", "on") + line("s", "1") + line("s", "true") + line("b", "true") +
                 line("b", "1") + line("n", "{\"x\":1}"));
  CHECK(parsed.rows.size() == 7);
  REQUIRE(parsed.rejects.size() == 3);
  CHECK(reject_text(parsed.rejects[0]) == "line 2: topic \"n\": not a number: \"on\"");
  CHECK(reject_text(parsed.rejects[1]) == "line 3: topic \"n\": not a number: \"2\"");
  CHECK(reject_text(parsed.rejects[2]) == "line 9: topic \"b\": not true or false: \"1\"");
  CHECK(parsed.rejects[0].text + "\n" == line("n", "on"));
}

TEST_CASE("mqtt: bad lines, one fault each") {
  const std::string head = line("t", "1.5") + line("j", "{\"a\":1}");
  const auto check = [&](const std::string& bad, const std::string& reason) {
    check_bad_line(mqtt(), {head + "\n" + bad + "\n" + head, bad, "line 4: " + reason});
  };
  check("x", "not a time, a topic and a payload in hexadecimal");
  check("1700000000", "not a time, a topic and a payload in hexadecimal");
  check("1700000000 ", "the topic is missing");
  check("1700000000  31", "the topic is missing");
  check(" t 31", "time: not a number: \"\"");
  check("soon t 31", "time: not a number: \"soon\"");
  check("2026-11-22T11:18:47Z t 31", "time: not a number: \"2026-11-22T11:18:47Z\"");
  check("9999999999999 t 31",
        "time: time out of the range of nanoseconds (years 1678 to 2261): \"9999999999999\"");
  check("1700000000 t 3", "the payload is not hexadecimal: \"3\"");
  check("1700000000 t 313", "the payload is not hexadecimal: \"313\"");
  check("1700000000 t 3g", "the payload is not hexadecimal: \"3g\"");
  check("1700000000 t 1.5", "the payload is not hexadecimal: \"1.5\"");
  check("1700000000 t \xff\xff", "the payload is not hexadecimal: \"\\xff\\xff\"");
  check("1700000000 t 6f6e", "topic \"t\": not a number: \"on\"");
  check("1700000000 t 3965393939", "topic \"t\": number too large for f64: \"9e999\"");
  check("1700000000 j " + to_hex(as_bytes(std::string_view("{\"a\":\"x\"}"))),
        "topic \"j\": key \"j.a\": not a number: \"x\"");
  check("1700000000 j " + to_hex(as_bytes(std::string_view("{\"a\":1,\"a\":2}"))),
        "topic \"j\": key \"j.a\": is given twice");
}

TEST_CASE("mqtt: a refused line leaves no channel behind") {
  const Parsed parsed =
      parse_mqtt("1700000000 new 3\nsoon new 31\n" + line("new", "{\"k\":1,\"k\":2}"));
  CHECK(parsed.rejects.size() == 3);
  CHECK(parsed.schema.channels.empty());
}

TEST_CASE("mqtt: declared channels: whole names, last level of the topic, keys alone") {
  ParserOptions options = mqtt();
  options.declared = Schema{"test",
                            {},
                            {{"lorry/7/temp", ValueType::i64, "C", {}},
                             {"door", ValueType::boolean, "", {}},
                             {"gps.lat", ValueType::i64, "degree", {}},
                             {"lon", ValueType::string, "", {}}}};
  const Parsed parsed =
      parse_text(options, line("lorry/7/temp", "5") + line("lorry/7/door", "true") +
                              line("lorry/7/gps", "{\"lat\":48,\"lon\":\"9\"}") +
                              line("lorry/7/door", "1") + line("lorry/7/gps", "{\"lat\":48.5}"));
  REQUIRE(parsed.rows.size() == 3);
  CHECK(parsed.rows[0].values.at("lorry/7/temp") == "i64 5");
  CHECK(parsed.rows[1].values.at("lorry/7/door") == "bool true");
  CHECK(parsed.rows[2].values.at("lorry/7/gps.lat") == "i64 48");
  CHECK(parsed.rows[2].values.at("lorry/7/gps.lon") == "string 9");
  CHECK(parsed.rejects.size() == 2);
}

}  // namespace
}  // namespace twinchain::record::testing
