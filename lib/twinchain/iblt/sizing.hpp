// How many symbols to send. Floor 2.
//
// Measured by tests/bench/bench_iblt (see its table): a difference of d items needs a mean of 1.36
// d to 1.46 d symbols from d = 100 on, the more scattered the smaller d is. The first flight for an
// estimate of d is
//
//   1.36 d + 3 sqrt(d) + 16
//
// and one extension doubles what was sent before, or adds 64. Of an extension up to 64 symbols are
// the first ones of the next layer, for the few items that layer 0 cannot tell apart (symbol.hpp);
// the rest goes on with layer 0, for differences that were larger than the estimate.
//
// So a receiver whose difference is the estimate is done after the first flight but for one time in
// some hundred, and after one extension but for less than one time in a million; one whose
// difference is k times the estimate needs about log2(k) extensions, and has received about twice
// the symbols it needed at most.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "twinchain/iblt/symbol.hpp"

namespace twinchain::iblt {

/// Symbols to send first to who is thought to differ in `difference` items.
inline std::uint32_t first_flight(std::uint64_t difference) {
  const auto d = static_cast<double>(std::min<std::uint64_t>(difference, max_symbols));
  const double count = std::ceil(1.36 * d + 3 * std::sqrt(d)) + 16;
  return static_cast<std::uint32_t>(std::min<double>(count, max_symbols));
}

struct Extension {
  std::uint32_t main = 0;   ///< symbols to add to layer 0
  std::uint32_t layer = 0;  ///< symbols of the next layer
  bool operator==(const Extension&) const = default;
};

/// What to add when `sent` symbols, of all layers together, were not enough.
inline Extension next_extension(std::uint32_t sent) {
  const std::uint32_t left = max_symbols - std::min(sent, max_symbols);
  const std::uint32_t count = std::min(std::max<std::uint32_t>(sent, 64), left);
  const std::uint32_t layer = std::min<std::uint32_t>(count / 2, 64);
  return {count - layer, layer};
}

}  // namespace twinchain::iblt
