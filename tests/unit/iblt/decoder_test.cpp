#include "twinchain/iblt/decoder.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>

#include "twinchain/iblt/encoder.hpp"
#include "twinchain/iblt/sizing.hpp"
#include "unit/iblt/random_items.hpp"

using namespace twinchain;
using namespace twinchain::iblt;

namespace {

template <std::size_t words>
std::vector<Item<words>> sorted(std::vector<Item<words>> items) {
  std::sort(items.begin(), items.end());
  return items;
}

// Two sets, one stream of symbols given in groups of `group`: the difference comes out.
template <std::size_t words>
std::size_t reconcile(std::uint64_t seed, std::size_t common, std::size_t only_theirs,
                      std::size_t only_ours, std::size_t group) {
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  const SipKey key{random(), random()};
  const auto both = random_items<words>(random, common);
  const auto theirs = random_items<words>(random, only_theirs);
  const auto ours = random_items<words>(random, only_ours);
  Encoder<words> sender(key);
  sender.add(both);
  sender.add(theirs);
  Encoder<words> receiver(key);
  receiver.add(ours);
  receiver.add(both);
  Decoder<words> decoder(key);
  for (std::size_t i = 0; decoder.state() == DecodeState::needs_more; i += group) {
    REQUIRE(i < 64 + 20 * (only_theirs + only_ours));
    CHECK(decoder.only_theirs().empty());
    decoder.add(iblt::difference<words>(sender.symbols(i + group).subspan(i),
                                        receiver.symbols(i + group).subspan(i)));
  }
  CHECK(decoder.state() == DecodeState::complete);
  CHECK(sorted(decoder.only_theirs()) == sorted(theirs));
  CHECK(sorted(decoder.only_ours()) == sorted(ours));
  return decoder.symbol_count();
}

// Feeds a decoder hostile symbols until it ends; it has to within the limits.
DecodeState feed(Decoder<1>& decoder, const std::vector<Symbol<1>>& symbols) {
  for (const auto& symbol : symbols) decoder.add(std::span(&symbol, 1));
  return decoder.state();
}

}  // namespace

TEST_CASE("decoder: differences of all kinds come out of a stream of symbols") {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    std::mt19937_64 random(seed);
    const auto common = random() % 500;
    const auto theirs = random() % 60;
    const auto ours = random() % 60;
    const auto group = 1 + random() % 50;
    reconcile<1>(seed, common, theirs, ours, group);
  }
  reconcile<4>(50, 300, 20, 30, 7);
  reconcile<8>(51, 300, 30, 20, 1);
  CHECK(reconcile<1>(52, 1000, 0, 0, 1) == 1);
  CHECK(reconcile<1>(53, 0, 0, 0, 1) == 1);
  CHECK(reconcile<1>(54, 1000, 1, 0, 1) == 1);
  CHECK(reconcile<1>(55, 1000, 0, 1, 1) == 1);
}

TEST_CASE("decoder: 1.36 symbols a difference or so") {
  std::size_t symbols = 0;
  for (std::uint64_t seed = 100; seed < 110; ++seed)
    symbols += reconcile<1>(seed, 500, 600, 400, 1);
  CHECK(symbols > 10 * 1250);
  CHECK(symbols < 10 * 1450);
}

TEST_CASE("decoder: items that layer 0 cannot tell apart come out of another layer") {
  // Two items with the same sequence up to index 39: found by trying.
  const SipKey key{20, 21};
  const auto sequence = [&](std::uint64_t item) {
    std::vector<std::uint32_t> indexes;
    for (IndexSequence at(siphash24(key, Item<1>{item})); at.index() < 40; at.advance()) {
      indexes.push_back(at.index());
    }
    return indexes;
  };
  std::map<std::vector<std::uint32_t>, std::uint64_t> seen;
  std::vector<Item<1>> items;
  for (std::uint64_t item = 1; items.empty(); ++item) {
    const auto [place, is_new] = seen.emplace(sequence(item), item);
    if (!is_new) items = {{item}, {place->second}};
  }
  Encoder<1> encoder(key);
  encoder.add(items);
  Encoder<1> layer(key, 1);
  layer.add(items);
  Decoder<1> decoder(key);
  CHECK(decoder.add(encoder.symbols(40)) == DecodeState::needs_more);
  for (std::size_t i = 0; i < 40 && decoder.state() == DecodeState::needs_more; ++i) {
    decoder.add(layer.symbols(i + 1).subspan(i), 1);
  }
  CHECK(decoder.state() == DecodeState::complete);
  CHECK(sorted(decoder.only_theirs()) == sorted(items));
}

