// frames: look into, convert, cut and recover any twin stream.

#include <unistd.h>

#include <CLI/CLI.hpp>

#include "twinchain/base/text.hpp"
#include "twinchain/chain/stream_tools.hpp"
#include "twinchain/cli/files.hpp"
#include "twinchain/cli/run_tool.hpp"

namespace {

using namespace twinchain;

struct Options {
  std::string input;
  std::string output;
  std::string source;
  std::string from;
  std::string to;
  std::string sequence;
  std::vector<std::string> channels;
  std::string format = "csv";
  std::string time = "rfc3339";
  bool json = false;
};

void add_input(CLI::App& command, Options& options) {
  command.add_option("FILE", options.input, "Twin stream; standard input when not given or -");
}

void add_selection(CLI::App& command, Options& options) {
  command.add_option("--source", options.source, "Only this source: its name or its id");
  command.add_option("--from", options.from, "Only frames at or after TIME (UTC)");
  command.add_option("--to", options.to, "Only frames before TIME (UTC)");
  command.add_option("--sequence", options.sequence, "Only frames A..B, both included");
}

Result<record::Selection> selection_of(const Options& options) {
  record::Selection selection;
  if (!options.source.empty()) selection.source = record::parse_source(options.source);
  const auto time = [](const char* name, const std::string& text,
                       std::optional<std::int64_t>& into) -> Status {
    if (text.empty()) return {};
    into = parse_time_option_ns(text, system_clock().wall_ns());
    if (into) return {};
    return fail(ExitCode::usage, std::string(name) + ": not a time: " + escape(text),
                "write 2026-11-22T14:00:00Z, 2026-11-22, 14:00 (today, UTC) or @SECONDS");
  };
  TWINCHAIN_TRY(time("--from", options.from, selection.from_ns));
  TWINCHAIN_TRY(time("--to", options.to, selection.to_ns));
  if (!options.sequence.empty()) {
    TWINCHAIN_TRY(record::parse_sequence_range(options.sequence, selection));
  }
  return selection;
}

void complain(const std::string& message) {
  cli::print_error({ExitCode::malformed, message, {}});
}

Status print(std::string_view text) {
  return write_all(STDOUT_FILENO, as_bytes(text));
}

Result<ExitCode> cat(const Options& options, int fd) {
  auto selection = selection_of(options);
  if (!selection) return pass(selection);
  chain::CatOptions cat_options;
  cat_options.selection = *selection;
  cat_options.text.format =
      options.format == "csv" ? record::TextFormat::csv : record::TextFormat::ndjson;
  cat_options.text.time =
      options.time == "ns" ? record::TimeFormat::nanoseconds : record::TimeFormat::rfc3339;
  cat_options.text.channels = options.channels;
  cat_options.text.name_source = options.format == "ndjson";
  StreamReader in(fd);
  if (options.format == "csv" && cli::regular_file_size(fd) && ::lseek(fd, 0, SEEK_CUR) == 0) {
    // A file can be read twice: once to know all columns.
    StreamReader first_pass(fd);
    auto schema = chain::find_final_schema(first_pass, *selection);
    if (!schema) return pass(schema);
    if (::lseek(fd, 0, SEEK_SET) == 0) {
      return chain::cat_samples(in, cat_options, &*schema, print, complain);
    }
  }
  return chain::cat_samples(in, cat_options, nullptr, print, complain);
}

Result<ExitCode> export_database(const Options& options, StreamReader& in) {
  auto selection = selection_of(options);
  if (!selection) return pass(selection);
  if (options.output.empty() || options.output == "-") {
    return fail(ExitCode::usage, "a database is a file: -o FILE says which");
  }
  auto out = record::SqliteExport::create(options.output, {options.channels});
  if (!out) return pass(out);
  auto code = chain::export_samples(in, *selection, *out, complain);
  if (!code) return code;
  TWINCHAIN_TRY(out->commit());
  return code;
}

Result<ExitCode> write_stream(const Options& options, StreamReader& in, bool recover) {
  auto selection = selection_of(options);
  if (!selection) return pass(selection);
  auto output = cli::Output::open(options.output, true);
  if (!output) return pass(output);
  StreamWriter out(output->fd());
  auto code = recover ? chain::recover_stream(in, out, complain)
                      : chain::cut_stream(in, *selection, options.channels, out, complain);
  if (!code) return code;
  TWINCHAIN_TRY(output->commit());
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  std::string command;
  const auto define = [&](CLI::App& app) {
    const auto add = [&](const char* name, const char* summary) {
      CLI::App* sub = app.add_subcommand(name, summary);
      sub->callback([&command, name] { command = name; });
      add_input(*sub, options);
      return sub;
    };
    CLI::App* ls = add("ls", "One line a frame");
    ls->add_flag("--json", options.json, "One JSON object a line");
    CLI::App* info = add("info", "What is in the stream, source by source");
    info->add_flag("--json", options.json, "JSON");
    CLI::App* cat_command = add("cat", "The samples as text");
    add_selection(*cat_command, options);
    cat_command->add_option("--channel", options.channels, "Only this channel (repeatable)");
    cat_command->add_option("--format", options.format, "csv (default) or ndjson")
        ->check(CLI::IsMember({"csv", "ndjson"}));
    cat_command->add_option("--time", options.time, "rfc3339 (default) or ns since 1970")
        ->check(CLI::IsMember({"rfc3339", "ns"}));
    CLI::App* database = add("export", "Samples, windows and rejects as an SQLite database");
    add_selection(*database, options);
    database->add_option("--channel", options.channels, "Only this channel (repeatable)");
    database->add_option("-o,--output", options.output, "Write to FILE");
    CLI::App* rejects = add("rejects", "Rows that could not be read, as NDJSON");
    add_selection(*rejects, options);
    CLI::App* cut = add("cut", "A part of the stream, as a stream");
    add_selection(*cut, options);
    cut->add_option("--channel", options.channels, "Show only this channel (repeatable)");
    cut->add_option("-o,--output", options.output, "Write to FILE");
    CLI::App* recover = add("recover", "Every sound frame of a damaged or truncated stream");
    recover->add_option("-o,--output", options.output, "Write to FILE");
  };
  const auto body = [&]() -> Result<ExitCode> {
    auto input = cli::open_input(options.input);
    if (!input) return pass(input);
    if (command == "cat") return cat(options, input->get());
    StreamReader in(input->get());
    if (command == "ls") return chain::list_frames(in, options.json, print, complain);
    if (command == "info") return chain::summarize_stream(in, options.json, print, complain);
    if (command == "rejects") {
      auto selection = selection_of(options);
      if (!selection) return pass(selection);
      return chain::cat_rejects(in, *selection, print, complain);
    }
    if (command == "export") return export_database(options, in);
    return write_stream(options, in, command == "recover");
  };
  return cli::run_tool(argc, argv,
                       {"frames", "Look into, convert, cut and recover twin streams",
                        "frames info engine.twin\n"
                        "frames cat --channel T24 --from 14:00 --to 14:20 engine.twin > part.csv"},
                       define, body);
}
