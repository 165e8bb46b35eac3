// mine-skeleton: finds blocks of an M-node's lists of transactions, and gives their skeletons.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <thread>

#include "twinchain/base/hex.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/cli/files.hpp"
#include "twinchain/cli/run_tool.hpp"
#include "twinchain/crypto/secp256k1.hpp"
#include "twinchain/net/mine_link.hpp"
#include "twinchain/net/mine_stream.hpp"

namespace {

using namespace twinchain;

struct Options {
  unsigned threads = 0;
  std::string network;
  std::string pay;
  std::uint64_t count = 0;
  std::optional<std::uint64_t> extra;
  std::string to;
  std::string node_key;
  std::string output;
};

Result<net::MinerOptions> take_miner(const Options& options) {
  net::MinerOptions miner;
  miner.threads =
      options.threads > 0 ? options.threads : std::max(1U, std::thread::hardware_concurrency());
  miner.expected_extra = options.extra;
  if (options.pay.empty()) {
    cli::note("no --pay: the blocks take neither subsidy nor fees, which are lost");
    return miner;
  }
  const auto key = from_hex(options.pay);
  if (!key || key->size() != 33 || !is_valid_public_key(*key)) {
    return fail(ExitCode::usage, "--pay: not a public key: " + escape(options.pay),
                "a compressed key of secp256k1, in 66 hexadecimal digits");
  }
  miner.payout_script = net::pay_to_key_hash_script(*key);
  return miner;
}

Result<std::optional<net::ChainParameters>> take_network(const Options& options) {
  if (options.network.empty()) return std::nullopt;
  auto text = read_file(options.network, net::max_parameters_file_bytes);
  if (!text) return pass(text);
  auto parameters = net::parse_parameters(*text);
  if (!parameters) return pass(parameters);
  return std::move(*parameters);
}

Result<ExitCode> run(const Options& options) {
  auto miner = take_miner(options);
  if (!miner) return pass(miner);
  auto parameters = take_network(options);
  if (!parameters) return pass(parameters);
  if (!options.to.empty()) {
    net::MineLinkOptions link;
    link.address = options.to;
    link.parameters = std::move(*parameters);
    link.key_file = options.node_key;
    link.miner = std::move(*miner);
    link.count = options.count;
    link.stop_fd = cli::source_stop_fd();
    link.warn = cli::warn;
    link.detail = cli::detail;
    return net::mine_for_node(link);
  }
  auto input = cli::open_input("-");
  if (!input) return pass(input);
  auto output = cli::Output::open(options.output, true);
  if (!output) return pass(output);
  net::MineStreamOptions stream;
  stream.input_fd = input->get();
  stream.output_fd = output->fd();
  stream.stop_fd = cli::filter_stop_fd();
  stream.parameters = std::move(*parameters);
  stream.miner = std::move(*miner);
  stream.count = options.count;
  stream.warn = cli::warn;
  stream.detail = cli::detail;
  auto mined = net::mine_stream(stream);
  if (!mined) return pass(mined);
  TWINCHAIN_TRY(output->commit());
  return mined;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  const cli::Tool tool{
      "mine-skeleton",
      "Finds blocks of an M-node's lists of transactions, and gives their skeletons.",
      "mnode list 127.0.0.1:7001 | mine-skeleton --threads 2 | assemble --peer 127.0.0.1:7001 | "
      "store put chain/\n  mine-skeleton --to 127.0.0.1:7001 --pay 02..."};
  return cli::run_tool(
      argc, argv, tool,
      [&](CLI::App& app) {
        app.add_option("--threads", options.threads, "threads that search (default: one a core)")
            ->type_name("N")
            ->check(CLI::Range(1, 1024));
        app.add_option("--network", options.network,
                       "the network's rules (default: those that the input or the node states)")
            ->type_name("FILE");
        app.add_option("--pay", options.pay,
                       "public key that gets subsidy and fees (default: nobody gets them)")
            ->type_name("KEY");
        app.add_option("--count", options.count, "end after N blocks")
            ->type_name("N")
            ->check(CLI::PositiveNumber);
        app.add_option("--extra", options.extra,
                       "differences to a list that receivers are thought to have (default: those "
                       "the list states)")
            ->type_name("N")
            ->check(CLI::Range(0, 1'000'000));
        auto* to = app.add_option("--to", options.to,
                                  "get lists from this M-node and send skeletons to it, no pipes")
                       ->type_name("HOST:PORT");
        app.add_option("--node-key", options.node_key,
                       "Ed25519 key of the link (default: a new one)")
            ->type_name("FILE")
            ->needs(to);
        app.add_option("-o,--output", options.output, "write to FILE (default: standard output)")
            ->type_name("FILE")
            ->excludes(to);
      },
      [&] { return run(options); });
}
