// Collects the rows of one window of one source and turns them into frames. Floor 3.
//
// Columnar in memory: an array of 8-byte words a channel, and row numbers only for channels that
// do not have a value in every row. The functions that run once a value are inline. Not
// thread-safe.
#pragma once

#include <bit>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string_view>

#include "twinchain/record/column_encoder.hpp"
#include "twinchain/record/data_frame.hpp"
#include "twinchain/record/schema.hpp"

namespace twinchain::record {

/// What the recorder says of a window when it closes it.
struct WindowEnd {
  std::uint64_t sequence = 0;
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;
  std::uint32_t flags = 0;
  std::int64_t wall_ns = 0;
  std::uint64_t monotonic_ns = 0;
  Id128 boot_id{};
  std::uint64_t declared_rate_mhz = 0;
};

/// Takes a finished frame: header with body_size and body_crc filled, and its body.
using FrameSink = std::function<Status(const FrameHeader&, ByteView body)>;

class WindowBuilder {
 public:
  explicit WindowBuilder(Schema schema);
  ~WindowBuilder();
  WindowBuilder(WindowBuilder&&) noexcept;

  /// The index of a channel, which is added with this type (and unit) when it is new. The channel
  /// may have another type than asked for: see schema(). More than max_channels, an empty name or
  /// a schema that no frame can hold: ExitCode::malformed.
  Result<std::uint32_t> channel(std::string_view name, ValueType type, std::string_view unit = {});
  [[nodiscard]] const Schema& schema() const { return schema_; }
  void set_time_note(std::string_view note);

  // One row: begin_row, puts (at most one a channel, of the channel's type), end_row. A put that
  // breaks this (second value, other type) is left out and the one before stays.
  void begin_row(std::int64_t event_time_ns) {
    row_time_ns_ = event_time_ns;
    touched_count_ = 0;
    extra_bytes_ = 0;
  }
  void put_f64(std::uint32_t channel, double value) {
    put_word(channel, ValueType::f64, std::bit_cast<std::uint64_t>(value));
  }
  void put_i64(std::uint32_t channel, std::int64_t value) {
    put_word(channel, ValueType::i64, static_cast<std::uint64_t>(value));
  }
  void put_bool(std::uint32_t channel, bool value) {
    put_word(channel, ValueType::boolean, value ? 1 : 0);
  }
  void put_string(std::uint32_t channel, std::string_view bytes);
  /// True when the row being built has a value for the channel already.
  [[nodiscard]] bool row_has(std::uint32_t channel) const {
    return slots_[channel].next_row == row_ + 1;
  }
  /// The rows that come now arrived at this time. A row with this very time has none of its own:
  /// all rows of one read have it, so that equal ones are two readings and no duplicate.
  void set_arrival(std::int64_t arrival_ns) { arrival_ns_ = arrival_ns; }
  /// Counts the row, and whether it is late (older than the newest event of the windows closed
  /// before), out of order (older than the row before) or a duplicate of the row before.
  void end_row() {
    if (row_time_ns_ > last_time_ns_ && row_time_ns_ >= newest_closed_ns_ && row_ > 0) [[likely]] {
      if (row_time_ns_ > last_event_ns_) last_event_ns_ = row_time_ns_;
    } else {
      check_time();
    }
    times_.push_back(row_time_ns_);
    last_time_ns_ = row_time_ns_;
    previous_touched_count_ = touched_count_;
    raw_size_ += 8 + std::uint64_t{8} * touched_count_ + extra_bytes_;
    samples_ += touched_count_;
    ++row_;
  }
  /// Takes back what was put since begin_row.
  void cancel_row();
  /// Rows of little-endian f64, one after another, into the channels 0 .. columns-1, which exist
  /// and are f64; the fast path of raw input. event_times_ns has one entry a row.
  void append_f64_rows(ByteView rows, std::uint32_t columns,
                       std::span<const std::int64_t> event_times_ns);

  /// Keeps a row that could not be read, for a REJECT frame. A text that no frame can hold is cut,
  /// and the reason says so.
  void reject(Reject reject);

  [[nodiscard]] std::uint64_t rows() const { return row_; }
  [[nodiscard]] std::uint64_t rejected_rows() const { return counters_.rejected; }
  /// Largest event time of the rows held; nothing without rows. Where --clock data ends a window
  /// that the end of the input or the size limit closes.
  [[nodiscard]] std::optional<std::int64_t> last_event_ns() const {
    return row_ == 0 ? std::nullopt : std::optional(last_event_ns_);
  }
  /// Uncompressed size of what is held: 8 bytes a row (time) and value, 8 more and its bytes for a
  /// string, 4 more in channels that do not have a value in every row, and rejects as in their
  /// frame. The caller closes the window before this passes its limit, for which 15 MiB is the most
  /// that surely fits a frame. A body never grows beyond this by more than 1/128 and 64 bytes a
  /// channel.
  [[nodiscard]] std::uint64_t raw_size_bytes() const { return raw_size_; }

