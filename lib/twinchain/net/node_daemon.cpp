#include "twinchain/net/node_daemon.hpp"

#include <algorithm>
#include <thread>

#include "twinchain/base/hex.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/net/node_client.hpp"
#include "twinchain/net/node_key.hpp"

namespace twinchain::net {
namespace {

/// The pool is a convenience: what was not saved is sent again.
constexpr std::int64_t pool_save_interval_ms = 60'000;
/// Short, so that what waits for a tick does not wait long.
constexpr int daemon_tick_ms = 50;

/// The rules that the first of the peers to answer names.
Result<ChainParameters> ask_for_parameters(const DaemonOptions& daemon) {
  Result<ChainParameters> found = fail(ExitCode::usage, "which network is not known",
                                       "give --network FILE, or a --peer to ask");
  for (const ServerPeer& peer : daemon.peers) {
    ClientOptions options;
    options.address = peer.address;
    options.node_key = peer.node_key;
    options.stop_fd = daemon.stop_fd;
    auto client = NodeClient::connect(options);
    if (!client) {
      found = pass(client);
      continue;
    }
    found = (*client)->parameters();
    daemon.note("network " + escape(found->name) + ", " + to_hex_reversed(genesis_hash(*found)) +
                ", as " + escape(peer.address) + " says");
    return found;
  }
  return found;
}

Result<ChainParameters> find_parameters(Fs& fs, const std::string& file,
                                        const DaemonOptions& daemon) {
  if (!file.empty()) return load_parameters(fs, file);
  if (!daemon.folder.empty()) {
    auto stored = stored_parameters(fs, daemon.folder);
    if (!stored) return pass(stored);
    if (*stored) return std::move(**stored);
  }
  return ask_for_parameters(daemon);
}

}  // namespace

NodeDaemon::NodeDaemon(unsigned threads)
    : workers_(std::make_unique<WorkPool>(threads, [](std::function<void()>& work) { work(); })) {}

NodeDaemon::~NodeDaemon() {
  // The server tells the node of links that end.
  node_.reset();
}

Result<std::unique_ptr<NodeDaemon>> NodeDaemon::open(DaemonOptions options) {
  std::unique_ptr<NodeDaemon> daemon(new NodeDaemon(options.threads));
  auto storage =
      NodeStorage::open(real_fs(), options.folder, options.parameters, *daemon->workers_,
                        system_clock(), options.storage, options.note, std::move(options.blocks));
  if (!storage) return pass(storage);
  daemon->storage_ = std::move(*storage);
  auto key = load_or_make_node_key(real_fs(), options.folder + "/node.key");
  if (!key) return pass(key);
  NodeDaemon* self = daemon.get();
  ServerOptions server_options{options.parameters.magic, *key, options.listen, options.peers};
  server_options.limits = options.limits;
  server_options.limits.tick_ms = daemon_tick_ms;
  server_options.metrics_listen = options.metrics_listen;
  server_options.metrics = [self] { return self->node_->metrics(); };
  server_options.stop_fd = options.stop_fd;
  server_options.note = options.detail;
  auto server = NodeServer::open(std::move(server_options));
  if (!server) return pass(server);
  daemon->server_ = std::move(*server);
  NodeOptions node_options;
  node_options.role = options.role;
  const auto addresses = daemon->server_->addresses();
  if (!addresses.empty()) {
    const std::string& first = addresses.front();
    const auto port = parse_decimal(first.substr(first.rfind(':') + 1));
    node_options.listen_port = static_cast<std::uint16_t>(port.value_or(0));
  }
  daemon->node_ = std::make_unique<Node>(node_options, options.parameters, *daemon->server_,
                                         system_clock(), daemon->storage_->chain(),
                                         daemon->storage_->blocks(), *daemon->workers_);
  return daemon;
}

Status NodeDaemon::tick() {
  TWINCHAIN_TRY(node_->tick());
  const auto now_ms = static_cast<std::int64_t>(system_clock().monotonic_ns() / 1'000'000);
  if (saved_ms_ == 0) saved_ms_ = now_ms;
  if (now_ms >= saved_ms_ + pool_save_interval_ms) {
    TWINCHAIN_TRY(storage_->save_pool());
    saved_ms_ = now_ms;
  }
  return on_tick_ ? on_tick_() : Status();
}

Status NodeDaemon::run() {
  TWINCHAIN_TRY(server_->run(*this));
  return storage_->save_pool();
}

Result<ServerPeer> parse_server_peer(const std::string& text) {
  const std::size_t mark = text.find('#');
  ServerPeer peer{text.substr(0, mark)};
  if (mark == std::string::npos) return peer;
  const auto key = from_hex(text.substr(mark + 1));
  if (!key || key->size() != 32) {
    return fail(ExitCode::usage, "not a node: " + escape(text),
                "HOST:PORT, or HOST:PORT#KEY with the node's key in 64 hexadecimal digits");
  }
  peer.node_key.emplace();
  std::ranges::copy(*key, peer.node_key->begin());
  return peer;
}

Result<std::vector<ServerPeer>> parse_server_peers(const std::vector<std::string>& texts) {
  std::vector<ServerPeer> peers;
  for (const std::string& text : texts) {
    auto peer = parse_server_peer(text);
    if (!peer) return pass(peer);
    peers.push_back(std::move(*peer));
  }
  return peers;
}

Result<ChainParameters> load_parameters(Fs& fs, const std::string& file) {
  auto text = read_whole_file(fs, file, max_parameters_file_bytes);
  if (!text) return pass(text);
  auto parameters = parse_parameters(*text);
  if (!parameters) {
    parameters.error().message = escape(file) + ": " + parameters.error().message;
    return pass(parameters);
  }
  return parameters;
}

Result<std::uint64_t> parse_size_option(const char* option, const std::string& text) {
  const auto size = parse_size_bytes(text);
  if (!size) {
    return fail(ExitCode::usage, std::string(option) + ": not a size: " + escape(text),
                "a number and perhaps a unit: 4096, 64MiB");
  }
  return *size;
}

Status take_node_options(Fs& fs, const NodeOptionTexts& texts, DaemonOptions& into) {
  into.folder = texts.folder;
  into.listen = texts.listen;
  into.metrics_listen = texts.metrics_listen;
  into.threads =
      texts.threads != 0 ? texts.threads : std::max(1U, std::thread::hardware_concurrency());
  auto pool = parse_size_option("--pool-size", texts.pool_size);
  if (!pool) return pass(pool);
  into.storage.pool.memory_bytes = *pool;
  auto peers = parse_server_peers(texts.peers);
  if (!peers) return pass(peers);
  into.peers = std::move(*peers);
  auto parameters = find_parameters(fs, texts.network, into);
  if (!parameters) return pass(parameters);
  into.parameters = std::move(*parameters);
  return {};
}

std::string start_lines(const std::vector<std::string>& addresses,
                        const std::string& metrics_address, const PublicKey& node_key) {
  std::string text;
  for (const std::string& address : addresses) text += "listening on " + address + "\n";
  if (!metrics_address.empty()) text += "figures on " + metrics_address + "\n";
  return text + "node key " + to_hex(node_key) + "\n";
}

}  // namespace twinchain::net
