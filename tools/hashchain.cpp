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
#include "twinchain/chain/checkpoint.hpp"
#include "twinchain/chain/cosignature_stream.hpp"
#include "twinchain/chain/seal_stream.hpp"
#include "twinchain/cli/files.hpp"
#include "twinchain/cli/run_tool.hpp"
#include "twinchain/net/mnode_ledger.hpp"

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
  std::string command;
  // sign
  bool every_link = false;
  std::optional<std::uint64_t> link;
  std::string head;
  // checkpoint, cosign
  std::string source;
  std::string name;
  std::string note_key;
  std::optional<std::uint64_t> proof_of;
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
      if (url.starts_with("tsa:")) {
        return fail(ExitCode::usage, "--beacon: a time-stamp authority has no blocks");
      }
      auto ledger = net::open_ledger(url, beacons->how_, {}, false);
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
      auto opened = net::open_ledger(one.url, how_, {}, false);
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

Result<chain::CosignStreamOptions> cosign_options(const Options& options) {
  using Which = chain::CosignStreamOptions::Which;
  chain::CosignStreamOptions out;
  if (options.every_link) out.which = Which::every;
  if (options.link) {
    out.which = Which::number;
    out.number = *options.link;
  }
  if (!options.head.empty()) {
    const auto hash = hash_from_hex(options.head);
    if (!hash) return fail(ExitCode::usage, "--head: 64 hexadecimal digits are expected");
    out.which = Which::hash;
    out.hash = *hash;
  }
  return out;
}

Result<ExitCode> run_sign(const Options& options) {
  auto key = chain::read_secret_key(real_fs(), chain::secret_key_path(options.key));
  if (!key) return pass(key);
  auto how = cosign_options(options);
  if (!how) return pass(how);
  auto input = cli::open_input(options.input);
  if (!input) return pass(input);
  auto output = cli::Output::open(options.output, true);
  if (!output) return pass(output);
  cli::Progress progress("signing", cli::regular_file_size(input->get()).value_or(0));
  how->input_fd = input->get();
  how->output_fd = output->fd();
  how->stop_fd = cli::filter_stop_fd();
  how->progress = [&progress](std::uint64_t done) { progress.show(done); };
  auto counts = chain::cosign_stream(key->current, *how);
  if (!counts) return pass(counts);
  cli::detail(decimal(counts->added) + " counter-signatures added, " +
              decimal(counts->had_already) + " newest links had this one already");
  TWINCHAIN_TRY(output->commit());
  return ExitCode::success;
}

/// Signs under a name that notes allow.
Result<std::string> note_name(const std::string& asked, const std::string& of_key) {
  const std::string& name = asked.empty() ? of_key : asked;
  if (is_note_name(name)) return name;
  return fail(ExitCode::usage, "a note cannot be signed as " + escape(name),
              "--name NAME, without spaces and plus signs");
}

Status write_text(const std::string& option, const std::string& text) {
  auto output = cli::Output::open(option, false);
  if (!output) return pass(output);
  TWINCHAIN_TRY(write_all(output->fd(), as_bytes(text)));
  return output->commit();
}

Result<ExitCode> run_checkpoint(const Options& options) {
  auto key = chain::read_secret_key(real_fs(), chain::secret_key_path(options.key));
  if (!key) return pass(key);
  auto name = note_name(options.name, key->name);
  if (!name) return pass(name);
  auto input = cli::open_input(options.input);
  if (!input) return pass(input);
  std::optional<Id128> source;
  if (!options.source.empty()) source = source_id(options.source);
  StreamReader::Options how;
  how.stop_fd = cli::source_stop_fd();
  StreamReader reader(input->get(), how);
  TlogProof proof;
  chain::LinkFollower::Head head;
  if (options.proof_of) {
    auto proven = chain::prove_frame(reader, source, *options.proof_of);
    if (!proven) return pass(proven);
    head = proven->head;
    proof.index = *options.proof_of;
    proof.path = std::move(proven->path);
  } else {
    auto newest = chain::newest_head(reader, source);
    if (!newest) return pass(newest);
    head = *newest;
  }
  SignedNote& note = proof.checkpoint;
  note.text = encode_checkpoint(chain::make_checkpoint(head));
  sign_note(note, *name, key->current);
  TWINCHAIN_TRY(
      write_text(options.output, options.proof_of ? encode_tlog_proof(proof) : encode_note(note)));
  return ExitCode::success;
}

