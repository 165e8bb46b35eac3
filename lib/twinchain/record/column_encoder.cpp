#include "twinchain/record/column_encoder.hpp"

#include <algorithm>
#include <bit>
#include <string_view>
#include <unordered_map>

#include "twinchain/record/column_kernels.hpp"

namespace twinchain::record {
namespace {

/// Encodings are compared again after so many values, but within so many windows.
constexpr std::size_t values_between_choices = 256 * 1024;
constexpr std::size_t windows_between_choices = 128;
/// A column that became larger than when its encoding was chosen, by this factor, is looked at
/// again.
constexpr float growth_limit = 1.15F;
/// More decimal digits than this leave no room for the digits before the point.
constexpr unsigned most_digits_tried = 17;
/// One in so many values may be none of the column's decimals (a NaN where nothing was measured).
constexpr std::size_t values_per_exception = 8;
constexpr std::size_t most_entries = 1U << 16;
/// Decimals below this size are not weighed against encodings of the bits.
constexpr double clearly_small = 3.5;

bool all_equal(std::span<const std::uint64_t> words) {
  return words.front() == words.back() &&
         std::memcmp(words.data(), words.data() + 1, 8 * (words.size() - 1)) == 0;
}

/// Distinct words and the number of each in its order of appearance. Open addressing.
class Distinct {
 public:
  /// False when there are more than `limit`.
  bool build(std::span<const std::uint64_t> words, std::size_t limit) {
    entries_.clear();
    slots_.assign(std::bit_ceil(2 * std::min(limit, words.size()) + 2), 0);
    numbers_.resize(words.size());
    for (std::size_t i = 0; i < words.size(); ++i) {
      const std::size_t at = find(words[i]);
      if (slots_[at] == 0) {
        if (entries_.size() == limit) return false;
        entries_.push_back(words[i]);
        slots_[at] = static_cast<std::uint32_t>(entries_.size());
      }
      numbers_[i] = slots_[at] - 1;
    }
    return true;
  }
  /// Numbers entries by size, so that neighbours in value are neighbours in number.
  void sort() {
    std::vector<std::uint32_t> order(entries_.size());
    for (std::uint32_t i = 0; i < order.size(); ++i) order[i] = i;
    std::ranges::sort(order, {}, [this](std::uint32_t i) { return entries_[i]; });
    std::vector<std::uint64_t> sorted(entries_.size());
    std::vector<std::uint64_t> place(entries_.size());
    for (std::uint32_t i = 0; i < order.size(); ++i) {
      sorted[i] = entries_[order[i]];
      place[order[i]] = i;
    }
    entries_ = std::move(sorted);
    for (std::uint64_t& number : numbers_) number = place[number];
  }
  [[nodiscard]] std::span<const std::uint64_t> entries() const { return entries_; }
  [[nodiscard]] std::span<const std::uint64_t> numbers() const { return numbers_; }

 private:
  [[nodiscard]] std::size_t find(std::uint64_t word) const {
    const std::size_t mask = slots_.size() - 1;
    std::size_t at = (word * 0x9e3779b97f4a7c15 >> 32) & mask;
    while (slots_[at] != 0 && entries_[slots_[at] - 1] != word) at = (at + 1) & mask;
    return at;
  }

  std::vector<std::uint32_t> slots_;
  std::vector<std::uint64_t> entries_;
  std::vector<std::uint64_t> numbers_;
};

/// The least number of decimal digits with which a value is integer / 10^digits.
unsigned digits_of(std::uint64_t word) {
  std::uint64_t integer = 0;
  std::uint64_t place = 0;
  for (unsigned digits = 0; digits <= most_digits_tried; ++digits) {
    if (to_decimals({&word, 1}, decimal_divisors[digits], &integer, {&place, 1}) == 0) {
      return digits;
    }
  }
  return most_digits_tried + 1;
}

}  // namespace

struct ColumnEncoder::State {
  BlockWriter blocks;
  Distinct distinct;
  std::vector<std::uint64_t> words;
  std::vector<std::uint64_t> exceptions;
  Bytes bytes;
  ColumnMemory times;
  Buffer table;

