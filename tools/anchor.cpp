// anchor: publishes link hashes in a ledger and adds the receipts to the stream.

#include <CLI/CLI.hpp>
#include <atomic>

#include "twinchain/base/hex.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/chain/link.hpp"
#include "twinchain/cli/files.hpp"
#include "twinchain/cli/run_tool.hpp"
#include "twinchain/ledger/anchor_filter.hpp"
#include "twinchain/ledger/header_file.hpp"
#include "twinchain/ledger/ots_export.hpp"
#include "twinchain/net/mnode_ledger.hpp"
#include "twinchain/net/payer_key.hpp"

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
  std::string timestamp_certificates_file;
  std::string payer = "payer.key";
  std::string network;
  std::string timeout;
  bool no_wait = false;
  bool collect = false;
  bool fleet = false;
  /// Of the commands.
  bool ots = false;
  bool timestamp = false;
  std::string source;
  std::optional<std::uint64_t> sequence;
  std::string link_file;
  std::string headers_file;
  std::optional<std::uint32_t> from;
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

Status check_ledger(const Options& options) {
  if (!options.ledger.empty()) return {};
  return fail(ExitCode::usage, "--ledger is missing", ledger::ledger_forms);
}

ledger::LedgerOptions ledger_options_of(const Options& options) {
  ledger::LedgerOptions ledger_options;
  ledger_options.cookie_file = options.cookie_file;
  ledger_options.credentials_file = options.credentials_file;
  ledger_options.wallet = options.wallet;
  ledger_options.fee_rate_sat_per_vbyte = options.fee_rate_sat_per_vbyte;
  ledger_options.timestamp_certificates_file = options.timestamp_certificates_file;
  ledger_options.cancel = &cancel;
  return ledger_options;
}

Result<std::unique_ptr<ledger::Ledger>> open_ledger(const Options& options,
                                                    const ledger::LedgerOptions& ledger_options,
                                                    bool create) {
  net::MnodeLedgerOptions how;
  how.payer_key_file = net::payer_key_path(options.payer);
  if (!options.network.empty()) {
    auto text = read_file(options.network, net::max_parameters_file_bytes);
    if (!text) return pass(text);
    auto parameters = net::parse_parameters(*text);
    if (!parameters) {
      parameters.error().message = escape(options.network) + ": " + parameters.error().message;
      return pass(parameters);
    }
    how.parameters = std::move(*parameters);
  }
  return net::open_ledger(options.ledger, ledger_options, how, create);
}

