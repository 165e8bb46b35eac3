// Blocks to storage nodes and back, as a full node needs it (outsourced_blocks.hpp). Floor 6.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "twinchain/net/chain_parameters.hpp"
#include "twinchain/net/node_server.hpp"

namespace twinchain::net {

/// Storage nodes have numbers, from 0. One thread at a time calls push(), and one, which may be
/// another one, fetch().
class BlockTransport {
 public:
  virtual ~BlockTransport() = default;
  [[nodiscard]] virtual std::size_t nodes() const = 0;
  /// For messages.
  [[nodiscard]] virtual std::string name(std::size_t node) const = 0;
  /// Returns when the node has confirmed that the block is durable there; an error when it has not,
  /// for whatever reason.
  virtual Status push(std::size_t node, const Hash256& block, ByteView raw) = 0;
  /// Exactly so many bytes, and no more is known of them. Nothing when that node has not got it.
  virtual Result<std::optional<Bytes>> fetch(std::size_t node, const Hash256& block,
                                             std::uint64_t size_bytes) = 0;
  /// Thread-safe: a push() that is under way, and every one after, ends with an error.
  virtual void stop() = 0;
};

struct TransportOptions {
  std::vector<ServerPeer> nodes;
  std::string key_file;     ///< of this node's key; empty: a fresh one for each link
  int timeout_ms = 30'000;  ///< in which a node must go on; it has more for a large block
  int stop_fd = -1;         ///< readable: fetch() ends as well. -1: none
};
/// Over links (node_client.hpp), a new one for each block. `parameters` must outlive it.
Result<std::unique_ptr<BlockTransport>> open_block_transport(const ChainParameters& parameters,
                                                             TransportOptions options);

}  // namespace twinchain::net
