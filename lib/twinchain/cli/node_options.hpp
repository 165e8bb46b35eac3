// The options that tools which run a node of a network have alike. Floor 1 (beside sys).
//
// What their values mean is net/node_daemon.hpp's business, which is floors above: here they are
// text.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace twinchain::cli {

/// Where the values go; an option that is not given leaves its variable as it is.
struct NodeOptionVariables {
  std::string& network;
  std::vector<std::string>& listen;
  std::vector<std::string>& peers;
  std::string& metrics_listen;
  unsigned& threads;
  std::string& pool_size;
};

/// Adds --network, --listen, --peer, --metrics, --threads and --pool-size to a tool or a command of
/// one, which has --dir too. The variables must outlive the App.
void define_node_options(CLI::App& app, const NodeOptionVariables& variables);

}  // namespace twinchain::cli
