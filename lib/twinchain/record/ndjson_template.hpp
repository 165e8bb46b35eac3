// The fast path of NDJSON: rows that are written like a row before them. Floor 3, internal to
// record.
//
// Machines write each row with the same code: the same keys in the same order with the same
// blanks. Once such a row was read in full, the text between its scalars is a template, and the
// next row is valid JSON of the same shape exactly when these texts are the same and what is
// between them are scalars of the same kinds. Whatever does not fit is left to JsonFlattener,
// which also makes all messages.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "twinchain/record/ndjson_flatten.hpp"
#include "twinchain/record/row_parser_values.hpp"

namespace twinchain::record {

class JsonTemplate {
 public:
  /// From a row that was read, all of whose channels are known. `leaves` are views into `row`.
  JsonTemplate(std::string_view row, const std::vector<JsonLeaf>& leaves,
               const ChannelTable& channels);

  /// True when the row fits; then its values are in `values`, and the text of its time, if it has
  /// one, in `time`. At least JsonFlattener::padding bytes are readable after the row.
  bool match(std::string_view row, RowValues& values, std::string_view& time) const;
  /// The same for a template whose channels are 0 .. dense_columns() - 1 and f64.
  bool match_dense(std::string_view row, double* values, std::string_view& time) const;
  [[nodiscard]] std::uint32_t dense_columns() const { return dense_columns_; }

 private:
  /// A text that has to be there, compared by words: 16 bytes are readable after every row.
  struct Literal {
    std::uint64_t words[2] = {};
    std::uint64_t masks[2] = {};
    std::string text;

    explicit Literal(std::string_view from);
    bool match(const char*& at, const char* end) const;
  };
  struct Slot {
    Literal before;
    ValueType type = ValueType::f64;
    std::uint32_t channel = no_channel;
    bool is_time = false;
    bool is_text = false;  ///< in quotes
    char next = 0;         ///< what follows it

    bool match_other(const char*& at, const char* end, RowValue& value,
                     std::string_view& text) const;
  };

  std::vector<Slot> slots_;
  Literal tail_;
  std::uint32_t dense_columns_ = 0;  ///< 0: it has others
};

/// A few templates, for inputs in which rows of some shapes take turns.
class JsonTemplates {
 public:
  bool match(std::string_view row, RowValues& values, std::string_view& time);
  /// The template that fitted last, if it is dense; nullptr when not.
  [[nodiscard]] const JsonTemplate* dense() const {
    if (last_ >= entries_.size() || entries_[last_].shape.dense_columns() == 0) return nullptr;
    return &entries_[last_].shape;
  }
  /// Offers a row that did not fit and was read in full. Learns seldom when that did not pay.
  void learn(std::string_view row, const std::vector<JsonLeaf>& leaves,
             const ChannelTable& channels);
  void clear();

 private:
  static constexpr std::size_t max_templates = 4;
  static constexpr std::size_t max_leaves = 4096;
  struct Entry {
    JsonTemplate shape;
    std::uint64_t hits = 0;
  };

  std::vector<Entry> entries_;
  std::size_t last_ = 0;    ///< entry that fitted last
  std::size_t victim_ = 0;  ///< entry to be replaced next
  unsigned pause_ = 0;      ///< rows until the next one is learnt
  unsigned next_pause_ = 1;
};

}  // namespace twinchain::record
