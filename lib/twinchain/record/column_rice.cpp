#include "twinchain/record/column_rice.hpp"

#include <algorithm>
#include <bit>

namespace twinchain::record {
namespace {

constexpr std::size_t group_size = 128;
/// The parameter of a group takes 7 bits: 0 to 63 bits of remainder, or one of these.
constexpr unsigned parameter_bits = 7;
constexpr unsigned whole_words = 64;
constexpr unsigned all_zero = 65;
/// A quotient of this or more is coded as this, and the whole number follows.
constexpr unsigned quotient_limit = 24;
constexpr unsigned escape_bits = quotient_limit + 1 + 64;

void store_word(std::uint8_t* at, std::uint64_t word) {
  if constexpr (std::endian::native == std::endian::little) {
    std::memcpy(at, &word, sizeof word);
  } else {
    store_le(at, word);
  }
}

/// Bits from the least significant end. The caller sees to it that there is room.
class BitWriter {
 public:
  explicit BitWriter(std::uint8_t* at) : at_(at) {}

  /// `bits` is less than 2^size; size is 1 to 64. Without a branch: the word that is being
  /// filled is written each time.
  void put(std::uint64_t bits, unsigned size) {
    const std::uint64_t word = word_ | bits << used_;
    store_word(at_, word);
    const unsigned end = used_ + size;
    const std::uint64_t full = end >> 6;
    const std::uint64_t rest = (bits >> 1) >> (63 - used_);
    word_ = full != 0 ? rest : word;
    at_ += 8 * full;
    used_ = end & 63;
  }
  void flush() { store_word(at_, word_); }
  /// Where the last byte with bits ends.
  [[nodiscard]] std::uint8_t* end() const { return at_ + (used_ + 7) / 8; }
  /// After the buffer has moved.
  void move_by(std::uint8_t* new_begin, const std::uint8_t* old_begin) {
    at_ = new_begin + (at_ - old_begin);
  }

 private:
  std::uint8_t* at_;
  std::uint64_t word_ = 0;
  unsigned used_ = 0;
};

/// Cost with a parameter below whole_words, without the parameter itself.
std::uint64_t group_bits(std::span<const std::uint64_t> group, unsigned parameter) {
  std::uint64_t bits = 0;
  for (const std::uint64_t number : group) {
    const std::uint64_t quotient = number >> parameter;
    bits += quotient < quotient_limit ? quotient + 1 + parameter : escape_bits;
  }
  return bits;
}

unsigned choose_parameter(std::span<const std::uint64_t> group) {
  std::array<std::uint64_t, 4> sums{};
  std::array<std::uint64_t, 4> all{};
  std::size_t i = 0;
  for (; i + 4 <= group.size(); i += 4) {
    for (std::size_t lane = 0; lane < 4; ++lane) {
      sums[lane] += group[i + lane];
      all[lane] |= group[i + lane];
    }
  }
  for (; i < group.size(); ++i) {
    sums[0] += group[i];
    all[0] |= group[i];
  }
  const auto widest = static_cast<unsigned>(std::bit_width(all[0] | all[1] | all[2] | all[3]));
  if (widest == 0) return all_zero;
  unsigned parameter = whole_words;
  // 128 numbers of 57 bits fit into the sum.
  if (widest <= 57) {
    const std::uint64_t mean = (sums[0] + sums[1] + sums[2] + sums[3]) / group.size();
    const auto mean_width = static_cast<unsigned>(std::bit_width(mean));
    parameter = mean_width == 0 ? 0 : mean_width - 1;
    if (widest <= mean_width + 3) return parameter;
  }
  // A few numbers stand out, and the mean says nothing of the others: try all parameters.
  std::uint64_t best = 64 * group.size();
  unsigned chosen = whole_words;
  for (unsigned candidate = 0; candidate <= std::min(widest, 63U); ++candidate) {
    const std::uint64_t bits = group_bits(group, candidate);
    if (bits < best) {
      best = bits;
      chosen = candidate;
    }
  }
  return chosen;
}

void put_whole(BitWriter& out, std::uint64_t number) {
  out.put(number, 64);
}

void put_group(BitWriter& out, std::span<const std::uint64_t> group) {
  const unsigned parameter = choose_parameter(group);
  out.put(parameter, parameter_bits);
  if (parameter == all_zero) return;
  if (parameter == whole_words) {
    for (const std::uint64_t number : group) put_whole(out, number);
    return;
  }
  const std::uint64_t mask = (std::uint64_t{1} << parameter) - 1;
  for (const std::uint64_t number : group) {
    const std::uint64_t quotient = number >> parameter;
    const std::uint64_t remainder = number & mask;
    const std::uint64_t size = quotient + 1 + parameter;
    if (quotient < quotient_limit && size <= 64) [[likely]] {
      out.put((remainder << 1 | 1) << quotient, static_cast<unsigned>(size));
    } else if (quotient < quotient_limit) {
      out.put(std::uint64_t{1} << quotient, static_cast<unsigned>(quotient) + 1);
      out.put(remainder, parameter);
    } else {
      out.put(std::uint64_t{1} << quotient_limit, quotient_limit + 1);
      put_whole(out, number);
    }
  }
}

}  // namespace

void append_rice(Buffer& out, std::span<const std::uint64_t> numbers) {
  // The most that a group takes, and the word that is written ahead.
  constexpr std::size_t group_room = (group_size * escape_bits + parameter_bits) / 8 + 1 + 16;
  const std::size_t begin = out.size();
  out.resize_uninitialized(begin + group_room);
  BitWriter bits(out.data() + begin);
  for (std::size_t i = 0; i < numbers.size(); i += group_size) {
    const auto used = static_cast<std::size_t>(bits.end() - out.data());
    if (out.size() - used < group_room) {
      const std::uint8_t* before = out.data();
      out.resize_uninitialized(used + 8 * group_room);
      bits.move_by(out.data(), before);
    }
    put_group(bits, numbers.subspan(i, std::min(group_size, numbers.size() - i)));
  }
  bits.flush();
  out.resize_uninitialized(static_cast<std::size_t>(bits.end() - out.data()));
}

std::uint64_t rice_cost_bits(std::span<const std::uint64_t> numbers) {
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < numbers.size(); i += group_size) {
    const auto group = numbers.subspan(i, std::min(group_size, numbers.size() - i));
    const unsigned parameter = choose_parameter(group);
    bits += parameter_bits;
    if (parameter == whole_words) bits += 64 * group.size();
    if (parameter < whole_words) bits += group_bits(group, parameter);
  }
  return bits;
}

