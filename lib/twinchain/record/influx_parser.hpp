// InfluxDB line protocol. Floor 3, internal to record.
#pragma once

#include <string>
#include <vector>

#include "twinchain/record/row_parser_lines.hpp"
#include "twinchain/record/time_reader.hpp"

namespace twinchain::record {

class InfluxParser final : public LineParser {
 public:
  explicit InfluxParser(const ParserOptions& options);

  [[nodiscard]] std::string time_note() const override;

 protected:
  [[nodiscard]] Extent find_row(std::string_view input, bool give_up) const override;
  Result<Kind> take_row(std::string_view row) override;
  void forget_channels() override;
  void save_state(Bytes& out) const override;
  bool restore_state(ByteCursor& in) override;

 private:
  /// A field of a series, as it was spelt, and its channel.
  struct Field {
    std::string raw;
    std::string name;  ///< unescaped
    std::uint32_t channel = no_channel;
  };
  /// A measurement with its tags, as they were spelt.
  struct Series {
    std::string name;           ///< canonical: tags in order, escapes only where they are needed
    std::string measurement;    ///< unescaped
    std::vector<Field> fields;  ///< in the order of the first line that had them
    NameMap<std::size_t> positions;
  };
  static constexpr std::size_t max_series_bytes = std::size_t{8} << 20;

  /// The series of a spelling, new or remembered; nullptr with row_.fault when it is malformed.
  Series* find_series(std::string_view raw);
  bool read_series(std::string_view raw, Series& series);
  Field& find_field(Series& series, std::size_t expected, std::string_view raw);
  bool take_fields(Series& series, std::string_view text, std::size_t& at);
  bool take_field(Series& series, Field& field, std::string_view text, std::size_t& at);
  const char* take_value(std::string_view token, bool is_text, const Series& series, Field& field);
  const char* convert(std::string_view token, bool is_text, std::optional<ValueType> type,
                      RowValue& value);
  bool take_time(std::string_view text);
  bool fault(std::string why);

  TimeReader time_;
  bool some_have_time_ = false;
  bool some_lack_time_ = false;
  NameMap<Series> series_;
  std::size_t series_bytes_ = 0;
  Series* last_series_ = nullptr;
  std::string last_raw_;
};

}  // namespace twinchain::record
