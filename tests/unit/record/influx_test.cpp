#include <doctest/doctest.h>

#include "unit/record/row_parser_testing.hpp"

namespace twinchain::record::testing {
namespace {

using Texts = std::vector<std::string>;

ParserOptions influx() {
  ParserOptions options;
  options.format = RowFormat::influx;
  return options;
}

Parsed parse_influx(const std::string& text) {
  return parse_every_way(influx(), text);
}

TEST_CASE("influx: measurement, tags, fields, time") {
  const Parsed parsed = parse_influx(
      "weather,location=us-midwest temperature=82,humidity=71.5 1465839830100400200\n"
      "weather temperature=81\n"
      "weather,b=2,a=1 temperature=80 1465839830100400201\n"
      "weather,a=1,b=2 temperature=79 1465839830100400202\n");
  CHECK(row_texts(parsed) ==
        Texts{"1465839830100400200 weather,location=us-midwest.humidity=f64 71.5 "
              "weather,location=us-midwest.temperature=f64 82",
              "weather.temperature=f64 81",
              "1465839830100400201 weather,a=1,b=2.temperature=f64 80",
              "1465839830100400202 weather,a=1,b=2.temperature=f64 79"});
  CHECK(parsed.rejects.empty());
  CHECK(parsed.time_note == "timestamp of the line, epoch nanoseconds (detected), else arrival");
}

TEST_CASE("influx: types") {
  const Parsed parsed = parse_influx(
      "m f=1,i=-12i,u=12u,t=t,g=TRUE,s=\"x\"\n"
      "m f=-1.5e3,i=9223372036854775807i,u=0u,t=False,g=T,s=\"\"\n"
      "m f=12i,i=7,u=7i,t=true,g=f,s=\"12i\"\n");
  CHECK(row_texts(parsed) ==
        Texts{"m.f=f64 1 m.g=bool true m.i=i64 -12 m.s=string x m.t=bool true m.u=i64 12",
              "m.f=f64 -1500 m.g=bool true m.i=i64 9223372036854775807 m.s=string  m.t=bool false "
              "m.u=i64 0",
              "m.f=f64 12 m.g=bool false m.i=i64 7 m.s=string 12i m.t=bool true m.u=i64 7"});
  CHECK(parsed.rejects.empty());
}

TEST_CASE("influx: escapes") {
  const Parsed parsed = parse_influx(
      "my\\ mea\\,sure,t\\ ag\\=x=va\\,lue fie\\ ld\\=a=1,b=\"q\\\"uo\\\\te\\n\"\n"
      "back\\slash,k=v\\x f\\y=2\n"
      "mea=sure f=3\n");
  CHECK(row_texts(parsed) == Texts{"my mea\\,sure,t ag\\=x=va\\,lue.b=string q\"uo\\te\\n "
                                   "my mea\\,sure,t ag\\=x=va\\,lue.fie ld=a=f64 1",
                                   "back\\slash,k=v\\x.f\\y=f64 2", "mea\\=sure.f=f64 3"});
  CHECK(parsed.rejects.empty());
}

TEST_CASE("influx: quotes mean something only at the start of a value") {
  const Parsed parsed = parse_influx(
      "a\"b,t=\"x,u=y\" f=1\n"
      "m k\"=2,\"l\"=3\n"
      "m s=\"a,b=c d\",n=4 1700000000\n"
      "  # it's a \"comment\n"
      "#\"\n"
      "m n=5\n");
  CHECK(row_texts(parsed) == Texts{"a\"b,t=\"x,u=y\".f=f64 1", "m.\"l\"=f64 3 m.k\"=f64 2",
                                   "1700000000000000000 m.n=f64 4 m.s=string a,b=c d",
                                   "m.n=f64 5"});
  CHECK(parsed.rejects.empty());
}

TEST_CASE("influx: a text may have line ends, and lines are counted through them") {
  const Parsed parsed = parse_influx("m s=\"a\nb\r\nc\" 1700000000\r\nm s=\"\\\"\n\"\nm s=1\n");
  CHECK(row_texts(parsed) == Texts{"1700000000000000000 m.s=string a\nb\r\nc", "m.s=string \"\n"});
  REQUIRE(parsed.rejects.size() == 1);
  CHECK(reject_text(parsed.rejects[0]) == "line 6: field \"s\": not a string: 1");
}

TEST_CASE("influx: a quote that nobody closes costs one line") {
  const Parsed parsed = parse_influx("m s=\"a\nm n=1\nm n=2\n");
  CHECK(row_texts(parsed) == Texts{"m.n=f64 1", "m.n=f64 2"});
  REQUIRE(parsed.rejects.size() == 1);
  CHECK(reject_text(parsed.rejects[0]) == "line 1: a quote is not closed");
  CHECK(parsed.rejects[0].text == "m s=\"a");
  const Parsed pair = parse_influx("m s=\"a\nm s=\"b\"\n");
  CHECK(row_texts(pair) == Texts{"m.s=string b"});
  REQUIRE(pair.rejects.size() == 1);
  CHECK(reject_text(pair.rejects[0]) == "line 1: a quote is not closed");
}

TEST_CASE("influx: blanks, comments, empty lines, line ends") {
  const Parsed parsed = parse_influx(
      "# comment\n\n  m   f=1   1700000000  \r\n\t\n#\nm f=2 1700000001\nm f=3 1700000002");
  CHECK(row_texts(parsed) == Texts{"1700000000000000000 m.f=f64 1", "1700000001000000000 m.f=f64 2",
                                   "1700000002000000000 m.f=f64 3"});
  CHECK(parsed.rejects.empty());
  CHECK(parsed.time_note == "timestamp of the line, epoch seconds (detected)");
}

TEST_CASE("influx: units of time") {
  ParserOptions options = influx();
  CHECK(row_texts(parse_text(options, "m f=1 1700000000123\nm f=2 5\n")) ==
        Texts{"1700000000123000000 m.f=f64 1", "5000000 m.f=f64 2"});
  options.time_unit = TimeUnit::nanoseconds;
  CHECK(row_texts(parse_text(options, "m f=1 5\nm f=2 -5\n")) ==
        Texts{"5 m.f=f64 1", "-5 m.f=f64 2"});
  options.time_unit = TimeUnit::arrival;
  const Parsed parsed = parse_text(options, "m f=1 5\nm f=2\n");
  CHECK(row_texts(parsed) == Texts{"m.f=f64 1", "m.f=f64 2"});
  CHECK(parsed.time_note == "arrival");
  CHECK(parse_text(influx(), "m f=1\n").time_note == "arrival");
}

TEST_CASE("influx: bad lines, one fault each") {
  const std::string head = "m,t=a f=1,i=2i,b=true,s=\"x\" 1700000000\n";
  const auto check = [&](const std::string& line, const std::string& reason) {
    check_bad_line(influx(), {head + "# c\n" + line + "\n" + head, line, "line 3: " + reason});
  };
  check("m", "the fields are missing");
  check("m,t=a", "the fields are missing");
  check("m,t=a 1700000000", "field \"1700000000\" has no value");
  check("m,t=a f", "field \"f\" has no value");
  check("m,t=a f=", "field \"f\" has no value");
  check("m,t=a f=,i=2i", "field \"f\" has no value");
  check("m,t=a f=1,", "a field has no name");
  check("m,t=a f=1,=2", "a field has no name");
  check("m,t=a f=1, i=2i", "a field has no name");
  check(",t=a f=1", "the measurement is missing");
  check("m,t f=1", "tag \"t\" has no value");
  check("m,t= f=1", "tag \"t\" has no value");
  check("m,=a f=1", "a tag has no name");
  check("m, f=1", "a tag has no name");
  check("m,t=a,t=b f=1", "tag \"t\" is given twice");
  check("m,t=a f=x", "field \"f\": not a value of the line protocol: x");
  check("m,t=a f=1.5i", "field \"f\": not a value of the line protocol: 1.5i");
  check("m,t=a f=-5u", "field \"f\": not a value of the line protocol: -5u");
  check("m,t=a f=nan", "field \"f\": not a value of the line protocol: nan");
  check("m,t=a f=1e999", "field \"f\": number too large for f64: 1e999");
  check("m,t=a f=9007199254740993i", "field \"f\": integer is not exact as f64: 9007199254740993i");
  check("m,t=a i=9223372036854775808i",
        "field \"i\": integer out of the range of i64: 9223372036854775808i");
  check("m,t=a i=18446744073709551615u",
        "field \"i\": integer out of the range of i64: 18446744073709551615u");
  check("m,t=a i=1.5", "field \"i\": not a whole number: 1.5");
  check("m,t=a f=\"x\"", "field \"f\": not a number: \"x\"");
  check("m,t=a f=true", "field \"f\": not a number: true");
  check("m,t=a b=1", "field \"b\": not true or false: 1");
  check("m,t=a b=tRUE", "field \"b\": not a value of the line protocol: tRUE");
  check("m,t=a s=x", "field \"s\": not a value of the line protocol: x");
  check("m,t=a s=\"x\"y", "field \"s\": text after a closing quote");
  check("m,t=a f=1,f=2", "field \"f\": is given twice: 2");
  check("m,t=a n=1,n=2", "\"m,t=a.n\" is given twice");
  check("m,t=a f=1 soon", "timestamp: not a number: \"soon\"");
  check("m,t=a f=1 17 18", "timestamp: not a number: \"17 18\"");
  check("m,t=a f=1 99999999999",
        "timestamp: time out of the range of nanoseconds (years 1678 to 2261): \"99999999999\"");
  check("m,t=a f=1 2026-11-22T00:00:00Z", "timestamp: not a number: \"2026-11-22T00:00:00Z\"");
}

TEST_CASE("influx: bytes that are not text") {
  const Parsed parsed = parse_influx(std::string("m s=\"a\0b\xff\"\nm\xff,t=\xfe f=1\n", 22));
  REQUIRE(parsed.rows.size() == 2);
  CHECK(parsed.rows[0].values.at("m.s") == std::string("string a\0b\xff", 11));
  CHECK(parsed.rows[1].values.at("m\xff,t=\xfe.f") == "f64 1");
}

TEST_CASE("influx: a refused line leaves no channel behind") {
  const Parsed parsed = parse_influx("m a=1,b=x\nm n=1,n=2\nm c=1 soon\n");
  CHECK(parsed.rejects.size() == 3);
  CHECK(parsed.schema.channels.empty());
}

TEST_CASE("influx: declared channels, by the whole name, without tags, and by the field alone") {
  ParserOptions options = influx();
  options.declared = Schema{"test",
                            {},
                            {{"m,t=a.f", ValueType::i64, "rpm", {}},
                             {"m.g", ValueType::i64, "K", {}},
                             {"h", ValueType::string, "", {}}}};
  const Parsed parsed =
      parse_text(options, "m,t=a f=1,g=2,h=\"3\"\nm,t=b f=1,g=2.0,h=\"3\"\nm g=1.5\n");
  CHECK(row_texts(parsed) == Texts{"m,t=a.f=i64 1 m,t=a.g=i64 2 m,t=a.h=string 3",
                                   "m,t=b.f=f64 1 m,t=b.g=i64 2 m,t=b.h=string 3"});
  REQUIRE(parsed.rejects.size() == 1);
  CHECK(parsed.rejects[0].reason == "field \"g\": not a whole number: 1.5");
}

TEST_CASE("influx: a line longer than the limit") {
  ParserOptions options = influx();
  options.max_row_bytes = 16;
  for (std::size_t size = 1; size < 24; ++size) {
    CAPTURE(size);
    const std::string text = "m s=\"" + std::string(size, 'x') + "\"\nm n=1\nm s=\"" +
                             std::string(size / 2, 'y') + "\n" + std::string(size / 2, 'y') +
                             "\"\nm n=2\n";
    const Parsed parsed = parse_every_way(options, text);
    REQUIRE(!parsed.rows.empty());
    CHECK(row_text(parsed.rows.back()) == "m.n=f64 2");
    CHECK(parsed.rejects.empty() == (size <= 9));
  }
}

/// More different names than are remembered at a time.
TEST_CASE("influx: names that never come again are forgotten") {
  auto parser = make_row_parser(influx());
  REQUIRE(parser);
  WindowBuilder builder(Schema{"test", {}, {}});
  std::uint64_t lines = 0;
  for (int block = 0; block < 40; ++block) {
    std::string text;
    for (int i = 0; i < 1000; ++i) {
      text += "m " + decimal(lines++) + std::string(100, 'k') + "=x\n";
    }
    REQUIRE((*parser)->parse(as_bytes(text), true, builder, {}));
  }
  CHECK(builder.rejected_rows() == lines);
  const std::string good = "m a=1\n";
  const auto outcome = (*parser)->parse(as_bytes(good), true, builder, {});
  REQUIRE(outcome);
  CHECK(outcome->rows == 1);
}

}  // namespace
}  // namespace twinchain::record::testing
