// twin-record: rows of telemetry in, a twin stream of SCHEMA, REJECT and DATA frames out.

#include <malloc.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <map>
#include <set>

#include "twinchain/base/text.hpp"
#include "twinchain/cli/files.hpp"
#include "twinchain/cli/run_tool.hpp"
#include "twinchain/record/recorder.hpp"

namespace {

using namespace twinchain;

struct Options {
  std::string input;
  std::string output;
  std::string format;
  std::string source;
  std::string every = "1s";
  std::string max_size = "8MiB";
  std::string clock = "wall";
  std::string time_field;
  std::string time_unit = "detect";
  std::string columns;
  bool no_header = false;
  std::string separator = ",";
  std::string schema;
  double rate_hz = 0;
  bool strict = false;
  std::string spool;
  std::string spool_size = "256MiB";
  std::string sync_every = "100ms";
  bool follow = false;
  std::string listen;
};

const std::map<std::string, record::RowFormat> formats{
    {"csv", record::RowFormat::csv},       {"ndjson", record::RowFormat::ndjson},
    {"influx", record::RowFormat::influx}, {"mqtt", record::RowFormat::mqtt},
    {"raw", record::RowFormat::raw_f64},
};
const std::map<std::string, record::TimeUnit> time_units{
    {"detect", record::TimeUnit::detect},   {"s", record::TimeUnit::seconds},
    {"ms", record::TimeUnit::milliseconds}, {"us", record::TimeUnit::microseconds},
    {"ns", record::TimeUnit::nanoseconds},  {"iso8601", record::TimeUnit::iso8601},
    {"arrival", record::TimeUnit::arrival},
};

template <class T>
CLI::IsMember one_of(const std::map<std::string, T>& values) {
  std::set<std::string> names;
  for (const auto& [name, value] : values) names.insert(name);
  return CLI::IsMember(names);
}

Result<std::int64_t> duration(const char* option, const std::string& text, std::int64_t least_ns) {
  const auto value = parse_duration_ns(text);
  if (value && *value >= least_ns) return *value;
  return fail(ExitCode::usage, std::string(option) + ": not a duration: " + escape(text),
              "at least " + format_duration_ns(least_ns) + "; write 100ms, 1s, 10m or 1h");
}

Result<std::uint64_t> size(const char* option, const std::string& text, std::uint64_t least,
                           std::uint64_t most) {
  const auto value = parse_size_bytes(text);
  if (value && *value >= least && *value <= most) return *value;
  return fail(ExitCode::usage, std::string(option) + ": not a size it can have: " + escape(text),
              "from " + decimal(least) + " to " + decimal(most) + " bytes; write 64KiB or 8MiB");
}

Result<char> separator(const std::string& text) {
  if (text == "tab" || text == "\\t") return '\t';
  if (text.size() == 1 && text[0] != '"' && text[0] != '\n') return text[0];
  return fail(ExitCode::usage, "--separator: not one character: " + escape(text),
              "write , or ; or tab");
}

Result<record::ParserOptions> parser_options(const Options& options) {
  record::ParserOptions parser;
  parser.format = formats.at(options.format);
  parser.time_field = options.time_field;
  parser.time_unit = time_units.at(options.time_unit);
  if (!options.columns.empty()) {
    for (const std::string_view name : split(options.columns, ',')) {
      parser.column_names.emplace_back(name);
    }
  }
  parser.csv_without_header = options.no_header;
  auto character = separator(options.separator);
  if (!character) return pass(character);
  parser.csv_separator = *character;
  // So that many writers with long rows stay within the memory that the tool may take.
  if (!options.listen.empty()) parser.max_row_bytes = std::size_t{256} << 10;
  if (options.schema.empty()) return parser;
  auto json = read_file(options.schema, max_body_size);
  if (!json) return pass(json);
  auto declared = record::parse_dtdl(*json, options.source);
  if (!declared) {
    declared.error().message = escape(options.schema) + ": " + declared.error().message;
    return pass(declared);
  }
  parser.declared = std::move(*declared);
  return parser;
}

Result<record::RecorderOptions> recorder_options(const Options& options) {
  record::RecorderOptions result;
  if (options.source.empty() || options.source.size() > 0xffff) {
    return fail(ExitCode::usage, "--source: a name is 1 to 65535 bytes");
  }
  result.source_name = options.source;
  auto every = duration("--every", options.every, 1'000'000);
  if (!every) return pass(every);
  result.every_ns = *every;
  auto max_size = size("--max-size", options.max_size, 4096, record::max_window_bytes_limit);
  if (!max_size) return pass(max_size);
  result.max_window_bytes = *max_size;
  result.event_clock = options.clock == "data";
  if (!(options.rate_hz >= 0 && options.rate_hz <= 1e9)) {
    return fail(ExitCode::usage, "--rate: not a rate in rows per second");
  }
  result.declared_rate_mhz = static_cast<std::uint64_t>(std::llround(options.rate_hz * 1000));
  result.strict = options.strict;
  auto parser = parser_options(options);
  if (!parser) return pass(parser);
  result.parser = std::move(*parser);
  return result;
}

Result<std::unique_ptr<record::InputSource>> open_source(const Options& options) {
  const int stop_fd = cli::source_stop_fd();
  if (!options.listen.empty()) {
    if (options.follow || !options.input.empty()) {
      return fail(ExitCode::usage, "--listen takes no file");
    }
    return record::make_listen_input(options.listen, stop_fd, cli::note);
  }
  if (options.follow) return record::make_follow_input(options.input, stop_fd, cli::note);
  auto fd = cli::open_input(options.input);
  if (!fd) {
    if (fd.error().message == "standard input is a terminal") {
      fd.error().hint = "give a file, or pipe rows in";
    }
    return pass(fd);
  }
  return record::make_fd_input(std::move(*fd), stop_fd);
}

Result<std::unique_ptr<record::Spool>> open_spool(const Options& options) {
  record::SpoolOptions spool;
  spool.folder = options.spool;
  spool.source_name = options.source;
  auto limit = size("--spool-size", options.spool_size, 1 << 20, std::uint64_t{1} << 50);
  if (!limit) return pass(limit);
  spool.size_limit_bytes = *limit;
  auto sync_every = duration("--sync-every", options.sync_every, 0);
  if (!sync_every) return pass(sync_every);
  spool.sync_every_ns = *sync_every;
  if (options.spool.empty()) return nullptr;
  return record::Spool::open(real_fs(), system_clock(), std::move(spool), cli::warn);
}

Result<ExitCode> run(const Options& options) {
  auto settings = recorder_options(options);
  if (!settings) return pass(settings);
  auto output = cli::Output::open(options.output, true);
  if (!output) return pass(output);
  auto spool = open_spool(options);
  if (!spool) return pass(spool);
  auto input = open_source(options);
  if (!input) return pass(input);

  // A regular file is a place to stay; one that -o replaces is so only when it is complete.
  const bool to_stdout = options.output.empty() || options.output == "-";
  const bool delivers = *spool && to_stdout && cli::regular_file_size(output->fd()).has_value();
  const auto frames = record::make_stream_output(output->fd(), delivers);
  auto recorder = record::Recorder::create(std::move(*settings), system_clock(), *frames,
                                           spool->get(), {cli::note, cli::warn});
  if (!recorder) return pass(recorder);
  TWINCHAIN_TRY((*recorder)->run(**input));
  TWINCHAIN_TRY(output->commit());
  if (!to_stdout) TWINCHAIN_TRY((*recorder)->mark_delivered());
  const record::RecorderTotals& totals = (*recorder)->totals();
  cli::detail(decimal(totals.windows) + " windows, " + decimal(totals.rows) + " rows");
  return ExitCode::success;
}

void define_input(CLI::App& app, Options& options) {
  app.add_option("FILE", options.input, "Rows; standard input when not given or -");
  app.add_option("--format", options.format, "csv, ndjson, influx, mqtt or raw")
      ->required()
      ->check(one_of(formats));
  app.add_option("--source", options.source, "Name of the twin whose rows these are")->required();
  app.add_flag("--follow", options.follow, "Go on reading what is appended to FILE");
  app.add_option("--listen", options.listen,
                 "Take rows from writers at tcp:ADDRESS:PORT or unix:PATH");
  app.add_option("--time", options.time_field, "Column or key that holds the time of a row");
  app.add_option("--time-unit", options.time_unit,
                 "s, ms, us, ns, iso8601, arrival, or detect (default)")
      ->check(one_of(time_units));
  app.add_option("--columns", options.columns, "Names of the columns: a,b,c");
  app.add_flag("--no-header", options.no_header, "CSV: the first line is a row");
  app.add_option("--separator", options.separator, "CSV: between fields (default ,)");
  app.add_option("--schema", options.schema, "DTDL v3 interface that declares channels");
  app.add_flag("--strict", options.strict, "Stop at the first row that cannot be read");
}

void define_windows(CLI::App& app, Options& options) {
  app.add_option("--every", options.every, "Duration of a frame (default 1s)");
  app.add_option("--max-size", options.max_size,
                 "Close a frame early at this size, uncompressed (default 8MiB)");
  app.add_option("--clock", options.clock,
                 "wall: frames of the recorder's clock (default); data: of event time")
      ->check(CLI::IsMember(std::set<std::string>{"wall", "data"}));
  app.add_option("--rate", options.rate_hz, "Declare so many rows a second");
}

void define_spool(CLI::App& app, Options& options) {
  app.add_option("--spool", options.spool, "Folder that keeps samples over a crash");
  app.add_option("--spool-size", options.spool_size,
                 "Keep unacknowledged frames up to this (default 256MiB)");
  app.add_option("--sync-every", options.sync_every,
                 "Longest time until what was read is on disk (default 100ms)");
  app.add_option("-o,--output", options.output,
                 "Write to a file, which appears when it is complete");
}

}  // namespace

int main(int argc, char** argv) {
  // Else the allocator keeps freed buffers of many MiB for itself.
  ::mallopt(M_MMAP_THRESHOLD, 1 << 20);
  Options options;
  const auto define = [&options](CLI::App& app) {
    define_input(app, options);
    define_windows(app, options);
    define_spool(app, options);
  };
  return twinchain::cli::run_tool(
      argc, argv,
      {"twin-record", "Record rows of telemetry as a twin stream",
       "twin-record --format csv --source engine-1 --every 1s < in.csv > a.twin"},
      define, [&options] { return run(options); });
}
