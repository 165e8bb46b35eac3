#include "twinchain/record/schema.hpp"

#include <algorithm>
#include <unordered_set>

#include "twinchain/base/text.hpp"

namespace twinchain::record {
namespace {

constexpr std::uint16_t schema_version = 1;

void append_short_text(Bytes& out, std::string_view text) {
  const std::size_t size = std::min<std::size_t>(text.size(), 0xffff);
  append_le(out, static_cast<std::uint16_t>(size));
  append(out, text.substr(0, size));
}

std::string read_short_text(ByteCursor& in) {
  const auto size = in.read_le<std::uint16_t>();
  return std::string(as_text(in.read_view(size)));
}

}  // namespace

std::string value_type_name(ValueType type) {
  switch (type) {
    case ValueType::f64:
      return "f64";
    case ValueType::i64:
      return "i64";
    case ValueType::boolean:
      return "bool";
    case ValueType::string:
      return "string";
  }
  return "unknown";
}

Bytes encode_schema(const Schema& schema) {
  Bytes out;
  append_le(out, schema_version);
  append_le(out, std::uint16_t{0});
  append_short_text(out, schema.source_name);
  append_short_text(out, schema.time_note);
  append_le(out, static_cast<std::uint32_t>(schema.channels.size()));
  for (const Channel& channel : schema.channels) {
    append_le(out, static_cast<std::uint8_t>(channel.type));
    append_le(out, std::uint8_t{0});
    append_short_text(out, channel.name);
    append_short_text(out, channel.unit);
    append_short_text(out, channel.label);
  }
  return out;
}

Result<Schema> parse_schema(ByteView body) {
  ByteCursor in(body);
  Schema schema;
  const auto version = in.read_le<std::uint16_t>();
  const auto reserved = in.read_le<std::uint16_t>();
  if (!in.ok() || version != schema_version || reserved != 0) {
    return fail(ExitCode::malformed, "schema of an unknown version");
  }
  schema.source_name = read_short_text(in);
  schema.time_note = read_short_text(in);
  const auto count = in.read_le<std::uint32_t>();
  if (count > max_channels || count > in.remaining() / 8) {
    return fail(ExitCode::malformed,
                "schema claims " + decimal(std::uint64_t{count}) + " channels");
  }
  schema.channels.reserve(count);
  std::unordered_set<std::string> names;
  for (std::uint32_t i = 0; i < count; ++i) {
    Channel channel;
    const auto type = in.read_le<std::uint8_t>();
    const auto reserved_byte = in.read_le<std::uint8_t>();
    channel.type = static_cast<ValueType>(type);
    channel.name = read_short_text(in);
    channel.unit = read_short_text(in);
    channel.label = read_short_text(in);
    if (!in.ok()) break;
    if (type < 1 || type > 4 || reserved_byte != 0 || channel.name.empty() ||
        !names.insert(channel.name).second) {
      return fail(ExitCode::malformed,
                  "schema: channel " + decimal(std::uint64_t{i}) + " is malformed");
    }
    schema.channels.push_back(std::move(channel));
  }
  if (!in.at_end()) return fail(ExitCode::malformed, "schema has the wrong size");
  return schema;
}

Result<Schema> parse_schema_frame(const FrameHeader& header, ByteView body) {
  auto schema = parse_schema(body);
  if (schema && source_id(schema->source_name) != header.source) {
    return fail(ExitCode::malformed,
                "schema of " + escape(schema->source_name) + " in a frame of another source");
  }
  return schema;
}

}  // namespace twinchain::record
