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

/// Writes for each f64 (its bits) the integer with integer / divisor == value, bit for bit, the
/// division being that of IEEE 754, and gives the number of those that have none of at most 2^51
/// in magnitude. Their places go to `exceptions` as long as there is room, and their integer is
/// the one before.
std::size_t to_decimals(std::span<const std::uint64_t> words, double divisor,
                        std::uint64_t* integers, std::span<std::uint64_t> exceptions);

/// The same without instructions that not every processor has; for tests.
namespace portable {
void transpose_words(const std::uint8_t* rows, std::size_t row_size, std::size_t count,
                     std::span<std::uint64_t* const> to);
bool make_residuals(std::span<const std::uint64_t> words, const ResidualRule& rule,
                    std::uint64_t* residuals, std::uint64_t& used);
void split_planes(std::span<const std::uint64_t> words, std::uint8_t* planes,
                  std::size_t plane_count);
std::size_t to_decimals(std::span<const std::uint64_t> words, double divisor,
                        std::uint64_t* integers, std::span<std::uint64_t> exceptions);
}  // namespace portable

}  // namespace twinchain::record
