// Mining for a node over a link: lists come from it, skeletons go to it. Floor 6.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "twinchain/net/block_miner.hpp"

namespace twinchain::net {

struct MineLinkOptions {
  std::string address;                        ///< HOST:PORT of an M-node
  std::optional<ChainParameters> parameters;  ///< none: the node's first answer is believed
  std::string key_file;                       ///< ClientOptions
  MinerOptions miner;
  std::uint64_t count = 0;  ///< ends after so many blocks; 0: when stopped
  int stop_fd = -1;
  std::function<void(const std::string&)> warn = [](const std::string&) {};
  std::function<void(const std::string&)> detail = [](const std::string&) {};
};

/// Returns when stopped or when the blocks are mined (and the node has the last one, or had time to
/// ask for it). Connects anew for as long as it takes; errors are those that this does not mend.
Result<ExitCode> mine_for_node(const MineLinkOptions& options);

}  // namespace twinchain::net
