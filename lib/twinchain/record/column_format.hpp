// Numbers of the column format that writer and reader share. Floor 3. Specified in
// twin-stream(5), "Columns".
#pragma once

#include <bit>
#include <cstdint>

#include "twinchain/base/buffer.hpp"
#include "twinchain/base/bytes.hpp"

namespace twinchain::record {

/// Limits of one window: a reader needs not believe more, so its memory is bounded.
inline constexpr std::uint32_t max_window_rows = 4U << 20;
/// Of the decoded window, as WindowBuilder::raw_size_bytes() counts it without rejects.
inline constexpr std::uint64_t max_window_size = std::uint64_t{32} << 20;

/// How the values of a column are stored.
enum class ColumnEncoding : std::uint8_t {
  integers = 1,    ///< f64 (its bits), i64, time: integer block
  decimal = 2,     ///< f64: integer / 10^digits
  dictionary = 3,  ///< f64, i64, string: distinct values, then their numbers
  plain = 4,       ///< f64, i64, time: byte block of 8-byte words; string: lengths, byte block
  bits = 5,        ///< bool: byte block of one bit a value, least significant first
  constant = 6,    ///< f64, i64, time: one 8-byte word; bool: one byte
  rotated = 7,     ///< f64: integer block of the bits rotated left by one
  scaled = 8,      ///< f64: integer * scale
};

enum class Presence : std::uint8_t {
  all_rows = 0,
  row_list = 1,  ///< integer block of ascending row numbers
};

/// How a byte block, or one plane of an integer block, is stored.
enum class BlockKind : std::uint8_t {
  zero = 0,      ///< all bytes are 0; nothing is stored
  constant = 1,  ///< all bytes are the one that is stored
  raw = 2,
  zstd = 3,  ///< varint size and one zstd frame with its content size
};

/// First byte of an integer block: difference order in bits 0-1, then flags.
inline constexpr std::uint8_t integers_order_mask = 3;
inline constexpr std::uint8_t integers_zigzag = 4;
inline constexpr std::uint8_t integers_rice = 8;  ///< instead of byte planes
inline constexpr unsigned max_difference_order = 2;

/// value_column payload: u32 channel, u8 type, u8 encoding, u8 presence, u8 zero, u32 count.
inline constexpr std::size_t value_column_head_size = 12;
/// time_column payload: u8 encoding, 3 zero bytes, u32 count.
inline constexpr std::size_t time_column_head_size = 8;

inline constexpr unsigned max_decimal_digits = 22;
/// Integers of decimal and scaled columns are at most this in magnitude: exact as f64.
inline constexpr std::int64_t max_scaled_integer = std::int64_t{1} << 53;
/// 10^0 .. 10^22: the powers of ten that are exact as f64.
inline constexpr std::array<double, max_decimal_digits + 1> decimal_divisors{
    1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

constexpr std::uint64_t zigzag(std::uint64_t value) {
  return (value << 1) ^ (std::uint64_t{0} - (value >> 63));
}
constexpr std::uint64_t unzigzag(std::uint64_t coded) {
  return (coded >> 1) ^ (std::uint64_t{0} - (coded & 1));
}

/// Little-endian.
template <class T>
void put_le(Buffer& out, T value) {
  std::array<std::uint8_t, sizeof(T)> bytes{};
  store_le(bytes.data(), value);
  out.append(bytes);
}
/// LEB128, at most 10 bytes, in the shortest form.
inline void put_varint(Buffer& out, std::uint64_t value) {
  std::array<std::uint8_t, 10> bytes{};
  std::size_t size = 0;
  while (value >= 0x80) {
    bytes[size++] = static_cast<std::uint8_t>(value | 0x80);
    value >>= 7;
  }
  bytes[size++] = static_cast<std::uint8_t>(value);
  out.append(ByteView(bytes).first(size));
}
constexpr std::size_t varint_size(std::uint64_t value) {
  return value == 0 ? 1 : (static_cast<std::size_t>(std::bit_width(value)) + 6) / 7;
}

}  // namespace twinchain::record
