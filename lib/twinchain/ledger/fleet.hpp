// A fleet: many links under one Merkle root, and so in one transaction. Floor 4.
//
// The tree is RFC 6962's over the link hashes as leaf data, see receipt.hpp. Not thread-safe.
#pragma once

#include <span>
#include <vector>

#include "twinchain/ledger/anchor_journal.hpp"

namespace twinchain::ledger {

/// Keeps all hashes of the tree, 64 bytes a link: each path is read off them.
class FleetTree {
 public:
  /// At least one link.
  explicit FleetTree(std::span<const LinkReference> links);
  [[nodiscard]] const Hash256& root() const { return levels_.back().front(); }
  /// The audit path of a link: what Receipt::fleet_path is.
  [[nodiscard]] std::vector<Hash256> path(std::size_t index) const;

 private:
  std::vector<std::vector<Hash256>> levels_;  ///< leaves first
};

}  // namespace twinchain::ledger
