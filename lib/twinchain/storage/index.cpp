#include "twinchain/storage/index.hpp"

#include <lmdb.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "twinchain/base/text.hpp"
#include "twinchain/storage/index_check.hpp"
#include "twinchain/sys/fd.hpp"
#include "twinchain/sys/fs.hpp"

namespace twinchain::storage {
namespace {

constexpr std::string_view format_key = "format";
constexpr std::string_view format_value = "twinchain index 1";
constexpr std::size_t smallest_map = std::size_t{256} << 20;
/// What a transaction may add at the most; callers commit every few thousand entries.
constexpr std::size_t map_headroom = std::size_t{128} << 20;
constexpr std::size_t segment_value_size = 48;
/// Entries read before the pages of the map are given back.
constexpr std::uint64_t reads_between_releases = 65'536;

std::unexpected<Error> lmdb_error(const char* operation, int code) {
  if (code > 0) return std::unexpected(errno_error(std::string("index: ") + operation, code));
  if (code == MDB_MAP_FULL || code == MDB_READERS_FULL || code == MDB_TXN_FULL) {
    return fail(ExitCode::system, std::string("index: ") + operation + ": " + mdb_strerror(code));
  }
  return fail(ExitCode::malformed, std::string("index: ") + operation + ": " + mdb_strerror(code));
}

MDB_val value_of(ByteView bytes) {
  return {bytes.size(), const_cast<std::uint8_t*>(bytes.data())};  // LMDB does not write to it
}
ByteView view_of(const MDB_val& value) {
  return {static_cast<const std::uint8_t*>(value.mv_data), value.mv_size};
}

std::array<std::uint8_t, 4> encode_segment_key(std::uint32_t number) {
  return {static_cast<std::uint8_t>(number >> 24), static_cast<std::uint8_t>(number >> 16),
          static_cast<std::uint8_t>(number >> 8), static_cast<std::uint8_t>(number)};
}

Bytes encode_segment(const SegmentRecord& record) {
  Bytes out;
  append_le(out, record.indexed_to);
  append_le(out, record.frames);
  append_le(out, static_cast<std::uint32_t>((record.sealed ? 1 : 0) | (record.shrinking ? 2 : 0) |
                                            (record.links_only ? 4 : 0)));
  append_le(out, record.first_offset);
  append_le(out, record.first_crc);
  append_le(out, record.last_offset);
  append_le(out, record.last_crc);
  out.resize(segment_value_size);
  return out;
}

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

std::unexpected<Error> malformed_record() {
  return fail(ExitCode::malformed, "index: malformed record");
}

struct CursorCloser {
  void operator()(MDB_cursor* cursor) const { mdb_cursor_close(cursor); }
};
using Cursor = std::unique_ptr<MDB_cursor, CursorCloser>;

}  // namespace

struct Index::Environment {
  MDB_env* env = nullptr;
  MDB_dbi meta = 0;
  MDB_dbi frames = 0;
  MDB_dbi blocks = 0;
  MDB_dbi segments = 0;
  std::string folder;

