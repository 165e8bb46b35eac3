// The recorder: bytes of one or several writers become the windows of one source. Floor 3.
//
// A window ends when its time is up on the recorder's clock (or, with event_clock, when a row of a
// later window arrives), when it has grown to max_window_bytes, or with the input. Windows are
// contiguous while the recorder runs; a window without rows gives a frame too. More than
// max_silent_windows in a row, after a leap of the clock, become one.
//
// With a spool every byte is logged before it is parsed, and a window is durable before it is
// sent: see spool.hpp. The recorder itself never sleeps but in InputSource::wait().
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "twinchain/base/buffer.hpp"
#include "twinchain/record/input_source.hpp"
#include "twinchain/record/recorder_clock.hpp"
#include "twinchain/record/recorder_output.hpp"
#include "twinchain/record/row_parser.hpp"
#include "twinchain/record/spool.hpp"
#include "twinchain/record/window_builder.hpp"

namespace twinchain::record {

inline constexpr std::int64_t max_silent_windows = 3600;
inline constexpr std::uint64_t default_window_bytes = std::uint64_t{8} << 20;
inline constexpr std::uint64_t max_window_bytes_limit = std::uint64_t{15} << 20;

struct RecorderOptions {
  std::string source_name;
  std::int64_t every_ns = 1'000'000'000;
  /// Uncompressed size at which a window is closed before its time.
  std::uint64_t max_window_bytes = default_window_bytes;
  /// --clock data: windows of event time, for history. False: the recorder's own clock.
  bool event_clock = false;
  std::uint64_t declared_rate_mhz = 0;
  bool strict = false;
  ParserOptions parser;
};

struct RecorderMessages {
  Notice note;
  Notice warn;
};

/// What happened, for the exit code and for tests.
struct RecorderTotals {
  std::uint64_t windows = 0;
  std::uint64_t rows = 0;
  std::uint64_t late = 0;
  std::uint64_t duplicate = 0;
  std::uint64_t out_of_order = 0;
  std::uint64_t rejected = 0;
  bool stopped = false;  ///< by a signal
};

/// The parts that decide how rows are read, as one line of options; the same text means the same
/// parser.
std::string describe_parser_options(const ParserOptions& options);

/// Not thread-safe; used for one run. References live longer than the recorder.
class Recorder {
 public:
  /// `spool` may be null.
  static Result<std::unique_ptr<Recorder>> create(RecorderOptions options, Clock& clock,
                                                  FrameOutput& output, Spool* spool,
                                                  RecorderMessages messages);
  ~Recorder();

  /// Records until the input ends or is stopped, and writes END. With a spool it first sends
  /// again what was not acknowledged, and finishes the window that was interrupted. An error
  /// leaves no END.
  Status run(InputSource& input);

  [[nodiscard]] const RecorderTotals& totals() const { return totals_; }
  /// After run(), when the caller has made the output's file durable under its final name.
  Status mark_delivered();

 private:
  /// One writer of the input: its bytes that are not parsed yet, and its parser.
  struct Writer {
    std::uint32_t number = 0;        ///< in the spool
    std::uint32_t input_number = 0;  ///< in the input
    std::unique_ptr<RowParser> parser;
    Buffer buffer;
    std::size_t begin = 0;                ///< of what is not parsed, in the buffer
    std::uint64_t buffer_offset = 0;      ///< of the buffer's first byte in all bytes of the writer
    std::uint64_t checkpoint_offset = 0;  ///< parsed when the newest window was closed
    Bytes position;                       ///< InputSource::position()
    std::uint64_t position_offset = 0;    ///< how many of its bytes are before that
    std::optional<Bytes> saved_state;     ///< of the run before, while the parser has not taken it
    std::string time_note;
    bool check_header = false;  ///< the next line may be the header of a new file
    bool failed = false;        ///< its bytes cannot be parsed: all are rejected

    [[nodiscard]] ByteView rest() const { return buffer.view().subspan(begin); }
    [[nodiscard]] std::uint64_t parsed_offset() const { return buffer_offset + begin; }
    [[nodiscard]] std::uint64_t end_offset() const { return buffer_offset + buffer.size(); }
    /// Drops what is parsed.
    void compact();
  };

