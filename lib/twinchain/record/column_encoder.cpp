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
constexpr std::size_t most_entries = 1U << 16;

bool all_equal(std::span<const std::uint64_t> words) {
  return words.front() == words.back() &&
         std::memcmp(words.data(), words.data() + 1, 8 * (words.size() - 1)) == 0;
}

}  // namespace

struct ColumnEncoder::State {
  BlockWriter blocks;
  ColumnChooser chooser;
  DistinctWords distinct;
  std::vector<std::uint64_t> words;
  std::vector<std::uint64_t> exceptions;
  Bytes bytes;
  ColumnMemory times;

  bool append_dictionary(std::span<const std::uint64_t> values, const IntegerPlan& plan,
                         Buffer& out);
  bool append_scaled(std::span<const std::uint64_t> values, ColumnMemory& memory, Buffer& out);
  std::size_t find_integers(std::span<const std::uint64_t> values, ColumnMemory& memory);
  bool append_words(std::span<const std::uint64_t> values, ColumnMemory& memory, Buffer& out);
  ColumnEncoding encode_words(std::span<const std::uint64_t> values, ValueType type,
                              std::uint32_t channel, ColumnMemory& memory, Buffer& out);
  ColumnEncoding encode_bits(std::span<const std::uint64_t> values, Buffer& out);
  ColumnEncoding encode_strings(std::span<const std::uint64_t> ends, ByteView text, Buffer& out);

  std::span<std::uint64_t> scratch(std::size_t size) {
    if (words.size() < size) words.resize(size);
    return std::span(words).first(size);
  }
};

bool ColumnEncoder::State::append_dictionary(std::span<const std::uint64_t> values,
                                             const IntegerPlan& plan, Buffer& out) {
  if (!distinct.build(values, std::min(most_entries, values.size() / 4))) return false;
  distinct.sort();
  put_varint(out, distinct.entries().size());
  blocks.append_integers(out, distinct.entries(), {});
  blocks.append_integers(out, distinct.numbers(), plan);
  return true;
}

/// Integers into scratch, places of exceptions into `exceptions`, the number of which is given.
std::size_t ColumnEncoder::State::find_integers(std::span<const std::uint64_t> values,
                                                ColumnMemory& memory) {
  const std::size_t limit = values.size() / values_per_exception;
  const auto integers = scratch(values.size());
  if (exceptions.size() < limit + 1) exceptions.resize(limit + 1);
  const auto places = std::span(exceptions).first(limit + 1);
  if (memory.choice.encoding == ColumnEncoding::scaled) {
    return to_integers(values, {memory.choice.scale, false}, integers.data(), places);
  }
  while (true) {
    const std::size_t count = to_integers(values, {decimal_divisors[memory.choice.digits], true},
                                          integers.data(), places);
    // Exceptions may only need more digits than there were up to now.
    unsigned digits = memory.choice.digits;
    for (const std::uint64_t place :
         places.first(std::min<std::size_t>({count, places.size(), 16}))) {
      const unsigned needed = decimal_digits(values[place], most_digits_tried);
      if (needed <= most_digits_tried) digits = std::max(digits, needed);
    }
    if (digits == memory.choice.digits) return count;
    memory.choice.digits = static_cast<std::uint8_t>(digits);
    memory.windows_left = 0;
  }
}

bool ColumnEncoder::State::append_scaled(std::span<const std::uint64_t> values,
                                         ColumnMemory& memory, Buffer& out) {
  const std::size_t count = find_integers(values, memory);
  if (count > values.size() / values_per_exception) return false;
  if (memory.choice.encoding == ColumnEncoding::decimal) {
    put_le(out, memory.choice.digits);
  } else {
    put_le(out, std::bit_cast<std::uint64_t>(memory.choice.scale));
  }
  put_varint(out, count);
  if (count > 0) {
    const auto places = std::span(exceptions).first(count);
    blocks.append_integers(out, places, {1, true, true, false, 0, 1});
    for (std::uint64_t& place : places) place = values[place];
    blocks.append_plain(out, places, false);
  }
  blocks.append_integers(out, scratch(values.size()), memory.choice.plan);
  return true;
}

bool ColumnEncoder::State::append_words(std::span<const std::uint64_t> values, ColumnMemory& memory,
                                        Buffer& out) {
  switch (memory.choice.encoding) {
    case ColumnEncoding::decimal:
    case ColumnEncoding::scaled:
      return append_scaled(values, memory, out);
    case ColumnEncoding::dictionary:
      return append_dictionary(values, memory.choice.plan, out);
    case ColumnEncoding::integers:
      blocks.append_integers(out, values, memory.choice.plan);
      return true;
    case ColumnEncoding::rotated: {
      const auto rotated = scratch(values.size());
      for (std::size_t i = 0; i < values.size(); ++i) rotated[i] = std::rotl(values[i], 1);
      blocks.append_integers(out, rotated, memory.choice.plan);
      return true;
    }
    default:
      blocks.append_plain(out, values, memory.choice.plan.zstd_planes != 0);
      return true;
  }
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
  const auto choose_again = [&](bool allow_scaled) {
    memory.chosen = true;
    memory.bytes_per_value = 0;
    memory.choice = chooser.choose_words(values, is_f64, allow_scaled);
    // In another window for each channel, so that no window pays for all.
    const std::size_t windows = values_between_choices / values.size() + 1;
    const std::size_t spread = std::min(windows, windows_between_choices);
    memory.windows_left = static_cast<std::uint16_t>(spread / 2 + channel % spread);
  };
  if (!memory.chosen || memory.windows_left == 0) {
    choose_again(true);
  } else {
    --memory.windows_left;
  }
  if (!append_words(values, memory, out)) {
    out.resize_uninitialized(begin);
    choose_again(memory.choice.encoding == ColumnEncoding::dictionary);
    if (!append_words(values, memory, out)) {
      out.resize_uninitialized(begin);
      memory.choice.encoding = ColumnEncoding::plain;
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
    blocks.append_plain(out, values, false);
    return ColumnEncoding::plain;
  }
  return memory.choice.encoding;
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
    blocks.append_integers(out, lengths, chooser.choose_integers(lengths).plan);
    blocks.append_bytes(out, as_bytes(entry_text));
    blocks.append_integers(out, numbers, chooser.choose_integers(numbers).plan);
    return ColumnEncoding::dictionary;
  }
  const auto sizes = scratch(ends.size());
  std::uint64_t before = 0;
  for (std::size_t i = 0; i < ends.size(); ++i) {
    sizes[i] = ends[i] - before;
    before = ends[i];
  }
  blocks.append_integers(out, sizes, chooser.choose_integers(sizes).plan);
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
    const auto rows = state_->scratch(column.rows.size());
    std::ranges::copy(column.rows, rows.begin());
    state_->blocks.append_integers(out, rows, state_->chooser.choose_integers(rows).plan);
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
