// A block of an M-node's list, and the work for it. Floor 6.
//
// The miner has hashes of transactions only: it takes the whole list, because it can tell neither
// which transactions need which others nor how large each is. All functions are thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "twinchain/net/chain_parameters.hpp"
#include "twinchain/net/skeleton_sender.hpp"
#include "twinchain/net/snapshot.hpp"

namespace twinchain::net {

/// A block in canonical order that lacks the work.
struct PreBlock {
  bitcoin::BlockHeader header;
  bitcoin::Transaction coinbase;
  std::uint64_t extra_nonce = 0;  ///< in the coinbase
  std::uint32_t height = 0;
  std::shared_ptr<const Snapshot> list;
  std::vector<Hash256> coinbase_branch;  ///< from the coinbase to the Merkle root
};

/// The coinbase states the height (BIP 34) and takes subsidy and fees to `payout_script`; when that
/// is empty it takes nothing: one output of value 0 that nobody can spend. `now_s` is the header's
/// time unless the list says that it must be later. Two miners of one list differ in the extra
/// nonce, which is random. ExitCode::refuted for a list that no block of this network can be made
/// of: too large, a difficulty that the network does not have, fees beyond all money.
Result<PreBlock> make_pre_block(const ChainParameters& parameters,
                                std::shared_ptr<const Snapshot> list, const Bytes& payout_script,
                                std::uint64_t extra_nonce, std::uint32_t now_s);
/// Another coinbase, and so another Merkle root: a new run of nonces.
void set_extra_nonce(PreBlock& block, std::uint64_t extra_nonce);

struct PuzzleOptions {
  unsigned threads = 1;
  /// Asked some ten times a second by each thread: thread-safe.
  std::function<bool()> stop = [] { return false; };
  /// The wall clock, thread-safe. The header's time follows it while it is searched for, so that it
  /// tells the difficulty rule the truth.
  std::function<std::uint32_t()> now_s;
};

/// Finds nonce, time and extra nonce so that the header has the work that its bits ask for. False
/// when stopped first; the block is then as it was. The bits are those that make_pre_block took.
bool solve_puzzle(PreBlock& block, const PuzzleOptions& options);

/// For those who get the block's skeleton. The salt is to be random. Without `expected_extra` it is
/// what the list says, up to an eighth of its transactions: beyond that their short ids, which a
/// receiver asks for when symbols were not enough, are shorter.
std::unique_ptr<SkeletonSender> make_skeleton_sender(
    const PreBlock& block, std::uint64_t salt,
    std::optional<std::uint64_t> expected_extra = std::nullopt);

}  // namespace twinchain::net