  void append_plain(std::span<const std::uint64_t> values, bool try_zstd, Buffer& out);
  void append_dictionary(const IntegerPlan& plan, Buffer& out);
  bool append_decimals(std::span<const std::uint64_t> values, ColumnMemory& memory, Buffer& out);
  bool append_words(std::span<const std::uint64_t> values, ColumnMemory& memory, Buffer& out);
  ColumnEncoding encode_words(std::span<const std::uint64_t> values, ValueType type,
                              std::uint32_t channel, ColumnMemory& memory, Buffer& out);
  ColumnEncoding encode_bits(std::span<const std::uint64_t> values, Buffer& out);
  ColumnEncoding encode_strings(std::span<const std::uint64_t> ends, ByteView text, Buffer& out);

  bool find_digits(std::span<const std::uint64_t> values, unsigned& digits) const;
  void choose(std::span<const std::uint64_t> values, bool decimals_allowed, ColumnMemory& memory);
  void choose_dictionary(std::span<const std::uint64_t> values, ColumnMemory& memory,
                         double& bytes_per_value);
};

// --- Writing each encoding ----------------------------------------------------------------------

void ColumnEncoder::State::append_plain(std::span<const std::uint64_t> values, bool try_zstd,
                                        Buffer& out) {
  bytes.resize(8 * values.size());
  for (std::size_t i = 0; i < values.size(); ++i) store_le(&bytes[8 * i], values[i]);
  blocks.append_bytes(out, bytes, try_zstd);
}

void ColumnEncoder::State::append_dictionary(const IntegerPlan& plan, Buffer& out) {
  put_varint(out, distinct.entries().size());
  blocks.append_integers(out, distinct.entries(), {});
  blocks.append_integers(out, distinct.numbers(), plan);
}

bool ColumnEncoder::State::append_decimals(std::span<const std::uint64_t> values,
                                           ColumnMemory& memory, Buffer& out) {
  const std::size_t limit = values.size() / values_per_exception;
  if (words.size() < values.size()) words.resize(values.size());
  if (exceptions.size() < limit + 1) exceptions.resize(limit + 1);
  std::size_t count = 0;
  while (true) {
    count = to_decimals(values, decimal_divisors[memory.digits], words.data(),
                        std::span(exceptions).first(limit + 1));
    // Exceptions may only need more digits than there were up to now.
    unsigned more = memory.digits;
    for (std::size_t i = 0; i < std::min<std::size_t>({count, limit + 1, 16}); ++i) {
      const unsigned digits = digits_of(values[exceptions[i]]);
      if (digits <= most_digits_tried) more = std::max(more, digits);
    }
    if (more == memory.digits) break;
    memory.digits = static_cast<std::uint8_t>(more);
    memory.windows_left = 0;
  }
  if (count > limit) return false;
  put_le(out, memory.digits);
  put_varint(out, count);
  if (count > 0) {
    const auto places = std::span(exceptions).first(count);
    blocks.append_integers(out, places, {1, true, true, 0, 1});
    for (std::uint64_t& place : places) place = values[place];
    append_plain(places, false, out);
  }
  blocks.append_integers(out, std::span(words).first(values.size()), memory.plan);
  return true;
}

bool ColumnEncoder::State::append_words(std::span<const std::uint64_t> values, ColumnMemory& memory,
                                        Buffer& out) {
  switch (memory.encoding) {
    case ColumnEncoding::decimal:
      return append_decimals(values, memory, out);
    case ColumnEncoding::dictionary:
      if (!distinct.build(values, std::min(most_entries, values.size() / 4))) return false;
      distinct.sort();
      append_dictionary(memory.plan, out);
      return true;
    case ColumnEncoding::integers:
      blocks.append_integers(out, values, memory.plan);
      return true;
    default:
      append_plain(values, memory.plan.zstd_planes != 0, out);
      return true;
  }
}

// --- Choosing -----------------------------------------------------------------------------------

bool ColumnEncoder::State::find_digits(std::span<const std::uint64_t> values,
                                       unsigned& digits) const {
  const std::size_t stride = std::max<std::size_t>(1, values.size() / 64);
  std::size_t looked_at = 0;
  std::size_t failed = 0;
  digits = 0;
  for (std::size_t i = 0; i < values.size(); i += stride, ++looked_at) {
    const unsigned needed = digits_of(values[i]);
    if (needed > most_digits_tried) {
      if (++failed > 10) return false;
    } else {
      digits = std::max(digits, needed);
    }
  }
  return failed <= looked_at / values_per_exception;
}

void ColumnEncoder::State::choose_dictionary(std::span<const std::uint64_t> values,
                                             ColumnMemory& memory, double& bytes_per_value) {
  const auto sample = middle(values, 4 * integer_sample_size);
  if (sample.size() < 32 || !distinct.build(sample, sample.size() / 4)) return;
  distinct.sort();
  const auto choice = blocks.choose_integers(distinct.numbers(), true);
  table.clear();
  blocks.append_integers(table, distinct.entries(), {});
  const double cost = choice.bytes_per_value +
                      static_cast<double>(table.size()) / static_cast<double>(sample.size());
  if (cost >= bytes_per_value) return;
  memory.encoding = ColumnEncoding::dictionary;
  memory.plan = choice.plan;
  bytes_per_value = cost;
}

void ColumnEncoder::State::choose(std::span<const std::uint64_t> values, bool decimals_allowed,
                                  ColumnMemory& memory) {
  memory.chosen = true;
  memory.bytes_per_value = 0;
  double bytes_per_value = 8;
  memory.encoding = ColumnEncoding::plain;
  memory.plan = {};
  memory.plan.zstd_planes = 0;
  const auto take = [&](ColumnEncoding encoding, const BlockWriter::Choice& choice) {
    if (choice.bytes_per_value >= bytes_per_value) return;
    memory.encoding = encoding;
    memory.plan = choice.plan;
    bytes_per_value = choice.bytes_per_value;
  };
  const auto sample = middle(values, integer_sample_size);
  unsigned digits = 0;
  if (decimals_allowed && find_digits(values, digits)) {
    memory.digits = static_cast<std::uint8_t>(digits);
    words.resize(std::max(words.size(), sample.size()));
    to_decimals(sample, decimal_divisors[digits], words.data(), {});
    take(ColumnEncoding::decimal,
         blocks.choose_integers(std::span(words).first(sample.size()), true));
  }
  if (bytes_per_value > clearly_small) {
    take(ColumnEncoding::integers, blocks.choose_integers(sample, true));
    take(ColumnEncoding::integers, blocks.choose_planes(sample));
    BlockWriter::Choice plain;
    plain.plan.zstd_planes = 1;
    plain.bytes_per_value = blocks.plain_bytes_per_value(sample) * 1.03;
    take(ColumnEncoding::plain, plain);
  }
  if (bytes_per_value > 0.1) choose_dictionary(values, memory, bytes_per_value);
}

ColumnEncoding ColumnEncoder::State::encode_words(std::span<const std::uint64_t> values,
                                                  ValueType type, std::uint32_t channel,
                                                  ColumnMemory& memory, Buffer& out) {
  const std::size_t begin = out.size();
  if (all_equal(values)) {
    put_le(out, values.front());
    return ColumnEncoding::constant;
  }
  const bool is_f64 = type == ValueType::f64;
  const auto choose_again = [&](bool decimals_allowed) {
    choose(values, decimals_allowed, memory);
    // In another window for each channel, so that no window pays for all.
    const std::size_t windows = values_between_choices / values.size() + 1;
    const std::size_t spread = std::min(windows, windows_between_choices);
    memory.windows_left = static_cast<std::uint16_t>(spread / 2 + channel % spread);
  };
  if (!memory.chosen || memory.windows_left == 0) {
    choose_again(is_f64);
  } else {
    --memory.windows_left;
  }
  if (!append_words(values, memory, out)) {
    out.resize_uninitialized(begin);
    choose_again(is_f64 && memory.encoding != ColumnEncoding::decimal);
    if (!append_words(values, memory, out)) {
      out.resize_uninitialized(begin);
      memory.encoding = ColumnEncoding::plain;
      append_words(values, memory, out);
    }
  }
  const std::size_t size = out.size() - begin;
  const float bytes_per_value = static_cast<float>(size) / static_cast<float>(values.size());
  if (memory.bytes_per_value == 0) memory.bytes_per_value = bytes_per_value;
  if (bytes_per_value > memory.bytes_per_value * growth_limit) memory.windows_left = 0;
  if (size > 8 * values.size() + 1) {
    // The promise that nothing grows by more than a few bytes.
    out.resize_uninitialized(begin);
    append_plain(values, false, out);
    return ColumnEncoding::plain;
  }
  return memory.encoding;
}

ColumnEncoding ColumnEncoder::State::encode_bits(std::span<const std::uint64_t> values,
                                                 Buffer& out) {
  if (all_equal(values)) {
    put_le(out, static_cast<std::uint8_t>(values.front()));
    return ColumnEncoding::constant;
  }
  bytes.assign((values.size() + 7) / 8, 0);
  for (std::size_t i = 0; i < values.size(); ++i) {
    bytes[i / 8] = static_cast<std::uint8_t>(bytes[i / 8] | (values[i] & 1) << (i % 8));
  }
  blocks.append_bytes(out, bytes);
  return ColumnEncoding::bits;
}

ColumnEncoding ColumnEncoder::State::encode_strings(std::span<const std::uint64_t> ends,
                                                    ByteView text, Buffer& out) {
  std::unordered_map<std::string_view, std::uint32_t> entries;
  std::vector<std::uint64_t> lengths;
  std::vector<std::uint64_t> numbers;
  const std::string_view all = as_text(text);
  const std::size_t limit = ends.size() / 2;
  std::string entry_text;
  std::uint64_t begin = 0;
  for (const std::uint64_t end : ends) {
    const auto [at, added] = entries.try_emplace(all.substr(begin, end - begin),
                                                 static_cast<std::uint32_t>(entries.size()));
    if (added) {
      if (entries.size() > limit) break;
      lengths.push_back(end - begin);
      entry_text += at->first;
    }
    numbers.push_back(at->second);
    begin = end;
  }
  if (numbers.size() == ends.size()) {
    put_varint(out, lengths.size());
    blocks.append_integers(out, lengths, blocks.choose_integers(lengths, true).plan);
    blocks.append_bytes(out, as_bytes(entry_text));
    blocks.append_integers(out, numbers, blocks.choose_integers(numbers, true).plan);
    return ColumnEncoding::dictionary;
  }
  words.resize(std::max(words.size(), ends.size()));
  std::uint64_t before = 0;
  for (std::size_t i = 0; i < ends.size(); ++i) {
    words[i] = ends[i] - before;
    before = ends[i];
  }
  const auto sizes = std::span(words).first(ends.size());
  blocks.append_integers(out, sizes, blocks.choose_integers(sizes, true).plan);
  blocks.append_bytes(out, text);
  return ColumnEncoding::plain;
}

// --- Columns ------------------------------------------------------------------------------------

ColumnEncoder::ColumnEncoder() : state_(std::make_unique<State>()) {}
ColumnEncoder::~ColumnEncoder() = default;
ColumnEncoder::ColumnEncoder(ColumnEncoder&&) noexcept = default;

void ColumnEncoder::encode_times(std::span<const std::int64_t> times_ns, Buffer& out) {
  const std::size_t at = out.size();
  put_le(out, std::uint32_t{0});
  put_le(out, static_cast<std::uint32_t>(times_ns.size()));
  // Signed and unsigned of one type may be accessed as each other.
  const std::span words(reinterpret_cast<const std::uint64_t*>(times_ns.data()), times_ns.size());
  out.data()[at] =
      static_cast<std::uint8_t>(state_->encode_words(words, ValueType::i64, 0, state_->times, out));
}

void ColumnEncoder::encode_values(const ColumnInput& column, ColumnMemory& memory, Buffer& out) {
  const std::size_t at = out.size();
  put_le(out, column.channel);
  put_le(out, static_cast<std::uint8_t>(column.type));
  put_le(out, std::uint8_t{0});
  put_le(out,
         static_cast<std::uint8_t>(column.rows.empty() ? Presence::all_rows : Presence::row_list));
  put_le(out, std::uint8_t{0});
  put_le(out, static_cast<std::uint32_t>(column.words.size()));
  if (!column.rows.empty()) {
    state_->words.assign(column.rows.begin(), column.rows.end());
    state_->blocks.append_integers(out, state_->words,
                                   state_->blocks.choose_integers(state_->words, false).plan);
  }
  ColumnEncoding encoding = ColumnEncoding::plain;
  switch (column.type) {
    case ValueType::f64:
    case ValueType::i64:
      encoding = state_->encode_words(column.words, column.type, column.channel, memory, out);
      break;
    case ValueType::boolean:
      encoding = state_->encode_bits(column.words, out);
      break;
    case ValueType::string:
      encoding = state_->encode_strings(column.words, column.text, out);
      break;
  }
  out.data()[at + 5] = static_cast<std::uint8_t>(encoding);
}

}  // namespace twinchain::record
