// All headers that a node knows: a tree, and the branch of most work in it. Floor 6.
//
// A header is kept only when it meets its own proof of work, its parent is here, and its difficulty
// and time are what the rules ask for; so filling the tree costs an attacker work. Headers beside
// the best branch are limited: when they are too many, those go that have not grown for longest.
// Memory is about 250 bytes a header. Not thread-safe; nothing here waits or reads a clock.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "twinchain/bitcoin/uint256.hpp"
#include "twinchain/net/chain_parameters.hpp"
#include "twinchain/net/verdict.hpp"

namespace twinchain::net {

/// The first eight bytes: hashes are random already. (The last bytes of a block hash are the zeros
/// of its proof of work.)
struct HashHasher {
  std::size_t operator()(const Hash256& hash) const {
    return static_cast<std::size_t>(load_le<std::uint64_t>(hash.data()));
  }
};

struct HeaderNode {
  bitcoin::BlockHeader header;
  Hash256 hash{};
  const HeaderNode* parent = nullptr;  ///< none for the genesis block only
  std::uint32_t height = 0;
  bitcoin::UInt256 work;       ///< of the branch up to here
  std::uint64_t sequence = 0;  ///< order of arrival: of two tips with equal work the first is best
  bool invalid = false;        ///< its block or one before it broke a rule
  bool pinned = false;         ///< never dropped: its block is kept

 private:
  friend class HeaderTree;
  const HeaderNode* skip_ = nullptr;  ///< an ancestor further back, for ancestor()
  std::vector<HeaderNode*> children_;
};

struct HeaderTreeLimits {
  std::uint32_t max_future_s = 7'200;
  /// Headers that are not on the branch of most work and not pinned.
  std::size_t max_side_headers = 50'000;
};

class HeaderTree {
 public:
  explicit HeaderTree(const ChainParameters& parameters, const HeaderTreeLimits& limits = {});
  HeaderTree(const HeaderTree&) = delete;
  HeaderTree& operator=(const HeaderTree&) = delete;

  struct Answer {
    Verdict verdict;
    const HeaderNode* node = nullptr;  ///< when accepted or known
  };
  /// incomplete: the parent is not known. refused: too far in the future (or no room, when all that
  /// is kept beside the best branch is pinned).
  Answer accept(const bitcoin::BlockHeader& header, std::int64_t now_s);

  /// Nullptr when not known. Nodes stay where they are until they are dropped.
  [[nodiscard]] const HeaderNode* find(const Hash256& hash) const;
  [[nodiscard]] const HeaderNode& genesis() const { return *genesis_; }
  /// The tip of most work among those that are not invalid.
  [[nodiscard]] const HeaderNode& best() const { return *best_; }
  [[nodiscard]] std::size_t size() const { return nodes_.size(); }

  /// The bits of a block after this one.
  [[nodiscard]] std::uint32_t next_bits(const HeaderNode& parent) const;
  /// The block and all after it are invalid from now on.
  void mark_invalid(const HeaderNode& node);
  void pin(const HeaderNode& node) { find_mutable(node.hash)->pinned = true; }

  /// Median time of a block and the ten before it.
  static std::uint32_t median_time_s(const HeaderNode& node);
  /// The block of that height on the branch of `node`; in O(log n). Nullptr above it.
  static const HeaderNode* ancestor(const HeaderNode& node, std::uint32_t height);
  /// The last block that two branches share.
  static const HeaderNode& fork(const HeaderNode& a, const HeaderNode& b);
  /// Whether `a` is to be preferred to `b`.
  static bool better(const HeaderNode& a, const HeaderNode& b);

  /// Hashes from the best tip back, ten one by one, then with gaps that double, and the genesis
  /// block: what another node finds the fork with.
  [[nodiscard]] std::vector<Hash256> locator() const;
  /// Up to `max` nodes of the best branch behind the first hash of the locator that is on it.
  [[nodiscard]] std::vector<const HeaderNode*> after(const std::vector<Hash256>& locator,
                                                     std::size_t max) const;

 private:
  [[nodiscard]] HeaderNode* find_mutable(const Hash256& hash);
  HeaderNode* add(const bitcoin::BlockHeader& header, const Hash256& hash, HeaderNode* parent);
  void drop_side_branches();
  void find_best();

  ChainParameters parameters_;
  HeaderTreeLimits limits_;
  bitcoin::UInt256 easiest_target_;
  std::unordered_map<Hash256, std::unique_ptr<HeaderNode>, HashHasher> nodes_;
  HeaderNode* genesis_ = nullptr;
  HeaderNode* best_ = nullptr;
  std::uint64_t next_sequence_ = 0;
};

}  // namespace twinchain::net
