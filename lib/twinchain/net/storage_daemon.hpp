// A storage node as a program runs it: its store, its links, its threads. Floor 6.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "twinchain/net/node_server.hpp"
#include "twinchain/net/storage_node.hpp"

namespace twinchain::net {

struct StorageDaemonOptions {
  std::string folder;  ///< of the store; made when it is not there
  ChainParameters parameters;
  std::vector<std::string> listen;
  std::string key_file;          ///< made when it is not there; empty: a fresh key
  std::vector<Hash256> allowed;  ///< node keys that may push; empty: any
  std::string metrics_listen;    ///< empty: no figures
  unsigned threads = 1;          ///< that check blocks
  storage::WriterOptions writer;
  ServerLimits limits;
  int stop_fd = -1;
  /// One line each, escaped.
  std::function<void(const std::string&)> note;
  std::function<void(const std::string&)> detail;
};

class StorageDaemon {
 public:
  /// Opens the store, which nobody else may write to meanwhile, and listens.
  static Result<std::unique_ptr<StorageDaemon>> open(StorageDaemonOptions options);
  ~StorageDaemon();
  StorageDaemon(const StorageDaemon&) = delete;
  StorageDaemon& operator=(const StorageDaemon&) = delete;

  /// As listened to.
  [[nodiscard]] std::vector<std::string> addresses() const { return server_->addresses(); }
  [[nodiscard]] std::string metrics_address() const { return server_->metrics_address(); }
  [[nodiscard]] PublicKey node_key() const { return server_->node_key(); }
  [[nodiscard]] std::size_t blocks() const { return blocks_->count(); }

  /// Until stopped, or the node's own error.
  Status run();

 private:
  explicit StorageDaemon(StorageDaemonOptions options);

  StorageDaemonOptions options_;
  WorkPool workers_;
  std::unique_ptr<StoredBlocks> blocks_;
  std::unique_ptr<NodeServer> server_;
  std::unique_ptr<StorageNode> node_;
};

}  // namespace twinchain::net
