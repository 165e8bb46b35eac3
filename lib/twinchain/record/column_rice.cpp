#include "twinchain/record/column_rice.hpp"

#include <algorithm>
#include <bit>

#include "twinchain/record/column_kernels.hpp"

namespace twinchain::record {
namespace {

constexpr std::size_t group_size = 128;
/// A group begins with its parameter: 0 to 63 bits of remainder, or one of these.
constexpr unsigned whole_words = 64;
constexpr unsigned all_zero = 65;
/// A quotient of this or more is coded as this, and follows the group in full.
constexpr unsigned quotient_limit = 24;
constexpr std::uint64_t escape_bits = quotient_limit + 1 + 64;

void store_word(std::uint8_t* at, std::uint64_t word) {
  if constexpr (std::endian::native == std::endian::little) {
    std::memcpy(at, &word, sizeof word);
  } else {
    store_le(at, word);
  }
}

/// Bits from the least significant end. The caller sees to it that there is room, and for a word
/// more.
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
  /// Where the last byte with bits ends, with all of them written.
  std::uint8_t* finish() {
    store_word(at_, word_);
    return at_ + (used_ + 7) / 8;
  }

 private:
  std::uint8_t* at_;
  std::uint64_t word_ = 0;
  unsigned used_ = 0;
};

/// Cost in bits with a parameter below whole_words, without the parameter itself.
std::uint64_t group_bits(std::span<const std::uint64_t> group, unsigned parameter) {
  std::uint64_t bits = (parameter + 1) * group.size();
  for (const std::uint64_t number : group) {
    const std::uint64_t quotient = number >> parameter;
    bits += quotient < quotient_limit ? quotient : escape_bits - 1;
  }
  return bits;
}

/// When a few numbers stand out, the mean says nothing of the others: tries the widths around the
/// median one.
unsigned search_parameter(std::span<const std::uint64_t> group) {
  std::array<std::uint8_t, 65> widths{};
  for (const std::uint64_t number : group) {
    ++widths[static_cast<std::size_t>(std::bit_width(number))];
  }
  unsigned median = 0;
  for (std::size_t seen = widths[0]; 2 * seen < group.size(); seen += widths[median]) ++median;
  std::uint64_t best = 64 * group.size();
  unsigned chosen = whole_words;
  for (unsigned candidate = median > 2 ? median - 2 : 0; candidate <= std::min(median + 3, 63U);
       ++candidate) {
    const std::uint64_t bits = group_bits(group, candidate);
    if (bits < best) {
      best = bits;
      chosen = candidate;
    }
  }
  return chosen;
}

unsigned choose_parameter(std::span<const std::uint64_t> group) {
  const WordSums sums = sum_words(group);
  const auto widest = static_cast<unsigned>(std::bit_width(sums.all));
  if (widest == 0) return all_zero;
  // 128 numbers of 57 bits fit into the sum, and of 64 into that of the sevenths bits upwards.
  const std::uint64_t mean =
      widest <= 57 ? sums.sum / group.size() : (sums.sum_of_high / group.size()) << 7;
  const auto mean_width = static_cast<unsigned>(std::bit_width(mean));
  if (widest > mean_width + 3) return search_parameter(group);
  const unsigned parameter = mean_width == 0 ? 0 : mean_width - 1;
  return parameter + 3 > whole_words ? search_parameter(group) : parameter;
}

/// All remainders, `parameter` bits each, several at a time.
std::uint8_t* put_remainders(std::uint8_t* at, std::span<const std::uint64_t> group,
                             unsigned parameter) {
  if (parameter == 0) return at;
  BitWriter out(at);
  const std::uint64_t mask = (std::uint64_t{1} << parameter) - 1;
  const std::uint64_t* number = group.data();
  std::size_t left = group.size();
  if (parameter <= 16) {
    for (; left >= 4; left -= 4, number += 4) {
      const std::uint64_t low = (number[0] & mask) | (number[1] & mask) << parameter;
      const std::uint64_t high = (number[2] & mask) | (number[3] & mask) << parameter;
      out.put(low | high << (2 * parameter), 4 * parameter);
    }
  } else if (parameter <= 32) {
    for (; left >= 2; left -= 2, number += 2) {
      out.put((number[0] & mask) | (number[1] & mask) << parameter, 2 * parameter);
    }
  }
  for (; left > 0; --left, ++number) out.put(*number & mask, parameter);
  return out.finish();
}

/// All quotients: so many zeros, then a one; four at a time while they are short.
std::uint8_t* put_quotients(std::uint8_t* at, std::span<const std::uint64_t> group,
                            unsigned parameter, bool& escapes) {
  BitWriter out(at);
  const auto put_one = [&](std::uint64_t number) {
    const std::uint64_t quotient = std::min<std::uint64_t>(number >> parameter, quotient_limit);
    escapes = escapes || quotient == quotient_limit;
    out.put(std::uint64_t{1} << quotient, static_cast<unsigned>(quotient) + 1);
  };
  const std::uint64_t* number = group.data();
  std::size_t left = group.size();
  for (; left >= 4; left -= 4, number += 4) {
    const std::uint64_t a = number[0] >> parameter;
    const std::uint64_t b = number[1] >> parameter;
    const std::uint64_t c = number[2] >> parameter;
    const std::uint64_t d = number[3] >> parameter;
    if ((a | b | c | d) < 16) [[likely]] {
      const std::uint64_t ab = std::uint64_t{1} << a | std::uint64_t{2} << (a + b);
      const std::uint64_t cd = std::uint64_t{1} << c | std::uint64_t{2} << (c + d);
      out.put(ab | cd << (a + b + 2), static_cast<unsigned>(a + b + c + d) + 4);
    } else {
      for (std::size_t i = 0; i < 4; ++i) put_one(number[i]);
    }
  }
  for (; left > 0; --left, ++number) put_one(*number);
  return out.finish();
}

std::uint8_t* put_group(std::uint8_t* at, std::span<const std::uint64_t> group) {
  const unsigned parameter = choose_parameter(group);
  *at++ = static_cast<std::uint8_t>(parameter);
  if (parameter == all_zero) return at;
  if (parameter == whole_words) {
    for (const std::uint64_t number : group) {
      store_word(at, number);
      at += 8;
    }
    return at;
  }
  bool escapes = false;
  at = put_remainders(at, group, parameter);
  at = put_quotients(at, group, parameter, escapes);
  if (!escapes) return at;
  for (const std::uint64_t number : group) {
    if (number >> parameter < quotient_limit) continue;
    store_word(at, number >> parameter);
    at += 8;
  }
  return at;
}

/// Group by group from untrusted bytes.
class GroupReader {
 public:
  explicit GroupReader(ByteView bytes) : bytes_(bytes) {}

