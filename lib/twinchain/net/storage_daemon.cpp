#include "twinchain/net/storage_daemon.hpp"

#include "twinchain/base/text.hpp"
#include "twinchain/net/node_key.hpp"

namespace twinchain::net {

StorageDaemon::StorageDaemon(StorageDaemonOptions options)
    : options_(std::move(options)),
      workers_(options_.threads, [](std::function<void()>& work) { work(); }) {}

StorageDaemon::~StorageDaemon() = default;

Result<std::unique_ptr<StorageDaemon>> StorageDaemon::open(StorageDaemonOptions options) {
  std::unique_ptr<StorageDaemon> daemon(new StorageDaemon(std::move(options)));
  StorageDaemon* self = daemon.get();
  const StorageDaemonOptions& own = daemon->options_;
  auto blocks = StoredBlocks::open(real_fs(), own.folder, own.parameters, own.writer, own.note);
  if (!blocks) return pass(blocks);
  daemon->blocks_ = std::move(*blocks);
  Result<SecretKey> key = SecretKey::generate();
  if (!own.key_file.empty()) key = load_or_make_node_key(real_fs(), own.key_file);
  if (!key) return pass(key);
  ServerOptions server_options{own.parameters.magic, *key, own.listen, {}};
  server_options.limits = own.limits;
  server_options.metrics_listen = own.metrics_listen;
  server_options.metrics = [self] { return self->node_->metrics(); };
  server_options.stop_fd = own.stop_fd;
  server_options.note = own.detail;
  auto server = NodeServer::open(std::move(server_options));
  if (!server) return pass(server);
  daemon->server_ = std::move(*server);
  StorageNodeOptions node_options;
  node_options.allowed = own.allowed;
  const auto addresses = daemon->server_->addresses();
  if (!addresses.empty()) {
    const std::string& first = addresses.front();
    const auto port = parse_decimal(first.substr(first.rfind(':') + 1));
    node_options.listen_port = static_cast<std::uint16_t>(port.value_or(0));
  }
  daemon->node_ = std::make_unique<StorageNode>(node_options, own.parameters, *daemon->server_,
                                                system_clock(), *daemon->blocks_, daemon->workers_);
  return daemon;
}

Status StorageDaemon::run() {
  TWINCHAIN_TRY(server_->run(*node_));
  return blocks_->close();
}

}  // namespace twinchain::net
