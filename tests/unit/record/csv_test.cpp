#include <doctest/doctest.h>

#include <random>

#include "unit/record/row_parser_testing.hpp"

namespace twinchain::record::testing {
namespace {

using Texts = std::vector<std::string>;

ParserOptions csv() {
  return {};
}

Parsed parse_csv(const std::string& text) {
  return parse_every_way(csv(), text);
}

TEST_CASE("csv: numbers, bools, text and no value") {
  const Parsed parsed = parse_csv("a,b,c,d\n1.5,true,on,\n-2e3,False,,7\n,,\" x,\"\"y\"\"\",8\n");
  CHECK(row_texts(parsed) == Texts{"a=f64 1.5 b=bool true c=string on",
                                   "a=f64 -2000 b=bool false d=f64 7",
                                   "c=string  x,\"y\" d=f64 8"});
  CHECK(parsed.rejects.empty());
  CHECK(parsed.time_note == "arrival");
}

TEST_CASE("csv: line ends, byte order mark, last line without its end") {
  for (const char* text : {"a,b\n1,2\n3,4\n", "a,b\r\n1,2\r\n3,4\r\n", "a,b\n1,2\n3,4",
                           "\xef\xbb\xbf"
                           "a,b\r\n1,2\r\n3,4",
                           "\n\na,b\n\n1,2\n\r\n3,4\n\n"}) {
    CAPTURE(text);
    const Parsed parsed = parse_every_way(csv(), text);
    CHECK(row_texts(parsed) == Texts{"a=f64 1 b=f64 2", "a=f64 3 b=f64 4"});
    CHECK(parsed.rejects.empty());
  }
}

TEST_CASE("csv: quotes as RFC 4180 has them") {
  const Parsed parsed = parse_csv(
      "\"na,me\",\"li\nne\",\"q\"\"\"\n\"12.5\",\"two\r\nlines\",\"say \"\"hi\"\"\"\n"
      "\"\",\"\",\"\"\n 3 ,x,\" \"\n");
  CHECK(row_texts(parsed) ==
        Texts{"li\nne=string two\r\nlines na,me=f64 12.5 q\"=string say \"hi\"",
              "li\nne=string  q\"=string ",  // empty text in text channels, nothing in a number's
              "li\nne=string x na,me=f64 3 q\"=string  "});
  CHECK(parsed.rejects.empty());
}

TEST_CASE("csv: lines are counted through quoted line ends") {
  const Parsed parsed = parse_csv("a,b\n\"x\ny\nz\",1\nfine,oops\n");
  REQUIRE(parsed.rejects.size() == 1);
  CHECK(reject_text(parsed.rejects[0]) == "line 5: column 2 \"b\": not a number: \"oops\"");
  CHECK(parsed.rows.size() == 1);
}

TEST_CASE("csv: separators") {
  ParserOptions options = csv();
  options.csv_separator = ';';
  CHECK(row_texts(parse_text(options, "a;b\n1;2,5\n")) == Texts{"a=f64 1 b=string 2,5"});
  options.csv_separator = '\t';
  CHECK(row_texts(parse_text(options, "a\tb\n1\t\n2\t3\n")) == Texts{"a=f64 1", "a=f64 2 b=f64 3"});
  options.csv_separator = ' ';
  options.csv_without_header = true;
  options.column_names = {"unit", "cycle", "x"};
  const Parsed blanks =
      parse_every_way(options, "1 2 -0.0007  \n  1   3 \"4\"\n \n 1 5 \"a b\"\n1 2\n");
  CHECK(row_texts(blanks) ==
        Texts{"cycle=f64 2 unit=f64 1 x=f64 -7e-04", "cycle=f64 3 unit=f64 1 x=f64 4"});
  REQUIRE(blanks.rejects.size() == 2);
  CHECK(reject_text(blanks.rejects[0]) == "line 4: column 3 \"x\": not a number: \"a b\"");
  CHECK(reject_text(blanks.rejects[1]) == "line 5: 2 fields instead of 3");
  for (const char bad : {'"', '\n', '.', '5', '-'}) {
    options.csv_separator = bad;
    CHECK(parse_text(options, "").code == ExitCode::usage);
  }
}

TEST_CASE("csv: names from the options") {
  ParserOptions options = csv();
  options.column_names = {"x", "y"};
  CHECK(row_texts(parse_text(options, "a,b\n1,2\n")) == Texts{"x=f64 1 y=f64 2"});
  CHECK(parse_text(options, "a,b,c\n").error ==
        "line 1 at byte 0: header: it has 3 columns, but 2 names are given");
  options.csv_without_header = true;
  CHECK(row_texts(parse_text(options,
                             "\xef\xbb\xbf"
                             "1,2\n")) == Texts{"x=f64 1 y=f64 2"});
  options.column_names = {"x", "x"};
  CHECK(parse_text(options, "").error == "two columns are named \"x\"");
  options.column_names = {};
  CHECK(parse_text(options, "").error == "without a header line the columns need names");
  // An index column without a name, as pandas writes it.
  CHECK(row_texts(parse_csv(",a\n0,1\n")) == Texts{"a=f64 1 column_1=f64 0"});
}

TEST_CASE("csv: header lines that cannot be used") {
  const auto error = [](const std::string& text, const ParserOptions& options = csv()) {
    const Parsed parsed = parse_text(options, text);
    CHECK(parsed.code == ExitCode::malformed);
    CHECK(parsed.rows.empty());
    return parsed.error;
  };
  CHECK(error("a,b,a\n1,2,3\n") ==
        "line 1 at byte 0: header: columns 1 and 3 have the same name \"a\"");
  CHECK(error("\n1,2,3.5\n") ==
        "line 2 at byte 1: header: the first line holds numbers, not names");
  CHECK(error("a,\"b\"x\n") == "line 1 at byte 0: header: column 2: text after a closing quote");
  CHECK(error("a,b\"x\n") ==
        "line 1 at byte 0: header: column 2: a quote inside of a field that is not quoted");
  CHECK(error("\xff\xfe"
              "a\n") == "line 1 at byte 0: header: the input is UTF-16, not UTF-8");
  ParserOptions options = csv();
  options.time_field = "when";
  CHECK(error("ts,a\n", options) == "line 1 at byte 0: header: no column is named \"when\"");
  options.time_field = "";
  options.time_unit = TimeUnit::milliseconds;
  CHECK(error("a,b\n", options) == "line 1 at byte 0: header: no column has a name that says time");
}

TEST_CASE("csv: the time column") {
  Parsed parsed = parse_csv("value,ts\n1,1700000000.25\n2,1700000001\n");
  CHECK(row_texts(parsed) ==
        Texts{"1700000000250000000 value=f64 1", "1700000001000000000 value=f64 2"});
  CHECK(parsed.time_note == "column \"ts\", epoch seconds (detected)");
  parsed = parse_csv("timestamp,value\n2013-12-02 21:15:00,73.96732207\n");
  CHECK(row_texts(parsed) == Texts{"1386018900000000000 value=f64 73.96732207"});
  CHECK(parsed.time_note ==
        "column \"timestamp\", ISO 8601, UTC where no zone is given (detected)");
  // The best name wins, wherever it stands.
  parsed = parse_csv("date,TIME,t\n1,1700000000123,3\n");
  CHECK(row_texts(parsed) == Texts{"1700000000123000000 date=f64 1 t=f64 3"});

  ParserOptions options = csv();
  options.time_field = "when";
  options.time_unit = TimeUnit::nanoseconds;
  parsed = parse_text(options, "time,when\n5,\"1700000000123456789\"\n");
  CHECK(row_texts(parsed) == Texts{"1700000000123456789 time=f64 5"});
  CHECK(parsed.time_note == "column \"when\", epoch nanoseconds");
  options.time_unit = TimeUnit::arrival;
  options.time_field = "";
  parsed = parse_text(options, "time,when\n5,6\n");
  CHECK(row_texts(parsed) == Texts{"time=f64 5 when=f64 6"});
  CHECK(parsed.time_note == "arrival");
}

TEST_CASE("csv: large integers open an i64 channel") {
  const Parsed parsed =
      parse_csv("id,n\n9007199254740993,1\n-5,9007199254740992\n7.0,9007199254740994\n");
  CHECK(row_texts(parsed) == Texts{"id=i64 9007199254740993 n=f64 1",
                                   "id=i64 -5 n=f64 9007199254740992",
                                   "id=i64 7 n=f64 9007199254740994"});
  CHECK(parsed.rejects.empty());
  CHECK(row_texts(parse_csv("serial\n98765432109876543210987\nx\n")) ==
        Texts{"serial=string 98765432109876543210987", "serial=string x"});
}

TEST_CASE("csv: nan, infinities and negative zero are f64") {
  CHECK(
      row_texts(parse_csv("a,b\n1,1\nnan,-0\n-inf,-0.000\nInfinity,NaN\n")) ==
      Texts{"a=f64 1 b=f64 1", "a=f64 nan b=f64 -0", "a=f64 -inf b=f64 -0", "a=f64 inf b=f64 nan"});
}

TEST_CASE("csv: bad lines, one fault each") {
  const std::string head = "ts,temp,on,name\n1700000000,1.5,true,x\n";
  const auto check = [&](const std::string& line, const std::string& reason) {
    check_bad_line(csv(), {head + line + "\n1700000001,2.5,false,y\n", line, "line 3: " + reason});
  };
  check("1700000000,1.5,true", "3 fields instead of 4");
  check("1700000000,1.5,true,x,y", "5 fields instead of 4");
  check("x", "1 field instead of 4");
  check("1700000000,hot,true,x", "column 2 \"temp\": not a number: \"hot\"");
  check("1700000000,1.5.2,true,x", "column 2 \"temp\": not a number: \"1.5.2\"");
  check("1700000000,1e999,true,x", "column 2 \"temp\": number too large for f64: \"1e999\"");
  check("1700000000,1e-999,true,x", "column 2 \"temp\": number too small for f64: \"1e-999\"");
  check("1700000000,9007199254740993,true,x",
        "column 2 \"temp\": integer is not exact as f64: \"9007199254740993\"");
  check("1700000000,1.5,1,x", "column 3 \"on\": not true or false: \"1\"");
  check(",1.5,true,x", "column 1 \"ts\": the time is missing");
  check("soon,1.5,true,x", "column 1 \"ts\": not a number: \"soon\"");
  check("2026-11-22T11:18:47Z,1.5,true,x",
        "column 1 \"ts\": not a number: \"2026-11-22T11:18:47Z\"");
  check("99999999999,1.5,true,x",
        "column 1 \"ts\": time out of the range of nanoseconds (years 1678 to 2261): "
        "\"99999999999\"");
  check("1700000000,1.5,true,x\"y",
        "column 4 \"name\": a quote inside of a field that is not quoted");
  check("1700000000,1.5,true,\"x\"y", "column 4 \"name\": text after a closing quote");
  check("1700000000,1.5,true,x,y\"z", "more than 4 fields");
  check("1700000000,1.5\x01,true,x", "column 2 \"temp\": not a number: \"1.5\\x01\"");
}

TEST_CASE("csv: a quote that nobody closes costs one line") {
  const Parsed parsed = parse_csv("a,b\n1,\"x\n2,y\n3,z\n");
  CHECK(row_texts(parsed) == Texts{"a=f64 2 b=string y", "a=f64 3 b=string z"});
  REQUIRE(parsed.rejects.size() == 1);
  CHECK(reject_text(parsed.rejects[0]) == "line 2: a quote is not closed");
  CHECK(parsed.rejects[0].text == "1,\"x");
  // One that is forgotten does not take the next row with it, whose quotes would pair with it.
  for (const char* next : {"\"y\"", "\"y\",", "\"\"\"y\"\"\""}) {
    const Parsed pair =
        parse_csv(std::string("b,a\n\"x,1\n") + next + (next[3] == ',' ? "2\n" : ",2\n"));
    CHECK(pair.rows.size() == 1);
    REQUIRE(pair.rejects.size() == 1);
    CHECK(reject_text(pair.rejects[0]) == "line 2: a quote is not closed");
  }
  // Long before the end, too: no row may wait for ever.
  std::string text = "a,b\n1,\"x\n";
  for (int i = 0; i < 200; ++i) text += "2,y\n";
  auto parser = make_row_parser(csv());
  REQUIRE(parser);
  WindowBuilder builder(Schema{"test", {}, {}});
  const auto outcome = (*parser)->parse(as_bytes(text), false, builder, {});
  REQUIRE(outcome);
  CHECK(outcome->consumed == text.size());
  CHECK(outcome->rows == 200);
  CHECK(builder.rejected_rows() == 1);
}

TEST_CASE("csv: rows that are too long are cut into rejects, and nothing of them is lost") {
  ParserOptions options = csv();
  options.max_row_bytes = 16;
  const std::string long_line = "123456789012345678901234567890123456789";
  const std::string text = "a\n1\n" + long_line + "\n1234567890123456\r\n12345678901234567\n2\n";
  {
    const Parsed parsed = parse_every_way(options, text);
    REQUIRE(parsed.rejects.size() == 5);
    std::string kept;
    for (std::size_t i = 0; i < 3; ++i) {
      CHECK(reject_text(parsed.rejects[i]) ==
            std::string("line 3: row is longer than 16 bytes") + (i > 0 ? " (continued)" : ""));
      kept += parsed.rejects[i].text;
    }
    CHECK(kept == long_line);
    CHECK(reject_text(parsed.rejects[3]) == "line 5: row is longer than 16 bytes");
    CHECK(reject_text(parsed.rejects[4]) == "line 5: row is longer than 16 bytes (continued)");
    CHECK(parsed.rejects[3].text + parsed.rejects[4].text == "12345678901234567");
    CHECK(row_texts(parsed) == Texts{"a=f64 1", "a=f64 1234567890123456", "a=f64 2"});
  }
}

TEST_CASE("csv: a rejected row leaves no channel behind") {
  const Parsed parsed = parse_csv("a,b\n1,\n2,x\"\n3,\n");
  CHECK(parsed.schema.channels.size() == 1);
  CHECK(parsed.rejects.size() == 1);
}

TEST_CASE("csv: declared channels") {
  ParserOptions options = csv();
  options.declared = Schema{"test",
                            {},
                            {{"n", ValueType::i64, "rpm", {}},
                             {"x", ValueType::f64, "degreeCelsius", {}},
                             {"s", ValueType::string, {}, {}},
                             {"b", ValueType::boolean, {}, {}}}};
  const Parsed parsed = parse_text(options, "n,x,s,b,other\n5,9,7,TRUE,1\n6.5,9,7,true,1\n");
  CHECK(row_texts(parsed) == Texts{"b=bool true n=i64 5 other=f64 1 s=string 7 x=f64 9"});
  REQUIRE(parsed.rejects.size() == 1);
  CHECK(parsed.rejects[0].reason == "column 1 \"n\": not a whole number: \"6.5\"");
  REQUIRE(parsed.schema.channels.size() == 5);
  CHECK(parsed.schema.channels[0] == Channel{"n", ValueType::i64, "rpm", {}});
  CHECK(parsed.schema.channels[1].unit == "degreeCelsius");
}

TEST_CASE("csv: an unclosed quote in the header, or a header without end, is an error") {
  CHECK(parse_csv("\"a,b\n1,2\n").error == "line 1 at byte 0: header: a quote is not closed");
  ParserOptions options = csv();
  options.max_row_bytes = 16;
  CHECK(parse_every_way(options, "abcdefghij,klmnopqrst\n1,2\n").error ==
        "line 1 at byte 0: header: row is longer than 16 bytes");
}

TEST_CASE("csv: a quoted header may have line ends, with a byte order mark too") {
  for (const char* mark : {"", "\xef\xbb\xbf"}) {
    const Parsed parsed = parse_csv(mark + std::string("\"li\nne\",\"b\"\r\n1,2\n"));
    CHECK(parsed.error == "");
    CHECK(row_texts(parsed) == Texts{"b=f64 2 li\nne=f64 1"});
  }
}

TEST_CASE("csv: quotes that are closed too late cost one line each way of reading") {
  ParserOptions options = csv();
  options.max_row_bytes = 16;
  // The quote closes where the row may just be whole, or not any more, in its second line.
  for (const char* line_end : {"\n", "\r\n"}) {
    for (std::size_t size = 8; size < 24; ++size) {
      CAPTURE(size);
      const std::string text = std::string("a,b\n1,x\n2,\"ab") + line_end + std::string(size, 'c') +
                               "\"" + line_end + "3,d" + line_end;
      const Parsed parsed = parse_every_way(options, text);
      CHECK(parsed.error == "");
      REQUIRE(!parsed.rows.empty());
      CHECK(row_text(parsed.rows.back()) == "a=f64 3 b=string d");
      const std::size_t row_size = 5 + std::string(line_end).size() + size + 1;
      CHECK(parsed.rejects.empty() == (row_size <= 16));
      if (!parsed.rejects.empty()) {
        CHECK(reject_text(parsed.rejects[0]) == "line 3: a quote is not closed");
        CHECK(parsed.rejects[0].text == "2,\"ab");
        CHECK(parsed.rejects[1].line == 4);
      }
    }
  }
}

TEST_CASE("csv: null bytes and bytes that are not UTF-8 are kept in text, refused elsewhere") {
  const std::string null("a\0b", 3);
  const Parsed parsed = parse_csv("n,s\n1," + null + "\n2,\xff\xfe\xc3\n3,\"" + null + "\"\n");
  REQUIRE(parsed.rows.size() == 3);
  CHECK(parsed.rows[0].values.at("s") == "string " + null);
  CHECK(parsed.rows[1].values.at("s") == "string \xff\xfe\xc3");
  CHECK(parsed.rows[2].values.at("s") == "string " + null);
  check_bad_line(csv(), {"n,s\n1,x\n" + std::string("2\0,x", 4) + "\n", std::string("2\0,x", 4),
                         "line 3: column 1 \"n\": not a number: \"2\\x00\""});
}

TEST_CASE("csv: a header that comes again is a reject, and the rows after it go on") {
  check_bad_line(csv(), {"time,a\n1700000000,1\nTIME,A\n1700000001,2\n", "TIME,A",
                         "line 3: column 1 \"time\": not a number: \"TIME\""});
  check_bad_line(
      csv(), {"a,b\n1,2\n3,4\nA,B\n5,6\n", "A,B", "line 4: column 1 \"a\": not a number: \"A\""});
}

TEST_CASE("csv: a row that is refused leaves no channel of its other columns behind") {
  const Parsed parsed = parse_csv("time,a,b\n1700000000,,\nsoon,7,x\n1700000001,text,\n");
  CHECK(row_texts(parsed) == Texts{"1700000000000000000", "1700000001000000000 a=string text"});
  CHECK(parsed.schema.channels.size() == 1);
}

TEST_CASE("csv: the extremes of f64") {
  CHECK(row_texts(parse_csv(
            "x\n4.9406564584124654e-324\n1.7976931348623157e308\n-2.2250738585072011e-308\n"
            "0x10\n")) ==
        Texts{"x=f64 5e-324", "x=f64 1.7976931348623157e+308", "x=f64 -2.225073858507201e-308"});
  const Parsed parsed =
      parse_csv("n\n9223372036854775807\n-9223372036854775808\n9223372036854775808\n1.5\n");
  CHECK(row_texts(parsed) == Texts{"n=i64 9223372036854775807", "n=i64 -9223372036854775808"});
  REQUIRE(parsed.rejects.size() == 2);
  CHECK(parsed.rejects[0].reason ==
        "column 1 \"n\": integer out of the range of i64: \"9223372036854775808\"");
  CHECK(parsed.rejects[1].reason == "column 1 \"n\": not a whole number: \"1.5\"");
}

TEST_CASE("csv: a parser goes on from its saved state") {
  const std::string text = "ts,a,b\n1700000000123,1,x\n1700000000456,2,y\n5,3,\"z\nz\"\n";
  const Parsed expected = parse_csv(text);
  CHECK(expected.rows.back().time_ns == 5'000'000);
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    CAPTURE(cut);
    auto first = make_row_parser(csv());
    auto second = make_row_parser(csv());
    WindowBuilder builder(Schema{"test", {}, {}});
    ParseControl control;
    control.arrival_ns = arrival_ns;
    const auto before =
        (*first)->parse(as_bytes(std::string_view(text).substr(0, cut)), false, builder, control);
    REQUIRE(before);
    const Bytes state = (*first)->save();
    REQUIRE((*second)->restore(state));
    CHECK((*second)->save() == state);
    CHECK((*second)->time_note() == (*first)->time_note());
    REQUIRE((*second)->parse(as_bytes(std::string_view(text).substr(before->consumed)), true,
                             builder, control));
    Parsed parsed;
    parsed.time_note = (*second)->time_note();
    read_window(builder, 0, parsed);
    CHECK(whole_text(parsed) == whole_text(expected));
    // Bytes that save() did not make.
    for (std::size_t i = 0; i < state.size(); ++i) {
      Bytes damaged = state;
      damaged[i] ^= 0x20;
      auto third = make_row_parser(csv());
      CHECK_FALSE((*third)->restore(damaged));
      CHECK_FALSE((*third)->restore(ByteView(state).first(i)));
    }
  }
}

/// The fast path (only plain numbers) and the other one must not differ.
TEST_CASE("csv: random tables are read alike in any pieces, and bit for bit") {
  std::mt19937_64 random(42);  // NOLINT: a fixed seed makes the test repeatable
  for (int round = 0; round < 60; ++round) {
    const std::size_t columns = 1 + random() % 6;
    const bool with_time = random() % 2 == 0;
    std::string text = with_time ? "ts," : "";
    for (std::size_t i = 0; i < columns; ++i) {
      if (i > 0) text += ',';
      text += "c" + decimal(std::uint64_t{i});
    }
    text += "\n";
    Texts expected;
    for (std::size_t row = 0; row < 100; ++row) {
      std::string row_expected;
      if (with_time) {
        text += decimal(std::uint64_t{1700000000 + row}) + ",";
        row_expected = decimal(std::uint64_t{1700000000 + row}) + "000000000";
      }
      for (std::size_t i = 0; i < columns; ++i) {
        if (i > 0) text += ',';
        const double value = std::ldexp(static_cast<double>(random() >> (random() % 60)), -40);
        std::string cell = shortest(value);
        if (random() % 40 == 0 && columns > 1) cell = "";
        const auto style = random() % 40;
        if (style == 0) cell = "\"" + cell + "\"";
        if (style == 1) cell = " " + cell;
        text += cell;
        if (cell.find_first_of("0123456789") == std::string::npos) continue;
        if (!row_expected.empty()) row_expected += ' ';
        row_expected += "c" + decimal(std::uint64_t{i}) + "=f64 " + shortest(value);
      }
      text += random() % 20 == 0 ? "\r\n" : "\n";
      if (!row_expected.empty() || columns > 1) expected.push_back(row_expected);
    }
    for (const std::size_t piece : {std::size_t{0}, std::size_t{1}, 1 + random() % 300}) {
      ParseControl control;
      if (random() % 2 == 0) control.max_raw_bytes = 1 + random() % 3000;
      const Parsed parsed = parse_text(csv(), text, piece, control);
      CHECK(parsed.rejects.empty());
      CHECK(row_texts(parsed) == expected);
    }
  }
}

}  // namespace
}  // namespace twinchain::record::testing
