// report: a verdict of verify and its record as one page for people.

#include <CLI/CLI.hpp>

#include "twinchain/base/text.hpp"
#include "twinchain/cli/files.hpp"
#include "twinchain/cli/run_tool.hpp"
#include "twinchain/crypto/sha256.hpp"
#include "twinchain/report/page.hpp"
#include "twinchain/storage/inputs.hpp"

namespace {

using namespace twinchain;

struct Options {
  std::vector<std::string> inputs;
  std::string verdict;
  std::string incident;
  std::string around = "10m";
  std::vector<std::string> channels;
  std::string title;
  std::string output;
};

/// The whole of the verdict file, which may be a pipe.
Result<Bytes> read_verdict(const std::string& path) {
  auto fd = cli::open_input(path);
  if (!fd) return pass(fd);
  Bytes bytes(report::max_verdict_file_bytes + 1);
  auto size = read_full(fd->get(), bytes);
  if (!size) return pass(size);
  if (*size == bytes.size()) {
    return fail(ExitCode::malformed, escape(path) + ": larger than a report of verify can be");
  }
  bytes.resize(*size);
  bytes.shrink_to_fit();
  return bytes;
}

Status read_input(report::Scanner& scanner, const storage::Input& input) {
  auto fd = cli::open_input(input.path);
  if (!fd) return pass(fd);
  const auto size = cli::regular_file_size(fd->get());
  // A segment that was just begun: verify passes it over, too.
  if (input.kind == chain::InputKind::active_segment && size && *size < preamble_size) return {};
  const std::string name = input.path == "-" ? "standard input" : input.path;
  cli::Progress progress(name, size.value_or(0));
  return scanner.read(name, fd->get(), input.kind == chain::InputKind::stream,
                      [&](std::uint64_t done) {
                        progress.show(done);
                        return !cli::stop_requested();
                      });
}

Status take_times(const Options& options, report::PageOptions& page, report::ScanOptions& scan) {
  if (options.incident.empty()) return {};
  page.incident_ns = parse_time_option_ns(options.incident, page.made_ns);
  if (!page.incident_ns) {
    return fail(ExitCode::usage, "--incident: not a time: " + escape(options.incident),
                "write 2026-11-22T14:00:00Z, 2026-11-22, 14:00 (today, UTC) or @SECONDS");
  }
  const auto around_ns = parse_duration_ns(options.around);
  if (!around_ns || *around_ns == 0) {
    return fail(ExitCode::usage, "--around: not a duration: " + escape(options.around),
                "a number and a unit: 500ms, 10s, 10m, 2h, 7d");
  }
  if (__builtin_sub_overflow(*page.incident_ns, *around_ns, &page.from_ns)) {
    page.from_ns = INT64_MIN;
  }
  if (__builtin_add_overflow(*page.incident_ns, *around_ns, &page.to_ns)) page.to_ns = INT64_MAX;
  scan.from_ns = page.from_ns;
  scan.to_ns = page.to_ns;
  return {};
}

Result<ExitCode> run(const Options& options) {
  const auto paths = options.inputs.empty() ? std::vector<std::string>{"-"} : options.inputs;
  const auto standard = std::count(paths.begin(), paths.end(), "-");
  if (standard + (options.verdict == "-" ? 1 : 0) > 1) {
    return fail(ExitCode::usage, "standard input can be read once only");
  }
  if (options.channels.size() > report::max_signals) {
    return fail(ExitCode::usage,
                "--channel: at most " + decimal(std::uint64_t{report::max_signals}) + " channels");
  }
  auto inputs = storage::list_inputs(real_fs(), paths);
  if (!inputs) return pass(inputs);
  report::PageOptions page;
  report::ScanOptions how;
  page.made_ns = system_clock().wall_ns();
  page.title = options.title;
  TWINCHAIN_TRY(take_times(options, page, how));
  how.channels = options.channels;
  auto json = read_verdict(options.verdict);
  if (!json) return pass(json);
  auto verdict = report::parse_verdict_file(as_text(*json));
  if (!verdict) {
    verdict.error().message.insert(0, escape(options.verdict) + ": ");
    return pass(verdict);
  }
  page.verdict_name = options.verdict == "-" ? "standard input" : options.verdict;
  page.verdict_size_bytes = json->size();
  page.verdict_sha256 = sha256(*json);
  *json = {};
  auto output = cli::Output::open(options.output, false);
  if (!output) return pass(output);
  report::Scanner scanner(std::move(how));
  for (const storage::Input& input : inputs->list) TWINCHAIN_TRY(read_input(scanner, input));
  const report::Scan scan = scanner.finish();
  if (!scan.missing_channels.empty()) {
    return fail(ExitCode::usage,
                "no source has a channel " + escape(scan.missing_channels.front()));
  }
  TWINCHAIN_TRY(write_all(output->fd(), as_bytes(report::render_page(*verdict, scan, page))));
  TWINCHAIN_TRY(output->commit());
  const auto wrong = report::contradictions(*verdict, scan);
  if (wrong.empty()) return ExitCode::success;
  for (const std::string& one : wrong) cli::warn(one);
  return fail(ExitCode::refuted, "the verdict is not about this record",
              "verify --json of the very files that are given to report");
}

void define(CLI::App& app, Options& options) {
  app.add_option("INPUT", options.inputs, "Stream files, \"-\", or the folder of a store");
  app.add_option("--verdict", options.verdict, "What verify --json said of them")
      ->type_name("FILE")
      ->required();
  app.add_option("--incident", options.incident, "Plot the signals around this time (UTC)")
      ->type_name("TIME");
  app.add_option("--around", options.around, "So long before and after it (10m)")->type_name("T");
  app.add_option("--channel", options.channels, "Plot this channel; may be repeated")
      ->type_name("NAME");
  app.add_option("--title", options.title, "Title of the page")->type_name("TEXT");
  app.add_option("-o,--output", options.output, "Write to FILE")->type_name("FILE");
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  const cli::Tool tool{"report", "Turns a verdict and its record into one HTML page for people",
                       "verify --json --key node.pub --ledger dir:ledger lorry.twin > v.json\n"
                       "report --verdict v.json --incident 14:20 -o lorry.html lorry.twin"};
  return cli::run_tool(
      argc, argv, tool, [&](CLI::App& app) { define(app, options); }, [&] { return run(options); });
}
