#include "twinchain/storage/gc.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <map>

#include "twinchain/base/hex.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/stream/writer.hpp"

namespace twinchain::storage {
namespace {

constexpr std::size_t keys_per_transaction = 256;
/// Between transactions beside a running put, whose turn it is then.
constexpr int pause_ms = 2;
/// Numbers after the highest that could be read: frames that are damaged in what is dropped.
constexpr std::uint64_t margin = 256;
constexpr std::size_t buffer_bytes = std::size_t{1} << 20;

bool is_data(FrameType type) {
  return type == FrameType::data || type == FrameType::slice;
}

class Gc {
 public:
  Gc(Fs& fs, Layout layout, const GcOptions& options, const Notes& notes)
      : fs_(fs),
        layout_(std::move(layout)),
        options_(options),
        notes_(notes),
        fetcher_(fs, layout_) {}

  Result<GcResult> run();

 private:
  struct Sum {
    std::uint64_t frames = 0;
    std::uint64_t bytes = 0;
  };
  struct Census {
    std::int64_t newest_window_end_ns = INT64_MIN;
    std::map<Id128, std::uint64_t> highest_data;
    Sum dropped;
    /// REJECT frames whose DATA frame is in the next segment, by source; they are in `dropped`,
    /// too.
    std::map<Id128, Sum> open_rejects;
  };
  /// What goes into one new file: segments that follow each other.
  struct Group {
    std::vector<SegmentFile> inputs;
    std::unique_ptr<File> output;
    std::string temporary;
    Bytes buffered;
    std::uint64_t size_bytes = 0;
    std::uint64_t frames = 0;
    std::map<Id128, std::uint64_t> highest_data;
    std::map<Id128, std::uint64_t> highest_dropped;  ///< REJECT frames, too
  };

  Status open();
  [[nodiscard]] bool is_dropped(const FrameHeader& header) const;
  Result<Census> count(const SegmentFile& file);
  Result<std::optional<std::string>> not_yet_anchored(const Census& census);
  Status choose();
  Status begin_group();
  Status copy_kept(const SegmentFile& input);
  Status finish_group();
  Status write_dropped();
  Status mark_shrinking();
  Status remove_entries(const Id128& source, FrameType type, std::uint64_t last_sequence);
  Status write_buffered();
  Status point_to(const std::vector<Frame>& frames, SegmentRecord& record);
  Status replace_files();
  Status point_to_output();
  Status commit_step();

