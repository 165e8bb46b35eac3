// Byte containers and bounds-checked little-endian access. Floor 0.
//
// Nothing in this project copies a struct to or from bytes: every field is read and written by
// these functions, so that formats do not depend on padding, alignment or byte order.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace twinchain {

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;
/// A SHA-256 digest, a public key, a salt: 32 bytes in their natural (not displayed) order.
using Hash256 = std::array<std::uint8_t, 32>;
/// First 16 bytes of a SHA-256, or 16 random bytes.
using Id128 = std::array<std::uint8_t, 16>;

inline ByteView as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view as_text(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Unchecked load of an unsigned or signed integer stored little-endian at `at`.
/// The caller guarantees sizeof(T) readable bytes.
template <class T>
  requires std::is_integral_v<T>
T load_le(const std::uint8_t* at) {
  std::make_unsigned_t<T> value{};
  std::memcpy(&value, at, sizeof value);
  if constexpr (std::endian::native == std::endian::big) {
    std::make_unsigned_t<T> swapped = 0;
    for (std::size_t i = 0; i < sizeof value; ++i) {
      swapped = static_cast<decltype(swapped)>((swapped << 8) | ((value >> (8 * i)) & 0xff));
    }
    value = swapped;
  }
  return static_cast<T>(value);
}

/// Unchecked store, the counterpart of load_le.
template <class T>
  requires std::is_integral_v<T>
void store_le(std::uint8_t* at, T value) {
  auto bits = static_cast<std::make_unsigned_t<T>>(value);
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    at[i] = static_cast<std::uint8_t>(bits & 0xff);
    if constexpr (sizeof(T) > 1) bits = static_cast<decltype(bits)>(bits >> 8);
  }
}

template <class T>
void append_le(Bytes& out, T value) {
  const std::size_t old_size = out.size();
  out.resize(old_size + sizeof(T));
  store_le(out.data() + old_size, value);
}
// resize and memcpy, not insert: g++ 12 sees an overlap in the latter that is not there.
inline void append(Bytes& out, ByteView bytes) {
  if (bytes.empty()) return;
  const std::size_t old_size = out.size();
  out.resize(old_size + bytes.size());
  std::memcpy(out.data() + old_size, bytes.data(), bytes.size());
}
inline void append(Bytes& out, std::string_view text) {
  append(out, as_bytes(text));
}

/// A cursor over untrusted bytes. A read past the end returns zeros or an empty view and makes
/// ok() false for good; so a parser may read a whole record and ask once. `offset()` is the
/// position of the first byte not yet read.
class ByteCursor {
 public:
  explicit ByteCursor(ByteView bytes) : bytes_(bytes) {}

  template <class T>
  T read_le() {
    if (!need(sizeof(T))) return T{};
    const T value = load_le<T>(bytes_.data() + offset_);
    offset_ += sizeof(T);
    return value;
  }
  /// A view into the input; empty (and not ok) when fewer than `size` bytes are left.
  ByteView read_view(std::size_t size) {
    if (!need(size)) return {};
    const ByteView view = bytes_.subspan(offset_, size);
    offset_ += size;
    return view;
  }
  template <std::size_t N>
  std::array<std::uint8_t, N> read_array() {
    std::array<std::uint8_t, N> value{};
    if (need(N)) {
      std::memcpy(value.data(), bytes_.data() + offset_, N);
      offset_ += N;
    }
    return value;
  }

  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] bool at_end() const { return ok_ && offset_ == bytes_.size(); }
  [[nodiscard]] std::size_t offset() const { return offset_; }
  [[nodiscard]] std::size_t remaining() const { return ok_ ? bytes_.size() - offset_ : 0; }

 private:
  bool need(std::size_t size) {
    if (ok_ && bytes_.size() - offset_ < size) ok_ = false;
    return ok_;
  }

  ByteView bytes_;
  std::size_t offset_ = 0;
  bool ok_ = true;
};

}  // namespace twinchain
