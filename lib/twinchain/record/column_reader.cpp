#include "twinchain/record/column_reader.hpp"

#include <algorithm>
#include <cmath>

#include "twinchain/base/text.hpp"
#include "twinchain/record/column_blocks.hpp"
#include "twinchain/record/column_kernels.hpp"

namespace twinchain::record {
namespace {

std::unexpected<Error> malformed(std::string message) {
  return fail(ExitCode::malformed, std::move(message));
}

std::unexpected<Error> unknown_encoding(std::uint8_t encoding) {
  return malformed("column encoding " + decimal(std::uint64_t{encoding}) +
                   " is not known to this version");
}

Status read_plain(BlockReader& in, std::span<std::uint64_t> words) {
  Bytes bytes(8 * words.size());
  TWINCHAIN_TRY(in.read_bytes(bytes));
  for (std::size_t i = 0; i < words.size(); ++i) words[i] = load_le<std::uint64_t>(&bytes[8 * i]);
  return {};
}

/// Exceptions and integers of decimal and scaled columns.
Status read_scaled_integers(BlockReader& in, const IntegerScale& scale,
                            std::span<std::uint64_t> words) {
  const auto exceptions = in.read_varint();
  if (!exceptions) return std::unexpected(exceptions.error());
  if (*exceptions > words.size() || *exceptions > in.fields().remaining()) {
    return malformed("a column of integers with more exceptions than values");
  }
  std::vector<std::uint64_t> places(*exceptions);
  std::vector<std::uint64_t> bits(*exceptions);
  if (!places.empty()) {
    TWINCHAIN_TRY(in.read_integers(places));
    TWINCHAIN_TRY(read_plain(in, bits));
  }
  TWINCHAIN_TRY(in.read_integers(words));
  for (std::uint64_t& word : words) {
    const auto integer = static_cast<std::int64_t>(word);
    if (integer > max_scaled_integer || integer < -max_scaled_integer) {
      return malformed("a column of integers with one beyond 2^53");
    }
    const auto whole = static_cast<double>(integer);
    word = std::bit_cast<std::uint64_t>(scale.divides ? whole / scale.scale : whole * scale.scale);
  }
  for (std::size_t i = 0; i < places.size(); ++i) {
    if (places[i] >= words.size() || (i > 0 && places[i] <= places[i - 1])) {
      return malformed("a column of integers with exceptions out of order");
    }
    words[places[i]] = bits[i];
  }
  return {};
}

Status read_decimal(BlockReader& in, std::span<std::uint64_t> words) {
  const auto digits = in.fields().read_le<std::uint8_t>();
  if (!in.fields().ok() || digits > max_decimal_digits) {
    return malformed("a decimal column with too many digits");
  }
  return read_scaled_integers(in, {decimal_divisors[digits], true}, words);
}

Status read_scaled(BlockReader& in, std::span<std::uint64_t> words) {
  const auto scale = std::bit_cast<double>(in.fields().read_le<std::uint64_t>());
  // What an infinite scale or a NaN would make of integers need not be the same everywhere.
  if (!in.fields().ok() || !std::isnormal(scale)) {
    return malformed("a scaled column without a scale");
  }
  return read_scaled_integers(in, {scale, false}, words);
}

Status read_rotated(BlockReader& in, std::span<std::uint64_t> words) {
  TWINCHAIN_TRY(in.read_integers(words));
  for (std::uint64_t& word : words) word = std::rotr(word, 1);
  return {};
}

/// Number of entries of a dictionary: each is there for at least one value.
Result<std::size_t> read_entry_count(BlockReader& in, std::size_t values) {
  auto entries = in.read_varint();
  if (!entries) return pass(entries);
  if (*entries == 0 || *entries > values) return malformed("a dictionary of the wrong size");
  return *entries;
}

Status read_entry_numbers(BlockReader& in, std::size_t entries, std::span<std::uint64_t> numbers) {
  TWINCHAIN_TRY(in.read_integers(numbers));
  if (std::ranges::any_of(numbers, [entries](std::uint64_t n) { return n >= entries; })) {
    return malformed("a value that is not in its dictionary");
  }
  return {};
}

Status read_dictionary(BlockReader& in, std::span<std::uint64_t> words) {
  const auto entries = read_entry_count(in, words.size());
  if (!entries) return std::unexpected(entries.error());
  std::vector<std::uint64_t> table(*entries);
  TWINCHAIN_TRY(in.read_integers(table));
  TWINCHAIN_TRY(read_entry_numbers(in, table.size(), words));
  for (std::uint64_t& word : words) word = table[word];
  return {};
}

Status read_words(BlockReader& in, std::uint8_t encoding, ValueType type,
                  std::span<std::uint64_t> words) {
  switch (static_cast<ColumnEncoding>(encoding)) {
    case ColumnEncoding::integers:
      return in.read_integers(words);
    case ColumnEncoding::decimal:
      if (type == ValueType::f64) return read_decimal(in, words);
      break;
    case ColumnEncoding::dictionary:
      return read_dictionary(in, words);
    case ColumnEncoding::plain:
      return read_plain(in, words);
    case ColumnEncoding::rotated:
      if (type == ValueType::f64) return read_rotated(in, words);
      break;
    case ColumnEncoding::scaled:
      if (type == ValueType::f64) return read_scaled(in, words);
      break;
    case ColumnEncoding::constant:
      std::ranges::fill(words, in.fields().read_le<std::uint64_t>());
      if (in.fields().ok()) return {};
      return malformed("a constant column without its value");
    default:
      break;
  }
  return unknown_encoding(encoding);
}

Status read_booleans(BlockReader& in, std::uint8_t encoding, std::span<std::uint8_t> values) {
  if (encoding == static_cast<std::uint8_t>(ColumnEncoding::constant)) {
    const auto value = in.fields().read_le<std::uint8_t>();
    if (!in.fields().ok() || value > 1) return malformed("a bool column of something else");
    std::ranges::fill(values, value);
    return {};
  }
  if (encoding != static_cast<std::uint8_t>(ColumnEncoding::bits)) {
    return unknown_encoding(encoding);
  }
  Bytes bits((values.size() + 7) / 8);
  TWINCHAIN_TRY(in.read_bytes(bits));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = bits[i / 8] >> (i % 8) & 1;
  if (values.size() % 8 != 0 && bits.back() >> (values.size() % 8) != 0) {
    return malformed("a bool column with more bits than values");
  }
  return {};
}

/// `lengths` says how long each is; together at most max_window_size.
Result<std::vector<std::string>> read_texts(BlockReader& in, std::size_t count) {
  std::vector<std::uint64_t> lengths(count);
  TWINCHAIN_TRY(in.read_integers(lengths));
  std::uint64_t size = 8 * std::uint64_t{count};
  for (const std::uint64_t length : lengths) {
    if (length > max_window_size - size) return malformed("a string column that is too large");
    size += length;
  }
  Bytes text(size - 8 * std::uint64_t{count});
  TWINCHAIN_TRY(in.read_bytes(text));
  std::vector<std::string> out;
  out.reserve(count);
  std::string_view rest = as_text(text);
  for (const std::uint64_t length : lengths) {
    out.emplace_back(rest.substr(0, length));
    rest.remove_prefix(length);
  }
  return out;
}

Status read_strings(BlockReader& in, std::uint8_t encoding, std::size_t count,
                    std::vector<std::string>& strings) {
  if (encoding == static_cast<std::uint8_t>(ColumnEncoding::plain)) {
    auto texts = read_texts(in, count);
    if (!texts) return std::unexpected(texts.error());
    strings = std::move(*texts);
    return {};
  }
  if (encoding != static_cast<std::uint8_t>(ColumnEncoding::dictionary)) {
    return unknown_encoding(encoding);
  }
  const auto entries = read_entry_count(in, count);
  if (!entries) return std::unexpected(entries.error());
  const auto table = read_texts(in, *entries);
  if (!table) return std::unexpected(table.error());
  std::vector<std::uint64_t> numbers(count);
  TWINCHAIN_TRY(read_entry_numbers(in, *entries, numbers));
  std::uint64_t size = 0;
  for (const std::uint64_t number : numbers) size += 8 + (*table)[number].size();
  if (size > max_window_size) return malformed("a string column that is too large");
  strings.reserve(count);
  for (const std::uint64_t number : numbers) strings.push_back((*table)[number]);
  return {};
}

Status read_rows(BlockReader& in, std::uint8_t presence, std::size_t count,
                 std::vector<std::uint32_t>& rows) {
  if (presence == static_cast<std::uint8_t>(Presence::all_rows)) return {};
  if (presence != static_cast<std::uint8_t>(Presence::row_list)) {
    return malformed("column presence " + decimal(std::uint64_t{presence}) +
                     " is not known to this version");
  }
  std::vector<std::uint64_t> numbers(count);
  TWINCHAIN_TRY(in.read_integers(numbers));
  rows.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    if (numbers[i] >= max_window_rows || (i > 0 && numbers[i] <= numbers[i - 1])) {
      return malformed("rows of a column out of order");
    }
    rows[i] = static_cast<std::uint32_t>(numbers[i]);
  }
  return {};
}

struct Head {
  std::uint32_t channel = 0;
  ValueType type = ValueType::f64;
  std::uint8_t encoding = 0;
  std::uint8_t presence = 0;
  std::uint32_t count = 0;
};

Result<std::uint32_t> check_count(std::uint32_t count) {
  if (count == 0 || count > max_window_rows) {
    return malformed("a column of " + decimal(std::uint64_t{count}) + " values");
  }
  return count;
}

Result<Head> parse_head(ByteCursor& in) {
  Head head;
  head.channel = in.read_le<std::uint32_t>();
  const auto type = in.read_le<std::uint8_t>();
  head.encoding = in.read_le<std::uint8_t>();
  head.presence = in.read_le<std::uint8_t>();
  const auto reserved = in.read_le<std::uint8_t>();
  head.count = in.read_le<std::uint32_t>();
  if (!in.ok()) return malformed("a value column shorter than its head");
  if (type < 1 || type > 4 || reserved != 0) {
    return malformed("a value column of an unknown kind");
  }
  head.type = static_cast<ValueType>(type);
  const auto count = check_count(head.count);
  if (!count) return std::unexpected(count.error());
  return head;
}

}  // namespace

