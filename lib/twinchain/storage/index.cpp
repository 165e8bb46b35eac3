#include "twinchain/storage/index.hpp"

#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdio>

#include "twinchain/base/text.hpp"
#include "twinchain/storage/index_check.hpp"
#include "twinchain/storage/index_environment.hpp"
#include "twinchain/sys/fd.hpp"
#include "twinchain/sys/fs.hpp"

namespace twinchain::storage {
namespace {

/// What a transaction may add at the most; callers commit every few thousand entries.
constexpr std::size_t map_headroom = std::size_t{128} << 20;
/// Not worth giving back.
constexpr off_t small_index_bytes = 8 << 20;

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

}  // namespace

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
// the system's cache. LMDB does not say where its map is, so the system is asked.
void Index::release_memory() {
  reads_since_release_ = 0;
  int fd = -1;
  struct stat info{};
  if (mdb_env_get_fd(environment_->env, &fd) != 0 || ::fstat(fd, &info) != 0) return;
  if (info.st_size < small_index_bytes) return;
  auto maps = read_file("/proc/self/maps", std::uint64_t{4} << 20);
  if (!maps) return;
  for (const std::string_view line : split(as_text(*maps), '\n')) {
    // address-end permissions offset device inode path
    unsigned long begin = 0;
    unsigned long end = 0;
    unsigned long inode = 0;
    const std::string text(line);
    if (std::sscanf(text.c_str(), "%lx-%lx %*s %*s %*s %lu", &begin, &end, &inode) != 3) continue;
    if (inode != info.st_ino || line.find("/data.mdb") == std::string_view::npos) continue;
    // NOLINTNEXTLINE(performance-no-int-to-ptr): the system gives addresses as text
    ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
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
  if (entry.key.type == FrameType::link && block.link_frames == Block::sequences) {
    return add_history(entry.key.source, Block::number_of(entry.key.sequence));
  }
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
    if (key.type == FrameType::link) {
      TWINCHAIN_TRY(forget_history(key.source, Block::number_of(key.sequence)));
    }
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