  Environment() = default;
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;
  ~Environment() {
    if (env != nullptr) mdb_env_close(env);
  }
  [[nodiscard]] std::string data_path() const { return folder + "/data.mdb"; }
  Status open(Access access);
  Status open_databases(Access access);
};

Status Index::Environment::open(Access access) {
  if (const int code = mdb_env_create(&env); code != 0) return lmdb_error("create", code);
  mdb_env_set_maxdbs(env, 4);
  unsigned flags = MDB_NOTLS | MDB_NORDAHEAD;
  if (access == Access::read) {
    flags |= MDB_RDONLY;
    // Without a lock table a reader is safe for two commits, and entries() asks for no more.
    const std::string lock = folder + "/lock.mdb";
    if (::access(lock.c_str(), W_OK) != 0) flags |= MDB_NOLOCK;
  } else {
    std::size_t map_bytes = smallest_map;
    if (auto file = real_fs().open(data_path(), OpenMode::read)) {
      if (auto size = (*file)->size_bytes()) map_bytes = std::max(map_bytes, 2 * *size);
    }
    if (const int code = mdb_env_set_mapsize(env, map_bytes); code != 0) {
      return lmdb_error("map", code);
    }
  }
  if (const int code = mdb_env_open(env, folder.c_str(), flags, 0644); code != 0) {
    return lmdb_error("open", code);
  }
  int dead_readers = 0;
  (void)mdb_reader_check(env, &dead_readers);  // slots of readers that were killed
  return open_databases(access);
}

Status Index::Environment::open_databases(Access access) {
  MDB_txn* txn = nullptr;
  const bool writes = access == Access::write;
  int code = mdb_txn_begin(env, nullptr, writes ? 0 : MDB_RDONLY, &txn);
  if (code != 0) return lmdb_error("begin", code);
  const unsigned create = writes ? MDB_CREATE : 0;
  const auto open_one = [&](const char* name, MDB_dbi& dbi) {
    if (code == 0) code = mdb_dbi_open(txn, name, create, &dbi);
  };
  open_one("meta", meta);
  open_one("frames", frames);
  open_one("blocks", blocks);
  open_one("segments", segments);
  if (code == 0) {
    MDB_val key = value_of(as_bytes(format_key));
    MDB_val value{};
    code = mdb_get(txn, meta, &key, &value);
    if (code == 0 && as_text(view_of(value)) != format_value) code = MDB_VERSION_MISMATCH;
    MDB_stat stat{};
    mdb_stat(txn, frames, &stat);
    if (code == MDB_NOTFOUND && writes && stat.ms_entries == 0) {
      value = value_of(as_bytes(format_value));
      code = mdb_put(txn, meta, &key, &value, 0);
    }
  }
  if (code != 0) {
    mdb_txn_abort(txn);
    // A database that is missing is damage, not an answer.
    return lmdb_error("open", code == MDB_NOTFOUND ? MDB_INVALID : code);
  }
  code = mdb_txn_commit(txn);
  if (code != 0) return lmdb_error("commit", code);
  return {};
}

/// A transaction to read with: the writer's own, or a snapshot that ends with this object.
class Index::Reading {
 public:
  explicit Reading(Index& index) : index_(index) {}
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;
  ~Reading() {
    if (begun_ && !index_.snapshot_held_) mdb_txn_reset(index_.snapshot_);
  }

  Status begin() {
    if (index_.access_ == Access::write) {
      auto txn = index_.write_transaction();
      if (!txn) return pass(txn);
      txn_ = *txn;
      return {};
    }
    if (++index_.reads_since_release_ >= reads_between_releases) index_.release_memory();
    if (index_.snapshot_held_) {
      txn_ = index_.snapshot_;
      return {};
    }
    const auto attempt = [this] {
      return index_.snapshot_ == nullptr
                 ? mdb_txn_begin(index_.environment_->env, nullptr, MDB_RDONLY, &index_.snapshot_)
                 : mdb_txn_renew(index_.snapshot_);
    };
    int code = attempt();
    if (code == MDB_MAP_RESIZED) {
      mdb_env_set_mapsize(index_.environment_->env, 0);  // the writer has enlarged the map
      code = attempt();
    }
    if (code != 0) return lmdb_error("read", code);
    begun_ = true;
    txn_ = index_.snapshot_;
    return {};
  }
  [[nodiscard]] MDB_txn* txn() const { return txn_; }

  Result<Cursor> cursor(MDB_dbi dbi) {
    MDB_cursor* cursor = nullptr;
    if (const int code = mdb_cursor_open(txn_, dbi, &cursor); code != 0) {
      return lmdb_error("read", code);
    }
    return Cursor(cursor);
  }

