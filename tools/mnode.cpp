// mnode: the nodes of a network whose blocks hold a twin's data: making such a network, running a
// node, asking one.

#include <unistd.h>

#include <CLI/CLI.hpp>

#include "twinchain/base/hex.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/cli/files.hpp"
#include "twinchain/cli/node_options.hpp"
#include "twinchain/cli/run_tool.hpp"
#include "twinchain/crypto/secp256k1.hpp"
#include "twinchain/crypto/sha256.hpp"
#include "twinchain/net/chain_parameters.hpp"
#include "twinchain/net/network_frames.hpp"
#include "twinchain/net/node_client.hpp"
#include "twinchain/net/node_daemon.hpp"
#include "twinchain/net/node_status.hpp"
#include "twinchain/stream/writer.hpp"
#include "twinchain/sys/fs.hpp"

namespace {

using namespace twinchain;

struct Options {
  std::string file;
  net::ChainParameters parameters;
  std::string spacing = "10s";
  std::string half_life;
  std::string easiest = "207fffff";
  std::string block_size = "256MiB";
  std::string transaction_size = "17MiB";
  std::string data_tag = "TWIN";
  std::string time;
  std::string magic;
  std::vector<std::string> fundings;
  /// Of run; list and status have its network, too.
  net::NodeOptionTexts node;
  std::size_t max_inbound = 1'000;
  std::size_t max_inbound_per_range = 32;
  std::string receive_rate;
  // list, status
  std::string address;
  bool follow = false;
  bool json = false;
};

Result<std::uint32_t> parse_seconds(const char* option, const std::string& text) {
  const auto duration_ns = parse_duration_ns(text);
  if (!duration_ns || *duration_ns % 1'000'000'000 != 0 ||
      !std::in_range<std::uint32_t>(*duration_ns / 1'000'000'000)) {
    return fail(ExitCode::usage,
                std::string(option) + ": not a duration of whole seconds: " + escape(text),
                "a number and a unit: 10s, 10m, 2h");
  }
  return static_cast<std::uint32_t>(*duration_ns / 1'000'000'000);
}

/// Eight digits, the first byte first.
Result<std::uint32_t> parse_hex(const char* option, const std::string& text) {
  const auto bytes = from_hex(text);
  if (!bytes || bytes->size() != 4) {
    return fail(ExitCode::usage,
                std::string(option) + ": not 8 hexadecimal digits: " + escape(text));
  }
  std::uint32_t value = 0;
  for (const std::uint8_t byte : *bytes) value = value << 8 | byte;
  return value;
}

/// SATOSHI:KEY
Result<bitcoin::TxOut> parse_funding(const std::string& text) {
  const std::size_t colon = text.find(':');
  const auto amount = parse_decimal(std::string_view(text).substr(0, colon));
  const auto key = colon == std::string::npos ? std::nullopt : from_hex(text.substr(colon + 1));
  const bool is_key = key && key->size() == 33 && is_valid_public_key(*key);
  if (!amount || *amount > static_cast<std::uint64_t>(net::max_money_sat) || !is_key) {
    return fail(ExitCode::usage, "--fund: not a value and a public key: " + escape(text),
                "SATOSHI:KEY, the key compressed, in 66 hexadecimal digits");
  }
  return bitcoin::TxOut{static_cast<std::int64_t>(*amount), net::pay_to_key_hash_script(*key)};
}

Status take_options(Options& options) {
  net::ChainParameters& parameters = options.parameters;
  auto spacing = parse_seconds("--spacing", options.spacing);
  if (!spacing) return pass(spacing);
  parameters.spacing_s = *spacing;
  parameters.half_life_s =
      static_cast<std::uint32_t>(std::min<std::uint64_t>(std::uint64_t{60} * *spacing, UINT32_MAX));
  if (!options.half_life.empty()) {
    auto half_life = parse_seconds("--half-life", options.half_life);
    if (!half_life) return pass(half_life);
    parameters.half_life_s = *half_life;
  }
  auto easiest = parse_hex("--easiest-target", options.easiest);
  if (!easiest) return pass(easiest);
  parameters.easiest_bits = *easiest;
  auto block_size = net::parse_size_option("--block-size-limit", options.block_size);
  if (!block_size) return pass(block_size);
  parameters.block_limit_bytes = *block_size;
  auto transaction_size =
      net::parse_size_option("--transaction-size-limit", options.transaction_size);
  if (!transaction_size) return pass(transaction_size);
  parameters.transaction_limit_bytes = *transaction_size;
  const ByteView tag = as_bytes(options.data_tag);
  parameters.data_tag.assign(tag.begin(), tag.end());
  const auto random = random_array<4>();
  auto magic = parse_hex("--magic", options.magic.empty() ? to_hex(random) : options.magic);
  if (!magic) return pass(magic);
  parameters.magic = *magic;
  for (const std::string& text : options.fundings) {
    auto funding = parse_funding(text);
    if (!funding) return pass(funding);
    parameters.fundings.push_back(std::move(*funding));
  }
  constexpr std::int64_t second_ns = 1'000'000'000;
  const std::int64_t now_ns = system_clock().wall_ns();
  const auto time_ns = options.time.empty() ? now_ns : parse_time_option_ns(options.time, now_ns);
  if (!time_ns || !std::in_range<std::uint32_t>(*time_ns / second_ns)) {
    return fail(ExitCode::usage, "--time: not a time: " + escape(options.time),
                "write 2026-11-22T14:00:00Z, 2026-11-22, 14:00 (today, UTC) or @SECONDS");
  }
  parameters.genesis_time_s = static_cast<std::uint32_t>(*time_ns / second_ns);
  return net::check_parameters(parameters);
}

Result<ExitCode> make_genesis(Options& options) {
  TWINCHAIN_TRY(take_options(options));
  auto there = real_fs().exists(options.file);
  if (!there) return pass(there);
  if (*there) {
    return fail(ExitCode::usage,
                escape(options.file) + " is there already, parameters are never overwritten");
  }
  if (options.parameters.fundings.empty()) {
    cli::note("no --fund: only miners will have coins to pay fees with");
  }
  if (!net::mine_genesis(options.parameters, [] { return cli::stop_requested(); })) {
    return fail(ExitCode::system, "stopped before the genesis block was found");
  }
  const std::string text = net::format_parameters(options.parameters);
  // What nodes will do with the file is done here first.
  auto read = net::parse_parameters(as_bytes(text));
  if (!read) return pass(read);
  auto file = real_fs().open(options.file, OpenMode::create_new);
  if (!file) return pass(file);
  const ByteView pieces[] = {as_bytes(text)};
  TWINCHAIN_TRY((*file)->append(pieces));
  TWINCHAIN_TRY((*file)->sync());
  TWINCHAIN_TRY(real_fs().sync_folder(parent_folder(options.file)));
  const std::string id = to_hex_reversed(net::genesis_hash(options.parameters)) + "\n";
  auto output = cli::Output::open("", false);
  if (!output) return pass(output);
  TWINCHAIN_TRY(write_all(output->fd(), as_bytes(id)));
  return ExitCode::success;
}

Status print(std::string_view text) {
  return write_all(STDOUT_FILENO, as_bytes(text));
}

Result<ExitCode> run_node(const Options& options) {
  net::DaemonOptions wanted;
  wanted.stop_fd = cli::source_stop_fd();
  wanted.note = cli::note;
  wanted.detail = cli::detail;
  wanted.limits.max_inbound = options.max_inbound;
  wanted.limits.max_inbound_per_range = options.max_inbound_per_range;
  if (!options.receive_rate.empty()) {
    auto rate = net::parse_size_option("--receive-rate", options.receive_rate);
    if (!rate) return pass(rate);
    wanted.limits.received_bytes_rate = *rate;
  }
  TWINCHAIN_TRY(net::take_node_options(real_fs(), options.node, wanted));
  auto daemon = net::NodeDaemon::open(std::move(wanted));
  if (!daemon) return pass(daemon);
  TWINCHAIN_TRY(print(net::start_lines((*daemon)->addresses(), (*daemon)->metrics_address(),
                                       (*daemon)->node_key())));
  TWINCHAIN_TRY((*daemon)->run());
  return ExitCode::success;
}

Result<std::unique_ptr<net::NodeClient>> connect(const Options& options, net::NodeRole role,
                                                 std::optional<net::ChainParameters>& rules) {
  auto peer = net::parse_server_peer(options.address);
  if (!peer) return pass(peer);
  net::ClientOptions client;
  client.address = peer->address;
  client.role = role;
  client.stop_fd = cli::source_stop_fd();
  client.node_key = peer->node_key;
  if (!options.node.network.empty()) {
    auto loaded = net::load_parameters(real_fs(), options.node.network);
    if (!loaded) return pass(loaded);
    rules = std::move(*loaded);
    client.parameters = &*rules;
  }
  return net::NodeClient::connect(client);
}

/// The next whole list of a node, or nothing when stopped.
Result<std::optional<net::Snapshot>> next_list(net::NodeClient& client,
                                               net::SnapshotAssembler& assembler,
                                               const std::optional<net::Snapshot>& known) {
  while (true) {
    auto message = client.receive(-1);
    if (!message) {
      if (cli::stop_requested()) return std::nullopt;
      return pass(message);
    }
    if (!*message) continue;
    if (const auto* part = std::get_if<net::SnapshotPart>(&**message)) {
      TWINCHAIN_TRY(assembler.add(part->bytes));
      if (auto whole = assembler.take()) return std::move(*whole);
    } else if (const auto* delta = std::get_if<net::SnapshotDelta>(&**message)) {
      if (!known) return fail(ExitCode::malformed, "the node sent a change of a list nobody has");
      auto next = net::apply_snapshot_delta(*known, delta->bytes);
      if (!next) return pass(next);
      return std::move(*next);
    }
  }
}

Result<ExitCode> list(const Options& options) {
  auto output = cli::Output::open("", true);
  if (!output) return pass(output);
  std::optional<net::ChainParameters> rules;
  auto client = connect(options, net::NodeRole::miner, rules);
  if (!client) return pass(client);
  const net::ChainParameters& parameters = (*client)->parameters();
  StreamWriter writer(output->fd());
  const net::NetworkFrame network = net::network_frame(parameters);
  TWINCHAIN_TRY(writer.write(network.header, network.body));
  net::SnapshotAssembler assembler;
  std::optional<net::Snapshot> known;
  do {
    TWINCHAIN_TRY((*client)->send(net::GetSnapshot{known ? known->info.id : 0, known.has_value()}));
    auto next = next_list(**client, assembler, known);
    if (!next) return pass(next);
    if (!*next) break;
    known = std::move(**next);
    for (const net::NetworkFrame& frame : net::snapshot_frames(parameters, *known)) {
      TWINCHAIN_TRY(writer.write(frame.header, frame.body));
    }
  } while (options.follow && !cli::stop_requested());
  TWINCHAIN_TRY(writer.finish());
  return ExitCode::success;
}

Result<ExitCode> status(const Options& options) {
  std::optional<net::ChainParameters> rules;
  auto client = connect(options, net::NodeRole::user, rules);
  if (!client) return pass(client);
  auto answer = (*client)->ask<net::StatusText>(net::GetStatus{});
  if (!answer) return pass(answer);
  if (options.json) {
    TWINCHAIN_TRY(print(answer->json));
    return ExitCode::success;
  }
  auto text = net::describe_status(answer->json);
  if (!text) return pass(text);
  TWINCHAIN_TRY(print(*text));
  return ExitCode::success;
}

void define_genesis(CLI::App& app, Options& options) {
  CLI::App* genesis = app.add_subcommand("genesis", "Make a new network: its parameters' file");
  net::ChainParameters& parameters = options.parameters;
  genesis->add_option("FILE", options.file, "File to write; it must not exist")->required();
  genesis->add_option("--name", parameters.name, "Name of the network")
      ->type_name("NAME")
      ->required();
  genesis
      ->add_option("--fund", options.fundings,
                   "Give SATOSHI to the secp256k1 public KEY in block 0; may be repeated")
      ->type_name("SATOSHI:KEY");
  genesis->add_option("--spacing", options.spacing, "Time between blocks (10s)")->type_name("T");
  genesis
      ->add_option("--half-life", options.half_life,
                   "So far behind the schedule the difficulty halves (60 spacings)")
      ->type_name("T");
  genesis
      ->add_option("--easiest-target", options.easiest,
                   "No block is easier; compact form (207fffff)")
      ->type_name("BITS");
  genesis->add_option("--subsidy", parameters.subsidy_sat, "Satoshi for a block (5000000000)")
      ->type_name("SATOSHI");
  genesis
      ->add_option("--halving", parameters.halving_interval,
                   "After so many blocks the subsidy halves (200000)")
      ->type_name("BLOCKS");
  genesis
      ->add_option("--maturity", parameters.coinbase_maturity,
                   "Miners spend their coins after so many blocks (100)")
      ->type_name("BLOCKS");
  genesis->add_option("--block-size-limit", options.block_size, "Largest block (256MiB)")
      ->type_name("SIZE");
  genesis
      ->add_option("--transaction-size-limit", options.transaction_size,
                   "Largest transaction (17MiB)")
      ->type_name("SIZE");
  genesis
      ->add_option("--min-fee-rate", parameters.min_fee_rate_sat,
                   "Satoshi for 1000 bytes that nodes relay for (10)")
      ->type_name("SATOSHI");
  genesis->add_option("--data-tag", options.data_tag, "What data outputs begin with (TWIN)")
      ->type_name("TEXT");
  genesis->add_option("--message", parameters.genesis_message, "Text in the genesis block")
      ->type_name("TEXT");
  genesis->add_option("--time", options.time, "Time of the genesis block (now)")->type_name("TIME");
  genesis->add_option("--magic", options.magic, "The network's first bytes on the wire (random)")
      ->type_name("HEX");
}

void define_run(CLI::App& app, Options& options) {
  CLI::App* run = app.add_subcommand("run", "Run an M-node until a signal comes");
  run->add_option("--dir", options.node.folder, "Folder of the node; made when it is not there")
      ->type_name("DIR")
      ->required();
  net::NodeOptionTexts& node = options.node;
  cli::define_node_options(*run, {node.network, node.listen, node.peers, node.metrics_listen,
                                  node.threads, node.pool_size});
  run->add_option("--max-inbound", options.max_inbound, "Links that others may make (1000)")
      ->type_name("N");
  run->add_option("--max-inbound-per-range", options.max_inbound_per_range,
                  "Of these from one range of addresses, /16 or IPv6 /32 (32)")
      ->type_name("N");
  run->add_option("--receive-rate", options.receive_rate,
                  "Bytes a second that one peer may send (any)")
      ->type_name("SIZE");
}

void define_questions(CLI::App& app, Options& options) {
  CLI::App* list = app.add_subcommand("list", "Write a node's list of valid transactions");
  list->add_option("ADDRESS", options.address, "HOST:PORT or HOST:PORT#KEY of the node")
      ->required();
  list->add_flag("--follow", options.follow, "Go on with each newer list, until a signal comes");
  list->add_option("--network", options.node.network, "The node must be of this network")
      ->type_name("FILE");
  CLI::App* status = app.add_subcommand("status", "Show what a node has and does");
  status->add_option("ADDRESS", options.address, "HOST:PORT or HOST:PORT#KEY of the node")
      ->required();
  status->add_flag("--json", options.json, "As JSON");
  status->add_option("--network", options.node.network, "The node must be of this network")
      ->type_name("FILE");
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  const cli::Tool tool{
      "mnode", "Makes networks whose blocks hold the data of twins, runs and asks their nodes",
      "mnode genesis --name engines --fund 100000000000000:$(cat key.hex) engines.net\n"
      "  mnode run --network engines.net --dir node --listen 0.0.0.0:7001\n"
      "  mnode list 127.0.0.1:7001 | mine-skeleton --threads 2 | assemble --peer 127.0.0.1:7001 "
      "| store put chain/"};
  CLI::App* commands = nullptr;
  return cli::run_tool(
      argc, argv, tool,
      [&](CLI::App& app) {
        commands = &app;
        define_genesis(app, options);
        define_run(app, options);
        define_questions(app, options);
      },
      [&]() -> Result<ExitCode> {
        if (commands->got_subcommand("run")) return run_node(options);
        if (commands->got_subcommand("list")) return list(options);
        if (commands->got_subcommand("status")) return status(options);
        return make_genesis(options);
      });
}
