// How the fields of a message are written and read. Floor 6. For wire.cpp only.
//
// Two classes with the same functions: a message's layout is stated once, as calls of them, and the
// writer and the reader follow it. So what one writes the other reads, and a field has one place
// where its bounds are said. Limits are in the reader; that a message keeps to them is what
// encode_message() requires.
//
// Numbers are little-endian. A text is a 16-bit size and printable ASCII; a byte string is a 32-bit
// size and the bytes; a list is a 32-bit number and the elements.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "twinchain/base/bytes.hpp"
#include "twinchain/base/result.hpp"
#include "twinchain/bitcoin/header.hpp"
#include "twinchain/iblt/symbol_codec.hpp"
#include "twinchain/net/skeleton.hpp"

namespace twinchain::net {

class WireWriter {
 public:
  /// Appends.
  explicit WireWriter(Bytes& out) : out_(out) {}

  template <class T>
  void number(T value) {
    append_le(out_, value);
  }
  template <class T>
  void number(T value, std::type_identity_t<T> /*least*/, std::type_identity_t<T> /*most*/) {
    append_le(out_, value);
  }
  template <class E>
  void enumeration(E value, std::type_identity_t<E> /*last*/) {
    append_le(out_, static_cast<std::uint8_t>(value));
  }
  void flag(bool value) { append_le(out_, std::uint8_t{value}); }
  void zero_byte() { append_le(out_, std::uint8_t{0}); }
  void hash(const Hash256& value) { append(out_, value); }
  void header(const bitcoin::BlockHeader& value) { append(out_, bitcoin::serialize(value)); }
  void text(std::string_view value, std::size_t /*max_size*/) {
    append_le(out_, static_cast<std::uint16_t>(value.size()));
    append(out_, value);
  }
  void byte_string(ByteView value, std::size_t /*min_size*/, std::size_t /*max_size*/) {
    append_le(out_, static_cast<std::uint32_t>(value.size()));
    append(out_, value);
  }
  void rest(ByteView value) { append(out_, value); }
  void rest(std::string_view value) { append(out_, value); }
  void symbols(const iblt::SymbolRange& range) { iblt::append_symbol_range(out_, range); }
  template <class T, class Element>
  void list(const std::vector<T>& values, std::size_t /*max_count*/, std::size_t min_element_size,
            Element element) {
    // What is long in a list are byte strings; they would else be copied whenever `out` grows.
    std::size_t size = 4 + values.size() * min_element_size;
    if constexpr (std::is_same_v<T, Bytes>) {
      for (const Bytes& value : values) size += value.size();
    }
    out_.reserve(out_.size() + size);
    append_le(out_, static_cast<std::uint32_t>(values.size()));
    for (const T& value : values) element(value);
  }
  /// A message that has functions of its own for its whole body.
  template <class T, class Encode, class Parse>
  void whole(const T& value, Encode encode, Parse /*parse*/) {
    append(out_, encode(value));
  }
  void check(bool /*sound*/, const char* /*what*/) {}

 private:
  Bytes& out_;
};

/// After the first thing that is wrong, all that is read is zeros, and that thing is the error.
class WireReader {
 public:
  explicit WireReader(ByteView body) : cursor_(body) {}

