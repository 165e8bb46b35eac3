// A block's Merkle tree: root, branches. Floor 2.
//
// Bitcoin's tree: SHA-256d of pairs, the last hash of an odd row paired with itself. Two flaws are
// guarded against. CVE-2012-2459: because of the pairing with itself, a list with repeated hashes
// can have the root of a shorter one. CVE-2017-12842: an inner node is 64 bytes as a transaction
// can be, so that a "transaction" one level too high or too low can be proven; callers refuse
// 64-byte transactions and compare the depth with that of the coinbase.
// Source: Bitcoin Core consensus/merkle.cpp, merkleblock.cpp.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "twinchain/base/bytes.hpp"

namespace twinchain::bitcoin {

/// No block has 2^32 transactions.
inline constexpr std::size_t max_branch_length = 32;

/// SHA-256d(left || right).
Hash256 merkle_parent(const Hash256& left, const Hash256& right);

/// Root of the txids; zeros for none. *mutated becomes true when two neighbours that are paired
/// are equal without being the pairing of a row's last hash with itself: such a list is not what
/// the miner hashed (CVE-2012-2459), and the block is to be refused.
Hash256 merkle_root(std::span<const Hash256> txids, bool* mutated = nullptr);

/// Hashes from the leaf's sibling up to below the root. `index` must be below txids.size().
std::vector<Hash256> merkle_branch(std::span<const Hash256> txids, std::size_t index);

/// The root that a branch leads to. Nothing when the branch is longer than 32, the index has bits
/// that the branch does not use, or when the positions contradict the form of the tree: a right
/// child equal to its left sibling, or a node that was the last of its row and further up is not.
/// So each transaction of a block has one index only.
std::optional<Hash256> root_from_branch(const Hash256& txid, std::uint32_t index,
                                        std::span<const Hash256> branch);

/// Length of every branch in a block of that many transactions.
std::size_t branch_length(std::uint64_t transaction_count);

}  // namespace twinchain::bitcoin
