// Golomb-Rice coding of small non-negative integers. Floor 3. Specified in twin-stream(5),
// "Columns".
//
// Sensor noise leaves residuals whose size is all there is to know of them: one parameter for 128
// of them comes within a few percent of their entropy, without the tables and the match search
// that make general compressors slow on a thousand values.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "twinchain/base/buffer.hpp"
#include "twinchain/base/bytes.hpp"

namespace twinchain::record {

/// Appends the code of all numbers.
void append_rice(Buffer& out, std::span<const std::uint64_t> numbers);

/// Size of the code of all numbers, in bits, within a percent or so.
std::uint64_t rice_cost_bits(std::span<const std::uint64_t> numbers);

/// Decodes as many numbers as the span holds from the front of untrusted bytes. Gives the bytes
/// that were used; nothing when they are malformed.
std::optional<std::size_t> read_rice(ByteView bytes, std::span<std::uint64_t> numbers);

}  // namespace twinchain::record