std::optional<std::size_t> read_rice(ByteView bytes, std::span<std::uint64_t> numbers) {
  // Each load reads a word and a byte more from where the bits begin; a copy with zeros behind
  // it makes that safe, and the position is checked before each load.
  Bytes padded(bytes.size() + 16);
  std::copy(bytes.begin(), bytes.end(), padded.begin());
  const std::uint8_t* data = padded.data();
  const std::size_t limit = 8 * bytes.size();
  std::size_t at = 0;
  // At least 57 bits.
  const auto peek = [&] { return load_le<std::uint64_t>(data + at / 8) >> (at % 8); };
  const auto take = [&](unsigned size) -> std::uint64_t {
    std::uint64_t low = peek();
    if (size > 32) {
      low &= 0xffffffff;
      at += 32;
      const std::uint64_t high = at <= limit ? peek() : 0;
      at += size - 32;
      return low | (high & ((std::uint64_t{1} << (size - 32)) - 1)) << 32;
    }
    at += size;
    return low & ((std::uint64_t{1} << size) - 1);
  };
  for (std::size_t i = 0; i < numbers.size(); i += group_size) {
    const auto group = numbers.subspan(i, std::min(group_size, numbers.size() - i));
    if (at > limit) return std::nullopt;
    const auto parameter = static_cast<unsigned>(take(parameter_bits));
    if (parameter > all_zero) return std::nullopt;
    if (parameter == all_zero) {
      std::ranges::fill(group, std::uint64_t{0});
      continue;
    }
    for (std::uint64_t& number : group) {
      if (at > limit) return std::nullopt;
      if (parameter == whole_words) {
        number = take(64);
        continue;
      }
      const auto quotient = static_cast<unsigned>(std::countr_zero(peek()));
      if (quotient > quotient_limit) return std::nullopt;
      at += quotient + 1;
      if (at > limit) return std::nullopt;
      if (quotient < quotient_limit) {
        number = (parameter == 0 ? 0 : take(parameter)) | std::uint64_t{quotient} << parameter;
      } else {
        number = take(64);
        if (number >> parameter < quotient_limit) return std::nullopt;
      }
    }
  }
  if (at > limit) return std::nullopt;
  // Bits that are left over in the last byte are zero.
  if (at % 8 != 0 && data[at / 8] >> (at % 8) != 0) return std::nullopt;
  return (at + 7) / 8;
}

}  // namespace twinchain::record
