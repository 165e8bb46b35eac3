// store: the private node. Keeps frames durably, gives them back by time, number and channel.

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <thread>

#include "twinchain/base/hex.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/chain/checkpoint.hpp"
#include "twinchain/chain/policy.hpp"
#include "twinchain/cli/files.hpp"
#include "twinchain/cli/run_tool.hpp"
#include "twinchain/net/node_daemon.hpp"
#include "twinchain/net/storage_daemon.hpp"
#include "twinchain/record/selection.hpp"
#include "twinchain/storage/evidence.hpp"
#include "twinchain/storage/fsck_report.hpp"
#include "twinchain/storage/gc.hpp"
#include "twinchain/storage/get.hpp"
#include "twinchain/storage/put.hpp"
#include "twinchain/storage/summary.hpp"

namespace {

using namespace twinchain;

struct Options {
  std::string folder;
  std::string input;
  std::string output;
  std::string acknowledge;
  bool pass = false;
  std::string segment_size;
  std::string source;
  std::string from;
  std::string to;
  std::string sequence;
  std::vector<std::string> channels;
  std::vector<std::string> types;
  std::string policy;
  std::string old_note;
  std::string new_note;
  bool json = false;
  bool repair = false;
  std::string keep;
  std::string keep_size;
  bool force = false;
  bool dry_run = false;
  std::vector<std::string> listen;
  std::string network;
  std::string node_key;
  std::vector<std::string> allowed;
  std::string metrics;
  unsigned threads = std::max(1U, std::thread::hardware_concurrency());
};

void note(const std::string& message) {
  cli::note(message);
}
Status print(std::string_view text) {
  return write_all(STDOUT_FILENO, as_bytes(text));
}

Result<std::uint64_t> parse_segment_size(const std::string& text) {
  constexpr std::uint64_t smallest = 64 * 1024;
  constexpr std::uint64_t largest = std::uint64_t{1} << 40;
  if (text.empty()) return std::uint64_t{256} << 20;
  const auto size = parse_size_bytes(text);
  if (!size || *size < smallest || *size > largest) {
    return fail(ExitCode::usage,
                "--segment-size: not a size from 64KiB to 1024GiB: " + escape(text));
  }
  return *size;
}

Result<ExitCode> put(const Options& options) {
  auto segment_bytes = parse_segment_size(options.segment_size);
  if (!segment_bytes) return pass(segment_bytes);
  auto input = cli::open_input(options.input);
  if (!input) return pass(input);
  auto output = options.pass ? cli::Output::open("", true) : cli::Output::open("-", false);
  if (!output) return pass(output);
  storage::PutOptions put_options;
  put_options.writer.segment_bytes = *segment_bytes;
  put_options.acknowledge_folder = options.acknowledge;
  put_options.pass = options.pass;
  put_options.input_fd = input->get();
  put_options.output_fd = output->fd();
  put_options.stop_fd = cli::filter_stop_fd();
  cli::Progress progress("storing", cli::regular_file_size(input->get()).value_or(0));
  storage::PutMessages messages;
  messages.error = cli::print_error;
  messages.note = note;
  messages.progress = [&progress](std::uint64_t bytes) { progress.show(bytes); };
  auto result = storage::put_stream(real_fs(), options.folder, put_options, messages);
  if (!result) return pass(result);
  if (result->stopped) cli::note("stopped by a signal before the input ended");
  cli::detail("stored " + decimal(result->stored_frames) + " frames, " +
              decimal(result->stored_bytes) + " bytes; " + decimal(result->duplicate_frames) +
              " were there already");
  return result->verdict();
}

Result<std::optional<std::int64_t>> time_option(const char* name, const std::string& text) {
  if (text.empty()) return std::optional<std::int64_t>{};
  auto time = parse_time_option_ns(text, system_clock().wall_ns());
  if (time) return time;
  return fail(ExitCode::usage, std::string(name) + ": not a time: " + escape(text),
              "write 2026-11-22T14:00:00Z, 2026-11-22, 14:00 (today, UTC) or @SECONDS");
}

Result<FrameType> parse_type(const std::string& text) {
  std::string upper;
  for (const char c : text) upper += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  for (std::uint16_t type = 1; type <= static_cast<std::uint16_t>(FrameType::block); ++type) {
    if (upper == frame_type_name(FrameType{type}) && FrameType{type} != FrameType::end) {
      return FrameType{type};
    }
  }
  return fail(
      ExitCode::usage, "--type: no type of frame: " + escape(text),
      "schema, data, reject, link, anchor, slice, cosignature, evidence, network, snapshot, "
      "skeleton or block");
}

Result<storage::GetRequest> request_of(const Options& options) {
  storage::GetRequest request;
  if (!options.source.empty()) request.source = record::parse_source(options.source);
  auto from = time_option("--from", options.from);
  if (!from) return pass(from);
  auto to = time_option("--to", options.to);
  if (!to) return pass(to);
  request.range.from_ns = from->value_or(INT64_MIN);
  request.range.to_ns = to->value_or(INT64_MAX);
  if (request.range.from_ns >= request.range.to_ns) {
    return fail(ExitCode::usage, "--from is not before --to");
  }
  if (!options.sequence.empty()) {
    record::Selection selection;
    TWINCHAIN_TRY(record::parse_sequence_range(options.sequence, selection));
    request.first_sequence = selection.first_sequence.value_or(0);
    request.last_sequence = selection.last_sequence.value_or(UINT64_MAX);
  }
  request.channels = options.channels;
  for (const std::string& text : options.types) {
    auto type = parse_type(text);
    if (!type) return pass(type);
    request.types.insert(*type);
  }
  return request;
}

Result<ExitCode> finish_output(const storage::GetResult& result, cli::Output& output) {
  TWINCHAIN_TRY(output.commit());
  return result.damaged_frames + result.missing_schemas > 0 ? ExitCode::loss : ExitCode::success;
}

/// Sources that have a window in the range, one bundle after the other.
Result<ExitCode> write_bundles(storage::Catalog& catalog, const Options& options,
                               storage::EvidenceRequest& request, StreamWriter& writer) {
  ExitCode code = ExitCode::success;
  std::uint64_t bundles = 0;
  std::optional<Id128> source;
  while (true) {
    if (options.source.empty()) {
      auto next = catalog.next_source(source);
      if (!next) return pass(next);
      source = *next;
    } else if (source) {
      source.reset();
    } else {
      source = record::parse_source(options.source);
    }
    if (!source) break;
    request.source = *source;
    auto made = storage::write_evidence(catalog, request, writer, cli::print_error);
    if (!made) return pass(made);
    if (!*made) continue;
    ++bundles;
    if ((*made)->frames.damaged_frames + (*made)->frames.missing_schemas > 0) {
      code = ExitCode::loss;
    }
    cli::detail("source " + to_hex(*source) + ": windows " + decimal((*made)->first) + " to " +
                decimal((*made)->last) + ", proven by link " + decimal((*made)->head) + " with " +
                decimal((*made)->proof_bytes) + " bytes" +
                ((*made)->anchored ? "" : ", which is not anchored"));
    if ((*made)->unsealed_frames > 0) {
      cli::note(decimal((*made)->unsealed_frames) +
                " frames in the range are not sealed yet and are left out");
    }
    if (!(*made)->anchored) {
      cli::note("link " + decimal((*made)->head) +
                " is not anchored: the bundle proves who sealed, not when");
    }
  }
  if (bundles == 0) return fail(ExitCode::refuted, "no window in the store is in that range");
  return code;
}

Result<ExitCode> evidence(const Options& options) {
  auto range = request_of(options);
  if (!range) return pass(range);
  storage::EvidenceRequest request;
  request.range = range->range;
  request.first_sequence = range->first_sequence;
  request.last_sequence = range->last_sequence;
  request.channels = options.channels;
  if (!options.policy.empty()) {
    auto text = read_file(options.policy, chain::max_evidence_policy_size);
    if (!text) return pass(text);
    auto policy = chain::parse_policy(*text);
    if (!policy) {
      policy.error().message = escape(options.policy) + ": " + policy.error().message;
      return pass(policy);
    }
    request.policy = as_text(*text);
  }
  auto catalog = storage::Catalog::open(real_fs(), options.folder, {}, note);
  if (!catalog) return pass(catalog);
  auto output = cli::Output::open(options.output, true);
  if (!output) return pass(output);
  StreamWriter writer(output->fd());
  auto code = write_bundles(**catalog, options, request, writer);
  if (!code) return code;
  // What is damaged is told by the missing END, too.
  if (*code == ExitCode::success) TWINCHAIN_TRY(writer.finish());
  TWINCHAIN_TRY(output->commit());
  return code;
}

struct NoteOfChain {
  SignedNote note;
  chain::LinkCheckpoint head;
};
Result<NoteOfChain> read_note_of_chain(const std::string& path) {
  auto file = read_file(path, max_note_bytes);
  if (!file) return pass(file);
  const auto read = [&]() -> Result<NoteOfChain> {
    auto note = parse_note(*file);
    if (!note) return pass(note);
    auto checkpoint = parse_checkpoint(note->text);
    if (!checkpoint) return pass(checkpoint);
    auto head = chain::read_link_checkpoint(*checkpoint);
    if (!head) return pass(head);
    return NoteOfChain{std::move(*note), *head};
  };
  auto out = read();
  if (!out) out.error().message = escape(path) + ": " + out.error().message;
  return out;
}

Result<ExitCode> consistency(const Options& options) {
  auto older = read_note_of_chain(options.old_note);
  if (!older) return pass(older);
  auto newer = read_note_of_chain(options.new_note);
  if (!newer) return pass(newer);
  if (older->head.record != newer->head.record || older->head.number > newer->head.number) {
    return fail(ExitCode::usage, escape(options.new_note) +
                                     " is not a later checkpoint of the record of " +
                                     escape(options.old_note));
  }
  auto catalog = storage::Catalog::open(real_fs(), options.folder, {}, note);
  if (!catalog) return pass(catalog);
  auto source = storage::source_of_link(**catalog, newer->head.number, newer->head.link_hash);
  if (!source) return pass(source);
  if (!*source) {
    return fail(ExitCode::refuted,
                "no record in the store has the link of " + escape(options.new_note));
  }
  ConsistencyProof proof;
  proof.old_size = older->head.number + 1;
  auto hashes =
      storage::make_consistency_proof(**catalog, **source, proof.old_size, newer->head.number + 1);
  if (!hashes) return pass(hashes);
  proof.hashes = std::move(*hashes);
  proof.checkpoint = std::move(newer->note);
  auto output = cli::Output::open(options.output, false);
  if (!output) return pass(output);
  TWINCHAIN_TRY(write_all(output->fd(), as_bytes(encode_consistency_proof(proof))));
  TWINCHAIN_TRY(output->commit());
  return ExitCode::success;
}

Result<ExitCode> get(const Options& options) {
  auto request = request_of(options);
  if (!request) return pass(request);
  auto catalog = storage::Catalog::open(real_fs(), options.folder, {}, note);
  if (!catalog) return pass(catalog);
  if (request->source) {
    auto block = (*catalog)->next_block(*request->source, 0);
    if (!block) return pass(block);
    if (!*block) {
      return fail(ExitCode::refuted,
                  "no source " + escape(options.source) + " in " + escape(options.folder, 400),
                  "store ls " + escape(options.folder, 400) + " shows the sources");
    }
  }
  auto output = cli::Output::open(options.output, true);
  if (!output) return pass(output);
  StreamWriter writer(output->fd());
  auto result = storage::get_frames(**catalog, *request, writer, cli::print_error);
  if (!result) return pass(result);
  if (result->frames + result->damaged_frames == 0) {
    TWINCHAIN_TRY(output->commit());
    return fail(ExitCode::refuted, "no frame in the store is in that range");
  }
  return finish_output(*result, *output);
}

Result<ExitCode> export_store(const Options& options) {
  auto catalog = storage::Catalog::open(real_fs(), options.folder, {}, note);
  if (!catalog) return pass(catalog);
  auto output = cli::Output::open(options.output, true);
  if (!output) return pass(output);
  StreamWriter writer(output->fd());
  std::uint64_t total = 0;
  for (const storage::SegmentFile& file : (*catalog)->files()) total += file.size_bytes;
  cli::Progress progress("exporting", total);
  auto result = storage::export_frames(real_fs(), **catalog, writer, cli::print_error,
                                       [&progress](std::uint64_t bytes) { progress.show(bytes); });
  if (!result) return pass(result);
  return finish_output(*result, *output);
}

Result<ExitCode> list(const Options& options, bool info) {
  auto catalog = storage::Catalog::open(real_fs(), options.folder, {}, note);
  if (!catalog) return pass(catalog);
  Result<std::string> text;
  if (info) {
    text = options.json ? storage::info_as_json(real_fs(), **catalog)
                        : storage::info_as_text(real_fs(), **catalog);
  } else {
    text = options.json ? storage::list_as_json(real_fs(), **catalog)
                        : storage::list_as_text(real_fs(), **catalog);
  }
  if (!text) return pass(text);
  TWINCHAIN_TRY(print(*text));
  return ExitCode::success;
}

Result<ExitCode> fsck(const Options& options) {
  storage::FsckOptions fsck_options;
  fsck_options.repair = options.repair;
  std::uint64_t total = 0;
  if (auto files = storage::list_segments(real_fs(), {options.folder})) {
    for (const storage::SegmentFile& file : *files) total += file.size_bytes;
  }
  cli::Progress progress("checking", total);
  storage::FsckJson json;
  Status printed;
  auto result = storage::check_store(
      real_fs(), options.folder, fsck_options,
      [&](const storage::Finding& finding) {
        if (options.json) {
          json.add(finding);
        } else if (printed) {
          printed = print(storage::finding_as_text(finding));
        }
      },
      [&progress](std::uint64_t bytes) { progress.show(bytes); }, note);
  if (!result) return pass(result);
  if (!printed) return std::unexpected(printed.error());
  TWINCHAIN_TRY(
      print(options.json ? json.finish(*result) : storage::fsck_as_text(*result, options.folder)));
  return result->verdict();
}

Result<ExitCode> gc(const Options& options) {
  storage::GcOptions gc_options;
  if (!options.keep.empty()) {
    gc_options.keep_ns = parse_duration_ns(options.keep);
    if (!gc_options.keep_ns) {
      return fail(ExitCode::usage, "--keep: not a duration: " + escape(options.keep),
                  "write 30d, 12h or 90m");
    }
  }
  if (!options.keep_size.empty()) {
    gc_options.keep_bytes = parse_size_bytes(options.keep_size);
    if (!gc_options.keep_bytes) {
      return fail(ExitCode::usage, "--keep-size: not a size: " + escape(options.keep_size),
                  "write 500GiB or 2000GB");
    }
  }
  if (!gc_options.keep_ns && !gc_options.keep_bytes) {
    return fail(ExitCode::usage, "neither --keep nor --keep-size is given");
  }
  auto segment_bytes = parse_segment_size(options.segment_size);
  if (!segment_bytes) return pass(segment_bytes);
  gc_options.segment_bytes = *segment_bytes;
  gc_options.force = options.force;
  gc_options.dry_run = options.dry_run;
  gc_options.now_ns = system_clock().wall_ns();
  auto result = storage::collect_garbage(real_fs(), options.folder, gc_options, note);
  if (!result) return pass(result);
  if (result->dropped_segments > 0 || options.dry_run) {
    cli::note(std::string(options.dry_run ? "would drop" : "dropped") + " the data of " +
              decimal(result->dropped_segments) + " segments: " + decimal(result->dropped_frames) +
              " frames, " + decimal(result->freed_bytes) + " bytes");
  }
  if (result->held_back.empty()) return ExitCode::success;
  return fail(ExitCode::unproven, result->held_back,
              "anchor it first, or use --force to drop what no ledger has seen");
}

Result<ExitCode> serve(const Options& options) {
  net::StorageDaemonOptions daemon_options;
  auto parameters = net::load_parameters(real_fs(), options.network);
  if (!parameters) return pass(parameters);
  daemon_options.parameters = std::move(*parameters);
  for (const std::string& text : options.allowed) {
    const auto key = from_hex(text);
    if (!key || key->size() != 32) {
      return fail(ExitCode::usage, "--allow: no node key: " + escape(text),
                  "64 hexadecimal digits, as store serve and mnode run print them");
    }
    std::ranges::copy(*key, daemon_options.allowed.emplace_back().begin());
  }
  auto segment_bytes = parse_segment_size(options.segment_size);
  if (!segment_bytes) return pass(segment_bytes);
  daemon_options.writer.segment_bytes = *segment_bytes;
  daemon_options.folder = options.folder;
  daemon_options.listen = options.listen;
  daemon_options.key_file = options.node_key;
  daemon_options.metrics_listen = options.metrics;
  daemon_options.threads = options.threads;
  daemon_options.stop_fd = cli::source_stop_fd();
  daemon_options.note = note;
  daemon_options.detail = [](const std::string& line) { cli::detail(line); };
  auto daemon = net::StorageDaemon::open(std::move(daemon_options));
  if (!daemon) return pass(daemon);
  TWINCHAIN_TRY(print(net::start_lines((*daemon)->addresses(), (*daemon)->metrics_address(),
                                       (*daemon)->node_key())));
  cli::detail(decimal((*daemon)->blocks()) + " blocks in the store");
  TWINCHAIN_TRY((*daemon)->run());
  return ExitCode::success;
}

CLI::App* add_command(CLI::App& app, std::string& command, Options& options, const char* name,
                      const char* summary) {
  CLI::App* sub = app.add_subcommand(name, summary);
  sub->callback([&command, name] { command = name; });
  sub->add_option("DIR", options.folder, "Folder of the store")->required();
  return sub;
}

/// Each time it is given it takes one value, so that what follows is no further one.
void may_be_repeated(CLI::Option* option) {
  option->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

/// `what`: "frames", "windows".
void define_range(CLI::App& command, Options& options, const std::string& what) {
  command.add_option("--source", options.source, "Only this source: its name or its id");
  command.add_option("--from", options.from, "Only " + what + " at or after TIME (UTC)");
  command.add_option("--to", options.to, "Only " + what + " before TIME (UTC)");
  command.add_option("--sequence", options.sequence, "Only " + what + " A..B, both included");
}

void define_serve(CLI::App& app, std::string& command, Options& options) {
  CLI::App* serve =
      add_command(app, command, options, "serve", "Keep blocks for the nodes of a network");
  may_be_repeated(
      serve->add_option("--listen", options.listen, "Where nodes connect; may be repeated")
          ->type_name("HOST:PORT")
          ->required());
  serve->add_option("--network", options.network, "Parameters of the network (mnode genesis)")
      ->type_name("FILE")
      ->required();
  serve
      ->add_option("--node-key", options.node_key,
                   "Key of this node, made when it is not there (a fresh one)")
      ->type_name("FILE");
  may_be_repeated(serve
                      ->add_option("--allow", options.allowed,
                                   "Take blocks from the node with this key only; may be repeated")
                      ->type_name("KEY"));
  serve->add_option("--metrics", options.metrics, "Serve figures over HTTP")
      ->type_name("HOST:PORT");
  serve->add_option("--threads", options.threads, "Threads that check blocks (one a processor)")
      ->type_name("N")
      ->check(CLI::Range(1U, 256U));
  serve->add_option("--segment-size", options.segment_size,
                    "Begin a new segment file at this size (default 256MiB)");
}

void define(CLI::App& app, std::string& command, Options& options) {
  const auto add = [&](const char* name, const char* summary) {
    return add_command(app, command, options, name, summary);
  };
  CLI::App* put = add("put", "Store the frames of a twin stream durably");
  put->add_option("FILE", options.input, "Twin stream; standard input when not given or -");
  put->add_option("--acknowledge", options.acknowledge,
                  "Tell the spool of twin-record in this folder what is durable");
  put->add_flag("--pass", options.pass, "Write the stream to standard output once it is durable");
  put->add_option("--segment-size", options.segment_size,
                  "Begin a new segment file at this size (default 256MiB)");

  CLI::App* get = add("get", "Give frames back as a twin stream");
  define_range(*get, options, "frames");
  may_be_repeated(
      get->add_option("--channel", options.channels, "Only this channel; may be repeated"));
  may_be_repeated(
      get->add_option("--type", options.types, "Only frames of this type; may be repeated"));
  get->add_option("-o,--output", options.output, "Write to FILE instead of standard output");

  CLI::App* evidence =
      add("evidence", "Windows as a bundle with the proofs that they are the record's");
  define_range(*evidence, options, "windows");
  may_be_repeated(evidence->add_option("--channel", options.channels,
                                       "Show only this channel; may be repeated"));
  evidence->add_option("--policy", options.policy, "Put this policy into the bundle");
  evidence->add_option("-o,--output", options.output, "Write to FILE instead of standard output");

  CLI::App* consistency =
      add("consistency", "Proof that a checkpoint continues an older one of the same record");
  consistency->add_option("OLD.note", options.old_note, "The older checkpoint")->required();
  consistency->add_option("NEW.note", options.new_note, "The newer checkpoint")->required();
  consistency->add_option("-o,--output", options.output,
                          "Write to FILE instead of standard output");

  CLI::App* ls = add("ls", "One line a source");
  ls->add_flag("--json", options.json, "JSON");
  CLI::App* info = add("info", "Totals, segments and the head of each chain");
  info->add_flag("--json", options.json, "JSON");
  CLI::App* fsck = add("fsck", "Read every byte and report what is wrong");
  fsck->add_flag("--repair", options.repair, "Make the index anew when it is wrong");
  fsck->add_flag("--json", options.json, "JSON");
  CLI::App* export_command = add("export", "The whole store as one twin stream");
  export_command->add_option("-o,--output", options.output,
                             "Write to FILE instead of standard output");
  CLI::App* gc = add("gc", "Drop the data of the oldest segments, keep their links");
  gc->add_option("--keep", options.keep, "Drop what ended longer ago than this");
  gc->add_option("--keep-size", options.keep_size, "Drop until the segments are no larger");
  gc->add_flag("--force", options.force, "Also drop what is not anchored yet");
  gc->add_flag("--dry-run", options.dry_run, "Only say what would be dropped");
  gc->add_option("--segment-size", options.segment_size,
                 "Size of the files that keep the links (default 256MiB)");
  define_serve(app, command, options);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  std::string command;
  const cli::Tool tool{"store", "Keep a twin's frames durably, and give them back.",
                       "hashchain --key node.key --state state/ < a.twin | store put rec/\n"
                       "store get rec/ --source engine-1 --from 14:00 --to 14:20 > cut.twin"};
  return cli::run_tool(
      argc, argv, tool, [&](CLI::App& app) { define(app, command, options); },
      [&]() -> Result<ExitCode> {
        if (command == "put") return put(options);
        if (command == "get") return get(options);
        if (command == "evidence") return evidence(options);
        if (command == "consistency") return consistency(options);
        if (command == "ls") return list(options, false);
        if (command == "info") return list(options, true);
        if (command == "fsck") return fsck(options);
        if (command == "export") return export_store(options);
        if (command == "serve") return serve(options);
        return gc(options);
      });
}
