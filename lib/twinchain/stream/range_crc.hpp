// CRCs of many ranges of the same bytes. Floor 2, internal.
//
// After damage a reader tries each header that it finds, and a hostile input can have one at every
// 64 bytes that claims the 16 MiB behind it. With the CRCs of prefixes at hand, one for every few
// KiB, that of a range costs nearly the same whatever its size.
#pragma once

#include <cstdint>
#include <deque>

#include "twinchain/base/bytes.hpp"

namespace twinchain {

/// Of one input, whose bytes do not change.
class RangeCrc {
 public:
  /// CRC-32C of `range`, which begins at byte `begin` of the input.
  std::uint32_t operator()(ByteView range, std::uint64_t begin);

 private:
  static constexpr std::uint64_t spacing_bytes = 4096;

  // CRCs of the input from some place on: up to first_, up to spacing_bytes behind it, and so on.
  std::deque<std::uint32_t> prefixes_;
  std::uint64_t first_ = 0;
};

}  // namespace twinchain
