// A writer's bytes into the open window.

#include <algorithm>

#include "twinchain/base/text.hpp"
#include "twinchain/record/recorder.hpp"

namespace twinchain::record {
namespace {

/// A line of a CSV file that holds no number: names.
bool looks_like_header(std::string_view line, char separator) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  for (std::string_view field : split(line, separator)) {
    field = trim(field);
    if (field.starts_with('"')) field.remove_prefix(1);
    if (field.empty()) return false;
    const char first = field.front();
    if ((first >= '0' && first <= '9') || first == '-' || first == '+' || first == '.')
      return false;
  }
  return true;
}

}  // namespace

Status Recorder::process(Writer& writer, bool at_end, std::int64_t arrival_ns) {
  if (writer.check_header) {
    bool wait = false;
    TWINCHAIN_TRY(look_at_header(writer, at_end, wait));
    if (wait) return {};
  }
  builder_.set_arrival(arrival_ns);
  while (!writer.failed) {
    if (writer.rest().empty()) return {};
    ParseControl control;
    control.arrival_ns = arrival_ns;
    control.max_raw_bytes = limit_bytes();
    control.event_limit_ns = event_limit_ns();
    control.strict = options_.strict && !recovering_;
    auto outcome = writer.parser->parse(writer.rest(), at_end, builder_, control);
    if (!outcome) return on_parse_error(writer, std::move(outcome.error()), arrival_ns);
    writer.begin += outcome->consumed;
    note_time(writer);
    if (outcome->next_event_ns) {
      TWINCHAIN_TRY(advance_event(*outcome->next_event_ns));
    } else if (outcome->stopped_by_size) {
      if (builder_.raw_size_bytes() == 0) return fail(ExitCode::bug, "a window of no size is full");
      TWINCHAIN_TRY(close_by_size(arrival_ns));
    } else {
      return {};
    }
  }
  return process_failed(writer, arrival_ns);
}

/// Nothing is dropped in silence, whoever sends rubbish.
Status Recorder::process_failed(Writer& writer, std::int64_t arrival_ns) {
  return reject_rest(writer, "after an error of this writer", arrival_ns);
}

Status Recorder::on_parse_error(Writer& writer, Error error, std::int64_t arrival_ns) {
  if (recovering_ || (independent_writers_ && !options_.strict)) {
    messages_.warn("writer " + decimal(std::uint64_t{writer.number}) + ": " + error.message +
                   ": its rows are rejected");
    writer.failed = true;
    return reject_rest(writer, error.message, arrival_ns);
  }
  // The rows before the bad one stay recorded. With a spool the next start finishes the window.
  if (spool_ == nullptr) TWINCHAIN_TRY(close_at_end(arrival_ns, false));
  return std::unexpected(std::move(error));
}

Status Recorder::reject_rest(Writer& writer, const std::string& reason, std::int64_t arrival_ns) {
  const ByteView rest = writer.rest();
  if (rest.empty()) return {};
  Reject reject;
  reject.arrival_ns = arrival_ns;
  reject.reason = reason;
  reject.text = as_text(rest);
  builder_.reject(std::move(reject));
  writer.begin = writer.buffer.size();
  if (builder_.raw_size_bytes() < limit_bytes()) return {};
  return close_by_size(arrival_ns);
}

Status Recorder::restart_writer(Writer& writer, std::int64_t arrival_ns) {
  WalEvent event;
  event.type = SpoolRecordType::restart;
  event.writer = writer.number;
  event.offset = writer.end_offset();
  event.arrival_ns = arrival_ns;
  TWINCHAIN_TRY(log_event(event));
  // The old file will not grow any more: its last line is a row even without a newline.
  TWINCHAIN_TRY(process(writer, true, arrival_ns));
  TWINCHAIN_TRY(reject_rest(writer, "cut short", arrival_ns));
  writer.check_header =
      options_.parser.format == RowFormat::csv && !options_.parser.csv_without_header;
  return {};
}

Status Recorder::close_writer(Writer& writer, bool whole, std::int64_t arrival_ns) {
  WalEvent event;
  event.type = SpoolRecordType::close;
  event.writer = writer.number;
  event.whole = whole;
  event.arrival_ns = arrival_ns;
  TWINCHAIN_TRY(log_event(event));
  TWINCHAIN_TRY(process(writer, whole, arrival_ns));
  TWINCHAIN_TRY(reject_rest(
      writer, whole ? "cut short" : "cut short: the connection ended in this row", arrival_ns));
  writers_.erase(writer.number);
  return {};
}

/// A new file may begin with a header of its own, or go on without one.
Status Recorder::look_at_header(Writer& writer, bool at_end, bool& wait) {
  const std::string_view rest = as_text(writer.rest());
  const std::size_t newline = rest.find('\n');
  wait =
      newline == std::string_view::npos && !at_end && rest.size() < options_.parser.max_row_bytes;
  if (wait || rest.empty()) return {};
  writer.check_header = false;
  if (!looks_like_header(rest.substr(0, newline), options_.parser.csv_separator)) return {};
  auto parser = make_row_parser(options_.parser);
  if (!parser) return pass(parser);
  writer.parser = std::move(*parser);
  return {};
}

void Recorder::note_time(Writer& writer) {
  if (!writer.time_note.empty()) return;
  writer.time_note = writer.parser->time_note();
  if (writer.time_note.empty() || writer.time_note == reported_time_note_) return;
  reported_time_note_ = writer.time_note;
  builder_.set_time_note(writer.time_note);
  messages_.note("time from " + writer.time_note);
}

}  // namespace twinchain::record
