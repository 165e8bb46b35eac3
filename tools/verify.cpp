// verify: checks a sealed record and says what is proven and what is not.

#include <fcntl.h>
#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <thread>

#include "twinchain/base/hex.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/chain/audit.hpp"
#include "twinchain/chain/keys.hpp"
#include "twinchain/chain/report.hpp"
#include "twinchain/cli/files.hpp"
#include "twinchain/cli/run_tool.hpp"
#include "twinchain/crypto/sha256.hpp"
#include "twinchain/ledger/header_chain.hpp"
#include "twinchain/ledger/ledger.hpp"

namespace {

using namespace twinchain;

struct Options {
  std::vector<std::string> inputs;
  std::vector<std::string> keys;
  std::string policy;
  std::vector<std::string> ledgers;
  std::string headers;
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
};

constexpr std::uint64_t max_policy_size = std::uint64_t{1} << 20;

bool is_folder(const std::string& path) {
  struct stat info{};
  return path != "-" && ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

/// One thing to read: a stream, or a segment of a store.
struct Input {
  std::string path;
  chain::InputKind kind = chain::InputKind::stream;
};

Result<std::vector<Input>> find_inputs(const std::vector<std::string>& paths) {
  std::vector<Input> inputs;
  for (const std::string& path : paths) {
    if (!is_folder(path)) {
      inputs.push_back({path, chain::InputKind::stream});
      continue;
    }
    const std::string folder = path + "/segments";
    if (!is_folder(folder)) {
      return fail(ExitCode::usage, escape(path) + " is a folder, and not a store",
                  "give stream files, or the folder that store put was given");
    }
    auto names = real_fs().list(folder);
    if (!names) return pass(names);
    const std::size_t before = inputs.size();
    for (const std::string& name : *names) {
      if (name.ends_with(".twin")) {
        inputs.push_back({folder + "/" + name, chain::InputKind::segment});
      }
    }
    if (inputs.size() > before) inputs.back().kind = chain::InputKind::active_segment;
  }
  return inputs;
}

/// Blocks of the ledgers and the header file that were given.
class Blocks {
 public:
  Status open(const Options& options);
  Result<std::optional<chain::BlockPlace>> find(std::uint32_t network, const Hash256& block);
  [[nodiscard]] bool any() const { return !ledgers_.empty() || headers_; }

 private:
  struct Source {
    std::string url;
    std::unique_ptr<ledger::Ledger> ledger;
    std::optional<std::uint32_t> network;
  };
  Status open_headers(const Options& options);

  std::vector<Source> ledgers_;
  std::optional<ledger::HeaderChain> headers_;
  std::string headers_trust_;
};

/// The network whose genesis is the first header of the file.
Result<ledger::Network> network_of_genesis(const std::string& path) {
  auto fd = open_file(path, O_RDONLY);
  if (!fd) return pass(fd);
  bitcoin::BlockHeaderBytes first{};
  auto size = read_full(fd->get(), first);
  if (!size) return pass(size);
  const Hash256 hash = sha256d(first);
  for (const ledger::Network& network : ledger::networks()) {
    if (*size == first.size() && network.genesis() == hash) return network;
  }
  return fail(ExitCode::usage,
              escape(path) + " does not begin with the first block of a known network",
              "--network NAME --first-height N --checkpoint HASH say where it begins");
}

Status Blocks::open_headers(const Options& options) {
  ledger::HeaderChainOptions how;
  how.first_height = options.first_height;
  if (!options.checkpoint.empty()) {
    how.first_hash = hash_from_hex_reversed(options.checkpoint);
    if (!how.first_hash) {
      return fail(ExitCode::usage, "--checkpoint: 64 hexadecimal digits are expected");
    }
  }
  if (options.network.empty()) {
    auto network = network_of_genesis(options.headers);
    if (!network) return pass(network);
    how.network = *network;
  } else {
    const auto network = ledger::network_by_name(options.network);
    if (!network) {
      return fail(ExitCode::usage, "--network: unknown network " + escape(options.network));
    }
    how.network = *network;
  }
  auto headers = ledger::HeaderChain::open(real_fs(), options.headers, how);
  if (!headers) return pass(headers);
  headers_ = std::move(*headers);
  headers_trust_ = "by the " + std::string(how.network.name) + " headers of " +
                   escape(options.headers) + " up to block " +
                   decimal(std::uint64_t{headers_->tip().height});
  if (how.first_height > 0 && !how.first_hash) {
    headers_trust_ += ", of which the first is believed";
  }
  return {};
}

Status Blocks::open(const Options& options) {
  ledger::LedgerOptions how;
  how.cookie_file = options.cookie_file;
  how.credentials_file = options.credentials_file;
  if (!options.timeout.empty()) {
    const auto timeout_ns = parse_duration_ns(options.timeout);
    if (!timeout_ns) return fail(ExitCode::usage, "--timeout: not a duration");
    how.timeout_ms = static_cast<int>(std::min<std::int64_t>(*timeout_ns / 1'000'000, 3'600'000));
  }
  for (const std::string& url : options.ledgers) {
    auto opened = ledger::open_ledger(url, how, false);
    if (!opened) return pass(opened);
    ledgers_.push_back({url, std::move(*opened), std::nullopt});
  }
  if (!options.headers.empty()) return open_headers(options);
  return {};
}

Result<std::optional<chain::BlockPlace>> Blocks::find(std::uint32_t network, const Hash256& block) {
  const auto place = [](const ledger::BlockPosition& position, std::string trust) {
    return std::optional(chain::BlockPlace{position.on_best_chain, position.height, position.depth,
                                           position.time_s, std::move(trust)});
  };
  if (headers_ && headers_->tip().network.magic == network) {
    auto position = headers_->position(block);
    if (!position) return pass(position);
    return place(*position, headers_trust_);
  }
  std::optional<Error> away;
  for (Source& source : ledgers_) {
    if (!source.network) {
      auto tip = source.ledger->tip();
      if (!tip) {
        away = std::move(tip.error());
        continue;
      }
      source.network = tip->network.magic;
    }
    if (*source.network != network) continue;
    auto position = source.ledger->position(block);
    if (position) return place(*position, source.ledger->trust_statement());
    away = std::move(position.error());
  }
  if (away) return std::unexpected(std::move(*away));
  return std::optional<chain::BlockPlace>();
}

/// Parsing gives the same bytes again by contract, so nothing in a body goes unchecked.
Result<chain::AnchorFacts> check_receipt(ByteView body) {
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
    if (!ledger::network_by_name(name)) {
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

Result<chain::AuditOptions> audit_options(const Options& options, Blocks& blocks) {
  if (options.offline && !options.ledgers.empty()) {
    return fail(ExitCode::usage, "--offline and --ledger exclude each other");
  }
  if (options.headers.empty() && !(options.network.empty() && options.checkpoint.empty())) {
    return fail(ExitCode::usage, "--network and --checkpoint need --headers");
  }
  chain::AuditOptions out;
  auto policy = read_policy(options);
  if (!policy) return pass(policy);
  out.policy = std::move(*policy);
  if (!options.head.empty()) {
    out.head = hash_from_hex(options.head);
    if (!out.head) return fail(ExitCode::usage, "--head: 64 hexadecimal digits are expected");
  }
  TWINCHAIN_TRY(blocks.open(options));
  out.partial = options.partial;
  out.offline = options.offline;
  out.ledger_given = blocks.any();
  out.check_receipt = check_receipt;
  out.find_block = [&blocks](std::uint32_t network, const Hash256& block) {
    return blocks.find(network, block);
  };
  out.threads = options.threads > 0 ? options.threads
                                    : std::clamp(std::thread::hardware_concurrency(), 1U, 16U);
  return out;
}

Result<UniqueFd> open_one(const Input& input) {
  auto fd = cli::open_input(input.path);
  if (!fd && !input.path.empty() && input.path != "-") {
    fd.error().message = escape(input.path) + ": " + fd.error().message;
  }
  return fd;
}

StreamReader::Options reader_options(const Input& input) {
  StreamReader::Options how;
  how.end_required = input.kind == chain::InputKind::stream;
  how.stop_fd = cli::source_stop_fd();
  return how;
}

Status read_inputs(chain::Audit& audit, const std::vector<Input>& inputs) {
  for (const Input& input : inputs) {
    auto fd = open_one(input);
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
    StreamReader reader(fd->get(), reader_options(input));
    TWINCHAIN_TRY(audit.read(name, reader, input.kind));
  }
  return {};
}

/// Anchors may come long after their links: what memory has lost, a second reading finds.
Status read_inputs_again(chain::Audit& audit, const std::vector<Input>& inputs) {
  if (!audit.wants_second_reading()) return {};
  for (const Input& input : inputs) {
    if (input.path.empty() || input.path == "-") continue;
    auto fd = open_one(input);
    if (!fd) return pass(fd);
    if (!cli::regular_file_size(fd->get())) continue;
    StreamReader reader(fd->get(), reader_options(input));
    TWINCHAIN_TRY(audit.read_again(reader));
  }
  return {};
}

Result<ExitCode> run(const Options& options) {
  auto inputs =
      find_inputs(options.inputs.empty() ? std::vector<std::string>{"-"} : options.inputs);
  if (!inputs) return pass(inputs);
  Blocks blocks;
  auto how = audit_options(options, blocks);
  if (!how) return pass(how);
  chain::Audit audit(std::move(*how));
  TWINCHAIN_TRY(read_inputs(audit, *inputs));
  TWINCHAIN_TRY(read_inputs_again(audit, *inputs));
  const chain::AuditReport report = audit.finish();
  if (!options.quiet) {
    const std::string text = options.json ? chain::report_json(report) : chain::report_text(report);
    TWINCHAIN_TRY(write_all(STDOUT_FILENO, as_bytes(text)));
  }
  return report.code();
}

void define(CLI::App& app, Options& options) {
  app.add_option("INPUT", options.inputs, "Stream files, \"-\", or the folder of a store");
  // One value for each time it is said, so that the INPUT after it is not taken as another one.
  app.add_option("--key", options.keys, "Public key that is trusted; may be repeated")
      ->type_name("FILE.pub")
      ->allow_extra_args(false);
  app.add_option("--policy", options.policy, "What must hold")->type_name("FILE");
  app.add_option("--ledger", options.ledgers, "Ledger to check anchors with; may be repeated")
      ->type_name("URL")
      ->allow_extra_args(false);
  app.add_option("--headers", options.headers, "Block headers to check anchors with")
      ->type_name("FILE");
  app.add_option("--network", options.network, "Network of the headers")->type_name("NAME");
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
  app.add_option("--largest-gap", options.largest_gap, "Longest gap between windows that is fine")
      ->type_name("T");
  app.add_option("--head", options.head, "Link hash that must be in the record")->type_name("HEX");
  app.add_flag("--partial", options.partial, "A cut, or some channels, is what was asked for");
  app.add_flag("--json", options.json, "Report as JSON");
  app.add_flag("-q,--quiet", options.quiet, "Print nothing: the exit code is the verdict");
  app.add_option("--threads", options.threads, "Threads that hash")->type_name("N");
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  const cli::Tool tool{
      "verify",
      "Checks a sealed record: who signed it, what is whole, what is not, and since when it exists",
      "verify --key node.pub --ledger dir:ledger lorry.twin\n"
      "verify --key node.pub --offline --json record/"};
  return cli::run_tool(
      argc, argv, tool, [&](CLI::App& app) { define(app, options); }, [&] { return run(options); });
}
