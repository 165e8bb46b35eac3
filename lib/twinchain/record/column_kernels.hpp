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

/// Differences of an order (0 to 2, less than the number of words), less a base, divided by a
/// factor, zigzag or not, into `residuals`, of which there are words.size() - order. `first` gets
/// the first value (order 1), and the first step (order 2). `used` gets the OR of the residuals.
/// False, with anything in the outputs, when the factor does not divide all of them.
bool make_residuals(std::span<const std::uint64_t> words, unsigned order, std::uint64_t base,
                    std::uint64_t factor, bool zigzag, std::uint64_t* first,
                    std::uint64_t* residuals, std::uint64_t& used);

/// Byte p (0: least significant) of word i goes to planes[p * words.size() + i], p < plane_count.
void split_planes(std::span<const std::uint64_t> words, std::uint8_t* planes,
                  std::size_t plane_count);

/// words[i] |= plane[i] << shift.
void add_plane(ByteView plane, unsigned shift, std::span<std::uint64_t> words);

}  // namespace twinchain::record
