#include "twinchain/chain/chain_state_log.hpp"

#include <algorithm>
#include <bit>

#include "twinchain/base/crc32c.hpp"
#include "twinchain/base/hex.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/crypto/sha256.hpp"

namespace twinchain::chain {
namespace {

constexpr std::string_view magic = "TWSTATE1";
constexpr std::string_view name_prefix = "chain-";
constexpr std::string_view name_suffix = ".links";
constexpr std::size_t checkpoint_head_size = 24;
constexpr std::size_t chunk_records = 2048;
constexpr std::string_view damage_hint =
    "take the folder from a backup; sealing on without it would fork the chain";

std::unexpected<Error> damaged(const std::string& path, std::uint64_t offset,
                               std::string_view what) {
  std::string message = escape(path, 400);
  message += ": byte ";
  message += decimal(offset);
  message += ": ";
  message += what;
  return fail(ExitCode::malformed, std::move(message), std::string(damage_hint));
}

/// "chain-0000000000000000.links" -> 0.
std::optional<std::uint64_t> segment_number(std::string_view name) {
  if (!name.starts_with(name_prefix) || !name.ends_with(name_suffix)) return std::nullopt;
  name.remove_prefix(name_prefix.size());
  name.remove_suffix(name_suffix.size());
  const auto bytes = name.size() == 16 ? from_hex(name) : std::nullopt;
  if (!bytes) return std::nullopt;
  std::uint64_t number = 0;
  for (const std::uint8_t byte : *bytes) number = number << 8 | byte;
  return number;
}

void append_record(Bytes& out, const SignedLink& link, std::uint64_t ordinal,
                   std::uint32_t place_in_batch) {
  const std::size_t start = out.size();
  append(out, encode_link_body(link));
  append_le(out, ordinal);
  append_le(out, place_in_batch);
  append_le(out, crc32c(ByteView(out).subspan(start)));
}

struct Record {
  SignedLink link;
  std::uint64_t ordinal = 0;
  std::uint64_t batch_first = 0;
};

/// Nothing when these bytes are no record of a segment that begins at `first`.
std::optional<Record> parse_record(ByteView bytes, std::uint64_t first) {
  constexpr std::size_t crc_offset = state_record_size - 4;
  if (load_le<std::uint32_t>(&bytes[crc_offset]) != crc32c(bytes.first(crc_offset))) {
    return std::nullopt;
  }
  const auto ordinal = load_le<std::uint64_t>(&bytes[link_body_size]);
  const auto place = load_le<std::uint32_t>(&bytes[link_body_size + 8]);
  auto link = parse_link_body(bytes.first(link_body_size));
  if (!link || ordinal < first || place > ordinal - first) return std::nullopt;
  return Record{*link, ordinal, ordinal - place};
}

/// Reads a checkpoint piece by piece: it may be large, and its sizes are not yet believed.
class CheckpointReader {
 public:
  CheckpointReader(File& file, const std::string& path) : file_(file), path_(path) {}

  Result<std::vector<ChainHead>> read(std::uint64_t first) {
    Bytes head(checkpoint_head_size);
    TWINCHAIN_TRY(take(head));
    if (as_text(ByteView(head).first(magic.size())) != magic) {
      return damaged(path_, 0, "not a sealing state");
    }
    const auto count = load_le<std::uint32_t>(&head[16]);
    if (load_le<std::uint64_t>(&head[8]) != first || count > max_chain_sources ||
        load_le<std::uint32_t>(&head[20]) != 0) {
      return damaged(path_, 8, "checkpoint does not fit its file");
    }
    std::vector<ChainHead> heads;
    for (std::uint32_t i = 0; i < count; ++i) {
      auto one = read_head();
      if (!one) return pass(one);
      heads.push_back(std::move(*one));
    }
    const std::uint32_t crc = crc_;
    Bytes stored(4);
    TWINCHAIN_TRY(take(stored));
    if (load_le<std::uint32_t>(stored.data()) != crc) {
      return damaged(path_, offset_ - 4, "checkpoint crc mismatch");
    }
    return heads;
  }

