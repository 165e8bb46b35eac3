#include "twinchain/iblt/symbol_codec.hpp"

#include <doctest/doctest.h>

#include "twinchain/iblt/encoder.hpp"
#include "unit/iblt/random_items.hpp"

using namespace twinchain;
using namespace twinchain::iblt;

namespace {

SymbolRange range_of(std::size_t items, std::uint32_t first, std::uint32_t count) {
  std::mt19937_64 random(items);
  Encoder<1> encoder({1, 2});
  encoder.add(random_items<1>(random, items));
  const auto symbols = encoder.symbols(first + count).subspan(first);
  return {0, first, static_cast<std::uint32_t>(items), {symbols.begin(), symbols.end()}};
}

std::string message_of(Bytes bytes, std::size_t max_count = 1000) {
  const auto parsed = parse_symbol_range(bytes, max_count);
  if (parsed) return "";
  CHECK(parsed.error().code == ExitCode::malformed);
  return parsed.error().message;
}

}  // namespace

TEST_CASE("symbol range: what is encoded is parsed, and 14 bytes a symbol are enough") {
  for (const std::size_t items : {0U, 1U, 100U, 20000U}) {
    const SymbolRange range = range_of(items, 0, 700);
    const Bytes bytes = encode_symbol_range(range);
    CHECK(bytes.size() <= 16 + 700 * 14);
    const auto parsed = parse_symbol_range(bytes, 700);
    REQUIRE(parsed);
    CHECK(*parsed == range);
    CHECK(encode_symbol_range(*parsed) == bytes);
  }
  const SymbolRange later = range_of(1000, 500, 100);
  CHECK(parse_symbol_range(encode_symbol_range(later), 100) == later);
  CHECK(parse_symbol_range(encode_symbol_range({}), 0) == SymbolRange{});
}

TEST_CASE("symbol range: every truncation is refused") {
  const Bytes bytes = encode_symbol_range(range_of(50, 0, 20));
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    CAPTURE(size);
    CHECK(message_of({bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size)})
              .starts_with("symbols: byte "));
  }
}

TEST_CASE("symbol range: each rule has its refusal") {
  const Bytes good = encode_symbol_range(range_of(50, 0, 20));
  const auto with = [&](std::size_t at, std::uint8_t value) {
    Bytes bytes = good;
    bytes[at] = value;
    return message_of(bytes);
  };
  CHECK(with(0, 2) == "symbols: byte 0: version 2");
  CHECK(with(2, 8) == "symbols: byte 2: layer 8");
  CHECK(with(7, 4) == "symbols: byte 4: symbols beyond index 67108864");
  CHECK(with(8, 21).starts_with("symbols: byte "));
  CHECK(with(10, 1) == "symbols: byte 8: more symbols than asked for or allowed");
  CHECK(with(15, 0x40) == "symbols: byte 12: more items than a set may have");
  // Symbol 0 has every item, so that its deviation is 0; 2 is 1 more than there are, 1 is 1 less.
  CHECK(good[28] == 0);
  CHECK(with(28, 2) == "symbols: byte 28: a count that no set has");
  CHECK(with(28, 0x80).starts_with("symbols: byte "));
  CHECK(message_of(good, 19) == "symbols: byte 8: more symbols than asked for or allowed");
  Bytes longer = good;
  longer.push_back(0);
  CHECK(message_of(longer) ==
        "symbols: byte " + std::to_string(good.size()) + ": bytes after the last symbol");
  Bytes overlong = encode_symbol_range(range_of(0, 0, 1));
  overlong.back() = 0x80;
  overlong.push_back(0);
  CHECK(message_of(overlong) == "symbols: byte 28: a count that is not in its shortest form");
}
