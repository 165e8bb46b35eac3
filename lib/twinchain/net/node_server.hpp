// Runs a node over sockets: TLS links, limits, timers. Floor 6.
//
// One thread does it all, the one that calls run(): links, the node's events, and the page of
// figures. What a node computes holds the links up; the operating system's buffers fill, and the
// peers wait: no queue grows meanwhile.
//
// Everybody may connect, so nothing that a peer does or leaves takes unbounded memory or time:
//   - places: in total, and inbound for each range of addresses;
//   - receiving: a rate of messages and bytes, above which the link is read more slowly; memory for
//     bodies only as they come, and in total, above which the link that has kept its message
//     unfinished for longest is dropped;
//   - sending: a peer that does not read is dropped with its queue;
//   - a handshake has its time; whoever misbehaved does not come back for a while.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "twinchain/base/result.hpp"
#include "twinchain/crypto/ed25519.hpp"
#include "twinchain/net/node_host.hpp"

namespace twinchain::net {

/// What happens to a node. All calls come from the thread that runs the server, none inside another
/// or inside one of NodeHost's. An error is the node's own (its disk, its database), not a peer's:
/// it ends the server.
class NodeEvents {
 public:
  virtual ~NodeEvents() = default;
  virtual void connected(PeerId peer, const LinkInfo& link) = 0;
  /// Once for each connected(); the id means nothing afterwards.
  virtual void disconnected(PeerId peer) = 0;
  /// A message whose header is good; the body is anything.
  virtual Status received(PeerId peer, std::uint16_t type, ByteView body) = 0;
  /// After a burst of received(): what can be done for many messages at once, is done here.
  virtual Status flush() = 0;
  /// Every ServerLimits::tick_ms.
  virtual Status tick() = 0;
};

struct ServerLimits {
  std::size_t max_inbound = 1000;  ///< an M-node is allowed more than an ordinary node has [0090]
  std::size_t max_outbound = 64;   ///< without those to the peers of ServerOptions
  std::size_t max_inbound_per_range = 32;  ///< of /16 (IPv4) or /32 (IPv6)
  bool exempt_loopback = true;             ///< from that
  int handshake_timeout_ms = 10'000;
  int tick_ms = 200;
  std::uint64_t ban_ms = 10 * 60'000;
  /// Of a configured peer: the first wait, doubled each time up to the longest.
  int retry_ms = 500;
  int max_retry_ms = 30'000;

  /// A peer with more than this queued must take slow_progress_bytes in slow_reader_ms.
  std::uint64_t slow_reader_bytes = std::uint64_t{64} << 20;
  std::uint64_t slow_progress_bytes = std::uint64_t{1} << 20;
  int slow_reader_ms = 30'000;
  /// With more than this it is dropped at once.
  std::uint64_t max_queued_bytes = std::uint64_t{1} << 30;

  /// For each peer, a second; 0: any. The burst is that of one second.
  std::uint64_t received_messages_rate = 10'000;
  std::uint64_t received_bytes_rate = 0;
  /// Bodies that are being received, of all peers.
  std::uint64_t max_receive_memory_bytes = std::uint64_t{512} << 20;
};

/// A peer that is connected to again and again.
struct ServerPeer {
  std::string address;                     ///< HOST:PORT, HOST a name or a number
  std::optional<PublicKey> node_key = {};  ///< it must have this key
};

struct ServerOptions {
  std::uint32_t magic = 0;
  SecretKey key;                    ///< of this node
  std::vector<std::string> listen;  ///< HOST:PORT each, port 0: a free one
  std::vector<ServerPeer> peers;
  ServerLimits limits = {};
  /// HOST:PORT of an HTTP server whose GET /metrics gives what `metrics` gives; empty: none.
  std::string metrics_listen = {};
  std::function<std::string()> metrics = {};
  /// Readable: stop. -1: none.
  int stop_fd = -1;
  /// What a person may want to know of links, one line each, escaped.
  std::function<void(const std::string& line)> note = {};
};

/// Since the start, or now.
struct ServerStats {
  std::uint64_t inbound_links = 0;
  std::uint64_t outbound_links = 0;
  std::uint64_t accepted_total = 0;
  std::uint64_t refused_total = 0;  ///< for want of a place, or banned
  std::uint64_t dropped_total = 0;  ///< by this side
  std::uint64_t banned = 0;
  std::uint64_t received_messages_total = 0;
  std::uint64_t received_bytes_total = 0;
  std::uint64_t sent_messages_total = 0;
  std::uint64_t sent_bytes_total = 0;
  std::uint64_t queued_bytes = 0;
  std::uint64_t receive_memory_bytes = 0;
};

class NodeServer final : public NodeHost {
 public:
  /// Listens, so that the ports are known; nobody is let in before run().
  /// ExitCode::usage for an address that is none, ExitCode::system when it cannot be listened to.
  static Result<std::unique_ptr<NodeServer>> open(ServerOptions options);
  ~NodeServer() override;
  NodeServer(const NodeServer&) = delete;
  NodeServer& operator=(const NodeServer&) = delete;

  /// "HOST:PORT" as listened to, in the order of the options.
  [[nodiscard]] std::vector<std::string> addresses() const;
  /// Empty when there is no such server.
  [[nodiscard]] std::string metrics_address() const;
  [[nodiscard]] PublicKey node_key() const;

  /// Returns when stopped, or with the node's error. Once.
  Status run(NodeEvents& node);
  /// Thread-safe.
  void stop();
  /// Has the running thread call this between two events. Thread-safe. An error ends the server.
  void post(std::function<Status()> call);

  // In the running thread only, or before it runs:
  void send(PeerId peer, std::shared_ptr<const Bytes> message) override;
  std::uint64_t queued_bytes(PeerId peer) override;
  void disconnect(PeerId peer, const std::string& reason, bool misbehaved) override;
  /// HOST must be a number: peers name addresses, and shall not have us look up names. Forgotten
  /// when there is no place, when the address is banned, or linked to already.
  void connect(const std::string& address) override;
  std::uint64_t random() override;
  [[nodiscard]] ServerStats stats() const;

 private:
  class Impl;
  explicit NodeServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace twinchain::net
