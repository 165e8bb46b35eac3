// anchor: publishes link hashes in a ledger and adds the receipts to the stream.

#include <CLI/CLI.hpp>
#include <atomic>

#include "twinchain/base/text.hpp"
#include "twinchain/chain/link.hpp"
#include "twinchain/cli/files.hpp"
#include "twinchain/cli/run_tool.hpp"
#include "twinchain/ledger/anchor_filter.hpp"

namespace {

using namespace twinchain;

struct Options {
  std::string input;
  std::string output;
  std::string ledger;
  std::string every = "10m";
  std::uint32_t depth = 0;
  std::string state;
  std::string cookie_file;
  std::string credentials_file;
  std::string wallet;
  double fee_rate_sat_per_vbyte = 0;
  std::string timeout;
  bool no_wait = false;
  bool collect = false;
};

/// Becomes true when a call of the ledger that is under way is to end.
std::atomic<bool> cancel{false};

Result<std::uint64_t> duration_ns(const char* option, const std::string& text) {
  const auto duration = parse_duration_ns(text);
  if (!duration) {
    return fail(ExitCode::usage, std::string(option) + ": not a duration: " + escape(text),
                "a number and a unit: 500ms, 10s, 10m, 2h, 7d");
  }
  return static_cast<std::uint64_t>(*duration);
}

void tell(ledger::Notice notice, const std::string& line) {
  switch (notice) {
    case ledger::Notice::detail:
      return cli::detail(line);
    case ledger::Notice::note:
      return cli::note(line);
    case ledger::Notice::warning:
      return cli::warn(line);
  }
}

Result<ledger::LinkReference> read_link(const FrameHeader& header, ByteView body) {
  auto link = chain::parse_link_frame(header, body);
  if (!link) return pass(link);
  return ledger::LinkReference{header, link->link.record, chain::link_hash(link->link)};
}

Status check(const Options& options) {
  if (options.ledger.empty()) {
    return fail(ExitCode::usage, "--ledger is missing",
                "dir:PATH, bitcoin:http://HOST:PORT or litecoin:http://HOST:PORT");
  }
  if (options.state.empty() && (options.collect || options.no_wait)) {
    return fail(ExitCode::usage,
                std::string(options.collect ? "--collect" : "--no-wait") + " needs --state DIR",
                "there it is kept what is not deep enough yet");
  }
  if (options.collect && !options.input.empty()) {
    return fail(ExitCode::usage, "--collect reads no stream");
  }
  return {};
}

Result<ExitCode> run(const Options& options) {
  TWINCHAIN_TRY(check(options));
  const bool is_dir = options.ledger.starts_with("dir:");

  ledger::AnchorFilterOptions filter_options;
  auto every = duration_ns("--every", options.every);
  if (!every) return pass(every);
  filter_options.settings.every_ns = *every;
  filter_options.settings.depth = options.depth != 0 ? options.depth : is_dir ? 1 : 6;
  if (!options.timeout.empty()) {
    auto timeout = duration_ns("--timeout", options.timeout);
    if (!timeout) return pass(timeout);
    filter_options.timeout_ns = filter_options.trouble_timeout_ns = *timeout;
  }
  filter_options.wait = !options.no_wait;
  filter_options.stop_fd = cli::filter_stop_fd();
  filter_options.cancel = &cancel;
  filter_options.read_link = read_link;
  filter_options.tell = tell;

  ledger::LedgerOptions ledger_options;
  ledger_options.cookie_file = options.cookie_file;
  ledger_options.credentials_file = options.credentials_file;
  ledger_options.wallet = options.wallet;
  ledger_options.fee_rate_sat_per_vbyte = options.fee_rate_sat_per_vbyte;
  ledger_options.dir_blocks_per_anchor = filter_options.settings.depth;
  ledger_options.cancel = &cancel;
  auto ledger = ledger::open_ledger(options.ledger, ledger_options, true);
  if (!ledger) return pass(ledger);

  UniqueFd input;
  if (!options.collect) {
    auto opened = cli::open_input(options.input);
    if (!opened) return pass(opened);
    input = std::move(*opened);
  }
  auto output = cli::Output::open(options.output, true);
  if (!output) return pass(output);
  auto journal = options.state.empty() ? Result<ledger::AnchorJournal>(ledger::AnchorJournal())
                                       : ledger::AnchorJournal::open(real_fs(), options.state);
  if (!journal) return pass(journal);

  auto outcome = ledger::filter_anchors(input.get(), output->fd(), **ledger, *journal,
                                        system_clock(), filter_options);
  if (!outcome) return pass(outcome);
  TWINCHAIN_TRY(output->commit());
  if (outcome->trouble) cli::print_error(*outcome->trouble);
  if (outcome->left > 0) {
    cli::note(options.state.empty()
                  ? "without --state these anchors are forgotten: the next run makes new ones"
                  : "run it again with the same --state to go on");
  }
  return outcome->code;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  const auto define = [&options](CLI::App& app) {
    app.add_option("FILE", options.input, "Twin stream; standard input when not given or -");
    app.add_option("-l,--ledger", options.ledger,
                   "dir:PATH, bitcoin:http://HOST:PORT or litecoin:http://HOST:PORT");
    app.add_option("--every", options.every,
                   "Publish the newest link of each source this often, and at the end (10m)");
    app.add_option("--depth", options.depth, "Blocks that make an anchor count (dir: 1, others: 6)")
        ->check(CLI::Range(1, 1000));
    app.add_option("--state", options.state,
                   "Folder that keeps pending anchors over restarts; made when missing");
    app.add_option("--cookie-file", options.cookie_file, "The node's .cookie");
    app.add_option("--credentials-file", options.credentials_file,
                   "File of mode 0600 with user:password for the node");
    app.add_option("--wallet", options.wallet, "The node's wallet that pays");
    app.add_option("--fee-rate", options.fee_rate_sat_per_vbyte,
                   "Satoshi per vbyte to pay (the node's estimate)")
        ->check(CLI::Range(0.001, 100000.0));
    app.add_option("--timeout", options.timeout,
                   "How long to wait after the end of the input (2h; ledger away: 60s)");
    app.add_flag("--no-wait", options.no_wait, "End when all is published, without depth");
    app.add_flag("--collect", options.collect,
                 "Read nothing, write the anchors of --state that are deep enough");
    app.add_option("-o,--output", options.output,
                   "Write to a file, which appears when it is complete");
  };
  return cli::run_tool(argc, argv,
                       {"anchor", "Publish links of a twin stream in a ledger, add the receipts",
                        "anchor --ledger dir:ledger < b.twin > c.twin\n"
                        "anchor --ledger litecoin:http://127.0.0.1:9332 --cookie-file .cookie "
                        "--state anchors/ < b.twin > c.twin"},
                       define, [&options] { return run(options); });
}
