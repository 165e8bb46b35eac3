#include <doctest/doctest.h>

#include <limits>

#include "unit/record/row_parser_testing.hpp"

namespace twinchain::record::testing {
namespace {

using Texts = std::vector<std::string>;

ParserOptions raw(std::vector<std::string> names) {
  ParserOptions options;
  options.format = RowFormat::raw_f64;
  options.column_names = std::move(names);
  return options;
}

std::string bytes_of(const std::vector<double>& values) {
  Bytes out;
  for (const double value : values) append_le(out, std::bit_cast<std::uint64_t>(value));
  return std::string(as_text(out));
}

TEST_CASE("raw: rows of numbers, with the time of arrival") {
  const Parsed parsed = parse_every_way(raw({"a", "b"}), bytes_of({1, -2.5, 1e300, 5e-324}));
  CHECK(row_texts(parsed) == Texts{"a=f64 1 b=f64 -2.5", "a=f64 1e+300 b=f64 5e-324"});
  CHECK(parsed.rejects.empty());
  CHECK(parsed.time_note == "arrival");
}

TEST_CASE("raw: the time column, first, in the middle, last, alone") {
  const double time = 1700000000.25;
  for (const auto& [names, row] :
       {std::pair{std::vector<std::string>{"ts", "a", "b"}, std::vector<double>{time, 1, 2}},
        {{"a", "ts", "b"}, {1, time, 2}},
        {{"a", "b", "ts"}, {1, 2, time}}}) {
    const Parsed parsed = parse_every_way(raw(names), bytes_of(row) + bytes_of(row));
    CHECK(row_texts(parsed) ==
          Texts{"1700000000250000000 a=f64 1 b=f64 2", "1700000000250000000 a=f64 1 b=f64 2"});
    CHECK(parsed.time_note == "column \"ts\", epoch seconds (detected)");
  }
  CHECK(row_texts(parse_every_way(raw({"time"}), bytes_of({1.7e18, 1.75e18}))) ==
        Texts{"1700000000000000000", "1750000000000000000"});
}

TEST_CASE("raw: every bit of every number is kept") {
  const std::vector<std::uint64_t> words{0x7ff8000000000001, 0xfff8000000000000, 0x7ff0000000000001,
                                         0xffffffffffffffff, 0x7ff0000000000000, 0xfff0000000000000,
                                         0x8000000000000000, 0x0000000000000001};
  Bytes input;
  for (const std::uint64_t word : words) append_le(input, word);
  auto parser = make_row_parser(raw({"x"}));
  WindowBuilder builder(Schema{"test", {}, {}});
  REQUIRE((*parser)->parse(input, true, builder, {}));
  std::size_t seen = 0;
  Schema schema;
  const auto closed = builder.close({}, [&](const FrameHeader& header, ByteView body) -> Status {
    if (header.type == FrameType::schema) schema = *parse_schema_frame(header, body);
    if (header.type != FrameType::data) return {};
    const auto window = decode_window(header, body, schema);
    REQUIRE(window);
    REQUIRE(window->columns.size() == 1);
    REQUIRE(window->columns[0].size() == words.size());
    for (; seen < words.size(); ++seen) {
      CHECK(std::bit_cast<std::uint64_t>(window->columns[0].f64[seen]) == words[seen]);
    }
    return {};
  });
  CHECK(closed);
  CHECK(seen == words.size());
}

TEST_CASE("raw: a last row that was cut") {
  const std::string rows = bytes_of({1, 2, 3, 4});
  for (std::size_t size = 17; size < 32; ++size) {
    const Parsed parsed = parse_every_way(raw({"a", "b"}), rows.substr(0, size));
    CHECK(row_texts(parsed) == Texts{"a=f64 1 b=f64 2"});
    REQUIRE(parsed.rejects.size() == 1);
    CHECK(reject_text(parsed.rejects[0]) ==
          "line 2: the last row has " + decimal(std::uint64_t{size - 16}) +
              (size == 17 ? " byte" : " bytes") + " instead of 16");
    CHECK(parsed.rejects[0].text == rows.substr(16, size - 16));
    ParseControl strict;
    strict.strict = true;
    CHECK(parse_every_way(raw({"a", "b"}), rows.substr(0, size), strict)
              .error.starts_with("row 2 at byte 16: the last row has "));
  }
}

TEST_CASE("raw: rows whose time is none") {
  const auto check = [](double time, const std::string& why) {
    const std::string bad = bytes_of({9, time});
    const std::string text = bytes_of({1, 1700000000}) + bad + bytes_of({2, 1700000001});
    const Parsed parsed = parse_every_way(raw({"a", "t"}), text);
    CHECK(row_texts(parsed) == Texts{"1700000000000000000 a=f64 1", "1700000001000000000 a=f64 2"});
    REQUIRE(parsed.rejects.size() == 1);
    CHECK(reject_text(parsed.rejects[0]) == "line 2: column 2 \"t\": " + why);
    CHECK(parsed.rejects[0].text == bad);
    ParseControl strict;
    strict.strict = true;
    CHECK(parse_text(raw({"a", "t"}), text, 0, strict).error ==
          "row 2 at byte 16: column 2 \"t\": " + why);
  };
  check(std::numeric_limits<double>::quiet_NaN(), "not a number: nan");
  check(std::numeric_limits<double>::infinity(), "not a number: inf");
  check(1e300, "time out of the range of nanoseconds (years 1678 to 2261): 1e+300");
  check(-1e10, "time out of the range of nanoseconds (years 1678 to 2261): -1e+10");
}

TEST_CASE("raw: columns that are declared as i64") {
  ParserOptions options = raw({"x", "n"});
  options.declared = Schema{"test", {}, {{"n", ValueType::i64, "rpm", {}}}};
  const Parsed parsed = parse_every_way(
      options, bytes_of({1, 5, 2, -9223372036854775808.0, 3, 9223372036854775808.0, 4, 1.5, 5,
                         std::numeric_limits<double>::quiet_NaN(), 6, -0.0}));
  CHECK(row_texts(parsed) ==
        Texts{"n=i64 5 x=f64 1", "n=i64 -9223372036854775808 x=f64 2", "n=i64 0 x=f64 6"});
  REQUIRE(parsed.rejects.size() == 3);
  CHECK(reject_text(parsed.rejects[0]) ==
        "line 3: column 2 \"n\": not a whole number in the range of i64: 9223372036854775808");
  CHECK(reject_text(parsed.rejects[1]) ==
        "line 4: column 2 \"n\": not a whole number in the range of i64: 1.5");
  CHECK(reject_text(parsed.rejects[2]) ==
        "line 5: column 2 \"n\": not a whole number in the range of i64: nan");
  options.declared->channels[0].type = ValueType::string;
  CHECK(parse_text(options, bytes_of({1, 2})).error ==
        "column \"n\" is declared as string, but raw rows hold numbers");
}

TEST_CASE("raw: options that do not go together") {
  CHECK(parse_text(raw({}), "").error == "raw rows need the names of their columns");
  CHECK(parse_text(raw({"a", "a"}), "").error == "two columns are named \"a\"");
  CHECK(parse_text(raw({"a", ""}), "").error == "a column name is empty");
  ParserOptions options = raw({"a", "b"});
  options.time_field = "when";
  CHECK(parse_text(options, "").error == "no column is named \"when\"");
  options.time_field = "";
  options.time_unit = TimeUnit::seconds;
  CHECK(parse_text(options, "").error == "no column has a name that says time");
  options.time_unit = TimeUnit::iso8601;
  CHECK(parse_text(options, "").error == "raw rows hold no ISO 8601 times");
  CHECK(parse_text(options, "").code == ExitCode::usage);
  options = raw({"time", "a"});
  options.time_unit = TimeUnit::arrival;
  CHECK(row_texts(parse_text(options, bytes_of({1, 2}))) == Texts{"a=f64 2 time=f64 1"});
}

TEST_CASE("raw: a window that is full, and a limit of time") {
  std::string text;
  Texts expected;
  for (int i = 0; i < 1000; ++i) {
    text += bytes_of({1700000000.0 + i, i / 8.0});
    expected.push_back(decimal(std::int64_t{1700000000 + i}) + "000000000 x=f64 " +
                       shortest(i / 8.0));
  }
  for (const unsigned limit : {1U, 100U, 4096U, 5000U}) {
    ParseControl control;
    control.max_raw_bytes = limit;
    CHECK(row_texts(parse_text(raw({"t", "x"}), text, 777, control)) == expected);
  }
  auto parser = make_row_parser(raw({"t", "x"}));
  WindowBuilder builder(Schema{"test", {}, {}});
  ParseControl control;
  control.event_limit_ns = 1700000500000000000;
  const auto outcome = (*parser)->parse(as_bytes(text), true, builder, control);
  REQUIRE(outcome);
  CHECK(outcome->rows == 500);
  CHECK(outcome->consumed == 500 * 16);
  CHECK(outcome->next_event_ns == 1700000500000000000);
}

TEST_CASE("raw: a parser goes on from its saved state") {
  auto first = make_row_parser(raw({"t", "x"}));
  WindowBuilder builder(Schema{"test", {}, {}});
  REQUIRE((*first)->parse(as_bytes(bytes_of({1.7e12, 1})), false, builder, {}));
  const Bytes state = (*first)->save();
  auto second = make_row_parser(raw({"t", "x"}));
  REQUIRE((*second)->restore(state));
  CHECK((*second)->time_note() == "column \"t\", epoch milliseconds (detected)");
  ParseControl strict;
  strict.strict = true;
  const auto outcome = (*second)->parse(as_bytes(std::string_view("abc")), true, builder, strict);
  REQUIRE_FALSE(outcome);
  CHECK(outcome.error().message == "row 2 at byte 16: the last row has 3 bytes instead of 16");
  for (std::size_t i = 0; i < state.size(); ++i) {
    Bytes damaged = state;
    damaged[i] ^= 1;
    CHECK_FALSE((*second)->restore(damaged));
  }
}

}  // namespace
}  // namespace twinchain::record::testing
