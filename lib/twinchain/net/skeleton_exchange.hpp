// Blocks as skeletons: getting the transactions together, passing skeletons on. Floor 6.
//
// A skeleton is looked at when its header has its proof of work and follows a block that is here.
// Then the set is recovered from the list it names, or from the pool; what is missing is asked of
// those who sent the skeleton. Only a whole block with the right Merkle root is judged, and only
// then is the skeleton passed on, with all that others may ask about it. When a skeleton leads
// nowhere the whole block is asked for as any other (block_sync.hpp): what is incomplete is never
// taken for invalid.
#pragma once

#include "twinchain/net/block_sync.hpp"
#include "twinchain/net/list_server.hpp"
#include "twinchain/net/skeleton_receiver.hpp"
#include "twinchain/net/skeleton_sender.hpp"
#include "twinchain/net/transaction_relay.hpp"

namespace twinchain::net {

struct SkeletonLimits {
  std::size_t assemblies = 8;     ///< blocks that are put together at a time
  std::size_t recent_blocks = 8;  ///< whose questions are answered
  std::int64_t answer_timeout_ms = 5'000;
  std::int64_t bodies_timeout_ms = 30'000;
  std::uint64_t fetched_bytes = std::uint64_t{1} << 30;  ///< bodies held of one block
};

class SkeletonExchange {
 public:
  /// A block was put together here (not downloaded) and is part of a chain now.
  using Assembled = std::function<void(const NetBlock& block, const Skeleton& skeleton)>;

  SkeletonExchange(NodeContext& node, TransactionRelay& relay, BlockSync& blocks, ListServer& lists,
                   const SkeletonLimits& limits = {})
      : node_(node), relay_(relay), blocks_(blocks), lists_(lists), limits_(limits) {}

  Status take(PeerId from, Skeleton&& message);
  Status take(PeerId from, const Symbols& message);
  Status take(PeerId from, const ShortIdList& message);
  Status take(PeerId from, BlockTransactions&& message);
  Status take(PeerId from, const NoBlock& message);
  // Questions of others.
  Status take(PeerId from, const SymbolRequest& message);
  Status take(PeerId from, const GetShortIds& message);
  Status take(PeerId from, const TransactionRequest& message);
  Status tick();
  void disconnected(PeerId peer);
  void on_assembled(Assembled call) { assembled_ = std::move(call); }

  [[nodiscard]] std::size_t in_progress() const { return assemblies_.size(); }
  [[nodiscard]] std::uint64_t assembled() const { return assembled_count_; }
  [[nodiscard]] std::uint64_t given_up() const { return given_up_; }
  [[nodiscard]] std::uint64_t symbols_received() const { return symbols_; }
  [[nodiscard]] std::uint64_t transactions_fetched() const { return fetched_; }

 private:
  struct Assembly {
    std::unique_ptr<SkeletonReceiver> receiver;
    std::vector<PeerId> sources;  ///< who sent the skeleton; the first one is asked
    std::unordered_map<Hash256, TransactionPtr, HashHasher> bodies;
    std::uint64_t bytes = 0;
    std::int64_t deadline_ms = 0;
    /// The list is known, but not all bodies are here: they are fetched as any transaction.
    bool lacks_bodies = false;
  };
  struct Recent {
    Hash256 hash{};
    Skeleton skeleton;
    std::vector<TransactionPtr> transactions;  ///< with the coinbase
    std::unique_ptr<SkeletonSender> sender;    ///< made when somebody asks
  };

  Assembly* assembly_of(const Hash256& block, PeerId from);
  Status drive(const Hash256& hash);
  Status finish(const Hash256& hash);
  Result<bool> collect(Assembly& assembly, NetBlock& block);
  Status judge(const Hash256& hash, Assembly assembly, NetBlock block);
  void give_up(const Hash256& hash);
  /// The next source is asked; false when there is none.
  bool ask_another(Assembly& assembly);
  Recent* recent(const Hash256& block);
  SkeletonSender& sender(Recent& recent);

  NodeContext& node_;
  TransactionRelay& relay_;
  BlockSync& blocks_;
  ListServer& lists_;
  SkeletonLimits limits_;
  std::map<Hash256, Assembly> assemblies_;
  std::deque<Recent> recent_;
  Assembled assembled_;
  std::uint64_t assembled_count_ = 0;
  std::uint64_t given_up_ = 0;
  std::uint64_t symbols_ = 0;
  std::uint64_t fetched_ = 0;
};

}  // namespace twinchain::net
