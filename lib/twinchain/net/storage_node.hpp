// A storage node: keeps blocks for others, and gives them back. Floor 6. [0091]
//
// A state machine without sockets, as Node is (node.hpp). It follows no chain: whether a block is
// part of one is for those to know who push it here and ask for it. What it checks is that the
// block has proof of work, at least the easiest that the network has, and that its transactions are
// those of its header: then it can be looked for by its hash, and filling this disk costs work.
// Where that is too cheap (or the network's easiest target is trivial), only the nodes whose keys
// are listed may push.
//
// Bounds: a few blocks come in at a time, with a bound for all their bytes; a few peers are served
// at a time, each with a bounded queue; whoever does not go on makes room for the next.
#pragma once

#include <deque>
#include <map>
#include <optional>

#include "twinchain/base/clock.hpp"
#include "twinchain/net/block_parts.hpp"
#include "twinchain/net/node_server.hpp"
#include "twinchain/net/stored_blocks.hpp"
#include "twinchain/net/wire.hpp"

namespace twinchain::net {

struct StorageNodeOptions {
  std::string agent = "twinchain/" TWINCHAIN_VERSION;
  std::uint16_t listen_port = 0;
  /// Node keys that may push. Empty: any.
  std::vector<Hash256> allowed;
  /// Blocks that are coming in, and their bytes as announced; one block is taken however large.
  std::size_t max_uploads = 16;
  std::uint64_t max_upload_bytes = std::uint64_t{1} << 30;
  std::int64_t upload_timeout_ms = 60'000;  ///< from part to part
  std::size_t max_served = 16;              ///< peers at a time, the others wait
  std::uint64_t max_queued_bytes = std::uint64_t{8}
                                   << 20;  ///< of one peer, before it is waited for
  std::int64_t serve_timeout_ms = 60'000;  ///< a peer that takes nothing
  std::size_t max_wanted = 256;            ///< blocks that one peer may ask for at a time
  std::int64_t hello_timeout_ms = 10'000;
};

struct StorageNodeFigures {
  std::uint64_t stored_blocks = 0;  ///< since the start, as the others
  std::uint64_t stored_bytes = 0;
  std::uint64_t known_blocks = 0;    ///< pushed, and here already
  std::uint64_t refused_blocks = 0;  ///< no room, or not allowed
  std::uint64_t dropped_liars = 0;
  std::uint64_t served_blocks = 0;
  std::uint64_t served_bytes = 0;
};

class StorageNode final : public NodeEvents {
 public:
  /// All that is given must outlive it.
  StorageNode(const StorageNodeOptions& options, const ChainParameters& parameters, NodeHost& host,
              Clock& clock, StoredBlocks& blocks, WorkPool& workers);

  void connected(PeerId peer, const LinkInfo& link) override;
  void disconnected(PeerId peer) override;
  Status received(PeerId peer, std::uint16_t type, ByteView body) override;
  Status flush() override;
  Status tick() override;

  [[nodiscard]] const StorageNodeFigures& figures() const { return figures_; }
  /// {"version": 1, "role": "storage", ...}, the answer to GetStatus.
  [[nodiscard]] std::string status_json() const;
  /// Text in Prometheus' format.
  [[nodiscard]] std::string metrics() const;

 private:
  struct Upload {
    BlockParts parts;
    std::uint64_t announced_bytes = 0;
    std::int64_t until_ms = 0;
  };
  struct Serving {
    StoredBlocks::Place place;
    std::size_t next_part = 0;
  };
  struct Client {
    LinkInfo link;
    bool greeted = false;
    std::int64_t connected_ms = 0;
    std::optional<Upload> upload;
    /// Further parts of it are left: it is here, or was refused or given up.
    std::optional<Hash256> left;
    std::deque<Hash256> wanted;
    std::optional<Serving> serving;
    std::uint64_t queued_bytes = 0;  ///< as it was when it last shrank or grew
    std::int64_t progress_ms = 0;    ///< when that was
  };
  using Clients = std::map<PeerId, Client>;

  [[nodiscard]] std::int64_t now_ms() const;
  void send(PeerId peer, const Message& message);
  void misbehaved(PeerId peer, const std::string& reason);
  void greet(PeerId peer, Client& client, const Hello& hello);
  Status dispatch(PeerId peer, Client& client, Message&& message);
  Status take(PeerId peer, Client& client, BlockPart&& part);
  bool begin_upload(PeerId peer, Client& client, const BlockPart& part);
  Status complete(PeerId peer, Client& client);
  void refuse(PeerId peer, Client& client, const Hash256& block);
  void end_upload(Client& client);
  Status serve_all();
  Status serve(PeerId peer, Client& client);
  bool has_stalled(PeerId peer, Client& client);
  void ended_serving(Client& client);

  StorageNodeOptions options_;
  const ChainParameters& parameters_;
  NodeHost& host_;
  Clock& clock_;
  StoredBlocks& blocks_;
  WorkPool& workers_;
  bitcoin::UInt256 easiest_target_;
  std::string parameters_text_;
  Hash256 genesis_{};
  Clients clients_;
  std::size_t uploads_ = 0;
  std::uint64_t upload_bytes_ = 0;  ///< as announced
  std::size_t serving_ = 0;
  std::deque<PeerId> queue_;  ///< who waits to be served, each once
  StorageNodeFigures figures_;
};

}  // namespace twinchain::net
