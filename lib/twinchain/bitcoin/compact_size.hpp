// Bitcoin's CompactSize: the count before a list or a byte string. Floor 2.
//
// 1 byte below 253, else 0xfd u16, 0xfe u32 or 0xff u64, little-endian. Source: Bitcoin Core
// serialize.h (ReadCompactSize).
#pragma once

#include <cstdint>
#include <optional>

#include "twinchain/base/bytes.hpp"

namespace twinchain::bitcoin {

/// Bitcoin's MAX_SIZE: no list or string may be longer.
inline constexpr std::uint64_t max_compact_size = 0x02000000;

void append_compact_size(Bytes& out, std::uint64_t value);
/// 1, 3, 5 or 9.
std::size_t compact_size_bytes(std::uint64_t value);
/// Nothing when the input ends, the value is not in its shortest form (as Bitcoin, so that there
/// is one encoding only), or it is over `max`. What was read stays read.
std::optional<std::uint64_t> read_compact_size(ByteCursor& cursor,
                                               std::uint64_t max = max_compact_size);

}  // namespace twinchain::bitcoin
