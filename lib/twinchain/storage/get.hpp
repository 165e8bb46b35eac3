// `store get` and `store export`: frames out of a store as a stream. Floor 5.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "twinchain/storage/catalog.hpp"
#include "twinchain/stream/writer.hpp"

namespace twinchain::storage {

/// Everything that is set must hold. A frame is chosen when its window, or the event times of the
/// DATA frame of the same number, overlap the time range.
struct GetRequest {
  std::optional<Id128> source;
  TimeRange range;
  std::uint64_t first_sequence = 0;
  std::uint64_t last_sequence = UINT64_MAX;
  /// Names; not empty: DATA becomes SLICE with these channels only, REJECT is left out.
  std::vector<std::string> channels;
  /// DATA becomes SLICE with all channels when none are named, too: the seed stays in the store.
  bool slices = false;
  /// Empty: all. DATA and SLICE bring the SCHEMA that applies to them.
  std::set<FrameType> types;
};

struct GetResult {
  std::uint64_t frames = 0;
  std::uint64_t damaged_frames = 0;   ///< in the range, but cannot be read
  std::uint64_t missing_schemas = 0;  ///< DATA frames whose SCHEMA is not in the store
};

using ErrorSink = std::function<void(const Error&)>;

/// As get_frames() gives them, into a stream that has begun; END is not written.
Result<GetResult> get_source(Catalog& catalog, const Id128& source, const GetRequest& request,
                             StreamWriter& output, const ErrorSink& error);

/// Source by source, in the order of their numbers; for each number SCHEMA, REJECT, DATA, SLICE,
/// LINK, ANCHOR, others. Damaged frames are reported and left out; then, as always when something
/// failed, no END is written. ExitCode::usage when a channel is not known.
Result<GetResult> get_frames(Catalog& catalog, const GetRequest& request, StreamWriter& output,
                             const ErrorSink& error);

/// The whole store in the order in which it was stored; frames that were stored twice once.
/// `progress` takes bytes read.
Result<GetResult> export_frames(Fs& fs, Catalog& catalog, StreamWriter& output,
                                const ErrorSink& error,
                                const std::function<void(std::uint64_t)>& progress);

}  // namespace twinchain::storage