  bool read(std::span<std::uint64_t> group) {
    if (!need(1)) return false;
    const unsigned parameter = bytes_[at_++];
    if (parameter > all_zero) return false;
    if (parameter == all_zero) {
      std::ranges::fill(group, std::uint64_t{0});
      return true;
    }
    if (parameter == whole_words) return read_words(group);
    return read_remainders(group, parameter) && read_quotients(group, parameter) &&
           read_escapes(group, parameter);
  }
  [[nodiscard]] std::size_t offset() const { return at_; }

 private:
  [[nodiscard]] bool need(std::size_t size) const { return bytes_.size() - at_ >= size; }
  /// Up to 8 bytes; zeros behind the end.
  [[nodiscard]] std::uint64_t load(std::size_t at) const {
    if (bytes_.size() - at >= 8) return load_le<std::uint64_t>(bytes_.data() + at);
    std::uint64_t word = 0;
    for (std::size_t i = 0; at + i < bytes_.size(); ++i) {
      word |= std::uint64_t{bytes_[at + i]} << (8 * i);
    }
    return word;
  }

  bool read_words(std::span<std::uint64_t> group) {
    if (!need(8 * group.size())) return false;
    for (std::uint64_t& number : group) {
      number = load_le<std::uint64_t>(bytes_.data() + at_);
      at_ += 8;
    }
    return true;
  }

  bool read_remainders(std::span<std::uint64_t> group, unsigned parameter) {
    const std::size_t bits = parameter * group.size();
    const std::size_t size = (bits + 7) / 8;
    if (!need(size)) return false;
    if (bits % 8 != 0 && bytes_[at_ + size - 1] >> (bits % 8) != 0) return false;
    const std::uint64_t mask = (std::uint64_t{1} << parameter) - 1;
    std::size_t bit = 0;
    for (std::uint64_t& number : group) {
      const std::size_t byte = at_ + bit / 8;
      const auto shift = static_cast<unsigned>(bit % 8);
      std::uint64_t word = load(byte) >> shift;
      // 57 bits are there in any case.
      if (shift + parameter > 64) word |= std::uint64_t{bytes_[byte + 8]} << (64 - shift);
      number = word & mask;
      bit += parameter;
    }
    at_ += size;
    return true;
  }

