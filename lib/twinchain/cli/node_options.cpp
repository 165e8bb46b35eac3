#include "twinchain/cli/node_options.hpp"

#include <CLI/CLI.hpp>

namespace twinchain::cli {

void define_node_options(CLI::App& app, const NodeOptionVariables& variables) {
  app.add_option("--network", variables.network,
                 "Parameters of the network (those that DIR was made with, or those of a peer)")
      ->type_name("FILE");
  app.add_option("--listen", variables.listen,
                 "Let others connect here; port 0 is a free one; may be repeated")
      ->type_name("HOST:PORT");
  app.add_option("--peer", variables.peers,
                 "Keep connected to this node, which must have the KEY; may be repeated")
      ->type_name("HOST:PORT[#KEY]");
  app.add_option("--metrics", variables.metrics_listen, "Serve figures for Prometheus here")
      ->type_name("HOST:PORT");
  app.add_option("--threads", variables.threads,
                 "Threads that check transactions (one a processor)")
      ->type_name("N");
  app.add_option("--pool-size", variables.pool_size, "Memory of the transaction pool (512MiB)")
      ->type_name("SIZE");
}

}  // namespace twinchain::cli
