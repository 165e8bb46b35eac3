#include "twinchain/storage/index_environment.hpp"

#include <unistd.h>

#include <algorithm>

#include "twinchain/sys/fd.hpp"
#include "twinchain/sys/fs.hpp"

namespace twinchain::storage {
namespace {

constexpr std::string_view format_key = "format";
constexpr std::string_view format_value = "twinchain index 2";
constexpr std::size_t smallest_map = std::size_t{256} << 20;
/// Entries read before the pages of the map are given back.
constexpr std::uint64_t reads_between_releases = 65'536;

}  // namespace

std::unexpected<Error> lmdb_error(const char* operation, int code) {
  if (code > 0) return std::unexpected(errno_error(std::string("index: ") + operation, code));
  if (code == MDB_MAP_FULL || code == MDB_READERS_FULL || code == MDB_TXN_FULL) {
    return fail(ExitCode::system, std::string("index: ") + operation + ": " + mdb_strerror(code));
  }
  return fail(ExitCode::malformed, std::string("index: ") + operation + ": " + mdb_strerror(code));
}

Status Index::Environment::open(Access access) {
  if (const int code = mdb_env_create(&env); code != 0) return lmdb_error("create", code);
  mdb_env_set_maxdbs(env, 5);
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
  open_one("history", history);
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

Index::Reading::~Reading() {
  if (begun_ && !index_.snapshot_held_) mdb_txn_reset(index_.snapshot_);
}

Status Index::Reading::begin() {
  if (++index_.reads_since_release_ >= reads_between_releases) index_.release_memory();
  if (index_.access_ == Access::write) {
    auto txn = index_.write_transaction();
    if (!txn) return pass(txn);
    txn_ = *txn;
    return {};
  }
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

Result<Cursor> Index::Reading::cursor(MDB_dbi dbi) {
  MDB_cursor* cursor = nullptr;
  if (const int code = mdb_cursor_open(txn_, dbi, &cursor); code != 0) {
    return lmdb_error("read", code);
  }
  return Cursor(cursor);
}

}  // namespace twinchain::storage
