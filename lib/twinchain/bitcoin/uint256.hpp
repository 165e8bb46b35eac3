// 256-bit unsigned integers, for targets and chain work. Floor 2.
#pragma once

#include <array>
#include <compare>
#include <cstdint>

#include "twinchain/base/bytes.hpp"

namespace twinchain::bitcoin {

/// Arithmetic is modulo 2^256. A value type without invariants; all operations are exact.
class UInt256 {
 public:
  constexpr UInt256() = default;
  constexpr explicit UInt256(std::uint64_t value) : limbs_{value, 0, 0, 0} {}

  /// A hash in internal byte order is a little-endian integer: how Bitcoin compares a block hash
  /// with a target.
  static UInt256 from_hash(const Hash256& hash);
  [[nodiscard]] Hash256 to_hash() const;

  std::strong_ordering operator<=>(const UInt256& other) const;
  bool operator==(const UInt256&) const = default;

  UInt256& operator+=(const UInt256& other);
  UInt256& operator-=(const UInt256& other);
  /// Bits shifted out are lost; a shift of 256 or more gives zero.
  UInt256& operator<<=(unsigned bits);
  UInt256& operator>>=(unsigned bits);
  friend UInt256 operator+(UInt256 a, const UInt256& b) { return a += b; }
  friend UInt256 operator-(UInt256 a, const UInt256& b) { return a -= b; }
  friend UInt256 operator<<(UInt256 a, unsigned bits) { return a <<= bits; }
  friend UInt256 operator>>(UInt256 a, unsigned bits) { return a >>= bits; }
  friend UInt256 operator~(const UInt256& a);
  /// The quotient; the divisor must not be zero (a zero divisor gives zero).
  friend UInt256 operator/(const UInt256& dividend, const UInt256& divisor);

  /// Number of bits without leading zeros; 0 for zero.
  [[nodiscard]] unsigned bit_length() const;
  [[nodiscard]] std::uint64_t low64() const { return limbs_[0]; }
  [[nodiscard]] bool is_zero() const { return bit_length() == 0; }

 private:
  std::array<std::uint64_t, 4> limbs_{};  // least significant first
};

}  // namespace twinchain::bitcoin
