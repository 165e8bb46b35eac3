// JSON text into the values of a row: nested keys joined by dots. Floor 3, internal to record.
//
// Keys are remembered in a tree, each with the key that came after it the last time. So a key that
// comes where it came before costs one comparison of its bytes: no hash, no name put together.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "twinchain/record/row_parser_values.hpp"
#include "twinchain/record/time_reader.hpp"

namespace twinchain::record {

/// "malformed json: ..." for a simdjson::error_code.
const char* describe_json_error(int simdjson_error);

/// A scalar of the text, where it was found: what ndjson_template learns from.
struct JsonLeaf {
  std::string_view token;  ///< in the text; with its quotes
  std::uint32_t channel = no_channel;
  bool is_time = false;
};

class JsonFlattener {
 public:
  enum class Outcome {
    values,     ///< row.values and row.added have it all
    malformed,  ///< not JSON; row.fault says why
    refused     ///< JSON, but a value does not fit its channel; row.fault says why
  };

  static constexpr std::size_t padding = 64;  ///< readable bytes after the text
  static constexpr int max_depth = 64;

  explicit JsonFlattener(ChannelTable& channels);
  ~JsonFlattener();

  /// The key (dotted, when it is nested) that holds the time, and its reader; empty for none.
  void set_time(std::string key, TimeReader* reader);
  /// Flattens an object or array. Names are keys joined by dots, array elements are "0", "1", ...;
  /// with a `prefix` they begin with it and a dot. null is no value.
  Outcome flatten(std::string_view json, std::string_view prefix, RowValues& row);
  /// A JSON text that is one string.
  Outcome read_string(std::string_view json, std::string_view& value, RowValues& row);
  /// The best of the top-level keys by time_name_rank(), empty when there is none; nothing when the
  /// text is no object.
  std::optional<std::string> find_time_key(std::string_view json);

  /// Of the last flatten(): whether it met the time key, and its scalars (nulls are not in it).
  [[nodiscard]] bool had_time() const { return had_time_; }
  [[nodiscard]] const std::vector<JsonLeaf>& leaves() const { return leaves_; }
  void forget_channels();

 private:
  struct Json;  // simdjson stays in the .cpp: including it costs seconds
  static constexpr std::uint32_t no_node = 0xffff'ffff;
  static constexpr std::size_t max_nodes = 150'000;
  static constexpr std::size_t max_node_bytes = std::size_t{8} << 20;

  struct Node {
    std::string raw;   ///< as it stands in the text, escapes included
    std::string name;  ///< unescaped
    std::uint32_t parent = no_node;
    std::uint32_t channel = no_channel;
    std::uint32_t first = no_node;  ///< child that came first the last time
    std::uint32_t next = no_node;   ///< sibling that came after it the last time
    bool is_root = false;
    bool is_time = false;
  };
  struct Key {
    std::uint32_t parent;
    std::string_view raw;
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const {
      return std::hash<std::string_view>{}(key.raw) ^
             (key.parent * std::size_t{0x9e3779b97f4a7c15});
    }
  };

  std::uint32_t root(std::string_view prefix);
  std::uint32_t find_child(std::uint32_t node, std::string_view raw);
  std::uint32_t add_child(std::uint32_t node, std::string_view raw, std::string_view name);
  void predict(std::uint32_t node, std::uint32_t previous, std::uint32_t child);
  [[nodiscard]] std::size_t name_size(std::uint32_t node) const;
  void write_name(std::uint32_t node, char* end) const;
  [[nodiscard]] std::string name_of(std::uint32_t node) const;
  [[nodiscard]] bool names_time(std::uint32_t node) const;
  /// What a value of this node has to be.
  struct Target {
    std::optional<ValueType> type;  ///< nothing: a new channel, its value decides
    std::string_view name;          ///< of a new channel
    std::string_view unit;
  };
  bool find_target(std::uint32_t node, Target& target);
  const Channel* find_declared(std::uint32_t node, std::string_view name) const;

  bool take_number(std::uint32_t node, std::string_view token);
  bool take_string(std::uint32_t node, std::string_view token, std::string_view text);
  bool take_bool(std::uint32_t node, std::string_view token, bool truth);
  bool take_time(std::uint32_t node, std::string_view token, std::string_view text);
  /// Adds a value to the row, to its channel or as that of a new one.
  bool keep(std::uint32_t node, std::string_view token, const RowValue& value,
            const Target& target);
  bool refuse(std::uint32_t node, std::string_view why, std::string_view token);

  ChannelTable& channels_;
  std::unique_ptr<Json> json_;
  RowValues* row_ = nullptr;
  std::deque<Node> nodes_;                                    ///< which do not move
  std::unordered_map<Key, std::uint32_t, KeyHash> children_;  ///< views into nodes' raw
  std::size_t node_bytes_ = 0;
  std::string time_key_;
  TimeReader* time_ = nullptr;
  bool had_time_ = false;
  bool malformed_ = false;
  std::vector<JsonLeaf> leaves_;
};

}  // namespace twinchain::record
