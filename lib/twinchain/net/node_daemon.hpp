// A node as a program runs it: its folder, its links, its threads. Floor 6.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "twinchain/net/node.hpp"
#include "twinchain/net/node_server.hpp"
#include "twinchain/net/node_storage.hpp"

namespace twinchain::net {

struct DaemonOptions {
  std::string folder;
  ChainParameters parameters;
  NodeRole role = NodeRole::mnode;
  std::vector<std::string> listen;
  std::vector<ServerPeer> peers;
  std::string metrics_listen;  ///< empty: no figures
  unsigned threads = 1;        ///< that check scripts
  NodeStorageOptions storage;
  ServerLimits limits;
  int stop_fd = -1;
  std::unique_ptr<BlockStore> blocks;  ///< instead of the folder's file; nullptr for that
  /// One line each, escaped.
  std::function<void(const std::string&)> note;
  std::function<void(const std::string&)> detail;
};

class NodeDaemon final : public NodeEvents {
 public:
  /// Opens the folder, the key in it (FOLDER/node.key), and listens.
  static Result<std::unique_ptr<NodeDaemon>> open(DaemonOptions options);
  ~NodeDaemon() override;

  /// As listened to.
  [[nodiscard]] std::vector<std::string> addresses() const { return server_->addresses(); }
  [[nodiscard]] std::string metrics_address() const { return server_->metrics_address(); }
  [[nodiscard]] PublicKey node_key() const { return server_->node_key(); }
  /// In the running thread only, or before it runs.
  [[nodiscard]] Node& node() { return *node_; }
  [[nodiscard]] NodeStorage& storage() { return *storage_; }
  [[nodiscard]] NodeServer& server() { return *server_; }
  /// Called after each tick, by the running thread.
  void on_tick(std::function<Status()> call) { on_tick_ = std::move(call); }

  /// Until stopped (then the pool is saved), or the node's own error.
  Status run();

  // NodeEvents
  void connected(PeerId peer, const LinkInfo& link) override { node_->connected(peer, link); }
  void disconnected(PeerId peer) override { node_->disconnected(peer); }
  Status received(PeerId peer, std::uint16_t type, ByteView body) override {
    return node_->received(peer, type, body);
  }
  Status flush() override { return node_->flush(); }
  Status tick() override;

 private:
  explicit NodeDaemon(unsigned threads);

  std::unique_ptr<WorkPool> workers_;
  std::unique_ptr<NodeStorage> storage_;
  std::unique_ptr<NodeServer> server_;
  std::unique_ptr<Node> node_;
  std::function<Status()> on_tick_;
  std::int64_t saved_ms_ = 0;
};

/// "HOST:PORT" or "HOST:PORT#KEY": with the peer's node key in 64 hex digits. ExitCode::usage.
Result<ServerPeer> parse_server_peer(const std::string& text);
Result<std::vector<ServerPeer>> parse_server_peers(const std::vector<std::string>& texts);
/// "4096", "64MiB". ExitCode::usage, in a message that begins with the option's name.
Result<std::uint64_t> parse_size_option(const char* option, const std::string& text);

/// What programs that run a node are told alike, as a person writes it (cli/node_options.hpp).
/// Empty: not given.
struct NodeOptionTexts {
  std::string folder;
  std::string network;  ///< file of the network's parameters
  std::vector<std::string> listen;
  std::vector<std::string> peers;  ///< as parse_server_peers() takes them
  std::string metrics_listen;
  unsigned threads = 0;  ///< 0: one a processor
  std::string pool_size = "512MiB";
};
/// Takes them over into what a daemon is opened with, whose stop_fd and note are set before. The
/// rules that the node is to follow are those of the file, else those that its folder was made
/// with, else those that the first of the peers to answer names (trusted for once, and told to
/// note). ExitCode::usage when there is none of the three, or a text is none of its kind.
Status take_node_options(Fs& fs, const NodeOptionTexts& texts, DaemonOptions& into);
/// Of a file that `mnode genesis` made.
Result<ChainParameters> load_parameters(Fs& fs, const std::string& file);

/// What a program says once others can connect to it, a line each: "listening on HOST:PORT" for
/// each address, "figures on HOST:PORT" unless that is empty, "node key KEY". In one piece, so that
/// who waits for one of the lines has them all.
std::string start_lines(const std::vector<std::string>& addresses,
                        const std::string& metrics_address, const PublicKey& node_key);

}  // namespace twinchain::net
