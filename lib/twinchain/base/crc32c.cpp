#include "twinchain/base/crc32c.hpp"

#include <array>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace twinchain {
namespace {

constexpr std::uint32_t polynomial = 0x82f63b78;  // reflected

using Table = std::array<std::array<std::uint32_t, 256>, 8>;

constexpr Table make_table() {
  Table table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? polynomial : 0);
    table[0][i] = crc;
  }
  for (std::size_t slice = 1; slice < 8; ++slice) {
    for (std::size_t i = 0; i < 256; ++i) {
      const std::uint32_t before = table[slice - 1][i];
      table[slice][i] = (before >> 8) ^ table[0][before & 0xff];
    }
  }
  return table;
}

constexpr Table table = make_table();

#if defined(__x86_64__)

// Three streams hide the three-cycle latency of the crc32 instruction. They are joined by
// multiplying with x^(8*stride) modulo the polynomial, for which a table per byte suffices.
constexpr std::size_t stride_bytes = 1024;

using ShiftTable = std::array<std::array<std::uint32_t, 256>, 4>;

constexpr ShiftTable make_shift_table(std::size_t zero_bytes) {
  // Column k: the CRC state 1<<k after `zero_bytes` zero bytes.
  std::array<std::uint32_t, 32> columns{};
  for (std::size_t k = 0; k < 32; ++k) {
    std::uint32_t crc = std::uint32_t{1} << k;
    for (std::size_t i = 0; i < zero_bytes; ++i) crc = (crc >> 8) ^ table[0][crc & 0xff];
    columns[k] = crc;
  }
  ShiftTable shift{};
  for (std::size_t byte = 0; byte < 4; ++byte) {
    for (std::size_t value = 0; value < 256; ++value) {
      std::uint32_t sum = 0;
      for (std::size_t bit = 0; bit < 8; ++bit) {
        if ((value >> bit & 1) != 0) sum ^= columns[byte * 8 + bit];
      }
      shift[byte][value] = sum;
    }
  }
  return shift;
}

const ShiftTable shift_one = make_shift_table(stride_bytes);

std::uint32_t shift(std::uint32_t crc) {
  return shift_one[0][crc & 0xff] ^ shift_one[1][crc >> 8 & 0xff] ^ shift_one[2][crc >> 16 & 0xff] ^
         shift_one[3][crc >> 24];
}

__attribute__((target("sse4.2"))) std::uint32_t crc32c_sse42(ByteView bytes,
                                                             std::uint32_t previous) {
  const std::uint8_t* at = bytes.data();
  std::size_t left = bytes.size();
  std::uint64_t crc = ~previous;
  while (left >= 3 * stride_bytes) {
    std::uint64_t a = crc;
    std::uint64_t b = 0;
    std::uint64_t c = 0;
    for (std::size_t i = 0; i < stride_bytes; i += 8) {
      a = _mm_crc32_u64(a, load_le<std::uint64_t>(at + i));
      b = _mm_crc32_u64(b, load_le<std::uint64_t>(at + stride_bytes + i));
      c = _mm_crc32_u64(c, load_le<std::uint64_t>(at + 2 * stride_bytes + i));
    }
    const std::uint32_t ab = shift(static_cast<std::uint32_t>(a)) ^ static_cast<std::uint32_t>(b);
    crc = shift(ab) ^ static_cast<std::uint32_t>(c);
    at += 3 * stride_bytes;
    left -= 3 * stride_bytes;
  }
  for (; left >= 8; at += 8, left -= 8) crc = _mm_crc32_u64(crc, load_le<std::uint64_t>(at));
  auto crc32 = static_cast<std::uint32_t>(crc);
  for (; left > 0; ++at, --left) crc32 = _mm_crc32_u8(crc32, *at);
  return ~crc32;
}

#endif

// Polynomials modulo the CRC's, reflected: the highest bit is the coefficient of x^0.
constexpr std::uint32_t multiply(std::uint32_t a, std::uint32_t b) {
  std::uint32_t product = 0;
  for (std::uint32_t bit = std::uint32_t{1} << 31; bit != 0; bit >>= 1) {
    if ((a & bit) != 0) product ^= b;
    b = (b >> 1) ^ ((b & 1) != 0 ? polynomial : 0);  // times x
  }
  return product;
}

// x^(8 * 2^k)
constexpr std::array<std::uint32_t, 64> make_powers() {
  std::array<std::uint32_t, 64> powers{};
  powers[0] = std::uint32_t{1} << 23;
  for (std::size_t k = 1; k < powers.size(); ++k) {
    powers[k] = multiply(powers[k - 1], powers[k - 1]);
  }
  return powers;
}

constexpr std::array<std::uint32_t, 64> powers = make_powers();

}  // namespace

std::uint32_t crc32c_shift(std::uint32_t crc, std::uint64_t size_bytes) {
  for (std::size_t k = 0; size_bytes != 0; ++k, size_bytes >>= 1) {
    if ((size_bytes & 1) != 0) crc = multiply(powers[k], crc);
  }
  return crc;
}

std::uint32_t crc32c_portable(ByteView bytes, std::uint32_t previous) {
  const std::uint8_t* at = bytes.data();
  std::size_t left = bytes.size();
  std::uint32_t crc = ~previous;
  for (; left >= 8; at += 8, left -= 8) {
    const std::uint32_t low = crc ^ load_le<std::uint32_t>(at);
    const auto high = load_le<std::uint32_t>(at + 4);
    crc = table[7][low & 0xff] ^ table[6][low >> 8 & 0xff] ^ table[5][low >> 16 & 0xff] ^
          table[4][low >> 24] ^ table[3][high & 0xff] ^ table[2][high >> 8 & 0xff] ^
          table[1][high >> 16 & 0xff] ^ table[0][high >> 24];
  }
  for (; left > 0; ++at, --left) crc = (crc >> 8) ^ table[0][(crc ^ *at) & 0xff];
  return ~crc;
}

std::uint32_t crc32c(ByteView bytes, std::uint32_t previous) {
#if defined(__x86_64__)
  static const bool has_instruction = __builtin_cpu_supports("sse4.2") != 0;
  if (has_instruction) return crc32c_sse42(bytes, previous);
#endif
  return crc32c_portable(bytes, previous);
}

}  // namespace twinchain
