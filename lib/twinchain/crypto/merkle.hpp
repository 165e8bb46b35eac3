// Merkle trees of RFC 6962 section 2.1 (RFC 9162 section 2.1.1). Floor 1.
//
//   leaf  SHA256(0x00 || data)        node  SHA256(0x01 || left || right)
//   root of no leaves  SHA256("")     split at the largest power of two below n
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "twinchain/base/bytes.hpp"

namespace twinchain {

Hash256 merkle_leaf(ByteView data);
Hash256 merkle_node(const Hash256& left, const Hash256& right);
/// Of leaf hashes, all of them at hand: a level at a time (sha256_many), O(n) memory.
Hash256 merkle_root(std::span<const Hash256> leaf_hashes);

/// The roots of the perfect subtrees of an append-only tree, largest first: all that is needed
/// to append and to give the root (a compact range from 0). One hash for each set bit of size().
class MerkleFrontier {
 public:
  MerkleFrontier() = default;
  /// Nothing when the number of hashes is not the number of set bits of `size`.
  static std::optional<MerkleFrontier> from_parts(std::uint64_t size, std::vector<Hash256> hashes);

  void append(const Hash256& leaf_hash) { append_subtree(0, leaf_hash); }
  /// Appends 2^level leaves by the root of their perfect subtree; size() is a multiple of 2^level.
  void append_subtree(unsigned level, const Hash256& root);
  [[nodiscard]] Hash256 root() const;
  [[nodiscard]] std::uint64_t size() const { return size_; }
  [[nodiscard]] const std::vector<Hash256>& hashes() const { return hashes_; }

 private:
  std::uint64_t size_ = 0;
  std::vector<Hash256> hashes_;
};

}  // namespace twinchain