TEST_CASE("decoder: layers in any mixture of groups") {
  std::mt19937_64 random(30);
  for (int round = 0; round < 30; ++round) {
    const SipKey key{random(), random()};
    const auto theirs = random_items<1>(random, 1 + random() % 100);
    std::vector<Encoder<1>> layers;
    for (std::uint32_t i = 0; i < 3; ++i) layers.emplace_back(key, i).add(theirs);
    Decoder<1> decoder(key);
    while (decoder.state() == DecodeState::needs_more) {
      const auto number = static_cast<std::uint32_t>(random() % 3);
      const std::size_t from = decoder.symbol_count(number);
      const std::size_t group = 1 + random() % 20;
      REQUIRE(decoder.symbol_count() < 3000);
      decoder.add(layers[number].symbols(from + group).subspan(from), number);
    }
    CHECK(decoder.state() == DecodeState::complete);
    CHECK(sorted(decoder.only_theirs()) == sorted(theirs));
  }
}

TEST_CASE("decoder: symbols beyond those needed are checked as well") {
  const SipKey key{7, 8};
  std::mt19937_64 random(9);
  const auto items = random_items<1>(random, 10);
  Encoder<1> encoder(key);
  encoder.add(items);
  std::vector<Symbol<1>> symbols(encoder.symbols(100).begin(), encoder.symbols(100).end());
  Decoder<1> good(key);
  CHECK(good.add(symbols) == DecodeState::complete);
  symbols[99].sum[0] ^= 1;
  Decoder<1> bad(key);
  CHECK(bad.add(symbols) != DecodeState::complete);
  CHECK(bad.only_theirs().empty());
}

TEST_CASE("decoder: with another key nothing is found") {
  std::mt19937_64 random(10);
  Encoder<1> encoder({1, 2});
  encoder.add(random_items<1>(random, 10));
  Decoder<1> decoder({1, 3});
  CHECK(decoder.add(encoder.symbols(200)) == DecodeState::needs_more);
}

TEST_CASE("decoder: limits end it") {
  std::mt19937_64 random(11);
  const SipKey key{1, 2};
  Encoder<1> encoder(key);
  encoder.add(random_items<1>(random, 100));
  Decoder<1> few_symbols(key, {.symbols = 20, .difference = 1000});
  CHECK(few_symbols.add(encoder.symbols(20)) == DecodeState::needs_more);
  CHECK(few_symbols.add(encoder.symbols(21).subspan(20)) == DecodeState::over_limit);
  CHECK(few_symbols.symbol_count() == 20);
  Decoder<1> few_items(key, {.symbols = 1000, .difference = 99});
  CHECK(few_items.add(encoder.symbols(400)) == DecodeState::over_limit);
  CHECK(few_items.only_theirs().empty());
  CHECK(few_items.add(encoder.symbols(1)) == DecodeState::over_limit);
  Decoder<1> enough(key, {.symbols = 1000, .difference = 100});
  CHECK(enough.add(encoder.symbols(400)) == DecodeState::complete);
}

TEST_CASE("decoder: an item twice never decodes, and never hangs") {
  std::mt19937_64 random(12);
  const SipKey key{1, 2};
  auto items = random_items<1>(random, 5);
  items.push_back(items[0]);
  Encoder<1> encoder(key);
  encoder.add(items);
  Decoder<1> decoder(key, {.symbols = 500, .difference = 500});
  const auto symbols = encoder.symbols(600);
  CHECK(feed(decoder, {symbols.begin(), symbols.end()}) == DecodeState::over_limit);
}

TEST_CASE("decoder: symbols that say an item is there and is not there end") {
  // Every other symbol that the item maps to has it: taken out of these it is missing in the
  // others, put back there it is too many here, for ever.
  const SipKey key{3, 4};
  const Item<1> item{0x1234};
  const std::uint64_t hash = siphash24(key, item);
  std::vector<Symbol<1>> symbols(4096);
  bool has_it = true;
  for (IndexSequence at(hash); at.index() < symbols.size(); at.advance()) {
    if (has_it) symbols[at.index()] = {item, static_cast<std::uint32_t>(hash), 1};
    has_it = !has_it;
  }
  REQUIRE(std::count_if(symbols.begin(), symbols.end(), [](auto& s) { return !s.is_zero(); }) > 2);
  Decoder<1> at_once(key);
  CHECK(at_once.add(symbols) == DecodeState::inconsistent);
  CHECK(at_once.only_theirs().empty());
  symbols[0].count = 5;  // else symbol 0 alone is a whole answer
  Decoder<1> one_by_one(key);
  CHECK(feed(one_by_one, symbols) == DecodeState::inconsistent);
}

