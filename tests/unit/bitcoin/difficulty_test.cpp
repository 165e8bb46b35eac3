#include "twinchain/bitcoin/difficulty.hpp"

#include <doctest/doctest.h>

#include <vector>

using namespace twinchain::bitcoin;

namespace {

const DifficultyRule bitcoin_rule{};
const DifficultyRule litecoin_rule{150, 2016, 0x1e0fffff, false, true, false};

BlockHeader header(std::uint32_t time_s, std::uint32_t bits) {
  BlockHeader made;
  made.time_s = time_s;
  made.bits = bits;
  return made;
}

/// Feeds a chain whose blocks come every `spacing_s`, with the bits that the rules ask for, from
/// `first_height` for `count` blocks; gives the headers.
std::vector<BlockHeader> chain(const DifficultyRule& rule, std::uint32_t count,
                               std::uint32_t spacing_s, std::uint32_t bits) {
  std::vector<BlockHeader> headers;
  for (std::uint32_t height = 0; height < count; ++height) {
    if (height > 0 && height % rule.interval == 0) {
      const bool before = rule.counts_from_before && height != rule.interval;
      const std::uint32_t from = height - rule.interval - (before ? 1 : 0);
      bits = next_bits(rule, bits,
                       std::int64_t{headers.back().time_s} - std::int64_t{headers[from].time_s});
    }
    headers.push_back(header(1'400'000'000 + height * spacing_s, bits));
  }
  return headers;
}

/// The number of the first header that is refused, or -1.
int first_refused(const DifficultyRule& rule, std::uint32_t first_height,
                  const std::vector<BlockHeader>& headers) {
  DifficultyCheck check(rule, first_height);
  for (std::size_t i = 0; i < headers.size(); ++i) {
    if (check.next(headers[i])) return static_cast<int>(i);
  }
  return -1;
}

std::vector<BlockHeader> from(const std::vector<BlockHeader>& headers, std::size_t first) {
  return {headers.begin() + static_cast<std::ptrdiff_t>(first), headers.end()};
}

}  // namespace

TEST_CASE("difficulty: the cases of Bitcoin Core's pow_tests.cpp") {
  CHECK(next_bits(bitcoin_rule, 0x1d00ffff, 1'262'152'739 - 1'261'130'161) == 0x1d00d86a);
  CHECK(next_bits(bitcoin_rule, 0x1d00ffff, 1'233'061'996 - 1'231'006'505) == 0x1d00ffff);
  CHECK(next_bits(bitcoin_rule, 0x1c05a3f4, 1'279'297'671 - 1'279'008'237) == 0x1c0168fd);
  CHECK(next_bits(bitcoin_rule, 0x1c387f6f, 1'269'211'443 - 1'263'163'443) == 0x1d00e1fd);
}

TEST_CASE("difficulty: the cases of Litecoin Core's pow_tests.cpp") {
  CHECK(next_bits(litecoin_rule, 0x1c0ac141, 1'358'378'777 - 1'358'118'740) == 0x1c093f8d);
  CHECK(next_bits(litecoin_rule, 0x1e0ffff0, 1'318'480'354 - 1'317'972'665) == 0x1e0fffff);
}

TEST_CASE("difficulty: a chain that follows the rules passes, from any height") {
  for (const DifficultyRule& rule : {bitcoin_rule, litecoin_rule}) {
    for (const std::uint32_t spacing : {rule.spacing_s, rule.spacing_s / 3, rule.spacing_s * 2}) {
      const auto headers = chain(rule, 3 * 2016 + 10, spacing, 0x1c05a3f4);
      CHECK(first_refused(rule, 0, headers) == -1);
      for (const std::uint32_t first : {1U, 2000U, 2015U, 2016U, 2017U, 4031U}) {
        CHECK(first_refused(rule, first, from(headers, first)) == -1);
      }
    }
  }
}

TEST_CASE("difficulty: an easier block is refused wherever it is") {
  const auto good = chain(bitcoin_rule, 2 * 2016 + 10, 500, 0x1c05a3f4);
  for (const std::size_t at : {1U, 1000U, 2015U, 2016U, 2017U, 4032U, 4033U}) {
    auto headers = good;
    headers[at].bits = 0x1c05a3f5;
    CHECK(first_refused(bitcoin_rule, 0, headers) == static_cast<int>(at));
  }
  // A change whose period is not known altogether: within four times it cannot be judged.
  auto headers = from(good, 100);
  headers[2016 - 100].bits = 0x1c168fd0;
  CHECK(first_refused(bitcoin_rule, 100, headers) == 2016 - 100 + 1);  // the next is not the same
  headers[2016 - 100].bits = 0x1d00ffff;
  CHECK(first_refused(bitcoin_rule, 100, headers) == 2016 - 100);
}

TEST_CASE("difficulty: Litecoin counts from the block before the period, but for the first") {
  auto headers = chain(litecoin_rule, 2 * 2016 + 1, 150, 0x1c05a3f4);
  CHECK(headers[2016].bits == next_bits(litecoin_rule, 0x1c05a3f4, 2015 * 150));
  CHECK(headers[4032].bits == next_bits(litecoin_rule, headers[4031].bits, 2016 * 150));
  headers[4032].bits = next_bits(litecoin_rule, headers[4031].bits, 2015 * 150);
  CHECK(first_refused(litecoin_rule, 0, headers) == 4032);
}

TEST_CASE("difficulty: test networks allow the easiest target after a pause only") {
  DifficultyRule rule;
  rule.easiest_after_pause = true;
  const std::uint32_t hard = 0x1c05a3f4;
  std::vector<BlockHeader> headers{header(1'000'000, hard), header(1'000'600, hard),
                                   header(1'001'801, rule.easiest_bits), header(1'001'900, hard)};
  CHECK(first_refused(rule, 2016, headers) == -1);
  headers[2].time_s = 1'001'800;
  CHECK(first_refused(rule, 2016, headers) == 2);
  headers[2].time_s = 1'001'801;
  headers[3].bits = rule.easiest_bits;
  CHECK(first_refused(rule, 2016, headers) == 3);
}

TEST_CASE("difficulty: BIP 94 takes the target of the period's first block") {
  DifficultyRule rule;
  rule.easiest_after_pause = true;
  rule.from_first_block = true;
  auto headers = chain(DifficultyRule{}, 2017, 600, 0x1c05a3f4);
  headers[2015].time_s = headers[2014].time_s + 1201;
  headers[2015].bits = rule.easiest_bits;
  headers[2016].time_s = headers[2015].time_s + 600;
  headers[2016].bits = next_bits(
      rule, 0x1c05a3f4, std::int64_t{headers[2015].time_s} - std::int64_t{headers[0].time_s});
  CHECK(first_refused(rule, 0, headers) == -1);
  rule.from_first_block = false;
  CHECK(first_refused(rule, 0, headers) == 2016);
}

TEST_CASE("difficulty: a time not after the median of eleven is refused") {
  auto headers = chain(bitcoin_rule, 40, 600, 0x1c05a3f4);
  headers[30].time_s = headers[24].time_s + 1;  // the median of 19 to 29 is 24
  CHECK(first_refused(bitcoin_rule, 0, headers) == -1);
  headers[30].time_s = headers[24].time_s;
  CHECK(first_refused(bitcoin_rule, 0, headers) == 30);
}