std::size_t Column::size() const {
  switch (type) {
    case ValueType::f64:
      return f64.size();
    case ValueType::i64:
      return i64.size();
    case ValueType::boolean:
      return boolean.size();
    case ValueType::string:
      return string.size();
  }
  return 0;
}

Result<std::uint32_t> value_column_channel(ByteView payload) {
  ByteCursor in(payload);
  auto head = parse_head(in);
  if (!head) return pass(head);
  return head->channel;
}

Result<std::vector<std::int64_t>> decode_time_column(ByteView payload) {
  BlockReader in(payload);
  const auto encoding = in.fields().read_le<std::uint8_t>();
  const auto reserved = in.fields().read_le<std::uint8_t>();
  const auto reserved_too = in.fields().read_le<std::uint16_t>();
  const auto stored_count = in.fields().read_le<std::uint32_t>();
  if (!in.fields().ok()) return malformed("a time column shorter than its head");
  if (reserved != 0 || reserved_too != 0) return malformed("a time column of an unknown kind");
  auto count = check_count(stored_count);
  if (!count) return pass(count);
  std::vector<std::uint64_t> words(*count);
  TWINCHAIN_TRY(read_words(in, encoding, ValueType::i64, words));
  TWINCHAIN_TRY(in.finish());
  std::vector<std::int64_t> times(words.size());
  std::memcpy(times.data(), words.data(), 8 * words.size());
  return times;
}

