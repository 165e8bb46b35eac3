// Turns the values of one channel into the payload of a column leaf. Floor 3.
#pragma once

#include <memory>
#include <span>

#include "twinchain/base/buffer.hpp"
#include "twinchain/record/column_choice.hpp"
#include "twinchain/record/schema.hpp"

namespace twinchain::record {

/// What is remembered of a channel from one window to the next, so that encodings are compared
/// seldom and not in each window. A fresh one is always right.
struct ColumnMemory {
  bool chosen = false;
  ColumnChoice choice;
  /// Windows until encodings are compared again.
  std::uint16_t windows_left = 0;
  /// Of the first window with this choice; 0 before it.
  float bytes_per_value = 0;
};

/// The values of one channel in one window.
struct ColumnInput {
  std::uint32_t channel = 0;
  ValueType type = ValueType::f64;
  /// f64: its bits; i64; bool: 0 or 1; string: where it ends in `text`. At least one.
  std::span<const std::uint64_t> words;
  /// Row of each value, ascending; empty when all rows have one.
  std::span<const std::uint32_t> rows;
  ByteView text;
};

/// Keeps its working memory, which is about three times the largest column. Not thread-safe.
class ColumnEncoder {
 public:
  ColumnEncoder();
  ~ColumnEncoder();
  ColumnEncoder(ColumnEncoder&&) noexcept;

  /// Appends a time_column payload; at least one time.
  void encode_times(std::span<const std::int64_t> times_ns, Buffer& out);
  /// Appends a value_column payload.
  void encode_values(const ColumnInput& column, ColumnMemory& memory, Buffer& out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace twinchain::record
