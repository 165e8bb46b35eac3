// Reads a decoded column row by row. Floor 3.
#pragma once

#include <cstddef>
#include <cstdint>

#include "twinchain/record/column_reader.hpp"

namespace twinchain::record {

struct RowWalk {
  const Column* column = nullptr;  ///< nullptr: the window has no value of this channel
  std::size_t next = 0;

  /// Index of the value of this row, which grows from call to call; -1 when it has none.
  std::ptrdiff_t at(std::uint32_t row) {
    if (column == nullptr) return -1;
    if (column->rows.empty()) {
      return row < column->size() ? static_cast<std::ptrdiff_t>(row) : -1;
    }
    if (next < column->rows.size() && column->rows[next] == row) {
      return static_cast<std::ptrdiff_t>(next++);
    }
    return -1;
  }
};

}  // namespace twinchain::record
