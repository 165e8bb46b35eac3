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

std::uint32_t record_crc(std::uint64_t ordinal, ByteView record) {
  std::array<std::uint8_t, 8> place{};
  store_le(place.data(), ordinal);
  return crc32c(record.first(state_record_size - 4), crc32c(place));
}

void append_record(Bytes& out, const SignedLink& link, std::uint32_t place_in_batch,
                   std::uint64_t ordinal) {
  const std::size_t start = out.size();
  append(out, encode_link_body(link));
  append_le(out, place_in_batch);
  out.resize(start + state_record_size);
  const ByteView record = ByteView(out).subspan(start);
  store_le(&out[start + state_record_size - 4], record_crc(ordinal, record));
}

struct Record {
  SignedLink link;
  std::uint64_t batch_first = 0;
};

/// Nothing when it is not the record with this ordinal of a segment that begins at `first`.
std::optional<Record> parse_record(ByteView bytes, std::uint64_t ordinal, std::uint64_t first) {
  if (load_le<std::uint32_t>(&bytes[state_record_size - 4]) != record_crc(ordinal, bytes)) {
    return std::nullopt;
  }
  const auto place = load_le<std::uint32_t>(&bytes[link_body_size]);
  auto link = parse_link_body(bytes.first(link_body_size));
  if (!link || place > ordinal - first) return std::nullopt;
  return Record{*link, ordinal - place};
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
  return segments_.back().first + segments_.back().count;
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
    segment.path = segment_path(firsts[i]);
    const bool last = i + 1 == firsts.size();
    TWINCHAIN_TRY(load_segment(segment, i == 0, last, access, replay));
    if (!last && segment.first + segment.count != firsts[i + 1]) {
      return damaged(segment.path, segment.records_offset + segment.count * state_record_size,
                     "records are missing before the next file");
    }
    segments_.push_back(std::move(segment));
  }
  if (access == Access::read_only) return {};
  if (segments_.empty()) return begin_segment({}, 0);
  // The newest file's name may not have been durable when the last process ended.
  return fs_.sync_folder(folder_);
}

Status StateLog::load_segment(Segment& segment, bool first, bool last, Access access,
                              const StateReplay& replay) {
  const bool write = access == Access::write && last;
  auto file = fs_.open(segment.path, write ? OpenMode::read_write : OpenMode::read);
  if (!file) return pass(file);
  segment.file = std::move(*file);
  auto size = segment.file->size_bytes();
  if (!size) return pass(size);
  CheckpointReader checkpoint(*segment.file, segment.path);
  auto heads = checkpoint.read(segment.first);
  if (!heads) return pass(heads);
  segment.records_offset = checkpoint.offset();
  if (auto status = replay.checkpoint(first, std::move(*heads)); !status) {
    return damaged(segment.path, 0, status.error().message);
  }
  auto tail = load_records(segment, *size, last, replay);
  if (!tail) return pass(tail);
  segment.count = tail->end - segment.first;
  torn_bytes_ = *size - segment.records_offset - segment.count * state_record_size;
  return write ? mend_tail(segment, *tail) : Status{};
}

Result<StateLog::Tail> StateLog::load_records(Segment& segment, std::uint64_t file_size, bool last,
                                              const StateReplay& replay) {
  Tail tail{segment.first, segment.first};
  bool torn = false;
  Bytes chunk(chunk_records * state_record_size);
  std::uint64_t ordinal = segment.first;
  const auto offset_of = [&](std::uint64_t of) {
    return segment.records_offset + (of - segment.first) * state_record_size;
  };
  while (offset_of(ordinal) < file_size) {
    auto count = segment.file->pread(chunk, offset_of(ordinal));
    if (!count) return pass(count);
    const std::size_t whole = *count / state_record_size;
    for (std::size_t i = 0; i < whole; ++i, ++ordinal) {
      const auto record =
          parse_record(ByteView(chunk).subspan(i * state_record_size, state_record_size), ordinal,
                       segment.first);
      if (!record) {
        torn = true;
      } else if (torn && record->batch_first > tail.end) {
        return damaged(segment.path, offset_of(tail.end), "a link is damaged");
      } else if (!torn) {
        if (auto status = replay.record(ordinal, record->link); !status) {
          return damaged(segment.path, offset_of(ordinal), status.error().message);
        }
        tail = {record->batch_first, ordinal + 1};
      }
    }
    if (whole * state_record_size < *count || *count == 0) break;
  }
  if (!last && offset_of(tail.end) != file_size) {
    return damaged(segment.path, offset_of(tail.end), "a link is damaged");
  }
  return tail;
}

// A sync that failed in the process before may have lost the newest batch although it can still
// be read: written once more and synced, it is certain.
Status StateLog::mend_tail(Segment& segment, const Tail& tail) {
  const std::uint64_t end = segment.records_offset + segment.count * state_record_size;
  if (torn_bytes_ > 0) TWINCHAIN_TRY(segment.file->truncate(end));
  if (tail.end > tail.batch_first) {
    const std::uint64_t begin = end - (tail.end - tail.batch_first) * state_record_size;
    Bytes batch(end - begin);
    auto count = segment.file->pread(batch, begin);
    if (!count) return pass(count);
    if (*count != batch.size()) return damaged(segment.path, begin, "file changed while reading");
    TWINCHAIN_TRY(segment.file->pwrite(batch, begin));
  }
  return segment.file->sync();
}

Status StateLog::append(std::span<const SignedLink> links) {
  Segment& segment = segments_.back();
  Bytes records;
  records.reserve(links.size() * state_record_size);
  std::uint32_t place = 0;
  for (const SignedLink& link : links) {
    append_record(records, link, place, segment.first + segment.count + place);
    ++place;
  }
  const ByteView pieces[] = {records};
  if (auto status = segment.file->append(pieces); !status) {
    // Best effort: what stays is a torn tail, which the next open() cuts off.
    (void)segment.file->truncate(segment.records_offset + segment.count * state_record_size);
    return status;
  }
  TWINCHAIN_TRY(segment.file->sync());
  segment.count += place;
  return {};
}

Result<SignedLink> StateLog::read(std::uint64_t ordinal) {
  auto segment = std::find_if(segments_.rbegin(), segments_.rend(),
                              [&](const Segment& one) { return one.first <= ordinal; });
  if (segment == segments_.rend() || ordinal - segment->first >= segment->count) {
    return fail(ExitCode::bug, "no record " + decimal(ordinal) + " in the sealing state");
  }
  const std::uint64_t offset =
      segment->records_offset + (ordinal - segment->first) * state_record_size;
  Bytes bytes(state_record_size);
  auto count = segment->file->pread(bytes, offset);
  if (!count) return pass(count);
  const auto record =
      *count == bytes.size() ? parse_record(bytes, ordinal, segment->first) : std::nullopt;
  if (!record) return damaged(segment->path, offset, "a link is damaged");
  return record->link;
}

Status StateLog::begin_segment(const std::vector<const ChainHead*>& heads,
                               std::uint64_t records_kept) {
  Segment segment;
  segment.first = segments_.empty() ? 0 : next_ordinal();
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
