// Whole blocks. Floor 2. Source: Bitcoin Core primitives/block.h, validation.cpp (CheckBlock).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "twinchain/base/result.hpp"
#include "twinchain/bitcoin/header.hpp"
#include "twinchain/bitcoin/tx.hpp"

namespace twinchain::bitcoin {

/// Bitcoin's MAX_BLOCK_SERIALIZED_SIZE.
inline constexpr std::size_t max_block_size = 4'000'000;

struct Block {
  BlockHeader header;
  std::vector<Transaction> transactions;
  /// Litecoin: the extension block that trails a block whose last transaction is a HogEx.
  Bytes extension;
  bool operator==(const Block&) const = default;
};

/// Structure only: bounds, counts, nothing after the end but the extension block behind a HogEx.
/// Errors (ExitCode::malformed) start with "block: byte N:". Serialising gives the same bytes.
Result<Block> parse_block(ByteView bytes, std::size_t max_size = max_block_size);
Bytes serialize(const Block& block);

std::vector<Hash256> txids(const Block& block);

/// What a block must be by itself whatever its chain: first transaction and no other a coinbase,
/// Merkle root as the header says, not mutated (CVE-2012-2459), no 64-byte transaction
/// (CVE-2017-12842). ExitCode::refuted. The proof of work is checked by pow.hpp. `ids`: takes the
/// txids, which are made anyway.
Status check_block(const Block& block, std::vector<Hash256>* ids = nullptr);

/// The height that a coinbase states: the first push of its input's script (BIP 34), in shortest
/// form. Nothing when it is no coinbase or has none.
std::optional<std::uint32_t> coinbase_height(const Transaction& coinbase);
/// The beginning of a coinbase's script for a height.
void append_coinbase_height(Bytes& script_sig, std::uint32_t height);

}  // namespace twinchain::bitcoin
