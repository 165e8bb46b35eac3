#include "twinchain/record/column_rice.hpp"

#include <doctest/doctest.h>

#include <random>
#include <vector>

#include "twinchain/base/hex.hpp"

namespace twinchain::record {
namespace {

Bytes encode(const std::vector<std::uint64_t>& numbers) {
  Buffer out;
  append_rice(out, numbers);
  return {out.view().begin(), out.view().end()};
}

void check_round_trip(const std::vector<std::uint64_t>& numbers) {
  const Bytes bytes = encode(numbers);
  std::vector<std::uint64_t> back(numbers.size(), 99);
  const auto used = read_rice(bytes, back);
  REQUIRE(used);
  CHECK(*used == bytes.size());
  CHECK(back == numbers);
  // Bytes behind it are not its concern.
  Bytes longer = bytes;
  longer.push_back(0xff);
  CHECK(read_rice(longer, back) == bytes.size());
}

TEST_CASE("rice: the bytes of the specification") {
  // Parameter 1. Remainders 1, 0, 0, 1, from the least significant bit. Quotients 1, 0, 1, 2 as
  // 01 1 01 001.
  CHECK(to_hex(encode({3, 0, 2, 5})) == "010996");
  // A group of nothing but zeros is its parameter, 65.
  CHECK(to_hex(encode({0, 0, 0})) == "41");
  // Parameter 64 is whole words.
  CHECK(to_hex(encode({~std::uint64_t{0}, ~std::uint64_t{1}})) ==
        "40"
        "ffffffffffffffff"
        "feffffffffffffff");
  // Parameter 2; remainders 3, 0, 2, 1, 3, 0, 2, 1, 3, 0, 0; ten short quotients 0 1 1 1 1 1 1 1 0
  // 1; 2^40 has the quotient 2^38, which is coded as 24 and follows in full.
  CHECK(to_hex(encode({3, 4, 6, 5, 7, 4, 6, 5, 3, 4, std::uint64_t{1} << 40})) ==
        "02"
        "636303"
        "55d502000004"
        "0000000040000000");
}

TEST_CASE("rice: numbers of every width come back") {
  for (unsigned width = 0; width <= 64; ++width) {
    CAPTURE(width);
    std::mt19937_64 random(width);
    for (const std::size_t count : {1U, 2U, 127U, 128U, 129U, 1000U}) {
      std::vector<std::uint64_t> numbers(count);
      for (std::uint64_t& number : numbers) number = width == 0 ? 0 : random() >> (64 - width);
      check_round_trip(numbers);
    }
  }
}

TEST_CASE("rice: numbers that stand out do not make the others larger") {
  std::mt19937_64 random(1);
  std::vector<std::uint64_t> numbers(1280);
  for (std::uint64_t& number : numbers) number = random() % 8;
  const std::size_t plain = encode(numbers).size();
  for (std::size_t i = 0; i < numbers.size(); i += 128) numbers[i + 5] = random();
  check_round_trip(numbers);
  CHECK(encode(numbers).size() < plain + 10 * 12);
}

TEST_CASE("rice: the estimate is close to the size") {
  std::mt19937_64 random(2);
  for (unsigned width = 1; width <= 64; width += 3) {
    std::vector<std::uint64_t> numbers(777);
    for (std::uint64_t& number : numbers) number = random() >> (64 - width) >> (random() % 3);
    const auto size = static_cast<double>(encode(numbers).size());
    CHECK(static_cast<double>(rice_cost_bits(numbers)) / 8 == doctest::Approx(size).epsilon(0.04));
  }
}

TEST_CASE("rice: cut or changed bytes give an error or other numbers, never more") {
  std::mt19937_64 random(3);
  std::vector<std::uint64_t> numbers(300);
  for (std::uint64_t& number : numbers) number = random() >> (random() % 64);
  const Bytes bytes = encode(numbers);
  std::vector<std::uint64_t> back(numbers.size());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    // An exact copy on the heap, so that a sanitizer sees a read past its end.
    const Bytes prefix(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    CHECK_FALSE(read_rice(prefix, back));
  }
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    for (const unsigned change : {0x01U, 0x80U, 0xffU}) {
      Bytes changed = bytes;
      changed[i] = static_cast<std::uint8_t>(changed[i] ^ change);
      const auto used = read_rice(changed, back);
      CHECK((!used || *used <= changed.size()));
    }
  }
}

TEST_CASE("rice: codes that no writer makes are refused") {
  std::vector<std::uint64_t> one(1);
  CHECK_FALSE(read_rice(*from_hex("42"), one));  // parameter 66
  CHECK(read_rice(*from_hex("000100"), one) == 2);
  CHECK_FALSE(read_rice(*from_hex("0003"), one));                // a bit behind the quotient
  CHECK_FALSE(read_rice(*from_hex("010301"), one));              // a bit behind the remainder
  CHECK_FALSE(read_rice(*from_hex("000000000000000000"), one));  // no end of the quotient
  CHECK_FALSE(read_rice(*from_hex("0000000002"), one));          // quotient 25
  // An escaped quotient that needs no escape: 23; and one that does.
  CHECK_FALSE(read_rice(*from_hex("00000000011700000000000000"), one));
  CHECK(read_rice(*from_hex("00000000011800000000000000"), one) == 13);
  CHECK(one[0] == 24);
  // Quotient and remainder must fit 64 bits: 16 with 60 bits of remainder, 2^63 with 1.
  CHECK_FALSE(read_rice(*from_hex("3c0000000000000000000001"), one));
  CHECK_FALSE(read_rice(*from_hex("0100000000010000000000000080"), one));
}

}  // namespace
}  // namespace twinchain::record
