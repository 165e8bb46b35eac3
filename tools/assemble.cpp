// assemble: the new full node. Skeletons in, blocks out.

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <thread>

#include "twinchain/base/hex.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/cli/files.hpp"
#include "twinchain/cli/run_tool.hpp"
#include "twinchain/net/assembler.hpp"
#include "twinchain/net/outsourced_blocks.hpp"

namespace {

using namespace twinchain;

struct Options {
  std::string input;
  std::vector<std::string> peers;
  std::string folder;
  std::string network;
  std::vector<std::string> listen;
  std::string metrics;
  bool daemon = false;
  bool no_output = false;
  unsigned threads = 0;
  std::string pool_size = "512MiB";
  std::vector<std::string> storage_nodes;
  std::string outsource_above = "10GiB";
  std::size_t outsource_copies = 1;
  std::size_t outsource_keep = 100;
};

/// The node's folder of a filter that is to leave nothing behind.
class TemporaryFolder {
 public:
  Status make() {
    std::error_code error;
    const auto base = std::filesystem::temp_directory_path(error);
    std::string pattern = (error ? std::string("/tmp") : base.string()) + "/assemble-XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr) {
      return std::unexpected(errno_error("temporary folder", errno));
    }
    path_ = pattern;
    return {};
  }
  TemporaryFolder() = default;
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

Result<std::uint64_t> parse_size(const char* option, const std::string& text) {
  const auto size = parse_size_bytes(text);
  if (!size) {
    return fail(ExitCode::usage, std::string(option) + ": not a size: " + escape(text),
                "a number and perhaps a unit: 4096, 64MiB");
  }
  return *size;
}

Result<std::unique_ptr<net::BlockStore>> open_bodies(const Options& options,
                                                     const net::ChainParameters& parameters) {
  net::OutsourcedOptions outsource;
  for (const std::string& text : options.storage_nodes) {
    auto node = net::parse_server_peer(text);
    if (!node) return pass(node);
    outsource.transport.nodes.push_back(std::move(*node));
  }
  auto above = parse_size("--outsource-above", options.outsource_above);
  if (!above) return pass(above);
  outsource.local_limit_bytes = *above;
  outsource.copies = options.outsource_copies;
  outsource.keep_blocks = options.outsource_keep;
  outsource.transport.key_file = options.folder + "/node.key";
  outsource.transport.stop_fd = cli::source_stop_fd();
  outsource.import_file = options.folder + "/blocks";
  outsource.note = [](const std::string& line) { cli::note(line); };
  return net::open_outsourced_blocks(real_fs(), options.folder + "/bodies", parameters, outsource);
}

Result<net::DaemonOptions> daemon_options(const Options& options) {
  net::DaemonOptions daemon;
  daemon.folder = options.folder;
  daemon.listen = options.listen;
  daemon.metrics_listen = options.metrics;
  daemon.threads =
      options.threads != 0 ? options.threads : std::max(1U, std::thread::hardware_concurrency());
  daemon.stop_fd = cli::source_stop_fd();
  daemon.note = [](const std::string& line) { cli::note(line); };
  daemon.detail = [](const std::string& line) { cli::detail(line); };
  auto pool = parse_size("--pool-size", options.pool_size);
  if (!pool) return pass(pool);
  daemon.storage.pool.memory_bytes = *pool;
  for (const std::string& text : options.peers) {
    auto peer = net::parse_server_peer(text);
    if (!peer) return pass(peer);
    daemon.peers.push_back(std::move(*peer));
  }
  auto parameters = net::find_parameters(real_fs(), options.network, options.folder, daemon.peers,
                                         daemon.stop_fd, daemon.note);
  if (!parameters) return pass(parameters);
  daemon.parameters = std::move(*parameters);
  return daemon;
}

/// Where others can connect: on standard output when that has nothing else.
Status tell_addresses(const net::NodeDaemon& daemon, bool to_output) {
  std::vector<std::string> lines;
  for (const std::string& address : daemon.addresses()) lines.push_back("listening on " + address);
  if (!daemon.metrics_address().empty()) lines.push_back("figures on " + daemon.metrics_address());
  if (!lines.empty()) lines.push_back("node key " + to_hex(daemon.node_key()));
  for (const std::string& line : lines) {
    if (to_output) {
      TWINCHAIN_TRY(write_all(STDOUT_FILENO, as_bytes(line + "\n")));
    } else {
      cli::note(line);
    }
  }
  return {};
}

Result<ExitCode> assemble(Options options) {
  if (options.daemon && options.folder.empty()) {
    return fail(ExitCode::usage, "--daemon wants a folder to keep its blocks in", "give --dir DIR");
  }
  if (!options.daemon && options.peers.empty()) {
    return fail(ExitCode::usage, "without a peer there are no transactions",
                "give --peer HOST:PORT, or --daemon with --listen");
  }
  net::AssemblerOptions assembler;
  UniqueFd input;
  if (!options.daemon) {
    auto opened = cli::open_input(options.input);
    if (!opened) return pass(opened);
    input = std::move(*opened);
    assembler.input_fd = input.get();
  }
  auto output = cli::Output::open(options.no_output ? "-" : "", !options.no_output);
  if (!output) return pass(output);
  if (!options.no_output) assembler.output_fd = output->fd();
  TemporaryFolder temporary;
  if (options.folder.empty()) {
    TWINCHAIN_TRY(temporary.make());
    options.folder = temporary.path() + "/node";
  }
  auto daemon = daemon_options(options);
  if (!daemon) return pass(daemon);
  assembler.daemon = std::move(*daemon);
  const net::ChainParameters parameters = assembler.daemon.parameters;  // the bodies refer to them
  if (!options.storage_nodes.empty()) {
    TWINCHAIN_TRY(real_fs().make_folders(options.folder));
    auto bodies = open_bodies(options, parameters);
    if (!bodies) return pass(bodies);
    assembler.daemon.blocks = std::move(*bodies);
  }
  assembler.error = cli::print_error;
  assembler.ready = [&](const net::NodeDaemon& running) {
    return tell_addresses(running, options.no_output);
  };
  auto result = net::run_assembler(std::move(assembler));
  if (!result) return pass(result);
  if (!options.daemon) {
    cli::detail(std::to_string(result->assembled) + " of " + std::to_string(result->skeletons) +
                " skeletons assembled, " + std::to_string(result->blocks) +
                " blocks became part of the chain");
    if (result->assembled < result->skeletons) {
      cli::print_error({result->verdict(),
                        std::to_string(result->skeletons - result->assembled) + " of " +
                            std::to_string(result->skeletons) + " skeletons did not become blocks" +
                            (result->invalid > 0 ? ", some break the rules" : ""),
                        result->invalid > 0 ? "" : "their transactions could not be had"});
    }
  }
  return options.daemon ? ExitCode::success : result->verdict();
}

void define(CLI::App& app, Options& options) {
  app.add_option("INPUT", options.input, "Twin stream with SKELETON frames (standard input)");
  app.add_option("--peer", options.peers,
                 "Node to be connected to, which must have the KEY; may be repeated")
      ->type_name("HOST:PORT[#KEY]");
  app.add_option("--dir", options.folder,
                 "Keep blocks, headers and coins here (a temporary folder)")
      ->type_name("DIR");
  app.add_option("--network", options.network,
                 "Parameters of the network (those that DIR was made with, or those of a peer)")
      ->type_name("FILE");
  app.add_option("--listen", options.listen,
                 "Let others connect here; port 0 is a free one; may be repeated")
      ->type_name("HOST:PORT");
  app.add_option("--metrics", options.metrics, "Serve figures for Prometheus here")
      ->type_name("HOST:PORT");
  app.add_flag("--daemon", options.daemon, "Read no input; run until a signal comes");
  app.add_flag("--no-output", options.no_output, "Write no blocks to standard output");
  app.add_option("--threads", options.threads, "Threads that check transactions (one a processor)")
      ->type_name("N");
  app.add_option("--outsource", options.storage_nodes,
                 "Hand the oldest blocks to this storage node (store serve); may be repeated")
      ->type_name("HOST:PORT[#KEY]");
  app.add_option("--outsource-above", options.outsource_above,
                 "Hand out while the blocks here are more than this (10GiB)")
      ->type_name("SIZE");
  app.add_option("--outsource-copies", options.outsource_copies,
                 "Storage nodes that must have a block before it is removed here (1)")
      ->type_name("N");
  app.add_option("--outsource-keep", options.outsource_keep, "Newest blocks that stay here (100)")
      ->type_name("N");
  app.add_option("--pool-size", options.pool_size, "Memory of the transaction pool (512MiB)")
      ->type_name("SIZE");
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  const cli::Tool tool{
      "assemble", "Puts blocks together from skeletons, checks, keeps and hands them on",
      "mnode list 127.0.0.1:7001 | mine-skeleton --threads 2 | assemble --peer 127.0.0.1:7001 "
      "| store put chain/\n"
      "  assemble --daemon --dir node --peer 127.0.0.1:7001 --listen 0.0.0.0:7002 --no-output"};
  return cli::run_tool(
      argc, argv, tool, [&](CLI::App& app) { define(app, options); },
      [&] { return assemble(options); });
}
