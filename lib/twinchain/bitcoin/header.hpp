// Bitcoin block headers. Floor 2. Source: Bitcoin Core primitives/block.h.
#pragma once

#include <array>
#include <cstdint>

#include "twinchain/base/bytes.hpp"

namespace twinchain::bitcoin {

inline constexpr std::size_t block_header_size = 80;
using BlockHeaderBytes = std::array<std::uint8_t, block_header_size>;

/// 0 version  4 previous  36 merkle root  68 time  72 bits  76 nonce; little-endian.
struct BlockHeader {
  std::int32_t version = 0;
  Hash256 previous{};  ///< internal byte order, as all hashes
  Hash256 merkle_root{};
  std::uint32_t time_s = 0;
  std::uint32_t bits = 0;  ///< the target in compact form (pow.hpp)
  std::uint32_t nonce = 0;
  bool operator==(const BlockHeader&) const = default;
};

BlockHeaderBytes serialize(const BlockHeader& header);
/// Any 80 bytes are a header.
BlockHeader parse_header(const BlockHeaderBytes& bytes);
/// Reads 80 bytes; the caller asks cursor.ok().
BlockHeader read_header(ByteCursor& cursor);

/// SHA-256d of the 80 bytes: the block's id, also on Litecoin. Internal byte order.
Hash256 block_hash(const BlockHeader& header);
Hash256 block_hash(const BlockHeaderBytes& bytes);

}  // namespace twinchain::bitcoin
