#include "twinchain/storage/fsck.hpp"

#include <algorithm>
#include <map>

#include "twinchain/base/hex.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/chain/link.hpp"
#include "twinchain/record/data_frame.hpp"
#include "twinchain/record/schema.hpp"

namespace twinchain::storage {
namespace {

constexpr std::size_t entries_compared_at_once = 1024;

std::string frame_name(FrameType type, std::uint64_t sequence, const Id128& source) {
  return frame_type_name(type) + " frame " + decimal(sequence) + " of source " + to_hex(source);
}

/// What a frame with right CRCs must be inside to be read by anybody.
Status check_structure(const Frame& frame) {
  const FrameHeader& header = frame.header;
  const ByteView body = frame.body.view();
  switch (header.type) {
    case FrameType::data: {
      auto data = record::check_data_frame(header, body);
      if (!data) return pass(data);
      return {};
    }
    case FrameType::schema: {
      auto schema = record::parse_schema_frame(header, body);
      if (!schema) return pass(schema);
      return {};
    }
    case FrameType::reject: {
      auto rejects = record::parse_reject_body(body);
      if (!rejects) return pass(rejects);
      return {};
    }
    case FrameType::link: {
      auto link = chain::parse_link_frame(header, body);
      if (!link) return pass(link);
      return {};
    }
    default:
      return {};
  }
}

class Fsck {
 public:
  Fsck(Fs& fs, Layout layout, const FsckOptions& options,
       const std::function<void(const Finding&)>& found,
       const std::function<void(std::uint64_t)>& progress, const Notes& notes)
      : fs_(fs),
        layout_(std::move(layout)),
        options_(options),
        found_(found),
        progress_(progress),
        notes_(notes),
        fetcher_(fs, layout_) {}

  Result<FsckResult> run();

 private:
  Status take_locks();
  Status open_index();
  Status compare_records(const std::vector<SegmentFile>& files);
  Status read_segment(const SegmentFile& file, bool is_last);
  Status handle_frame(const Frame& frame, std::uint32_t segment);
  Status handle_damage(StreamEvent& event, std::uint32_t segment);
  Status look_for_strays();
  Status repair();
  void report(FindingKind kind, std::string message, std::uint32_t segment = 0,
              std::uint64_t offset = 0, std::uint64_t size_bytes = 0,
              std::optional<FrameHeader> header = std::nullopt);
  [[nodiscard]] std::uint64_t indexed_to(std::uint32_t segment) const;