  Recorder(RecorderOptions options, Clock& clock, FrameOutput& output, Spool* spool,
           RecorderMessages messages, Schema schema);

  // recorder.cpp: the loop
  Status step(InputSource& input, bool& done);
  [[nodiscard]] std::int64_t timeout_ns();
  std::int64_t now_ns();
  Result<Writer*> add_writer(std::uint32_t number);
  Status open_writer(std::uint32_t input_number);
  Status read_from(InputSource& input, Writer& writer);
  Status finish(bool stopped);
  void report() const;
  Writer* find_input_writer(std::uint32_t input_number);

  // recorder_rows.cpp: a writer's bytes into the window
  Status process(Writer& writer, bool at_end, std::int64_t arrival_ns);
  Status process_failed(Writer& writer, std::int64_t arrival_ns);
  Status on_parse_error(Writer& writer, Error error, std::int64_t arrival_ns);
  Status restart_writer(Writer& writer, std::int64_t arrival_ns);
  Status close_writer(Writer& writer, bool whole, std::int64_t arrival_ns);
  Status reject_rest(Writer& writer, const std::string& reason, std::int64_t arrival_ns);
  Status look_at_header(Writer& writer, bool at_end, bool& wait);
  void note_time(Writer& writer);

  // recorder_windows.cpp: when windows begin and end
  void open_window(std::int64_t start_ns);
  Status advance_wall(std::int64_t time_ns);
  Status advance_event(std::int64_t event_ns);
  Status advance_to(std::int64_t time_ns);
  Status close_by_size(std::int64_t arrival_ns);
  /// `force`: also when there is nothing to say but where the writers stand.
  Status close_at_end(std::int64_t time_ns, bool force);
  Status close_window(std::int64_t end_ns, std::uint32_t flags);
  [[nodiscard]] std::uint64_t limit_bytes() const;
  [[nodiscard]] std::optional<std::int64_t> event_limit_ns() const;
  Status take_frame(const FrameHeader& header, ByteView body);
  void warn_of_first_reject(ByteView reject_body);
  /// Makes finished windows durable and sends them. `may_rotate`: since the newest checkpoint
  /// nothing has happened but that bytes came.
  Status flush(bool may_rotate);
  Status send_pending();

  // recorder_recovery.cpp: what the run before left
  Status recover(InputSource& input);
  Status replay_event(const WalEvent& event);
  Status replay_start(const WalEvent& event);
  Status replay_chunk(const WalEvent& event);
  Status restore_parser(Writer& writer);
  Status resume_or_end_writers(InputSource& input);
  Status begin_run();
  Status start_wal_file();
  Status log_event(const WalEvent& event);
  [[nodiscard]] Checkpoint make_checkpoint();
  [[nodiscard]] bool checkpoint_is_current(const Writer& writer) const;

  RecorderOptions options_;
  RecorderClock clock_;
  FrameOutput* output_;
  Spool* spool_;
  RecorderMessages messages_;
  WindowBuilder builder_;
  std::string parser_options_;

  std::map<std::uint32_t, std::unique_ptr<Writer>> writers_;  ///< by number
  std::uint32_t next_writer_ = 0;
  bool independent_writers_ = false;
  Writer* resumed_ = nullptr;  ///< goes on from the run before, until the input has opened it

  std::uint64_t sequence_ = 0;
  std::optional<std::int64_t> window_start_ns_;  ///< nothing: no window is open (event clock)
  std::int64_t window_end_ns_ = 0;
  std::optional<std::int64_t> last_end_ns_;  ///< of the newest window, also of the run before
  std::uint32_t next_flags_ = 0;             ///< of the next window that is closed
  bool recovering_ = false;
  std::int64_t last_arrival_ns_ = 0;
  std::string replayed_parser_options_;

  Buffer pending_frames_;  ///< with a spool: appended to it, not yet sent
  bool reject_was_reported_ = false;
  std::string reported_time_note_;
  RecorderTotals totals_;
};

}  // namespace twinchain::record