Status check(const Options& options) {
  TWINCHAIN_TRY(check_ledger(options));
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
  filter_options.settings.fleet = options.fleet;
  filter_options.wait = !options.no_wait;
  filter_options.stop_fd = cli::filter_stop_fd();
  filter_options.cancel = &cancel;
  filter_options.read_link = read_link;
  filter_options.tell = tell;

  ledger::LedgerOptions ledger_options = ledger_options_of(options);
  ledger_options.dir_blocks_per_anchor = filter_options.settings.depth;
  auto ledger = open_ledger(options, ledger_options, true);
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

/// The link of the chosen anchor, in the bytes whose hash the proof begins with.
Status write_link_file(const Options& options, const ledger::ChosenAnchor& chosen) {
  if (options.link_file.empty()) return {};
  if (chosen.link_body.size() != chain::link_body_size) {
    return fail(ExitCode::unproven, "the link of that anchor is not in the input",
                "give the stream with its LINK frame before the ANCHOR frame");
  }
  auto file = cli::Output::open(options.link_file, true);
  if (!file) return pass(file);
  TWINCHAIN_TRY(write_all(file->fd(), ByteView(chosen.link_body).first(chain::link_size)));
  return file->commit();
}

/// A source's name, or its id in hexadecimal.
Id128 source_of(const std::string& text) {
  const auto bytes = from_hex(text);
  if (!bytes || bytes->size() != Id128{}.size()) return source_id(text);
  Id128 id{};
  std::copy(bytes->begin(), bytes->end(), id.begin());
  return id;
}

Result<Bytes> export_of(const Options& options, const ledger::Receipt& receipt) {
  if (options.timestamp) return ledger::token_of_receipt(receipt);
  auto proof = ledger::ots_of_receipt(receipt);
  if (!proof) return pass(proof);
  return ledger::serialize_ots(*proof);
}

Result<ExitCode> run_export(const Options& options) {
  if (options.ots == options.timestamp) {
    return fail(ExitCode::usage, "what to export is missing",
                "--ots: an OpenTimestamps proof, or --timestamp: a token of RFC 3161");
  }
  ledger::AnchorChoice choice;
  choice.timestamp = options.timestamp;
  if (!options.source.empty()) choice.source = source_of(options.source);
  choice.sequence = options.sequence;
  auto input = cli::open_input(options.input);
  if (!input) return pass(input);
  auto chosen = ledger::find_anchor(input->get(), choice, cli::warn);
  if (!chosen) return pass(chosen);
  auto exported = export_of(options, chosen->receipt);
  if (!exported) return pass(exported);
  TWINCHAIN_TRY(write_link_file(options, *chosen));
  auto output = cli::Output::open(options.output, true);
  if (!output) return pass(output);
  TWINCHAIN_TRY(write_all(output->fd(), *exported));
  TWINCHAIN_TRY(output->commit());
  cli::detail((options.ots ? "proof of link " : "time-stamp of link ") +
              decimal(chosen->header.sequence) + " of source " + to_hex(chosen->header.source) +
              ", whose hash is " + to_hex(chosen->receipt.link_hash));
  return ExitCode::success;
}

std::string options_for_verify(const Options& options, const ledger::HeaderFileOutcome& outcome) {
  std::string text = "--headers " + escape(options.headers_file, 400);
  const ledger::Network& network = outcome.tip.network;
  if (network.is_made()) {
    text += " --network " + (options.network.empty() ? "FILE" : escape(options.network, 400));
  } else if (outcome.first_height > 0) {
    text += " --network " + network.name;
  }
  if (outcome.first_height == 0) return text;
  return text + " --first-height " + decimal(std::uint64_t{outcome.first_height}) +
         " --checkpoint " + to_hex_reversed(outcome.first_hash);
}

Result<ExitCode> run_headers(const Options& options) {
  TWINCHAIN_TRY(check_ledger(options));
  ledger::LedgerOptions ledger_options = ledger_options_of(options);
  if (!options.timeout.empty()) {
    auto timeout = duration_ns("--timeout", options.timeout);
    if (!timeout) return pass(timeout);
    ledger_options.timeout_ms =
        static_cast<int>(std::min<std::uint64_t>(*timeout / 1'000'000, 3'600'000));
  }
  auto ledger = open_ledger(options, ledger_options, false);
  if (!ledger) return pass(ledger);
  cli::Progress progress(options.headers_file, 100);
  ledger::HeaderFileOptions how;
  how.first_height = options.from;
  how.stop = cli::stop_requested;
  how.progress = [&progress](std::uint64_t done, std::uint64_t total) {
    progress.show(done * 100 / std::max<std::uint64_t>(total, 1));
  };
  auto outcome = ledger::update_header_file(real_fs(), options.headers_file, **ledger, how);
  if (!outcome) return pass(outcome);
  if (outcome->torn_bytes > 0) {
    cli::note("cut off " + decimal(outcome->torn_bytes) + " bytes of a torn header at the end");
  }
  if (outcome->removed > 0) {
    cli::note("took away " + decimal(outcome->removed) +
              " headers that are not in the best chain any more");
  }
  cli::detail(decimal(outcome->added) + " headers added, up to block " +
              decimal(std::uint64_t{outcome->tip.height}) + " " +
              to_hex_reversed(outcome->tip.block_hash) + " of " +
              std::string(outcome->tip.network.name) + ", " +
              format_time_ns(outcome->tip.time_s * 1'000'000'000));
  const std::string line = "for verify: " + options_for_verify(options, *outcome);
  outcome->first_height > 0 ? cli::note(line) : cli::detail(line);
  return ExitCode::success;
}

void define_node(CLI::App& app, Options& options) {
  app.add_option("-l,--ledger", options.ledger,
                 "dir:PATH, bitcoin:http://HOST:PORT, litecoin:http://HOST:PORT, mnode:HOST:PORT "
                 "or tsa:http://HOST/PATH");
  app.add_option("--cookie-file", options.cookie_file, "The node's .cookie");
  app.add_option("--credentials-file", options.credentials_file,
                 "File of mode 0600 with user:password for the node");
  app.add_option("--network", options.network,
                 "mnode: parameters of the network (what the node says)");
}

void define_plain(CLI::App& app, Options& options) {
  app.add_option("FILE", options.input, "Twin stream; standard input when not given or -");
  define_node(app, options);
  app.add_option("--every", options.every,
                 "Publish the newest link of each source this often, and at the end (10m)");
  app.add_option("--depth", options.depth, "Blocks that make an anchor count (dir: 1, others: 6)")
      ->check(CLI::Range(1, 1000));
  app.add_flag("--fleet", options.fleet,
               "Publish the links of all sources that are due in one transaction");
  app.add_option("--state", options.state,
                 "Folder that keeps pending anchors over restarts; made when missing");
  app.add_option("--wallet", options.wallet, "The node's wallet that pays");
  app.add_option("--payer", options.payer, "mnode: key that pays, NAME or NAME.key (payer.key)");
  app.add_option("--fee-rate", options.fee_rate_sat_per_vbyte,
                 "Satoshi per vbyte to pay (the node's estimate)")
      ->check(CLI::Range(0.001, 100000.0));
  app.add_option("--tsa-ca", options.timestamp_certificates_file,
                 "Certificates (PEM) that the time-stamp authority's must lead to");
  app.add_option("--timeout", options.timeout,
                 "How long to wait after the end of the input (2h; ledger away: 60s)");
  app.add_flag("--no-wait", options.no_wait, "End when all is published, without depth");
  app.add_flag("--collect", options.collect,
               "Read nothing, write the anchors of --state that are deep enough");
  app.add_option("-o,--output", options.output,
                 "Write to a file, which appears when it is complete");
}

void define_commands(CLI::App& app, Options& options, std::string& command) {
  app.require_subcommand(0, 1);
  CLI::App* exported = app.add_subcommand("export", "An anchor in another format");
  exported->callback([&command] { command = "export"; });
  exported->add_option("FILE", options.input, "Twin stream; standard input when not given or -");
  exported->add_flag("--ots", options.ots, "As an OpenTimestamps proof of the link");
  exported->add_flag("--timestamp", options.timestamp,
                     "As the time-stamp token (RFC 3161) over the link's hash");
  exported->add_option("--source", options.source, "Of this source: its name or its id");
  exported->add_option("--sequence", options.sequence,
                       "Of this link (the newest that is anchored)");
  exported->add_option("--link-file", options.link_file,
                       "Also write the link: the file that the proof is of");
  exported->add_option("-o,--output", options.output,
                       "Write to a file, which appears when it is complete");
  CLI::App* headers = app.add_subcommand("headers", "Write a ledger's block headers to a file");
  headers->callback([&command] { command = "headers"; });
  headers->add_option("FILE", options.headers_file, "Made when missing, otherwise continued")
      ->required();
  define_node(*headers, options);
  headers->add_option("--from", options.from, "Height of the file's first header (0)");
  headers->add_option("--timeout", options.timeout, "For an answer of the node (30s)");
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  std::string command;
  const cli::ToolForm form = cli::tool_form(argc, argv, {"export", "headers"});
  const auto define = [&](CLI::App& app) {
    if (form != cli::ToolForm::command) define_plain(app, options);
    if (form != cli::ToolForm::plain) define_commands(app, options, command);
  };
  return cli::run_tool(argc, argv,
                       {"anchor", "Publish links of a twin stream in a ledger, add the receipts",
                        "anchor --ledger dir:ledger < b.twin > c.twin\n"
                        "anchor --ledger litecoin:http://127.0.0.1:9332 --cookie-file .cookie "
                        "--state anchors/ < b.twin > c.twin\n"
                        "anchor export --ots --link-file link -o link.ots c.twin\n"
                        "anchor headers --ledger litecoin:http://127.0.0.1:9332 --cookie-file "
                        ".cookie litecoin.headers"},
                       define, [&]() -> Result<ExitCode> {
                         if (command == "export") return run_export(options);
                         if (command == "headers") return run_headers(options);
                         return run(options);
                       });
}
