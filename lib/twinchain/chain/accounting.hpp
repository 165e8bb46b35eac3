// What is counted over sealed windows, for audits of records and of evidence. Floor 4.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>

#include "twinchain/chain/findings.hpp"
#include "twinchain/record/data_frame.hpp"

namespace twinchain::chain {

/// Counts over the sealed windows whose data is here and is what was sealed.
struct Accounting {
  std::uint64_t windows = 0;         ///< with intact data
  std::uint64_t silent_windows = 0;  ///< without a row
  std::uint64_t rows = 0;
  std::uint64_t samples = 0;
  std::uint64_t rejected_rows = 0;
  std::uint64_t late_rows = 0;
  std::uint64_t duplicate_rows = 0;
  std::uint64_t out_of_order_rows = 0;
  /// Windows that declare a rate: rows they promise, rows they have, windows with too few.
  double expected_rows = 0;
  std::uint64_t rows_of_rated_windows = 0;
  std::uint64_t short_windows = 0;
  std::uint64_t lost_windows = 0;
  std::uint64_t dropped_windows = 0;
  std::uint64_t gaps = 0;
  std::int64_t gap_total_ns = 0;
  std::int64_t largest_gap_ns = 0;
  std::uint64_t shown_leaves = 0;  ///< SLICE frames: leaves shown and hidden
  std::uint64_t hidden_leaves = 0;

  void add_window(const record::DataHeader& header);
  /// Time in which nothing was recorded, between two windows; nothing when there is none.
  std::optional<std::int64_t> add_gap(std::int64_t end_before_ns, std::int64_t start_ns);
};

/// A gap is loss; a policy that says which are fine makes it a note or refuses it.
Severity gap_severity(std::int64_t gap_ns, const std::optional<std::int64_t>& largest_gap_ns);

}  // namespace twinchain::chain
