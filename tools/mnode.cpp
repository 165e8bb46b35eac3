// mnode: the nodes of a network whose blocks hold a twin's data. So far: making such a network.

#include <CLI/CLI.hpp>

#include "twinchain/base/hex.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/cli/files.hpp"
#include "twinchain/cli/run_tool.hpp"
#include "twinchain/crypto/secp256k1.hpp"
#include "twinchain/crypto/sha256.hpp"
#include "twinchain/net/chain_parameters.hpp"
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

Result<std::uint64_t> parse_size(const char* option, const std::string& text) {
  const auto size = parse_size_bytes(text);
  if (!size) {
    return fail(ExitCode::usage, std::string(option) + ": not a size: " + escape(text),
                "a number and perhaps a unit: 4096, 64MiB");
  }
  return *size;
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
  auto block_size = parse_size("--block-size-limit", options.block_size);
  if (!block_size) return pass(block_size);
  parameters.block_limit_bytes = *block_size;
  auto transaction_size = parse_size("--transaction-size-limit", options.transaction_size);
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

}  // namespace

int main(int argc, char** argv) {
  Options options;
  const cli::Tool tool{
      "mnode", "Makes a network whose blocks hold the data of twins",
      "mnode genesis --name engines --fund 100000000000000:$(cat key.hex) engines.net"};
  return cli::run_tool(
      argc, argv, tool, [&](CLI::App& app) { define_genesis(app, options); },
      [&] { return make_genesis(options); });
}
