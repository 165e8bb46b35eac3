#include "twinchain/record/column_kernels.hpp"

#include <algorithm>
#include <cmath>

#include "twinchain/record/column_format.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace twinchain::record {
namespace {

/// 1.5 * 2^52: added to a number of at most 2^51 it leaves the nearest integer in the low bits.
constexpr double rounder = 6755399441055744.0;
constexpr double rounder_limit = 2251799813685248.0;

/// What a value is multiplied with to come near its integer.
double inverse_of(const IntegerScale& scale) {
  return scale.divides ? scale.scale : 1 / scale.scale;
}

/// One value of to_integers(); false when it has no integer.
bool to_integer(std::uint64_t word, const IntegerScale& scale, double up, std::uint64_t& integer) {
  const double scaled = std::bit_cast<double>(word) * up;
  const double rounded = scaled + rounder;
  integer = std::bit_cast<std::uint64_t>(rounded) - std::bit_cast<std::uint64_t>(rounder);
  const double whole = rounded - rounder;
  const double back = scale.divides ? whole / scale.scale : whole * scale.scale;
  return std::bit_cast<std::uint64_t>(back) == word && std::fabs(scaled) < rounder_limit;
}

/// Gives the integers of `from` to `to`, `bad` (a bit each) among them; see to_integers().
void note_exceptions(std::uint64_t* integers, std::size_t from, unsigned bad,
                     std::span<std::uint64_t> exceptions, std::size_t& count) {
  for (std::size_t i = from; bad != 0; ++i, bad >>= 1) {
    if ((bad & 1) == 0) continue;
    integers[i] = i > 0 ? integers[i - 1] : 0;
    if (count < exceptions.size()) exceptions[count] = i;
    ++count;
  }
}

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

namespace portable {

void transpose_words(const std::uint8_t* rows, std::size_t row_size, std::size_t count,
                     std::span<std::uint64_t* const> to) {
  for (std::size_t row = 0; row < count; ++row) {
    const std::uint8_t* at = rows + row * row_size;
    for (std::size_t i = 0; i < to.size(); ++i) to[i][row] = load_le<std::uint64_t>(at + 8 * i);
  }
}

bool make_residuals(std::span<const std::uint64_t> words, const ResidualRule& rule,
                    std::uint64_t* residuals, std::uint64_t& used) {
  const std::span<std::uint64_t> out(residuals, words.size() - rule.order);
  const std::uint64_t* at = words.data();
  for (std::size_t i = 0; i < out.size(); ++i) {
    std::uint64_t difference = at[i];
    if (rule.order == 1) difference = at[i + 1] - at[i];
    if (rule.order == 2) difference = at[i + 2] - 2 * at[i + 1] + at[i];
    out[i] = difference - rule.base;
  }
  const bool negate = rule.factor == minus_one;
  if (rule.factor != 1 && !negate && !divide_exactly(out, rule.factor)) return false;
  used = 0;
  for (std::uint64_t& word : out) {
    if (negate) word = 0 - word;
    if (rule.zigzag) word = zigzag(word);
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

WordSums sum_words(std::span<const std::uint64_t> words) {
  WordSums sums;
  for (const std::uint64_t word : words) {
    sums.sum += word;
    sums.sum_of_high += word >> 7;
    sums.all |= word;
  }
  return sums;
}

std::size_t to_integers(std::span<const std::uint64_t> words, const IntegerScale& scale,
                        std::uint64_t* integers, std::span<std::uint64_t> exceptions) {
  const double up = inverse_of(scale);
  std::size_t count = 0;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (!to_integer(words[i], scale, up, integers[i])) {
      note_exceptions(integers, i, 1, exceptions, count);
    }
  }
  return count;
}

}  // namespace portable

unsigned decimal_digits(std::uint64_t word, unsigned limit) {
  // Nothing that is not finite, and no negative zero, is an integer over anything.
  constexpr std::uint64_t infinity = 0x7ff0000000000000;
  constexpr std::uint64_t sign = std::uint64_t{1} << 63;
  if ((word & infinity) == infinity || word == sign) return limit + 1;
  std::uint64_t integer = 0;
  unsigned digits = 0;
  for (; digits <= limit; ++digits) {
    const IntegerScale scale{decimal_divisors[digits], true};
    if (to_integer(word, scale, scale.scale, integer)) break;
  }
  return digits;
}

void add_plane(ByteView plane, unsigned shift, std::span<std::uint64_t> words) {
  for (std::size_t i = 0; i < words.size(); ++i) words[i] |= std::uint64_t{plane[i]} << shift;
}

#if defined(__x86_64__)

#define TWINCHAIN_AVX2 __attribute__((target("avx2")))

namespace avx2 {
namespace {

TWINCHAIN_AVX2 __m256i load(const void* at) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(at));
}
TWINCHAIN_AVX2 void store(void* at, __m256i value) {
  _mm256_storeu_si256(static_cast<__m256i*>(at), value);
}

/// Four rows of four words.
TWINCHAIN_AVX2 void transpose_block(const std::uint8_t* rows, std::size_t row_size,
                                    std::uint64_t* const* to, std::size_t row) {
  const __m256i a = load(rows);
  const __m256i b = load(rows + row_size);
  const __m256i c = load(rows + 2 * row_size);
  const __m256i d = load(rows + 3 * row_size);
  const __m256i ab_even = _mm256_unpacklo_epi64(a, b);
  const __m256i ab_odd = _mm256_unpackhi_epi64(a, b);
  const __m256i cd_even = _mm256_unpacklo_epi64(c, d);
  const __m256i cd_odd = _mm256_unpackhi_epi64(c, d);
  store(to[0] + row, _mm256_permute2x128_si256(ab_even, cd_even, 0x20));
  store(to[1] + row, _mm256_permute2x128_si256(ab_odd, cd_odd, 0x20));
  store(to[2] + row, _mm256_permute2x128_si256(ab_even, cd_even, 0x31));
  store(to[3] + row, _mm256_permute2x128_si256(ab_odd, cd_odd, 0x31));
}

TWINCHAIN_AVX2 void transpose_words(const std::uint8_t* rows, std::size_t row_size,
                                    std::size_t count, std::span<std::uint64_t* const> to) {
  const std::size_t whole_rows = to.size() % 4 == 0 ? count / 4 * 4 : 0;
  for (std::size_t row = 0; row < whole_rows; row += 4) {
    for (std::size_t i = 0; i < to.size(); i += 4) {
      transpose_block(rows + row * row_size + 8 * i, row_size, &to[i], row);
    }
  }
  for (std::size_t row = whole_rows; row < count; ++row) {
    const std::uint8_t* at = rows + row * row_size;
    for (std::size_t i = 0; i < to.size(); ++i) to[i][row] = load_le<std::uint64_t>(at + 8 * i);
  }
}

/// Factor 1 and zigzag: what nearly all columns take.
TWINCHAIN_AVX2 void make_residuals(std::span<const std::uint64_t> words, unsigned order,
                                   std::uint64_t base, std::uint64_t* residuals,
                                   std::uint64_t& used) {
  const std::size_t count = words.size() - order;
  const std::uint64_t* at = words.data();
  const __m256i zero = _mm256_setzero_si256();
  const __m256i bases = _mm256_set1_epi64x(static_cast<std::int64_t>(base));
  __m256i all = zero;
  std::size_t i = 0;
  const auto keep = [&](__m256i difference) TWINCHAIN_AVX2 {
    const __m256i word = _mm256_sub_epi64(difference, bases);
    const __m256i coded =
        _mm256_xor_si256(_mm256_add_epi64(word, word), _mm256_cmpgt_epi64(zero, word));
    store(residuals + i, coded);
    all = _mm256_or_si256(all, coded);
  };
  if (order == 0) {
    for (; i + 4 <= count; i += 4) keep(load(at + i));
  } else if (order == 1) {
    for (; i + 4 <= count; i += 4) keep(_mm256_sub_epi64(load(at + i + 1), load(at + i)));
  } else {
    for (; i + 4 <= count; i += 4) {
      const __m256i middle = load(at + i + 1);
      keep(_mm256_sub_epi64(_mm256_sub_epi64(load(at + i + 2), middle),
                            _mm256_sub_epi64(middle, load(at + i))));
    }
  }
  std::array<std::uint64_t, 4> lanes{};
  store(lanes.data(), all);
  used = lanes[0] | lanes[1] | lanes[2] | lanes[3];
  for (; i < count; ++i) {
    std::uint64_t word = at[i];
    if (order == 1) word = at[i + 1] - at[i];
    if (order == 2) word = at[i + 2] - 2 * at[i + 1] + at[i];
    residuals[i] = zigzag(word - base);
    used |= residuals[i];
  }
}

TWINCHAIN_AVX2 WordSums sum_words(std::span<const std::uint64_t> words) {
  __m256i sum = _mm256_setzero_si256();
  __m256i high = sum;
  __m256i all = sum;
  std::size_t i = 0;
  for (; i + 4 <= words.size(); i += 4) {
    const __m256i word = load(words.data() + i);
    sum = _mm256_add_epi64(sum, word);
    high = _mm256_add_epi64(high, _mm256_srli_epi64(word, 7));
    all = _mm256_or_si256(all, word);
  }
  std::array<std::uint64_t, 12> lanes{};
  store(&lanes[0], sum);
  store(&lanes[4], high);
  store(&lanes[8], all);
  WordSums sums{lanes[0] + lanes[1] + lanes[2] + lanes[3],
                lanes[4] + lanes[5] + lanes[6] + lanes[7],
                lanes[8] | lanes[9] | lanes[10] | lanes[11]};
  for (; i < words.size(); ++i) {
    sums.sum += words[i];
    sums.sum_of_high += words[i] >> 7;
    sums.all |= words[i];
  }
  return sums;
}

/// 32 words into 32 bytes of each plane. A 128-bit lane with the words v and w becomes eight
/// pairs of bytes (v's byte p, w's byte p); what is left is to turn eight lanes of eight pairs.
TWINCHAIN_AVX2 void split_block(const std::uint64_t* words, std::uint8_t* planes,
                                std::size_t stride, std::size_t plane_count) {
  const __m256i pair_bytes = _mm256_broadcastsi128_si256(
      _mm_setr_epi8(0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15));
  __m256i a[8];
  for (std::size_t i = 0; i < 8; ++i) {
    const __m128i low = _mm_loadu_si128(reinterpret_cast<const __m128i*>(words + 2 * i));
    const __m128i high = _mm_loadu_si128(reinterpret_cast<const __m128i*>(words + 16 + 2 * i));
    a[i] = _mm256_shuffle_epi8(_mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1),
                               pair_bytes);
  }
  __m256i b[8];
  for (std::size_t i = 0; i < 4; ++i) {
    b[i] = _mm256_unpacklo_epi16(a[2 * i], a[2 * i + 1]);
    b[4 + i] = _mm256_unpackhi_epi16(a[2 * i], a[2 * i + 1]);
  }
  // b[h * 4 + i]: planes 4h..4h+3 of the words of a[2i] and a[2i+1], 4 bytes each.
  __m256i c[8];
  for (std::size_t h = 0; h < 2; ++h) {
    c[h * 4] = _mm256_unpacklo_epi32(b[h * 4], b[h * 4 + 1]);
    c[h * 4 + 1] = _mm256_unpacklo_epi32(b[h * 4 + 2], b[h * 4 + 3]);
    c[h * 4 + 2] = _mm256_unpackhi_epi32(b[h * 4], b[h * 4 + 1]);
    c[h * 4 + 3] = _mm256_unpackhi_epi32(b[h * 4 + 2], b[h * 4 + 3]);
  }
  for (std::size_t pair = 0; pair < 4; ++pair) {
    if (2 * pair >= plane_count) return;
    store(planes + 2 * pair * stride, _mm256_unpacklo_epi64(c[2 * pair], c[2 * pair + 1]));
    if (2 * pair + 1 >= plane_count) return;
    store(planes + (2 * pair + 1) * stride, _mm256_unpackhi_epi64(c[2 * pair], c[2 * pair + 1]));
  }
}

TWINCHAIN_AVX2 void split_planes(std::span<const std::uint64_t> words, std::uint8_t* planes,
                                 std::size_t plane_count) {
  if (plane_count == 0) return;
  std::size_t i = 0;
  for (; i + 32 <= words.size(); i += 32) {
    split_block(words.data() + i, planes + i, words.size(), plane_count);
  }
  for (; i < words.size(); ++i) {
    for (std::size_t plane = 0; plane < plane_count; ++plane) {
      planes[plane * words.size() + i] = static_cast<std::uint8_t>(words[i] >> (8 * plane));
    }
  }
}

template <bool divides>
TWINCHAIN_AVX2 std::size_t to_integers(std::span<const std::uint64_t> words,
                                       const IntegerScale& scale, std::uint64_t* integers,
                                       std::span<std::uint64_t> exceptions) {
  const double up = inverse_of(scale);
  const __m256d ups = _mm256_set1_pd(up);
  const __m256d scales = _mm256_set1_pd(scale.scale);
  const __m256d rounders = _mm256_set1_pd(rounder);
  const __m256d limits = _mm256_set1_pd(rounder_limit);
  const __m256d magnitude = _mm256_castsi256_pd(_mm256_set1_epi64x(0x7fffffffffffffff));
  std::size_t count = 0;
  std::size_t i = 0;
  for (; i + 4 <= words.size(); i += 4) {
    const __m256i bits = load(words.data() + i);
    const __m256d scaled = _mm256_mul_pd(_mm256_castsi256_pd(bits), ups);
    const __m256d rounded = _mm256_add_pd(scaled, rounders);
    const __m256d whole = _mm256_sub_pd(rounded, rounders);
    const __m256d back = divides ? _mm256_div_pd(whole, scales) : _mm256_mul_pd(whole, scales);
    store(integers + i,
          _mm256_sub_epi64(_mm256_castpd_si256(rounded), _mm256_castpd_si256(rounders)));
    const __m256i same = _mm256_cmpeq_epi64(_mm256_castpd_si256(back), bits);
    const __m256d small = _mm256_cmp_pd(_mm256_and_pd(scaled, magnitude), limits, _CMP_LT_OQ);
    const auto good =
        static_cast<unsigned>(_mm256_movemask_pd(_mm256_and_pd(_mm256_castsi256_pd(same), small)));
    if (good != 15) [[unlikely]]
      note_exceptions(integers, i, 15 - good, exceptions, count);
  }
  for (; i < words.size(); ++i) {
    if (!to_integer(words[i], scale, up, integers[i])) {
      note_exceptions(integers, i, 1, exceptions, count);
    }
  }
  return count;
}

}  // namespace
}  // namespace avx2

