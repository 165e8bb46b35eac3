// hashchain: seals a twin stream, one signed link a frame.

#include <malloc.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <thread>

#include "twinchain/base/hex.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/chain/beacon.hpp"
#include "twinchain/chain/seal_stream.hpp"
#include "twinchain/cli/files.hpp"
#include "twinchain/cli/run_tool.hpp"
#include "twinchain/ledger/ledger.hpp"

namespace {

using namespace twinchain;

struct Options {
  std::string input;
  std::string output;
  std::string key;
  std::string state;
  std::vector<std::string> beacons;
  std::string cookie_file;
  std::string credentials_file;
  bool accept_loss = false;
  bool status = false;
};

/// The newest block of the first ledger that answers.
class LedgerBeacons {
 public:
  /// Refuses what waiting would not mend: a URL or credentials that cannot be used.
  static Result<std::unique_ptr<LedgerBeacons>> open(const Options& options) {
    auto beacons = std::unique_ptr<LedgerBeacons>(new LedgerBeacons());
    beacons->how_.cookie_file = options.cookie_file;
    beacons->how_.credentials_file = options.credentials_file;
    beacons->how_.timeout_ms = 10'000;
    beacons->how_.cancel = &beacons->cancel_;
    for (const std::string& url : options.beacons) {
      auto ledger = ledger::open_ledger(url, beacons->how_, false);
      // A dir: ledger may be made later, by the first anchor.
      const bool may_come = url.starts_with("dir:");
      if (!ledger && ledger.error().code == ExitCode::usage && !may_come) return pass(ledger);
      beacons->ledgers_.push_back({url, ledger ? std::move(*ledger) : nullptr});
    }
    return beacons;
  }

  Result<chain::Beacon> newest() {
    Result<chain::Beacon> answer = fail(ExitCode::peer, "no ledger");
    for (One& one : ledgers_) {
      answer = ask(one);
      if (answer) break;
    }
    return answer;
  }
  /// Ends a call that is under way.
  void cancel() { cancel_ = true; }

 private:
  struct One {
    std::string url;
    std::unique_ptr<ledger::Ledger> ledger;
  };

  LedgerBeacons() = default;
  Result<chain::Beacon> ask(One& one) {
    if (one.ledger == nullptr) {
      auto opened = ledger::open_ledger(one.url, how_, false);
      if (!opened) return pass(opened);
      one.ledger = std::move(*opened);
    }
    auto tip = one.ledger->tip();
    if (!tip) {
      one.ledger.reset();
      return pass(tip);
    }
    return chain::Beacon{tip->network.magic, tip->height, tip->block_hash};
  }

  ledger::LedgerOptions how_;
  std::vector<One> ledgers_;
  std::atomic<bool> cancel_{false};
};

/// Asks LedgerBeacons in the background; without --beacon there is none.
class Beacons {
 public:
  Status start(const Options& options) {
    if (options.beacons.empty()) return {};
    auto ledgers = LedgerBeacons::open(options);
    if (!ledgers) return pass(ledgers);
    ledgers_ = std::move(*ledgers);
    poller_.emplace([this] { return ledgers_->newest(); }, system_clock(),
                    chain::BeaconPoller::Options{.warn = cli::warn});
    // A short input, too, is to have a beacon when the node is there; longer nobody waits.
    poller_->wait_for_first(1'000);
    return {};
  }
  ~Beacons() {
    if (ledgers_) ledgers_->cancel();
  }
  std::optional<chain::Beacon> current() { return poller_ ? poller_->current() : std::nullopt; }

 private:
  std::unique_ptr<LedgerBeacons> ledgers_;
  std::optional<chain::BeaconPoller> poller_;
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

  Beacons beacons;
  if (auto status = beacons.start(options); !status) return pass(status);

  chain::SealerOptions sealer_options;
  sealer_options.accept_loss = options.accept_loss;
  sealer_options.beacon = [&beacons] { return beacons.current(); };
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
    app.add_option("--beacon", options.beacons,
                   "Ledger whose newest block goes into each link; several: the first that answers")
        ->allow_extra_args(false);
    app.add_option("--cookie-file", options.cookie_file, "The beacon node's .cookie");
    app.add_option("--credentials-file", options.credentials_file,
                   "File (0600) with user:password for the beacon node");
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
