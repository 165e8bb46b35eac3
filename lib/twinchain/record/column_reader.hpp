// Reads the columns of a DATA frame back, from untrusted bytes. Floor 3.
#pragma once

#include <string_view>
#include <vector>

#include "twinchain/record/column_format.hpp"
#include "twinchain/record/data_frame.hpp"
#include "twinchain/record/schema.hpp"

namespace twinchain::record {

/// One decoded value column. Exactly one of the value vectors is filled, by `type`.
struct Column {
  std::uint32_t channel = 0;
  ValueType type = ValueType::f64;
  /// Row of each value; empty when every row has one.
  std::vector<std::uint32_t> rows;
  std::vector<double> f64;
  std::vector<std::int64_t> i64;
  std::vector<std::uint8_t> boolean;
  std::vector<std::string> string;
  [[nodiscard]] std::size_t size() const;
};

/// Decoded size is bounded before anything is allocated: at most max_window_rows values and
/// max_window_size bytes (column_format.hpp) a column are believed.
Result<std::vector<std::int64_t>> decode_time_column(ByteView payload);
Result<Column> decode_value_column(ByteView payload);
/// The channel index of a value column without decoding it.
Result<std::uint32_t> value_column_channel(ByteView payload);

/// A whole window.
struct Window {
  DataHeader header;
  std::vector<std::int64_t> times_ns;
  std::vector<Column> columns;
};
/// Decodes the leaves it knows. Columns are checked against header.rows and the schema and are in
/// ascending order of channels; all columns together are at most max_window_size.
Result<Window> decode_window(const FrameHeader& header, ByteView body, const Schema& schema);

}  // namespace twinchain::record
