#include <doctest/doctest.h>

#include <algorithm>
#include <random>

#include "twinchain/base/hex.hpp"
#include "twinchain/bitcoin/merkle_block.hpp"
#include "twinchain/bitcoin/merkle_branch.hpp"
#include "twinchain/crypto/sha256.hpp"

using namespace twinchain;
using namespace twinchain::bitcoin;

namespace {

std::vector<Hash256> some_txids(std::size_t count) {
  std::vector<Hash256> ids;
  for (std::size_t i = 0; i < count; ++i) {
    Bytes seed;
    append_le(seed, static_cast<std::uint32_t>(i));
    ids.push_back(sha256(ByteView(seed)));
  }
  return ids;
}

// The definition, in other words than the code: pad each row to even length, then pair.
Hash256 root_by_definition(std::vector<Hash256> row) {
  while (row.size() > 1) {
    if (row.size() % 2 == 1) row.push_back(row.back());
    std::vector<Hash256> above;
    for (std::size_t i = 0; i < row.size(); i += 2) {
      Bytes both(row[i].begin(), row[i].end());
      append(both, row[i + 1]);
      above.push_back(sha256d(both));
    }
    row = std::move(above);
  }
  return row[0];
}

std::string error_of(ByteView bytes, std::size_t max_matches = 1000) {
  const auto parsed = parse_merkle_block(bytes, max_matches);
  return parsed ? "" : parsed.error().message;
}

}  // namespace

TEST_CASE("block 100000: the root of its four transactions") {
  // Displayed order, as any block explorer has them.
  std::vector<Hash256> ids;
  for (const char* id : {"8c14f0db3df150123e6f3dbbf30f8b955a8249b62ac1d1ff16284aefa3d06d87",
                         "fff2525b8931402dd09222c50775608f75787bd2b87e56995a7bdd30f79702c4",
                         "6359f0868171b1d194cbee1af2f16ea598ae8fad666d9b012c8ed2b79a236ec4",
                         "e9a66845e05d5abc0ad04ec80f774a7e585c6e8db975962d069a522137b80c1d"}) {
    ids.push_back(*hash_from_hex_reversed(id));
  }
  CHECK(to_hex_reversed(merkle_root(ids)) ==
        "f3e94742aca4b5ef85488dc37c06c3282295ffec960994b2c0d5ac2a25a95766");
}

TEST_CASE("branches lead to the root from every place of trees of every form") {
  for (std::size_t count = 1; count <= 40; ++count) {
    const auto ids = some_txids(count);
    bool mutated = true;
    const Hash256 root = merkle_root(ids, &mutated);
    CHECK_FALSE(mutated);
    CHECK(root == root_by_definition(ids));
    for (std::size_t index = 0; index < count; ++index) {
      CAPTURE(count);
      CAPTURE(index);
      const auto branch = merkle_branch(ids, index);
      CHECK(branch.size() == branch_length(count));
      // This index, and no other one of the whole range.
      for (std::uint32_t other = 0; other < 128; ++other) {
        CHECK((root_from_branch(ids[index], other, branch) == root) == (other == index));
      }
      auto longer = branch;
      longer.push_back(Hash256{1});
      CHECK(root_from_branch(ids[index], static_cast<std::uint32_t>(index), longer) != root);
    }
  }
  CHECK(merkle_root({}) == Hash256{});
  CHECK(branch_length(0) == 0);
  CHECK(branch_length(std::uint64_t{1} << 32) == 32);
  CHECK_FALSE(root_from_branch({}, 0, std::vector<Hash256>(33)));
}

TEST_CASE("CVE-2012-2459: a list with a repeated end has the same root, and is found out") {
  for (const std::size_t count : {std::size_t{3}, std::size_t{5}, std::size_t{6}, std::size_t{7},
                                  std::size_t{11}, std::size_t{13}}) {
    CAPTURE(count);
    const auto ids = some_txids(count);
    auto repeated = ids;
    // What the tree pairs with itself, written out.
    std::size_t row = count;
    std::size_t span = 1;
    while (row % 2 == 0) {
      row /= 2;
      span *= 2;
    }
    if (row == 1) continue;
    repeated.insert(repeated.end(), ids.end() - static_cast<std::ptrdiff_t>(span), ids.end());
    bool mutated = false;
    CHECK(merkle_root(repeated, &mutated) == merkle_root(ids));
    CHECK(mutated);
    // A proof for the invented place is refused.
    const std::size_t invented = repeated.size() - 1;
    CHECK_FALSE(root_from_branch(repeated[invented], static_cast<std::uint32_t>(invented),
                                 merkle_branch(repeated, invented)));
  }
}

TEST_CASE("merkle blocks: every choice of matches of small trees, with index and branch") {
  for (std::size_t count = 1; count <= 9; ++count) {
    const auto ids = some_txids(count);
    BlockHeader header;
    header.merkle_root = merkle_root(ids);
    for (unsigned choice = 0; choice < (1U << count); ++choice) {
      std::vector<bool> matches;
      for (std::size_t i = 0; i < count; ++i) matches.push_back((choice >> i & 1) != 0);
      const Bytes bytes = make_merkle_block(header, ids, matches);
      const auto parsed = parse_merkle_block(bytes);
      REQUIRE(parsed);
      CHECK(parsed->header == header);
      CHECK(parsed->transaction_count == count);
      std::size_t found = 0;
      for (std::size_t i = 0; i < count; ++i) {
        if (!matches[i]) continue;
        REQUIRE(found < parsed->matches.size());
        const MatchedTransaction& match = parsed->matches[found++];
        CHECK(match.txid == ids[i]);
        CHECK(match.index == i);
        CHECK(match.branch == merkle_branch(ids, i));
      }
      CHECK(found == parsed->matches.size());
    }
  }
}

TEST_CASE("merkle blocks: every bit and every length counts") {
  const auto ids = some_txids(7);
  BlockHeader header;
  header.merkle_root = merkle_root(ids);
  std::vector<bool> matches(7, false);
  matches[2] = matches[6] = true;
  const Bytes good = make_merkle_block(header, ids, matches);
  REQUIRE(parse_merkle_block(good));
  for (std::size_t size = 0; size < good.size(); ++size) {
    CHECK_FALSE(parse_merkle_block(ByteView(good).first(size)));
  }
  Bytes longer = good;
  longer.push_back(0);
  CHECK(error_of(longer) == "merkle block: bytes after the flag bytes");
  // Of the header only the root is looked at, and another count can have the same form.
  for (std::size_t byte = 36; byte < good.size(); ++byte) {
    if (byte >= 68 && byte < 84) continue;
    for (unsigned bit = 0; bit < 8; ++bit) {
      CAPTURE(byte);
      CAPTURE(bit);
      Bytes changed = good;
      changed[byte] ^= static_cast<std::uint8_t>(1U << bit);
      const auto parsed = parse_merkle_block(changed);
      const bool same = parsed && parsed->matches.size() == 2 &&
                        parsed->matches[0].txid == ids[2] && parsed->matches[1].txid == ids[6];
      CHECK_FALSE(same);
    }
  }
  CHECK(error_of(good, 1) == "merkle block: too many matches");
}

TEST_CASE("merkle blocks with a duplicated subtree are refused") {
  const auto ids = some_txids(3);
  auto repeated = ids;
  repeated.push_back(ids[2]);
  BlockHeader header;
  header.merkle_root = merkle_root(ids);
  CHECK(error_of(make_merkle_block(header, repeated, {false, false, false, true})) ==
        "merkle block: duplicated subtree");
  CHECK(error_of(make_merkle_block(header, {}, {})) == "merkle block: no transactions");
}
