// Collects the rows of one window of one source and turns them into frames. Floor 3.
//
// Columnar in memory: a vector of values a channel, and row numbers only for channels that do not
// have a value in every row. Not thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

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
  /// may have another type than asked for: see schema(). max_channels: ExitCode::malformed.
  Result<std::uint32_t> channel(std::string_view name, ValueType type, std::string_view unit = {});
  [[nodiscard]] const Schema& schema() const;
  void set_time_note(std::string_view note);

  // One row: begin_row, puts (at most one a channel, of the channel's type), end_row.
  void begin_row(std::int64_t event_time_ns);
  void put_f64(std::uint32_t channel, double value);
  void put_i64(std::uint32_t channel, std::int64_t value);
  void put_bool(std::uint32_t channel, bool value);
  void put_string(std::uint32_t channel, std::string_view bytes);
  /// True when the row being built has a value for the channel already.
  [[nodiscard]] bool row_has(std::uint32_t channel) const;
  /// Counts the row, and whether it is late (older than the newest event of the windows closed
  /// before), out of order (older than the row before) or a duplicate of the row before.
  void end_row();
  /// Takes back what was put since begin_row.
  void cancel_row();
  /// Rows of little-endian f64, one after another, into the channels 0 .. columns-1; the fast path
  /// of raw input. event_times_ns has one entry a row.
  void append_f64_rows(ByteView rows, std::uint32_t columns,
                       std::span<const std::int64_t> event_times_ns);

  /// Keeps a row that could not be read, for a REJECT frame.
  void reject(Reject reject);

  [[nodiscard]] std::uint64_t rows() const;
  [[nodiscard]] std::uint64_t rejected_rows() const;
  /// Uncompressed size of what is held: the caller closes the window before this passes its
  /// limit. A body never grows beyond its raw size by more than 1/128 and 64 bytes a channel.
  [[nodiscard]] std::uint64_t raw_size_bytes() const;

  /// Counters of DataHeader since the window began.
  struct Counters {
    std::uint64_t late = 0;
    std::uint64_t duplicate = 0;
    std::uint64_t out_of_order = 0;
    std::uint64_t rejected = 0;
  };
  [[nodiscard]] const Counters& counters() const;

  /// Makes the window's frames in this order and clears the window: SCHEMA when this is the first
  /// window or the schema has changed since the last, REJECT frames, DATA. An empty window makes
  /// a DATA frame with a header leaf only.
  Status close(const WindowEnd& end, const FrameSink& sink);
  /// After a restart: the next close() writes SCHEMA again.
  void forget_schema_written();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace twinchain::record
