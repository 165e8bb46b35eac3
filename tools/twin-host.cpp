// twin-host: samples of this machine, to try the toolchain on something real.

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <ctime>

#include "twinchain/base/clock.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/cli/run_tool.hpp"
#include "twinchain/record/host_sampler.hpp"

namespace {

using namespace twinchain;

struct Options {
  double rate_hz = 1000;
  std::string duration;
  bool schema = false;
};

void append_row(std::string& out, std::int64_t time_ns, const std::vector<double>& values) {
  out += decimal(time_ns);
  std::array<char, 40> buffer{};
  for (const double value : values) {
    out += ',';
    if (std::isnan(value)) continue;  // an empty cell: no value
    const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr;
    out.append(buffer.data(), end);
  }
  out += '\n';
}

/// A DTDL v3 interface for twin-record --schema.
std::string schema_text(const std::vector<record::HostSampler::Channel>& channels) {
  std::string out =
      "{\n  \"@context\": \"dtmi:dtdl:context;3\",\n  \"@id\": \"dtmi:twinchain:host;1\",\n"
      "  \"@type\": \"Interface\",\n  \"contents\": [\n";
  for (std::size_t i = 0; i < channels.size(); ++i) {
    out += "    {\"@type\": \"Telemetry\", \"name\": \"" + channels[i].name +
           "\", \"schema\": \"double\"";
    if (!channels[i].unit.empty()) out += ", \"unit\": \"" + channels[i].unit + "\"";
    out += i + 1 < channels.size() ? "},\n" : "}\n";
  }
  return out + "  ]\n}\n";
}

Result<ExitCode> run(const Options& options) {
  std::int64_t duration_ns = 0;
  if (!options.duration.empty()) {
    const auto parsed = parse_duration_ns(options.duration);
    if (!parsed) {
      return fail(ExitCode::usage, "--duration: not a duration: " + escape(options.duration),
                  "write a number and a unit: 500ms, 10s, 5m");
    }
    duration_ns = *parsed;
  }
  if (!(options.rate_hz > 0 && options.rate_hz <= 100'000)) {
    return fail(ExitCode::usage, "--rate: not between 0 and 100000 samples a second");
  }
  auto sampler = record::HostSampler::open();
  if (!sampler) return pass(sampler);
  if (options.schema) {
    TWINCHAIN_TRY(write_all(STDOUT_FILENO, as_bytes(schema_text(sampler->channels()))));
    return ExitCode::success;
  }
  std::string out = "time";
  for (const auto& channel : sampler->channels()) {
    out += ',';
    out += channel.name;
  }
  out += '\n';
  const auto step_ns = static_cast<std::int64_t>(1e9 / options.rate_hz);
  const auto begin_ns = static_cast<std::int64_t>(system_clock().monotonic_ns());
  std::vector<double> values;
  for (std::int64_t tick = 0;; ++tick) {
    const std::int64_t due_ns = begin_ns + tick * step_ns;
    if (duration_ns > 0 && tick * step_ns >= duration_ns) break;
    const timespec due{static_cast<time_t>(due_ns / 1'000'000'000), due_ns % 1'000'000'000};
    while (::clock_nanosleep(CLOCK_BOOTTIME, TIMER_ABSTIME, &due, nullptr) == EINTR &&
           !cli::stop_requested()) {
    }
    if (cli::stop_requested()) break;
    sampler->sample(values);
    append_row(out, system_clock().wall_ns(), values);
    TWINCHAIN_TRY(write_all(STDOUT_FILENO, as_bytes(out)));
    out.clear();
  }
  TWINCHAIN_TRY(write_all(STDOUT_FILENO, as_bytes(out)));
  return ExitCode::success;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  const auto define = [&](CLI::App& app) {
    app.add_option("--rate", options.rate_hz, "Samples a second (default 1000)");
    app.add_option("--duration", options.duration, "Stop after this time (default: never)");
    app.add_flag("--schema", options.schema, "Print the channels as a DTDL interface and exit");
  };
  return cli::run_tool(
      argc, argv,
      {"twin-host", "Sample this machine (CPU, memory, disk, network, temperatures) as CSV",
       "twin-host --duration 10s | twin-record --format csv --source host --every 1s > host.twin"},
      define, [&] { return run(options); });
}
