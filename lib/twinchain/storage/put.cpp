#include "twinchain/storage/put.hpp"

#include <poll.h>

#include <cerrno>
#include <map>

#include "twinchain/base/hex.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/storage/acknowledge.hpp"
#include "twinchain/stream/writer.hpp"
#include "twinchain/sys/fd.hpp"

namespace twinchain::storage {
namespace {

class Put {
 public:
  Put(Fs& fs, const PutOptions& options, const PutMessages& messages)
      : fs_(fs), options_(options), messages_(messages), output_(options.output_fd) {}

  Result<PutResult> run(const std::string& folder);

 private:
  Status open(const std::string& folder);
  Status open_acknowledger();
  Status handle(StreamEvent& event, StreamReader& reader);
  Status handle_frame(Frame& frame);
  Status make_durable();
  Result<std::size_t> read(std::span<std::uint8_t> into);
  Result<bool> wait_for_input();
  void complain(const StreamEvent& event);

  Fs& fs_;
  const PutOptions& options_;
  const PutMessages& messages_;
  StreamWriter output_;
  std::unique_ptr<StoreWriter> writer_;
  std::optional<Acknowledger> acknowledger_;
  std::map<Id128, std::uint64_t> refused_;
  PutResult result_;
  bool input_ended_ = false;  ///< the last thing read was an END
};

Status Put::open(const std::string& folder) {
  auto writer = StoreWriter::open(fs_, folder, options_.writer, messages_.note);
  if (!writer) return pass(writer);
  writer_ = std::move(*writer);
  if (options_.pass) {
    writer_->set_durable_sink([this](const Frame& frame) {
      return output_.write_unchanged(frame.header, frame.body.view());
    });
  }
  return {};
}

/// With the first frame: at the first start of a pipeline the recorder may still be making its
/// folder, but it has one before it sends anything.
Status Put::open_acknowledger() {
  if (acknowledger_ || options_.acknowledge_folder.empty()) return {};
  auto dropped = read_dropped(fs_, writer_->layout());
  if (!dropped) return pass(dropped);
  auto acknowledger = Acknowledger::open(fs_, options_.acknowledge_folder, std::move(*dropped));
  if (!acknowledger) return pass(acknowledger);
  acknowledger_.emplace(std::move(*acknowledger));
  return {};
}

Status Put::make_durable() {
  TWINCHAIN_TRY(writer_->commit());
  if (acknowledger_) TWINCHAIN_TRY(acknowledger_->update(writer_->index(), input_ended_));
  return writer_->commit_index(false);
}

/// True when there is something to read (or the input has ended), false when it is time to stop.
/// While it waits it commits the index when that is due.
Result<bool> Put::wait_for_input() {
  std::array<pollfd, 2> waits{{{options_.input_fd, POLLIN, 0}, {options_.stop_fd, POLLIN, 0}}};
  int ready = ::poll(waits.data(), 1, 0);
  if (ready == 0) {
    // Nothing more for now: what is here is a group.
    TWINCHAIN_TRY(make_durable());
  }
  while (ready <= 0) {
    if (ready < 0 && errno != EINTR) return std::unexpected(errno_error("poll", errno));
    TWINCHAIN_TRY(writer_->commit_index(false));
    const auto due_ns = writer_->index_due_in_ns();
    const int timeout_ms = due_ns ? static_cast<int>(*due_ns / 1'000'000) + 1 : -1;
    ready = ::poll(waits.data(), waits.size(), timeout_ms);
  }
  return waits[0].revents != 0 || waits[1].revents == 0;
}

Result<std::size_t> Put::read(std::span<std::uint8_t> into) {
  auto go_on = wait_for_input();
  if (!go_on) return pass(go_on);
  if (!*go_on) {
    result_.stopped = true;
    return std::size_t{0};
  }
  return read_some(options_.input_fd, into);
}

void Put::complain(const StreamEvent& event) {
  ++result_.damaged_places;
  if (result_.stopped && event.kind == StreamEventKind::truncated) {
    --result_.damaged_places;
    if (event.size_bytes == 0) return;
  }
  std::string message = "input at byte " + decimal(event.offset) + ": " + event.message;
  if (event.size_bytes > 0) message += ", " + decimal(event.size_bytes) + " bytes left out";
  if (event.header) {
    message += " (" + frame_type_name(event.header->type) + " frame " +
               decimal(event.header->sequence) + " of source " + to_hex(event.header->source) + ")";
  }
  messages_.error({ExitCode::malformed, std::move(message), {}});
}

Status Put::handle_frame(Frame& frame) {
  const FrameHeader header = frame.header;
  if (!is_known_frame_type(header.type) && header.critical()) {
    return fail(ExitCode::malformed,
                "input at byte " + decimal(frame.offset) + ": frame of unknown " +
                    frame_type_name(header.type) + " that must be understood",
                "a newer version of the tools wrote it");
  }
  TWINCHAIN_TRY(open_acknowledger());
  std::string reason;
  auto taken = writer_->add(frame, &reason);
  if (!taken) return pass(taken);
  switch (*taken) {
    case Taken::stored:
      break;
    case Taken::duplicate:
      ++result_.duplicate_frames;
      break;
    case Taken::refused:
      ++result_.refused_frames;
      ++refused_[header.source];
      if (!reason.empty()) {
        messages_.error({ExitCode::refuted, "source " + to_hex(header.source) + ": " + reason,
                         "nothing stored is changed; the rest of this source is refused, too"});
      }
      return {};
  }
  if (acknowledger_) acknowledger_->saw(header);
  // A full group is durable already: under a flood there is no waiting that would do the rest.
  return *taken == Taken::stored && !writer_->has_queued() ? make_durable() : Status{};
}

Status Put::handle(StreamEvent& event, StreamReader& reader) {
  switch (event.kind) {
    case StreamEventKind::frame:
      input_ended_ = false;
      TWINCHAIN_TRY(handle_frame(event.frame));
      if (event.frame.body.capacity() == 0) event.frame.body = writer_->take_spare();
      reader.recycle(std::move(event.frame.body));
      if (messages_.progress) messages_.progress(reader.offset());
      break;
    case StreamEventKind::end:
      input_ended_ = true;
      break;
    case StreamEventKind::damage:
    case StreamEventKind::truncated:
      input_ended_ = false;
      complain(event);
      break;
    case StreamEventKind::finished:
    case StreamEventKind::stopped:
      break;
  }
  return {};
}

Result<PutResult> Put::run(const std::string& folder) {
  TWINCHAIN_TRY(open(folder));
  StreamReader reader([this](std::span<std::uint8_t> into) { return read(into); },
                      StreamReader::Options{});
  Status failure;
  while (true) {
    auto event = reader.next();
    if (!event) {
      failure = pass(event);
      break;
    }
    failure = handle(*event, reader);
    if (!failure || event->kind == StreamEventKind::finished) break;
  }
  if (!failure && failure.error().code != ExitCode::malformed)
    return std::unexpected(failure.error());
  // What came before the fault is stored.
  if (!failure || result_.damaged_places > 0 || result_.stopped) input_ended_ = false;
  TWINCHAIN_TRY(make_durable());
  TWINCHAIN_TRY(writer_->close());
  if (!failure) return std::unexpected(failure.error());
  for (const auto& [source, frames] : refused_) {
    messages_.error({ExitCode::refuted,
                     decimal(frames) + " frames of source " + to_hex(source) + " were refused",
                     {}});
  }
  if (options_.pass && input_ended_ && result_.refused_frames == 0) TWINCHAIN_TRY(output_.finish());
  result_.stored_frames = writer_->stored_frames();
  result_.stored_bytes = writer_->stored_bytes();
  return result_;
}

}  // namespace

ExitCode PutResult::verdict() const {
  if (refused_frames > 0) return ExitCode::refuted;
  if (damaged_places > 0) return ExitCode::malformed;
  if (stopped) return ExitCode::loss;
  return ExitCode::success;
}

Result<PutResult> put_stream(Fs& fs, const std::string& folder, const PutOptions& options,
                             const PutMessages& messages) {
  Put put(fs, options, messages);
  return put.run(folder);
}

}  // namespace twinchain::storage
