// The channels of a source, and the SCHEMA frame that says them. Floor 3.
// Specified in twin-stream(5).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "twinchain/base/result.hpp"
#include "twinchain/stream/frame.hpp"

namespace twinchain::record {

enum class ValueType : std::uint8_t {
  f64 = 1,  ///< IEEE 754 binary64, every bit kept
  i64 = 2,
  boolean = 3,
  string = 4  ///< bytes; text is UTF-8 by convention, not by rule
};
std::string value_type_name(ValueType type);  ///< "f64", "i64", "bool", "string"

struct Channel {
  std::string name;  ///< unique in its source, not empty, at most 65,535 bytes
  ValueType type = ValueType::f64;
  std::string unit;   ///< free text, as the source declares it; may be empty
  std::string label;  ///< DTDL displayName; may be empty
  bool operator==(const Channel&) const = default;
};

inline constexpr std::uint32_t max_channels = 100'000;

/// Channels keep their index for as long as the source lives: a new channel is added at the end.
struct Schema {
  std::string source_name;  ///< its source_id() is in every frame of the source
  std::string time_note;    ///< where times come from: "column \"ts\", epoch milliseconds"
  std::vector<Channel> channels;
  bool operator==(const Schema&) const = default;
};

/// SCHEMA body: u16 version (1), u16 reserved (0), texts (u16 size, bytes): source name, time
/// note; u32 channel count; each channel: u8 type, u8 reserved (0), texts: name, unit, label.
Bytes encode_schema(const Schema& schema);
/// Checks sizes, types, unique names and that nothing follows.
Result<Schema> parse_schema(ByteView body);
/// parse_schema, and that the frame's source id is that of the name.
Result<Schema> parse_schema_frame(const FrameHeader& header, ByteView body);

}  // namespace twinchain::record