namespace {

bool has_avx2() {
  static const bool has = __builtin_cpu_supports("avx2") != 0;
  return has;
}

}  // namespace

void transpose_words(const std::uint8_t* rows, std::size_t row_size, std::size_t count,
                     std::span<std::uint64_t* const> to) {
  if (has_avx2()) return avx2::transpose_words(rows, row_size, count, to);
  portable::transpose_words(rows, row_size, count, to);
}

bool make_residuals(std::span<const std::uint64_t> words, const ResidualRule& rule,
                    std::uint64_t* residuals, std::uint64_t& used) {
  if (!has_avx2() || rule.factor != 1 || !rule.zigzag) {
    return portable::make_residuals(words, rule, residuals, used);
  }
  avx2::make_residuals(words, rule.order, rule.base, residuals, used);
  return true;
}

WordSums sum_words(std::span<const std::uint64_t> words) {
  if (has_avx2()) return avx2::sum_words(words);
  return portable::sum_words(words);
}

void split_planes(std::span<const std::uint64_t> words, std::uint8_t* planes,
                  std::size_t plane_count) {
  if (has_avx2()) return avx2::split_planes(words, planes, plane_count);
  portable::split_planes(words, planes, plane_count);
}

std::size_t to_integers(std::span<const std::uint64_t> words, const IntegerScale& scale,
                        std::uint64_t* integers, std::span<std::uint64_t> exceptions) {
  if (!has_avx2()) return portable::to_integers(words, scale, integers, exceptions);
  if (scale.divides) return avx2::to_integers<true>(words, scale, integers, exceptions);
  return avx2::to_integers<false>(words, scale, integers, exceptions);
}

#else

void transpose_words(const std::uint8_t* rows, std::size_t row_size, std::size_t count,
                     std::span<std::uint64_t* const> to) {
  portable::transpose_words(rows, row_size, count, to);
}
bool make_residuals(std::span<const std::uint64_t> words, const ResidualRule& rule,
                    std::uint64_t* residuals, std::uint64_t& used) {
  return portable::make_residuals(words, rule, residuals, used);
}
WordSums sum_words(std::span<const std::uint64_t> words) {
  return portable::sum_words(words);
}
void split_planes(std::span<const std::uint64_t> words, std::uint8_t* planes,
                  std::size_t plane_count) {
  portable::split_planes(words, planes, plane_count);
}
std::size_t to_integers(std::span<const std::uint64_t> words, const IntegerScale& scale,
                        std::uint64_t* integers, std::span<std::uint64_t> exceptions) {
  return portable::to_integers(words, scale, integers, exceptions);
}

#endif

}  // namespace twinchain::record
