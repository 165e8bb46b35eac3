// Ranges of symbols of 8-byte ids as bytes. Floor 2.
//
//   0 version u16, 1   2 layer u16   4 index of the first symbol u32   8 number of symbols u32
//   12 number of items in the set u32, n
//   16 for each symbol: sum u64, checksum u32, deviation of the count
//
// The count of symbol i is floor(2 n / (i + 2)) plus a deviation, which is small: as a zigzag
// number (0, -1, 1, -2, ... are 0, 1, 2, 3, ...) in base 128, low digits first, the upper bit set
// in all bytes but the last, it takes one byte where |deviation| < 64. So a symbol takes 13 to 17
// bytes. Integers are little-endian. There is one encoding only of a range.
#pragma once

#include <span>
#include <vector>

#include "twinchain/base/result.hpp"
#include "twinchain/iblt/symbol.hpp"

namespace twinchain::iblt {

inline constexpr std::size_t symbol_range_header_size = 16;
inline constexpr std::size_t min_symbol_size = 13;
inline constexpr std::size_t max_symbol_size = 17;
/// A set has fewer than 2^30 items.
inline constexpr std::uint32_t max_set_size = (std::uint32_t{1} << 30) - 1;

struct SymbolRange {
  std::uint32_t layer = 0;     ///< below max_layers
  std::uint32_t first = 0;     ///< index of symbols[0]
  std::uint32_t set_size = 0;  ///< of the sender's set
  std::vector<Symbol<1>> symbols;
  bool operator==(const SymbolRange&) const = default;
};

/// Appends. Requires layer < max_layers, set_size <= max_set_size, first + symbols.size() <=
/// max_symbols, and counts as those of a set: 0 to set_size.
void append_symbol_range(Bytes& out, const SymbolRange& range);
Bytes encode_symbol_range(const SymbolRange& range);

/// Reads one range of at most `max_count` symbols and leaves the cursor behind it. A count outside
/// 0 to set_size is refused, as are numbers that are not in their shortest form. Errors
/// (ExitCode::malformed) start with "symbols: byte N:".
Result<SymbolRange> read_symbol_range(ByteCursor& cursor, std::size_t max_count);
/// The same for exactly these bytes.
Result<SymbolRange> parse_symbol_range(ByteView bytes, std::size_t max_count);

}  // namespace twinchain::iblt