  template <class T>
  void number(T& value) {
    field_at_ = cursor_.offset();
    value = cursor_.read_le<T>();
  }
  template <class T>
  void number(T& value, std::type_identity_t<T> least, std::type_identity_t<T> most) {
    number(value);
    check(value >= least && value <= most, "a number out of its limits");
  }
  template <class E>
  void enumeration(E& value, std::type_identity_t<E> last) {
    std::uint8_t number_of_it = 0;
    number(number_of_it);
    check(number_of_it <= static_cast<std::uint8_t>(last), "an unknown value");
    if (ok()) value = static_cast<E>(number_of_it);
  }
  void flag(bool& value) {
    std::uint8_t byte = 0;
    number(byte, 0, 1);
    value = byte == 1;
  }
  void zero_byte() {
    std::uint8_t byte = 0;
    number(byte);
    check(byte == 0, "a reserved byte that is not zero");
  }
  void hash(Hash256& value) { value = cursor_.read_array<32>(); }
  void header(bitcoin::BlockHeader& value) { value = bitcoin::read_header(cursor_); }
  void text(std::string& value, std::size_t max_size) {
    std::uint16_t size = 0;
    number(size);
    check(size <= max_size, "a text that is too long");
    if (ok()) take_text(value, size, false);
  }
  void byte_string(Bytes& value, std::size_t min_size, std::size_t max_size) {
    std::uint32_t size = 0;
    number(size);
    check(size >= min_size && size <= max_size, "a size out of its limits");
    if (ok()) take(value, size);
  }
  /// All that is left; a text may have lines.
  void rest(Bytes& value) { take(value, cursor_.remaining()); }
  void rest(std::string& value) { take_text(value, cursor_.remaining(), true); }
  void symbols(iblt::SymbolRange& range) {
    if (!ok()) return;
    auto read = iblt::read_symbol_range(cursor_, max_symbols_in_message);
    if (read) {
      range = std::move(*read);
    } else {
      take_error(read.error());
    }
  }
  template <class T, class Element>
  void list(std::vector<T>& values, std::size_t max_count, std::size_t min_element_size,
            Element element) {
    std::uint32_t count = 0;
    number(count);
    check(count <= max_count, "more than allowed");
    check(count <= cursor_.remaining() / min_element_size, "more than there are bytes for");
    if (!ok()) return;
    values.resize(count);
    for (T& value : values) {
      if (!ok()) return;
      element(value);
    }
  }
  template <class T, class Encode, class Parse>
  void whole(T& value, Encode /*encode*/, Parse parse) {
    auto parsed = parse(cursor_.read_view(cursor_.remaining()));
    if (parsed) {
      value = std::move(*parsed);
    } else {
      take_error(parsed.error());
    }
  }
  /// Of the number that was read last.
  void check(bool sound, const char* what) {
    if (!sound && ok()) error_ = at(field_at_, what);
  }

  [[nodiscard]] bool ok() const { return cursor_.ok() && !error_; }
  /// "byte N: what", when the body was not as it should be, or went on.
  [[nodiscard]] std::optional<std::string> error() const {
    if (error_) return error_;
    if (!cursor_.ok()) return at(cursor_.offset(), "the message is cut off");
    if (!cursor_.at_end()) return at(cursor_.offset(), "bytes after the message");
    return std::nullopt;
  }

 private:
  static std::string at(std::size_t offset, const char* what) {
    return "byte " + std::to_string(offset) + ": " + what;
  }
  // "NAME: byte N: what", of functions that are given all bytes up to here and so count as we do.
  void take_error(const Error& error) {
    const std::size_t name_end = error.message.find(": byte ");
    error_ = name_end == std::string::npos ? error.message : error.message.substr(name_end + 2);
  }
  void take(Bytes& value, std::size_t size) {
    const ByteView view = cursor_.read_view(size);
    value.assign(view.begin(), view.end());
  }
  void take_text(std::string& value, std::size_t size, bool lines) {
    const std::size_t start = cursor_.offset();
    const std::string_view view = as_text(cursor_.read_view(size));
    const auto bad = std::find_if(view.begin(), view.end(), [lines](char c) {
      return (c < ' ' || c > '~') && !(lines && c == '\n');
    });
    if (bad == view.end()) {
      value.assign(view);
    } else if (ok()) {
      error_ = at(start + static_cast<std::size_t>(bad - view.begin()), "not printable ASCII");
    }
  }

  ByteCursor cursor_;
  std::size_t field_at_ = 0;
  std::optional<std::string> error_;
};

}  // namespace twinchain::net
