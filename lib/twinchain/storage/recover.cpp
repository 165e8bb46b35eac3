#include "twinchain/storage/recover.hpp"

#include <algorithm>
#include <map>

#include "twinchain/base/crc32c.hpp"
#include "twinchain/base/text.hpp"

namespace twinchain::storage {
namespace {

constexpr std::size_t entries_per_commit = 8192;
constexpr std::uint32_t max_ordinal = 4096;
constexpr std::size_t rewrite_bytes = std::size_t{1} << 20;

bool is_single(FrameType type) {
  return type == FrameType::data || type == FrameType::link;
}

/// Whether the file is still the one that the record describes.
Result<bool> is_same_file(Fs& fs, const Layout& layout, const SegmentRecord& record) {
  if (record.frames == 0) return true;
  auto file = fs.open(layout.segment_path(record.number), OpenMode::read);
  if (!file) return pass(file);
  const auto crc_at = [&](std::uint64_t offset) -> Result<std::uint32_t> {
    FrameHeaderBytes bytes{};
    auto count = (*file)->pread(bytes, offset);
    if (!count) return pass(count);
    return crc32c(ByteView(bytes).first(*count));
  };
  auto first = crc_at(record.first_offset);
  if (!first) return pass(first);
  auto last = crc_at(record.last_offset);
  if (!last) return pass(last);
  return *first == record.first_crc && *last == record.last_crc;
}

class Scan {
 public:
  Scan(Fs& fs, const Layout& layout, Index& index, const Notes& notes, CatchUp& result)
      : fs_(fs),
        layout_(layout),
        index_(index),
        notes_(notes),
        result_(result),
        fetcher_(fs, layout) {}

  Status segment(SegmentRecord record, std::uint64_t size_bytes, bool is_last, bool may_cut);

 private:
  /// What was read behind what the index knew.
  struct Extent {
    std::uint64_t good_end = 0;  ///< of the last good frame
    /// Where damaged frames before it end, if their headers tell the truth.
    std::uint64_t claimed_end = 0;
    std::uint64_t damaged_places = 0;

    /// A good frame was found inside of a damaged one, because nothing good follows where that one
    /// says that it ends. If the segment were cut there, or written to, something would: and the
    /// next reader would take the good frame for a part of the damaged one.
    [[nodiscard]] bool may_hide_frames() const {
      return claimed_end > 0 && claimed_end + frame_header_size > good_end;
    }
  };
  Result<Extent> read_frames(SegmentRecord& record, std::uint64_t size_bytes);
  Status take(const Frame& frame, SegmentRecord& record);
  Status cut(const SegmentRecord& record, std::uint64_t good_end, std::uint64_t size_bytes);
  Status write_again(std::uint32_t number, std::uint64_t from, std::uint64_t to);

