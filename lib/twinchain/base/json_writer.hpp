// Writes JSON (RFC 8259) piece by piece, without a tree in memory. Floor 0.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace twinchain {

/// Appends to a string of its own. Strings are escaped; bytes that are not valid UTF-8 become
/// U+FFFD, so the output is always valid JSON. Integers outside of +-2^53 are written as they
/// are: reports that carry such values write them as strings (see the caller's format).
class JsonWriter {
 public:
  JsonWriter& begin_object();
  JsonWriter& end_object();
  JsonWriter& begin_array();
  JsonWriter& end_array();
  JsonWriter& key(std::string_view name);
  JsonWriter& value(std::string_view text);
  JsonWriter& value(const char* text) { return value(std::string_view(text)); }
  JsonWriter& value(std::uint64_t number);
  JsonWriter& value(std::int64_t number);
  JsonWriter& value(std::uint32_t number) { return value(std::uint64_t{number}); }
  JsonWriter& value(std::int32_t number) { return value(std::int64_t{number}); }
  /// NaN and infinities, which JSON does not have, are written as null.
  JsonWriter& value(double number);
  JsonWriter& value(bool truth);
  JsonWriter& null();
  template <class T>
  JsonWriter& member(std::string_view name, const T& content) {
    key(name);
    return value(content);
  }

  [[nodiscard]] const std::string& text() const { return text_; }
  void clear() { text_.clear(); }

 private:
  void separate();

  std::string text_;
  std::vector<bool> has_members_;
  bool after_key_ = false;
};

}  // namespace twinchain
