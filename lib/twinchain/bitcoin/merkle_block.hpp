// CMerkleBlock: what the RPC gettxoutproof gives (BIP 37's partial Merkle tree). Floor 2.
#pragma once

#include <cstdint>
#include <vector>

#include "twinchain/base/result.hpp"
#include "twinchain/bitcoin/header.hpp"

namespace twinchain::bitcoin {

struct MatchedTransaction {
  Hash256 txid{};
  std::uint32_t index = 0;      ///< in the block
  std::vector<Hash256> branch;  ///< from the leaf's sibling up, as merkle_branch() gives
};

struct MerkleBlock {
  BlockHeader header;
  std::uint32_t transaction_count = 0;
  std::vector<MatchedTransaction> matches;  ///< in the order of the block
};

/// Parses and checks: the tree's root is the header's, every hash and flag bit is used, no
/// duplicated subtree (CVE-2012-2459), nothing after it. The header's proof of work is not looked
/// at. Note CVE-2017-12842: the count is the sender's word; a caller that relies on a match
/// compares with the coinbase's depth. Errors (ExitCode::malformed) start with "merkle block:".
/// `max_matches` bounds the memory: a branch each.
Result<MerkleBlock> parse_merkle_block(ByteView bytes, std::size_t max_matches = 1000);

/// The counterpart, for the embedded chain and tests: proof for the marked ones of all txids.
Bytes make_merkle_block(const BlockHeader& header, const std::vector<Hash256>& txids,
                        const std::vector<bool>& matches);

}  // namespace twinchain::bitcoin
