// `store gc`: drops the data of the oldest segments. Floor 5.
//
// What is dropped are DATA, REJECT and SLICE frames. LINK, ANCHOR and SCHEMA frames stay, in
// segments of their own, so that the chain remains without a gap: what it proves of the data that
// is left stays provable, and that something was dropped, and when, stays visible.
#pragma once

#include <optional>
#include <string>

#include "twinchain/storage/recover.hpp"

namespace twinchain::storage {

struct GcOptions {
  /// Segments of which every window ended longer ago than this are dropped.
  std::optional<std::int64_t> keep_ns;
  /// The oldest segments are dropped until all of them together are no larger.
  std::optional<std::uint64_t> keep_bytes;
  /// Also data that no anchor covers yet.
  bool force = false;
  bool dry_run = false;
  std::int64_t now_ns = 0;
  std::uint64_t segment_bytes = std::uint64_t{256} << 20;
  std::string other_index_folder = {};
};

struct GcResult {
  std::uint64_t dropped_segments = 0;
  std::uint64_t dropped_frames = 0;
  std::uint64_t freed_bytes = 0;
  /// Why a segment that was old enough was kept; empty when none was.
  std::string held_back;
};

/// Never touches the last segment. Works beside a running put: segments are replaced by a rename,
/// and the index follows in small transactions.
Result<GcResult> collect_garbage(Fs& fs, const std::string& folder, const GcOptions& options,
                                 const Notes& notes);

}  // namespace twinchain::storage
