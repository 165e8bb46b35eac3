#include "twinchain/crypto/merkle.hpp"

#include <doctest/doctest.h>

#include "numbered_leaves.hpp"
#include "twinchain/base/hex.hpp"
#include "twinchain/crypto/sha256.hpp"

using namespace twinchain;
using test::numbered_leaves;

namespace {

// The tree of Certificate Transparency's own tests: eight leaves and the root of the first n.
const char* const published_leaves[] = {"",
                                        "00",
                                        "10",
                                        "2021",
                                        "3031",
                                        "40414243",
                                        "5051525354555657",
                                        "606162636465666768696a6b6c6d6e6f"};
const char* const roots[] = {"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
                             "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
                             "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
                             "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
                             "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
                             "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
                             "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
                             "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};

/// RFC 6962 section 2.1, word for word.
Hash256 by_the_book(std::span<const Hash256> hashes) {
  if (hashes.empty()) return sha256(ByteView());
  if (hashes.size() == 1) return hashes[0];
  std::size_t split = 1;
  while (split * 2 < hashes.size()) split *= 2;
  return merkle_node(by_the_book(hashes.first(split)), by_the_book(hashes.subspan(split)));
}

}  // namespace

TEST_CASE("Merkle tree: the known tree of RFC 6962's implementers") {
  std::vector<Hash256> hashes;
  MerkleFrontier frontier;
  CHECK(to_hex(merkle_root({})) ==
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  for (std::size_t i = 0; i < 8; ++i) {
    hashes.push_back(merkle_leaf(*from_hex(published_leaves[i])));
    frontier.append(hashes.back());
    CHECK(to_hex(merkle_root(hashes)) == roots[i]);
    CHECK(to_hex(frontier.root()) == roots[i]);
  }
}

TEST_CASE("Merkle tree: a frontier gives at every size what the definition gives") {
  const std::vector<Hash256> hashes = numbered_leaves(260);
  MerkleFrontier frontier;
  CHECK(frontier.root() == by_the_book({}));
  for (std::size_t size = 1; size <= hashes.size(); ++size) {
    frontier.append(hashes[size - 1]);
    REQUIRE(frontier.size() == size);
    REQUIRE(frontier.root() == by_the_book(std::span(hashes).first(size)));
  }
}

TEST_CASE("Merkle tree: a frontier goes on from its parts") {
  const std::vector<Hash256> hashes = numbered_leaves(100);
  for (std::size_t cut = 0; cut <= hashes.size(); ++cut) {
    MerkleFrontier before;
    for (std::size_t i = 0; i < cut; ++i) before.append(hashes[i]);
    auto after = MerkleFrontier::from_parts(before.size(), before.hashes());
    REQUIRE(after);
    for (std::size_t i = cut; i < hashes.size(); ++i) after->append(hashes[i]);
    CHECK(after->root() == merkle_root(hashes));
  }
  CHECK_FALSE(MerkleFrontier::from_parts(3, std::vector<Hash256>(1)));
  CHECK_FALSE(MerkleFrontier::from_parts(0, std::vector<Hash256>(1)));
  CHECK(MerkleFrontier::from_parts(~std::uint64_t{0}, std::vector<Hash256>(64)));
}

TEST_CASE("Merkle tree: leaves and nodes are hashed apart") {
  const std::vector<Hash256> pair = numbered_leaves(2);
  Bytes joined;
  append(joined, pair[0]);
  append(joined, pair[1]);
  CHECK(merkle_leaf(joined) != merkle_node(pair[0], pair[1]));
  CHECK(merkle_node(pair[0], pair[1]) != merkle_node(pair[1], pair[0]));
}
