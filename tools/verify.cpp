// verify: checks a sealed record and says what is proven and what is not.

#include <fcntl.h>
#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <thread>

#include "twinchain/base/hex.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/chain/audit.hpp"
#include "twinchain/chain/checkpoint.hpp"
#include "twinchain/chain/checkpoint_file.hpp"
#include "twinchain/chain/evidence_check.hpp"
#include "twinchain/chain/keys.hpp"
#include "twinchain/chain/report.hpp"
#include "twinchain/cli/files.hpp"
#include "twinchain/cli/run_tool.hpp"
#include "twinchain/crypto/sha256.hpp"
#include "twinchain/ledger/known_blocks.hpp"
#include "twinchain/ledger/ots_digest.hpp"
#include "twinchain/net/header_rules.hpp"
#include "twinchain/net/mnode_ledger.hpp"
#include "twinchain/net/record_in_blocks.hpp"
#include "twinchain/storage/inputs.hpp"

namespace {

using namespace twinchain;

struct Options {
  std::string command;
  std::vector<std::string> inputs;
  std::vector<std::string> keys;
  std::vector<std::string> cosigners;
  std::string policy;
  std::vector<std::string> ledgers;
  std::string headers;
  std::vector<std::string> timestamp_certificates;
  std::string network;
  std::uint32_t first_height = 0;
  std::string checkpoint;
  std::string cookie_file;
  std::string credentials_file;
  std::string timeout;
  std::string head;
  std::string largest_gap;
  std::uint32_t min_depth = 0;
  unsigned threads = 0;
  bool offline = false;
  bool partial = false;
  bool json = false;
  bool quiet = false;
  /// Of the commands.
  std::vector<std::string> note_keys;
  std::string old_note;
  std::string proof;
  std::string target;
  std::string chain;
};

constexpr std::uint64_t max_policy_size = std::uint64_t{1} << 20;

/// Of --network: the parameters, when it names a file and not a network.
Result<std::optional<net::ChainParameters>> read_network(const std::string& name_or_path) {
  std::optional<net::ChainParameters> none;
  if (name_or_path.empty() || ledger::network_by_name(name_or_path)) return none;
  auto text = read_file(name_or_path, net::max_parameters_file_bytes);
  if (!text) {
    return fail(ExitCode::usage, "--network: unknown network " + escape(name_or_path) +
                                     ", and not a file of parameters: " + text.error().message);
  }
  auto parameters = net::parse_parameters(*text);
  if (!parameters) {
    parameters.error().message = escape(name_or_path) + ": " + parameters.error().message;
    return pass(parameters);
  }
  return std::optional(std::move(*parameters));
}

/// The blocks that the options name.
Result<ledger::KnownBlocks> open_blocks(const Options& options) {
  if (options.offline && !options.ledgers.empty()) {
    return fail(ExitCode::usage, "--offline and --ledger exclude each other");
  }
  const bool asks_mnode = std::ranges::any_of(
      options.ledgers, [](const std::string& url) { return url.starts_with("mnode:"); });
  if (options.headers.empty() &&
      !((options.network.empty() || asks_mnode) && options.checkpoint.empty())) {
    return fail(ExitCode::usage, "--network and --checkpoint need --headers");
  }
  auto parameters = read_network(options.network);
  if (!parameters) return pass(parameters);
  ledger::KnownBlocksOptions how;
  net::MnodeLedgerOptions mnode;
  mnode.parameters = std::move(*parameters);
  if (mnode.parameters) how.made_network = net::made_network_of(*mnode.parameters);
  how.open_ledger = [&mnode](const std::string& url, const ledger::LedgerOptions& ledger_options) {
    return net::open_ledger(url, ledger_options, mnode, false);
  };
  how.urls = options.ledgers;
  how.ledger.cookie_file = options.cookie_file;
  how.ledger.credentials_file = options.credentials_file;
  if (!options.timeout.empty()) {
    const auto timeout_ns = parse_duration_ns(options.timeout);
    if (!timeout_ns) return fail(ExitCode::usage, "--timeout: not a duration");
    how.ledger.timeout_ms =
        static_cast<int>(std::min<std::int64_t>(*timeout_ns / 1'000'000, 3'600'000));
  }
  how.timestamp_certificates = options.timestamp_certificates;
  how.headers_path = options.headers;
  how.network = options.network;
  how.first_height = options.first_height;
  if (!options.checkpoint.empty()) {
    how.first_hash = hash_from_hex_reversed(options.checkpoint);
    if (!how.first_hash) {
      return fail(ExitCode::usage, "--checkpoint: 64 hexadecimal digits are expected");
    }
  }
  return ledger::KnownBlocks::open(real_fs(), how);
}

Result<std::optional<chain::BlockPlace>> find_block(ledger::KnownBlocks& blocks,
                                                    std::uint32_t network, const Hash256& block) {
  auto found = blocks.find(network, block);
  if (!found) return pass(found);
  if (!*found) return std::optional<chain::BlockPlace>();
  const ledger::BlockPosition& at = (*found)->position;
  return std::optional(chain::BlockPlace{at.on_best_chain, at.height, at.depth, at.time_s,
                                         std::move((*found)->trust)});
}

/// Parsing gives the same bytes again by contract, so nothing in a body goes unchecked.
Result<chain::AnchorFacts> check_receipt(const ledger::KnownBlocks& blocks, ByteView body) {
  auto receipt = ledger::parse_receipt(body);
  if (!receipt) return pass(receipt);
  auto facts = ledger::check_receipt(*receipt);
  if (!facts) return pass(facts);
  chain::AnchorFacts out;
  out.link_hash = receipt->link_hash;
  out.network = facts->network.magic;
  out.network_name = facts->network.name;
  out.trivial_network = facts->network.trivial;
  out.block_hash = facts->block_hash;
  out.height = facts->height;
  out.time_s = facts->time_s;
  out.authority = std::move(facts->authority);
  if (out.is_timestamp()) {
    auto trust = blocks.authority(receipt->timestamp_token);
    (trust ? out.trust : out.distrust) = trust ? std::move(*trust) : trust.error().message;
  }
  return out;
}

Result<chain::Policy> read_policy(const Options& options) {
  chain::Policy policy;
  if (!options.policy.empty()) {
    auto text = read_file(options.policy, max_policy_size);
    if (!text) return pass(text);
    auto parsed = chain::parse_policy(*text);
    if (!parsed) {
      parsed.error().message = escape(options.policy) + ": " + parsed.error().message;
      return pass(parsed);
    }
    policy = std::move(*parsed);
  }
  for (const std::string& name : policy.networks) {
    if (!ledger::is_network_name(name)) {
      return fail(ExitCode::usage, escape(options.policy) + ": unknown network " + escape(name));
    }
  }
  for (const std::string& path : options.keys) {
    auto key = chain::read_public_key(real_fs(), path);
    if (!key) return pass(key);
    for (const auto& epoch : key->epochs) {
      policy.signers.push_back({key->name, epoch.key, epoch.number, epoch.next_key_hash});
    }
  }
  for (const std::string& path : options.cosigners) {
    auto key = chain::read_public_key(real_fs(), path);
    if (!key) return pass(key);
    for (const auto& epoch : key->epochs)
      policy.cosigners.push_back({key->name, epoch.key, {}, {}});
  }
  if (auto status = chain::check_policy(policy); !status) return pass(status);
  if (options.min_depth > 0) policy.min_depth = options.min_depth;
  if (!options.largest_gap.empty()) {
    policy.largest_gap_ns = parse_duration_ns(options.largest_gap);
    if (!policy.largest_gap_ns) {
      return fail(ExitCode::usage, "--largest-gap: not a duration: " + escape(options.largest_gap),
                  "a number and a unit: 500ms, 10s, 10m, 2h, 7d");
    }
  }
  return policy;
}

Result<chain::AuditOptions> audit_options(const Options& options, ledger::KnownBlocks& blocks) {
  chain::AuditOptions out;
  auto policy = read_policy(options);
  if (!policy) return pass(policy);
  out.policy = std::move(*policy);
  if (!options.head.empty()) {
    out.head = hash_from_hex(options.head);
    if (!out.head) return fail(ExitCode::usage, "--head: 64 hexadecimal digits are expected");
  }
  out.partial = options.partial;
  out.offline = options.offline;
  out.ledger_given = blocks.any();
  out.check_receipt = [&blocks](ByteView body) { return check_receipt(blocks, body); };
  out.find_block = [&blocks](std::uint32_t network, const Hash256& block) {
    return find_block(blocks, network, block);
  };
  out.network_name = [&blocks](std::uint32_t magic) {
    return blocks.network_name(magic).value_or("network " + decimal(std::uint64_t{magic}));
  };
  out.threads = options.threads > 0 ? options.threads
                                    : std::clamp(std::thread::hardware_concurrency(), 1U, 16U);
  return out;
}

StreamReader::Options reader_options(const storage::Input& input) {
  StreamReader::Options how;
  how.end_required = input.kind == chain::InputKind::stream;
  how.stop_fd = cli::source_stop_fd();
  return how;
}

Status read_inputs(chain::Audit& audit, const std::vector<storage::Input>& inputs) {
  for (const storage::Input& input : inputs) {
    auto fd = cli::open_input(input.path);
    if (!fd) return pass(fd);
    const auto size = cli::regular_file_size(fd->get());
    if (input.kind == chain::InputKind::active_segment && size && *size < preamble_size) {
      cli::detail(escape(input.path) + " is still empty");
      continue;
    }
    const std::string name =
        input.path.empty() || input.path == "-" ? "standard input" : input.path;
    cli::Progress progress(name, size.value_or(0));
    audit.on_progress([&progress](std::uint64_t done) {
      progress.show(done);
      return !cli::stop_requested();
    });
    auto reading = reader_options(input);
    reading.defer_bodies = true;
    StreamReader reader(fd->get(), reading);
    TWINCHAIN_TRY(audit.read(name, reader, input.kind));
  }
  return {};
}

/// Anchors may come long after their links: what memory has lost, a second reading finds.
Status read_inputs_again(chain::Audit& audit, const std::vector<storage::Input>& inputs) {
  if (!audit.wants_second_reading()) return {};
  for (const storage::Input& input : inputs) {
    if (input.path.empty() || input.path == "-") continue;
    auto fd = cli::open_input(input.path);
    if (!fd) return pass(fd);
    if (!cli::regular_file_size(fd->get())) continue;
    StreamReader reader(fd->get(), reader_options(input));
    TWINCHAIN_TRY(audit.read_again(reader));
  }
  return {};
}

Result<ExitCode> print_report(const chain::AuditReport& report, const Options& options) {
  if (!options.quiet) {
    const std::string text = options.json ? chain::report_json(report) : chain::report_text(report);
    TWINCHAIN_TRY(write_all(STDOUT_FILENO, as_bytes(text)));
  }
  return report.code();
}

Result<ExitCode> run(const Options& options) {
  auto inputs = storage::list_inputs(
      real_fs(), options.inputs.empty() ? std::vector<std::string>{"-"} : options.inputs);
  if (!inputs) return pass(inputs);
  auto blocks = open_blocks(options);
  if (!blocks) return pass(blocks);
  auto how = audit_options(options, *blocks);
  if (!how) return pass(how);
  how->dropped_below = std::move(inputs->dropped_below);
  chain::Audit audit(std::move(*how));
  TWINCHAIN_TRY(read_inputs(audit, inputs->list));
  TWINCHAIN_TRY(read_inputs_again(audit, inputs->list));
  return print_report(audit.finish(), options);
}

Result<ExitCode> run_bundle(const Options& options) {
  auto blocks = open_blocks(options);
  if (!blocks) return pass(blocks);
  auto audit = audit_options(options, *blocks);
  if (!audit) return pass(audit);
  chain::EvidenceOptions how;
  how.audit = std::move(*audit);
  if (!options.policy.empty()) {
    auto text = read_file(options.policy, max_policy_size);
    if (!text) return pass(text);
    how.policy_text = std::string(as_text(*text));
  }
  chain::EvidenceCheck check(std::move(how));
  for (const std::string& path : options.inputs) {
    const storage::Input input{path, chain::InputKind::stream};
    auto fd = cli::open_input(input.path);
    if (!fd) return pass(fd);
    const std::string name = path == "-" ? "standard input" : path;
    cli::Progress progress(name, cli::regular_file_size(fd->get()).value_or(0));
    check.on_progress([&progress](std::uint64_t done) {
      progress.show(done);
      return !cli::stop_requested();
    });
    StreamReader reader(fd->get(), reader_options(input));
    TWINCHAIN_TRY(check.read(name, reader));
  }
  return print_report(check.finish(), options);
}

/// Calls take(frame) for each frame; damage is told, and goes on.
template <class Take>
Status read_frames(const std::vector<std::string>& paths, Take take) {
  auto inputs = storage::list_inputs(real_fs(), paths);
  if (!inputs) return pass(inputs);
  for (const storage::Input& input : inputs->list) {
    auto fd = cli::open_input(input.path);
    if (!fd) return pass(fd);
    const auto size = cli::regular_file_size(fd->get());
    if (input.kind == chain::InputKind::active_segment && size && *size < preamble_size) continue;
    cli::Progress progress(input.path, size.value_or(0));
    StreamReader reader(fd->get(), reader_options(input));
    while (true) {
      auto event = reader.next();
      if (!event) return pass(event);
      if (event->kind == StreamEventKind::finished) break;
      if (event->kind == StreamEventKind::stopped) return fail(ExitCode::loss, "stopped");
      if (event->kind == StreamEventKind::frame) {
        TWINCHAIN_TRY(take(event->frame));
        reader.recycle(std::move(event->frame.body));
        progress.show(reader.offset());
      } else if (event->kind != StreamEventKind::end) {
        cli::warn(escape(input.path) + " at byte " + decimal(event->offset) + ": " +
                  event->message);
      }
    }
  }
  return {};
}

Result<ExitCode> run_blocks(const Options& options) {
  constexpr std::uint32_t usual_depth = 6;
  const std::uint32_t min_depth = options.min_depth > 0 ? options.min_depth : usual_depth;
  auto parameters = read_network(options.network);
  if (!parameters) return pass(parameters);
  const unsigned threads = std::clamp(std::thread::hardware_concurrency(), 1U, 4U);
  net::RecordInBlocks record(std::move(*parameters), threads,
                             system_clock().wall_ns() / 1'000'000'000);
  TWINCHAIN_TRY(read_frames(options.inputs, [&record](const Frame& frame) {
    record.add_record_frame(frame);
    return Status();
  }));
  TWINCHAIN_TRY(read_frames({options.chain}, [&record](const Frame& frame) {
    Status added = record.add_chain_frame(frame);
    if (added || added.error().code != ExitCode::malformed) return added;
    cli::warn(added.error().message);
    return Status();
  }));
  auto report = record.finish();
  if (!report) return pass(report);
  if (!options.quiet) {
    TWINCHAIN_TRY(
        write_all(STDOUT_FILENO, as_bytes(options.json ? report_json(*report, min_depth)
                                                       : report_text(*report, min_depth))));
  }
  return report->code(min_depth);
}

Result<chain::CheckpointFile> read_checkpoint_file(const std::string& path) {
  auto text = read_file(path, max_note_bytes);
  if (!text) return pass(text);
  auto file = chain::parse_checkpoint_file(*text);
  if (!file) file.error().message = escape(path) + ": " + file.error().message;
  return file;
}

Result<ExitCode> run_note(const Options& options) {
  auto file = read_checkpoint_file(options.proof);
  if (!file) return pass(file);
  chain::CheckpointReport report;
  report.checkpoint = file->checkpoint;
  if (file->frame) report.proven_frame = file->frame->index;
  if (file->consistency) report.old_size = file->consistency->old_size;
  for (const std::string& one : options.note_keys) {
    const auto key = parse_note_key(one);
    if (!key) return fail(ExitCode::usage, "--note-key: not a verifier key: " + escape(one));
    report.signatures.push_back({*key, verify_note(file->note, *key)});
  }
  if (!options.old_note.empty()) {
    if (!file->consistency) {
      return fail(ExitCode::usage, "--old: " + escape(options.proof) + " is no consistency proof",
                  "store consistency makes one");
    }
    auto older = read_checkpoint_file(options.old_note);
    if (!older) return pass(older);
    report.continues =
        chain::check_continues(older->checkpoint, *file->consistency, file->checkpoint);
  }
  if (!options.target.empty()) {
    auto fd = cli::open_input(options.target);
    if (!fd) return pass(fd);
    StreamReader reader(fd->get(), reader_options({options.target}));
    auto head = chain::read_link_checkpoint(report.checkpoint);
    report.found = !head         ? pass(head)
                   : file->frame ? chain::find_proven_frame(reader, *head, *file->frame)
                                 : chain::find_checkpoint(reader, *head);
    if (!*report.found && report.found->error().code == ExitCode::system)
      return pass(*report.found);
  }
  if (!options.quiet) {
    TWINCHAIN_TRY(write_all(STDOUT_FILENO, as_bytes(chain::checkpoint_report_text(report))));
  }
  return report.code();
}

Result<Bytes> digest_of(const std::string& path, ledger::OtsOperation operation) {
  auto fd = cli::open_input(path);
  if (!fd) return pass(fd);
  cli::Progress progress(path, cli::regular_file_size(fd->get()).value_or(0));
  auto digest = ledger::ots_digest(fd->get(), operation,
                                   [&progress](std::uint64_t done) { progress.show(done); });
  if (!digest) digest.error().message = escape(path) + ": " + digest.error().message;
  return digest;
}

/// What `ots verify` of the reference client takes, too: the proof's name without its ending.
std::string target_of(const Options& options) {
  constexpr std::string_view ending = ".ots";
  if (!options.target.empty() || !options.proof.ends_with(ending)) return options.target;
  std::string beside = options.proof.substr(0, options.proof.size() - ending.size());
  struct stat info{};
  return !beside.ends_with('/') && ::stat(beside.c_str(), &info) == 0 ? beside : std::string();
}

Result<ExitCode> run_ots(const Options& options) {
  auto file = read_file(options.proof, ledger::max_ots_file_bytes);
  if (!file) return pass(file);
  auto proof = ledger::parse_ots(*file);
  if (!proof) {
    proof.error().message = escape(options.proof) + ": " + proof.error().message;
    return pass(proof);
  }
  auto blocks = open_blocks(options);
  if (!blocks) return pass(blocks);
  ledger::OtsReport report;
  report.proof_name = options.proof;
  report.target_name = target_of(options);
  if (!report.target_name.empty()) {
    auto digest = digest_of(report.target_name, proof->file_hash);
    if (!digest) return pass(digest);
    report.target = std::move(*digest);
  }
  const auto find_block = [&blocks](std::string_view network, std::uint32_t height) {
    return blocks->at(network, height);
  };
  TWINCHAIN_TRY(ledger::check_ots(*proof, find_block, std::max(options.min_depth, 1U), report));
  if (!options.quiet) {
    const std::string text =
        options.json ? ledger::ots_report_json(report) : ledger::ots_report_text(report);
    TWINCHAIN_TRY(write_all(STDOUT_FILENO, as_bytes(text)));
  }
  return report.code();
}

/// Ledgers and headers: in every form.
void define_blocks(CLI::App& app, Options& options) {
  app.add_option("--ledger", options.ledgers, "Ledger to check anchors with; may be repeated")
      ->type_name("URL");
  app.add_option("--headers", options.headers, "Block headers to check anchors with")
      ->type_name("FILE");
  app.add_option("--network", options.network,
                 "Network of the headers: its name; or the file of its parameters, for mnode: too")
      ->type_name("NAME|FILE");
  app.add_option("--first-height", options.first_height, "Height of the first header")
      ->type_name("N");
  app.add_option("--checkpoint", options.checkpoint, "Hash of the first header's block")
      ->type_name("HASH");
  app.add_flag("--offline", options.offline, "Ask no ledger: time stays unproven");
  app.add_option("--cookie-file", options.cookie_file, "Cookie of the ledger's node")
      ->type_name("FILE");
  app.add_option("--credentials-file", options.credentials_file,
                 "File with user:password of the ledger's node")
      ->type_name("FILE");
  app.add_option("--timeout", options.timeout, "For an answer of the ledger's node")
      ->type_name("T");
  app.add_option("--min-depth", options.min_depth, "Blocks that an anchor must be deep")
      ->type_name("N");
  app.add_flag("--json", options.json, "Report as JSON");
  app.add_flag("-q,--quiet", options.quiet, "Print nothing: the exit code is the verdict");
}

/// Who must have signed: of a record and of evidence.
void define_policy(CLI::App& app, Options& options) {
  app.add_option("--key", options.keys, "Public key that is trusted; may be repeated")
      ->type_name("FILE.pub");
  app.add_option("--cosigner", options.cosigners,
                 "Public key of a further party whose counter-signatures count; may be repeated")
      ->type_name("FILE.pub");
  app.add_option("--policy", options.policy, "What must hold")->type_name("FILE");
  app.add_option("--tsa-ca", options.timestamp_certificates,
                 "Certificates (PEM) of the time-stamp authorities that are believed, or of their "
                 "issuers; may be repeated")
      ->type_name("FILE");
  app.add_option("--threads", options.threads, "Threads that hash")->type_name("N");
  app.add_option("--largest-gap", options.largest_gap, "Longest gap between windows that is fine")
      ->type_name("T");
}

void define_plain(CLI::App& app, Options& options) {
  app.add_option("INPUT", options.inputs, "Stream files, \"-\", or the folder of a store");
  define_policy(app, options);
  define_blocks(app, options);
  app.add_option("--head", options.head, "Link hash that must be in the record")->type_name("HEX");
  app.add_flag("--partial", options.partial, "A cut, or some channels, is what was asked for");
}

void define_commands(CLI::App& app, Options& options) {
  app.require_subcommand(0, 1);
  CLI::App* bundle = app.add_subcommand("bundle", "Check evidence bundles, see store evidence");
  bundle->callback([&options] { options.command = "bundle"; });
  bundle->add_option("FILE", options.inputs, "The bundles, or \"-\"")->required();
  define_policy(*bundle, options);
  define_blocks(*bundle, options);
  CLI::App* blocks = app.add_subcommand("blocks", "Check that a record is in blocks, see twin-tx");
  blocks->callback([&options] { options.command = "blocks"; });
  blocks->add_option("INPUT", options.inputs, "Stream files, \"-\", or the folder of a store")
      ->required();
  blocks->add_option("--chain", options.chain, "The blocks: the folder of a store, or a stream")
      ->type_name("CHAIN")
      ->required();
  blocks
      ->add_option("--network", options.network, "Parameters of the network (what the chain says)")
      ->type_name("FILE");
  blocks->add_option("--min-depth", options.min_depth, "Blocks that the record must be deep (6)")
      ->type_name("N");
  blocks->add_flag("--json", options.json, "Report as JSON");
  blocks->add_flag("-q,--quiet", options.quiet, "Print nothing: the exit code is the verdict");
  CLI::App* note = app.add_subcommand("note", "Check a checkpoint, see hashchain checkpoint");
  note->callback([&options] { options.command = "note"; });
  note->add_option("FILE", options.proof, "The signed note")->required();
  note->add_option("STREAM", options.target, "The record that it should be of");
  note->add_option("--old", options.old_note,
                   "The older checkpoint that a consistency proof leads from")
      ->type_name("OLD.note");
  note->add_option("--note-key", options.note_keys,
                   "Verifier key that must have signed; may be repeated")
      ->type_name("VKEY")
      ->allow_extra_args(false);
  note->add_flag("-q,--quiet", options.quiet, "Print nothing: the exit code is the verdict");
  CLI::App* ots = app.add_subcommand("ots", "Check an OpenTimestamps proof");
  ots->add_option("FILE.ots", options.proof, "The proof")->required();
  ots->add_option("TARGET", options.target,
                  "The file that it is about; by default FILE, when that is there");
  define_blocks(*ots, options);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  const cli::Tool tool{
      "verify",
      "Checks a sealed record: who signed it, what is whole, what is not, and since when it exists",
      "verify --key node.pub --ledger dir:ledger lorry.twin\n"
      "verify --key node.pub --offline --json record/\n"
      "verify bundle --key node.pub --headers bitcoin.headers incident.twin\n"
      "verify ots letter.txt.ots --headers bitcoin.headers"};
  const cli::ToolForm form = cli::tool_form(argc, argv, {"bundle", "blocks", "note", "ots"});
  const auto define = [&](CLI::App& app) {
    if (form != cli::ToolForm::command) define_plain(app, options);
    if (form != cli::ToolForm::plain) define_commands(app, options);
  };
  return cli::run_tool(argc, argv, tool, define, [&]() -> Result<ExitCode> {
    if (options.command == "bundle") return run_bundle(options);
    if (options.command == "blocks") return run_blocks(options);
    if (options.command == "note") return run_note(options);
    if (form == cli::ToolForm::command) return run_ots(options);
    return run(options);
  });
}
