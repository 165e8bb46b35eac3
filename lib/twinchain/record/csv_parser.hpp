// CSV rows (RFC 4180). Floor 3, internal to record.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "twinchain/record/row_parser_lines.hpp"
#include "twinchain/record/time_reader.hpp"

namespace twinchain::record {

class CsvParser final : public LineParser {
 public:
  explicit CsvParser(const ParserOptions& options);

  [[nodiscard]] std::string time_note() const override;

 protected:
  [[nodiscard]] Extent find_row(std::string_view input, bool give_up) const override;
  Result<Kind> take_row(std::string_view row) override;
  bool take_dense_row(std::string_view row, double* values, std::int64_t& time_ns) override;
  [[nodiscard]] bool at_header() const override {
    return columns_.empty() && !options_.csv_without_header;
  }
  void forget_channels() override;
  void save_state(Bytes& out) const override;
  bool restore_state(ByteCursor& in) override;

 private:
  struct Column {
    std::string name;
    std::uint32_t channel = no_channel;
    ValueType type = ValueType::f64;
    bool is_f64 = false;  ///< channel is known, and of this type
  };
  struct Cell {
    std::string_view text;
    bool quoted = false;
  };

  Result<Kind> take_header(std::string_view row);
  Status use_names(std::vector<std::string> names);
  Status find_time_column();
  [[nodiscard]] std::string_view trim_row(std::string_view row) const;
  /// The cell at `at`, which then is at its separator or at the end. Nullptr, or what is wrong.
  const char* read_cell(const char*& at, const char* end, Cell& cell);
  const char* read_quoted_cell(const char*& at, const char* end, Cell& cell);
  [[nodiscard]] const char* skip_separator(const char* at) const;
  std::optional<std::size_t> count_fields(std::string_view row);
  /// Any cell but a plain number of an f64 column.
  bool take_cell(std::size_t index, const char*& at, const char* end);
  const char* take_time(const Cell& cell);
  const char* take_value(Column& column, const Cell& cell);
  const char* take_dense_cell(const char* at, const char* end, std::uint32_t channel,
                              double* values, std::int64_t& time_ns);
  Kind refuse_row(std::string_view row);
  /// Whether the columns are just the channels 0, 1, 2, ... and f64: the fast path's condition.
  void find_dense_columns();

  std::vector<Column> columns_;  ///< empty until the header line was read
  static constexpr std::size_t no_column = static_cast<std::size_t>(-1);
  std::size_t time_column_ = no_column;
  std::vector<std::uint32_t> dense_channels_;  ///< of each column; no_channel for the time
  TimeReader time_;
  bool blank_separated_ = false;
};

}  // namespace twinchain::record
