#include <algorithm>

#include "twinchain/storage/index_environment.hpp"
#include "twinchain/sys/fs.hpp"

namespace twinchain::storage {
namespace {

std::optional<SegmentRecord> decode_segment(ByteView key, ByteView value) {
  if (key.size() != 4 || value.size() != segment_value_size) return std::nullopt;
  ByteCursor in(value);
  SegmentRecord record;
  record.number = (std::uint32_t{key[0]} << 24) | (std::uint32_t{key[1]} << 16) |
                  (std::uint32_t{key[2]} << 8) | key[3];
  record.indexed_to = in.read_le<std::uint64_t>();
  record.frames = in.read_le<std::uint64_t>();
  const auto flags = in.read_le<std::uint32_t>();
  record.sealed = (flags & 1) != 0;
  record.shrinking = (flags & 2) != 0;
  record.links_only = (flags & 4) != 0;
  record.first_offset = in.read_le<std::uint64_t>();
  record.first_crc = in.read_le<std::uint32_t>();
  record.last_offset = in.read_le<std::uint64_t>();
  record.last_crc = in.read_le<std::uint32_t>();
  return record;
}

}  // namespace

Result<std::optional<FrameEntry>> Index::find(const FrameKey& key) {
  Reading reading(*this);
  TWINCHAIN_TRY(reading.begin());
  const auto key_bytes = encode_key(key);
  MDB_val wanted = value_of(key_bytes);
  MDB_val value{};
  const int code = mdb_get(reading.txn(), environment_->frames, &wanted, &value);
  if (code == MDB_NOTFOUND) return std::optional<FrameEntry>{};
  if (code != 0) return lmdb_error("read", code);
  auto entry = decode_entry(key_bytes, view_of(value));
  if (!entry) return malformed_record();
  return entry;
}

Result<std::vector<FrameEntry>> Index::entries(const FrameKey& first, const FrameKey& last,
                                               std::size_t limit) {
  Reading reading(*this);
  TWINCHAIN_TRY(reading.begin());
  auto cursor = reading.cursor(environment_->frames);
  if (!cursor) return pass(cursor);
  std::vector<FrameEntry> found;
  const auto key_bytes = encode_key(first);
  MDB_val key = value_of(key_bytes);
  MDB_val value{};
  int code = mdb_cursor_get(cursor->get(), &key, &value, MDB_SET_RANGE);
  while (code == 0 && found.size() < limit) {
    const auto entry = decode_entry(view_of(key), view_of(value));
    if (!entry) return malformed_record();
    if (entry->key > last) break;
    found.push_back(*entry);
    code = mdb_cursor_get(cursor->get(), &key, &value, MDB_NEXT);
  }
  if (code != 0 && code != MDB_NOTFOUND) return lmdb_error("read", code);
  reads_since_release_ += found.size();
  return found;
}

Result<std::optional<FrameEntry>> Index::last_at_most(const FrameKey& wanted) {
  Reading reading(*this);
  TWINCHAIN_TRY(reading.begin());
  auto cursor = reading.cursor(environment_->frames);
  if (!cursor) return pass(cursor);
  const auto key_bytes = encode_key(wanted);
  MDB_val key = value_of(key_bytes);
  MDB_val value{};
  int code = mdb_cursor_get(cursor->get(), &key, &value, MDB_SET_RANGE);
  if (code == MDB_NOTFOUND) {
    code = mdb_cursor_get(cursor->get(), &key, &value, MDB_LAST);
  } else if (code == 0 && !std::ranges::equal(view_of(key), ByteView(key_bytes))) {
    code = mdb_cursor_get(cursor->get(), &key, &value, MDB_PREV);
  }
  if (code == MDB_NOTFOUND) return std::optional<FrameEntry>{};
  if (code != 0) return lmdb_error("read", code);
  auto entry = decode_entry(view_of(key), view_of(value));
  if (!entry) return malformed_record();
  if (entry->key.source != wanted.source || entry->key.type != wanted.type) entry.reset();
  return entry;
}

Result<std::optional<FrameType>> Index::next_type(const Id128& source, FrameType type) {
  const FrameKey last{source, FrameType{UINT16_MAX}, UINT64_MAX, UINT32_MAX};
  auto found = entries({source, type, 0, 0}, last, 1);
  if (!found) return pass(found);
  if (found->empty()) return std::optional<FrameType>{};
  return std::optional(found->front().key.type);
}

Result<std::optional<NumberedBlock>> Index::next_block(const Id128& source, std::uint64_t number) {
  Reading reading(*this);
  TWINCHAIN_TRY(reading.begin());
  auto cursor = reading.cursor(environment_->blocks);
  if (!cursor) return pass(cursor);
  const auto key_bytes = encode_block_key(source, number);
  MDB_val key = value_of(key_bytes);
  MDB_val value{};
  const int code = mdb_cursor_get(cursor->get(), &key, &value, MDB_SET_RANGE);
  if (code == MDB_NOTFOUND) return std::optional<NumberedBlock>{};
  if (code != 0) return lmdb_error("read", code);
  ++reads_since_release_;
  const ByteView found = view_of(key);
  const auto block = decode_block(view_of(value));
  if (found.size() != block_key_size || !block) return malformed_record();
  if (!std::equal(source.begin(), source.end(), found.begin())) {
    return std::optional<NumberedBlock>{};
  }
  NumberedBlock numbered{0, *block};
  for (const std::uint8_t byte : found.subspan(source.size())) {
    numbered.number = (numbered.number << 8) | byte;
  }
  return std::optional(numbered);
}

Result<std::optional<Id128>> Index::next_source(const std::optional<Id128>& after) {
  Reading reading(*this);
  TWINCHAIN_TRY(reading.begin());
  auto cursor = reading.cursor(environment_->blocks);
  if (!cursor) return pass(cursor);
  const auto key_bytes = encode_block_key(after.value_or(Id128{}), after ? UINT64_MAX : 0);
  MDB_val key = value_of(key_bytes);
  MDB_val value{};
  int code = mdb_cursor_get(cursor->get(), &key, &value, MDB_SET_RANGE);
  if (code == 0 && after && std::ranges::equal(view_of(key), ByteView(key_bytes))) {
    code = mdb_cursor_get(cursor->get(), &key, &value, MDB_NEXT);
  }
  if (code == MDB_NOTFOUND) return std::optional<Id128>{};
  if (code != 0) return lmdb_error("read", code);
  if (key.mv_size != block_key_size) return malformed_record();
  Id128 source{};
  std::copy_n(view_of(key).begin(), source.size(), source.begin());
  return std::optional(source);
}

Result<std::vector<SegmentRecord>> Index::segments() {
  Reading reading(*this);
  TWINCHAIN_TRY(reading.begin());
  auto cursor = reading.cursor(environment_->segments);
  if (!cursor) return pass(cursor);
  std::vector<SegmentRecord> records;
  MDB_val key{};
  MDB_val value{};
  int code = mdb_cursor_get(cursor->get(), &key, &value, MDB_FIRST);
  while (code == 0) {
    const auto record = decode_segment(view_of(key), view_of(value));
    if (!record) return malformed_record();
    records.push_back(*record);
    code = mdb_cursor_get(cursor->get(), &key, &value, MDB_NEXT);
  }
  if (code != MDB_NOTFOUND) return lmdb_error("read", code);
  return records;
}

Result<std::optional<SegmentRecord>> Index::segment(std::uint32_t number) {
  Reading reading(*this);
  TWINCHAIN_TRY(reading.begin());
  const auto key_bytes = encode_segment_key(number);
  MDB_val key = value_of(key_bytes);
  MDB_val value{};
  const int code = mdb_get(reading.txn(), environment_->segments, &key, &value);
  if (code == MDB_NOTFOUND) return std::optional<SegmentRecord>{};
  if (code != 0) return lmdb_error("read", code);
  auto record = decode_segment(key_bytes, view_of(value));
  if (!record) return malformed_record();
  return record;
}

Result<std::uint64_t> Index::count_entries() {
  Reading reading(*this);
  TWINCHAIN_TRY(reading.begin());
  MDB_stat stat{};
  if (const int code = mdb_stat(reading.txn(), environment_->frames, &stat); code != 0) {
    return lmdb_error("read", code);
  }
  return std::uint64_t{stat.ms_entries};
}

Result<std::uint64_t> Index::size_bytes() const {
  auto file = real_fs().open(environment_->data_path(), OpenMode::read);
  if (!file) return pass(file);
  return (*file)->size_bytes();
}

}  // namespace twinchain::storage
