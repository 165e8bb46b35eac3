// What the parts of Index share: the LMDB environment. Floor 5, internal to storage.
#pragma once

#include <lmdb.h>

#include <memory>
#include <string>

#include "twinchain/storage/index.hpp"

namespace twinchain::storage {

inline constexpr std::size_t segment_value_size = 48;

/// "index: OPERATION: reason"; ExitCode::malformed where the file is at fault.
std::unexpected<Error> lmdb_error(const char* operation, int code);
inline std::unexpected<Error> malformed_record() {
  return fail(ExitCode::malformed, "index: malformed record");
}

inline MDB_val value_of(ByteView bytes) {
  return {bytes.size(), const_cast<std::uint8_t*>(bytes.data())};  // LMDB does not write to it
}
inline ByteView view_of(const MDB_val& value) {
  return {static_cast<const std::uint8_t*>(value.mv_data), value.mv_size};
}

/// Big-endian: the order of the keys is the order of the numbers.
inline std::array<std::uint8_t, 4> encode_segment_key(std::uint32_t number) {
  return {static_cast<std::uint8_t>(number >> 24), static_cast<std::uint8_t>(number >> 16),
          static_cast<std::uint8_t>(number >> 8), static_cast<std::uint8_t>(number)};
}

struct CursorCloser {
  void operator()(MDB_cursor* cursor) const { mdb_cursor_close(cursor); }
};
using Cursor = std::unique_ptr<MDB_cursor, CursorCloser>;

struct Index::Environment {
  MDB_env* env = nullptr;
  MDB_dbi meta = 0;
  MDB_dbi frames = 0;
  MDB_dbi blocks = 0;
  MDB_dbi segments = 0;
  MDB_dbi history = 0;
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

/// A transaction to read with: the writer's own, or a snapshot that ends with this object.
class Index::Reading {
 public:
  explicit Reading(Index& index) : index_(index) {}
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;
  ~Reading();

  Status begin();
  [[nodiscard]] MDB_txn* txn() const { return txn_; }
  Result<Cursor> cursor(MDB_dbi dbi);

 private:
  Index& index_;
  MDB_txn* txn_ = nullptr;
  bool begun_ = false;
};

}  // namespace twinchain::storage
