#include "twinchain/crypto/merkle_proof.hpp"

#include <algorithm>
#include <bit>
#include <utility>

#include "twinchain/crypto/merkle.hpp"

namespace twinchain {

unsigned largest_subtree_level(std::uint64_t at, std::uint64_t end) {
  const int room = 63 - std::countl_zero(end - at);
  return static_cast<unsigned>(at == 0 ? room : std::min(room, std::countr_zero(at)));
}

namespace {

/// The roots of the perfect subtrees that make up [begin, end), from left to right.
std::vector<Hash256> cover(std::uint64_t begin, std::uint64_t end, const SubtreeRoot& subtree) {
  std::vector<Hash256> roots;
  while (begin < end) {
    const unsigned level = largest_subtree_level(begin, end);
    roots.push_back(subtree(level, begin >> level));
    begin += std::uint64_t{1} << level;
  }
  return roots;
}

/// MTH of [begin, end) where `begin` is a multiple of a power of two that is not smaller than the
/// number of leaves, as it is for every subtree of the RFC's recursion.
Hash256 root_of(std::uint64_t begin, std::uint64_t end, const SubtreeRoot& subtree) {
  const std::vector<Hash256> roots = cover(begin, end, subtree);
  Hash256 root = roots.back();
  for (std::size_t i = roots.size() - 1; i > 0; --i) root = merkle_node(roots[i - 1], root);
  return root;
}

/// The largest power of two below n; n > 1.
std::uint64_t split_of(std::uint64_t n) {
  return std::bit_floor(n - 1);
}

/// Reads the hashes of a proof one after another.
class Hashes {
 public:
  explicit Hashes(std::span<const Hash256> hashes) : hashes_(hashes) {}
  [[nodiscard]] bool empty() const { return hashes_.empty(); }
  const Hash256& next() {
    const Hash256& hash = hashes_.front();
    hashes_ = hashes_.subspan(1);
    return hash;
  }

 private:
  std::span<const Hash256> hashes_;
};

/// The way from a leaf to the root in RFC 9162 sections 2.1.3.2 and 2.1.4.2: fn is the node's
/// number in its level, sn the last one's.
struct Climb {
  std::uint64_t fn = 0;
  std::uint64_t sn = 0;

  [[nodiscard]] bool at_root() const { return sn == 0; }
  /// Goes up to the parent; true when the sibling is to the left. A lone last node goes up until it
  /// has a left sibling.
  bool go_up() {
    const bool sibling_is_left = (fn & 1) != 0 || fn == sn;
    const int lone = sibling_is_left && fn != 0 ? std::countr_zero(fn) : 0;
    fn >>= lone;
    sn >>= lone;
    fn >>= 1;
    sn >>= 1;
    return sibling_is_left;
  }
};

}  // namespace

bool verify_inclusion(const Hash256& leaf_hash, std::uint64_t index, std::uint64_t size,
                      std::span<const Hash256> path, const Hash256& root) {
  if (index >= size) return false;
  Climb climb{index, size - 1};
  Hash256 hash = leaf_hash;
  for (const Hash256& sibling : path) {
    if (climb.at_root()) return false;
    hash = climb.go_up() ? merkle_node(sibling, hash) : merkle_node(hash, sibling);
  }
  return climb.at_root() && hash == root;
}

bool verify_consistency(std::uint64_t size1, std::uint64_t size2, std::span<const Hash256> proof,
                        const Hash256& root1, const Hash256& root2) {
  if (size1 == 0 || size1 > size2) return false;
  if (size1 == size2) return proof.empty() && root1 == root2;
  Hashes hashes(proof);
  Climb climb{size1 - 1, size2 - 1};
  const int up = std::countr_one(climb.fn);
  climb.fn >>= up;
  climb.sn >>= up;
  // A perfect first tree is a node of the second, so that its root need not be said again.
  if (!std::has_single_bit(size1) && hashes.empty()) return false;
  Hash256 old_root = std::has_single_bit(size1) ? root1 : hashes.next();
  Hash256 new_root = old_root;
  while (!hashes.empty()) {
    if (climb.at_root()) return false;
    const Hash256& hash = hashes.next();
    if (climb.go_up()) {
      old_root = merkle_node(hash, old_root);
      new_root = merkle_node(hash, new_root);
    } else {
      new_root = merkle_node(new_root, hash);
    }
  }
  return climb.at_root() && old_root == root1 && new_root == root2;
}

SubtreeRoot subtrees_of(std::span<const Hash256> leaf_hashes) {
  return [leaf_hashes](unsigned level, std::uint64_t index) {
    return merkle_root(leaf_hashes.subspan(index << level, std::size_t{1} << level));
  };
}

std::vector<Hash256> inclusion_path(std::uint64_t index, std::uint64_t size,
                                    const SubtreeRoot& subtree) {
  // PATH(m, D[n]) of RFC 6962 section 2.1.1, from the root down, then turned round.
  std::vector<Hash256> path;
  std::uint64_t begin = 0;
  std::uint64_t end = size;
  while (end - begin > 1) {
    const std::uint64_t middle = begin + split_of(end - begin);
    if (index < middle) {
      path.push_back(root_of(middle, end, subtree));
      end = middle;
    } else {
      path.push_back(root_of(begin, middle, subtree));
      begin = middle;
    }
  }
  std::reverse(path.begin(), path.end());
  return path;
}

std::vector<Hash256> consistency_proof(std::uint64_t size1, std::uint64_t size2,
                                       const SubtreeRoot& subtree) {
  if (size1 == 0 || size1 == size2) return {};
  // SUBPROOF(m, D[n], b) of RFC 6962 section 2.1.2, turned round as above.
  std::vector<Hash256> proof;
  std::uint64_t begin = 0;
  std::uint64_t end = size2;
  while (size1 != end) {
    const std::uint64_t middle = begin + split_of(end - begin);
    if (size1 <= middle) {
      proof.push_back(root_of(middle, end, subtree));
      end = middle;
    } else {
      proof.push_back(root_of(begin, middle, subtree));
      begin = middle;
    }
  }
  if (begin != 0) proof.push_back(root_of(begin, end, subtree));
  std::reverse(proof.begin(), proof.end());
  return proof;
}

RangeProof range_proof(std::uint64_t begin, std::uint64_t count, std::uint64_t size,
                       const SubtreeRoot& subtree) {
  return {cover(0, begin, subtree), cover(begin + count, size, subtree)};
}

bool verify_range(std::uint64_t begin, std::span<const Hash256> leaf_hashes, std::uint64_t size,
                  const RangeProof& proof, const Hash256& root) {
  if (begin > size || leaf_hashes.size() > size - begin) return false;
  auto tree = MerkleFrontier::from_parts(begin, proof.left);
  if (!tree) return false;
  for (const Hash256& leaf : leaf_hashes) tree->append(leaf);
  Hashes right(proof.right);
  while (tree->size() < size) {
    if (right.empty()) return false;
    tree->append_subtree(largest_subtree_level(tree->size(), size), right.next());
  }
  return right.empty() && tree->root() == root;
}

}  // namespace twinchain
