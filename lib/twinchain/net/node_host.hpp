// What a node stands on: links to peers, and chance. Floor 6.
//
// The daemon implements it over sockets (node_server.hpp), the simulation over queues in virtual
// time; the node itself (node.hpp) is the same code in both.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "twinchain/base/bytes.hpp"

namespace twinchain::net {

/// Given by the host, never used twice.
using PeerId = std::uint64_t;

/// What the host knows of a link when its handshake is done.
struct LinkInfo {
  std::string address;    ///< "HOST:PORT" of the other side, as seen
  bool outbound = false;  ///< we connected
  Hash256 node_key{};     ///< the other's Ed25519 public key, proven by the handshake
  Hash256 link_secret{};  ///< known to both ends only, another one for each link
  std::string dialled;    ///< the address that we were told to connect to; empty when inbound
};

class NodeHost {
 public:
  virtual ~NodeHost() = default;
  /// Queues a whole message (header and body) on a link. Never waits. A message for a link that is
  /// gone is forgotten.
  virtual void send(PeerId peer, std::shared_ptr<const Bytes> message) = 0;
  /// Bytes queued and not yet handed to the network.
  virtual std::uint64_t queued_bytes(PeerId peer) = 0;
  /// Ends a link; the node hears disconnected() later. `misbehaved`: the address is not let in or
  /// connected to for a while.
  virtual void disconnect(PeerId peer, const std::string& reason, bool misbehaved) = 0;
  /// Connects to "HOST:PORT", once; connected() or nothing follows.
  virtual void connect(const std::string& address) = 0;
  virtual std::uint64_t random() = 0;
};

}  // namespace twinchain::net