  [[nodiscard]] std::uint64_t offset() const { return offset_; }

 private:
  Status take(Bytes& into) {
    auto count = file_.pread(into, offset_);
    if (!count) return pass(count);
    if (*count < into.size()) return damaged(path_, offset_ + *count, "checkpoint is cut short");
    crc_ = crc32c(into, crc_);
    offset_ += into.size();
    return {};
  }

  Result<ChainHead> read_head() {
    Bytes body(link_body_size);
    TWINCHAIN_TRY(take(body));
    auto link = parse_link_body(body);
    if (!link) return damaged(path_, offset_ - link_body_size, link.error().message);
    const std::uint64_t size = link->link.number + 1;
    Bytes flat(static_cast<std::size_t>(std::popcount(size)) * sizeof(Hash256));
    TWINCHAIN_TRY(take(flat));
    std::vector<Hash256> hashes(flat.size() / sizeof(Hash256));
    for (std::size_t i = 0; i < hashes.size(); ++i) {
      std::copy_n(flat.begin() + static_cast<std::ptrdiff_t>(i * sizeof(Hash256)), sizeof(Hash256),
                  hashes[i].begin());
    }
    auto history = MerkleFrontier::from_parts(size, std::move(hashes));
    if (!history || size == 0 || history->root() != link->link.history_root) {
      return damaged(path_, offset_, "history does not belong to its link");
    }
    return ChainHead{*link, link_hash(link->link), std::move(*history)};
  }

