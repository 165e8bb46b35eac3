#include "twinchain/record/column_kernels.hpp"

#include <vector>

#include "unit/record/column_testing.hpp"

namespace twinchain::record {
namespace {

std::vector<std::uint64_t> random_words(std::size_t count, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<std::uint64_t> words(count);
  for (std::uint64_t& word : words) word = random() >> (random() % 64);
  return words;
}

TEST_CASE("kernels: rows become columns at every width and count") {
  for (std::size_t width = 1; width <= 8; ++width) {
    for (const std::size_t count : {0U, 1U, 3U, 4U, 5U, 17U}) {
      const std::size_t stride = width + 3;
      const auto words = random_words(stride * count + width, width);
      std::vector<std::vector<std::uint64_t>> columns(width, std::vector<std::uint64_t>(count));
      std::vector<std::uint64_t*> to;
      for (auto& column : columns) to.push_back(column.data());
      transpose_words(reinterpret_cast<const std::uint8_t*>(words.data()), 8 * stride, count, to);
      for (std::size_t row = 0; row < count; ++row) {
        for (std::size_t i = 0; i < width; ++i) CHECK(columns[i][row] == words[row * stride + i]);
      }
    }
  }
}

TEST_CASE("kernels: residuals are the same with and without vector instructions") {
  for (const std::size_t count : {3U, 4U, 5U, 8U, 64U, 67U}) {
    const auto words = random_words(count, count);
    for (unsigned order = 0; order <= 2; ++order) {
      for (const bool zigzag : {false, true}) {
        const ResidualRule rule{order, 0x123456789abcdef0, 1, zigzag};
        std::vector<std::uint64_t> fast(count);
        std::vector<std::uint64_t> plain(count);
        std::uint64_t fast_used = 0;
        std::uint64_t plain_used = 0;
        CHECK(make_residuals(words, rule, fast.data(), fast_used));
        CHECK(portable::make_residuals(words, rule, plain.data(), plain_used));
        CHECK(fast == plain);
        CHECK(fast_used == plain_used);
      }
    }
  }
}

TEST_CASE("kernels: a factor is taken out only when it divides all") {
  std::vector<std::uint64_t> out(4);
  std::uint64_t used = 0;
  const auto divides = [&](std::vector<std::int64_t> values, std::uint64_t factor) {
    const std::vector<std::uint64_t> words(values.begin(), values.end());
    return make_residuals(words, {0, 0, factor, true}, out.data(), used);
  };
  CHECK(divides({0, 3'000'000, -7'000'000, 1'000'000}, 1'000'000));
  CHECK(out == std::vector<std::uint64_t>{0, 6, 13, 2});
  CHECK(used == 15);
  CHECK_FALSE(divides({0, 3'000'000, -7'000'001, 1'000'000}, 1'000'000));
  CHECK_FALSE(divides({0, 3, 9, 1}, 3));
  CHECK(divides({-9'223'372'036'854'774'784, 0, 1024, -1024}, 1024));
  CHECK(divides({-6'148'914'691'236'517'206, 0, 3, 9}, 3));
  CHECK_FALSE(divides({-6'148'914'691'236'517'204, 0, 3, 9}, 3));
}

TEST_CASE("kernels: planes are the same with and without vector instructions, and come back") {
  for (const std::size_t count : {1U, 31U, 32U, 33U, 64U, 100U}) {
    const auto words = random_words(count, count);
    for (std::size_t planes = 0; planes <= 8; ++planes) {
      Bytes fast(planes * count, 1);
      Bytes plain(planes * count, 2);
      split_planes(words, fast.data(), planes);
      portable::split_planes(words, plain.data(), planes);
      CHECK(fast == plain);
      if (planes < 8) continue;
      std::vector<std::uint64_t> back(count);
      for (std::size_t plane = 0; plane < planes; ++plane) {
        add_plane(ByteView(fast).subspan(plane * count, count), static_cast<unsigned>(8 * plane),
                  back);
      }
      CHECK(back == words);
    }
  }
}

TEST_CASE("kernels: decimals are exact or exceptions, with and without vector instructions") {
  std::mt19937_64 random(4);
  std::vector<double> values = nasty_doubles();
  for (int i = 0; i < 1000; ++i) {
    values.push_back(
        static_cast<double>(static_cast<std::int64_t>(random() % 2'000'001) - 1'000'000) /
        decimal_divisors[random() % 8]);
    if (i % 50 == 0) values.push_back(std::bit_cast<double>(random()));
  }
  const auto words = bits_of(values);
  for (unsigned digits = 0; digits <= 17; ++digits) {
    CAPTURE(digits);
    const double divisor = decimal_divisors[digits];
    const IntegerScale scale{divisor, true};
    std::vector<std::uint64_t> fast(words.size());
    std::vector<std::uint64_t> plain(words.size());
    std::vector<std::uint64_t> places(words.size());
    std::vector<std::uint64_t> plain_places(words.size());
    const std::size_t count = to_integers(words, scale, fast.data(), places);
    CHECK(portable::to_integers(words, scale, plain.data(), plain_places) == count);
    CHECK(fast == plain);
    CHECK(places == plain_places);
    std::size_t next = 0;
    for (std::size_t i = 0; i < words.size(); ++i) {
      if (next < count && places[next] == i) {
        ++next;
        continue;
      }
      const auto integer = static_cast<double>(static_cast<std::int64_t>(fast[i]));
      CHECK(bits_of(integer / divisor) == words[i]);
    }
    CHECK(next == count);
    // Places that do not fit are counted all the same.
    CHECK(to_integers(words, scale, fast.data(), {}) == count);
  }
}

}  // namespace
}  // namespace twinchain::record
