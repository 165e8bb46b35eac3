// The folder of a node: everything that it keeps, opened in the right order. Floor 6.
//
//   FOLDER/lock            one process at a time
//   FOLDER/network         the parameters' file, so that a folder is never used for another network
//   FOLDER/blocks          bodies (block_store.hpp)
//   FOLDER/headers         headers (header_log.hpp)
//   FOLDER/coins/          unspent outputs (coin_database.hpp)
//   FOLDER/mempool         the pool, at a clean end and every minute (mempool.hpp)
//
// Without headers, coins or mempool they are made anew from the blocks, or asked for.
#pragma once

#include <memory>
#include <string>

#include "twinchain/net/chain_state.hpp"

namespace twinchain::net {

struct NodeStorageOptions {
  PoolLimits pool;
  storage::CoinDatabaseOptions coins;
  /// Of the disk, when `fs` is not; empty: FOLDER/coins.
  std::string coins_folder;
  HeaderTreeLimits headers;
};

/// Not thread-safe; the parts' own rules hold.
class NodeStorage {
 public:
  /// `note` is told what was repaired. `blocks`: where bodies are kept instead of the file;
  /// nullptr for the file. Errors as those of the parts; ExitCode::usage for a folder of another
  /// network or in use.
  static Result<std::unique_ptr<NodeStorage>> open(
      Fs& fs, const std::string& folder, const ChainParameters& parameters, WorkPool& workers,
      Clock& clock, const NodeStorageOptions& options,
      const std::function<void(const std::string&)>& note,
      std::unique_ptr<BlockStore> blocks = nullptr);

  [[nodiscard]] ChainState& chain() { return *chain_; }
  [[nodiscard]] BlockStore& blocks() { return *blocks_; }
  [[nodiscard]] LocalPool& pool() { return *pool_; }
  Status save_pool() { return pool_->save(fs_, folder_ + "/mempool"); }

 private:
  NodeStorage(Fs& fs, std::string folder) : fs_(fs), folder_(std::move(folder)) {}
  Status check_network(const ChainParameters& parameters);

  Fs& fs_;
  std::string folder_;
  std::unique_ptr<FileLock> lock_;
  std::unique_ptr<storage::CoinDatabase> coins_;
  std::unique_ptr<BlockStore> blocks_;
  std::unique_ptr<HeaderTree> tree_;
  std::unique_ptr<HeaderLog> header_log_;
  std::unique_ptr<LocalPool> pool_;
  std::unique_ptr<ChainState> chain_;
};

/// The parameters that a node's folder was made with; nothing when it is new. ExitCode::malformed
/// or usage when the file is not one.
Result<std::optional<ChainParameters>> stored_parameters(Fs& fs, const std::string& folder);

}  // namespace twinchain::net
