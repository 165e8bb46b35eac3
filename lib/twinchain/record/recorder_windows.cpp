// When windows begin and end, and their way to the output.

#include <algorithm>
#include <limits>

#include "twinchain/base/text.hpp"
#include "twinchain/record/recorder.hpp"

namespace twinchain::record {
namespace {

constexpr std::int64_t latest_ns = std::numeric_limits<std::int64_t>::max();
/// What one more row may add to a window that is not yet full.
constexpr std::uint64_t row_allowance = std::uint64_t{2} << 20;
/// With a spool, so much may wait to be made durable and sent together.
constexpr std::size_t max_pending_bytes = std::size_t{4} << 20;

/// The multiple of `every` at or before a time.
std::int64_t grid_before(std::int64_t time_ns, std::int64_t every_ns) {
  std::int64_t rest = time_ns % every_ns;
  if (rest < 0) rest += every_ns;
  std::int64_t result = 0;
  if (__builtin_sub_overflow(time_ns, rest, &result))
    return std::numeric_limits<std::int64_t>::min();
  return result;
}

/// The multiple of `every` after a time; the latest time of all when there is none.
std::int64_t grid_after(std::int64_t time_ns, std::int64_t every_ns) {
  std::int64_t rest = time_ns % every_ns;
  if (rest < 0) rest += every_ns;
  std::int64_t result = 0;
  return __builtin_add_overflow(time_ns, every_ns - rest, &result) ? latest_ns : result;
}

}  // namespace

void Recorder::open_window(std::int64_t start_ns) {
  window_start_ns_ = start_ns;
  window_end_ns_ = grid_after(start_ns, options_.every_ns);
}

std::uint64_t Recorder::limit_bytes() const {
  // A body is at most 1/128 and 64 bytes a channel larger than its window (window_builder.hpp).
  const std::uint64_t channels = std::uint64_t{64} * builder_.schema().channels.size();
  const std::uint64_t fits = (max_body_size - channels - row_allowance) / 129 * 128;
  return std::min(options_.max_window_bytes, fits);
}

std::optional<std::int64_t> Recorder::event_limit_ns() const {
  if (!options_.event_clock) return std::nullopt;
  // No window is open yet: the first row is only looked at.
  if (!window_start_ns_) return std::numeric_limits<std::int64_t>::min();
  if (window_end_ns_ == latest_ns) return std::nullopt;
  return window_end_ns_;
}

Status Recorder::advance_wall(std::int64_t time_ns) {
  if (options_.event_clock || time_ns < window_end_ns_) return {};
  return advance_to(time_ns);
}

Status Recorder::advance_event(std::int64_t event_ns) {
  if (!window_start_ns_) {
    const std::int64_t start = grid_before(event_ns, options_.every_ns);
    open_window(std::max(start, last_end_ns_.value_or(start)));
    return {};
  }
  return event_ns < window_end_ns_ ? Status{} : advance_to(event_ns);
}

/// Closes the open window and the silent ones up to a time at or after its end.
Status Recorder::advance_to(std::int64_t time_ns) {
  TWINCHAIN_TRY(close_window(window_end_ns_, 0));
  const auto silent =
      (static_cast<std::uint64_t>(time_ns) - static_cast<std::uint64_t>(*window_start_ns_)) /
      static_cast<std::uint64_t>(options_.every_ns);
  if (silent > static_cast<std::uint64_t>(max_silent_windows)) {
    return close_window(grid_before(time_ns, options_.every_ns), window_silence_merged);
  }
  while (window_end_ns_ <= time_ns && window_end_ns_ != latest_ns) {
    TWINCHAIN_TRY(close_window(window_end_ns_, 0));
  }
  return {};
}

Status Recorder::close_by_size(std::int64_t arrival_ns) {
  // Time goes on while a large piece of input is parsed; in a replay it does not.
  std::int64_t time_ns = recovering_ ? arrival_ns : now_ns();
  if (options_.event_clock) {
    // Rejects alone open no window of event time.
    if (!window_start_ns_) open_window(std::max(time_ns, last_end_ns_.value_or(time_ns)));
    const std::int64_t last = builder_.last_event_ns().value_or(*window_start_ns_);
    time_ns = last == latest_ns ? last : last + 1;
  }
  const std::int64_t end = std::min(std::max(time_ns, *window_start_ns_ + 1), window_end_ns_);
  return close_window(end, window_closed_by_size);
}

Status Recorder::close_at_end(std::int64_t time_ns, bool force) {
  if (options_.event_clock) {
    if (!window_start_ns_) {
      if (builder_.rejected_rows() == 0 && !force) return {};
      open_window(std::max(time_ns, last_end_ns_.value_or(time_ns)));
    }
    const std::int64_t last = builder_.last_event_ns().value_or(*window_start_ns_);
    time_ns = last == latest_ns ? last : last + 1;
  }
  const bool has_content = builder_.rows() > 0 || builder_.rejected_rows() > 0;
  // The end came at the very end of a window.
  if (time_ns <= *window_start_ns_ && !has_content && !force && totals_.windows > 0) return {};
  const std::int64_t end = std::min(std::max(time_ns, *window_start_ns_ + 1), window_end_ns_);
  TWINCHAIN_TRY(close_window(end, window_closed_at_end));
  if (options_.event_clock) window_start_ns_.reset();
  return {};
}

Status Recorder::close_window(std::int64_t end_ns, std::uint32_t flags) {
  Clock& clock = clock_.clock();
  WindowEnd end;
  end.sequence = sequence_;
  end.start_ns = *window_start_ns_;
  end.end_ns = end_ns;
  end.flags = flags | next_flags_;
  if (options_.event_clock) end.flags |= window_event_clock;
  if (recovering_) end.flags |= window_recovered;
  end.wall_ns = clock.wall_ns();
  end.monotonic_ns = clock.monotonic_ns();
  end.boot_id = clock.boot_id();
  end.declared_rate_mhz = options_.declared_rate_mhz;
  const WindowBuilder::Counters counters = builder_.counters();
  totals_.late += counters.late;
  totals_.duplicate += counters.duplicate;
  totals_.out_of_order += counters.out_of_order;
  totals_.rejected += counters.rejected;
  totals_.rows += builder_.rows();
  ++totals_.windows;
  const std::size_t first_byte = pending_frames_.size();
  TWINCHAIN_TRY(builder_.close(
      end, [this](const FrameHeader& header, ByteView body) { return take_frame(header, body); }));
  const std::uint64_t sequence = sequence_++;
  next_flags_ = 0;
  last_end_ns_ = end_ns;
  open_window(end_ns);
  if (spool_ == nullptr) return {};
  TWINCHAIN_TRY(spool_->append_window(sequence, make_checkpoint(),
                                      pending_frames_.view().subspan(first_byte)));
  return pending_frames_.size() < max_pending_bytes ? Status{} : flush(false);
}

Status Recorder::take_frame(const FrameHeader& header, ByteView body) {
  if (header.type == FrameType::reject) warn_of_first_reject(body);
  if (spool_ == nullptr) return output_->write(header, body);
  pending_frames_.append(encode_frame_header(header));
  pending_frames_.append(body);
  return {};
}

void Recorder::warn_of_first_reject(ByteView reject_body) {
  if (reject_was_reported_) return;
  reject_was_reported_ = true;
  const auto rejects = parse_reject_body(reject_body);
  if (!rejects || rejects->empty()) return;
  const Reject& first = rejects->front();
  std::string text = "row rejected";
  if (first.line > 0) text += ", line " + decimal(first.line);
  messages_.warn(text + ": " + first.reason + " (first one; rejected rows are kept in the record)");
}

Status Recorder::flush(bool may_rotate) {
  if (spool_ == nullptr || pending_frames_.empty()) return {};
  const bool nothing_left = std::all_of(writers_.begin(), writers_.end(), [](const auto& entry) {
    return entry.second->end_offset() == entry.second->checkpoint_offset;
  });
  TWINCHAIN_TRY(spool_->commit(nothing_left));
  TWINCHAIN_TRY(send_pending());
  auto delivered = output_->settle();
  if (!delivered) return pass(delivered);
  if (*delivered) TWINCHAIN_TRY(spool_->delivered(sequence_));
  TWINCHAIN_TRY(spool_->tidy());
  if (may_rotate && spool_->wants_rotation()) return start_wal_file();
  return {};
}

Status Recorder::send_pending() {
  for (ByteView rest = pending_frames_.view(); !rest.empty();) {
    auto header = parse_frame_header(rest);
    if (!header) return pass(header);
    TWINCHAIN_TRY(output_->write(*header, rest.subspan(frame_header_size, header->body_size)));
    rest = rest.subspan(frame_header_size + header->body_size);
  }
  pending_frames_.clear();
  return {};
}

}  // namespace twinchain::record
