#include "twinchain/iblt/processor.hpp"
#include "twinchain/iblt/symbol.hpp"

namespace twinchain::iblt::mapping {
namespace {

// Powers of the multiplier of next_gap, so that no state waits for the one before.
constexpr auto powers = [] {
  std::array<std::uint64_t, 8> result{};
  std::uint64_t power = 1;
  for (auto& each : result) each = power *= 0xda942042e4dd58b5;
  return result;
}();

[[gnu::always_inline]] inline void fill(std::uint64_t state, Gaps& out) {
  for (std::size_t i = 0; i < 8; ++i) out.states[i] = state * powers[i];
  for (std::size_t i = 0; i < 8; ++i) out.gaps[i] = gap_of(out.states[i]);
}

#ifdef TWINCHAIN_IBLT_WIDE
[[gnu::target("avx512f,avx512dq,avx512vl")]] void fill_wide(std::uint64_t state, Gaps& out) {
  fill(state, out);
}
#endif

}  // namespace

void next_gaps(std::uint64_t state, Gaps& out) {
#ifdef TWINCHAIN_IBLT_WIDE
  if (has_wide_registers()) {
    fill_wide(state, out);
    return;
  }
#endif
  fill(state, out);
}

}  // namespace twinchain::iblt::mapping
