// hashchain: seals a twin stream, one signed link a frame.

#include <malloc.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <thread>

#include "twinchain/base/hex.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/chain/seal_stream.hpp"
#include "twinchain/cli/files.hpp"
#include "twinchain/cli/run_tool.hpp"

namespace {

using namespace twinchain;

struct Options {
  std::string input;
  std::string output;
  std::string key;
  std::string state;
  bool accept_loss = false;
  bool status = false;
};

Result<ExitCode> print_status(const Options& options) {
  if (options.state.empty()) return fail(ExitCode::usage, "--status needs --state DIR");
  auto state = chain::ChainState::look(real_fs(), options.state);
  if (!state) return pass(state);
  std::string text;
  for (const chain::ChainHead* head : (*state)->heads()) {
    const chain::Link& link = head->link.link;
    text += "source " + to_hex(link.source) + " link " + decimal(link.number) + " hash " +
            to_hex(head->hash) + " epoch " + decimal(std::uint64_t{link.epoch}) + " until " +
            format_time_ns(link.window_end_ns) + "\n";
  }
  TWINCHAIN_TRY(write_all(STDOUT_FILENO, as_bytes(text)));
  return ExitCode::success;
}

Result<std::unique_ptr<chain::ChainState>> open_state(const std::string& folder) {
  if (folder.empty()) return chain::ChainState::in_memory();
  auto state = chain::ChainState::open(real_fs(), folder);
  if (state && (*state)->torn_bytes() > 0) {
    cli::note("state " + escape(folder) + ": passed over " + decimal((*state)->torn_bytes()) +
              " bytes that a crash had left unfinished; no link was lost by that");
  }
  return state;
}

Result<ExitCode> run(const Options& options) {
  if (options.status) return print_status(options);
  if (options.key.empty()) {
    return fail(ExitCode::usage, "--key is missing", "twin-key new NAME makes a key");
  }
  auto keys = chain::KeyFollower::open(real_fs(), chain::secret_key_path(options.key), cli::warn);
  if (!keys) return pass(keys);
  auto input = cli::open_input(options.input);
  if (!input) return pass(input);
  auto output = cli::Output::open(options.output, true);
  if (!output) return pass(output);
  auto state = open_state(options.state);
  if (!state) return pass(state);

  chain::SealerOptions sealer_options;
  sealer_options.accept_loss = options.accept_loss;
  chain::Sealer sealer(**state, **keys, system_clock(), sealer_options);
  cli::Progress progress("sealing", cli::regular_file_size(input->get()).value_or(0));
  chain::SealStreamOptions stream_options;
  stream_options.input_fd = input->get();
  stream_options.output_fd = output->fd();
  stream_options.stop_fd = cli::filter_stop_fd();
  stream_options.threads = std::clamp(std::thread::hardware_concurrency(), 1U, 4U);
  stream_options.progress = [&progress](std::uint64_t done) { progress.show(done); };
  auto sealed = chain::seal_stream(**state, sealer, system_clock(), stream_options);
  const chain::SealCounts& counts = sealer.counts();
  cli::detail(decimal(counts.sealed) + " frames sealed, " + decimal(counts.resent) +
              " had their link already");
  if (counts.lost > 0) {
    cli::note(decimal(counts.lost) + " lost windows are sealed as lost");
  }
  if (!sealed) return pass(sealed);
  if (auto status = output->commit(); !status) return pass(status);
  return counts.lost > 0 ? ExitCode::loss : ExitCode::success;
}

}  // namespace

int main(int argc, char** argv) {
  // Else the allocator learns to keep freed frames of 16 MiB for itself, twice over.
  ::mallopt(M_MMAP_THRESHOLD, 1 << 20);
  Options options;
  const auto define = [&options](CLI::App& app) {
    app.add_option("FILE", options.input, "Twin stream; standard input when not given or -");
    app.add_option("-k,--key", options.key, "Secret key that signs: NAME or NAME.key");
    app.add_option("--state", options.state,
                   "Folder that keeps the chain over restarts; made when missing");
    app.add_flag("--accept-loss", options.accept_loss,
                 "Seal frames that are missing as lost, instead of refusing");
    app.add_flag("--status", options.status, "Show the head of each chain in --state and exit");
    app.add_option("-o,--output", options.output,
                   "Write to a file, which appears when it is complete");
  };
  return cli::run_tool(argc, argv,
                       {"hashchain", "Seal a twin stream: a signed, chained hash of each frame",
                        "hashchain --key node.key --state state/ < a.twin > b.twin"},
                       define, [&options] { return run(options); });
}
