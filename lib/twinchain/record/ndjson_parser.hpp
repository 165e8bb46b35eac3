// JSON objects, one a line. Floor 3, internal to record.
#pragma once

#include <string>

#include "twinchain/record/ndjson_flatten.hpp"
#include "twinchain/record/ndjson_template.hpp"
#include "twinchain/record/row_parser_lines.hpp"
#include "twinchain/record/time_reader.hpp"

namespace twinchain::record {

class NdjsonParser final : public LineParser {
 public:
  explicit NdjsonParser(const ParserOptions& options);

  [[nodiscard]] std::string time_note() const override;

 protected:
  Result<Kind> take_row(std::string_view row) override;
  bool take_dense_row(std::string_view row, double* values, std::int64_t& time_ns) override;
  void forget_channels() override;
  void save_state(Bytes& out) const override;
  bool restore_state(ByteCursor& in) override;

 private:
  bool decide_time(std::string_view row);
  void use_time_key(std::string key);
  Kind read_in_full(std::string_view row);

  TimeReader time_;
  /// Decided by the first row (or the options): with an empty time_key_ rows have arrival times.
  bool time_decided_ = false;
  std::string time_key_;
  JsonFlattener flattener_;
  JsonTemplates templates_;
};

}  // namespace twinchain::record
