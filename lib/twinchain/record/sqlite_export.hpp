// Windows as an SQLite database. Floor 3. The tables are described in frames(1).
//
// Why SQLite (libsqlite3, in the public domain, its file format promised until 2050 and named by
// the Library of Congress for archiving): one file that Python's standard library, R, pandas,
// DuckDB, Julia and DBeaver open without our tools, with types, 64-bit integers (times to the
// nanosecond), NULL for what is absent, and room for windows and rejects beside the samples. CSV
// has none of these; Parquet needs a large library on both sides.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "twinchain/record/column_reader.hpp"
#include "twinchain/record/data_frame.hpp"
#include "twinchain/record/schema.hpp"

namespace twinchain::record {

/// The file is made beside its final name and takes that name, durably, in commit(); without it
/// nothing is left, and an older file stays as it was. Rows are written as they come: memory is
/// SQLite's page cache, a few MiB, and the window. Not thread-safe.
class SqliteExport {
 public:
  struct Options {
    /// Names of the channels wanted, empty: all.
    std::vector<std::string> channels;
  };
  /// ExitCode::system when the file cannot be made.
  static Result<SqliteExport> create(const std::string& path, Options options);
  SqliteExport(SqliteExport&&) noexcept;
  SqliteExport& operator=(SqliteExport&&) = delete;
  ~SqliteExport();

  /// A window of a DATA frame (or the shown part of a SLICE, `whole` false), with the schema that
  /// applies to it. ExitCode::usage when a source has more channels than a table has columns.
  Status add_window(const Window& window, const Schema& schema, bool whole);
  /// A window that its link declares lost.
  Status add_lost_window(const Id128& source, std::uint64_t sequence, std::int64_t start_ns,
                         std::int64_t end_ns);
  /// What a LINK says of the windows of this number that are there.
  Status add_link(const Id128& source, std::uint64_t sequence, const Hash256& frame_root,
                  const Hash256& link_hash);
  Status add_reject(const Id128& source, std::uint64_t sequence, const Reject& reject);
  /// A channel of the options that no schema so far had.
  [[nodiscard]] std::vector<std::string> missing_channels() const;
  Status commit();

 private:
  struct State;
  explicit SqliteExport(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// Channels of one source that fit into a table.
inline constexpr std::size_t max_sqlite_channels = 1'900;

}  // namespace twinchain::record
