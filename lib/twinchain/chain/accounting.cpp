#include "twinchain/chain/accounting.hpp"

namespace twinchain::chain {

void Accounting::add_window(const record::DataHeader& header) {
  ++windows;
  if (header.rows == 0) ++silent_windows;
  rows += header.rows;
  samples += header.samples;
  rejected_rows += header.rejected_rows;
  late_rows += header.late_rows;
  duplicate_rows += header.duplicate_rows;
  out_of_order_rows += header.out_of_order_rows;
  if (header.declared_rate_mhz == 0) return;
  const double length_ns =
      static_cast<double>(header.window_end_ns) - static_cast<double>(header.window_start_ns);
  const double expected =
      std::max(0.0, length_ns) * static_cast<double>(header.declared_rate_mhz) * 1e-12;
  expected_rows += expected;
  rows_of_rated_windows += header.rows;
  // A row may fall on either side of a window's end.
  if (static_cast<double>(header.rows) < expected - 1) ++short_windows;
}

std::optional<std::int64_t> Accounting::add_gap(std::int64_t end_before_ns, std::int64_t start_ns) {
  if (start_ns <= end_before_ns) return std::nullopt;
  // Unsigned: the ends of hostile windows may be further apart than an int64 holds.
  const std::uint64_t wide =
      static_cast<std::uint64_t>(start_ns) - static_cast<std::uint64_t>(end_before_ns);
  const auto gap_ns = static_cast<std::int64_t>(
      std::min<std::uint64_t>(wide, std::numeric_limits<std::int64_t>::max()));
  ++gaps;
  largest_gap_ns = std::max(largest_gap_ns, gap_ns);
  if (__builtin_add_overflow(gap_total_ns, gap_ns, &gap_total_ns)) {
    gap_total_ns = std::numeric_limits<std::int64_t>::max();
  }
  return gap_ns;
}

Severity gap_severity(std::int64_t gap_ns, const std::optional<std::int64_t>& largest_gap_ns) {
  if (!largest_gap_ns) return Severity::loss;
  return gap_ns > *largest_gap_ns ? Severity::refuted : Severity::note;
}

}  // namespace twinchain::chain
