// The files of a sealing state: a log of signed links in segments. Floor 4.
//
//   chain-FIRST.links   FIRST: ordinal of its first record, 16 hex digits
//     checkpoint  "TWSTATE1", first ordinal u64, heads u32, reserved u32 (0), then each head:
//                 link and signature (376 bytes), the history frontier's hashes (32 bytes each, as
//                 many as number + 1 has set bits); CRC-32C of all this u32
//     record      link and signature (376 bytes), ordinal u64, place in its batch u32, CRC-32C of
//                 all this u32: 392 bytes
//   chain.lock          held by the one writer
//
// Records of all sources are in one log, so that one fdatasync makes a batch of any sources
// durable. A record's ordinal is its number in the log since the folder was made. A batch is
// written when everything before it is durable; so a missing record with a later batch behind it is
// damage, and without one it is the torn end of a crash, which nobody has seen. Files are only
// ever appended to: what is torn stays in its place and is stepped over. Whether the newest batch
// is durable or was lost in a sync that failed cannot be seen, so a writer begins by appending a
// copy of it; of two records with one ordinal the first counts.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "twinchain/chain/link.hpp"
#include "twinchain/crypto/merkle.hpp"
#include "twinchain/sys/fs.hpp"

namespace twinchain::chain {

/// Where a source's chain stands: its newest link, H_n, and the history tree after R_n.
struct ChainHead {
  SignedLink link;
  Hash256 hash{};
  MerkleFrontier history;
};

inline constexpr std::size_t state_record_size = 392;
/// Heads in one state: more sources than this are refused.
inline constexpr std::size_t max_chain_sources = 10'000;

/// What StateLog::open() finds, in the order of the log. A callback's error ends opening.
struct StateReplay {
  /// The checkpoint of each segment; `first` for the oldest one.
  std::function<Status(bool first, std::vector<ChainHead> heads)> checkpoint;
  std::function<Status(std::uint64_t ordinal, const SignedLink& link)> record;
};

/// Not thread-safe. After an error of append() or begin_segment() nothing more may be written.
class StateLog {
 public:
  enum class Access { read_only, write };

  /// Reads all segments. `write` takes the lock, makes the folder when it is missing, and makes
  /// sure that what has been read is durable. Damage is ExitCode::malformed.
  static Result<std::unique_ptr<StateLog>> open(Fs& fs, const std::string& folder, Access access,
                                                const StateReplay& replay);

  /// Appends records as one batch; returns when they are durable.
  Status append(std::span<const SignedLink> links);
  Result<SignedLink> read(std::uint64_t ordinal);
  /// Starts a new segment with this checkpoint, then removes the oldest segments as long as
  /// `records_kept` records remain. `heads` are those after the last record.
  Status begin_segment(const std::vector<const ChainHead*>& heads, std::uint64_t records_kept);

  /// Of the oldest record that is kept, and of the next one.
  [[nodiscard]] std::uint64_t first_ordinal() const;
  [[nodiscard]] std::uint64_t next_ordinal() const;
  [[nodiscard]] std::uint64_t records_in_segment() const { return segments_.back().slots; }
  /// Bytes at the end that open() could not use: the torn end of a crash.
  [[nodiscard]] std::uint64_t torn_bytes() const { return torn_bytes_; }

 private:
  /// Ordinals from `ordinal` on are in the slots from `slot` on, until the next run.
  struct Run {
    std::uint64_t ordinal = 0;
    std::uint64_t slot = 0;
  };
  struct Segment {
    std::uint64_t first = 0;  ///< ordinal of its first record
    std::uint64_t end = 0;    ///< ordinal after its last record
    std::uint64_t slots = 0;  ///< places for records, used or torn
    std::uint64_t records_offset = 0;
    std::vector<Run> runs;
    std::string path;
    std::unique_ptr<File> file;
    [[nodiscard]] std::uint64_t offset_of_slot(std::uint64_t slot) const {
      return records_offset + slot * state_record_size;
    }
    void place(std::uint64_t ordinal, std::uint64_t slot);
    [[nodiscard]] std::uint64_t slot_of(std::uint64_t ordinal) const;
  };

  StateLog(Fs& fs, std::string folder) : fs_(fs), folder_(std::move(folder)) {}
  Status load(Access access, const StateReplay& replay);
  Status load_segment(Segment& segment, bool first, const StateReplay& replay);
  Status load_records(Segment& segment, std::uint64_t file_size, const StateReplay& replay);
  Status copy_newest_batch();
  /// Appends whole records to the newest segment at a slot's boundary, and syncs.
  Status append_records(ByteView records);
  [[nodiscard]] std::string segment_path(std::uint64_t first) const;

  Fs& fs_;
  std::string folder_;
  std::unique_ptr<FileLock> lock_;
  std::deque<Segment> segments_;
  std::uint64_t newest_batch_ = 0;  ///< ordinal of its first record
  std::uint64_t torn_bytes_ = 0;
};

}  // namespace twinchain::chain
