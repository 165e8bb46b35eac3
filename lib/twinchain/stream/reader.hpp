// Reads a twin stream from untrusted bytes. Floor 2.
//
// Memory: one frame (16 MiB at the most) and a small buffer, after damage twice that, however long
// the stream. Damage never ends reading: the reader goes on at the next valid header and says what
// it left out. Time: in proportion to the input, whatever is in it.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "twinchain/base/buffer.hpp"
#include "twinchain/base/result.hpp"
#include "twinchain/stream/frame.hpp"
#include "twinchain/stream/range_crc.hpp"

namespace twinchain {

struct Frame {
  FrameHeader header;
  Buffer body;
  /// Of the frame's header in the input.
  std::uint64_t offset = 0;

  [[nodiscard]] std::uint64_t size_bytes() const { return frame_header_size + body.size(); }
};

enum class StreamEventKind {
  frame,      ///< a frame with both CRCs right; never END, which the reader checks itself
  end,        ///< an END whose counts are right; what follows is another stream or `finished`
  damage,     ///< bytes were left out: [offset, offset + size_bytes)
  truncated,  ///< a stream ended without END, or inside a frame; `finished` or another one follows
  finished,   ///< the input ended; also after `truncated`
  stopped     ///< stop_fd became readable before the next frame began
};

struct StreamEvent {
  StreamEventKind kind = StreamEventKind::finished;
  /// frame. Of a damage event too, when only the body is damaged and its size can be believed (what
  /// follows it is sound): so that a reader can say which part of it is damaged. Else empty.
  Frame frame;
  std::uint64_t offset = 0;      ///< all kinds: where in the input
  std::uint64_t size_bytes = 0;  ///< damage, truncated: how many bytes are lost
  std::string message;           ///< damage, truncated: "body crc mismatch", ...
  /// damage, truncated: the header of the lost frame where that was readable.
  std::optional<FrameHeader> header;
  /// frame: the body is left for load_body(); what go_back() needs, of no use to others.
  struct Deferred {
    std::uint64_t frames_before = 0;
    std::uint64_t bytes_before = 0;
  };
  std::optional<Deferred> deferred;
};

/// Where bytes come from. Fills up to into.size() bytes, gives 0 at the end.
using ReadFunction = std::function<Result<std::size_t>(std::span<std::uint8_t>)>;

class StreamReader {
 public:
  struct Options {
    /// False for a segment of a store, which is still being written: no END is no truncation.
    bool end_required = true;
    /// False for a part of a stream that begins with a frame (a segment read from an index).
    bool preamble_required = true;
    /// Added to every offset that is reported.
    std::uint64_t base_offset = 0;
    /// See read_some(); -1 for none.
    int stop_fd = -1;
    /// Large bodies are left to the caller, who reads them with load_body() on as many threads as
    /// he likes: reading costs half as much as hashing. Only of a regular file, and only up to the
    /// first damage; ignored otherwise. The file's own position is not moved.
    bool defer_bodies = false;
  };

  /// Does not own `fd`.
  explicit StreamReader(int fd) : StreamReader(fd, Options{}) {}
  StreamReader(int fd, Options options);
  StreamReader(ReadFunction source, Options options);

  /// The next event. An error is one of the operating system's, or the input is empty or not a
  /// twin stream at all (ExitCode::malformed); then reading is over.
  Result<StreamEvent> next();

  StreamReader(const StreamReader&) = delete;
  StreamReader& operator=(const StreamReader&) = delete;

  /// Reads and checks the body of a deferred frame. False when it is not what the header says, or
  /// cannot be read: then the caller goes back. Thread-safe, also beside next().
  [[nodiscard]] bool load_body(Frame& frame) const;
  /// To a deferred frame whose body is not sound: all events since then are void, next() gives
  /// this one as it should have been, and what follows it. Nothing is deferred any more.
  void go_back(const StreamEvent& event);

  /// Gives a body's memory back for the next frame.
  void recycle(Buffer&& body) { spare_ = std::move(body); }

  /// Bytes taken from the input so far.
  [[nodiscard]] std::uint64_t offset() const { return offset_; }

 private:
  enum class State { preamble, frames, after_end, finished };

  /// Makes buffer_ hold at least `size` bytes from the read position unless the input ends.
  Result<std::size_t> fill(std::size_t size, bool may_stop);
  [[nodiscard]] ByteView buffered() const { return buffer_.view().subspan(position_); }
  void consume(std::size_t size);
  Result<StreamEvent> read_preamble();
  Result<StreamEvent> read_frame();
  Result<StreamEvent> read_body(const FrameHeader& header);
  Result<StreamEvent> read_body_in_buffer(const FrameHeader& header);
  StreamEvent defer_body(const FrameHeader& header);
  /// Reads where the file is not at its own position.
  Result<std::size_t> read_at(std::span<std::uint8_t> into);
  Result<StreamEvent> resynchronise(std::string message, std::optional<FrameHeader> header,
                                    std::size_t skip_at_least);
  Result<StreamEvent> resynchronise_in_body(std::string message, const FrameHeader& header);
  Result<StreamEvent> resynchronise_in_header(std::string message);
  /// Of a frame that is whole in the buffer.
  Result<StreamEvent> unsound_body(const FrameHeader& header);
  /// Of a frame inside which the input ended.
  Result<StreamEvent> cut_body(const FrameHeader& header);
  StreamEvent frame_event(const FrameHeader& header);
  Result<StreamEvent> count(StreamEvent&& event);
  Result<StreamEvent> check_end(const Frame& frame);
  StreamEvent truncated(std::string message, std::optional<FrameHeader> header);
  [[nodiscard]] bool starts_well(ByteView bytes) const;

  ReadFunction source_;
  Options options_;
  int fd_ = -1;                    ///< with deferred bodies
  std::uint64_t file_start_ = 0;   ///< where the input begins in it
  std::uint64_t file_offset_ = 0;  ///< of the next byte to be read, from there
  State state_ = State::preamble;
  Buffer buffer_;
  std::size_t position_ = 0;  ///< of the first unread byte in buffer_
  std::uint64_t offset_ = 0;  ///< of the same byte in the input
  bool input_ended_ = false;
  bool stopped_ = false;
  bool damaged_ = false;  ///< anywhere in the input: what headers say is no longer trusted
  RangeCrc range_crc_;
  Buffer spare_;
  std::uint32_t small_frames_ = UINT32_MAX;  ///< since the last one with a large body
  std::uint64_t frames_since_preamble_ = 0;
  std::uint64_t bytes_since_preamble_ = 0;
  bool damaged_since_preamble_ = false;
};

}  // namespace twinchain
