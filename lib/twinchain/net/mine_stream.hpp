// Mining between pipes: lists come as frames of a twin stream, skeletons go as such. Floor 6.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "twinchain/net/block_miner.hpp"

namespace twinchain::net {

struct MineStreamOptions {
  int input_fd = 0;
  int output_fd = 1;
  int stop_fd = -1;  ///< readable: drop the work. -1: none
  /// The network's rules; none: the stream's NETWORK frame is believed.
  std::optional<ChainParameters> parameters;
  MinerOptions miner;
  std::uint64_t count = 0;  ///< ends after so many blocks; 0: when the input ends
  std::function<void(const std::string&)> warn = [](const std::string&) {};
  std::function<void(const std::string&)> detail = [](const std::string&) {};
};

/// NETWORK and SNAPSHOT frames in; a NETWORK frame and, for each block, the SNAPSHOT frames of the
/// list that it is made of and a SKELETON frame out; END once the block of the last list is found.
/// Other frames are passed on. ExitCode::loss as a value when bytes of the input were damaged and
/// skipped; as an error when stopped. After an error there is no END.
Result<ExitCode> mine_stream(const MineStreamOptions& options);

}  // namespace twinchain::net
