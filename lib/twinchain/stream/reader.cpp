#include "twinchain/stream/reader.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "twinchain/base/crc32c.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/sys/fd.hpp"

namespace twinchain {
namespace {

constexpr std::size_t chunk_size = std::size_t{256} * 1024;
/// Where bodies are large they are read straight into their own memory, and what was read ahead
/// would have to be copied: then little is.
constexpr std::size_t small_chunk_size = std::size_t{8} * 1024;
constexpr std::size_t large_body_size = std::size_t{64} * 1024;
/// So many small frames on end, and no large one is expected.
constexpr std::uint32_t small_frames_of_large_bodies = 8;

bool starts_stream(ByteView bytes) {
  return bytes.size() >= preamble_size &&
         std::equal(stream_preamble.begin(), stream_preamble.end(), bytes.begin());
}

std::optional<std::uint64_t> regular_file_position(int fd) {
  struct stat info{};
  if (::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) return std::nullopt;
  const off_t at = ::lseek(fd, 0, SEEK_CUR);
  if (at < 0) return std::nullopt;
  return static_cast<std::uint64_t>(at);
}

/// Fewer wake-ups between the tools of a pipeline; a pipe that cannot grow works as it is.
void enlarge_pipe(int fd) {
  struct stat info{};
  if (::fstat(fd, &info) == 0 && S_ISFIFO(info.st_mode)) {
    ::fcntl(fd, F_SETPIPE_SZ, 1024 * 1024);
  }
}

}  // namespace

StreamReader::StreamReader(int fd, Options options)
    : StreamReader(
          [this, fd](std::span<std::uint8_t> into) {
            return read_some(fd, into, options_.stop_fd, &stopped_);
          },
          options) {
  enlarge_pipe(fd);
  if (!options_.defer_bodies) return;
  const auto start = regular_file_position(fd);
  options_.defer_bodies = start.has_value();
  if (!start) return;
  fd_ = fd;
  file_start_ = *start;
  source_ = [this](std::span<std::uint8_t> into) { return read_at(into); };
}

StreamReader::StreamReader(ReadFunction source, Options options)
    : source_(std::move(source)), options_(options) {
  if (!options_.preamble_required) state_ = State::frames;
}

Result<std::size_t> StreamReader::read_at(std::span<std::uint8_t> into) {
  auto count = pread_full(fd_, into, file_start_ + file_offset_);
  if (count) file_offset_ += *count;
  return count;
}

StreamEvent StreamReader::defer_body(const FrameHeader& header) {
  const std::size_t whole = frame_header_size + header.body_size;
  StreamEvent event = frame_event(header);
  event.deferred = {frames_since_preamble_, bytes_since_preamble_};
  if (buffered().size() >= whole) {
    consume(whole);
  } else {
    file_offset_ += whole - buffered().size();
    offset_ += whole;
    buffer_.clear();
    position_ = 0;
  }
  ++frames_since_preamble_;
  bytes_since_preamble_ += whole;
  return event;
}

bool StreamReader::load_body(Frame& frame) const {
  frame.body.resize_uninitialized(frame.header.body_size);
  const std::uint64_t at = frame.offset - options_.base_offset + frame_header_size;
  auto count = pread_full(fd_, frame.body.span(), file_start_ + at);
  return count && *count == frame.body.size() && crc32c(frame.body.view()) == frame.header.body_crc;
}

void StreamReader::go_back(const StreamEvent& event) {
  offset_ = event.offset - options_.base_offset;
  file_offset_ = offset_;
  buffer_.clear();
  position_ = 0;
  input_ended_ = false;
  state_ = State::frames;
  frames_since_preamble_ = event.deferred->frames_before;
  bytes_since_preamble_ = event.deferred->bytes_before;
  damaged_since_preamble_ = false;  // or the frame had not been deferred
  damaged_ = true;
}

void StreamReader::consume(std::size_t size) {
  position_ += size;
  offset_ += size;
  if (position_ == buffer_.size()) {
    buffer_.clear();
    position_ = 0;
  }
}

Result<std::size_t> StreamReader::fill(std::size_t size, bool may_stop) {
  while (buffered().size() < size && !input_ended_) {
    if (position_ > 0 && position_ >= buffer_.size() / 2) {
      buffer_.remove_front(position_);
      position_ = 0;
    }
    const std::size_t old_size = buffer_.size();
    const std::size_t chunk =
        small_frames_ < small_frames_of_large_bodies ? small_chunk_size : chunk_size;
    const std::size_t wanted = std::max(chunk, position_ + size - old_size);
    buffer_.resize_uninitialized(old_size + wanted);
    auto count = source_(buffer_.span().subspan(old_size));
    if (!count) {
      buffer_.resize_uninitialized(old_size);
      return pass(count);
    }
    buffer_.resize_uninitialized(old_size + *count);
    if (*count == 0) {
      if (stopped_ && may_stop && buffered().empty()) break;
      if (stopped_) {
        // Inside a frame: its rest is on its way, so it is read before stopping.
        stopped_ = false;
        options_.stop_fd = -1;
        continue;
      }
      input_ended_ = true;
    }
  }
  return buffered().size();
}

bool StreamReader::starts_well(ByteView bytes) const {
  if (bytes.empty()) return true;
  if (bytes.size() >= frame_header_size && parse_frame_header(bytes)) return true;
  return starts_stream(bytes);
}

StreamEvent StreamReader::truncated(std::string message, std::optional<FrameHeader> header) {
  StreamEvent event;
  event.kind = StreamEventKind::truncated;
  event.offset = options_.base_offset + offset_;
  event.size_bytes = buffered().size();
  event.message = std::move(message);
  event.header = header;
  consume(buffered().size());
  state_ = State::finished;
  return event;
}

Result<StreamEvent> StreamReader::next() {
  switch (state_) {
    case State::preamble:
    case State::after_end:
      return read_preamble();
    case State::frames:
      return read_frame();
    case State::finished:
      break;
  }
  StreamEvent event;
  event.offset = options_.base_offset + offset_;
  return event;
}

Result<StreamEvent> StreamReader::read_preamble() {
  auto have = fill(preamble_size, true);
  if (!have) return pass(have);
  if (stopped_) {
    StreamEvent event;
    event.kind = StreamEventKind::stopped;
    event.offset = options_.base_offset + offset_;
    return event;
  }
  const ByteView start = buffered();
  if (start.empty()) {
    if (state_ == State::preamble) {
      state_ = State::finished;
      return fail(ExitCode::malformed, "empty input");
    }
    state_ = State::finished;
    return next();
  }
  if (starts_stream(start)) {
    consume(preamble_size);
    state_ = State::frames;
    frames_since_preamble_ = 0;
    bytes_since_preamble_ = 0;
    damaged_since_preamble_ = false;
    return read_frame();
  }
  if (state_ == State::after_end) {
    if (start.size() < preamble_size) return truncated("ends inside a preamble", std::nullopt);
    state_ = State::frames;
    return resynchronise("neither a preamble nor the end of the input follows an END frame",
                         std::nullopt, 1);
  }
  state_ = State::finished;
  const std::size_t same = static_cast<std::size_t>(
      std::mismatch(
          start.begin(),
          start.begin() + static_cast<std::ptrdiff_t>(std::min(start.size(), preamble_size)),
          stream_preamble.begin())
          .first -
      start.begin());
  if (same == start.size()) {
    return fail(ExitCode::malformed,
                "byte " + decimal(std::uint64_t{same}) + ": ends inside the preamble");
  }
  if (same == 3) {
    return fail(ExitCode::malformed, "byte 3: twin stream of version " +
                                         decimal(std::uint64_t{start[3]}) +
                                         ", this program reads version 1");
  }
  if (same >= 4) {
    return fail(ExitCode::malformed, "byte " + decimal(std::uint64_t{same}) +
                                         ": preamble damaged, probably by a transfer in text mode");
  }
  return fail(ExitCode::malformed, "byte 0: not a twin stream");
}

Result<StreamEvent> StreamReader::read_frame() {
  auto have = fill(frame_header_size, true);
  if (!have) return pass(have);
  StreamEvent event;
  event.offset = options_.base_offset + offset_;
  if (stopped_) {
    event.kind = StreamEventKind::stopped;
    return event;
  }
  const ByteView start = buffered();
  if (start.empty()) {
    state_ = State::finished;
    if (!options_.end_required) return event;
    return truncated("ends without an END frame", std::nullopt);
  }
  if (starts_stream(start)) {
    state_ = State::after_end;
    if (!options_.end_required) return read_preamble();
    event.kind = StreamEventKind::truncated;
    event.message = "ends without an END frame, another stream follows";
    return event;
  }
  if (start.size() < frame_header_size) {
    return truncated("ends inside a frame header", std::nullopt);
  }
  auto header = parse_frame_header(start);
  if (!header) return resynchronise_in_header(header.error().message);
  return read_body(*header);
}

Result<StreamEvent> StreamReader::read_body(const FrameHeader& header) {
  const std::size_t whole = frame_header_size + header.body_size;
  small_frames_ = header.body_size >= large_body_size
                      ? 0
                      : std::min(small_frames_, small_frames_of_large_bodies - 1) + 1;
  // Going back costs what was read since, and so does a body that is taken for one and is none.
  if (damaged_) return read_body_in_buffer(header);
  // An END is the reader's own to check, whatever size it claims.
  const bool may_defer = options_.defer_bodies && header.type != FrameType::end;
  if (may_defer && header.body_size >= large_body_size) return defer_body(header);
  StreamEvent event = frame_event(header);
  Buffer& body = event.frame.body;
  body.resize_uninitialized(header.body_size);

  // The body is read straight into the frame's own memory; only what the buffer holds is copied.
  const std::size_t buffered_part =
      std::min<std::size_t>(buffered().size() - frame_header_size, header.body_size);
  if (buffered_part > 0) {
    std::memcpy(body.data(), buffered().data() + frame_header_size, buffered_part);
  }
  std::size_t done = buffered_part;
  while (done < header.body_size && !input_ended_) {
    auto count = source_(body.span().subspan(done));
    if (!count) return pass(count);
    if (*count == 0) {
      if (stopped_) {
        stopped_ = false;
        options_.stop_fd = -1;
        continue;
      }
      input_ended_ = true;
    }
    done += *count;
  }
  const bool sound = done == header.body_size && crc32c(body.view()) == header.body_crc;
  if (!sound) {
    // Everything read goes back in front, so that a frame hidden in it can be found.
    buffer_.append(body.view().subspan(buffered_part, done - buffered_part));
    spare_ = std::move(body);
    return done < header.body_size ? cut_body(header) : unsound_body(header);
  }
  if (done > buffered_part) {
    buffer_.clear();
    position_ = 0;
    offset_ += whole;
  } else {
    consume(whole);
  }
  return count(std::move(event));
}

/// Nothing is copied before it is known to be a body.
Result<StreamEvent> StreamReader::read_body_in_buffer(const FrameHeader& header) {
  const std::size_t whole = frame_header_size + header.body_size;
  auto have = fill(whole, false);
  if (!have) return pass(have);
  if (*have < whole) return cut_body(header);
  const ByteView body = buffered().subspan(frame_header_size, header.body_size);
  if (range_crc_(body, offset_ + frame_header_size) != header.body_crc) return unsound_body(header);
  StreamEvent event = frame_event(header);
  event.frame.body.append(body);
  consume(whole);
  return count(std::move(event));
}

StreamEvent StreamReader::frame_event(const FrameHeader& header) {
  StreamEvent event;
  event.kind = StreamEventKind::frame;
  event.offset = options_.base_offset + offset_;
  event.frame.header = header;
  event.frame.offset = event.offset;
  event.frame.body = std::move(spare_);
  event.frame.body.clear();
  return event;
}

Result<StreamEvent> StreamReader::count(StreamEvent&& event) {
  if (event.frame.header.type == FrameType::end) return check_end(event.frame);
  ++frames_since_preamble_;
  bytes_since_preamble_ += event.frame.size_bytes();
  return std::move(event);
}

/// The size may be a lie told by damage before it, or the input was cut here.
Result<StreamEvent> StreamReader::cut_body(const FrameHeader& header) {
  const ByteView rest = buffered().subspan(frame_header_size);
  const auto found = std::search(rest.begin(), rest.end(), frame_magic.begin(), frame_magic.end());
  if (found != rest.end()) return resynchronise_in_body("body is cut short", header);
  return truncated("ends inside the body of a frame", header);
}

Result<StreamEvent> StreamReader::unsound_body(const FrameHeader& header) {
  const std::size_t whole = frame_header_size + header.body_size;
  auto have = fill(whole + frame_header_size, false);
  if (!have) return pass(have);
  const bool next_is_sound = starts_well(buffered().subspan(whole));
  // A body that was cut short by just the size of a preamble ends with that of the next stream.
  const bool has_preamble =
      header.body_size >= preamble_size && starts_stream(buffered().subspan(whole - preamble_size));
  if (!next_is_sound || has_preamble) return resynchronise_in_body("body crc mismatch", header);
  Frame damaged = std::move(frame_event(header).frame);
  damaged.body.append(buffered().subspan(frame_header_size, header.body_size));
  auto damage = resynchronise("body crc mismatch", header, whole);
  if (damage) damage->frame = std::move(damaged);
  return damage;
}

Result<StreamEvent> StreamReader::resynchronise(std::string message,
                                                std::optional<FrameHeader> header,
                                                std::size_t skip_at_least) {
  StreamEvent event;
  event.kind = StreamEventKind::damage;
  event.offset = options_.base_offset + offset_;
  event.message = std::move(message);
  event.header = header;
  damaged_since_preamble_ = true;
  damaged_ = true;
  const std::uint64_t began = offset_;
  std::size_t at = skip_at_least;
  while (true) {
    auto have = fill(at + frame_header_size, false);
    if (!have) return pass(have);
    const ByteView rest = buffered();
    if (at >= rest.size()) {
      consume(rest.size());
      break;
    }
    const auto from = rest.begin() + static_cast<std::ptrdiff_t>(at);
    const auto candidate = std::find_if(from, rest.end(), [](std::uint8_t byte) {
      return byte == frame_magic[0] || byte == stream_preamble[0];
    });
    at = static_cast<std::size_t>(candidate - rest.begin());
    if (candidate == rest.end() || (rest.size() - at < frame_header_size && !input_ended_)) {
      consume(at);  // memory stays bounded while nothing is found
      at = 0;
      if (candidate == rest.end() && input_ended_) break;
      continue;
    }
    const ByteView here = rest.subspan(at);
    const bool is_preamble = starts_stream(here);
    if (is_preamble || (here.size() >= frame_header_size && parse_frame_header(here))) {
      consume(at);
      if (is_preamble) state_ = State::after_end;
      break;
    }
    ++at;
  }
  event.size_bytes = offset_ - began;
  return event;
}

/// A header that another stream cuts off is no damage either.
Result<StreamEvent> StreamReader::resynchronise_in_header(std::string message) {
  const ByteView start = buffered();
  const bool begins_as_one = std::equal(frame_magic.begin(), frame_magic.end(), start.begin());
  auto event = resynchronise(std::move(message), std::nullopt, 1);
  if (event && begins_as_one && state_ == State::after_end &&
      event->size_bytes < frame_header_size) {
    event->kind = StreamEventKind::truncated;
    event->message = "ends inside a frame header, another stream follows";
  }
  return event;
}

/// What follows is not where the frame's size says. When it is another stream, the one before was
/// cut short inside this frame.
Result<StreamEvent> StreamReader::resynchronise_in_body(std::string message,
                                                        const FrameHeader& header) {
  auto event = resynchronise(std::move(message), header, 1);
  if (event && state_ == State::after_end &&
      event->size_bytes < frame_header_size + header.body_size) {
    event->kind = StreamEventKind::truncated;
    event->message = "ends inside the body of a frame, another stream follows";
  }
  return event;
}

Result<StreamEvent> StreamReader::check_end(const Frame& frame) {
  StreamEvent event;
  event.kind = StreamEventKind::end;
  event.offset = frame.offset;
  state_ = State::after_end;
  FrameHeader plain;
  plain.type = FrameType::end;
  plain.flags = flag_critical;
  set_body(plain, frame.body.view());
  const auto complain = [&](std::string message) {
    event.kind = StreamEventKind::damage;
    event.size_bytes = frame.size_bytes();
    event.message = std::move(message);
    event.header = frame.header;
    return std::move(event);
  };
  if (frame.body.size() != end_body_size || frame.header != plain) {
    return complain("malformed END frame");
  }
  const auto frames = load_le<std::uint64_t>(frame.body.data());
  const auto bytes = load_le<std::uint64_t>(frame.body.data() + 8);
  if (!damaged_since_preamble_ &&
      (frames != frames_since_preamble_ || bytes != bytes_since_preamble_)) {
    return complain("END counts " + decimal(frames) + " frames and " + decimal(bytes) +
                    " bytes, but " + decimal(frames_since_preamble_) + " frames and " +
                    decimal(bytes_since_preamble_) + " bytes were read");
  }
  return event;
}

}  // namespace twinchain