  File& file_;
  const std::string& path_;
  std::uint64_t offset_ = 0;
  std::uint32_t crc_ = 0;
};

Bytes encode_checkpoint(std::uint64_t first, const std::vector<const ChainHead*>& heads) {
  Bytes out;
  append(out, magic);
  append_le(out, first);
  append_le(out, static_cast<std::uint32_t>(heads.size()));
  append_le(out, std::uint32_t{0});
  for (const ChainHead* head : heads) {
    append(out, encode_link_body(head->link));
    for (const Hash256& hash : head->history.hashes()) append(out, hash);
  }
  append_le(out, crc32c(out));
  return out;
}

}  // namespace

std::string StateLog::segment_path(std::uint64_t first) const {
  std::string digits;
  for (int shift = 60; shift >= 0; shift -= 4) digits += "0123456789abcdef"[first >> shift & 15];
  std::string path = folder_;
  path += '/';
  path += name_prefix;
  path += digits;
  path += name_suffix;
  return path;
}

std::uint64_t StateLog::first_ordinal() const {
  return segments_.front().first;
}

std::uint64_t StateLog::next_ordinal() const {
  return segments_.back().end;
}

void StateLog::Segment::place(std::uint64_t ordinal, std::uint64_t slot) {
  if (!runs.empty() && ordinal - runs.back().ordinal == slot - runs.back().slot) return;
  runs.push_back({ordinal, slot});
}

std::uint64_t StateLog::Segment::slot_of(std::uint64_t ordinal) const {
  auto run = std::upper_bound(runs.begin(), runs.end(), ordinal,
                              [](std::uint64_t of, const Run& one) { return of < one.ordinal; });
  --run;  // the first run begins with the first ordinal
  return run->slot + (ordinal - run->ordinal);
}

Result<std::unique_ptr<StateLog>> StateLog::open(Fs& fs, const std::string& folder, Access access,
                                                 const StateReplay& replay) {
  std::unique_ptr<StateLog> log(new StateLog(fs, folder));
  if (access == Access::write) {
    TWINCHAIN_TRY(fs.make_folders(folder));
    TWINCHAIN_TRY(fs.sync_folder(parent_folder(folder)));
    auto lock = fs.lock(folder + "/chain.lock");
    if (!lock) return pass(lock);
    log->lock_ = std::move(*lock);
  }
  TWINCHAIN_TRY(log->load(access, replay));
  return log;
}

Status StateLog::load(Access access, const StateReplay& replay) {
  auto names = fs_.list(folder_);
  if (!names) return pass(names);
  std::vector<std::uint64_t> firsts;
  for (const std::string& name : *names) {
    const std::string path = folder_ + "/" + name;
    if (const auto first = segment_number(name)) {
      firsts.push_back(*first);
    } else if (access == Access::write && name.starts_with(name_prefix) &&
               name.find(".links.tmp-") != std::string::npos) {
      TWINCHAIN_TRY(fs_.remove(path));  // of a process that did not finish writing it
    }
  }
  std::sort(firsts.begin(), firsts.end());
  if (firsts.empty() && access == Access::read_only) {
    return fail(ExitCode::usage, escape(folder_, 400) + " holds no sealing state");
  }
  for (std::size_t i = 0; i < firsts.size(); ++i) {
    Segment segment;
    segment.first = firsts[i];
    segment.end = firsts[i];
    segment.path = segment_path(firsts[i]);
    const bool last = i + 1 == firsts.size();
    const bool write = access == Access::write && last;
    auto file = fs_.open(segment.path, write ? OpenMode::read_write : OpenMode::read);
    if (!file) return pass(file);
    segment.file = std::move(*file);
    TWINCHAIN_TRY(load_segment(segment, i == 0, replay));
    if (!last && segment.end != firsts[i + 1]) {
      return damaged(segment.path, segment.offset_of_slot(segment.slots),
                     "links are missing before the next file");
    }
    segments_.push_back(std::move(segment));
  }
  if (access == Access::read_only) return {};
  if (segments_.empty()) return begin_segment({}, 0);
  // The newest file's name may not have been durable when the last process ended.
  TWINCHAIN_TRY(fs_.sync_folder(folder_));
  return copy_newest_batch();
}

Status StateLog::load_segment(Segment& segment, bool first, const StateReplay& replay) {
  auto size = segment.file->size_bytes();
  if (!size) return pass(size);
  CheckpointReader checkpoint(*segment.file, segment.path);
  auto heads = checkpoint.read(segment.first);
  if (!heads) return pass(heads);
  segment.records_offset = checkpoint.offset();
  if (auto status = replay.checkpoint(first, std::move(*heads)); !status) {
    return damaged(segment.path, 0, status.error().message);
  }
  newest_batch_ = segment.first;
  return load_records(segment, *size, replay);
}

Status StateLog::load_records(Segment& segment, std::uint64_t file_size,
                              const StateReplay& replay) {
  const std::uint64_t slots = (file_size - segment.records_offset) / state_record_size;
  const std::uint64_t partial = (file_size - segment.records_offset) % state_record_size;
  Bytes chunk;
  std::uint64_t used = 0;  // the slot after the last record that counts
  for (std::uint64_t slot = 0; slot < slots;) {
    chunk.resize(std::min<std::uint64_t>(chunk_records, slots - slot) * state_record_size);
    auto count = segment.file->pread(chunk, segment.offset_of_slot(slot));
    if (!count) return pass(count);
    if (*count != chunk.size()) {
      return damaged(segment.path, segment.offset_of_slot(slot), "file became shorter");
    }
    for (std::size_t at = 0; at < chunk.size(); at += state_record_size, ++slot) {
      const auto record =
          parse_record(ByteView(chunk).subspan(at, state_record_size), segment.first);
      if (!record) continue;
      if (record->batch_first > segment.end) {
        return damaged(segment.path, segment.offset_of_slot(used), "a link is damaged");
      }
      if (record->ordinal < segment.end) used = slot + 1;  // a copy
      if (record->ordinal != segment.end) continue;
      if (auto status = replay.record(record->ordinal, record->link); !status) {
        return damaged(segment.path, segment.offset_of_slot(slot), status.error().message);
      }
      segment.place(record->ordinal, slot);
      newest_batch_ = record->batch_first;
      ++segment.end;
      used = slot + 1;
    }
  }
  segment.slots = slots + (partial > 0 ? 1 : 0);
  torn_bytes_ = file_size - segment.offset_of_slot(used);
  return {};
}

// A sync that failed in the process before may have lost the newest batch although it can still
// be read. Writing it again in its place would put it at risk where it is durable.
Status StateLog::copy_newest_batch() {
  Segment& segment = segments_.back();
  Bytes batch;
  Bytes record(state_record_size);
  for (std::uint64_t ordinal = newest_batch_; ordinal < segment.end; ++ordinal) {
    const std::uint64_t offset = segment.offset_of_slot(segment.slot_of(ordinal));
    auto count = segment.file->pread(record, offset);
    if (!count) return pass(count);
    if (*count != record.size()) return damaged(segment.path, offset, "file became shorter");
    twinchain::append(batch, record);
  }
  if (batch.empty()) return {};
  const std::uint64_t slot = segment.slots;
  TWINCHAIN_TRY(append_records(batch));
  while (!segment.runs.empty() && segment.runs.back().ordinal >= newest_batch_) {
    segment.runs.pop_back();
  }
  segment.runs.push_back({newest_batch_, slot});
  return {};
}

Status StateLog::append_records(ByteView records) {
  Segment& segment = segments_.back();
  const std::uint64_t begin = segment.offset_of_slot(segment.slots);
  auto size = segment.file->size_bytes();
  if (!size) return pass(size);
  if (*size > begin) return fail(ExitCode::bug, "sealing state has a second writer");
  const Bytes padding(begin - *size);
  const ByteView pieces[] = {padding, records};
  TWINCHAIN_TRY(segment.file->append(pieces));
  TWINCHAIN_TRY(segment.file->sync());
  segment.slots += records.size() / state_record_size;
  return {};
}

Status StateLog::append(std::span<const SignedLink> links) {
  Segment& segment = segments_.back();
  Bytes records;
  records.reserve(links.size() * state_record_size);
  std::uint32_t place = 0;
  for (const SignedLink& link : links) {
    append_record(records, link, segment.end + place, place);
    ++place;
  }
  const std::uint64_t slot = segment.slots;
  TWINCHAIN_TRY(append_records(records));
  segment.place(segment.end, slot);
  segment.end += place;
  return {};
}

Result<SignedLink> StateLog::read(std::uint64_t ordinal) {
  auto segment = std::find_if(segments_.rbegin(), segments_.rend(),
                              [&](const Segment& one) { return one.first <= ordinal; });
  if (segment == segments_.rend() || ordinal >= segment->end) {
    return fail(ExitCode::bug, "no record " + decimal(ordinal) + " in the sealing state");
  }
  const std::uint64_t offset = segment->offset_of_slot(segment->slot_of(ordinal));
  Bytes bytes(state_record_size);
  auto count = segment->file->pread(bytes, offset);
  if (!count) return pass(count);
  const auto record = *count == bytes.size() ? parse_record(bytes, segment->first) : std::nullopt;
  if (!record || record->ordinal != ordinal) {
    return damaged(segment->path, offset, "a link is damaged");
  }
  return record->link;
}

Status StateLog::begin_segment(const std::vector<const ChainHead*>& heads,
                               std::uint64_t records_kept) {
  Segment segment;
  segment.first = segments_.empty() ? 0 : next_ordinal();
  segment.end = segment.first;
  segment.path = segment_path(segment.first);
  const Bytes checkpoint = encode_checkpoint(segment.first, heads);
  segment.records_offset = checkpoint.size();
  TWINCHAIN_TRY(write_file_atomically(fs_, segment.path, checkpoint));
  auto file = fs_.open(segment.path, OpenMode::read_write);
  if (!file) return pass(file);
  segment.file = std::move(*file);
  segments_.push_back(std::move(segment));
  while (segments_.size() > 1 && next_ordinal() - segments_[1].first >= records_kept) {
    TWINCHAIN_TRY(fs_.remove(segments_.front().path));
    segments_.pop_front();
  }
  return {};
}

}  // namespace twinchain::chain
