// What a recorder keeps on disk so that no sample is lost when it is killed. Floor 3.
//
//   DIR/lock            held while a recorder runs
//   DIR/wal-NUMBER      the bytes of the open window, as they were read (write-ahead log)
//   DIR/frames-SEQUENCE finished windows, until they are acknowledged
//   DIR/acknowledged    written by `store put` or `twin-tx` with --acknowledge DIR: a line
//                       "SOURCE-ID-HEX NEXT" for each source, whose windows before NEXT are durable
//                       there
//
// Order is what makes it safe: bytes are written to the WAL before they are parsed; a window is
// durable here (commit) before its frames are sent; WAL files are removed when the window that
// their bytes are in is durable. Whatever moment the power goes, a window has either never been
// sent, or is here with the very bytes that were sent. Formats: spool_log.hpp, spool_format.hpp.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "twinchain/base/clock.hpp"
#include "twinchain/record/input_source.hpp"
#include "twinchain/record/spool_format.hpp"
#include "twinchain/record/spool_log.hpp"
#include "twinchain/record/window_builder.hpp"

namespace twinchain::record {

struct SpoolOptions {
  std::string folder;
  std::string source_name;
  /// Unacknowledged windows beyond this are dropped, oldest first, with a warning.
  std::uint64_t size_limit_bytes = std::uint64_t{256} << 20;
  /// What was read is on the disk after this time at the latest.
  std::int64_t sync_every_ns = 100'000'000;
  /// Sizes at which the next file is begun.
  std::uint64_t wal_file_bytes = std::uint64_t{4} << 20;
  std::uint64_t frame_file_bytes = std::uint64_t{16} << 20;
};

/// Bytes of a writer that are in no finished window, when the WAL file changes.
struct SpoolLeftover {
  std::uint32_t writer = 0;
  std::uint64_t offset = 0;
  std::int64_t arrival_ns = 0;
  ByteView position;
  ByteView bytes;
};

/// Not thread-safe. After an error nothing more may be done with it: the next start recovers.
class Spool {
 public:
  /// Takes the lock and looks at what is there. Errors: in use (system), another source (usage),
  /// damaged in the middle (malformed, with file and byte offset), a store that knows more than
  /// the spool (malformed).
  static Result<std::unique_ptr<Spool>> open(Fs& fs, Clock& clock, SpoolOptions options,
                                             Notice warn);

  /// Where the last finished window left things; nothing in a new spool.
  [[nodiscard]] const std::optional<Checkpoint>& checkpoint() const { return checkpoint_; }
  /// The newest SCHEMA frame's body; empty when there is none.
  [[nodiscard]] ByteView schema_body() const;
  /// Sends again what was not acknowledged, bit for bit, with the SCHEMA that applies in front.
  /// Gives the number of windows.
  Result<std::uint64_t> resend(const FrameSink& sink);
  /// The events of the WAL, oldest first; parts of them may be in finished windows (see offsets).
  Status replay(const std::function<Status(const WalEvent&)>& visit);
  /// Begins a new WAL file, durable, with a start event and these bytes, and removes older ones.
  Status begin_run(const WalEvent& start, std::span<const SpoolLeftover> leftovers);

  /// Written to the file when this returns: survives SIGKILL.
  Status log(const WalEvent& event);
  /// The monotonic time at which sync_wal() is due; nothing while all is durable.
  [[nodiscard]] std::optional<std::uint64_t> sync_due_ns() const { return sync_due_ns_; }
  Status sync_wal();

  /// Appends a finished window; not durable before commit().
  Status append_window(std::uint64_t sequence, const Checkpoint& checkpoint, ByteView frames);
  /// After this the appended windows may be sent. `nothing_left`: all logged bytes are in them.
  Status commit(bool nothing_left);
  /// The windows before `next` are where they belong, as if acknowledged.
  Status delivered(std::uint64_t next_sequence);
  /// Removes acknowledged windows and, beyond the limit, the oldest.
  Status tidy();
  /// True when the WAL file has become large enough for begin_run() with the leftovers.
  [[nodiscard]] bool wants_rotation() const;

  /// Bytes cut off the ends of files because a power cut or a kill had torn them.
  [[nodiscard]] std::uint64_t torn_bytes() const { return torn_bytes_; }
  [[nodiscard]] std::uint64_t dropped_windows() const { return dropped_windows_; }

 private:
  struct Segment {
    std::string path;
    std::uint64_t first_sequence = 0;
    std::uint64_t next_sequence = 0;
    std::uint64_t size_bytes = 0;
  };

  Spool(Fs& fs, Clock& clock, SpoolOptions options, Notice warn);
  Status load_segments(const std::vector<std::string>& names);
  Result<bool> load_segment(const std::string& name, bool last);
  Status take_segment_record(Segment& segment, bool& has_head, const SpoolRecord& record);
  Status take_window(Segment& segment, const SpoolRecord& record);
  Status resend_segment(const Segment& segment, const FrameSink& sink, Bytes& schema,
                        std::uint64_t& sent);
  Status send_window(const WindowRecord& window, const FrameSink& sink, Bytes& schema,
                     std::uint64_t& sent);
  Status roll(std::uint64_t first_sequence);
  void keep_schema(ByteView frames);
  Status read_acknowledged();
  Status remove_oldest_segment();
  [[nodiscard]] std::uint64_t done_before() const;
  [[nodiscard]] std::uint64_t roll_size_bytes() const;
  [[nodiscard]] std::string path(const std::string& name) const;

  Fs* fs_;
  Clock* clock_;
  SpoolOptions options_;
  Notice warn_;
  std::unique_ptr<FileLock> lock_;
  std::vector<Segment> segments_;
  std::optional<SpoolLog> active_;  ///< the last of segments_
  std::vector<std::string> wal_paths_;
  std::optional<SpoolLog> wal_;
  std::uint64_t wal_number_ = 0;
  std::optional<Checkpoint> checkpoint_;
  Bytes schema_frame_;
  std::uint64_t acknowledged_ = 0;
  std::uint64_t delivered_ = 0;
  std::optional<std::uint64_t> acknowledged_read_ns_;
  std::optional<std::uint64_t> sync_due_ns_;
  bool folder_dirty_ = false;
  bool acknowledged_is_bad_ = false;
  std::uint64_t torn_bytes_ = 0;
  std::uint64_t dropped_windows_ = 0;
};

}  // namespace twinchain::record
