// Proof of work: compact targets, work, checks. Floor 2.
//
// Source: Bitcoin Core arith_uint256.cpp (SetCompact, GetCompact), pow.cpp, chain.cpp
// (GetBlockProof).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "twinchain/bitcoin/header.hpp"
#include "twinchain/bitcoin/uint256.hpp"

namespace twinchain::bitcoin {

/// What hash of the header has to be at most the target. The block's id is SHA-256d always.
enum class ProofOfWork { sha256d, scrypt_1024_1_1 };

/// "nBits" as it decodes, sign and overflow included.
struct CompactTarget {
  UInt256 target;
  bool negative = false;  ///< the sign bit is set and the mantissa is not zero
  bool overflow = false;  ///< over 256 bits
};
CompactTarget decode_compact(std::uint32_t bits);
/// The shortest compact form that is not negative; low digits are lost.
std::uint32_t encode_compact(const UInt256& target);

/// Nothing when negative, zero, overflowing or easier than `limit`: what no header may have.
std::optional<UInt256> target_from_bits(std::uint32_t bits, const UInt256& limit);

/// Expected number of hashes for a block of this target: 2^256 / (target + 1). Zero for invalid
/// bits.
UInt256 block_work(std::uint32_t bits);
/// Work for people: "1234", from 2^20 on the power of two that it reaches, "2^40".
std::string work_text(const UInt256& work);

/// The hash that the proof of work is about.
Hash256 proof_of_work_hash(ProofOfWork kind, const BlockHeaderBytes& header);
/// Whether a hash (of proof_of_work_hash) is at most the target that these bits state, and this is
/// no easier than `limit`.
bool meets_target(const Hash256& hash, std::uint32_t bits, const UInt256& limit);
/// Whether the header meets the target that it states itself, and this is no easier than `limit`.
bool check_proof_of_work(ProofOfWork kind, const BlockHeaderBytes& header, const UInt256& limit);

}  // namespace twinchain::bitcoin
