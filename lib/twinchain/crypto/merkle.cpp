#include "twinchain/crypto/merkle.hpp"

#include <algorithm>
#include <bit>

#include "twinchain/crypto/sha256.hpp"
#include "twinchain/crypto/sha256_many.hpp"

namespace twinchain {

Hash256 merkle_leaf(ByteView data) {
  static constexpr std::uint8_t prefix = 0x00;
  return sha256({ByteView(&prefix, 1), data});
}

Hash256 merkle_node(const Hash256& left, const Hash256& right) {
  std::array<std::uint8_t, 65> input{};
  input[0] = 0x01;
  std::copy(left.begin(), left.end(), input.begin() + 1);
  std::copy(right.begin(), right.end(), input.begin() + 33);
  return sha256(ByteView(input));
}

Hash256 merkle_root(std::span<const Hash256> leaf_hashes) {
  static constexpr std::uint8_t prefix = 0x01;
  if (leaf_hashes.empty()) return sha256(ByteView{});
  // Level by level, a lone last node going up unchanged: the same tree as the RFC's recursion.
  std::vector<Hash256> level(leaf_hashes.begin(), leaf_hashes.end());
  std::vector<Hash256> above;
  std::vector<PrefixedMessage> nodes;
  while (level.size() > 1) {
    nodes.clear();
    for (std::size_t i = 0; i + 1 < level.size(); i += 2) {
      nodes.push_back({ByteView(&prefix, 1), ByteView(level[i].data(), 2 * sizeof(Hash256))});
    }
    above.resize(nodes.size());
    sha256_many(nodes, above);
    if (level.size() % 2 != 0) above.push_back(level.back());
    level.swap(above);
  }
  return level.front();
}

std::optional<MerkleFrontier> MerkleFrontier::from_parts(std::uint64_t size,
                                                         std::vector<Hash256> hashes) {
  if (static_cast<std::size_t>(std::popcount(size)) != hashes.size()) return std::nullopt;
  MerkleFrontier frontier;
  frontier.size_ = size;
  frontier.hashes_ = std::move(hashes);
  return frontier;
}

void MerkleFrontier::append_subtree(unsigned level, const Hash256& root) {
  Hash256 hash = root;
  // As in a binary counter: each carry joins two perfect subtrees of one size.
  for (std::uint64_t carry = size_ >> level; (carry & 1) != 0; carry >>= 1) {
    hash = merkle_node(hashes_.back(), hash);
    hashes_.pop_back();
  }
  hashes_.push_back(hash);
  size_ += std::uint64_t{1} << level;
}

Hash256 MerkleFrontier::root() const {
  if (hashes_.empty()) return sha256(ByteView{});
  Hash256 root = hashes_.back();
  for (std::size_t i = hashes_.size() - 1; i > 0; --i) root = merkle_node(hashes_[i - 1], root);
  return root;
}

}  // namespace twinchain
