// What the run before left in the spool, and what this one leaves there.

#include <algorithm>

#include "twinchain/base/text.hpp"
#include "twinchain/record/recorder.hpp"

namespace twinchain::record {

Status Recorder::recover(InputSource& input) {
  recovering_ = true;
  auto resent = spool_->resend(
      [this](const FrameHeader& header, ByteView body) { return output_->write(header, body); });
  if (!resent) return pass(resent);
  if (*resent > 0) {
    messages_.note("sent " + decimal(*resent) + " windows again that were not acknowledged");
    auto delivered = output_->settle();
    if (!delivered) return pass(delivered);
    if (*delivered) TWINCHAIN_TRY(spool_->delivered(spool_->checkpoint()->next_sequence));
  }
  // A copy: windows that are finished here make newer ones.
  const std::optional<Checkpoint> checkpoint = spool_->checkpoint();
  if (checkpoint) {
    sequence_ = checkpoint->next_sequence;
    last_end_ns_ = checkpoint->next_start_ns;
    last_arrival_ns_ = checkpoint->next_start_ns;
    next_writer_ = checkpoint->next_writer;
    open_window(checkpoint->next_start_ns);
    for (const SpoolWriter& kept : checkpoint->writers) {
      auto writer = add_writer(kept.writer);
      if (!writer) return pass(writer);
      (*writer)->buffer_offset = kept.consumed_bytes;
      (*writer)->checkpoint_offset = kept.consumed_bytes;
      (*writer)->check_header = kept.check_header;
      (*writer)->position = kept.position;
      (*writer)->position_offset = kept.position_bytes;
      (*writer)->saved_state = kept.parser_state;
    }
  }
  if (options_.event_clock) window_start_ns_.reset();
  TWINCHAIN_TRY(spool_->replay([this](const WalEvent& event) { return replay_event(event); }));
  TWINCHAIN_TRY(resume_or_end_writers(input));
  const bool interrupted = builder_.rows() > 0 || builder_.rejected_rows() > 0;
  const std::uint64_t rows = builder_.rows();
  if (interrupted || (resumed_ != nullptr && !checkpoint_is_current(*resumed_))) {
    if (!window_start_ns_ && !options_.event_clock) open_window(last_arrival_ns_);
    TWINCHAIN_TRY(close_at_end(last_arrival_ns_ + 1, true));
  }
  TWINCHAIN_TRY(flush(false));
  recovering_ = false;
  if (spool_->torn_bytes() > 0) {
    messages_.note("left out " + decimal(spool_->torn_bytes()) +
                   " bytes of the spool that were being written when the last run ended");
  }
  if (interrupted) {
    messages_.note("finished window " + decimal(sequence_ - 1) + " of the last run with " +
                   decimal(rows) + " rows");
  }
  return {};
}

/// Parsers that the run before left are made ready when they are needed: a finished input needs
/// none, so that the next one may be read with other options.
Status Recorder::restore_parser(Writer& writer) {
  if (!writer.saved_state) return {};
  const Bytes state = std::move(*writer.saved_state);
  writer.saved_state.reset();
  if (replayed_parser_options_ != parser_options_) {
    return fail(
        ExitCode::usage,
        "the spool holds rows that were read with other options: " + replayed_parser_options_,
        "run it once with those options and </dev/null to finish them");
  }
  if (state.empty()) return {};
  auto status = writer.parser->restore(state);
  if (!status) status.error().message = "spool: " + status.error().message;
  return status;
}

Status Recorder::replay_event(const WalEvent& event) {
  if (event.type == SpoolRecordType::start) return replay_start(event);
  if (event.type == SpoolRecordType::chunk) return replay_chunk(event);
  if (event.type == SpoolRecordType::open) {
    if (event.writer < next_writer_) return {};
    auto writer = add_writer(event.writer);
    if (!writer) return pass(writer);
    (*writer)->saved_state.emplace();
    return {};
  }
  const auto found = writers_.find(event.writer);
  if (found == writers_.end()) return {};
  Writer& writer = *found->second;
  last_arrival_ns_ = std::max(last_arrival_ns_, event.arrival_ns);
  TWINCHAIN_TRY(restore_parser(writer));
  if (event.type == SpoolRecordType::close) {
    TWINCHAIN_TRY(close_writer(writer, event.whole, event.arrival_ns));
  } else if (event.offset >= writer.checkpoint_offset) {
    TWINCHAIN_TRY(restart_writer(writer, event.arrival_ns));
  }
  return flush(false);
}

Status Recorder::replay_start(const WalEvent& event) {
  if (event.sequence > sequence_) {
    return fail(ExitCode::malformed, "windows " + decimal(sequence_) + " to " +
                                         decimal(event.sequence - 1) +
                                         " are missing from the spool");
  }
  replayed_parser_options_ = as_text(event.bytes);
  const bool untouched = builder_.rows() == 0 && builder_.rejected_rows() == 0;
  if (event.sequence == sequence_ && event.has_start && untouched && !options_.event_clock) {
    open_window(std::max(event.window_start_ns, last_end_ns_.value_or(event.window_start_ns)));
    last_arrival_ns_ = std::max(last_arrival_ns_, event.window_start_ns);
  }
  return {};
}

Status Recorder::replay_chunk(const WalEvent& event) {
  const auto found = writers_.find(event.writer);
  if (found == writers_.end()) {
    if (event.writer < next_writer_) return {};
    return fail(ExitCode::malformed,
                "bytes of writer " + decimal(std::uint64_t{event.writer}) + ", which never began");
  }
  Writer& writer = *found->second;
  const std::uint64_t known = writer.end_offset();
  if (event.offset + event.bytes.size() <= known) return {};
  if (event.offset > known) {
    return fail(ExitCode::malformed, "bytes " + decimal(known) + " to " +
                                         decimal(event.offset - 1) + " of writer " +
                                         decimal(std::uint64_t{event.writer}) + " are missing");
  }
  if (!window_start_ns_ && !options_.event_clock) open_window(event.arrival_ns);
  TWINCHAIN_TRY(restore_parser(writer));
  writer.compact();
  writer.buffer.append(event.bytes.subspan(known - event.offset));
  writer.position.assign(event.position.begin(), event.position.end());
  writer.position_offset = writer.end_offset();
  last_arrival_ns_ = std::max(last_arrival_ns_, event.arrival_ns);
  TWINCHAIN_TRY(process(writer, false, event.arrival_ns));
  return flush(false);
}

/// A followed file is read on; the rest of any other writer's last row went with the connection.
Status Recorder::resume_or_end_writers(InputSource& input) {
  const auto newest = std::find_if(writers_.rbegin(), writers_.rend(), [](const auto& entry) {
    return !entry.second->position.empty();
  });
  if (newest != writers_.rend()) {
    const Writer& writer = *newest->second;
    // The newest bytes may have been read and not have reached the disk: they are read again.
    const std::uint64_t lost =
        writer.position_offset - std::min(writer.position_offset, writer.end_offset());
    auto resumed = input.resume(writer.position, lost);
    if (!resumed) return pass(resumed);
    if (*resumed) {
      resumed_ = newest->second.get();
      resumed_->position = input.position();
      resumed_->position_offset = resumed_->end_offset();
      TWINCHAIN_TRY(restore_parser(*resumed_));
    } else {
      messages_.note(
          "the input cannot be read on where the last run stopped: "
          "it is read from its beginning");
    }
  }
  for (auto& [number, writer] : writers_) {
    if (writer.get() == resumed_) continue;
    TWINCHAIN_TRY(reject_rest(*writer, "cut short: recording was interrupted", last_arrival_ns_));
  }
  std::erase_if(writers_, [this](const auto& entry) { return entry.second.get() != resumed_; });
  return {};
}

bool Recorder::checkpoint_is_current(const Writer& writer) const {
  const std::optional<Checkpoint>& checkpoint = spool_->checkpoint();
  return checkpoint &&
         std::any_of(checkpoint->writers.begin(), checkpoint->writers.end(), [&](const auto& kept) {
           return kept.writer == writer.number && kept.consumed_bytes == writer.parsed_offset();
         });
}

Status Recorder::begin_run() {
  clock_ = RecorderClock(clock_.clock(), options_.event_clock ? std::nullopt : last_end_ns_);
  next_flags_ = window_first_after_start;
  window_start_ns_.reset();
  if (!options_.event_clock) open_window(now_ns());
  return start_wal_file();
}

Status Recorder::start_wal_file() {
  if (spool_ == nullptr) return {};
  WalEvent start;
  start.type = SpoolRecordType::start;
  start.sequence = sequence_;
  start.has_start = window_start_ns_.has_value();
  start.window_start_ns = window_start_ns_.value_or(0);
  start.bytes = as_bytes(parser_options_);
  std::vector<SpoolLeftover> leftovers;
  for (const auto& [number, writer] : writers_) {
    const std::size_t parsed = writer->checkpoint_offset - writer->buffer_offset;
    const ByteView bytes = writer->buffer.view().subspan(parsed);
    if (bytes.empty()) continue;
    leftovers.push_back(
        {number, writer->checkpoint_offset, last_arrival_ns_, writer->position, bytes});
  }
  return spool_->begin_run(start, leftovers);
}

Status Recorder::log_event(const WalEvent& event) {
  return spool_ == nullptr || recovering_ ? Status{} : spool_->log(event);
}

Checkpoint Recorder::make_checkpoint() {
  Checkpoint checkpoint;
  checkpoint.next_sequence = sequence_;
  checkpoint.next_start_ns = *last_end_ns_;
  checkpoint.next_writer = next_writer_;
  for (const auto& [number, writer] : writers_) {
    SpoolWriter kept;
    kept.writer = number;
    kept.consumed_bytes = writer->parsed_offset();
    kept.check_header = writer->check_header;
    kept.parser_state = writer->saved_state ? *writer->saved_state : writer->parser->save();
    kept.position = writer->position;
    kept.position_bytes = writer->position_offset;
    writer->checkpoint_offset = kept.consumed_bytes;
    checkpoint.writers.push_back(std::move(kept));
  }
  return checkpoint;
}

}  // namespace twinchain::record
