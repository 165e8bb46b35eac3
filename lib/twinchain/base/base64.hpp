// Base64 (RFC 4648 section 4: the standard alphabet, with padding). Floor 0.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "twinchain/base/bytes.hpp"

namespace twinchain {

std::string to_base64(ByteView bytes);
/// Strict: nothing when a character is not of the alphabet (spaces and line ends included), the
/// padding is wrong, or bits that no byte uses are not zero. So each value has one text.
std::optional<Bytes> from_base64(std::string_view text);

}  // namespace twinchain
