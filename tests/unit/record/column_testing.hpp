// Helpers shared by the tests of the column codec.
#pragma once

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "twinchain/record/column_encoder.hpp"
#include "twinchain/record/column_reader.hpp"
#include "twinchain/record/window_builder.hpp"

namespace twinchain::record {

/// Frames as a sink got them.
struct WrittenFrames {
  struct Frame {
    FrameHeader header;
    Bytes body;
  };
  std::vector<Frame> list;

  FrameSink sink() {
    return [this](const FrameHeader& header, ByteView body) -> Status {
      list.push_back({header, Bytes(body.begin(), body.end())});
      return {};
    };
  }
  /// The newest DATA frame, decoded.
  [[nodiscard]] Window window(const Schema& schema) const {
    REQUIRE(!list.empty());
    REQUIRE(list.back().header.type == FrameType::data);
    auto decoded = decode_window(list.back().header, list.back().body, schema);
    if (!decoded) FAIL(decoded.error().message);
    return std::move(*decoded);
  }
};

inline Schema schema_named(std::string name) {
  Schema schema;
  schema.source_name = std::move(name);
  return schema;
}

inline std::uint64_t bits_of(double value) {
  return std::bit_cast<std::uint64_t>(value);
}

inline std::vector<std::uint64_t> bits_of(const std::vector<double>& values) {
  std::vector<std::uint64_t> words;
  words.reserve(values.size());
  for (const double value : values) words.push_back(bits_of(value));
  return words;
}

inline std::vector<std::uint64_t> words_of(const Column& column) {
  std::vector<std::uint64_t> words = bits_of(column.f64);
  for (const std::int64_t value : column.i64) words.push_back(static_cast<std::uint64_t>(value));
  for (const std::uint8_t value : column.boolean) words.push_back(value);
  return words;
}

/// The payload of a value column of 8-byte words or bools.
inline Bytes encode_column(ColumnEncoder& encoder, ColumnMemory& memory, ValueType type,
                           const std::vector<std::uint64_t>& words,
                           const std::vector<std::uint32_t>& rows = {}) {
  ColumnInput input;
  input.channel = 3;
  input.type = type;
  input.words = words;
  input.rows = rows;
  Buffer out;
  encoder.encode_values(input, memory, out);
  return {out.view().begin(), out.view().end()};
}
inline Bytes encode_column(ValueType type, const std::vector<std::uint64_t>& words,
                           const std::vector<std::uint32_t>& rows = {}) {
  ColumnEncoder encoder;
  ColumnMemory memory;
  return encode_column(encoder, memory, type, words, rows);
}

/// The payload of a string column.
inline Bytes encode_strings(const std::vector<std::string>& strings) {
  std::vector<std::uint64_t> ends;
  std::string text;
  for (const std::string& string : strings) {
    text += string;
    ends.push_back(text.size());
  }
  ColumnInput input;
  input.channel = 3;
  input.type = ValueType::string;
  input.words = ends;
  input.text = as_bytes(text);
  ColumnEncoder encoder;
  ColumnMemory memory;
  Buffer out;
  encoder.encode_values(input, memory, out);
  return {out.view().begin(), out.view().end()};
}

/// Doubles that a careless codec loses: signed zeros, NaN with payloads and signs, infinities,
/// subnormal numbers, the largest and the smallest.
inline std::vector<double> nasty_doubles() {
  using Limits = std::numeric_limits<double>;
  return {0.0,
          -0.0,
          Limits::quiet_NaN(),
          -Limits::quiet_NaN(),
          std::bit_cast<double>(std::uint64_t{0x7ff0000000000001}),  // signalling NaN
          std::bit_cast<double>(std::uint64_t{0xfff8dead12345678}),
          Limits::infinity(),
          -Limits::infinity(),
          Limits::denorm_min(),
          -Limits::denorm_min(),
          std::bit_cast<double>(std::uint64_t{0x000fffffffffffff}),
          Limits::min(),
          Limits::max(),
          Limits::lowest(),
          0.1,
          1e-300,
          9007199254740993.0,
          4503599627370497.5,
          2251799813685248.0,
          1e22,
          1e23,
          0.30000000000000004};
}

}  // namespace twinchain::record
