// Hexadecimal. Floor 0.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "twinchain/base/bytes.hpp"

namespace twinchain {

/// Lower-case hexadecimal, two digits a byte, in the order of the bytes.
std::string to_hex(ByteView bytes);
/// As to_hex but from the last byte to the first: how Bitcoin displays hashes.
std::string to_hex_reversed(ByteView bytes);
/// Nothing when the length is odd or a character is not a hexadecimal digit (either case).
std::optional<Bytes> from_hex(std::string_view text);
/// As from_hex, for exactly 32 bytes.
std::optional<Hash256> hash_from_hex(std::string_view text);
/// As hash_from_hex, for the reversed order in which Bitcoin displays hashes.
std::optional<Hash256> hash_from_hex_reversed(std::string_view text);

}  // namespace twinchain
