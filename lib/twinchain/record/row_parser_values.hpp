// What the row parsers share: the values of one row before they are put into a WindowBuilder, the
// channels they belong to, and text turned into typed values. Floor 3, internal to record.
//
// A row is collected whole and put only then, so that a row that is refused in its last column
// leaves nothing behind, not even a new channel.
#pragma once

#include <bit>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "twinchain/record/number.hpp"
#include "twinchain/record/window_builder.hpp"

namespace twinchain::record {

inline constexpr std::uint32_t no_channel = 0xffff'ffff;

/// 24 bytes, because a row may have very many.
struct RowValue {
  RowValue() = default;
  RowValue(std::uint32_t to, double value)
      : channel(to), word(std::bit_cast<std::uint64_t>(value)) {}

  void set_f64(double value) {
    type = ValueType::f64;
    word = std::bit_cast<std::uint64_t>(value);
  }
  void set_i64(std::int64_t value) {
    type = ValueType::i64;
    word = static_cast<std::uint64_t>(value);
  }
  void set_bool(bool value) {
    type = ValueType::boolean;
    word = value ? 1 : 0;
  }
  void set_text(std::string_view value) {
    type = ValueType::string;
    word = value.size();
    text_data = value.data();
  }
  [[nodiscard]] double f64() const { return std::bit_cast<double>(word); }
  [[nodiscard]] std::int64_t i64() const { return static_cast<std::int64_t>(word); }
  [[nodiscard]] std::string_view text() const { return {text_data, word}; }

  std::uint32_t channel = no_channel;  ///< no_channel: new, its name is in RowValues::added
  ValueType type = ValueType::f64;
  std::uint64_t word = 0;  ///< the value, or the size of the text
  const char* text_data = nullptr;
};

/// Bytes that live until the row is done. What it hands out does not move.
class TextArena {
 public:
  /// `size` writable bytes.
  char* allocate(std::size_t size);
  std::string_view copy(std::string_view text);
  void clear();

 private:
  std::vector<std::unique_ptr<char[]>> blocks_;
  std::size_t block_size_ = 0;  ///< of the newest block
  std::size_t used_ = 0;
};

/// Hash of a name for maps that are asked with a string_view.
struct NameHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view name) const {
    return std::hash<std::string_view>{}(name);
  }
};
template <class T>
using NameMap = std::unordered_map<std::string, T, NameHash, std::equal_to<>>;

/// The builder's channels by name, with what a parser must know of them at once.
class ChannelTable {
 public:
  explicit ChannelTable(const std::optional<Schema>& declared);

  /// To be called at the start of every parse(). True when this is another builder than before:
  /// then all channel numbers that the caller remembers are void.
  bool attach(WindowBuilder& builder);

  /// no_channel when there is none of this name, whoever may have added it.
  std::uint32_t find(std::string_view name);
  [[nodiscard]] ValueType type(std::uint32_t channel) const { return entries_[channel].type; }
  /// The declaration of a channel that is not there yet; nullptr when there is none.
  [[nodiscard]] const Channel* declared(std::string_view name) const;
  Result<std::uint32_t> add(std::string_view name, ValueType type, std::string_view unit);

  /// False when the channel has had a value since begin_row(): a name is given twice in a row.
  bool take_in_row(std::uint32_t channel) {
    Entry& entry = entries_[channel];
    if (entry.last_row == row_) return false;
    entry.last_row = row_;
    return true;
  }
  void begin_row() { ++row_; }

 private:
  struct Entry {
    ValueType type = ValueType::f64;
    std::uint64_t last_row = 0;
  };
  void learn();

  WindowBuilder* builder_ = nullptr;
  std::vector<Entry> entries_;
  NameMap<std::uint32_t> names_;
  NameMap<Channel> declared_;
  std::uint64_t row_ = 0;
};

/// The row being read.
struct RowValues {
  struct Added {
    std::size_t value = 0;  ///< position in `values`
    std::string_view name;
    std::string_view unit;
  };

  void clear() {
    values.clear();
    added.clear();
    arena.clear();
    fault.clear();
    quotes_are_wrong = false;
    added_name_bytes = 0;
  }
  /// To be asked before the name of a new channel is put together: a short row of long keys could
  /// spell gigabytes. False, with a fault, when it is too long.
  bool allow_name(std::size_t size);

  std::int64_t time_ns = 0;
  std::vector<RowValue> values;
  std::vector<Added> added;
  TextArena arena;
  std::string fault;  ///< why the row is refused
  /// Refused because of its quotes: where it ends is then a guess.
  bool quotes_are_wrong = false;
  std::size_t added_name_bytes = 0;
};

/// Nullptr, or what is wrong. true, True, TRUE, false, False, FALSE are bools. A string takes
/// every text as it is; for other types blanks around it do not matter.
const char* convert_text(std::string_view text, ValueType type, RowValue& value);
/// The same for a channel that is new, whose type the text decides: number, bool, else string. An
/// integer that neither f64 nor i64 holds is a string too; another number out of range is refused.
const char* infer_text(std::string_view text, RowValue& value);
/// A JSON number for a channel of this type.
const char* convert_json_number(std::string_view token, ValueType type, RowValue& value);
/// A number for a channel that is new.
const char* infer_number_value(std::string_view token, NumberSyntax syntax, RowValue& value);

/// "not a number", "not true or false", ...: a value of another kind for a channel of this type.
const char* type_fault(ValueType type);

/// `"abc"`, escaped and cut for a message.
std::string quote_text(std::string_view text);

/// "3 fields", "1 field"
std::string counted(std::size_t count, std::string_view noun);

inline std::string_view trim_blanks(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

}  // namespace twinchain::record
