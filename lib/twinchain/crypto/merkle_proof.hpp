// Proofs in Merkle trees of RFC 6962 section 2.1 (RFC 9162 section 2.1.3 and 2.1.4). Floor 1.
//
// Making a proof takes the leaf hashes, or any function that gives the roots of perfect subtrees;
// checking takes O(log n) hashes whatever the size of the tree. Proofs are untrusted input: a
// check that fails gives false, and no size or index makes one go wrong otherwise. The size and the
// root of a tree come from one trusted place (a signed head): a root alone does not say how many
// leaves are under it.
//
// A range proof shows leaves [begin, begin + count) at once: what stands left and right of them,
// as roots of perfect subtrees (a compact range on either side). The RFC's inclusion proof of one
// leaf has the same hashes in another order.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "twinchain/base/bytes.hpp"

namespace twinchain {

/// The leaf `leaf_hash` is number `index` of the `size` leaves under `root`.
bool verify_inclusion(const Hash256& leaf_hash, std::uint64_t index, std::uint64_t size,
                      std::span<const Hash256> path, const Hash256& root);

/// The first `size1` of the `size2` leaves under `root2` are those under `root1`. False when size1
/// is 0: every tree continues an empty one, so such a proof would say nothing.
bool verify_consistency(std::uint64_t size1, std::uint64_t size2, std::span<const Hash256> proof,
                        const Hash256& root1, const Hash256& root2);

/// Roots of perfect subtrees: leaves [index << level, (index + 1) << level).
using SubtreeRoot = std::function<Hash256(unsigned level, std::uint64_t index)>;
/// Reads them off the hashes of all leaves, in O(leaves of the subtree).
SubtreeRoot subtrees_of(std::span<const Hash256> leaf_hashes);

/// index < size. At most 64 calls of `subtree`, each of a subtree wholly inside the tree, and as
/// many for the last, imperfect part of it.
std::vector<Hash256> inclusion_path(std::uint64_t index, std::uint64_t size,
                                    const SubtreeRoot& subtree);
/// 0 < size1 <= size2.
std::vector<Hash256> consistency_proof(std::uint64_t size1, std::uint64_t size2,
                                       const SubtreeRoot& subtree);

/// The level of the largest perfect subtree that begins at leaf `at` and ends at or before `end`;
/// at < end. How a compact range is cut up.
unsigned largest_subtree_level(std::uint64_t at, std::uint64_t end);

struct RangeProof {
  std::vector<Hash256> left;   ///< of [0, begin), largest first: the set bits of `begin`
  std::vector<Hash256> right;  ///< of [begin + count, size), from left to right
  bool operator==(const RangeProof&) const = default;
};

/// begin + count <= size.
RangeProof range_proof(std::uint64_t begin, std::uint64_t count, std::uint64_t size,
                       const SubtreeRoot& subtree);
/// These are leaves [begin, begin + leaf_hashes.size()) of the `size` leaves under `root`.
bool verify_range(std::uint64_t begin, std::span<const Hash256> leaf_hashes, std::uint64_t size,
                  const RangeProof& proof, const Hash256& root);

}  // namespace twinchain
