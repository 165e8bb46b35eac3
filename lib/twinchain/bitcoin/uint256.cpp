#include "twinchain/bitcoin/uint256.hpp"

#include <bit>

namespace twinchain::bitcoin {

UInt256 UInt256::from_hash(const Hash256& hash) {
  UInt256 value;
  for (std::size_t i = 0; i < 4; ++i) value.limbs_[i] = load_le<std::uint64_t>(&hash[8 * i]);
  return value;
}

Hash256 UInt256::to_hash() const {
  Hash256 hash{};
  for (std::size_t i = 0; i < 4; ++i) store_le(&hash[8 * i], limbs_[i]);
  return hash;
}

std::strong_ordering UInt256::operator<=>(const UInt256& other) const {
  for (std::size_t i = 4; i-- > 0;) {
    if (limbs_[i] != other.limbs_[i]) return limbs_[i] <=> other.limbs_[i];
  }
  return std::strong_ordering::equal;
}

UInt256& UInt256::operator+=(const UInt256& other) {
  std::uint64_t carry = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    const std::uint64_t sum = limbs_[i] + other.limbs_[i];
    const std::uint64_t with_carry = sum + carry;
    carry =
        static_cast<std::uint64_t>(sum < limbs_[i]) + static_cast<std::uint64_t>(with_carry < sum);
    limbs_[i] = with_carry;
  }
  return *this;
}

UInt256 operator~(const UInt256& a) {
  UInt256 result;
  for (std::size_t i = 0; i < 4; ++i) result.limbs_[i] = ~a.limbs_[i];
  return result;
}

UInt256& UInt256::operator-=(const UInt256& other) {
  // Two's complement: a - b = a + ~b + 1.
  *this += ~other;
  return *this += UInt256(1);
}

UInt256& UInt256::operator<<=(unsigned bits) {
  const UInt256 old = *this;
  limbs_ = {};
  if (bits >= 256) return *this;
  const std::size_t words = bits / 64;
  const unsigned rest = bits % 64;
  for (std::size_t i = words; i < 4; ++i) {
    limbs_[i] = old.limbs_[i - words] << rest;
    if (rest != 0 && i > words) limbs_[i] |= old.limbs_[i - words - 1] >> (64 - rest);
  }
  return *this;
}

UInt256& UInt256::operator>>=(unsigned bits) {
  const UInt256 old = *this;
  limbs_ = {};
  if (bits >= 256) return *this;
  const std::size_t words = bits / 64;
  const unsigned rest = bits % 64;
  for (std::size_t i = 0; i + words < 4; ++i) {
    limbs_[i] = old.limbs_[i + words] >> rest;
    if (rest != 0 && i + words + 1 < 4) limbs_[i] |= old.limbs_[i + words + 1] << (64 - rest);
  }
  return *this;
}

UInt256 operator/(const UInt256& dividend, const UInt256& divisor) {
  // Schoolbook division bit by bit: at most 256 steps, and never on a hot path.
  UInt256 quotient;
  if (divisor.is_zero() || dividend < divisor) return quotient;
  UInt256 remainder = dividend;
  unsigned shift = dividend.bit_length() - divisor.bit_length();
  UInt256 shifted = divisor << shift;
  while (true) {
    if (remainder >= shifted) {
      remainder -= shifted;
      quotient.limbs_[shift / 64] |= std::uint64_t{1} << (shift % 64);
    }
    if (shift == 0) return quotient;
    --shift;
    shifted >>= 1;
  }
}

unsigned UInt256::bit_length() const {
  for (std::size_t i = 4; i-- > 0;) {
    if (limbs_[i] != 0) {
      return static_cast<unsigned>(64 * i) + static_cast<unsigned>(std::bit_width(limbs_[i]));
    }
  }
  return 0;
}

}  // namespace twinchain::bitcoin
