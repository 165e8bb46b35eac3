#include "twinchain/bitcoin/compact_size.hpp"

namespace twinchain::bitcoin {

void append_compact_size(Bytes& out, std::uint64_t value) {
  if (value < 0xfd) {
    out.push_back(static_cast<std::uint8_t>(value));
  } else if (value <= 0xffff) {
    out.push_back(0xfd);
    append_le(out, static_cast<std::uint16_t>(value));
  } else if (value <= 0xffffffff) {
    out.push_back(0xfe);
    append_le(out, static_cast<std::uint32_t>(value));
  } else {
    out.push_back(0xff);
    append_le(out, value);
  }
}

std::size_t compact_size_bytes(std::uint64_t value) {
  if (value < 0xfd) return 1;
  if (value <= 0xffff) return 3;
  return value <= 0xffffffff ? 5 : 9;
}

std::optional<std::uint64_t> read_compact_size(ByteCursor& cursor, std::uint64_t max) {
  const auto first = cursor.read_le<std::uint8_t>();
  std::uint64_t value = first;
  if (first == 0xfd) value = cursor.read_le<std::uint16_t>();
  if (first == 0xfe) value = cursor.read_le<std::uint32_t>();
  if (first == 0xff) value = cursor.read_le<std::uint64_t>();
  if (!cursor.ok() || value > max) return std::nullopt;
  const std::size_t used = first < 0xfd ? 1 : first == 0xfd ? 3 : first == 0xfe ? 5 : 9;
  if (compact_size_bytes(value) != used) return std::nullopt;
  return value;
}

}  // namespace twinchain::bitcoin
