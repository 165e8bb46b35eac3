// Inner loops of the column codec. Floor 3.
//
// Each has a portable version and, where it pays, one for AVX2 that is chosen at run time; both
// give the same bytes.
#pragma once

#include <cstdint>
#include <span>

#include "twinchain/base/bytes.hpp"

namespace twinchain::record {

/// Word i of row r (r < count) goes to to[i][r]; rows are `row_size` bytes apart, words in a row
/// are little-endian and next to each other. `to` has at most 8 entries.
void transpose_words(const std::uint8_t* rows, std::size_t row_size, std::size_t count,
                     std::span<std::uint64_t* const> to);

/// What is done to integers before they are packed.
struct ResidualRule {
  unsigned order = 0;  ///< of differences, 0 to 2
  std::uint64_t base = 0;
  std::uint64_t factor = 1;
  bool zigzag = true;
};
/// The factor that turns the sign.
inline constexpr std::uint64_t minus_one = ~std::uint64_t{0};

/// Number i of the differences of the order 0 (the words themselves) to 2.
inline std::uint64_t difference_at(std::span<const std::uint64_t> words, unsigned order,
                                   std::size_t i) {
  if (order == 0) return words[i];
  if (order == 1) return words[i + 1] - words[i];
  return words[i + 2] - 2 * words[i + 1] + words[i];
}

/// Differences of the order, less the base, divided by the factor, zigzag or not, into
/// `residuals`, of which there are words.size() - order, at least one. Gives the OR of them in
/// `used`. False, with anything in the outputs, when the factor does not divide all of them.
bool make_residuals(std::span<const std::uint64_t> words, const ResidualRule& rule,
                    std::uint64_t* residuals, std::uint64_t& used);

/// Byte p (0: least significant) of word i goes to planes[p * words.size() + i], p < plane_count.
void split_planes(std::span<const std::uint64_t> words, std::uint8_t* planes,
                  std::size_t plane_count);

/// words[i] |= plane[i] << shift.
void add_plane(ByteView plane, unsigned shift, std::span<std::uint64_t> words);

/// All modulo 2^64.
struct WordSums {
  std::uint64_t sum = 0;
  std::uint64_t sum_of_high = 0;  ///< of each word shifted right by 7
  std::uint64_t all = 0;          ///< OR of the words
};
WordSums sum_words(std::span<const std::uint64_t> words);

/// How f64 are written as integers: value = integer / scale or integer * scale, in the arithmetic
/// of IEEE 754.
struct IntegerScale {
  double scale = 1;
  bool divides = true;
};

/// Writes for each f64 (its bits) the integer from which the scale makes it, bit for bit, and gives
/// the number of those that have none of less than 2^51 in magnitude. Their places go to
/// `exceptions` as long as there is room, and their integer is the one before.
std::size_t to_integers(std::span<const std::uint64_t> words, const IntegerScale& scale,
                        std::uint64_t* integers, std::span<std::uint64_t> exceptions);

/// The least number of decimal digits, at most `limit`, with which to_integers() finds an integer
/// over 10^digits for a value; more than `limit` when there is none.
unsigned decimal_digits(std::uint64_t word, unsigned limit);

/// The same without instructions that not every processor has; for tests.
namespace portable {
WordSums sum_words(std::span<const std::uint64_t> words);
void transpose_words(const std::uint8_t* rows, std::size_t row_size, std::size_t count,
                     std::span<std::uint64_t* const> to);
bool make_residuals(std::span<const std::uint64_t> words, const ResidualRule& rule,
                    std::uint64_t* residuals, std::uint64_t& used);
void split_planes(std::span<const std::uint64_t> words, std::uint8_t* planes,
                  std::size_t plane_count);
std::size_t to_integers(std::span<const std::uint64_t> words, const IntegerScale& scale,
                        std::uint64_t* integers, std::span<std::uint64_t> exceptions);
}  // namespace portable

}  // namespace twinchain::record
