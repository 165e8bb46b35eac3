// A whole JSON document (RFC 8259) as values to walk. Floor 3.
//
// simdjson reads it; this wraps its tree so that other modules need not know of it. Nothing is
// copied: a document of n bytes takes about 3 n bytes of memory while it is there.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "twinchain/base/result.hpp"

namespace twinchain::record {

/// A value of a JsonDocument, which must outlive it. What is asked of a value of another type, or
/// of a member that is not there, is nothing: so a path may be walked and asked once at its end.
/// Cheap to copy; thread-safe as long as nobody changes the document.
class JsonValue {
 public:
  JsonValue() = default;  ///< not there

  [[nodiscard]] bool exists() const { return document_ != nullptr; }
  [[nodiscard]] bool is_null() const;
  [[nodiscard]] bool is_object() const;
  [[nodiscard]] bool is_array() const;
  /// Valid UTF-8; any character may be in it, NUL too.
  [[nodiscard]] std::optional<std::string_view> text() const;
  [[nodiscard]] std::optional<bool> truth() const;
  [[nodiscard]] std::optional<double> number() const;
  /// An integer, as a number or, as reports carry those of 64 bits, as a string of decimal digits.
  [[nodiscard]] std::optional<std::uint64_t> count() const;
  /// The same with a sign.
  [[nodiscard]] std::optional<std::int64_t> signed_count() const;

  /// Of an object; the first of that name.
  [[nodiscard]] JsonValue member(std::string_view name) const;
  /// The elements of an array, or the members of an object, in order, until `take` says false.
  void each(const std::function<bool(JsonValue)>& take) const;
  void each_member(const std::function<bool(std::string_view, JsonValue)>& take) const;

 private:
  friend class JsonDocument;
  JsonValue(const void* document, std::size_t place) : document_(document), place_(place) {}

  const void* document_ = nullptr;
  std::size_t place_ = 0;
};

class JsonDocument {
 public:
  /// ExitCode::malformed when it is not one JSON value in UTF-8, is nested deeper than 64, or is
  /// larger than `max_bytes` (at most 4 GiB).
  static Result<JsonDocument> parse(std::string_view text, std::size_t max_bytes);
  JsonDocument(JsonDocument&&) noexcept;
  JsonDocument& operator=(JsonDocument&&) noexcept;
  ~JsonDocument();

  [[nodiscard]] JsonValue root() const;

 private:
  struct State;
  explicit JsonDocument(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace twinchain::record