TEST_CASE("decoder: an item at an index that it does not map to is not taken") {
  const SipKey key{5, 6};
  const Item<1> item{77};
  const std::uint64_t hash = siphash24(key, item);
  std::uint32_t foreign = 1;
  for (IndexSequence at(hash); at.index() <= foreign; at.advance())
    foreign += at.index() == foreign;
  std::vector<Symbol<1>> symbols(foreign + 1);
  symbols[0].count = 2;
  symbols[foreign] = {item, static_cast<std::uint32_t>(hash), 1};
  Decoder<1> decoder(key);
  CHECK(decoder.add(symbols) == DecodeState::needs_more);
}

TEST_CASE("decoder: a false item found by accident of the checksum heals") {
  // Found by trying 2^34 items: a, b on one side and c on the other are all in symbol 1, as is
  // w = a ^ b ^ c, and the lower halves of the hashes of a, b and c have that of w as their
  // exclusive or. So symbol 1 looks as if it held w alone.
  const SipKey key{11, 12};
  const Item<1> a{2};
  const Item<1> b{3};
  const Item<1> c{30563061470};
  const Item<1> w{30563061471};
  REQUIRE(static_cast<std::uint32_t>(siphash24(key, a) ^ siphash24(key, b) ^ siphash24(key, c)) ==
          static_cast<std::uint32_t>(siphash24(key, w)));
  Encoder<1> theirs(key);
  theirs.add(a);
  theirs.add(b);
  // Others, not in symbol 1, so that symbol 0 alone is no answer.
  std::vector<Item<1>> expected{a, b};
  for (std::uint64_t item = 1000; expected.size() < 6; ++item) {
    IndexSequence at(siphash24(key, Item<1>{item}));
    at.advance();
    if (at.index() == 1) continue;
    expected.push_back({item});
    theirs.add(Item<1>{item});
  }
  Encoder<1> ours(key);
  ours.add(c);
  const auto symbols = iblt::difference<1>(theirs.symbols(200), ours.symbols(200));
  REQUIRE(symbols[1] == Symbol<1>{w, static_cast<std::uint32_t>(siphash24(key, w)), 1});
  Decoder<1> decoder(key);
  for (std::size_t i = 0; i < 200 && decoder.state() == DecodeState::needs_more; ++i) {
    decoder.add(std::span(symbols).subspan(i, 1));
  }
  CHECK(decoder.state() == DecodeState::complete);
  CHECK(sorted(decoder.only_theirs()) == sorted(expected));
  CHECK(decoder.only_ours() == std::vector{c});
}

TEST_CASE("decoder: random symbols end") {
  std::mt19937_64 random(14);
  for (int round = 0; round < 50; ++round) {
    std::vector<Symbol<1>> symbols(1 + random() % 300);
    for (auto& symbol : symbols) {
      symbol.sum[0] = random() % 4;
      symbol.count = static_cast<std::uint32_t>(random() % 5 - 2);
      symbol.checksum =
          static_cast<std::uint32_t>(random() % 2 == 0 ? random() : siphash24({1, 2}, symbol.sum));
    }
    Decoder<1> decoder({1, 2}, {.symbols = 300, .difference = 100});
    feed(decoder, symbols);
    if (decoder.state() == DecodeState::complete) CHECK(decoder.symbol_count() < 10);
  }
}

TEST_CASE("sizing: the first flight, and an extension that doubles it") {
  CHECK(first_flight(0) == 16);
  CHECK(first_flight(100) == 182);
  CHECK(first_flight(5000) == 7029);
  CHECK(first_flight(~std::uint64_t{0}) == max_symbols);
  CHECK(next_extension(182) == Extension{118, 64});
  CHECK(next_extension(16) == Extension{32, 32});
  CHECK(next_extension(1'000'000) == Extension{1'000'000 - 64, 64});
  CHECK(next_extension(max_symbols - 300) == Extension{236, 64});
  CHECK(next_extension(max_symbols) == Extension{0, 0});
  CHECK(next_extension(0xffffffff) == Extension{0, 0});
}
