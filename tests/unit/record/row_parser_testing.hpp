// What the tests of the row parsers share: text in, rows and rejects as text out.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "twinchain/base/text.hpp"
#include "twinchain/record/column_reader.hpp"
#include "twinchain/record/row_parser.hpp"
#include "unit/sanitized.hpp"

template <>
struct doctest::StringMaker<std::vector<std::string>> {
  static doctest::String convert(const std::vector<std::string>& texts) {
    std::string all;
    for (const std::string& text : texts) all += "\n  " + twinchain::escape(text);
    return all.c_str();
  }
};

namespace twinchain::record::testing {

using twinchain::testing::step_if_sanitized;

inline constexpr std::int64_t arrival_ns = std::int64_t{1'800'000'000} * 1'000'000'000;

/// A row: its time and its values by channel name, each as "f64 1.5", "i64 7", "bool true",
/// "string abc".
struct Row {
  std::int64_t time_ns = 0;
  std::map<std::string, std::string> values;
};

struct Parsed {
  std::vector<Row> rows;
  std::vector<Reject> rejects;
  Schema schema;
  std::string time_note;
  std::string error;  ///< of parse() or make_row_parser()
  ExitCode code = ExitCode::success;
};

inline std::string value_text(const Column& column, std::size_t i) {
  switch (column.type) {
    case ValueType::f64:
      return "f64 " + std::string(std::signbit(column.f64[i]) && column.f64[i] == 0
                                      ? "-0"
                                      : shortest(column.f64[i]));
    case ValueType::i64:
      return "i64 " + decimal(column.i64[i]);
    case ValueType::boolean:
      return column.boolean[i] != 0 ? "bool true" : "bool false";
    case ValueType::string:
      return "string " + column.string[i];
  }
  return {};
}

/// Closes the builder's window and adds what is in it, read back from its frames.
inline void read_window(WindowBuilder& builder, std::uint64_t sequence, Parsed& parsed) {
  WindowEnd end;
  end.sequence = sequence;
  const auto closed = builder.close(end, [&](const FrameHeader& header, ByteView body) -> Status {
    if (header.type == FrameType::schema) {
      auto schema = parse_schema_frame(header, body);
      REQUIRE(schema);
      parsed.schema = std::move(*schema);
    } else if (header.type == FrameType::reject) {
      auto rejects = parse_reject_body(body);
      REQUIRE(rejects);
      parsed.rejects.insert(parsed.rejects.end(), rejects->begin(), rejects->end());
    } else {
      const auto window = decode_window(header, body, parsed.schema);
      REQUIRE(window);
      const std::size_t first = parsed.rows.size();
      for (const std::int64_t time_ns : window->times_ns) parsed.rows.push_back({time_ns, {}});
      for (const Column& column : window->columns) {
        const std::string& name = parsed.schema.channels[column.channel].name;
        for (std::size_t i = 0; i < column.size(); ++i) {
          const std::size_t row = column.rows.empty() ? i : column.rows[i];
          parsed.rows[first + row].values[name] = value_text(column, i);
        }
      }
    }
    return {};
  });
  REQUIRE(closed);
}

/// Gives the text in parts that end at `ends`, then what is left as the end of the input, and reads
/// everything back.
inline Parsed parse_parts(const ParserOptions& options, std::string_view text,
                          const std::vector<std::size_t>& ends, ParseControl control = {}) {
  Parsed parsed;
  auto parser = make_row_parser(options);
  if (!parser) {
    parsed.error = parser.error().message;
    parsed.code = parser.error().code;
    return parsed;
  }
  control.arrival_ns = arrival_ns;
  WindowBuilder builder(Schema{"test", {}, {}});
  std::size_t begin = 0;
  std::size_t part = 0;
  std::uint64_t sequence = 0;
  while (true) {
    const bool at_end = part == ends.size();
    const std::size_t end = at_end ? text.size() : ends[part];
    // An exact copy on the heap, so that a sanitizer sees a read past the end.
    const Bytes input(text.begin() + static_cast<std::ptrdiff_t>(begin),
                      text.begin() + static_cast<std::ptrdiff_t>(end));
    const auto outcome = (*parser)->parse(input, at_end, builder, control);
    if (!outcome) {
      parsed.error = outcome.error().message;
      parsed.code = outcome.error().code;
      break;
    }
    REQUIRE(outcome->consumed <= input.size());
    begin += outcome->consumed;
    if (outcome->stopped_by_size) {
      read_window(builder, sequence++, parsed);
    } else if (at_end) {
      CHECK(begin == text.size());
      break;
    } else {
      ++part;
    }
  }
  parsed.time_note = (*parser)->time_note();
  read_window(builder, sequence, parsed);
  return parsed;
}

/// In pieces of `piece` bytes; 0: all at once.
inline Parsed parse_text(const ParserOptions& options, std::string_view text, std::size_t piece = 0,
                         const ParseControl& control = {}) {
  std::vector<std::size_t> ends;
  for (std::size_t end = piece; piece > 0 && end < text.size(); end += piece) ends.push_back(end);
  return parse_parts(options, text, ends, control);
}

/// "line 3: column 1 ...": one reject.
inline std::string reject_text(const Reject& reject) {
  return "line " + decimal(reject.line) + ": " + reject.reason;
}

/// "time a=f64 1 b=string x", the time only when it is not that of arrival.
inline std::string row_text(const Row& row) {
  std::string text = row.time_ns == arrival_ns ? "" : decimal(row.time_ns);
  for (const auto& [name, value] : row.values) {
    text += (text.empty() ? "" : " ") + name + "=" + value;
  }
  return text;
}

inline std::vector<std::string> row_texts(const Parsed& parsed) {
  std::vector<std::string> texts;
  for (const Row& row : parsed.rows) texts.push_back(row_text(row));
  return texts;
}

/// Everything that came out, to be compared.
inline std::string whole_text(const Parsed& parsed) {
  std::string text = "time: " + parsed.time_note + "\nerror: " + parsed.error + "\n";
  for (const Channel& channel : parsed.schema.channels) {
    text += "channel " + channel.name + ": " + value_type_name(channel.type) + "\n";
  }
  for (const std::string& row : row_texts(parsed)) text += row + "\n";
  for (const Reject& reject : parsed.rejects)
    text += reject_text(reject) + ": " + reject.text + "\n";
  return text;
}

/// Reads the text as a whole, in two parts with the cut at every place, and byte by byte: it must
/// make no difference.
inline Parsed parse_every_way(const ParserOptions& options, std::string_view text,
                              const ParseControl& control = {}) {
  Parsed parsed = parse_parts(options, text, {}, control);
  const std::string expected = whole_text(parsed);
  for (std::size_t cut = 0; cut <= text.size(); cut += step_if_sanitized(3)) {
    CAPTURE(cut);
    const std::string found = whole_text(parse_parts(options, text, {cut}, control));
    REQUIRE(found == expected);
  }
  REQUIRE(whole_text(parse_text(options, text, 1, control)) == expected);
  return parsed;
}

/// One bad line, what is said of it, and whether it goes to rejects with its text unchanged.
struct BadLine {
  std::string text;    ///< the whole input
  std::string line;    ///< the raw text that is to be kept
  std::string reason;  ///< "line 2: ..."
};

inline void check_bad_line(const ParserOptions& options, const BadLine& bad) {
  CAPTURE(bad.text);
  const Parsed lenient = parse_every_way(options, bad.text);
  CHECK(lenient.error == "");
  REQUIRE(lenient.rejects.size() == 1);
  CHECK(reject_text(lenient.rejects[0]) == bad.reason);
  CHECK(lenient.rejects[0].text == bad.line);
  CHECK(lenient.rejects[0].arrival_ns == arrival_ns);
  // --strict says the same, with the place.
  ParseControl strict;
  strict.strict = true;
  const Parsed parsed = parse_every_way(options, bad.text, strict);
  CHECK(parsed.code == ExitCode::malformed);
  const std::size_t offset = ("\n" + bad.text).find("\n" + bad.line + "\n");
  const std::string number = bad.reason.substr(0, bad.reason.find(':'));
  CHECK(parsed.error ==
        number + " at byte " + decimal(std::uint64_t{offset}) + bad.reason.substr(number.size()));
}

}  // namespace twinchain::record::testing
