#include "twinchain/record/column_kernels.hpp"

#include <algorithm>

#include "twinchain/record/column_format.hpp"

namespace twinchain::record {
namespace {

/// The x with x * odd == 1 modulo 2^64 (Newton; each step doubles the bits that are right).
std::uint64_t inverse(std::uint64_t odd) {
  std::uint64_t x = odd;
  for (int i = 0; i < 5; ++i) x *= 2 - odd * x;
  return x;
}

/// Divides all by a factor; false when one is not a multiple.
bool divide_exactly(std::span<std::uint64_t> words, std::uint64_t factor) {
  const int shift = std::countr_zero(factor);
  const std::uint64_t inverse_of_odd = inverse(factor >> shift);
  const std::uint64_t low_bits = (std::uint64_t{1} << shift) - 1;
  const std::uint64_t limit = (~std::uint64_t{0} >> 1) / factor;
  bool exact = true;
  for (std::uint64_t& word : words) {
    const auto shifted = static_cast<std::uint64_t>(static_cast<std::int64_t>(word) >> shift);
    const std::uint64_t quotient = shifted * inverse_of_odd;
    // The product with the factor is the word modulo 2^64 in any case: it is the quotient exactly
    // when it is small enough.
    exact = exact && (word & low_bits) == 0 && quotient + limit <= 2 * limit;
    word = quotient;
  }
  return exact;
}

}  // namespace

void transpose_words(const std::uint8_t* rows, std::size_t row_size, std::size_t count,
                     std::span<std::uint64_t* const> to) {
  for (std::size_t row = 0; row < count; ++row) {
    const std::uint8_t* at = rows + row * row_size;
    for (std::size_t i = 0; i < to.size(); ++i) to[i][row] = load_le<std::uint64_t>(at + 8 * i);
  }
}

bool make_residuals(std::span<const std::uint64_t> words, unsigned order, std::uint64_t base,
                    std::uint64_t factor, bool zigzag_coded, std::uint64_t* first,
                    std::uint64_t* residuals, std::uint64_t& used) {
  const std::size_t count = words.size() - order;
  const std::uint64_t* at = words.data();
  if (order == 0) {
    for (std::size_t i = 0; i < count; ++i) residuals[i] = at[i] - base;
  } else if (order == 1) {
    first[0] = at[0];
    for (std::size_t i = 0; i < count; ++i) residuals[i] = at[i + 1] - at[i] - base;
  } else {
    first[0] = at[0];
    first[1] = at[1] - at[0];
    for (std::size_t i = 0; i < count; ++i) {
      residuals[i] = at[i + 2] - 2 * at[i + 1] + at[i] - base;
    }
  }
  const std::span<std::uint64_t> out(residuals, count);
  if (factor != 1 && !divide_exactly(out, factor)) return false;
  used = 0;
  for (std::uint64_t& word : out) {
    if (zigzag_coded) word = zigzag(word);
    used |= word;
  }
  return true;
}

void split_planes(std::span<const std::uint64_t> words, std::uint8_t* planes,
                  std::size_t plane_count) {
  for (std::size_t plane = 0; plane < plane_count; ++plane) {
    std::uint8_t* to = planes + plane * words.size();
    for (std::size_t i = 0; i < words.size(); ++i) {
      to[i] = static_cast<std::uint8_t>(words[i] >> (8 * plane));
    }
  }
}

void add_plane(ByteView plane, unsigned shift, std::span<std::uint64_t> words) {
  for (std::size_t i = 0; i < words.size(); ++i) words[i] |= std::uint64_t{plane[i]} << shift;
}

}  // namespace twinchain::record
