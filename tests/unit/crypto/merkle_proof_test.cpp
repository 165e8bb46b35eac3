#include "twinchain/crypto/merkle_proof.hpp"

#include <doctest/doctest.h>

#include <cstdio>
#include <filesystem>

#include "json_vectors.hpp"
#include "numbered_leaves.hpp"
#include "twinchain/base/base64.hpp"
#include "twinchain/crypto/merkle.hpp"

using namespace twinchain;
using test::numbered_leaves;

namespace {

/// What has fewer than 32 bytes in the vectors ("don't care") is filled up with zeros.
Hash256 hash_from_base64(const std::string& text) {
  const auto bytes = from_base64(text);
  Hash256 hash{};
  REQUIRE(bytes);
  REQUIRE(bytes->size() <= hash.size());
  std::copy(bytes->begin(), bytes->end(), hash.begin());
  return hash;
}

bool outcome(const test::Json& vector, bool inclusion) {
  std::vector<Hash256> proof;
  for (const test::Json& item : vector.at("proof").items) {
    proof.push_back(hash_from_base64(item.text));
  }
  const auto number = [&](const char* name) { return std::stoull(vector.at(name).text); };
  const auto hash = [&](const char* name) { return hash_from_base64(vector.at(name).text); };
  return inclusion ? verify_inclusion(hash("leafHash"), number("leafIdx"), number("treeSize"),
                                      proof, hash("root"))
                   : verify_consistency(number("size1"), number("size2"), proof, hash("root1"),
                                        hash("root2"));
}

}  // namespace

TEST_CASE("proofs: the vectors of RFC 6962 all have their outcome") {
  namespace fs = std::filesystem;
  const char* shared = std::getenv("TWINCHAIN_SHARED");
  const fs::path vectors = fs::path(shared != nullptr ? shared : "../shared") / "vectors";
  const fs::path folder = vectors / "rfc6962/testdata";
  if (!fs::is_directory(folder)) {
    std::printf("SKIPPED no RFC 6962 vectors under TWINCHAIN_SHARED\n");
    return;
  }
  std::size_t count = 0;
  for (const char* kind : {"inclusion", "consistency"}) {
    for (const auto& entry : fs::recursive_directory_iterator(folder / kind)) {
      if (!entry.is_regular_file()) continue;
      const auto vector = test::read_vectors(fs::relative(entry.path(), vectors).string());
      REQUIRE(vector);
      CAPTURE(entry.path().string());
      const bool inclusion = kind[0] == 'i';
      // A hash of no bytes is refused by whoever reads the proof.
      const bool readable = !vector->at(inclusion ? "leafHash" : "root1").text.empty();
      CHECK((readable && outcome(*vector, inclusion)) == (vector->at("wantErr").text == "false"));
      ++count;
    }
  }
  CHECK(count == 196);
}

TEST_CASE("proofs: every leaf of every small tree is included, and nowhere else") {
  const auto all = numbered_leaves(70);
  for (std::size_t size = 1; size <= all.size(); ++size) {
    const std::span<const Hash256> leaves = std::span(all).first(size);
    const Hash256 root = merkle_root(leaves);
    const SubtreeRoot subtree = subtrees_of(leaves);
    for (std::size_t index = 0; index < size; ++index) {
      auto path = inclusion_path(index, size, subtree);
      REQUIRE(verify_inclusion(leaves[index], index, size, path, root));
      REQUIRE_FALSE(verify_inclusion(leaves[index], index + 1, size, path, root));
      REQUIRE_FALSE(verify_inclusion(root, index, size, path, leaves[index]) != (size == 1));
      path.push_back(root);
      REQUIRE_FALSE(verify_inclusion(leaves[index], index, size, path, root));
    }
  }
}

TEST_CASE("proofs: every small tree is a prefix of every larger one, and of no other") {
  const auto all = numbered_leaves(40);
  const auto other = merkle_leaf(as_bytes("other"));
  for (std::size_t size2 = 1; size2 <= all.size(); ++size2) {
    const std::span<const Hash256> leaves = std::span(all).first(size2);
    const Hash256 root2 = merkle_root(leaves);
    for (std::size_t size1 = 1; size1 <= size2; ++size1) {
      auto proof = consistency_proof(size1, size2, subtrees_of(leaves));
      const Hash256 root1 = merkle_root(leaves.first(size1));
      REQUIRE(verify_consistency(size1, size2, proof, root1, root2));
      REQUIRE_FALSE(verify_consistency(size1, size2, proof, other, root2));
      REQUIRE_FALSE(verify_consistency(size1, size2, proof, root1, other));
      REQUIRE_FALSE(verify_consistency(size2 + 1, size2, proof, root1, root2));
      proof.push_back(other);
      REQUIRE_FALSE(verify_consistency(size1, size2, proof, root1, root2));
    }
  }
}

TEST_CASE("proofs: every range of every small tree, and nothing but it") {
  const auto all = numbered_leaves(33);
  for (std::size_t size = 0; size <= all.size(); ++size) {
    const std::span<const Hash256> leaves = std::span(all).first(size);
    const Hash256 root = merkle_root(leaves);
    for (std::size_t begin = 0; begin <= size; ++begin) {
      for (std::size_t count = 0; begin + count <= size; ++count) {
        const auto proof = range_proof(begin, count, size, subtrees_of(leaves));
        const auto range = leaves.subspan(begin, count);
        REQUIRE(verify_range(begin, range, size, proof, root));
        if (count > 1)
          REQUIRE_FALSE(verify_range(begin, range.first(count - 1), size, proof, root));
        if (count > 0) {
          std::vector<Hash256> changed(range.begin(), range.end());
          changed[count / 2][7] ^= 1;
          REQUIRE_FALSE(verify_range(begin, changed, size, proof, root));
        }
        auto longer = proof;
        longer.right.push_back(root);
        REQUIRE_FALSE(verify_range(begin, range, size, longer, root));
      }
    }
  }
}

TEST_CASE("proofs: sizes at the end of 64 bits do not go wrong") {
  const std::vector<Hash256> leaf(1);
  const std::vector<Hash256> many(64);
  const std::uint64_t most = ~std::uint64_t{0};
  CHECK_FALSE(verify_inclusion(leaf[0], most - 1, most, many, leaf[0]));
  CHECK_FALSE(verify_inclusion(leaf[0], most, most, many, leaf[0]));
  CHECK_FALSE(verify_consistency(most - 1, most, many, leaf[0], leaf[0]));
  CHECK_FALSE(verify_consistency(std::uint64_t{1} << 63, most, many, leaf[0], leaf[0]));
  CHECK_FALSE(verify_range(most, leaf, most, {many, {}}, leaf[0]));
  CHECK_FALSE(verify_range(most - 1, leaf, most, {many, {}}, leaf[0]));
  CHECK_FALSE(verify_range(0, leaf, most, {{}, many}, leaf[0]));
}
