// Lines of `mosquitto_sub -F '%U %t %x'`. Floor 3, internal to record.
#pragma once

#include <string>

#include "twinchain/record/ndjson_flatten.hpp"
#include "twinchain/record/row_parser_lines.hpp"
#include "twinchain/record/time_reader.hpp"

namespace twinchain::record {

class MqttParser final : public LineParser {
 public:
  explicit MqttParser(const ParserOptions& options);

  [[nodiscard]] std::string time_note() const override;

 protected:
  Result<Kind> take_row(std::string_view row) override;
  void forget_channels() override;
  void save_state(Bytes& out) const override;
  bool restore_state(ByteCursor& in) override;

 private:
  struct Topic {
    std::uint32_t payload = no_channel;
    std::uint32_t value = no_channel;
  };
  static constexpr std::size_t max_topic_bytes = std::size_t{8} << 20;

  Topic& find_topic(std::string_view name);
  /// The bytes that two hexadecimal digits each spell, with padding after them.
  bool read_payload(std::string_view hex, std::string_view& payload);
  bool take_payload(std::string_view name, Topic& topic, std::string_view payload);
  bool take_content(std::string_view name, Topic& topic, std::string_view payload);
  bool take_text(std::string_view name, Topic& topic, std::string_view text, bool is_string);
  /// Adds a value to a channel, which may be new.
  bool keep(std::uint32_t channel, std::string_view name, std::string_view unit,
            const RowValue& value);

  TimeReader time_;
  NameMap<Topic> topics_;
  std::size_t topic_bytes_ = 0;
  JsonFlattener flattener_;
};

}  // namespace twinchain::record
