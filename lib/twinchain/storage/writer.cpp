#include "twinchain/storage/writer.hpp"

#include <algorithm>

#include "twinchain/base/text.hpp"
#include "twinchain/chain/link.hpp"
#include "twinchain/stream/writer.hpp"

namespace twinchain::storage {
namespace {

/// 200 bytes each: a stream that claims more is not one of this world.
constexpr std::size_t max_sources = 65'536;

std::string frame_name(const FrameHeader& header) {
  return frame_type_name(header.type) + " frame " + decimal(header.sequence);
}

/// Leftovers of a process that was killed between making a temporary file and renaming it.
Status remove_temporary_files(Fs& fs, const Layout& layout) {
  auto names = fs.list(layout.segments_folder());
  if (!names) return pass(names);
  for (const std::string& name : *names) {
    if (name.find(".twin.tmp-") == std::string::npos) continue;
    TWINCHAIN_TRY(fs.remove(layout.segments_folder() + "/" + name));
  }
  return {};
}

}  // namespace

StoreWriter::StoreWriter(Fs& fs, Layout layout, const WriterOptions& options, Notes notes)
    : fs_(fs),
      layout_(std::move(layout)),
      options_(options),
      notes_(std::move(notes)),
      fetcher_(fs, layout_) {}

StoreWriter::~StoreWriter() = default;

Result<std::unique_ptr<StoreWriter>> StoreWriter::open(Fs& fs, const std::string& folder,
                                                       const WriterOptions& options, Notes notes) {
  std::unique_ptr<StoreWriter> writer(
      new StoreWriter(fs, Layout{folder, options.other_index_folder}, options, std::move(notes)));
  TWINCHAIN_TRY(writer->start());
  return writer;
}

Status StoreWriter::start() {
  TWINCHAIN_TRY(fs_.make_folders(layout_.segments_folder()));
  auto lock = fs_.lock(layout_.lock_path());
  if (!lock) return pass(lock);
  lock_ = std::move(*lock);
  CatchUpOptions catch_up_options;
  catch_up_options.may_cut = true;
  auto gc_lock = fs_.lock(layout_.gc_lock_path());
  catch_up_options.gc_at_work = !gc_lock;
  if (gc_lock) TWINCHAIN_TRY(remove_temporary_files(fs_, layout_));
  // A process that was killed may have made a segment whose name is not durable.
  TWINCHAIN_TRY(fs_.sync_folder(layout_.segments_folder()));
  auto index = open_or_remake_index(layout_, notes_);
  if (!index) return pass(index);
  index_ = std::move(*index);
  auto caught_up = catch_up(fs_, layout_, *index_, catch_up_options, notes_);
  if (!caught_up) return pass(caught_up);
  auto files = list_segments(fs_, layout_);
  if (!files) return pass(files);
  if (files->empty()) {
    TWINCHAIN_TRY(open_segment(1));
    return index_->commit();
  }
  const SegmentFile& last = files->back();
  auto record = index_->segment(last.number);
  if (!record) return pass(record);
  if (!*record) return fail(ExitCode::bug, "the index lacks the segment that it has just read");
  record_ = **record;
  auto file = fs_.open(layout_.segment_path(last.number), OpenMode::read_write);
  if (!file) return pass(file);
  file_ = std::move(*file);
  durable_size_ = last.size_bytes;
  if (record_.sealed || durable_size_ >= options_.segment_bytes) {
    if (!record_.sealed) TWINCHAIN_TRY(seal_segment());
    TWINCHAIN_TRY(open_segment(last.number + 1));
    return index_->commit();
  }
  return index_->commit();
}

Status StoreWriter::open_segment(std::uint32_t number) {
  if (number > max_segment_number)
    return fail(ExitCode::system, "no more segment numbers are left");
  const std::string path = layout_.segment_path(number);
  auto file = fs_.open(path, OpenMode::create_new);
  if (!file) return pass(file);
  file_ = std::move(*file);
  const ByteView preamble = stream_preamble;
  auto made = file_->append({&preamble, 1});
  if (made) made = file_->sync();
  if (made) made = fs_.sync_folder(layout_.segments_folder());
  if (!made) {
    failed_ = true;
    index_->abort();
    (void)fs_.remove(path);  // what is left of it is mended by the next open()
    return made;
  }
  record_ = SegmentRecord{};
  record_.number = number;
  record_.indexed_to = preamble_size;
  durable_size_ = preamble_size;
  return index_->set_segment(record_);
}

Status StoreWriter::seal_segment() {
  const Bytes end = encode_end_frame(record_.frames, record_.indexed_to - preamble_size);
  const ByteView piece = end;
  auto written = file_->append({&piece, 1});
  if (written) written = file_->sync();
  if (!written) {
    give_up();
    return written;
  }
  record_.sealed = true;
  record_.indexed_to += end.size();
  durable_size_ = record_.indexed_to;
  return index_->set_segment(record_);
}

Result<Taken> StoreWriter::refuse(SourceState& source, std::string* reason, std::string why) {
  source.refused = true;
  *reason = std::move(why);
  return Taken::refused;
}

Result<Taken> StoreWriter::add(Frame& frame, std::string* reason) {
  reason->clear();
  if (failed_) return fail(ExitCode::system, "the store has failed before");
  const FrameHeader& header = frame.header;
  const std::string source_key(as_text(header.source));
  if (sources_.size() >= max_sources && !sources_.contains(source_key)) {
    return fail(ExitCode::malformed,
                "more than " + decimal(std::uint64_t{max_sources}) + " sources in one stream");
  }
  SourceState& source = sources_[source_key];
  if (source.refused) return Taken::refused;
  if (record_.frames > 0 && record_.indexed_to + frame.size_bytes() > options_.segment_bytes) {
    TWINCHAIN_TRY(commit());
    TWINCHAIN_TRY(seal_segment());
    TWINCHAIN_TRY(open_segment(record_.number + 1));
  }
  auto placing =
      place_frame(*index_, fetcher_, header, frame.body.view(), record_.number, record_.indexed_to);
  if (placing && placing->novelty != Novelty::fresh && placing->entry.segment == record_.number &&
      placing->entry.offset >= durable_size_ && !batch_.empty()) {
    // The other one is queued and not in its file yet: look again when it is.
    TWINCHAIN_TRY(commit());
    placing = place_frame(*index_, fetcher_, header, frame.body.view(), record_.number,
                          record_.indexed_to);
  }
  if (!placing) return pass(placing);
  if (placing->novelty == Novelty::conflict) {
    return refuse(source, reason,
                  frame_name(header) + " is another one than the one that is stored (" +
                      place(placing->entry.segment, placing->entry.offset) + ")");
  }
  if (placing->novelty == Novelty::duplicate) {
    if (sink_) batch_.push_back({std::move(frame), false});
    return Taken::duplicate;
  }
  if (header.type == FrameType::link) {
    auto broken = chain_break(source, frame);
    if (!broken) return pass(broken);
    if (!broken->empty()) return refuse(source, reason, std::move(*broken));
  }
  TWINCHAIN_TRY(index_->put(placing->entry));
  if (frames_since_index_ == 0) index_dirty_since_ns_ = system_clock().monotonic_ns();
  ++frames_since_index_;
  const std::uint64_t size = frame.size_bytes();
  count_frame(record_, record_.indexed_to, size, encode_frame_header(header));
  batch_bytes_ += size;
  batch_.push_back({std::move(frame), true});
  if (batch_bytes_ >= options_.batch_bytes) TWINCHAIN_TRY(commit());
  return Taken::stored;
}

Result<std::optional<chain::Link>> StoreWriter::stored_link(const Id128& source,
                                                            std::uint64_t number) {
  auto entry = index_->find({source, FrameType::link, number, 0});
  if (!entry) return pass(entry);
  if (!*entry) return std::optional<chain::Link>{};
  if ((*entry)->segment == record_.number && (*entry)->offset >= durable_size_) {
    TWINCHAIN_TRY(commit());
  }
  auto stored = fetcher_.fetch(**entry);
  // Damage is fsck's business; it proves no fork.
  if (!stored && stored.error().code == ExitCode::malformed) return std::optional<chain::Link>{};
  if (!stored) return pass(stored);
  const auto link = chain::parse_link_frame(stored->header, stored->body.view());
  if (!link) return std::optional<chain::Link>{};
  return std::optional(link->link);
}

Result<std::string> StoreWriter::chain_break(SourceState& source, const Frame& frame) {
  const auto link = chain::parse_link_frame(frame.header, frame.body.view());
  if (!link) return std::string{};
  const std::uint64_t number = link->link.number;
  const Hash256 hash = chain::link_hash(link->link);
  const auto forked = [&](std::uint64_t other) {
    return "LINK frame " + decimal(number) + " does not fit to LINK frame " + decimal(other) +
           " that is stored: the chain has forked";
  };
  std::optional<Hash256> previous;
  if (source.has_link && number > 0 && source.last_link == number - 1) {
    previous = source.last_link_hash;
  } else if (number > 0) {
    auto stored = stored_link(frame.header.source, number - 1);
    if (!stored) return pass(stored);
    if (*stored) previous = chain::link_hash(**stored);
  }
  if (previous && *previous != link->link.previous) return forked(number - 1);
  auto next = stored_link(frame.header.source, number + 1);
  if (!next) return pass(next);
  if (*next && (*next)->previous != hash) return forked(number + 1);
  source.has_link = true;
  source.last_link = number;
  source.last_link_hash = hash;
  return std::string{};
}

Status StoreWriter::write_batch() {
  std::vector<FrameHeaderBytes> heads;
  heads.reserve(batch_.size());
  std::vector<ByteView> pieces;
  pieces.reserve(2 * batch_.size());
  std::uint64_t frames = 0;
  for (const Queued& queued : batch_) {
    if (!queued.write) continue;
    heads.push_back(encode_frame_header(queued.frame.header));
    pieces.emplace_back(heads.back());
    pieces.push_back(queued.frame.body.view());
    ++frames;
  }
  if (frames == 0) return {};
  auto written = file_->append(pieces);
  if (written) written = file_->sync();
  if (!written) {
    give_up();
    return written;
  }
  durable_size_ += batch_bytes_;
  stored_frames_ += frames;
  stored_bytes_ += batch_bytes_;
  bytes_since_index_ += batch_bytes_;
  batch_bytes_ = 0;
  return {};
}

Status StoreWriter::commit() {
  if (failed_) return fail(ExitCode::system, "the store has failed before");
  if (batch_.empty()) return {};
  TWINCHAIN_TRY(write_batch());
  if (sink_) {
    for (const Queued& queued : batch_) TWINCHAIN_TRY(sink_(queued.frame));
  }
  spare_ = std::move(batch_.back().frame.body);
  batch_.clear();
  return {};
}

// Bytes after the last durable one may be anything now. What cannot be cut here is cut by the next
// open(), which takes whole frames for good: they are what was to be stored.
void StoreWriter::give_up() {
  failed_ = true;
  index_->abort();
  batch_.clear();
  if (file_ != nullptr && !file_->truncate(durable_size_)) {
    notes_(place(record_.number, durable_size_) + ": could not be cut back to its last good byte");
  }
}

std::optional<std::uint64_t> StoreWriter::index_due_in_ns() const {
  if (frames_since_index_ == 0) return std::nullopt;
  const std::uint64_t age = system_clock().monotonic_ns() - index_dirty_since_ns_;
  return age >= options_.index_ns ? 0 : options_.index_ns - age;
}

Status StoreWriter::commit_index(bool now) {
  if (failed_) return fail(ExitCode::system, "the store has failed before");
  if (!batch_.empty()) return {};
  if (!index_->has_changes()) {
    index_->abort();
    return {};
  }
  const auto due = index_due_in_ns();
  if (!now && frames_since_index_ < options_.index_frames &&
      bytes_since_index_ < options_.index_bytes && !(due && *due == 0)) {
    return {};
  }
  TWINCHAIN_TRY(index_->set_segment(record_));
  auto status = index_->commit();
  if (!status) {
    failed_ = true;  // the segments are as they should be; the next open() makes up for the index
    return status;
  }
  frames_since_index_ = 0;
  bytes_since_index_ = 0;
  return {};
}

Status StoreWriter::close() {
  TWINCHAIN_TRY(commit());
  return commit_index(true);
}

}  // namespace twinchain::storage