  /// Memory that values, row numbers and texts take now, also when it is free for the next window.
  [[nodiscard]] std::uint64_t held_bytes() const;

  /// Counters of DataHeader since the window began.
  struct Counters {
    std::uint64_t late = 0;
    std::uint64_t duplicate = 0;
    std::uint64_t out_of_order = 0;
    std::uint64_t rejected = 0;
  };
  [[nodiscard]] const Counters& counters() const { return counters_; }

  /// Makes the window's frames in this order and clears the window: SCHEMA when this is the first
  /// window or the schema has changed since the last, REJECT frames, DATA. An empty window makes
  /// a DATA frame with a header leaf only. All frames carry the window's sequence and times. After
  /// an error, which is the sink's or a window over its limits, nothing more can be done with the
  /// builder.
  Status close(const WindowEnd& end, const FrameSink& sink);
  /// After a restart: the next close() writes SCHEMA again.
  void forget_schema_written() { schema_written_ = false; }

 private:
  /// The values of a channel; 32 bytes, because it is touched once a value. A string's word is
  /// where it ends in the channel's text.
  struct Slot {
    std::unique_ptr<std::uint64_t[]> words;
    std::uint32_t count = 0;
    /// Capacity while put_word may simply add a word, else 0: values in every row so far.
    std::uint32_t fast_limit = 0;
    /// The row after that of the newest value; the same as `count` in a channel without gaps.
    std::uint32_t next_row = 0;
    std::uint32_t capacity = 0;
    ValueType type = ValueType::f64;
  };
  /// What is touched seldom.
  struct Details {
    std::vector<std::uint32_t> rows;  ///< of each value; empty in a channel without gaps
    Bytes text;                       ///< of strings
    ColumnMemory memory;
  };

  void put_word(std::uint32_t channel, ValueType type, std::uint64_t word) {
    Slot& slot = slots_[channel];
    if (slot.next_row == row_ && slot.count < slot.fast_limit && slot.type == type) [[likely]] {
      slot.words[slot.count++] = word;
      slot.next_row = row_ + 1;
      touched_[touched_count_++] = channel;
    } else if (slot.type == type) {
      put_word_slow(channel, word);
    }
  }
  bool put_word_slow(std::uint32_t channel, std::uint64_t word);
  void reserve(Slot& slot, std::size_t count);
  /// Writes down the row numbers of a channel that had none missing.
  void make_sparse(Slot& slot, Details& details);
  void check_time();
  [[nodiscard]] bool is_arrival(std::int64_t time_ns) const { return time_ns == arrival_ns_; }
  [[nodiscard]] bool same_as_row_before() const;
  [[nodiscard]] bool same_word_as_before(std::uint32_t channel) const;
  [[nodiscard]] Bytes row_bytes(std::uint32_t row) const;
  [[nodiscard]] bool same_f64_row_as_before(const std::uint8_t* row, std::uint32_t columns) const;
  void count_f64_rows(ByteView rows, std::uint32_t columns,
                      std::span<const std::int64_t> event_times_ns);
  void reserve_f64_rows(std::uint32_t columns, std::uint32_t count);
  void add_slot(const Channel& channel);
  [[nodiscard]] std::size_t name_position(std::string_view name) const;
  void grow_names();
  Status write_schema(const FrameHeader& base, const FrameSink& sink);
  Status write_rejects(const FrameHeader& base, const FrameSink& sink, DataHeader& header);
  Status write_data(const FrameHeader& base, const FrameSink& sink, DataHeader& header);
  void clear();

  std::vector<Slot> slots_;
  std::vector<std::uint32_t> touched_;  ///< channels of the row being built; as long as slots_
  std::uint32_t touched_count_ = 0;
  std::uint32_t row_ = 0;  ///< of the row being built
  std::uint64_t extra_bytes_ = 0;
  std::int64_t row_time_ns_ = 0;
  std::optional<std::int64_t> arrival_ns_;
  std::int64_t last_time_ns_ = std::numeric_limits<std::int64_t>::min();
  std::int64_t newest_closed_ns_ = std::numeric_limits<std::int64_t>::min();
  std::int64_t first_event_ns_ = 0;
  std::int64_t last_event_ns_ = 0;
  std::uint64_t raw_size_ = 0;
  std::uint64_t samples_ = 0;
  std::uint32_t previous_touched_count_ = 0;
  std::vector<std::int64_t> times_;
  std::vector<Details> details_;
  Counters counters_;
  Bytes last_row_;  ///< of the windows closed before, see row_bytes()

  std::vector<Bytes> reject_bodies_;
  std::vector<std::uint32_t> reject_counts_;
  std::uint64_t reject_size_ = 0;

  Schema schema_;
  Id128 source_{};
  std::size_t schema_size_ = 0;
  /// Hash table of names: index + 1, 0 where free; open addressing, a power of two in size.
  std::vector<std::uint32_t> names_;
  bool schema_written_ = false;
  Hash256 schema_digest_{};

  ColumnEncoder encoder_;
  Buffer body_;
};

}  // namespace twinchain::record
