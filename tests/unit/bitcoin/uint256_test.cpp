#include "twinchain/bitcoin/uint256.hpp"

#include <doctest/doctest.h>

#include <random>

#include "twinchain/base/hex.hpp"

using namespace twinchain;
using namespace twinchain::bitcoin;

namespace {

UInt256 number(std::string_view displayed) {
  return UInt256::from_hash(*hash_from_hex_reversed(displayed));
}
std::string text(const UInt256& value) {
  return to_hex_reversed(value.to_hash());
}

constexpr std::string_view all_ones =
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff";

}  // namespace

TEST_CASE("256-bit sums carry over all limbs") {
  CHECK((number(all_ones) + UInt256(1)).is_zero());
  CHECK(text(UInt256() - UInt256(1)) == all_ones);
  const UInt256 a = number("00000000000000000000000000000000ffffffffffffffffffffffffffffffff");
  CHECK(text(a + UInt256(1)) == "0000000000000000000000000000000100000000000000000000000000000000");
  CHECK(a + UInt256(1) - UInt256(1) == a);
  CHECK(~UInt256() == number(all_ones));
}

TEST_CASE("256-bit shifts") {
  for (unsigned bits = 0; bits < 256; ++bits) {
    const UInt256 shifted = UInt256(1) << bits;
    CHECK(shifted.bit_length() == bits + 1);
    CHECK((shifted >> bits) == UInt256(1));
  }
  CHECK((UInt256(1) << 256).is_zero());
  CHECK((number(all_ones) >> 256).is_zero());
  CHECK(text(UInt256(0xdeadbeef) << 100) ==
        "0000000000000000000000000000000deadbeef0000000000000000000000000");
}

TEST_CASE("256-bit order is that of numbers") {
  CHECK(UInt256(2) > UInt256(1));
  CHECK((UInt256(1) << 255) > number(all_ones) >> 1);
  CHECK((UInt256(1) << 64) > UInt256(~std::uint64_t{0}));
}

TEST_CASE("256-bit division: quotient times divisor and a smaller remainder") {
  CHECK((UInt256(5) / UInt256()).is_zero());
  CHECK(UInt256(100) / UInt256(7) == UInt256(14));
  CHECK((UInt256(6) / UInt256(7)).is_zero());
  // Against 128-bit arithmetic of the compiler.
  std::mt19937_64 random(1);
  for (int i = 0; i < 2000; ++i) {
    const std::uint64_t high = random() >> (random() % 64);
    const std::uint64_t low = random();
    const std::uint64_t divisor = (random() >> (random() % 64)) | 1;
    __extension__ using Wide = unsigned __int128;
    const Wide wide = (Wide{high} << 64) | low;
    const Wide quotient = wide / divisor;
    const UInt256 expected = (UInt256(static_cast<std::uint64_t>(quotient >> 64)) << 64) +
                             UInt256(static_cast<std::uint64_t>(quotient));
    CHECK(((UInt256(high) << 64) + UInt256(low)) / UInt256(divisor) == expected);
  }
  // And where the quotient is known at full width: (2^256 - 1) / (2^128 - 1) = 2^128 + 1.
  CHECK(number(all_ones) / ((UInt256(1) << 128) - UInt256(1)) == (UInt256(1) << 128) + UInt256(1));
}