  Fs& fs_;
  const Layout& layout_;
  Index& index_;
  const Notes& notes_;
  CatchUp& result_;
  FrameFetcher fetcher_;
  std::size_t uncommitted_ = 0;
};

Status Scan::segment(SegmentRecord record, std::uint64_t size_bytes, bool is_last, bool may_cut) {
  const std::uint64_t from = record.indexed_to;
  auto read = read_frames(record, size_bytes);
  if (!read) return pass(read);
  result_.size_bytes += size_bytes - std::min(size_bytes, from);
  std::uint64_t damaged = read->damaged_places;
  record.indexed_to = size_bytes;
  if (is_last && read->may_hide_frames()) {
    record.sealed = true;
    notes_(place(record.number, read->good_end) +
           ": the damage before it leaves open where frames end; the segment stays as it is");
  } else if (is_last && (read->good_end < size_bytes || size_bytes < preamble_size)) {
    // What is not cut now, by who only reads, stays unread for who will.
    record.indexed_to = read->good_end;
    if (damaged > 0) --damaged;
    if (may_cut) {
      TWINCHAIN_TRY(cut(record, read->good_end, size_bytes));
      record.indexed_to = std::max<std::uint64_t>(read->good_end, preamble_size);
    }
  }
  if (is_last && may_cut) TWINCHAIN_TRY(write_again(record.number, from, record.indexed_to));
  if (damaged > 0) {
    result_.damaged_places += damaged;
    notes_(place(record.number, 0) + ": " + decimal(damaged) +
           " damaged places in the segment; store fsck lists them");
  }
  record.shrinking = false;
  TWINCHAIN_TRY(index_.set_segment(record));
  return index_.commit();
}

Result<Scan::Extent> Scan::read_frames(SegmentRecord& record, std::uint64_t size_bytes) {
  Extent extent;
  extent.good_end = record.indexed_to;
  if (size_bytes >= preamble_size) {
    extent.good_end = std::max<std::uint64_t>(extent.good_end, preamble_size);
  }
  auto scanner =
      SegmentScanner::open(fs_, layout_.segment_path(record.number), record.indexed_to, size_bytes);
  if (!scanner) return pass(scanner);
  std::uint64_t claimed = 0;  // by frames that no good one follows yet
  while (true) {
    auto event = (*scanner)->next();
    if (!event) return pass(event);
    switch (event->kind) {
      case StreamEventKind::frame:
        TWINCHAIN_TRY(take(event->frame, record));
        extent.good_end = event->offset + event->frame.size_bytes();
        extent.claimed_end = std::max(extent.claimed_end, claimed);
        record.sealed = false;
        (*scanner)->recycle(std::move(event->frame.body));
        break;
      case StreamEventKind::end:
        extent.good_end = event->offset + frame_header_size + end_body_size;
        extent.claimed_end = std::max(extent.claimed_end, claimed);
        record.sealed = true;
        break;
      case StreamEventKind::damage:
      case StreamEventKind::truncated:
        ++extent.damaged_places;
        if (event->header) {
          claimed = std::max(claimed, event->offset + frame_header_size + event->header->body_size);
        }
        break;
      case StreamEventKind::finished:
      case StreamEventKind::stopped:
        return extent;
    }
  }
}

Status Scan::take(const Frame& frame, SegmentRecord& record) {
  auto placing =
      place_frame(index_, fetcher_, frame.header, frame.body.view(), record.number, frame.offset);
  if (!placing) return pass(placing);
  switch (placing->novelty) {
    case Novelty::fresh:
    case Novelty::heals:
      TWINCHAIN_TRY(index_.put(placing->entry));
      ++result_.frames;
      break;
    case Novelty::conflict:
      ++result_.conflicts;
      notes_(place(record.number, frame.offset) + ": " + frame_type_name(frame.header.type) +
             " frame " + decimal(frame.header.sequence) + " is another one than in " +
             place(placing->entry.segment, placing->entry.offset));
      break;
    case Novelty::duplicate:
      break;
  }
  count_frame(record, frame.offset, frame.size_bytes(), encode_frame_header(frame.header));
  if (++uncommitted_ >= entries_per_commit) {
    uncommitted_ = 0;
    TWINCHAIN_TRY(index_.set_segment(record));
    TWINCHAIN_TRY(index_.commit());
  }
  return {};
}

Status Scan::cut(const SegmentRecord& record, std::uint64_t good_end, std::uint64_t size_bytes) {
  auto file = fs_.open(layout_.segment_path(record.number), OpenMode::read_write);
  if (!file) return pass(file);
  if (good_end < preamble_size) {
    TWINCHAIN_TRY((*file)->truncate(0));
    const ByteView preamble = stream_preamble;
    TWINCHAIN_TRY((*file)->append({&preamble, 1}));
    return (*file)->sync();
  }
  TWINCHAIN_TRY((*file)->truncate(good_end));
  TWINCHAIN_TRY((*file)->sync());
  result_.cut_bytes += size_bytes - good_end;
  notes_(place(record.number, good_end) + ": cut off " + decimal(size_bytes - good_end) +
         " bytes of a write that was interrupted");
  return {};
}

/// What another process had written is in the system's cache, and nobody knows whether it was
/// synced. After a sync that failed Linux takes such bytes for clean and the next sync leaves them
/// out: written again, they are dirty again.
Status Scan::write_again(std::uint32_t number, std::uint64_t from, std::uint64_t to) {
  auto file = fs_.open(layout_.segment_path(number), OpenMode::read_write);
  if (!file) return pass(file);
  Bytes chunk(rewrite_bytes);
  for (std::uint64_t at = from; at < to;) {
    auto count =
        (*file)->pread(std::span(chunk).first(std::min<std::uint64_t>(chunk.size(), to - at)), at);
    if (!count) return pass(count);
    if (*count == 0) break;
    TWINCHAIN_TRY((*file)->pwrite(ByteView(chunk).first(*count), at));
    at += *count;
  }
  return (*file)->sync();
}

}  // namespace

Result<Placing> place_frame(Index& index, FrameFetcher& fetcher, const FrameHeader& header,
                            ByteView body, std::uint32_t segment, std::uint64_t offset) {
  Placing placing;
  placing.entry = describe_frame(header, body, segment, offset);
  FrameKey key = placing.entry.key;
  const FrameKey last{key.source, key.type, key.sequence, UINT32_MAX};
  while (true) {
    auto found = index.entries(key, last, is_single(key.type) ? 1 : 64);
    if (!found) return pass(found);
    for (const FrameEntry& there : *found) {
      if (there.segment == segment && there.offset == offset)
        return Placing{Novelty::duplicate, there};
      auto same = fetcher.holds(there, header, body);
      if (!same && same.error().code != ExitCode::malformed) return pass(same);
      if (same && *same) return Placing{Novelty::duplicate, there};
      if (!same) {
        const bool is_this_frame = there.body_size == header.body_size &&
                                   there.body_crc == header.body_crc &&
                                   there.window_start_ns == header.window_start_ns &&
                                   there.window_end_ns == header.window_end_ns;
        if (is_this_frame) {
          placing.novelty = Novelty::heals;
          placing.entry.key.ordinal = there.key.ordinal;
          return placing;
        }
      }
      if (is_single(key.type)) return Placing{Novelty::conflict, there};
      key.ordinal = there.key.ordinal + 1;
    }
    if (found->size() < 64) break;
  }
  if (key.ordinal >= max_ordinal) {
    return fail(ExitCode::malformed, "more than " + decimal(std::uint64_t{max_ordinal}) +
                                         " different " + frame_type_name(key.type) +
                                         " frames of number " + decimal(key.sequence));
  }
  placing.entry.key.ordinal = key.ordinal;
  return placing;
}

void count_frame(SegmentRecord& record, std::uint64_t offset, std::uint64_t size_bytes,
                 ByteView header_bytes) {
  const std::uint32_t crc = crc32c(header_bytes);
  if (record.frames == 0) {
    record.first_offset = offset;
    record.first_crc = crc;
  }
  ++record.frames;
  record.last_offset = offset;
  record.last_crc = crc;
  record.indexed_to = offset + size_bytes;
}

Status forget_segments(Index& index, const std::set<std::uint32_t>& numbers) {
  FrameKey from{};
  from.type = FrameType{0};
  Id128 highest{};
  highest.fill(0xff);
  const FrameKey last{highest, FrameType{UINT16_MAX}, UINT64_MAX, UINT32_MAX};
  while (true) {
    auto found = index.entries(from, last, entries_per_commit);
    if (!found) return pass(found);
    std::vector<FrameKey> stale;
    for (const FrameEntry& entry : *found) {
      if (numbers.contains(entry.segment)) stale.push_back(entry.key);
    }
    if (!stale.empty()) TWINCHAIN_TRY(index.remove(stale));
    if (found->size() < entries_per_commit) break;
    from = found->back().key;
    ++from.ordinal;
  }
  for (const std::uint32_t number : numbers) TWINCHAIN_TRY(index.remove_segment(number));
  return {};
}

Result<CatchUp> catch_up(Fs& fs, const Layout& layout, Index& index, const CatchUpOptions& options,
                         const Notes& notes) {
  auto files = list_segments(fs, layout);
  if (!files) return pass(files);
  auto records = index.segments();
  if (!records) return pass(records);
  std::map<std::uint32_t, SegmentRecord> known;
  for (const SegmentRecord& record : *records) known[record.number] = record;

  std::set<std::uint32_t> stale;
  std::map<std::uint32_t, std::uint64_t> sizes;
  for (const SegmentFile& file : *files) sizes[file.number] = file.size_bytes;
  for (const auto& [number, record] : known) {
    const auto file = sizes.find(number);
    if (options.gc_at_work && record.shrinking) continue;
    if (file == sizes.end()) {
      stale.insert(number);
      if (!record.shrinking) notes("segment " + segment_name(number) + " is gone");
      continue;
    }
    if (record.shrinking) {
      stale.insert(number);
      continue;
    }
    if (file->second < record.indexed_to) {
      stale.insert(number);
      notes("segment " + segment_name(number) + " is " + decimal(record.indexed_to - file->second) +
            " bytes shorter than it has been");
      continue;
    }
    auto same = is_same_file(fs, layout, record);
    if (!same) return pass(same);
    if (!*same) {
      stale.insert(number);
      notes("segment " + segment_name(number) +
            " has been exchanged or damaged since it was indexed");
    }
  }
  if (!stale.empty()) {
    TWINCHAIN_TRY(forget_segments(index, stale));
    TWINCHAIN_TRY(index.commit());
    for (const std::uint32_t number : stale) known.erase(number);
  }

  CatchUp result;
  Scan scan(fs, layout, index, notes, result);
  for (const SegmentFile& file : *files) {
    SegmentRecord record;
    record.number = file.number;
    if (const auto found = known.find(file.number); found != known.end()) record = found->second;
    if (options.gc_at_work && record.shrinking) continue;
    const bool is_last = &file == &files->back();
    const bool incomplete = is_last && options.may_cut && file.size_bytes < preamble_size;
    if (record.indexed_to < file.size_bytes || incomplete) {
      TWINCHAIN_TRY(scan.segment(record, file.size_bytes, is_last, options.may_cut));
    }
  }
  return result;
}

Result<std::unique_ptr<Index>> open_or_remake_index(const Layout& layout, const Notes& notes) {
  auto index = Index::open(layout.index_folder(), Index::Access::write);
  if (index || index.error().code != ExitCode::malformed) return index;
  notes(index.error().message + "; making it anew");
  TWINCHAIN_TRY(Index::wipe(layout.index_folder()));
  return Index::open(layout.index_folder(), Index::Access::write);
}

}  // namespace twinchain::storage
