// Makes the index agree with the segments, and the active segment end with a whole frame. Floor 5.
#pragma once

#include <functional>
#include <set>
#include <string>

#include "twinchain/storage/index.hpp"
#include "twinchain/storage/segment.hpp"

namespace twinchain::storage {

/// Takes a sentence for the operator (cli::note).
using Notes = std::function<void(const std::string&)>;

/// What a frame is to a store that may have it already.
enum class Novelty {
  fresh,      ///< not there
  duplicate,  ///< there, the same
  conflict,   ///< another frame is in its place (DATA and LINK only: there is one a sequence)
  heals       ///< there, but what is stored is damaged: this copy takes its place
};
struct Placing {
  Novelty novelty = Novelty::fresh;
  /// fresh, heals: the entry to put; otherwise the entry that is there.
  FrameEntry entry;
};
/// Frames of one (source, type, sequence) other than DATA and LINK are told apart by content.
/// ExitCode::malformed when there are more than 4,096 of them.
Result<Placing> place_frame(Index& index, FrameFetcher& fetcher, const FrameHeader& header,
                            ByteView body, std::uint32_t segment, std::uint64_t offset);

/// Counts a frame that was written at `offset`, with these header bytes, in its segment's record.
void count_frame(SegmentRecord& record, std::uint64_t offset, std::uint64_t size_bytes,
                 ByteView header_bytes);

struct CatchUp {
  std::uint64_t frames = 0;      ///< put into the index
  std::uint64_t size_bytes = 0;  ///< of segments that were read
  std::uint64_t damaged_places = 0;
  std::uint64_t conflicts = 0;
  std::uint64_t cut_bytes = 0;  ///< a torn tail
};

struct CatchUpOptions {
  /// Cut a torn tail off the last segment: only by who holds the lock, before appending.
  bool may_cut = false;
  /// gc is at work in another process: leave the segments alone that it is replacing.
  bool gc_at_work = false;
};

/// Scans what the index does not know, forgets what is not so any more. The index is committed.
Result<CatchUp> catch_up(Fs& fs, const Layout& layout, Index& index, const CatchUpOptions& options,
                         const Notes& notes);

/// Opens the index for writing, from nothing when there is none or it is damaged (then says so).
Result<std::unique_ptr<Index>> open_or_remake_index(const Layout& layout, const Notes& notes);

/// Takes all entries of these segments, and their records, out of the index. Not committed.
Status forget_segments(Index& index, const std::set<std::uint32_t>& numbers);

}  // namespace twinchain::storage
