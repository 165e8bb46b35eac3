// Rows of little-endian f64. Floor 3, internal to record.
#pragma once

#include <string>
#include <vector>

#include "twinchain/record/row_parser.hpp"
#include "twinchain/record/time_reader.hpp"

namespace twinchain::record {

class RawParser final : public RowParser {
 public:
  explicit RawParser(const ParserOptions& options);

  Result<ParseOutcome> parse(ByteView input, bool at_end, WindowBuilder& builder,
                             const ParseControl& control) override;
  [[nodiscard]] std::string time_note() const override;
  [[nodiscard]] Bytes save() const override;
  Status restore(ByteView saved) override;

  /// Whether options.time_field names a column that is not there.
  [[nodiscard]] bool lacks_time_column() const;

 private:
  static constexpr std::size_t no_column = static_cast<std::size_t>(-1);
  static constexpr std::size_t batch_rows = 256;

  struct Column {
    std::uint32_t channel = 0;
    ValueType type = ValueType::f64;
  };

  Status use_builder(WindowBuilder& builder);
  [[nodiscard]] std::size_t rows_that_fit(const WindowBuilder& builder,
                                          const ParseControl& control) const;
  /// Reads times of rows from the front of `rows` until one is bad or not before the limit.
  std::size_t read_times(ByteView rows, std::size_t count, const ParseControl& control,
                         const char*& fault, std::optional<std::int64_t>& limited_by);
  void put_rows(ByteView rows, std::size_t count, WindowBuilder& builder);
  /// False, with a fault, when a value does not fit its channel.
  bool put_row(ByteView row, std::int64_t time_ns, WindowBuilder& builder, std::string& fault);
  Status reject(ByteView row, std::string why, WindowBuilder& builder, const ParseControl& control);

  const ParserOptions options_;
  std::size_t row_size_;
  std::size_t time_column_ = no_column;
  TimeReader time_;
  WindowBuilder* builder_ = nullptr;
  std::vector<Column> columns_;  ///< without that of the time
  bool all_in_order_ = false;    ///< all f64, in the channels 0, 1, 2, ...
  std::uint64_t row_number_ = 1;
  std::uint64_t offset_ = 0;
  std::vector<std::int64_t> times_;
  Bytes compact_;  ///< rows without their time
};

}  // namespace twinchain::record