  Fs& fs_;
  Layout layout_;
  const FsckOptions& options_;
  const std::function<void(const Finding&)>& found_;
  const std::function<void(std::uint64_t)>& progress_;
  const Notes& notes_;
  FrameFetcher fetcher_;
  std::unique_ptr<FileLock> lock_;
  std::unique_ptr<FileLock> gc_lock_;
  bool writer_at_work_ = false;
  std::unique_ptr<Index> index_;
  std::map<std::uint32_t, SegmentRecord> records_;
  struct Range {
    std::uint32_t segment;
    std::uint64_t from;
    std::uint64_t to;
  };
  std::vector<Range> damaged_;
  std::uint64_t matched_ = 0;  ///< index entries that point to a good frame
  FsckResult result_;
};

void Fsck::report(FindingKind kind, std::string message, std::uint32_t segment,
                  std::uint64_t offset, std::uint64_t size_bytes,
                  std::optional<FrameHeader> header) {
  switch (kind) {
    case FindingKind::torn_tail:
      ++result_.torn_tails;
      break;
    case FindingKind::index:
      ++result_.index_faults;
      break;
    default:
      ++result_.harmful;
      break;
  }
  Finding finding;
  finding.kind = kind;
  finding.message = std::move(message);
  finding.segment = segment;
  finding.offset = offset;
  finding.size_bytes = size_bytes;
  finding.header = header;
  found_(finding);
}

std::uint64_t Fsck::indexed_to(std::uint32_t segment) const {
  const auto found = records_.find(segment);
  return found == records_.end() ? 0 : found->second.indexed_to;
}

Status Fsck::take_locks() {
  auto gc_lock = fs_.lock(layout_.gc_lock_path());
  if (gc_lock) {
    gc_lock_ = std::move(*gc_lock);
  } else if (is_in_use(gc_lock.error())) {
    return fail(ExitCode::peer, "store gc is at work in " + escape(layout_.folder, 400),
                "wait until it is done");
  }
  auto lock = fs_.lock(layout_.lock_path());
  if (lock) {
    lock_ = std::move(*lock);
    return {};
  }
  if (options_.repair) return pass(lock);
  writer_at_work_ = is_in_use(lock.error());
  return {};
}

Status Fsck::open_index() {
  auto there = fs_.exists(layout_.segments_folder());
  if (!there) return pass(there);
  auto index_there = real_fs().exists(layout_.index_folder() + "/data.mdb");
  if (!index_there) return pass(index_there);
  if (!*index_there) {
    report(FindingKind::index, "there is no index");
    return {};
  }
  auto verdict = Index::check(layout_.index_folder());
  if (!verdict) return pass(verdict);
  if (*verdict) {
    report(FindingKind::index, "index: " + **verdict);
    return {};
  }
  auto index = Index::open(layout_.index_folder(), Index::Access::read);
  if (!index && index.error().code != ExitCode::malformed) return pass(index);
  if (!index) {
    report(FindingKind::index, index.error().message);
    return {};
  }
  index_ = std::move(*index);
  auto records = index_->segments();
  if (!records && records.error().code != ExitCode::malformed) return pass(records);
  if (!records) {
    report(FindingKind::index, records.error().message);
    index_.reset();
    return {};
  }
  for (const SegmentRecord& record : *records) records_[record.number] = record;
  return {};
}

Status Fsck::compare_records(const std::vector<SegmentFile>& files) {
  for (const auto& [number, record] : records_) {
    const auto file = std::ranges::find(files, number, &SegmentFile::number);
    const std::string name = "segment " + segment_name(number);
    if (record.shrinking) {
      report(FindingKind::index, name + ": gc was interrupted while it replaced it", number);
    } else if (file == files.end()) {
      report(FindingKind::missing_segment,
             name + " is gone, with " + decimal(record.frames) + " frames", number);
    } else if (file->size_bytes < record.indexed_to) {
      report(FindingKind::shortened,
             name + " is " + decimal(record.indexed_to - file->size_bytes) +
                 " bytes shorter than it has been",
             number, file->size_bytes, record.indexed_to - file->size_bytes);
    }
  }
  return {};
}

Status Fsck::handle_frame(const Frame& frame, std::uint32_t segment) {
  ++result_.frames;
  const FrameHeader& header = frame.header;
  const std::string name = frame_name(header.type, header.sequence, header.source);
  if (auto sound = check_structure(frame); !sound) {
    report(FindingKind::damage,
           place(segment, frame.offset) + ": " + name + ": " + sound.error().message, segment,
           frame.offset, frame.size_bytes(), header);
  }
  if (index_ == nullptr) return {};
  auto placing = place_frame(*index_, fetcher_, header, frame.body.view(), segment, frame.offset);
  if (!placing) {
    if (placing.error().code != ExitCode::malformed) return pass(placing);
    report(FindingKind::index, placing.error().message, segment, frame.offset);
    return {};
  }
  const FrameEntry& entry = placing->entry;
  switch (placing->novelty) {
    case Novelty::duplicate:
      if (entry.segment == segment && entry.offset == frame.offset) {
        ++matched_;
      } else {
        ++result_.duplicate_frames;
      }
      break;
    case Novelty::conflict:
      report(FindingKind::conflict,
             place(segment, frame.offset) + ": " + name + " is another one than at " +
                 place(entry.segment, entry.offset),
             segment, frame.offset, frame.size_bytes(), header);
      break;
    case Novelty::fresh:
    case Novelty::heals:
      if (frame.offset < indexed_to(segment)) {
        report(FindingKind::index,
               place(segment, frame.offset) + ": the index does not lead to " + name, segment,
               frame.offset, frame.size_bytes(), header);
      }
      break;
  }
  return {};
}

Status Fsck::handle_damage(StreamEvent& event, std::uint32_t segment) {
  damaged_.push_back({segment, event.offset, event.offset + event.size_bytes});
  std::string message = place(segment, event.offset) + ": " + event.message + ", " +
                        decimal(event.size_bytes) + " bytes";
  if (event.header) {
    message +=
        " (" + frame_name(event.header->type, event.header->sequence, event.header->source) + ")";
  }
  report(FindingKind::damage, std::move(message), segment, event.offset, event.size_bytes,
         event.header);
  return {};
}

Status Fsck::read_segment(const SegmentFile& file, bool is_last) {
  auto scanner = SegmentScanner::open(fs_, layout_.segment_path(file.number), 0, file.size_bytes);
  if (!scanner) return pass(scanner);
  // Damage is said when something good follows it; at the very end it is a torn tail.
  std::vector<StreamEvent> pending;
  const auto flush = [&]() -> Status {
    for (StreamEvent& event : pending) TWINCHAIN_TRY(handle_damage(event, file.number));
    pending.clear();
    return {};
  };
  for (bool more = true; more;) {
    auto event = (*scanner)->next();
    if (!event) return pass(event);
    switch (event->kind) {
      case StreamEventKind::frame:
        TWINCHAIN_TRY(flush());
        TWINCHAIN_TRY(handle_frame(event->frame, file.number));
        (*scanner)->recycle(std::move(event->frame.body));
        if (progress_) progress_(result_.size_bytes + event->offset);
        break;
      case StreamEventKind::end:
        TWINCHAIN_TRY(flush());
        break;
      case StreamEventKind::damage:
      case StreamEventKind::truncated:
        if (pending.size() > 64) TWINCHAIN_TRY(flush());
        pending.push_back(std::move(*event));
        break;
      case StreamEventKind::finished:
      case StreamEventKind::stopped:
        more = false;
        break;
    }
  }
  result_.size_bytes += file.size_bytes;
  ++result_.segments;
  if (pending.empty()) return {};
  const std::uint64_t at = pending.front().offset;
  if (!is_last || at < indexed_to(file.number)) return flush();
  if (writer_at_work_) return {};
  report(FindingKind::torn_tail,
         place(file.number, at) + ": " + decimal(file.size_bytes - at) +
             " bytes of a write that was interrupted",
         file.number, at, file.size_bytes - at);
  return {};
}

/// Entries that lead to no good frame: names what was lost where not even a header is left, and
/// finds what the index has made up.
Status Fsck::look_for_strays() {
  FrameKey from{};
  from.type = FrameType{0};
  Id128 highest{};
  highest.fill(0xff);
  const FrameKey last{highest, FrameType{UINT16_MAX}, UINT64_MAX, UINT32_MAX};
  while (true) {
    auto found = index_->entries(from, last, entries_compared_at_once);
    if (!found) return pass(found);
    for (const FrameEntry& entry : *found) {
      const std::string name = frame_name(entry.key.type, entry.key.sequence, entry.key.source);
      const bool damaged = std::ranges::any_of(damaged_, [&](const Range& range) {
        return range.segment == entry.segment && entry.offset >= range.from &&
               entry.offset < range.to;
      });
      auto there = fetcher_.is_there(entry);
      if (!there) return pass(there);
      if (*there) continue;
      if (damaged) {
        report(FindingKind::damage, place(entry.segment, entry.offset) + ": " + name + " is lost",
               entry.segment, entry.offset, entry.size_bytes());
      } else {
        report(FindingKind::index,
               place(entry.segment, entry.offset) + ": the index leads to a " + name +
                   " that is not there",
               entry.segment, entry.offset);
      }
    }
    if (found->size() < entries_compared_at_once) return {};
    from = found->back().key;
    if (++from.ordinal == 0) ++from.sequence;
  }
}

Status Fsck::repair() {
  index_.reset();
  notes_("making the index anew");
  TWINCHAIN_TRY(Index::wipe(layout_.index_folder()));
  auto index = Index::open(layout_.index_folder(), Index::Access::write);
  if (!index) return pass(index);
  auto caught_up = catch_up(fs_, layout_, **index, {}, [](const std::string&) {});
  if (!caught_up) return pass(caught_up);
  result_.repaired = true;
  return {};
}

Result<FsckResult> Fsck::run() {
  auto files = list_segments(fs_, layout_);
  if (!files) return pass(files);
  TWINCHAIN_TRY(take_locks());
  TWINCHAIN_TRY(open_index());
  files = list_segments(fs_, layout_);
  if (!files) return pass(files);
  TWINCHAIN_TRY(compare_records(*files));
  for (const SegmentFile& file : *files) {
    TWINCHAIN_TRY(read_segment(file, &file == &files->back()));
  }
  if (index_ != nullptr) {
    auto entries = index_->count_entries();
    if (!entries) return pass(entries);
    if (*entries != matched_) TWINCHAIN_TRY(look_for_strays());
  }
  if (options_.repair && result_.index_faults > 0) TWINCHAIN_TRY(repair());
  return result_;
}

}  // namespace

ExitCode FsckResult::verdict() const {
  if (harmful > 0) return ExitCode::refuted;
  if (torn_tails > 0 || (index_faults > 0 && !repaired)) return ExitCode::loss;
  return ExitCode::success;
}

std::string_view finding_name(FindingKind kind) {
  switch (kind) {
    case FindingKind::damage:
      return "damage";
    case FindingKind::torn_tail:
      return "torn-tail";
    case FindingKind::shortened:
      return "shortened";
    case FindingKind::missing_segment:
      return "missing-segment";
    case FindingKind::conflict:
      return "conflict";
    case FindingKind::index:
      return "index";
  }
  return "unknown";
}

Result<FsckResult> check_store(Fs& fs, const std::string& folder, const FsckOptions& options,
                               const std::function<void(const Finding&)>& found,
                               const std::function<void(std::uint64_t)>& progress,
                               const Notes& notes) {
  Fsck fsck(fs, Layout{folder, options.other_index_folder}, options, found, progress, notes);
  return fsck.run();
}

}  // namespace twinchain::storage
