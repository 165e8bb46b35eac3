// What tools ask a node: coins, where a transaction is. Floor 6.
#pragma once

#include <deque>
#include <unordered_map>

#include "twinchain/net/node_context.hpp"

namespace twinchain::net {

/// The coins that the next block may spend of one script: those of the chain and of the pool,
/// without what the pool spends. Goes through the whole set of coins.
Result<Coins> find_coins(const NodeContext& node, ByteView script_pubkey);

/// Finds transactions in blocks. Remembers which txids (8 bytes of each) a block has, once it was
/// looked through, so that the next question does not read it again.
class TransactionFinder {
 public:
  /// Blocks that one question looks through: the asker goes on from there when the tip is higher.
  static constexpr std::uint32_t blocks_a_question = 100;
  static constexpr std::size_t max_remembered = std::size_t{1} << 22;  ///< txids; 32 MiB

  /// Pool first, then the blocks of the chain from first_height on.
  Result<FoundTransaction> find(const NodeContext& node, const FindTransaction& question);

 private:
  Result<bool> look_into(const NodeContext& node, const HeaderNode& at, FoundTransaction& answer);
  void remember(const Hash256& block, const NetBlock& body);

  std::unordered_map<Hash256, std::vector<std::uint64_t>, HashHasher> blocks_;  ///< sorted
  std::deque<Hash256> order_;
  std::size_t remembered_ = 0;
};

}  // namespace twinchain::net