  bool read_quotients(std::span<std::uint64_t> group, unsigned parameter) {
    // `word` holds the bits from `base` on that are not used yet; `next` is the first of them.
    std::size_t base = at_;
    std::uint64_t word = base < bytes_.size() ? load(base) : 0;
    std::size_t next = 0;
    escapes_ = 0;
    // More than fits beside the remainder is no quotient.
    const std::size_t most =
        parameter > 59 ? (std::size_t{1} << (64 - parameter)) - 1 : std::size_t{quotient_limit};
    for (std::uint64_t& number : group) {
      while (word == 0) {
        base += 8;
        if (base >= bytes_.size()) return false;
        word = load(base);
      }
      const std::size_t one = 8 * (base - at_) + static_cast<unsigned>(std::countr_zero(word));
      const std::size_t quotient = one - next;
      if (quotient > most) return false;
      escapes_ += quotient == quotient_limit ? 1 : 0;
      number |= std::uint64_t{quotient} << parameter;
      word &= word - 1;
      next = one + 1;
    }
    const std::size_t size = (next + 7) / 8;
    if (next % 8 != 0 && bytes_[at_ + size - 1] >> (next % 8) != 0) return false;
    at_ += size;
    return true;
  }

  bool read_escapes(std::span<std::uint64_t> group, unsigned parameter) {
    if (escapes_ == 0) return true;
    if (!need(8 * escapes_)) return false;
    // The width of the quotient tells an escape, so numbers keep it apart from their remainder.
    const std::uint64_t mask = (std::uint64_t{1} << parameter) - 1;
    for (std::uint64_t& number : group) {
      if (number >> parameter != quotient_limit) continue;
      const auto quotient = load_le<std::uint64_t>(bytes_.data() + at_);
      if (quotient < quotient_limit || quotient << parameter >> parameter != quotient) {
        return false;
      }
      number = (number & mask) | quotient << parameter;
      at_ += 8;
    }
    return true;
  }

  ByteView bytes_;
  std::size_t at_ = 0;
  std::size_t escapes_ = 0;
};

}  // namespace

void append_rice(Buffer& out, std::span<const std::uint64_t> numbers) {
  // The most that a group takes, and the word that is written ahead.
  constexpr std::size_t group_room =
      1 + group_size * (63 + quotient_limit + 1) / 8 + 2 + 8 * group_size + 8;
  std::size_t size = out.size();
  for (std::size_t i = 0; i < numbers.size(); i += group_size) {
    if (out.capacity() - size < group_room) {
      // Grows by half, and keeps what is there.
      out.resize_uninitialized(size);
      out.resize_uninitialized(size + group_room);
    }
    out.resize_uninitialized(out.capacity());
    const std::uint8_t* end =
        put_group(out.data() + size, numbers.subspan(i, std::min(group_size, numbers.size() - i)));
    size = static_cast<std::size_t>(end - out.data());
  }
  out.resize_uninitialized(size);
}

std::uint64_t rice_cost_bits(std::span<const std::uint64_t> numbers) {
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < numbers.size(); i += group_size) {
    const auto group = numbers.subspan(i, std::min(group_size, numbers.size() - i));
    const unsigned parameter = choose_parameter(group);
    bits += 8;
    if (parameter == whole_words) bits += 64 * group.size();
    // On average half a byte of padding after remainders and after quotients.
    if (parameter < whole_words) bits += group_bits(group, parameter) + 8;
  }
  return bits;
}

std::optional<std::size_t> read_rice(ByteView bytes, std::span<std::uint64_t> numbers) {
  GroupReader reader(bytes);
  for (std::size_t i = 0; i < numbers.size(); i += group_size) {
    if (!reader.read(numbers.subspan(i, std::min(group_size, numbers.size() - i)))) {
      return std::nullopt;
    }
  }
  return reader.offset();
}

}  // namespace twinchain::record
