#include "twinchain/record/spool.hpp"

#include <algorithm>
#include <utility>

#include "twinchain/base/hex.hpp"
#include "twinchain/base/text.hpp"

namespace twinchain::record {
namespace {

constexpr std::string_view segment_prefix = "frames-";
constexpr std::string_view wal_prefix = "wal-";
constexpr std::uint64_t max_acknowledged_bytes = std::uint64_t{1} << 20;
constexpr std::uint64_t read_acknowledged_every_ns = 1'000'000'000;

/// "wal-00000000000000000007": names sort as numbers do.
std::string numbered(std::string_view prefix, std::uint64_t number) {
  const std::string digits = decimal(number);
  std::string name(prefix);
  name.append(20 - std::min<std::size_t>(20, digits.size()), '0');
  name += digits;
  return name;
}

/// One frame off the front of a window's bytes.
struct FrameView {
  FrameHeader header;
  ByteView whole;
  ByteView body;
};
Result<FrameView> take_frame(ByteView& frames) {
  if (frames.size() < frame_header_size) return fail(ExitCode::malformed, "frame cut short");
  auto header = parse_frame_header(frames);
  if (!header) return pass(header);
  if (frames.size() - frame_header_size < header->body_size) {
    return fail(ExitCode::malformed, "frame cut short");
  }
  FrameView view;
  view.header = *header;
  view.whole = frames.first(frame_header_size + header->body_size);
  view.body = view.whole.subspan(frame_header_size);
  frames = frames.subspan(view.whole.size());
  return view;
}

}  // namespace

Spool::Spool(Fs& fs, Clock& clock, SpoolOptions options, Notice warn)
    : fs_(&fs), clock_(&clock), options_(std::move(options)), warn_(std::move(warn)) {}

std::string Spool::path(const std::string& name) const {
  std::string full = options_.folder;
  full += '/';
  full += name;
  return full;
}

// --- Opening ------------------------------------------------------------------------------------

Result<std::unique_ptr<Spool>> Spool::open(Fs& fs, Clock& clock, SpoolOptions options,
                                           Notice warn) {
  std::unique_ptr<Spool> spool(new Spool(fs, clock, std::move(options), std::move(warn)));
  TWINCHAIN_TRY(fs.make_folders(spool->options_.folder));
  auto lock = fs.lock(spool->path("lock"));
  if (!lock) return pass(lock);
  spool->lock_ = std::move(*lock);
  auto names = fs.list(spool->options_.folder);
  if (!names) return pass(names);
  TWINCHAIN_TRY(spool->load_segments(*names));
  for (const std::string& name : *names) {
    if (!name.starts_with(wal_prefix)) continue;
    const auto number = parse_decimal(std::string_view(name).substr(wal_prefix.size()));
    if (!number) continue;
    spool->wal_paths_.push_back(spool->path(name));
    spool->wal_number_ = std::max(spool->wal_number_, *number);
  }
  TWINCHAIN_TRY(spool->read_acknowledged());
  const std::uint64_t next = spool->checkpoint_ ? spool->checkpoint_->next_sequence : 0;
  if (spool->acknowledged_ > next) {
    return fail(ExitCode::malformed,
                "the store has acknowledged window " + decimal(spool->acknowledged_ - 1) +
                    ", but the spool ends before window " + decimal(next),
                "this spool is an old copy; going on with it would fork the chain");
  }
  return spool;
}

Status Spool::load_segments(const std::vector<std::string>& names) {
  std::vector<std::string> found;
  for (const std::string& name : names) {
    if (name.starts_with(segment_prefix)) found.push_back(name);
  }
  while (!found.empty()) {
    // A file whose beginning was never finished is no file: the power went while it was made.
    auto whole = load_segment(found.back(), true);
    if (!whole) return pass(whole);
    if (*whole) break;
    TWINCHAIN_TRY(fs_->remove(path(found.back())));
    found.pop_back();
  }
  if (found.empty()) return {};
  // The last one was looked at first; the others only for their sequences.
  Segment last = segments_.back();
  segments_.clear();
  const std::optional<Checkpoint> checkpoint = std::exchange(checkpoint_, std::nullopt);
  const Bytes schema = std::exchange(schema_frame_, {});
  for (std::size_t i = 0; i + 1 < found.size(); ++i) {
    auto whole = load_segment(found[i], false);
    if (!whole) return pass(whole);
  }
  if (!segments_.empty() && last.next_sequence > last.first_sequence &&
      segments_.back().next_sequence != last.first_sequence) {
    return fail(ExitCode::malformed, escape(last.path, 400) + ": window " +
                                         decimal(last.first_sequence) + " follows window " +
                                         decimal(segments_.back().next_sequence));
  }
  segments_.push_back(std::move(last));
  if (checkpoint) checkpoint_ = checkpoint;
  if (!schema.empty()) schema_frame_ = schema;
  return {};
}

Result<bool> Spool::load_segment(const std::string& name, bool last) {
  Segment segment;
  segment.path = path(name);
  const auto first = parse_decimal(std::string_view(name).substr(segment_prefix.size()));
  if (!first) return fail(ExitCode::malformed, escape(segment.path, 400) + " has no number");
  segment.first_sequence = *first;
  segment.next_sequence = *first;
  if (!last && !segments_.empty() && segments_.back().next_sequence != *first) {
    return fail(ExitCode::malformed, escape(segment.path, 400) + " does not follow window " +
                                         decimal(segments_.back().next_sequence));
  }
  bool has_head = false;
  auto log = SpoolLog::open(*fs_, segment.path, [&](const SpoolRecord& record) {
    return take_segment_record(segment, has_head, record);
  });
  if (!log) return pass(log);
  torn_bytes_ += log->torn_bytes();
  if (!last && (log->torn_bytes() > 0 || !has_head)) {
    return fail(ExitCode::malformed, escape(segment.path, 400) + " is damaged at byte " +
                                         decimal(log->size_bytes()) + ": cut short");
  }
  if (!has_head) return false;
  segment.size_bytes = log->size_bytes();
  if (last) {
    TWINCHAIN_TRY(log->renew(*fs_, path("renewed")));
    active_ = std::move(*log);
  }
  segments_.push_back(std::move(segment));
  return true;
}

Status Spool::take_segment_record(Segment& segment, bool& has_head, const SpoolRecord& record) {
  switch (static_cast<SpoolRecordType>(record.type)) {
    case SpoolRecordType::head: {
      auto head = parse_segment_head(record.payload);
      if (!head) return pass(head);
      if (head->source_name != options_.source_name) {
        return fail(ExitCode::usage,
                    escape(options_.folder, 400) + " is the spool of source " +
                        escape(head->source_name) + ", not of " + escape(options_.source_name),
                    "each source has a spool folder of its own");
      }
      has_head = true;
      keep_schema(head->schema_frame);
      return {};
    }
    case SpoolRecordType::window:
      if (!has_head) return fail(ExitCode::malformed, "a window before the head");
      return take_window(segment, record);
    case SpoolRecordType::delivered: {
      ByteCursor in(record.payload);
      delivered_ = std::max(delivered_, in.read_le<std::uint64_t>());
      if (!in.at_end()) return fail(ExitCode::malformed, "malformed record");
      return {};
    }
    default:
      return fail(ExitCode::malformed, "record of unknown type");
  }
}

Status Spool::take_window(Segment& segment, const SpoolRecord& record) {
  auto window = parse_window_record(record.payload);
  if (!window) return pass(window);
  if (window->sequence != segment.next_sequence) {
    return fail(ExitCode::malformed, "window " + decimal(window->sequence) + " where window " +
                                         decimal(segment.next_sequence) + " belongs");
  }
  auto checkpoint = parse_checkpoint(window->checkpoint);
  if (!checkpoint) return pass(checkpoint);
  if (checkpoint->next_sequence != window->sequence + 1) {
    return fail(ExitCode::malformed, "checkpoint of another window");
  }
  for (ByteView frames = window->frames; !frames.empty();) {
    auto frame = take_frame(frames);
    if (!frame) return pass(frame);
    if (frame->header.type == FrameType::schema) keep_schema(frame->whole);
  }
  ++segment.next_sequence;
  checkpoint_ = std::move(*checkpoint);
  return {};
}

void Spool::keep_schema(ByteView frame) {
  if (!frame.empty()) schema_frame_.assign(frame.begin(), frame.end());
}

ByteView Spool::schema_body() const {
  if (schema_frame_.size() < frame_header_size) return {};
  return ByteView(schema_frame_).subspan(frame_header_size);
}

// --- What the last run left ---------------------------------------------------------------------

std::uint64_t Spool::done_before() const {
  return std::max(acknowledged_, delivered_);
}

Result<std::uint64_t> Spool::resend(const FrameSink& sink) {
  std::uint64_t sent = 0;
  Bytes schema;
  for (const Segment& segment : segments_) {
    if (segment.next_sequence <= done_before()) continue;
    TWINCHAIN_TRY(resend_segment(segment, sink, schema, sent));
  }
  return sent;
}

Status Spool::resend_segment(const Segment& segment, const FrameSink& sink, Bytes& schema,
                             std::uint64_t& sent) {
  auto log = SpoolLog::open(*fs_, segment.path, [&](const SpoolRecord& record) -> Status {
    if (record.type == static_cast<std::uint16_t>(SpoolRecordType::head)) {
      auto head = parse_segment_head(record.payload);
      if (!head) return pass(head);
      schema = std::move(head->schema_frame);
      return {};
    }
    if (record.type != static_cast<std::uint16_t>(SpoolRecordType::window)) return {};
    auto window = parse_window_record(record.payload);
    if (!window) return pass(window);
    return send_window(*window, sink, schema, sent);
  });
  if (!log) return pass(log);
  return {};
}

Status Spool::send_window(const WindowRecord& window, const FrameSink& sink, Bytes& schema,
                          std::uint64_t& sent) {
  const bool wanted = window.sequence >= done_before();
  bool first = true;
  for (ByteView frames = window.frames; !frames.empty(); first = false) {
    auto frame = take_frame(frames);
    if (!frame) return pass(frame);
    const bool is_schema = frame->header.type == FrameType::schema;
    if (wanted && first && sent == 0 && !is_schema && !schema.empty()) {
      ByteView rest = schema;
      auto before = take_frame(rest);
      if (!before) return pass(before);
      TWINCHAIN_TRY(sink(before->header, before->body));
    }
    if (is_schema) schema.assign(frame->whole.begin(), frame->whole.end());
    if (wanted) TWINCHAIN_TRY(sink(frame->header, frame->body));
  }
  if (wanted) ++sent;
  return {};
}

Status Spool::replay(const std::function<Status(const WalEvent&)>& visit) {
  for (const std::string& wal_path : wal_paths_) {
    auto log = SpoolLog::open(*fs_, wal_path, [&](const SpoolRecord& record) -> Status {
      auto event = parse_wal_event(record.type, record.payload);
      if (!event) return pass(event);
      return visit(*event);
    });
    if (!log) return pass(log);
    torn_bytes_ += log->torn_bytes();
  }
  return {};
}

Status Spool::begin_run(const WalEvent& start, std::span<const SpoolLeftover> leftovers) {
  auto log = SpoolLog::create(*fs_, path(numbered(wal_prefix, wal_number_ + 1)));
  if (!log) return pass(log);
  ++wal_number_;
  wal_ = std::move(*log);
  TWINCHAIN_TRY(this->log(start));
  for (const SpoolLeftover& leftover : leftovers) {
    WalEvent event;
    event.type = SpoolRecordType::chunk;
    event.writer = leftover.writer;
    event.offset = leftover.offset;
    event.arrival_ns = leftover.arrival_ns;
    event.position = leftover.position;
    event.bytes = leftover.bytes;
    TWINCHAIN_TRY(this->log(event));
  }
  TWINCHAIN_TRY(sync_wal());
  TWINCHAIN_TRY(fs_->sync_folder(options_.folder));
  for (const std::string& old : wal_paths_) TWINCHAIN_TRY(fs_->remove(old));
  wal_paths_ = {wal_->path()};
  return {};
}

// --- While recording ----------------------------------------------------------------------------

Status Spool::log(const WalEvent& event) {
  const Bytes head = encode_wal_event(event);
  const std::array<ByteView, 2> pieces{head, event.bytes};
  TWINCHAIN_TRY(wal_->append(static_cast<std::uint16_t>(event.type), pieces));
  if (!sync_due_ns_) {
    sync_due_ns_ = clock_->monotonic_ns() + static_cast<std::uint64_t>(options_.sync_every_ns);
  }
  return {};
}

Status Spool::sync_wal() {
  sync_due_ns_.reset();
  return wal_->sync();
}

bool Spool::wants_rotation() const {
  return wal_->size_bytes() >= options_.wal_file_bytes;
}

std::uint64_t Spool::roll_size_bytes() const {
  return std::min(options_.size_limit_bytes / 8, options_.frame_file_bytes);
}

Status Spool::roll(std::uint64_t first_sequence) {
  if (active_) TWINCHAIN_TRY(active_->sync());
  Segment segment;
  segment.path = path(numbered(segment_prefix, first_sequence));
  segment.first_sequence = first_sequence;
  segment.next_sequence = first_sequence;
  auto log = SpoolLog::create(*fs_, segment.path);
  if (!log) return pass(log);
  const Bytes head = encode_segment_head({options_.source_name, schema_frame_});
  const std::array<ByteView, 1> pieces{head};
  TWINCHAIN_TRY(log->append(static_cast<std::uint16_t>(SpoolRecordType::head), pieces));
  // Durable by itself, so that the first window's record vouches for it.
  TWINCHAIN_TRY(log->sync());
  segment.size_bytes = log->size_bytes();
  active_ = std::move(*log);
  segments_.push_back(std::move(segment));
  folder_dirty_ = true;
  return {};
}

Status Spool::append_window(std::uint64_t sequence, const Checkpoint& checkpoint, ByteView frames) {
  if (!active_) TWINCHAIN_TRY(roll(sequence));
  const Bytes head = encode_window_record(sequence, encode_checkpoint(checkpoint));
  const std::array<ByteView, 2> pieces{head, frames};
  TWINCHAIN_TRY(active_->append(static_cast<std::uint16_t>(SpoolRecordType::window), pieces));
  segments_.back().next_sequence = sequence + 1;
  segments_.back().size_bytes = active_->size_bytes();
  for (ByteView rest = frames; !rest.empty();) {
    auto frame = take_frame(rest);
    if (!frame) return pass(frame);
    if (frame->header.type == FrameType::schema) keep_schema(frame->whole);
  }
  checkpoint_ = checkpoint;
  return {};
}

Status Spool::commit(bool nothing_left) {
  if (active_) TWINCHAIN_TRY(active_->sync());
  if (folder_dirty_) {
    TWINCHAIN_TRY(fs_->sync_folder(options_.folder));
    folder_dirty_ = false;
  }
  if (nothing_left) sync_due_ns_.reset();
  return {};
}

Status Spool::delivered(std::uint64_t next_sequence) {
  if (!active_ || next_sequence <= delivered_) return {};
  Bytes payload;
  append_le(payload, next_sequence);
  const std::array<ByteView, 1> pieces{payload};
  TWINCHAIN_TRY(active_->append(static_cast<std::uint16_t>(SpoolRecordType::delivered), pieces));
  segments_.back().size_bytes = active_->size_bytes();
  delivered_ = next_sequence;
  return {};
}

// --- Keeping small ------------------------------------------------------------------------------

Status Spool::read_acknowledged() {
  const std::string name = path("acknowledged");
  auto there = fs_->exists(name);
  if (!there) return pass(there);
  if (!*there) return {};
  auto bytes = read_whole_file(*fs_, name, max_acknowledged_bytes);
  if (!bytes) return pass(bytes);
  const std::string source = to_hex(source_id(options_.source_name));
  for (const std::string_view line : split(as_text(*bytes), '\n')) {
    const std::size_t space = line.find(' ');
    if (space == std::string_view::npos || line.substr(0, space) != source) continue;
    const auto next = parse_decimal(line.substr(space + 1));
    if (next) {
      acknowledged_ = std::max(acknowledged_, *next);
    } else if (!acknowledged_is_bad_) {
      acknowledged_is_bad_ = true;
      warn_(escape(name, 400) + " is malformed: nothing counts as acknowledged by it");
    }
  }
  return {};
}

Status Spool::remove_oldest_segment() {
  TWINCHAIN_TRY(fs_->remove(segments_.front().path));
  TWINCHAIN_TRY(fs_->sync_folder(options_.folder));
  segments_.erase(segments_.begin());
  return {};
}

Status Spool::tidy() {
  // Here and not when the next window is finished: that one is in a hurry.
  if (active_ && active_->size_bytes() >= roll_size_bytes() &&
      segments_.back().next_sequence > segments_.back().first_sequence) {
    TWINCHAIN_TRY(roll(segments_.back().next_sequence));
  }
  if (segments_.size() < 2) return {};
  const std::uint64_t now = clock_->monotonic_ns();
  if (!acknowledged_read_ns_ || now - *acknowledged_read_ns_ >= read_acknowledged_every_ns) {
    acknowledged_read_ns_ = now;
    TWINCHAIN_TRY(read_acknowledged());
  }
  // The newest window stays whatever happens: with it goes the checkpoint.
  const auto removable = [this] {
    const Segment& last = segments_.back();
    const std::size_t kept = last.next_sequence > last.first_sequence ? 1 : 2;
    return segments_.size() > kept;
  };
  while (removable() && segments_.front().next_sequence <= done_before()) {
    TWINCHAIN_TRY(remove_oldest_segment());
  }
  std::uint64_t size = 0;
  for (const Segment& segment : segments_) size += segment.size_bytes;
  while (removable() && size > options_.size_limit_bytes) {
    const Segment& oldest = segments_.front();
    if (dropped_windows_ == 0) {
      warn_("the spool is full: windows from " +
            decimal(std::max(oldest.first_sequence, done_before())) +
            " on are no longer kept, though nobody has acknowledged them");
    }
    dropped_windows_ += oldest.next_sequence - std::max(oldest.first_sequence, done_before());
    size -= oldest.size_bytes;
    TWINCHAIN_TRY(remove_oldest_segment());
  }
  return {};
}

}  // namespace twinchain::record
