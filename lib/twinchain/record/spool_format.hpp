// What the records of a spool say. Floor 3.
//
// WAL files (wal-NUMBER): what was read and is not yet in a finished window.
//   start     u64 sequence, u8 has a start, i64 window start, parser options: first in each file
//   open      u32 writer
//   chunk     u32 writer, u64 offset in the writer's bytes, i64 arrival, u16 size, position, bytes
//   restart   u32 writer, u64 offset, i64 arrival: the followed file was replaced or cut
//   close     u32 writer, u8 whole (its last row ended with its bytes), i64 arrival
// Frame files (frames-SEQUENCE): finished windows until they are acknowledged.
//   head      text source name, u32 size, the SCHEMA frame that applies
//   window    u64 sequence, u32 size of the checkpoint, checkpoint, frames as sent
//   delivered u64 sequence: all windows before it are where they belong
// A text is u32 size, bytes. Everything is little-endian.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "twinchain/base/bytes.hpp"
#include "twinchain/base/result.hpp"

namespace twinchain::record {

enum class SpoolRecordType : std::uint16_t {
  start = 1,
  open = 2,
  chunk = 3,
  restart = 4,
  close = 5,
  head = 16,
  window = 17,
  delivered = 18,
};

/// A writer whose input goes on after a window.
struct SpoolWriter {
  std::uint32_t writer = 0;
  /// How many of its bytes are in finished windows.
  std::uint64_t consumed_bytes = 0;
  /// See Recorder: the first line after a restart is still to be looked at.
  bool check_header = false;
  Bytes parser_state;                ///< RowParser::save()
  Bytes position;                    ///< InputSource::position(); may be empty
  std::uint64_t position_bytes = 0;  ///< how many of its bytes are before that
  bool operator==(const SpoolWriter&) const = default;
};

/// Where recording stands after a window: with the WAL, all that a next start needs.
struct Checkpoint {
  std::uint64_t next_sequence = 0;
  /// End of the window, and the start of the next one while the recorder runs.
  std::int64_t next_start_ns = 0;
  /// Writers below it that are not listed have ended.
  std::uint32_t next_writer = 0;
  std::vector<SpoolWriter> writers;
  bool operator==(const Checkpoint&) const = default;
};
Bytes encode_checkpoint(const Checkpoint& checkpoint);
Result<Checkpoint> parse_checkpoint(ByteView bytes);

/// One event of the WAL; which fields count depends on the type.
struct WalEvent {
  SpoolRecordType type = SpoolRecordType::start;
  std::uint32_t writer = 0;
  std::uint64_t sequence = 0;        ///< start
  bool has_start = false;            ///< start
  std::int64_t window_start_ns = 0;  ///< start
  std::uint64_t offset = 0;          ///< chunk, restart
  std::int64_t arrival_ns = 0;       ///< chunk, restart, close
  bool whole = false;                ///< close
  ByteView position;                 ///< chunk
  /// chunk: what was read; start: how rows are parsed, because no other parser can go on.
  ByteView bytes;
};
/// All of the record's payload but `bytes`.
Bytes encode_wal_event(const WalEvent& event);
Result<WalEvent> parse_wal_event(std::uint16_t type, ByteView payload);

struct SegmentHead {
  std::string source_name;
  Bytes schema_frame;  ///< header and body; empty when there is none yet
};
Bytes encode_segment_head(const SegmentHead& head);
Result<SegmentHead> parse_segment_head(ByteView payload);

struct WindowRecord {
  std::uint64_t sequence = 0;
  ByteView checkpoint;
  ByteView frames;
};
/// All of the record's payload but the frames.
Bytes encode_window_record(std::uint64_t sequence, ByteView checkpoint);
Result<WindowRecord> parse_window_record(ByteView payload);

}  // namespace twinchain::record
