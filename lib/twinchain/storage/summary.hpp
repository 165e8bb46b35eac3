// What is in a store, for ls and info. Floor 5.
#pragma once

#include <string>
#include <vector>

#include "twinchain/storage/catalog.hpp"

namespace twinchain::storage {

struct SourceSummary {
  Id128 id{};
  std::string name;  ///< from its newest SCHEMA; empty when there is none
  Block sums;
  std::optional<std::uint64_t> first_data;  ///< sequence numbers of stored DATA frames
  std::optional<std::uint64_t> last_data;
  std::uint64_t missing_data = 0;  ///< numbers in between that have none, lost windows left out
  std::optional<std::uint64_t> last_link;
  std::optional<Hash256> head;                 ///< hash of the last link
  std::optional<std::uint64_t> last_anchored;  ///< highest number with an ANCHOR frame
  std::uint64_t dropped_below = 0;             ///< by gc
};

/// Calls `each` for every source, in the order of their ids; memory for one at a time.
Status summarize_sources(Fs& fs, Catalog& catalog,
                         const std::function<Status(const SourceSummary&)>& each);

struct StoreSummary {
  std::uint64_t sources = 0;
  Block sums;
  std::vector<SegmentFile> segments;
  std::uint64_t segment_bytes = 0;
  std::uint64_t index_bytes = 0;
  std::uint64_t unindexed_frames = 0;
};
Result<StoreSummary> summarize_store(Fs& fs, Catalog& catalog);

/// A table, and the same as JSON: {"version": 1, "sources": [...]}. Text for a terminal: names are
/// escaped.
Result<std::string> list_as_text(Fs& fs, Catalog& catalog);
Result<std::string> list_as_json(Fs& fs, Catalog& catalog);
Result<std::string> info_as_text(Fs& fs, Catalog& catalog);
Result<std::string> info_as_json(Fs& fs, Catalog& catalog);

}  // namespace twinchain::storage
