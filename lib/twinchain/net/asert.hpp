// The target of the next block: ASERT (aserti3-2d). Floor 6.
//
// The target depends on one thing only: how far a block's time is before or behind the schedule
// that began with the genesis block. Each half-life behind it doubles the target, each half-life
// before it halves it. So the spacing comes back whoever comes and goes, without the oscillations
// of rules with a window, and rounding does not add up.
// Source: Bitcoin Cash's specification "ASERT Difficulty Adjustment Algorithm (aserti3-2d)", with
// the genesis block as the anchor.
#pragma once

#include <cstdint>

namespace twinchain::net {

struct AsertRule {
  std::uint32_t spacing_s = 600;
  std::uint32_t half_life_s = 172'800;
  /// No target is easier. Any valid compact target; the arithmetic is exact for all of them.
  std::uint32_t easiest_bits = 0x1d00ffff;
};

/// The compact target of the block after one that is `height_difference` blocks after the anchor
/// and whose time is `time_difference_s` after that of the anchor's parent.
std::uint32_t asert_bits(const AsertRule& rule, std::uint32_t anchor_bits,
                         std::int64_t time_difference_s, std::int64_t height_difference);

}  // namespace twinchain::net
