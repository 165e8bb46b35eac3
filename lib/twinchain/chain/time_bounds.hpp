// Between which two blocks (or time-stamps) each frame of a record must have been sealed. Floor 4.
//
// A link's beacon was known when it was sealed, so that link and all later ones are not older than
// that block. An anchor's block holds the link, so that link and all earlier ones are not younger.
// Frames between which neither bound changes are one run.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "twinchain/base/bytes.hpp"

namespace twinchain::chain {

struct BlockBound {
  std::uint32_t network = 0;  ///< magic number
  std::string network_name;
  std::uint32_t height = 0;
  Hash256 block_hash{};                ///< internal byte order
  std::optional<std::int64_t> time_s;  ///< of the block's header; a beacon alone does not say it
  /// A ledger or headers at hand have it on their best chain; of a time-stamp: its authority is
  /// believed.
  bool confirmed = false;
  /// Of a time-stamp: who signed it, escaped; block_hash is its token's, and there is no height.
  std::string authority = {};
  bool operator==(const BlockBound&) const = default;
};

struct TimeRun {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  std::optional<BlockBound> not_before;
  std::optional<BlockBound> not_after;
};

/// Bounded memory: when there are too many blocks, every second one is left out, which leaves the
/// frames concerned with the next wider bound, a true one. Not thread-safe.
class TimeBounds {
 public:
  /// Beacons and anchors that are kept, each; at least 2.
  explicit TimeBounds(std::size_t limit) : limit_(limit < 2 ? 2 : limit) {}

  /// Links in ascending order. A block that is lower than the one before, of the same network, says
  /// nothing new.
  void add_beacon(std::uint64_t link, const BlockBound& bound);
  /// Links in any order; the bound has a time. What an earlier block holds counts for all links
  /// before, whichever network it is of.
  void add_anchor(std::uint64_t link, const BlockBound& bound);

  /// Covers the links from first to last, without a gap.
  [[nodiscard]] std::vector<TimeRun> runs(std::uint64_t first, std::uint64_t last) const;
  /// Some bounds are wider than what the record proves.
  [[nodiscard]] bool widened() const { return widened_; }

 private:
  struct Mark {
    std::uint64_t link = 0;
    BlockBound bound;
  };
  std::size_t limit_;
  std::vector<Mark> beacons_;  ///< each counts from its link on
  std::vector<Mark> anchors_;  ///< each counts up to its link; links and times ascend
  bool widened_ = false;
};

/// Runs that are one after another, put together until there are at most `most` (1 or more): each
/// has the earliest and the latest bound of its parts. True when that was needed.
bool widen_runs(std::vector<TimeRun>& runs, std::size_t most);

}  // namespace twinchain::chain
