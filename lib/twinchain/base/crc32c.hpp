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

/// The table-driven version that crc32c() falls back on; public so that a test can compare.
std::uint32_t crc32c_portable(ByteView bytes, std::uint32_t previous = 0);

}  // namespace twinchain
