// The branch of most work that was shown to a client, from the genesis block on. Floor 6.
//
// What HeaderTree is for a node, in a sixth of the memory (about 50 bytes a header), for those who
// only follow: one branch, and one more while it is being shown.
#pragma once

#include <optional>
#include <vector>

#include "twinchain/bitcoin/uint256.hpp"
#include "twinchain/ledger/hash_index.hpp"
#include "twinchain/net/header_rules.hpp"

namespace twinchain::net {

/// Not thread-safe; reads no clock.
class HeaderLine {
 public:
  struct Entry {
    Hash256 hash{};
    std::uint32_t time_s = 0;
    std::uint32_t bits = 0;
  };

  explicit HeaderLine(const ChainParameters& parameters);

  [[nodiscard]] std::uint32_t height() const {
    return static_cast<std::uint32_t>(entries_.size() - 1);
  }
  /// Requires a height up to height().
  [[nodiscard]] const Entry& at(std::uint32_t height) const { return entries_[height]; }
  [[nodiscard]] const Entry& tip() const { return entries_.back(); }
  [[nodiscard]] std::optional<std::uint32_t> find(const Hash256& hash) const;
  /// Expected hashes for all of it.
  [[nodiscard]] const bitcoin::UInt256& work() const { return work_; }

  /// What to ask a node for next (GetHeaders).
  [[nodiscard]] std::vector<Hash256> locator() const;
  /// Headers as a node answers: each the parent of the next. All are checked: that the first
  /// follows one that is known here, proof of work, difficulty, time. What follows our tip is
  /// taken; another branch when it has more work. ExitCode::refuted: they break a rule.
  Status take(const std::vector<bitcoin::BlockHeader>& headers, std::int64_t now_s);
  /// The node has shown all that it has.
  void end_answers() { side_.reset(); }
  /// The lowest height at which another branch took over since the last call; nothing: none did.
  std::optional<std::uint32_t> take_fork() { return std::exchange(fork_, std::nullopt); }

 private:
  /// A branch that begins behind `fork`.
  struct Side {
    std::uint32_t fork = 0;
    std::vector<Entry> entries;
    bitcoin::UInt256 work;
    HeaderRules rules;
  };

  [[nodiscard]] std::optional<Side> begin_side(const Hash256& parent) const;
  void adopt();

  ChainParameters parameters_;
  bitcoin::UInt256 easiest_target_;
  std::vector<Entry> entries_;
  ledger::HashIndex index_;  ///< heights; also of what was replaced
  bitcoin::UInt256 work_;
  std::optional<Side> side_;
  std::optional<std::uint32_t> fork_;
};

}  // namespace twinchain::net
