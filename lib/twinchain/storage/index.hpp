// Where each frame is: an LMDB environment beside the segments. Floor 5.
//
// The segments are the truth, and the index can be made from them at any time; it may be behind
// them (segments() says up to where it knows each), never ahead. One Index object belongs to one
// thread. A process opens the same folder once at a time (LMDB's rule).
//
// An index that somebody else made is untrusted, and LMDB trusts its file: opening checks the
// structure of the file first (index_check.hpp), completely up to full_check_bytes.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "twinchain/base/result.hpp"
#include "twinchain/storage/entry.hpp"

struct MDB_env;
struct MDB_txn;
struct MDB_val;

namespace twinchain::storage {

/// What the index knows of a segment file.
struct SegmentRecord {
  std::uint32_t number = 0;
  /// Everything before is in the index, or is damage that was noticed.
  std::uint64_t indexed_to = 0;
  std::uint64_t frames = 0;  ///< good frames before indexed_to, END not counted
  bool sealed = false;       ///< nothing is written to it any more; mostly an END closes it
  bool shrinking = false;    ///< gc is replacing it: scan it anew when found so
  bool links_only = false;   ///< gc has dropped its data
  // To know the file again: where the first and the last frame begin that were indexed, and the
  // CRC-32C of their headers.
  std::uint64_t first_offset = 0;
  std::uint32_t first_crc = 0;
  std::uint64_t last_offset = 0;
  std::uint32_t last_crc = 0;
  bool operator==(const SegmentRecord&) const = default;
};

struct NumberedBlock {
  std::uint64_t number = 0;
  Block block;
};

class Index {
 public:
  enum class Access { read, write };
  /// `write` makes an index when there is none. Errors: ExitCode::malformed when the index is
  /// missing (read), damaged or of another format version: wipe() and make it anew.
  static Result<std::unique_ptr<Index>> open(const std::string& folder, Access access);
  /// Removes the index's files, so that open() makes an empty one.
  static Status wipe(const std::string& folder);
  /// Larger index files are checked only in part when opened.
  static constexpr std::uint64_t full_check_bytes = std::uint64_t{64} << 20;

  ~Index();
  Index(const Index&) = delete;
  Index& operator=(const Index&) = delete;

  // Reading. A writer sees what it has not committed yet; a reader sees the newest commit of
  // each moment.
  Result<std::optional<FrameEntry>> find(const FrameKey& key);
  /// Ascending, from `first` to `last` inclusive, at most `limit`.
  Result<std::vector<FrameEntry>> entries(const FrameKey& first, const FrameKey& last,
                                          std::size_t limit);
  /// The entry with the largest key that is at most `key`, of the same source and type.
  Result<std::optional<FrameEntry>> last_at_most(const FrameKey& key);
  /// The first type of a source's frames that is at least `type`.
  Result<std::optional<FrameType>> next_type(const Id128& source, FrameType type);
  /// The block of a source with the smallest number that is at least `number`.
  Result<std::optional<NumberedBlock>> next_block(const Id128& source, std::uint64_t number);
  /// The smallest source id; with `after`, that follows it.
  Result<std::optional<Id128>> next_source(const std::optional<Id128>& after);
  /// The root of the perfect subtree of a source's history tree with the leaves
  /// [index << level, (index + 1) << level), for the levels in history_levels, when all its links
  /// have been put. Leaves themselves are in the entries of the links.
  Result<std::optional<Hash256>> history_root(const Id128& source, unsigned level,
                                              std::uint64_t index);
  static constexpr std::array<unsigned, 3> history_levels{8, 16, 24};
  Result<std::vector<SegmentRecord>> segments();
  Result<std::optional<SegmentRecord>> segment(std::uint32_t number);
  Result<std::uint64_t> count_entries();
  /// Size of the index file.
  Result<std::uint64_t> size_bytes() const;

  /// For a reader: from now on, until called with false, every call sees the same commit. To be
  /// held for a short time only: a snapshot keeps old pages from being used again.
  Status hold_snapshot(bool hold);

  // Writing: the first call begins a transaction (and waits for another process's to end),
  // commit() makes it durable.
  /// Adds an entry, or gives the frame with this key another place.
  Status put(const FrameEntry& entry);
  Status remove(const std::vector<FrameKey>& keys);
  Status set_segment(const SegmentRecord& record);
  Status remove_segment(std::uint32_t number);
  Status commit();
  void abort();
  [[nodiscard]] bool has_changes() const { return changes_ > 0; }

  /// Structure of the file and every record's form; for fsck. Gives what is wrong.
  static Result<std::optional<std::string>> check(const std::string& folder);

 private:
  struct Environment;
  class Reading;
  Index(std::unique_ptr<Environment> environment, Access access);
  Result<MDB_txn*> write_transaction();
  Status make_room();
  void release_memory();
  Status rebuild_blocks(const std::vector<FrameKey>& keys);
  Status add_history(const Id128& source, std::uint64_t block);
  Status put_history(const Id128& source, unsigned level, std::uint64_t index, const Hash256& root);
  Status forget_history(const Id128& source, std::uint64_t block);

  std::unique_ptr<Environment> environment_;
  Access access_;
  MDB_txn* transaction_ = nullptr;  ///< writing
  MDB_txn* snapshot_ = nullptr;     ///< reading, reset between calls unless held
  bool snapshot_held_ = false;
  std::uint64_t changes_ = 0;
  std::uint64_t reads_since_release_ = 0;
};

}  // namespace twinchain::storage
