// Which encoding makes the fewest bytes of a column, judged by a part of it. Floor 3.
#pragma once

#include <optional>
#include <span>

#include "twinchain/record/column_blocks.hpp"
#include "twinchain/record/column_distinct.hpp"

namespace twinchain::record {

/// An encoding of 8-byte words with its details and estimated cost.
struct ColumnChoice {
  ColumnEncoding encoding = ColumnEncoding::plain;
  std::uint8_t digits = 0;  ///< decimal
  double scale = 1;         ///< scaled
  IntegerPlan plan;         ///< plain: zstd_planes says whether zstd is tried
  double bytes_per_value = 8;
};

/// Keeps its working memory. Not thread-safe.
class ColumnChooser {
 public:
  /// For words that become an integer block as they are. At least one word. Plans with byte
  /// planes and zstd are tried where it looks as if something repeats.
  ColumnChoice choose_integers(std::span<const std::uint64_t> words);
  /// For f64 (their bits) or i64. `allow_scaled`: decimal and scaled are possible.
  ColumnChoice choose_words(std::span<const std::uint64_t> words, bool is_f64, bool allow_scaled);

 private:
  void weigh_rice(std::span<const std::uint64_t> words, IntegerPlan plan, ColumnChoice& best);
  void weigh_planes(std::span<const std::uint64_t> words, IntegerPlan plan, ColumnChoice& best);
  void weigh_scaled(std::span<const std::uint64_t> words, ColumnChoice& best);
  void weigh_bits(std::span<const std::uint64_t> words, ColumnChoice& best);
  void weigh_repeats(std::span<const std::uint64_t> words, ColumnChoice& best);
  std::span<const std::uint64_t> residuals(std::span<const std::uint64_t> words,
                                           const ResidualRule& rule, std::uint64_t& used);

  BlockWriter blocks_;
  DistinctWords distinct_;
  std::vector<std::uint64_t> residuals_;
  std::vector<std::uint64_t> integers_;
  std::vector<double> numbers_;
  Buffer planes_;
  Buffer trial_;
};

/// The number of decimal digits with which (nearly) all values of a column are integers over a
/// power of ten; nothing when they are not.
std::optional<unsigned> find_digits(std::span<const std::uint64_t> words);

/// The scale of values that are multiples of one number, as a converter's steps; nothing when
/// there is none. `numbers` is working memory.
std::optional<double> find_scale(std::span<const std::uint64_t> words,
                                 std::vector<double>& numbers);

/// One in so many values may be no multiple of the column's scale, as a NaN where nothing was
/// measured.
inline constexpr std::size_t values_per_exception = 8;
/// More decimal digits than this leave no room for the digits before the point.
inline constexpr unsigned most_digits_tried = 17;

}  // namespace twinchain::record