Result<Column> decode_value_column(ByteView payload) {
  BlockReader in(payload);
  auto head = parse_head(in.fields());
  if (!head) return pass(head);
  Column column;
  column.channel = head->channel;
  column.type = head->type;
  const std::size_t count = head->count;
  TWINCHAIN_TRY(read_rows(in, head->presence, count, column.rows));
  switch (head->type) {
    case ValueType::f64:
    case ValueType::i64: {
      std::vector<std::uint64_t> words(count);
      TWINCHAIN_TRY(read_words(in, head->encoding, head->type, words));
      if (head->type == ValueType::f64) {
        column.f64.resize(count);
        std::memcpy(column.f64.data(), words.data(), 8 * count);
      } else {
        column.i64.resize(count);
        std::memcpy(column.i64.data(), words.data(), 8 * count);
      }
      break;
    }
    case ValueType::boolean:
      column.boolean.resize(count);
      TWINCHAIN_TRY(read_booleans(in, head->encoding, column.boolean));
      break;
    case ValueType::string:
      TWINCHAIN_TRY(read_strings(in, head->encoding, count, column.string));
      break;
  }
  TWINCHAIN_TRY(in.finish());
  return column;
}

namespace {

/// What the column adds to raw_size_bytes(), and that it fits to the rest of the window.
Result<std::uint64_t> check_column(const Column& column, const Window& window,
                                   const Schema& schema) {
  const std::string name = "column of channel " + decimal(std::uint64_t{column.channel});
  if (column.channel >= schema.channels.size()) {
    return malformed(name + ": the schema has no such channel");
  }
  if (column.type != schema.channels[column.channel].type) {
    return malformed(name + ": another type than in the schema");
  }
  if (!window.columns.empty() && column.channel <= window.columns.back().channel) {
    return malformed(name + ": not in ascending order");
  }
  const std::uint64_t rows = window.header.rows;
  if (column.rows.empty() ? column.size() != rows : column.rows.back() >= rows) {
    return malformed(name + ": other rows than the window");
  }
  std::uint64_t size = 8 * std::uint64_t{column.size()} + 4 * std::uint64_t{column.rows.size()};
  for (const std::string& text : column.string) size += text.size();
  return size;
}

/// The number of values a column says it has, before it is decoded.
std::uint64_t stored_count(ByteView payload) {
  ByteCursor in(payload);
  auto head = parse_head(in);
  return head ? head->count : 0;
}

}  // namespace

