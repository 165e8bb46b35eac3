#include "twinchain/net/asert.hpp"

#include <algorithm>
#include <array>

#include "twinchain/bitcoin/pow.hpp"

namespace twinchain::net {
namespace {

using bitcoin::UInt256;

/// 320 bits in words of 32, least significant first: a target times a factor of 17 bits.
using Wide = std::array<std::uint32_t, 10>;

Wide multiply(const UInt256& target, std::uint32_t factor) {
  const Hash256 bytes = target.to_hash();
  Wide product{};
  std::uint64_t carry = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    carry += std::uint64_t{load_le<std::uint32_t>(&bytes[4 * i])} * factor;
    product[i] = static_cast<std::uint32_t>(carry);
    carry >>= 32;
  }
  product[8] = static_cast<std::uint32_t>(carry);
  return product;
}

/// value * 2^shift; `limit` when that is larger.
UInt256 shifted(const Wide& value, std::int64_t shift, const UInt256& limit) {
  Hash256 bytes{};
  for (std::int64_t bit = 0; bit < 320; ++bit) {
    const auto from = static_cast<std::size_t>(bit);
    if ((value[from / 32] >> (from % 32) & 1) == 0) continue;
    const std::int64_t to = bit + shift;
    if (to >= 256) return limit;
    if (to < 0) continue;
    const auto at = static_cast<std::size_t>(to);
    bytes[at / 8] = static_cast<std::uint8_t>(bytes[at / 8] | 1U << (at % 8));
  }
  return std::min(UInt256::from_hash(bytes), limit);
}

}  // namespace

std::uint32_t asert_bits(const AsertRule& rule, std::uint32_t anchor_bits,
                         std::int64_t time_difference_s, std::int64_t height_difference) {
  const UInt256 limit = bitcoin::decode_compact(rule.easiest_bits).target;
  const UInt256 anchor = bitcoin::decode_compact(anchor_bits).target;
  // Times and heights are of 32 bits, and so is the spacing: in units of 2^-16 half-lives the sum
  // could pass 63 bits only far beyond where the target has reached its end. Towards zero, as the
  // specification has it.
  constexpr std::int64_t farthest_s = std::int64_t{1} << 46;
  const std::int64_t late_s =
      std::clamp(time_difference_s - std::int64_t{rule.spacing_s} * (height_difference + 1),
                 -farthest_s, farthest_s);
  const std::int64_t exponent = late_s * 65'536 / std::int64_t{rule.half_life_s};
  const std::int64_t whole = exponent >> 16;
  const auto fraction = static_cast<std::uint64_t>(exponent & 0xffff);
  // 2^(fraction / 2^16) in units of 2^-16; below 2^64 for every fraction.
  const std::uint64_t factor =
      65'536 + ((195'766'423'245'049 * fraction + 971'821'376 * fraction * fraction +
                 5'127 * fraction * fraction * fraction + (std::uint64_t{1} << 47)) >>
                48);
  UInt256 target = shifted(multiply(anchor, static_cast<std::uint32_t>(factor)), whole - 16, limit);
  if (target.is_zero()) target = UInt256(1);
  return bitcoin::encode_compact(target);
}

}  // namespace twinchain::net
