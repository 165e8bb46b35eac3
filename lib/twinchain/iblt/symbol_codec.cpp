#include "twinchain/iblt/symbol_codec.hpp"

#include <optional>
#include <string>

namespace twinchain::iblt {
namespace {

constexpr std::uint16_t range_version = 1;

std::int64_t expected_count(std::uint64_t set_size, std::uint64_t index) {
  return static_cast<std::int64_t>(2 * set_size / (index + 2));
}

void append_zigzag(Bytes& out, std::int64_t value) {
  auto rest = (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
  for (; rest >= 0x80; rest >>= 7) out.push_back(static_cast<std::uint8_t>(rest | 0x80));
  out.push_back(static_cast<std::uint8_t>(rest));
}

// Of at most 5 bytes, which is more than any count needs.
std::optional<std::int64_t> read_zigzag(ByteCursor& cursor) {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 35; shift += 7) {
    const auto byte = cursor.read_le<std::uint8_t>();
    if (!cursor.ok()) return std::nullopt;
    value |= std::uint64_t{byte & 0x7fU} << shift;
    if ((byte & 0x80) != 0) continue;
    if (byte == 0 && shift > 0) return std::nullopt;
    return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
  }
  return std::nullopt;
}

std::unexpected<Error> bad(std::size_t offset, const std::string& what) {
  return fail(ExitCode::malformed, "symbols: byte " + std::to_string(offset) + ": " + what);
}

}  // namespace

void append_symbol_range(Bytes& out, const SymbolRange& range) {
  out.reserve(out.size() + symbol_range_header_size + range.symbols.size() * (min_symbol_size + 1));
  append_le(out, range_version);
  append_le(out, static_cast<std::uint16_t>(range.layer));
  append_le(out, range.first);
  append_le(out, static_cast<std::uint32_t>(range.symbols.size()));
  append_le(out, range.set_size);
  std::uint64_t index = range.first;
  for (const Symbol<1>& symbol : range.symbols) {
    append_le(out, symbol.sum[0]);
    append_le(out, symbol.checksum);
    append_zigzag(out, std::int64_t{symbol.count} - expected_count(range.set_size, index));
    ++index;
  }
}

Bytes encode_symbol_range(const SymbolRange& range) {
  Bytes out;
  append_symbol_range(out, range);
  return out;
}

Result<SymbolRange> read_symbol_range(ByteCursor& cursor, std::size_t max_count) {
  const std::size_t start = cursor.offset();
  const auto version = cursor.read_le<std::uint16_t>();
  SymbolRange range;
  range.layer = cursor.read_le<std::uint16_t>();
  range.first = cursor.read_le<std::uint32_t>();
  const auto count = cursor.read_le<std::uint32_t>();
  range.set_size = cursor.read_le<std::uint32_t>();
  if (!cursor.ok()) return bad(cursor.offset(), "the range's header is cut off");
  if (version != range_version) return bad(start, "version " + std::to_string(version));
  if (range.layer >= max_layers) return bad(start + 2, "layer " + std::to_string(range.layer));
  if (range.first > max_symbols || count > max_symbols - range.first) {
    return bad(start + 4, "symbols beyond index " + std::to_string(max_symbols));
  }
  if (count > max_count) return bad(start + 8, "more symbols than asked for or allowed");
  if (count > cursor.remaining() / min_symbol_size) return bad(start + 8, "symbols are cut off");
  if (range.set_size > max_set_size) return bad(start + 12, "more items than a set may have");
  range.symbols.resize(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::size_t offset = cursor.offset();
    Symbol<1>& symbol = range.symbols[i];
    symbol.sum[0] = cursor.read_le<std::uint64_t>();
    symbol.checksum = cursor.read_le<std::uint32_t>();
    const auto deviation = read_zigzag(cursor);
    if (!cursor.ok()) return bad(offset, "symbols are cut off");
    if (!deviation) return bad(offset + 12, "a count that is not in its shortest form");
    const std::int64_t items =
        expected_count(range.set_size, std::uint64_t{range.first} + i) + *deviation;
    if (items < 0 || items > range.set_size) return bad(offset + 12, "a count that no set has");
    symbol.count = static_cast<std::uint32_t>(items);
  }
  return range;
}

Result<SymbolRange> parse_symbol_range(ByteView bytes, std::size_t max_count) {
  ByteCursor cursor(bytes);
  auto range = read_symbol_range(cursor, max_count);
  if (range && !cursor.at_end()) return bad(cursor.offset(), "bytes after the last symbol");
  return range;
}

}  // namespace twinchain::iblt