 private:
  Index& index_;
  MDB_txn* txn_ = nullptr;
  bool begun_ = false;
};

Index::Index(std::unique_ptr<Environment> environment, Access access)
    : environment_(std::move(environment)), access_(access) {}

Index::~Index() {
  abort();
  if (snapshot_ != nullptr) mdb_txn_abort(snapshot_);
}

Result<std::unique_ptr<Index>> Index::open(const std::string& folder, Access access) {
  auto environment = std::make_unique<Environment>();
  environment->folder = folder;
  Fs& fs = real_fs();
  auto there = fs.exists(environment->data_path());
  if (!there) return pass(there);
  if (*there) {
    auto verdict = check_lmdb_file(environment->data_path(), full_check_bytes);
    if (!verdict) return pass(verdict);
    if (*verdict) return fail(ExitCode::malformed, "index: " + **verdict);
  } else if (access == Access::read) {
    return fail(ExitCode::malformed, "index: there is none");
  } else {
    TWINCHAIN_TRY(fs.make_folders(folder));
  }
  TWINCHAIN_TRY(environment->open(access));
  return std::unique_ptr<Index>(new Index(std::move(environment), access));
}

Status Index::wipe(const std::string& folder) {
  Fs& fs = real_fs();
  for (const char* name : {"/data.mdb", "/lock.mdb"}) {
    const std::string path = folder + name;
    auto there = fs.exists(path);
    if (!there) return pass(there);
    if (*there) TWINCHAIN_TRY(fs.remove(path));
  }
  return {};
}

// The pages of the map count as this process's memory until they are given back; they stay in
// the system's cache.
void Index::release_memory() {
  reads_since_release_ = 0;
  MDB_envinfo info{};
  if (mdb_env_info(environment_->env, &info) == 0 && info.me_mapaddr != nullptr) {
    ::madvise(info.me_mapaddr, info.me_mapsize, MADV_DONTNEED);
  }
}

Status Index::hold_snapshot(bool hold) {
  if (access_ == Access::write || hold == snapshot_held_) return {};
  if (hold) {
    Reading reading(*this);
    TWINCHAIN_TRY(reading.begin());
    snapshot_held_ = true;  // so that `reading` does not reset it
  } else {
    snapshot_held_ = false;
    mdb_txn_reset(snapshot_);
  }
  return {};
}

Status Index::make_room() {
  MDB_envinfo info{};
  mdb_env_info(environment_->env, &info);
  MDB_stat stat{};
  mdb_env_stat(environment_->env, &stat);
  const std::size_t used = (info.me_last_pgno + 1) * stat.ms_psize;
  if (used + map_headroom <= info.me_mapsize) return {};
  const int code = mdb_env_set_mapsize(environment_->env, 2 * info.me_mapsize);
  if (code != 0) return lmdb_error("map", code);
  return {};
}

Result<MDB_txn*> Index::write_transaction() {
  if (transaction_ != nullptr) return transaction_;
  if (access_ != Access::write) return fail(ExitCode::bug, "index is open for reading");
  TWINCHAIN_TRY(make_room());
  int code = mdb_txn_begin(environment_->env, nullptr, 0, &transaction_);
  if (code == MDB_MAP_RESIZED) {
    mdb_env_set_mapsize(environment_->env, 0);
    TWINCHAIN_TRY(make_room());
    code = mdb_txn_begin(environment_->env, nullptr, 0, &transaction_);
  }
  if (code != 0) {
    transaction_ = nullptr;
    return lmdb_error("begin", code);
  }
  return transaction_;
}

Status Index::commit() {
  if (transaction_ == nullptr) return {};
  changes_ = 0;
  const int code = mdb_txn_commit(std::exchange(transaction_, nullptr));
  if (code != 0) return lmdb_error("commit", code);
  release_memory();
  return {};
}

void Index::abort() {
  changes_ = 0;
  if (transaction_ != nullptr) mdb_txn_abort(std::exchange(transaction_, nullptr));
}

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

Status Index::put(const FrameEntry& entry) {
  auto txn = write_transaction();
  if (!txn) return pass(txn);
  const auto key_bytes = encode_key(entry.key);
  const auto value_bytes = encode_entry_value(entry);
  MDB_val key = value_of(key_bytes);
  MDB_val value = value_of(value_bytes);
  int code = mdb_put(*txn, environment_->frames, &key, &value, MDB_NOOVERWRITE);
  const bool is_new = code == 0;
  if (code == MDB_KEYEXIST) {
    value = value_of(value_bytes);
    code = mdb_put(*txn, environment_->frames, &key, &value, 0);
  }
  if (code != 0) return lmdb_error("write", code);
  ++changes_;
  if (!is_new) return {};
  const auto block_key = encode_block_key(entry.key.source, Block::number_of(entry.key.sequence));
  key = value_of(block_key);
  code = mdb_get(*txn, environment_->blocks, &key, &value);
  Block block;
  if (code == 0) {
    const auto stored = decode_block(view_of(value));
    if (!stored) return malformed_record();
    block = *stored;
  } else if (code != MDB_NOTFOUND) {
    return lmdb_error("read", code);
  }
  block.add(entry);
  const auto block_bytes = encode_block(block);
  value = value_of(block_bytes);
  code = mdb_put(*txn, environment_->blocks, &key, &value, 0);
  if (code != 0) return lmdb_error("write", code);
  return {};
}

Status Index::remove(const std::vector<FrameKey>& keys) {
  auto txn = write_transaction();
  if (!txn) return pass(txn);
  for (const FrameKey& frame : keys) {
    const auto key_bytes = encode_key(frame);
    MDB_val key = value_of(key_bytes);
    const int code = mdb_del(*txn, environment_->frames, &key, nullptr);
    if (code != 0 && code != MDB_NOTFOUND) return lmdb_error("write", code);
    ++changes_;
  }
  return rebuild_blocks(keys);
}

Status Index::rebuild_blocks(const std::vector<FrameKey>& keys) {
  std::vector<std::pair<Id128, std::uint64_t>> touched;
  touched.reserve(keys.size());
  for (const FrameKey& key : keys) {
    touched.emplace_back(key.source, Block::number_of(key.sequence));
  }
  std::sort(touched.begin(), touched.end());
  touched.erase(std::unique(touched.begin(), touched.end()), touched.end());
  for (const auto& [source, number] : touched) {
    Block block;
    const std::uint64_t first = number * Block::sequences;
    auto type = next_type(source, FrameType{0});
    while (type && *type) {
      FrameKey from{source, **type, first, 0};
      const FrameKey to{source, **type, first + Block::sequences - 1, UINT32_MAX};
      while (true) {
        auto found = entries(from, to, Block::sequences);
        if (!found) return pass(found);
        for (const FrameEntry& entry : *found) block.add(entry);
        if (found->size() < Block::sequences) break;
        from = found->back().key;
        if (++from.ordinal == 0) ++from.sequence;
      }
      if (**type == FrameType{UINT16_MAX}) break;
      type = next_type(
          source, FrameType{static_cast<std::uint16_t>(static_cast<std::uint16_t>(**type) + 1)});
    }
    if (!type) return pass(type);
    const auto key_bytes = encode_block_key(source, number);
    const auto block_bytes = encode_block(block);
    MDB_val key = value_of(key_bytes);
    MDB_val value = value_of(block_bytes);
    const int code = block.frames() == 0
                         ? mdb_del(transaction_, environment_->blocks, &key, nullptr)
                         : mdb_put(transaction_, environment_->blocks, &key, &value, 0);
    if (code != 0 && code != MDB_NOTFOUND) return lmdb_error("write", code);
  }
  return {};
}

Status Index::set_segment(const SegmentRecord& record) {
  auto txn = write_transaction();
  if (!txn) return pass(txn);
  const auto key_bytes = encode_segment_key(record.number);
  const Bytes value_bytes = encode_segment(record);
  MDB_val key = value_of(key_bytes);
  MDB_val value = value_of(value_bytes);
  const int code = mdb_put(*txn, environment_->segments, &key, &value, 0);
  if (code != 0) return lmdb_error("write", code);
  ++changes_;
  return {};
}

Status Index::remove_segment(std::uint32_t number) {
  auto txn = write_transaction();
  if (!txn) return pass(txn);
  const auto key_bytes = encode_segment_key(number);
  MDB_val key = value_of(key_bytes);
  const int code = mdb_del(*txn, environment_->segments, &key, nullptr);
  if (code != 0 && code != MDB_NOTFOUND) return lmdb_error("write", code);
  ++changes_;
  return {};
}

Result<std::optional<std::string>> Index::check(const std::string& folder) {
  return check_lmdb_file(folder + "/data.mdb", UINT64_MAX);
}

}  // namespace twinchain::storage
