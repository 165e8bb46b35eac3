// What a command line names to be read: streams, and stores as their segments. Floor 5.
#pragma once

#include <string>
#include <vector>

#include "twinchain/chain/audit.hpp"
#include "twinchain/storage/layout.hpp"

namespace twinchain::storage {

struct Input {
  std::string path;  ///< "-" is standard input
  chain::InputKind kind = chain::InputKind::stream;
};

struct Inputs {
  std::vector<Input> list;
  /// What the stores among them say was dropped by gc.
  SourceNumbers dropped_below;
};

/// A folder is a store, whose segments are read in the order of their names. Streams are not
/// opened. ExitCode::usage for a folder that is no store.
Result<Inputs> list_inputs(Fs& fs, const std::vector<std::string>& paths);

}  // namespace twinchain::storage
