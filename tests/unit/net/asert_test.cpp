#include "twinchain/net/asert.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "twinchain/bitcoin/pow.hpp"

using namespace twinchain;
using namespace twinchain::net;

namespace {

struct Vector {
  std::int64_t height;
  std::int64_t time_s;
  std::uint32_t bits;
};

// Anchor: height 1, its parent's time 0.
void check_vectors(std::uint32_t anchor_bits, const std::vector<Vector>& vectors) {
  for (const Vector& vector : vectors) {
    CAPTURE(vector.height);
    CHECK(asert_bits({}, anchor_bits, vector.time_s, vector.height - 1) == vector.bits);
  }
}

double difficulty_of(std::uint32_t bits) {
  const bitcoin::UInt256 target = bitcoin::decode_compact(bits).target;
  const unsigned length = target.bit_length();
  const unsigned shift = length > 60 ? length - 60 : 0;
  return std::ldexp(1.0, 256 - static_cast<int>(shift)) /
         static_cast<double>((target >> shift).low64());
}

}  // namespace

// Source: the specification's published vectors, runs 1, 3, 5 and 8.
TEST_CASE("asert: the specification's vectors") {
  check_vectors(0x1d00ffff, {{2, 1200, 0x1d00ffff}, {11, 6600, 0x1d00ffff}});
  check_vectors(0x01010000, {{2, 1200, 0x01010000}, {11, 6600, 0x01010000}});
  check_vectors(0x1d00ffff, {{2, 0, 0x1d00fec5},
                             {290, 0, 0x1c7f62c0},
                             {578, 0, 0x1c3fb160},
                             {866, 0, 0x1c1fd8b0},
                             {2018, 0, 0x1c01fd8b},
                             {2594, 0, 0x1b7f62c0},
                             {60194, 0, 0x027f6200},
                             {62210, 0, 0x0200fe00},
                             {62498, 0, 0x017f0000},
                             {63938, 0, 0x01030000},
                             {64226, 0, 0x01010000},
                             {64514, 0, 0x01010000}});
  check_vectors(0x1802aee8,
                {{2, 1200, 0x1802aee8},      {3, 1310, 0x1802ad91},      {4, 1327, 0x1802abf8},
                 {5, 1739, 0x1802ab73},      {6, 2219, 0x1802ab20},      {9, 7099, 0x1802b39c},
                 {22, 33606, 0x1802e994},    {67, 151454, 0x18043142},   {116, 425930, 0x180b34b4},
                 {172, 848441, 0x1835526a},  {188, 1140450, 0x1900a58c}, {256, 2210979, 0x19283b3b},
                 {332, 3631240, 0x1a27005f}, {376, 4335064, 0x1b024e77}, {425, 5352914, 0x1b79926b},
                 {441, 5866191, 0x1c0394cd}, {464, 6354951, 0x1c18129e}, {484, 6930238, 0x1d00e688},
                 {485, 6993399, 0x1d00ffff}, {501, 7462933, 0x1d00ffff}});
}

TEST_CASE("asert: on schedule nothing changes, a half-life late is twice as easy") {
  const AsertRule rule{10, 600, 0x207fffff};
  for (const std::uint32_t bits : {0x1f00ffffU, 0x1d00ffffU, 0x1b0404cbU, 0x170ed0ebU}) {
    for (const std::int64_t height : {0, 1, 1000, 5'000'000}) {
      const std::int64_t on_time_s = 10 * (height + 1);
      CHECK(asert_bits(rule, bits, on_time_s, height) == bits);
      const auto target = bitcoin::decode_compact(bits).target;
      CHECK(asert_bits(rule, bits, on_time_s + 600, height) ==
            bitcoin::encode_compact(target << 1));
      CHECK(asert_bits(rule, bits, on_time_s + 3000, height) ==
            bitcoin::encode_compact(target << 5));
      CHECK(asert_bits(rule, bits, on_time_s - 1200, height) ==
            bitcoin::encode_compact(target >> 2));
    }
  }
}

TEST_CASE("asert: no target is easier than the limit or zero, whatever the time") {
  const AsertRule rule{10, 600, 0x207fffff};
  CHECK(asert_bits(rule, 0x207fffff, 10, 0) == 0x207fffff);
  CHECK(asert_bits(rule, 0x207fffff, 11, 0) == 0x207fffff);
  CHECK(asert_bits(rule, 0x207fffff, 9, 0) < 0x207fffff);
  CHECK(asert_bits(rule, 0x1d00ffff, INT64_MAX / 2, 0) == 0x207fffff);
  CHECK(asert_bits(rule, 0x1d00ffff, INT64_MIN / 2, 0xffffffff) == 0x01010000);
  std::mt19937_64 random(1);
  for (int i = 0; i < 2000; ++i) {
    const auto time_s = static_cast<std::int64_t>(random() >> 31);
    const auto height = static_cast<std::int64_t>(random() >> 32);
    const AsertRule any{static_cast<std::uint32_t>(1 + random() % 86'400),
                        static_cast<std::uint32_t>(1 + random() % 31'536'000), 0x207fffff};
    const std::uint32_t bits = asert_bits(any, 0x1e123456, time_s, height);
    CHECK(bitcoin::target_from_bits(bits, bitcoin::decode_compact(0x207fffff).target));
  }
}

TEST_CASE("asert: monotonic in time") {
  const AsertRule rule{10, 600, 0x207fffff};
  bitcoin::UInt256 last;
  for (std::int64_t late_s = -3000; late_s <= 3000; ++late_s) {
    const auto target = bitcoin::decode_compact(asert_bits(rule, 0x1e123456, late_s, 100)).target;
    CHECK(target >= last);
    last = target;
  }
}

// Miners come and go: the hash rate becomes ten times and a tenth. After a while at each rate the
// blocks come at the spacing again; and over the whole time as many as the schedule has.
TEST_CASE("asert: the spacing returns when miners come and go") {
  for (const std::uint64_t seed : {1U, 2U, 3U}) {
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    std::exponential_distribution<double> exponential(1.0);
    const AsertRule rule{10, 600, 0x207fffff};
    const std::uint32_t anchor = 0x1e00ffff;
    const double base_rate = difficulty_of(anchor) / 10;
    double now_s = 0;
    std::int64_t height = 0;
    std::int64_t last_s = 0;
    for (const double factor : {1.0, 10.0, 1.0, 0.1, 1.0, 10.0, 0.1}) {
      CAPTURE(factor);
      const auto mine = [&](int blocks) {
        const double began_s = now_s;
        double longest_s = 0;
        for (int i = 0; i < blocks; ++i) {
          const std::uint32_t bits = asert_bits(rule, anchor, last_s + 10, height);
          const double took_s = exponential(random) * difficulty_of(bits) / (base_rate * factor);
          longest_s = std::max(longest_s, took_s);
          now_s += took_s;
          last_s = static_cast<std::int64_t>(now_s);
          ++height;
        }
        CHECK(longest_s < 3000);
        return (now_s - began_s) / blocks;
      };
      mine(600);
      const double spacing_s = mine(1000);
      CHECK(spacing_s > 9);
      CHECK(spacing_s < 11);
    }
    // The schedule has not been left by more than the half-lives that the rate differs by.
    CHECK(std::abs(now_s - 10.0 * static_cast<double>(height)) < 600 * 8);
  }
}
