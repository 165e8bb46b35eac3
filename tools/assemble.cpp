// assemble: the new full node. Skeletons in, blocks out.

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <sstream>

#include "twinchain/cli/files.hpp"
#include "twinchain/cli/node_options.hpp"
#include "twinchain/cli/run_tool.hpp"
#include "twinchain/net/assembler.hpp"
#include "twinchain/net/outsourced_blocks.hpp"

namespace {

using namespace twinchain;

struct Options {
  std::string input;
  net::NodeOptionTexts node;
  bool daemon = false;
  bool no_output = false;
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

Result<std::unique_ptr<net::BlockStore>> open_bodies(const Options& options,
                                                     const net::ChainParameters& parameters) {
  net::OutsourcedOptions outsource;
  auto nodes = net::parse_server_peers(options.storage_nodes);
  if (!nodes) return pass(nodes);
  outsource.transport.nodes = std::move(*nodes);
  auto above = net::parse_size_option("--outsource-above", options.outsource_above);
  if (!above) return pass(above);
  outsource.local_limit_bytes = *above;
  outsource.copies = options.outsource_copies;
  outsource.keep_blocks = options.outsource_keep;
  outsource.transport.key_file = options.node.folder + "/node.key";
  outsource.transport.stop_fd = cli::source_stop_fd();
  outsource.import_file = options.node.folder + "/blocks";
  outsource.note = cli::note;
  return net::open_outsourced_blocks(real_fs(), options.node.folder + "/bodies", parameters,
                                     outsource);
}

/// Where others can connect, if they can: on standard output when that has nothing else.
Status tell_addresses(const net::NodeDaemon& daemon, bool to_output) {
  if (daemon.addresses().empty() && daemon.metrics_address().empty()) return {};
  const std::string text =
      net::start_lines(daemon.addresses(), daemon.metrics_address(), daemon.node_key());
  if (to_output) return write_all(STDOUT_FILENO, as_bytes(text));
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) cli::note(line);
  return {};
}

Result<ExitCode> assemble(Options options) {
  if (options.daemon && options.node.folder.empty()) {
    return fail(ExitCode::usage, "--daemon wants a folder to keep its blocks in", "give --dir DIR");
  }
  if (!options.daemon && options.node.peers.empty()) {
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
  if (options.node.folder.empty()) {
    TWINCHAIN_TRY(temporary.make());
    options.node.folder = temporary.path() + "/node";
  }
  assembler.daemon.stop_fd = cli::source_stop_fd();
  assembler.daemon.note = cli::note;
  assembler.daemon.detail = cli::detail;
  TWINCHAIN_TRY(net::take_node_options(real_fs(), options.node, assembler.daemon));
  const net::ChainParameters parameters = assembler.daemon.parameters;  // the bodies refer to them
  if (!options.storage_nodes.empty()) {
    TWINCHAIN_TRY(real_fs().make_folders(options.node.folder));
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
  app.add_option("--dir", options.node.folder,
                 "Keep blocks, headers and coins here (a temporary folder)")
      ->type_name("DIR");
  net::NodeOptionTexts& node = options.node;
  cli::define_node_options(app, {node.network, node.listen, node.peers, node.metrics_listen,
                                 node.threads, node.pool_size});
  app.add_flag("--daemon", options.daemon, "Read no input; run until a signal comes");
  app.add_flag("--no-output", options.no_output, "Write no blocks to standard output");
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
