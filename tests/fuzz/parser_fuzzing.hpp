// What the targets of the row parsers share. What comes out must not depend on how the input came
// in pieces, nor on a restart from the saved state between two of them, and nothing may get lost.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "twinchain/record/column_reader.hpp"
#include "twinchain/record/row_parser.hpp"

namespace twinchain::record::fuzzing {

inline void require(bool condition) {
  if (!condition) std::abort();
}

/// The first bytes of an input say how the others are read.
struct Plan {
  std::uint8_t options = 0;
  /// Distances of the cuts; 0: none.
  std::uint8_t stride = 0;
  /// At a cut another parser goes on from the saved state.
  bool restart = false;
  std::string_view text;
};

inline Plan make_plan(const std::uint8_t* data, std::size_t size) {
  Plan plan;
  if (size < 2) return plan;
  plan.options = data[0];
  plan.stride = data[1] & 0x7f;
  plan.restart = (data[1] & 0x80) != 0;
  plan.text = std::string_view(reinterpret_cast<const char*>(data) + 2, size - 2);
  return plan;
}

struct Outcome {
  std::vector<Bytes> frames;
  std::vector<Reject> rejects;
  std::uint64_t rows = 0;
  std::string time_note;
  std::string error;

  [[nodiscard]] bool same_as(const Outcome& other) const {
    return frames == other.frames && rows == other.rows && time_note == other.time_note &&
           error == other.error;
  }
};

inline void close_window(WindowBuilder& builder, Outcome& outcome) {
  Schema schema;
  const auto sink = [&](const FrameHeader& header, ByteView body) -> Status {
    if (header.type == FrameType::schema) {
      const auto parsed = parse_schema_frame(header, body);
      require(parsed.has_value());
      schema = *parsed;
    } else if (header.type == FrameType::reject) {
      const auto rejects = parse_reject_body(body);
      require(rejects.has_value());
      outcome.rejects.insert(outcome.rejects.end(), rejects->begin(), rejects->end());
    } else {
      const auto window = decode_window(header, body, schema);
      require(window && window->times_ns.size() == outcome.rows);
    }
    Bytes& frame = outcome.frames.emplace_back(body.begin(), body.end());
    // The seed of the salts is random.
    if (header.type == FrameType::data) std::fill_n(frame.begin(), sizeof(Seed), std::uint8_t{0});
    return {};
  };
  require(builder.close({}, sink).has_value());
}

inline Outcome parse_in_pieces(const ParserOptions& options, std::string_view text,
                               std::size_t stride, bool restart) {
  Outcome outcome;
  auto parser = make_row_parser(options);
  if (!parser) {
    outcome.error = parser.error().message;
    return outcome;
  }
  WindowBuilder builder(Schema{"fuzz", {}, {}});
  ParseControl control;
  control.arrival_ns = 1'700'000'000'000'000'000;
  std::size_t begin = 0;
  std::size_t end = 0;
  while (true) {
    end = stride == 0 ? text.size() : std::min(text.size(), end + stride);
    const bool at_end = end == text.size();
    // An exact copy on the heap, so that a sanitizer sees a read past the end.
    const Bytes input(text.begin() + static_cast<std::ptrdiff_t>(begin),
                      text.begin() + static_cast<std::ptrdiff_t>(end));
    const auto parsed = (*parser)->parse(input, at_end, builder, control);
    if (!parsed) {
      outcome.error = parsed.error().message;
      break;
    }
    require(parsed->consumed <= input.size() && !parsed->stopped_by_size);
    require(!at_end || parsed->consumed == input.size());
    begin += parsed->consumed;
    outcome.rows += parsed->rows;
    if (at_end) break;
    if (!restart) continue;
    const Bytes state = (*parser)->save();
    auto next = make_row_parser(options);
    require(next && (*next)->restore(state) && (*next)->save() == state);
    parser = std::move(next);
  }
  require(outcome.error.empty() ? builder.rows() == outcome.rows : builder.rows() >= outcome.rows);
  outcome.rows = builder.rows();
  outcome.time_note = (*parser)->time_note();
  close_window(builder, outcome);
  return outcome;
}

/// Reads the input as a whole and as the plan says.
inline Outcome check_parser(const ParserOptions& options, const Plan& plan) {
  const Outcome whole = parse_in_pieces(options, plan.text, 0, false);
  if (plan.stride > 0) {
    // So that a long input is not read a thousand times from the front of a long row.
    const std::size_t stride = std::max<std::size_t>(plan.stride, plan.text.size() / 64);
    require(parse_in_pieces(options, plan.text, stride, plan.restart).same_as(whole));
  }
  // What is kept of a reject is a piece of the input, and in its order.
  std::size_t at = 0;
  for (const Reject& reject : whole.rejects) {
    require(!reject.reason.empty());
    at = plan.text.find(reject.text, at);
    require(at != std::string_view::npos);
    at += reject.text.size();
  }
  return whole;
}

/// Lines that hold more than blanks. The first may have a byte order mark.
inline std::uint64_t count_lines(std::string_view text, bool takes_mark,
                                 std::string_view blanks = " \t", char comment = '\n') {
  if (takes_mark && text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  std::uint64_t count = 0;
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    const std::size_t first = line.find_first_not_of(blanks);
    if (first != std::string_view::npos && line[first] != comment) ++count;
  }
  return count;
}

}  // namespace twinchain::record::fuzzing
