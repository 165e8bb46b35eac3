// Compact targets: the cases of Bitcoin Core's arith_uint256_tests.cpp (bignum_SetCompact).
#include "twinchain/bitcoin/pow.hpp"

#include <doctest/doctest.h>

#include "twinchain/base/hex.hpp"

using namespace twinchain;
using namespace twinchain::bitcoin;

namespace {

std::string text(const UInt256& value) {
  const std::string digits = to_hex_reversed(value.to_hash());
  const std::size_t start = digits.find_first_not_of('0');
  return start == std::string::npos ? "0" : digits.substr(start);
}

struct Case {
  std::uint32_t bits;
  std::string target;
  std::uint32_t shortest;
  bool negative;
  bool overflow;
};

}  // namespace

TEST_CASE("compact targets decode with sign and overflow, and encode in shortest form") {
  const std::vector<Case> cases = {
      {0, "0", 0, false, false},
      {0x00123456, "0", 0, false, false},
      {0x01003456, "0", 0, false, false},
      {0x02000056, "0", 0, false, false},
      {0x03000000, "0", 0, false, false},
      {0x04000000, "0", 0, false, false},
      {0x00923456, "0", 0, false, false},
      {0x01803456, "0", 0, false, false},
      {0x02800056, "0", 0, false, false},
      {0x03800000, "0", 0, false, false},
      {0x04800000, "0", 0, false, false},
      {0x01123456, "12", 0x01120000, false, false},
      {0x02123456, "1234", 0x02123400, false, false},
      {0x03123456, "123456", 0x03123456, false, false},
      {0x04123456, "12345600", 0x04123456, false, false},
      {0x04923456, "12345600", 0x04123456, true, false},
      {0x05009234, "92340000", 0x05009234, false, false},
      {0x01fedcba, "7e", 0x017e0000, true, false},
      {0x20123456, "1234560000000000000000000000000000000000000000000000000000000000", 0x20123456,
       false, false},
  };
  for (const Case& c : cases) {
    CAPTURE(c.bits);
    const CompactTarget decoded = decode_compact(c.bits);
    CHECK(text(decoded.target) == c.target);
    CHECK(decoded.negative == c.negative);
    CHECK(decoded.overflow == c.overflow);
    CHECK(encode_compact(decoded.target) == c.shortest);
  }
  CHECK(encode_compact(UInt256(0x80)) == 0x02008000);
  for (const std::uint32_t bits : {0xff123456U, 0x23000001U, 0x22000100U, 0x21010000U}) {
    CAPTURE(bits);
    CHECK(decode_compact(bits).overflow);
  }
  for (const std::uint32_t bits : {0x220000ffU, 0x2100ffffU, 0x207fffffU, 0xff000000U}) {
    CAPTURE(bits);
    CHECK_FALSE(decode_compact(bits).overflow);
  }
}

TEST_CASE("targets that no header may have") {
  const UInt256 limit = decode_compact(0x1d00ffff).target;
  CHECK(target_from_bits(0x1d00ffff, limit) == limit);
  CHECK_FALSE(target_from_bits(0x1d010000, limit));  // easier than the limit
  CHECK_FALSE(target_from_bits(0x207fffff, limit));
  CHECK_FALSE(target_from_bits(0, limit));
  CHECK_FALSE(target_from_bits(0x04923456, limit));  // negative
  CHECK_FALSE(target_from_bits(0xff123456, limit));  // overflow
}

TEST_CASE("work of a block") {
  // Chain work of Bitcoin's genesis: 0x0100010001.
  CHECK(text(block_work(0x1d00ffff)) == "100010001");
  CHECK(block_work(0x207fffff) == UInt256(2));
  CHECK(block_work(0).is_zero());
  CHECK(block_work(0x04923456).is_zero());
  CHECK(block_work(0xff123456).is_zero());
  CHECK(text(block_work(0x03000001)) ==
        "8000000000000000000000000000000000000000000000000000000000000000");
}
