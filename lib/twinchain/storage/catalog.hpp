// What a reader knows of a store: the index, and what the segments hold beyond it. Floor 5.
//
// Any number of readers work beside one writer, in other processes, too. A frame is seen once it
// is whole in its segment. Not thread-safe.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "twinchain/storage/recover.hpp"

namespace twinchain::storage {

struct CatalogOptions {
  std::string other_index_folder = {};
  /// Where an index is made for this run when the store has none that can be used and cannot be
  /// written to. Empty: TMPDIR, or /tmp.
  std::string temporary_folder = {};
  /// So much of the segments may be missing in the index before it is brought up to date.
  std::uint64_t tail_bytes = std::uint64_t{64} << 20;
  std::size_t tail_frames = 50'000;
};

class Catalog {
 public:
  /// ExitCode::usage when the folder is no store. Mends the index when it is far behind or
  /// damaged and nobody else is writing. All later calls see one state of the index until
  /// follow() is called.
  static Result<std::unique_ptr<Catalog>> open(Fs& fs, const std::string& folder,
                                               const CatalogOptions& options, const Notes& notes);
  ~Catalog();
  Catalog(const Catalog&) = delete;
  Catalog& operator=(const Catalog&) = delete;

  /// Lets go of the snapshot: for what may take long. Sums of blocks may then count a frame twice.
  Status follow() { return index_->hold_snapshot(false); }

  // As in Index, with what is not in the index yet.
  Result<std::optional<FrameEntry>> find(const FrameKey& key);
  Result<std::vector<FrameEntry>> entries(const FrameKey& first, const FrameKey& last,
                                          std::size_t limit);
  Result<std::optional<FrameEntry>> last_at_most(const FrameKey& key);
  Result<std::optional<FrameType>> next_type(const Id128& source, FrameType type);
  Result<std::optional<NumberedBlock>> next_block(const Id128& source, std::uint64_t number);
  Result<std::optional<Hash256>> history_root(const Id128& source, unsigned level,
                                              std::uint64_t index) {
    return index_->history_root(source, level, index);
  }
  Result<std::optional<Id128>> next_source(const std::optional<Id128>& after);

  /// The frame of an entry; looks again where gc has moved it meanwhile. Nothing when gc has
  /// dropped it, ExitCode::malformed with its place when it is damaged.
  Result<std::optional<Frame>> fetch(const FrameEntry& entry);
  FrameFetcher& fetcher() { return fetcher_; }
  Index& index() { return *index_; }
  [[nodiscard]] const Layout& layout() const { return layout_; }
  /// As they were when the catalog was opened.
  [[nodiscard]] const std::vector<SegmentFile>& files() const { return files_; }
  [[nodiscard]] std::uint64_t tail_frames() const { return tail_.size(); }

 private:
  Catalog(Fs& fs, Layout layout);
  Result<bool> use_index(const CatalogOptions& options);
  Status mend_index(const Notes& notes);
  Status make_temporary_index(const CatalogOptions& options, const Notes& notes);
  Status load_tail(const SegmentFile& file, std::uint64_t from);
  Status add_to_tail(const Frame& frame, std::uint32_t segment);

  Fs& fs_;
  Layout layout_;
  FrameFetcher fetcher_;
  std::unique_ptr<Index> index_;
  std::vector<SegmentFile> files_;
  std::map<FrameKey, FrameEntry> tail_;
  std::map<std::pair<Id128, std::uint64_t>, Block> tail_blocks_;
  std::string temporary_index_;
};

}  // namespace twinchain::storage
