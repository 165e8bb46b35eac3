// Appends frames to a store. Floor 5.
//
// add() queues, commit() makes all that is queued durable with one write and one fdatasync. The
// segment file is what counts; the index follows in larger steps. One writer at a time.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "twinchain/base/clock.hpp"
#include "twinchain/chain/link.hpp"
#include "twinchain/storage/recover.hpp"

namespace twinchain::storage {

struct WriterOptions {
  std::string other_index_folder = {};
  std::uint64_t segment_bytes = std::uint64_t{256} << 20;
  /// add() commits by itself when this much is queued.
  std::uint64_t batch_bytes = std::uint64_t{8} << 20;
  /// The index is committed after so many frames, bytes or nanoseconds.
  std::uint64_t index_frames = 1000;
  std::uint64_t index_bytes = std::uint64_t{64} << 20;
  std::uint64_t index_ns = 1'000'000'000;
};

enum class Taken {
  stored,
  duplicate,  ///< the same frame is there already
  refused     ///< would fork what is stored; also all later frames of that source
};

class StoreWriter {
 public:
  /// Called for each frame that was taken (stored or duplicate), in order, once it is durable.
  using DurableSink = std::function<Status(const Frame&)>;

  /// Takes the lock, makes the folders of a new store, cuts a torn tail, brings the index up to
  /// date. `notes` is kept.
  static Result<std::unique_ptr<StoreWriter>> open(Fs& fs, const std::string& folder,
                                                   const WriterOptions& options, Notes notes);
  StoreWriter(const StoreWriter&) = delete;
  StoreWriter& operator=(const StoreWriter&) = delete;
  /// What is queued is lost; what the index has not committed is found again by the next open().
  ~StoreWriter();

  /// `frame` is left without its body when it was queued. `reason` (may not be null) says why a
  /// frame is refused; empty when its source was refused before. An error ends the writer: the
  /// segment is cut back to the last byte that is durable.
  Result<Taken> add(Frame& frame, std::string* reason);
  Status commit();
  [[nodiscard]] bool has_queued() const { return !batch_.empty(); }
  void set_durable_sink(DurableSink sink) { sink_ = std::move(sink); }

  /// Commits the index when it is due, or at once. Call it before waiting: it also lets go of a
  /// transaction that changed nothing, for which gc may be waiting.
  Status commit_index(bool now);
  /// Until the index is due; nothing when it has no changes.
  [[nodiscard]] std::optional<std::uint64_t> index_due_in_ns() const;
  /// Commits everything. The store can be opened again after it.
  Status close();

  /// A body's memory for the next frame to be read.
  Buffer take_spare() { return std::move(spare_); }
  Index& index() { return *index_; }
  [[nodiscard]] const Layout& layout() const { return layout_; }
  /// Frames and bytes made durable by this writer.
  [[nodiscard]] std::uint64_t stored_frames() const { return stored_frames_; }
  [[nodiscard]] std::uint64_t stored_bytes() const { return stored_bytes_; }

 private:
  struct Queued {
    Frame frame;
    bool write = true;  ///< false: a duplicate, kept for the sink
  };
  struct SourceState {
    bool refused = false;
    bool has_link = false;
    std::uint64_t last_link = 0;
    Hash256 last_link_hash{};
  };

  StoreWriter(Fs& fs, Layout layout, const WriterOptions& options, Notes notes);
  Status start();
  Status open_segment(std::uint32_t number);
  Status seal_segment();
  Result<Taken> refuse(SourceState& source, std::string* reason, std::string why);
  Result<std::string> chain_break(SourceState& source, const Frame& frame);
  Result<std::optional<chain::Link>> stored_link(const Id128& source, std::uint64_t number);
  Status write_batch();
  void give_up();

  Fs& fs_;
  Layout layout_;
  WriterOptions options_;
  Notes notes_;
  std::unique_ptr<FileLock> lock_;
  std::unique_ptr<Index> index_;
  FrameFetcher fetcher_;
  std::unique_ptr<File> file_;
  SegmentRecord record_;            ///< of the active segment, what is queued included
  std::uint64_t durable_size_ = 0;  ///< of its file
  std::vector<Queued> batch_;
  std::uint64_t batch_bytes_ = 0;
  DurableSink sink_;
  Buffer spare_;
  std::unordered_map<std::string, SourceState> sources_;
  bool failed_ = false;
  std::uint64_t frames_since_index_ = 0;
  std::uint64_t bytes_since_index_ = 0;
  std::uint64_t index_dirty_since_ns_ = 0;
  std::uint64_t stored_frames_ = 0;
  std::uint64_t stored_bytes_ = 0;
};

}  // namespace twinchain::storage
