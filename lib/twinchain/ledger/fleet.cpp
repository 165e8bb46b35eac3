#include "twinchain/ledger/fleet.hpp"

#include "twinchain/crypto/merkle.hpp"

namespace twinchain::ledger {

FleetTree::FleetTree(std::span<const LinkReference> links) {
  std::vector<Hash256> leaves;
  leaves.reserve(links.size());
  for (const LinkReference& link : links) leaves.push_back(merkle_leaf(link.hash));
  levels_.push_back(std::move(leaves));
  while (levels_.back().size() > 1) {
    const std::vector<Hash256>& below = levels_.back();
    std::vector<Hash256> above;
    above.reserve(below.size() / 2 + 1);
    for (std::size_t i = 0; i + 1 < below.size(); i += 2) {
      above.push_back(merkle_node(below[i], below[i + 1]));
    }
    // RFC 6962: a subtree that has no sibling goes up as it is.
    if (below.size() % 2 != 0) above.push_back(below.back());
    levels_.push_back(std::move(above));
  }
}

std::vector<Hash256> FleetTree::path(std::size_t index) const {
  std::vector<Hash256> path;
  for (const std::vector<Hash256>& level : levels_) {
    const std::size_t sibling = index ^ 1;
    if (sibling < level.size()) path.push_back(level[sibling]);
    index >>= 1;
  }
  return path;
}

}  // namespace twinchain::ledger
