// Coded symbols of a rateless invertible Bloom lookup table. Floor 2.
//
// Two parties hold sets that differ in a few items. Each makes the same endless sequence of symbols
// of its set; the difference of two symbols of one index is the symbol of the set difference, and
// the first 1.36 d of them or so (sizing.hpp) give back the d items. A prefix of the sequence is an
// invertible Bloom lookup table whose length need not be known in advance. Source: Goodrich,
// Mitzenmacher, arXiv 1101.2245; Yang, Gilad, Alizadeh, arXiv 2402.02668.
//
// The mapping. h = SipHash-2-4(key, item). An item is in symbol 0, and after symbol i in symbol
//
//   i + ceil((i + 1.5) (2^16 / sqrt(r + 1/2) - 1))
//
// r being the upper 32 bits of h * M, h * M^2, h * M^3, ... modulo 2^64, M = 0xda942042e4dd58b5,
// the arithmetic that of IEEE 754 binary64, rounding to nearest. So an item is in symbol i with
// a probability of about 1 / (1 + i/2). (The paper's program has a 64-bit r and 2^32 / sqrt(r + 1):
// the same but for the last bits. The half makes the step at least 1, which theirs is not for the
// largest r.)
//
// Layers. Two items whose sequences agree up to symbol m cannot be told apart by m symbols; that
// happens to a difference of d items once in about m^4 / (250 d^2) times: of 182 symbols for 100
// items once in 450, and of twice as many still once in 7,000. So who is stuck is helped by symbols
// of another mapping rather than by more of the same: layer L > 0 is a sequence of symbols like the
// one above, layer 0, but with SipHash-2-4(key, item || L), L as 8 bytes, in the place of h in the
// mapping (not in the checksum). A decoder takes symbols of all layers together.
//
// The checksum: the lower 32 bits of h. A symbol is taken for pure when its count is 1 or -1, the
// hash of its sum has that checksum, *and* the sum's mapping contains the symbol's index. A symbol
// i that is tested at each of its d/(1 + i/2) changes so passes falsely with a probability of at
// most d/(1 + i/2)^2 * 2^-32; over all symbols that is 2.6 d * 2^-32: 6e-8 at d = 100, 3e-6 at d =
// 5000, of which most tests do not happen because the count is not 1 or -1. A false item does no
// lasting harm either: it stands with the other sign in the symbols of its mapping, is found
// there again, and cancels. What is left to fail is less than the 1e-6 asked for, and whoever uses
// the result has a stronger check (a Merkle root; transactions that do or do not exist). So four
// bytes do, where eight would cost a third more in every symbol.
//
// The key keeps others from choosing items that cancel each other: it has to be unknown when the
// items are chosen. A set must not have an item twice.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>

#include "twinchain/crypto/siphash.hpp"

namespace twinchain::iblt {

/// 8, 32 or 64 bytes as little-endian words: words is 1, 4 or 8.
template <std::size_t words>
using Item = std::array<std::uint64_t, words>;

template <std::size_t words>
struct Symbol {
  Item<words> sum{};           ///< exclusive or of the items
  std::uint32_t checksum = 0;  ///< exclusive or of their checksums
  /// Number of items; in a difference, of ours less than of theirs is negative. Modulo 2^32, so
  /// that no hostile count can overflow.
  std::uint32_t count = 0;

  [[nodiscard]] bool is_zero() const { return *this == Symbol{}; }
  bool operator==(const Symbol&) const = default;
};

/// this - other, symbol by symbol: of the sets' difference.
template <std::size_t words>
Symbol<words> difference(const Symbol<words>& theirs, const Symbol<words>& ours) {
  Symbol<words> result = theirs;
  for (std::size_t i = 0; i < words; ++i) result.sum[i] ^= ours.sum[i];
  result.checksum ^= ours.checksum;
  result.count -= ours.count;
  return result;
}

/// Layers are numbered from 0 to this less one.
inline constexpr std::uint32_t max_layers = 8;
/// All indexes are below.
inline constexpr std::uint32_t max_symbols = std::uint32_t{1} << 26;

namespace mapping {

/// Distance to the next index in units of (index + 1.5), from the state that is stepped already.
/// Always above zero.
inline double gap_of(std::uint64_t state) {
  // Through a signed integer: the conversion of an unsigned one is slower on most processors.
  return 65536.0 / std::sqrt(static_cast<double>(static_cast<std::int64_t>(state >> 32)) + 0.5) -
         1.0;
}
inline double next_gap(std::uint64_t& state) {
  state *= 0xda942042e4dd58b5;
  return gap_of(state);
}
/// The next eight distances at once, and the state after each: the same as stepping eight times.
struct Gaps {
  double gaps[8];
  std::uint64_t states[8];
};
void next_gaps(std::uint64_t state, Gaps& out);

/// `index` below 2^32; the result is below 2^50.
inline std::uint64_t next_index(std::uint64_t index, double gap) {
  const double distance = (static_cast<double>(static_cast<std::int64_t>(index)) + 1.5) * gap;
  // std::ceil is a call on processors of the baseline.
  const auto whole = static_cast<std::int64_t>(distance);
  const std::int64_t up = static_cast<double>(whole) < distance ? 1 : 0;
  return index + static_cast<std::uint64_t>(whole + up);
}

}  // namespace mapping

/// Where an item's sequence of indexes in a layer begins. `item_hash` is siphash24(key, item).
template <std::size_t words>
std::uint64_t layer_hash(const SipKey& key, const Item<words>& item, std::uint64_t item_hash,
                         std::uint32_t layer) {
  if (layer == 0) return item_hash;
  std::array<std::uint64_t, words + 1> message{};
  for (std::size_t i = 0; i < words; ++i) message[i] = item[i];
  message[words] = layer;
  return siphash24(key, message);
}

/// The indexes of one item's symbols in one layer, in ascending order.
class IndexSequence {
 public:
  /// From 0. The argument is that of layer_hash.
  explicit IndexSequence(std::uint64_t layer_hash) : state_(layer_hash) {}
  /// To go on where another sequence stood.
  IndexSequence(std::uint64_t state, std::uint32_t index) : state_(state), index_(index) {}
  /// max_symbols when there is none below.
  [[nodiscard]] std::uint32_t index() const { return index_; }
  [[nodiscard]] std::uint64_t state() const { return state_; }
  void advance() {
    const std::uint64_t next = mapping::next_index(index_, mapping::next_gap(state_));
    index_ = next < max_symbols ? static_cast<std::uint32_t>(next) : max_symbols;
  }

 private:
  std::uint64_t state_;
  std::uint32_t index_ = 0;
};

}  // namespace twinchain::iblt
