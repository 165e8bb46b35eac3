#include "twinchain/record/recorder.hpp"

#include <algorithm>

#include "twinchain/base/hex.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/crypto/sha256.hpp"

namespace twinchain::record {
namespace {

/// The wall clock may be set while the recorder waits: it looks so often.
constexpr std::int64_t look_at_clock_ns = 1'000'000'000;

const char* format_name(RowFormat format) {
  switch (format) {
    case RowFormat::csv:
      return "csv";
    case RowFormat::ndjson:
      return "ndjson";
    case RowFormat::influx:
      return "influx";
    case RowFormat::mqtt:
      return "mqtt";
    case RowFormat::raw_f64:
      return "raw";
  }
  return "unknown";
}

/// Channels of --schema that the source does not have yet come after those it has.
void add_declared(Schema& schema, const Schema& declared) {
  for (const Channel& channel : declared.channels) {
    const bool known = std::any_of(schema.channels.begin(), schema.channels.end(),
                                   [&](const Channel& c) { return c.name == channel.name; });
    if (!known) schema.channels.push_back(channel);
  }
}

}  // namespace

std::string describe_parser_options(const ParserOptions& options) {
  std::string text = "--format ";
  text += format_name(options.format);
  if (!options.time_field.empty()) text += " --time " + escape(options.time_field);
  if (options.time_unit != TimeUnit::detect) {
    text += " --time-unit " + decimal(static_cast<std::uint64_t>(options.time_unit));
  }
  if (!options.column_names.empty()) {
    text += " --columns ";
    for (const std::string& name : options.column_names) text += escape(name) + ",";
  }
  if (options.csv_without_header) text += " --no-header";
  if (options.csv_separator != ',') {
    text += " --separator ";
    text += escape(std::string_view(&options.csv_separator, 1));
  }
  if (options.declared) {
    text += " --schema " + to_hex(sha256(encode_schema(*options.declared))).substr(0, 16);
  }
  return text;
}

void Recorder::Writer::compact() {
  buffer.remove_front(begin);
  buffer_offset += begin;
  begin = 0;
}

Result<std::unique_ptr<Recorder>> Recorder::create(RecorderOptions options, Clock& clock,
                                                   FrameOutput& output, Spool* spool,
                                                   RecorderMessages messages) {
  // A parser that cannot be made is a mistake in the options: said before anything is read.
  auto parser = make_row_parser(options.parser);
  if (!parser) return pass(parser);
  Schema schema;
  if (spool != nullptr && !spool->schema_body().empty()) {
    auto kept = parse_schema(spool->schema_body());
    if (!kept) return pass(kept);
    schema = std::move(*kept);
  }
  schema.source_name = options.source_name;
  if (options.parser.declared) add_declared(schema, *options.parser.declared);
  return std::unique_ptr<Recorder>(new Recorder(std::move(options), clock, output, spool,
                                                std::move(messages), std::move(schema)));
}

Recorder::Recorder(RecorderOptions options, Clock& clock, FrameOutput& output, Spool* spool,
                   RecorderMessages messages, Schema schema)
    : options_(std::move(options)),
      clock_(clock, std::nullopt),
      output_(&output),
      spool_(spool),
      messages_(std::move(messages)),
      builder_(std::move(schema)),
      parser_options_(describe_parser_options(options_.parser)) {}

Recorder::~Recorder() = default;

Status Recorder::run(InputSource& input) {
  independent_writers_ = input.independent_writers();
  TWINCHAIN_TRY(output_->start());
  if (spool_ != nullptr) TWINCHAIN_TRY(recover(input));
  TWINCHAIN_TRY(begin_run());
  bool done = false;
  while (!done) TWINCHAIN_TRY(step(input, done));
  TWINCHAIN_TRY(finish(totals_.stopped));
  report();
  return {};
}

std::int64_t Recorder::now_ns() {
  const std::int64_t now = clock_.now_ns();
  if (const auto step = clock_.take_step_back_ns()) {
    messages_.warn("the wall clock is behind the windows by " + format_duration_ns(*step) +
                   ": windows go on at half speed until it has caught up");
  }
  return now;
}

std::int64_t Recorder::timeout_ns() {
  std::int64_t timeout = -1;
  if (!options_.event_clock) {
    timeout = std::max<std::int64_t>(window_end_ns_ - now_ns(), 0);
    if (clock_.ahead_ns() > 0) timeout = 2 * std::min(timeout, look_at_clock_ns) + 1;
    timeout = std::min(timeout, look_at_clock_ns);
  }
  if (spool_ == nullptr || !spool_->sync_due_ns()) return timeout;
  const std::uint64_t due = *spool_->sync_due_ns();
  const std::uint64_t now = clock_.clock().monotonic_ns();
  const std::int64_t until_sync = due > now ? static_cast<std::int64_t>(due - now) : 0;
  return timeout < 0 ? until_sync : std::min(timeout, until_sync);
}

Status Recorder::step(InputSource& input, bool& done) {
  auto event = input.wait(timeout_ns());
  if (!event) return pass(event);
  // First the time, then the bytes: what arrives after the end of a window is not in it.
  const std::int64_t time = now_ns();
  TWINCHAIN_TRY(advance_wall(time));
  TWINCHAIN_TRY(flush(true));
  if (spool_ != nullptr && spool_->sync_due_ns() &&
      *spool_->sync_due_ns() <= clock_.clock().monotonic_ns()) {
    TWINCHAIN_TRY(spool_->sync_wal());
  }
  using Kind = InputEvent::Kind;
  if (event->kind == Kind::timeout) return {};
  if (event->kind == Kind::opened) return open_writer(event->writer);
  if (event->kind == Kind::ended || event->kind == Kind::stopped) {
    done = true;
    totals_.stopped = event->kind == Kind::stopped;
    return {};
  }
  Writer* writer = find_input_writer(event->writer);
  if (writer == nullptr) return fail(ExitCode::bug, "an event of an unknown writer");
  if (event->kind == Kind::readable) {
    TWINCHAIN_TRY(read_from(input, *writer));
    return flush(true);
  }
  if (event->kind == Kind::restarted) {
    TWINCHAIN_TRY(restart_writer(*writer, time));
  } else {
    // A connection ends in the same way when its writer has died in the middle of a line: half a
    // number must not pass for one. Only of a file is the end the end of a row.
    const bool whole = event->kind == Kind::closed && !independent_writers_;
    TWINCHAIN_TRY(close_writer(*writer, whole, time));
  }
  return flush(false);
}

Recorder::Writer* Recorder::find_input_writer(std::uint32_t input_number) {
  for (auto& [number, writer] : writers_) {
    if (writer->input_number == input_number) return writer.get();
  }
  return nullptr;
}

Result<Recorder::Writer*> Recorder::add_writer(std::uint32_t number) {
  auto parser = make_row_parser(options_.parser);
  if (!parser) return pass(parser);
  auto writer = std::make_unique<Writer>();
  writer->number = number;
  writer->parser = std::move(*parser);
  next_writer_ = std::max(next_writer_, number + 1);
  return (writers_[number] = std::move(writer)).get();
}

Status Recorder::open_writer(std::uint32_t input_number) {
  if (resumed_ != nullptr) {
    resumed_->input_number = input_number;
    resumed_ = nullptr;
    return {};
  }
  auto writer = add_writer(next_writer_);
  if (!writer) return pass(writer);
  (*writer)->input_number = input_number;
  WalEvent event;
  event.type = SpoolRecordType::open;
  event.writer = (*writer)->number;
  return log_event(event);
}

Status Recorder::read_from(InputSource& input, Writer& writer) {
  writer.compact();
  const std::size_t old_size = writer.buffer.size();
  const std::uint64_t offset = writer.end_offset();
  writer.buffer.resize_uninitialized(old_size + input.read_size_bytes());
  auto count = input.read(writer.input_number, writer.buffer.span().subspan(old_size));
  writer.buffer.resize_uninitialized(old_size + count.value_or(0));
  if (!count) return pass(count);
  if (*count == 0) return {};
  const std::int64_t arrival = now_ns();
  TWINCHAIN_TRY(advance_wall(arrival));
  TWINCHAIN_TRY(flush(false));
  if (spool_ != nullptr) {
    writer.position = input.position();
    writer.position_offset = writer.end_offset();
    WalEvent event;
    event.type = SpoolRecordType::chunk;
    event.writer = writer.number;
    event.offset = offset;
    event.arrival_ns = arrival;
    event.position = writer.position;
    event.bytes = writer.buffer.view().subspan(old_size);
    TWINCHAIN_TRY(log_event(event));
  }
  last_arrival_ns_ = arrival;
  return process(writer, false, arrival);
}

Status Recorder::finish(bool stopped) {
  const std::int64_t time = now_ns();
  TWINCHAIN_TRY(advance_wall(time));
  bool force = false;
  for (auto& [number, writer] : writers_) {
    // A followed file goes on where it was left; of anything else the rest is lost with it.
    if (spool_ != nullptr && !writer->position.empty()) {
      force = force || !checkpoint_is_current(*writer);
      continue;
    }
    TWINCHAIN_TRY(reject_rest(
        *writer, stopped ? "cut short: recording was stopped" : "cut short by the end", time));
  }
  TWINCHAIN_TRY(close_at_end(time, force));
  TWINCHAIN_TRY(flush(false));
  TWINCHAIN_TRY(output_->finish());
  if (spool_ == nullptr) return {};
  std::erase_if(writers_, [](const auto& entry) { return entry.second->position.empty(); });
  return start_wal_file();
}

Status Recorder::mark_delivered() {
  if (spool_ == nullptr) return {};
  TWINCHAIN_TRY(spool_->delivered(sequence_));
  return spool_->commit(false);
}

void Recorder::report() const {
  std::string text;
  const auto count = [&text](std::uint64_t number, const char* what) {
    if (number == 0) return;
    if (!text.empty()) text += ", ";
    text += decimal(number) + " " + what;
  };
  count(totals_.late, "late");
  count(totals_.duplicate, "duplicate");
  count(totals_.out_of_order, "out of order");
  count(totals_.rejected, "rejected");
  if (text.empty()) return;
  messages_.note("of " + decimal(totals_.rows + totals_.rejected) + " rows: " + text);
}

}  // namespace twinchain::record
