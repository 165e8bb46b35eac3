// The files of a sealing state: a log of signed links in segments. Floor 4.
//
//   chain-FIRST.links   FIRST: ordinal of its first record, 16 hex digits
//     checkpoint  "TWSTATE1", first ordinal u64, heads u32, reserved u32 (0), then each head:
//                 link and signature (376 bytes), the history frontier's hashes (32 bytes each, as
//                 many as number + 1 has set bits); CRC-32C of all this u32
//     record      link and signature (376 bytes), place in its batch u32, CRC-32C of the record's
//                 ordinal (u64) and of all this u32: 384 bytes
//   chain.lock          held by the one writer
//
// Records of all sources are in one log, so that one fdatasync makes a batch of any sources
// durable. A record's ordinal is its place in the log since the folder was made. A batch is
// written when everything before it is durable: so a bad record with a later batch behind it is
// damage, and one without is the torn tail of a crash, which nobody has seen.
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

inline constexpr std::size_t state_record_size = 384;
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

  /// Reads all segments. `write` takes the lock, makes the folder when it is missing, cuts a torn
  /// tail off and makes sure that what is left is durable. Damage is ExitCode::malformed.
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
  [[nodiscard]] std::uint64_t records_in_segment() const { return segments_.back().count; }
  /// Bytes of a torn tail that open() left out.
  [[nodiscard]] std::uint64_t torn_bytes() const { return torn_bytes_; }

 private:
  struct Segment {
    std::uint64_t first = 0;
    std::uint64_t count = 0;
    std::uint64_t records_offset = 0;
    std::string path;
    std::unique_ptr<File> file;
  };
  struct Tail {
    std::uint64_t batch_first = 0;  ///< ordinal of the first record of the newest batch
    std::uint64_t end = 0;          ///< ordinal after the last good record
  };

  StateLog(Fs& fs, std::string folder) : fs_(fs), folder_(std::move(folder)) {}
  Status load(Access access, const StateReplay& replay);
  Status load_segment(Segment& segment, bool first, bool last, Access access,
                      const StateReplay& replay);
  Result<Tail> load_records(Segment& segment, std::uint64_t file_size, bool last,
                            const StateReplay& replay);
  Status mend_tail(Segment& segment, const Tail& tail);
  [[nodiscard]] std::string segment_path(std::uint64_t first) const;

  Fs& fs_;
  std::string folder_;
  std::unique_ptr<FileLock> lock_;
  std::deque<Segment> segments_;
  std::uint64_t torn_bytes_ = 0;
};

}  // namespace twinchain::chain