Result<ExitCode> run_cosign(const Options& options) {
  auto key = chain::read_secret_key(real_fs(), chain::secret_key_path(options.key));
  if (!key) return pass(key);
  auto name = note_name(options.name, key->name);
  if (!name) return pass(name);
  auto input = cli::open_input(options.input);
  if (!input) return pass(input);
  Bytes bytes(max_note_bytes + 1);
  auto size = read_full(input->get(), bytes);
  if (!size) return pass(size);
  auto note = parse_note(ByteView(bytes).first(*size));
  if (!note) return pass(note);
  auto checkpoint = parse_checkpoint(note->text);
  if (!checkpoint) return pass(checkpoint);
  if (!options.note_key.empty()) {
    const auto log_key = parse_note_key(options.note_key);
    if (!log_key) return fail(ExitCode::usage, "--note-key: not a verifier key of a note");
    if (auto good = verify_note(*note, *log_key); !good) return pass(good);
  }
  if (note->signatures.size() >= max_note_signatures) {
    return fail(ExitCode::usage, "the note has as many signatures as it may have");
  }
  const std::int64_t now_ns = system_clock().wall_ns();
  cosign_note(*note, *name, key->current,
              static_cast<std::uint64_t>(std::max<std::int64_t>(now_ns, 0)) / 1'000'000'000);
  TWINCHAIN_TRY(write_text(options.output, encode_note(*note)));
  return ExitCode::success;
}

Result<ExitCode> run_command(const Options& options) {
  if (options.command == "checkpoint") return run_checkpoint(options);
  if (options.command == "cosign") return run_cosign(options);
  return run_sign(options);
}

void define_plain(CLI::App& app, Options& options) {
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
}

void define_commands(CLI::App& app, Options& options) {
  app.require_subcommand(0, 1);
  CLI::App* sign = app.add_subcommand("sign", "Counter-sign links as a further party");
  sign->add_option("FILE", options.input, "Sealed stream; standard input when not given or -");
  sign->add_option("-k,--key", options.key, "Secret key of the party: NAME or NAME.key")
      ->required();
  auto* every = sign->add_flag("--every-link", options.every_link, "Sign each link, at once");
  auto* link = sign->add_option("--link", options.link, "Sign link N of each source");
  auto* head = sign->add_option("--head", options.head, "Sign the link with this hash");
  every->excludes(link)->excludes(head);
  link->excludes(head);
  CLI::App* checkpoint =
      app.add_subcommand("checkpoint", "Write the newest head as a signed note (C2SP)");
  checkpoint->callback([&options] { options.command = "checkpoint"; });
  checkpoint->add_option("FILE", options.input, "Sealed stream; standard input when not given");
  checkpoint->add_option("-k,--key", options.key, "Secret key that signs: NAME or NAME.key")
      ->required();
  checkpoint->add_option("--source", options.source,
                         "Source that is meant, where there are several");
  checkpoint->add_option("--proof-of", options.proof_of,
                         "Write the proof that frame N is in it, too (C2SP tlog-proof)");
  CLI::App* cosign = app.add_subcommand("cosign", "Add a witness's cosignature to a checkpoint");
  cosign->callback([&options] { options.command = "cosign"; });
  cosign->add_option("FILE", options.input, "The note; standard input when not given");
  cosign->add_option("-k,--key", options.key, "Secret key of the witness: NAME or NAME.key")
      ->required();
  cosign->add_option("--note-key", options.note_key,
                     "Cosign only what this verifier key has signed");
  for (CLI::App* note : {checkpoint, cosign}) {
    note->add_option("--name", options.name, "Name to sign with (default: that of the key)");
  }
  for (CLI::App* command : {sign, checkpoint, cosign}) {
    command->add_option("-o,--output", options.output,
                        "Write to a file, which appears when it is complete");
  }
}

}  // namespace

int main(int argc, char** argv) {
  // Else the allocator learns to keep freed frames of 16 MiB for itself, twice over.
  ::mallopt(M_MMAP_THRESHOLD, 1 << 20);
  Options options;
  const cli::ToolForm form = cli::tool_form(argc, argv, {"sign", "checkpoint", "cosign"});
  const auto define = [&](CLI::App& app) {
    if (form != cli::ToolForm::command) define_plain(app, options);
    if (form != cli::ToolForm::plain) define_commands(app, options);
  };
  return cli::run_tool(
      argc, argv,
      {"hashchain", "Seal a twin stream: a signed, chained hash of each frame",
       "hashchain --key node.key --state state/ < a.twin > b.twin\n"
       "hashchain sign --key farmer.key < b.twin > c.twin\n"
       "hashchain checkpoint --key node.key b.twin > head.note"},
      define, [&] { return form == cli::ToolForm::command ? run_command(options) : run(options); });
}