  Fs& fs_;
  Layout layout_;
  const GcOptions& options_;
  const Notes& notes_;
  FrameFetcher fetcher_;
  std::unique_ptr<FileLock> gc_lock_;
  std::unique_ptr<FileLock> lock_;
  bool writer_at_work_ = false;
  std::unique_ptr<Index> index_;
  std::vector<SegmentFile> chosen_;
  std::map<Id128, std::uint64_t> highest_chosen_;  ///< DATA or SLICE in chosen_
  Group group_;
  GcResult result_;
};

Status Gc::open() {
  auto files = list_segments(fs_, layout_);
  if (!files) return pass(files);
  auto gc_lock = fs_.lock(layout_.gc_lock_path());
  if (!gc_lock) return pass(gc_lock);
  gc_lock_ = std::move(*gc_lock);
  auto lock = fs_.lock(layout_.lock_path());
  if (lock) {
    lock_ = std::move(*lock);
    auto index = open_or_remake_index(layout_, notes_);
    if (!index) return pass(index);
    index_ = std::move(*index);
    auto caught_up = catch_up(fs_, layout_, *index_, {}, notes_);
    if (!caught_up) return pass(caught_up);
    return {};
  }
  if (!is_in_use(lock.error())) return pass(lock);
  // A put is running and keeps the index up to date.
  writer_at_work_ = true;
  auto index = Index::open(layout_.index_folder(), Index::Access::write);
  if (!index) return pass(index);
  index_ = std::move(*index);
  return {};
}

/// A window's REJECT frames stay when its DATA frame, in the next segment, does.
bool Gc::is_dropped(const FrameHeader& header) const {
  if (header.type != FrameType::reject) return is_data(header.type);
  const auto highest = highest_chosen_.find(header.source);
  return highest != highest_chosen_.end() && header.sequence <= highest->second;
}

Result<Gc::Census> Gc::count(const SegmentFile& file) {
  auto scanner = SegmentScanner::open(fs_, layout_.segment_path(file.number), 0, file.size_bytes);
  if (!scanner) return pass(scanner);
  Census census;
  while (true) {
    auto event = (*scanner)->next();
    if (!event) return pass(event);
    if (event->kind == StreamEventKind::finished) return census;
    if (event->kind != StreamEventKind::frame) continue;
    const FrameHeader& header = event->frame.header;
    census.newest_window_end_ns = std::max(census.newest_window_end_ns, header.window_end_ns);
    if (is_data(header.type) || header.type == FrameType::reject) {
      ++census.dropped.frames;
      census.dropped.bytes += event->frame.size_bytes();
    }
    if (is_data(header.type)) {
      auto& highest = census.highest_data[header.source];
      highest = std::max(highest, header.sequence);
      census.open_rejects.erase(header.source);
    } else if (header.type == FrameType::reject) {
      Sum& open = census.open_rejects[header.source];
      ++open.frames;
      open.bytes += event->frame.size_bytes();
    }
    (*scanner)->recycle(std::move(event->frame.body));
  }
}

Result<std::optional<std::string>> Gc::not_yet_anchored(const Census& census) {
  for (const auto& [source, sequence] : census.highest_data) {
    // The newest anchor whose link is stored: it covers every link before it.
    std::optional<std::uint64_t> anchored;
    FrameKey at{source, FrameType::anchor, UINT64_MAX, UINT32_MAX};
    while (!anchored) {
      auto anchor = index_->last_at_most(at);
      if (!anchor) return pass(anchor);
      if (!*anchor) break;
      auto link = index_->find({source, FrameType::link, (*anchor)->key.sequence, 0});
      if (!link) return pass(link);
      if (*link) anchored = (*anchor)->key.sequence;
      if (*link || (*anchor)->key.sequence == 0) break;
      at.sequence = (*anchor)->key.sequence - 1;
    }
    if (anchored && *anchored >= sequence) continue;
    return std::optional("frame " + decimal(sequence) + " of source " + to_hex(source) +
                         " is not anchored yet");
  }
  return std::optional<std::string>{};
}

/// The segments whose data goes, from the oldest on without a gap.
Status Gc::choose() {
  auto files = list_segments(fs_, layout_);
  if (!files) return pass(files);
  auto records = index_->segments();
  if (!records) return pass(records);
  index_->abort();  // lets a waiting put go on
  std::uint64_t total = 0;
  for (const SegmentFile& file : *files) total += file.size_bytes;
  if (!files->empty()) files->pop_back();
  std::map<Id128, Sum> open_rejects;  // of the last segment that is chosen
  for (const SegmentFile& file : *files) {
    const auto record = std::ranges::find(*records, file.number, &SegmentRecord::number);
    if (record == records->end()) break;
    if (record->links_only) continue;
    const bool too_much = options_.keep_bytes && total > *options_.keep_bytes;
    if (!too_much && !options_.keep_ns) break;
    auto census = count(file);
    if (!census) return pass(census);
    const bool too_old =
        options_.keep_ns && census->newest_window_end_ns < options_.now_ns - *options_.keep_ns;
    if (!too_old && !too_much) break;
    if (!options_.force) {
      auto reason = not_yet_anchored(*census);
      index_->abort();
      if (!reason) return pass(reason);
      if (*reason) {
        result_.held_back = "segment " + segment_name(file.number) + " is kept: " + **reason;
        break;
      }
    }
    total -= std::min(total, census->dropped.bytes);
    ++result_.dropped_segments;
    result_.dropped_frames += census->dropped.frames;
    result_.freed_bytes += census->dropped.bytes;
    for (const auto& [source, sequence] : census->highest_data) {
      std::uint64_t& highest = highest_chosen_[source];
      highest = std::max(highest, sequence);
    }
    open_rejects = std::move(census->open_rejects);
    chosen_.push_back(file);
  }
  for (const auto& [source, open] : open_rejects) {
    result_.dropped_frames -= open.frames;
    result_.freed_bytes -= open.bytes;
  }
  // A small file of links right before is written together with the new ones.
  if (chosen_.empty()) return {};
  const auto first = std::ranges::find(*files, chosen_.front().number, &SegmentFile::number);
  if (first != files->begin() && std::prev(first)->size_bytes < options_.segment_bytes / 2) {
    chosen_.insert(chosen_.begin(), *std::prev(first));
  }
  return {};
}

Status Gc::begin_group() {
  group_ = Group{};
  group_.temporary =
      layout_.segments_folder() + "/gc.twin.tmp-" + decimal(std::uint64_t(::getpid()));
  auto there = fs_.exists(group_.temporary);
  if (!there) return pass(there);
  if (*there) TWINCHAIN_TRY(fs_.remove(group_.temporary));
  auto output = fs_.open(group_.temporary, OpenMode::create_new);
  if (!output) return pass(output);
  group_.output = std::move(*output);
  const ByteView preamble = stream_preamble;
  group_.size_bytes = preamble_size;
  return group_.output->append({&preamble, 1});
}

Status Gc::copy_kept(const SegmentFile& input) {
  group_.inputs.push_back(input);
  auto scanner = SegmentScanner::open(fs_, layout_.segment_path(input.number), 0, input.size_bytes);
  if (!scanner) return pass(scanner);
  while (true) {
    auto event = (*scanner)->next();
    if (!event) return pass(event);
    if (event->kind == StreamEventKind::finished) return {};
    if (event->kind == StreamEventKind::damage || event->kind == StreamEventKind::truncated) {
      notes_(place(input.number, event->offset) + ": " + event->message + ", " +
             decimal(event->size_bytes) + " bytes dropped");
      continue;
    }
    if (event->kind != StreamEventKind::frame) continue;
    const Frame& frame = event->frame;
    if (is_dropped(frame.header)) {
      const auto raise = [&](std::map<Id128, std::uint64_t>& numbers) {
        std::uint64_t& highest = numbers[frame.header.source];
        highest = std::max(highest, frame.header.sequence);
      };
      raise(group_.highest_dropped);
      if (is_data(frame.header.type)) raise(group_.highest_data);
    } else {
      const FrameHeaderBytes head = encode_frame_header(frame.header);
      append(group_.buffered, ByteView(head));
      append(group_.buffered, frame.body.view());
      if (group_.buffered.size() >= buffer_bytes) TWINCHAIN_TRY(write_buffered());
      group_.size_bytes += frame.size_bytes();
      ++group_.frames;
    }
    (*scanner)->recycle(std::move(event->frame.body));
  }
}

Status Gc::write_buffered() {
  const ByteView piece = group_.buffered;
  TWINCHAIN_TRY(group_.output->append({&piece, 1}));
  group_.buffered.clear();
  return {};
}

Status Gc::write_dropped() {
  auto dropped = read_dropped(fs_, layout_);
  if (!dropped) return pass(dropped);
  for (const auto& [source, sequence] : group_.highest_data) {
    std::uint64_t& next = (*dropped)[source];
    next = std::max(next, sequence + 1);
  }
  return write_file_atomically(fs_, layout_.dropped_path(),
                               as_bytes(format_source_numbers(*dropped)));
}

Status Gc::commit_step() {
  TWINCHAIN_TRY(index_->commit());
  if (writer_at_work_) ::poll(nullptr, 0, pause_ms);
  return {};
}

/// From here until point_to_output() is done, whoever opens the store for writing and finds no gc
/// at work reads these segments anew.
Status Gc::mark_shrinking() {
  for (const SegmentFile& input : group_.inputs) {
    auto record = index_->segment(input.number);
    if (!record) return pass(record);
    if (!*record) continue;
    (*record)->shrinking = true;
    TWINCHAIN_TRY(index_->set_segment(**record));
  }
  return commit_step();
}

/// Entries of what is dropped, damaged frames too: earlier ones are gone already, so that a
/// source's entries are walked from its first.
Status Gc::remove_entries(const Id128& source, FrameType type, std::uint64_t last_sequence) {
  const auto is_input = [this](std::uint32_t number) {
    return std::ranges::find(group_.inputs, number, &SegmentFile::number) != group_.inputs.end();
  };
  FrameKey from{source, type, 0, 0};
  const FrameKey last{source, type, last_sequence, UINT32_MAX};
  while (true) {
    auto found = index_->entries(from, last, keys_per_transaction);
    if (!found) return pass(found);
    std::vector<FrameKey> keys;
    for (const FrameEntry& entry : *found) {
      if (is_input(entry.segment)) keys.push_back(entry.key);
    }
    if (!keys.empty()) TWINCHAIN_TRY(index_->remove(keys));
    TWINCHAIN_TRY(commit_step());
    if (found->size() < keys_per_transaction) return {};
    from = found->back().key;
    if (++from.ordinal == 0) ++from.sequence;
  }
}

Status Gc::replace_files() {
  const SegmentFile& last = group_.inputs.back();
  if (group_.frames > 0) {
    const Bytes end = encode_end_frame(group_.frames, group_.size_bytes - preamble_size);
    append(group_.buffered, end);
    TWINCHAIN_TRY(write_buffered());
    group_.size_bytes += end.size();
    TWINCHAIN_TRY(group_.output->sync());
    TWINCHAIN_TRY(fs_.rename(group_.temporary, layout_.segment_path(last.number)));
  } else {
    TWINCHAIN_TRY(fs_.remove(group_.temporary));
    TWINCHAIN_TRY(fs_.remove(layout_.segment_path(last.number)));
  }
  // First the new file, then away with the old ones: a link is there twice rather than never.
  TWINCHAIN_TRY(fs_.sync_folder(layout_.segments_folder()));
  for (const SegmentFile& input : group_.inputs) {
    if (input.number != last.number) TWINCHAIN_TRY(fs_.remove(layout_.segment_path(input.number)));
  }
  return fs_.sync_folder(layout_.segments_folder());
}

Status Gc::point_to(const std::vector<Frame>& frames, SegmentRecord& record) {
  for (const Frame& frame : frames) {
    auto placing = place_frame(*index_, fetcher_, frame.header, frame.body.view(), record.number,
                               frame.offset);
    if (!placing) return pass(placing);
    if (placing->novelty == Novelty::fresh || placing->novelty == Novelty::heals) {
      TWINCHAIN_TRY(index_->put(placing->entry));
    }
    count_frame(record, frame.offset, frame.size_bytes(), encode_frame_header(frame.header));
  }
  return commit_step();
}

Status Gc::point_to_output() {
  const std::uint32_t number = group_.inputs.back().number;
  fetcher_.forget();
  SegmentRecord record;
  record.number = number;
  record.sealed = true;
  record.links_only = true;
  if (group_.frames > 0) {
    auto scanner = SegmentScanner::open(fs_, layout_.segment_path(number), 0, group_.size_bytes);
    if (!scanner) return pass(scanner);
    // Read first, then change the index in one go: a running put waits for as little as can be.
    std::vector<Frame> frames;
    while (true) {
      auto event = (*scanner)->next();
      if (!event) return pass(event);
      const bool finished = event->kind == StreamEventKind::finished;
      if (event->kind == StreamEventKind::frame) frames.push_back(std::move(event->frame));
      if (finished || frames.size() >= keys_per_transaction) {
        TWINCHAIN_TRY(point_to(frames, record));
        frames.clear();
      }
      if (finished) break;
    }
  }
  for (const SegmentFile& input : group_.inputs)
    TWINCHAIN_TRY(index_->remove_segment(input.number));
  if (group_.frames > 0) {
    record.indexed_to = group_.size_bytes;
    TWINCHAIN_TRY(index_->set_segment(record));
  }
  return index_->commit();
}

Status Gc::finish_group() {
  TWINCHAIN_TRY(write_dropped());
  TWINCHAIN_TRY(mark_shrinking());
  for (const auto& [source, sequence] : group_.highest_dropped) {
    for (const FrameType type : {FrameType::data, FrameType::reject, FrameType::slice}) {
      TWINCHAIN_TRY(remove_entries(source, type, sequence + margin));
    }
  }
  TWINCHAIN_TRY(replace_files());
  return point_to_output();
}

Result<GcResult> Gc::run() {
  TWINCHAIN_TRY(open());
  TWINCHAIN_TRY(choose());
  if (options_.dry_run || chosen_.empty()) return result_;
  bool open_group = false;
  for (const SegmentFile& input : chosen_) {
    if (!open_group) TWINCHAIN_TRY(begin_group());
    open_group = true;
    TWINCHAIN_TRY(copy_kept(input));
    if (group_.size_bytes >= options_.segment_bytes / 2 || &input == &chosen_.back()) {
      TWINCHAIN_TRY(finish_group());
      open_group = false;
    }
  }
  return result_;
}

}  // namespace

Result<GcResult> collect_garbage(Fs& fs, const std::string& folder, const GcOptions& options,
                                 const Notes& notes) {
  Gc gc(fs, Layout{folder, options.other_index_folder}, options, notes);
  return gc.run();
}

}  // namespace twinchain::storage