Result<Window> decode_window(const FrameHeader& header, ByteView body, const Schema& schema) {
  auto data_header = check_data_frame(header, body);
  if (!data_header) return pass(data_header);
  auto leaves = parse_leaves(body);
  if (!leaves) return pass(leaves);
  Window window;
  window.header = *data_header;
  const std::uint64_t rows = window.header.rows;
  if (rows > max_window_rows) return malformed("a window with too many rows");
  bool has_times = false;
  std::uint64_t size = 0;
  std::uint64_t samples = 0;
  for (std::size_t i = 0; i < leaves->size(); ++i) {
    const Leaf& leaf = (*leaves)[i];
    if (!leaf.crc_ok) return malformed("leaf " + decimal(std::uint64_t{i}) + ": crc mismatch");
    if (leaf.type == LeafType::time_column) {
      if (has_times) return malformed("a window with two time columns");
      auto times = decode_time_column(leaf.payload);
      if (!times) return pass(times);
      if (times->size() != rows) return malformed("a time column with other rows than the window");
      window.times_ns = std::move(*times);
      has_times = true;
      size += 8 * rows;
    } else if (leaf.type == LeafType::value_column) {
      if (8 * stored_count(leaf.payload) > max_window_size - size) {
        return malformed("a window that is too large");
      }
      auto column = decode_value_column(leaf.payload);
      if (!column) return pass(column);
      const auto column_size = check_column(*column, window, schema);
      if (!column_size) return std::unexpected(column_size.error());
      size += *column_size;
      if (size > max_window_size) return malformed("a window that is too large");
      samples += column->size();
      window.columns.push_back(std::move(*column));
    }
  }
  if (!has_times && rows > 0) return malformed("a window with rows and without a time column");
  if (window.columns.size() != window.header.channel_count || samples != window.header.samples) {
    return malformed("a window with another number of columns or samples than its header says");
  }
  return window;
}

}  // namespace twinchain::record
