// CRC-32C (Castagnoli polynomial 0x1EDC6F41, reflected; RFC 3720 appendix B.4). Floor 0.
//
// Finds accidents. It is no protection against tampering: that is what the hash chain is for.
#pragma once

#include <cstdint>

#include "twinchain/base/bytes.hpp"

namespace twinchain {

/// CRC-32C of `bytes`; give the result of an earlier call as `previous` to continue it.
/// Uses the processor's crc32 instruction where it has one. Thread-safe.
std::uint32_t crc32c(ByteView bytes, std::uint32_t previous = 0);

/// What `crc`, of some bytes, contributes to the CRC of these bytes with `size_bytes` more behind
/// them: crc32c(a || b) = crc32c_shift(crc32c(a), size of b) ^ crc32c(b). Some tens of operations,
/// whatever the size.
std::uint32_t crc32c_shift(std::uint32_t crc, std::uint64_t size_bytes);

/// The table-driven version that crc32c() falls back on; public so that a test can compare.
std::uint32_t crc32c_portable(ByteView bytes, std::uint32_t previous = 0);

}  // namespace twinchain
