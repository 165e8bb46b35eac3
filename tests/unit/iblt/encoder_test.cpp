#include "twinchain/iblt/encoder.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "unit/iblt/random_items.hpp"

using namespace twinchain;
using namespace twinchain::iblt;

namespace {

// The definition, symbol by symbol, in the plainest way.
template <std::size_t words>
std::vector<Symbol<words>> symbols_by_definition(const SipKey& key,
                                                 const std::vector<Item<words>>& items,
                                                 std::size_t count) {
  std::vector<Symbol<words>> symbols(count);
  for (const auto& item : items) {
    const std::uint64_t hash = siphash24(key, item);
    std::uint64_t state = hash;
    double index = 0;
    while (index < static_cast<double>(count)) {
      auto& symbol = symbols[static_cast<std::size_t>(index)];
      for (std::size_t i = 0; i < words; ++i) symbol.sum[i] ^= item[i];
      symbol.checksum ^= static_cast<std::uint32_t>(hash & 0xffffffff);
      ++symbol.count;
      state *= 0xda942042e4dd58b5;
      const auto r = static_cast<double>(state >> 32);
      index += std::ceil((index + 1.5) * (65536.0 / std::sqrt(r + 0.5) - 1.0));
    }
  }
  return symbols;
}

template <std::size_t words>
void check_against_definition(std::size_t item_count) {
  std::mt19937_64 random(item_count + words);
  const SipKey key{random(), random()};
  const auto items = random_items<words>(random, item_count);
  const auto expected = symbols_by_definition<words>(key, items, 500);

  Encoder<words> at_once(key);
  at_once.add(items);
  const auto all = at_once.symbols(500);
  CHECK(std::equal(all.begin(), all.end(), expected.begin(), expected.end()));

  Encoder<words> one_by_one(key);
  for (std::size_t i = 0; i < items.size() / 2; ++i) one_by_one.add(items[i]);
  for (std::size_t i = 1; i < 100; ++i) CHECK(one_by_one.symbols(i).size() == i);
  one_by_one.add(std::span(items).subspan(items.size() / 2));
  for (std::size_t i = 100; i <= 500; ++i) CHECK(one_by_one.symbols(i).size() == i);
  const auto grown = one_by_one.symbols(500);
  CHECK(std::equal(grown.begin(), grown.end(), expected.begin(), expected.end()));

  Sketch<words> sketch(key, 500);
  sketch.add(items);
  CHECK(std::equal(sketch.symbols().begin(), sketch.symbols().end(), expected.begin(),
                   expected.end()));
  CHECK(sketch.size() == items.size());
}

}  // namespace

TEST_CASE("encoder and sketch give the symbols of the definition, in any order of asking") {
  for (const std::size_t count : {0U, 1U, 7U, 8U, 9U, 300U, 1000U}) {
    CAPTURE(count);
    check_against_definition<1>(count);
    check_against_definition<4>(count);
    check_against_definition<8>(count);
  }
}

TEST_CASE("mapping: vectors, so that no later version maps otherwise") {
  const auto indexes = [](std::uint64_t hash, std::size_t count) {
    std::vector<std::uint32_t> result;
    IndexSequence at(hash);
    for (std::size_t i = 0; i < count; ++i, at.advance()) result.push_back(at.index());
    return result;
  };
  CHECK(indexes(1, 8) == std::vector<std::uint32_t>{0, 1, 2, 3, 6, 11, 19, 44});
  CHECK(indexes(0x0123456789abcdef, 8) == std::vector<std::uint32_t>{0, 1, 2, 4, 6, 8, 20, 24});
  // The largest step and the smallest: r = 0 always, and an index that never stands still.
  CHECK(indexes(0, 4) == std::vector<std::uint32_t>{0, 139022, max_symbols, max_symbols});
  CHECK(mapping::next_index(0, 65536.0 / std::sqrt(4294967295.5) - 1.0) == 1);
  CHECK(mapping::next_index(max_symbols, 65536.0 / std::sqrt(4294967295.5) - 1.0) ==
        std::uint64_t{max_symbols} + 1);
}

TEST_CASE("mapping: an item is in symbol i with a probability of about 1/(1 + i/2)") {
  std::mt19937_64 random(4);
  constexpr std::size_t item_count = 20000;
  Encoder<1> encoder({1, 2});
  encoder.add(random_items<1>(random, item_count));
  const auto symbols = encoder.symbols(2000);
  CHECK(symbols[0].count == item_count);
  for (const std::size_t i : {1U, 2U, 3U, 10U, 50U, 100U, 300U, 1000U, 1999U}) {
    CAPTURE(i);
    const double p = 1 / (1 + static_cast<double>(i) / 2);
    const double mean = item_count * p;
    const double deviation = std::sqrt(item_count * p * (1 - p));
    // The steps are whole numbers, so that the first ones are a little off: 0.64 for i = 1.
    CHECK(std::abs(symbols[i].count - mean) < 5 * deviation + (i < 3 ? 0.05 * mean : 0));
  }
}

TEST_CASE("sketch: removing undoes adding, and a symbol-wise difference is that of the sets") {
  std::mt19937_64 random(5);
  const SipKey key{random(), random()};
  const auto items = random_items<1>(random, 1000);
  Sketch<1> sketch(key, 64);
  for (const auto& item : items) sketch.add(item);
  Sketch<1> half(key, 64);
  half.add(std::span(items).first(500));
  Sketch<1> other_half(key, 64);
  other_half.add(std::span(items).subspan(500));
  const auto rest = iblt::difference<1>(sketch.symbols(), half.symbols());
  CHECK(std::equal(rest.begin(), rest.end(), other_half.symbols().begin()));
  for (std::size_t i = 0; i < 500; ++i) sketch.remove(items[i]);
  CHECK(std::equal(rest.begin(), rest.end(), sketch.symbols().begin()));
  for (std::size_t i = 500; i < 1000; ++i) sketch.remove(items[i]);
  for (const auto& symbol : sketch.symbols()) CHECK(symbol.is_zero());
  CHECK(sketch.size() == 0);
}
