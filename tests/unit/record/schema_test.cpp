#include "twinchain/record/schema.hpp"

#include <doctest/doctest.h>

#include "twinchain/base/hex.hpp"

namespace twinchain::record {
namespace {

Schema some_schema() {
  Schema schema;
  schema.source_name = "engine-1";
  schema.time_note = "column \"ts\", epoch milliseconds";
  schema.channels = {{"T2", ValueType::f64, "K", "inlet temperature"},
                     {"count", ValueType::i64, "", ""},
                     {"on", ValueType::boolean, "", ""},
                     {"grüße\n", ValueType::string, "°C", std::string(65'535, 'x')}};
  return schema;
}

TEST_CASE("schema: it comes back") {
  const auto schema = parse_schema(encode_schema(some_schema()));
  REQUIRE(schema);
  CHECK(*schema == some_schema());
  CHECK(parse_schema(encode_schema(Schema{})));
}

TEST_CASE("schema: the bytes of the specification") {
  Schema schema;
  schema.source_name = "s";
  schema.channels = {{"a", ValueType::i64, "m", ""}};
  CHECK(to_hex(encode_schema(schema)) ==
        "0100"
        "0000"
        "010073"
        "0000"
        "01000000"
        "0200"
        "010061"
        "01006d"
        "0000");
}

TEST_CASE("schema: no prefix is taken for the whole, and no more than it") {
  Schema schema = some_schema();
  schema.channels[3].label.resize(10);
  Bytes bytes = encode_schema(schema);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const Bytes prefix(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    const auto parsed = parse_schema(prefix);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().code == ExitCode::malformed);
  }
  bytes.push_back(0);
  CHECK(parse_schema(bytes).error().message == "schema has the wrong size");
}

TEST_CASE("schema: what no writer makes is refused") {
  Schema schema;
  schema.source_name = "s";
  schema.channels = {{"a", ValueType::f64, "", ""}, {"b", ValueType::f64, "", ""}};
  const Bytes good = encode_schema(schema);
  const auto error_with = [&](std::size_t at, std::uint8_t value) {
    Bytes bytes = good;
    bytes[at] = value;
    const auto parsed = parse_schema(bytes);
    return parsed ? std::string() : parsed.error().message;
  };
  CHECK(error_with(0, 1).empty());
  CHECK(error_with(0, 2) == "schema of an unknown version");
  CHECK(error_with(2, 1) == "schema of an unknown version");
  CHECK(error_with(9, 200) == "schema claims 200 channels");
  CHECK(error_with(12, 255) == "schema claims 4278190082 channels");
  CHECK(error_with(13, 0) == "schema: channel 0 is malformed");
  CHECK(error_with(13, 5) == "schema: channel 0 is malformed");
  CHECK(error_with(14, 1) == "schema: channel 0 is malformed");
  CHECK(error_with(22, 9) == "schema: channel 1 is malformed");
  schema.channels[1].name = "a";
  CHECK(parse_schema(encode_schema(schema)).error().message == "schema: channel 1 is malformed");
  schema.channels[1].name = "";
  CHECK_FALSE(parse_schema(encode_schema(schema)));
}

TEST_CASE("schema: a frame of another source is refused") {
  const Bytes body = encode_schema(some_schema());
  FrameHeader header;
  header.type = FrameType::schema;
  header.source = source_id("engine-1");
  CHECK(parse_schema_frame(header, body));
  header.source = source_id("engine-2");
  CHECK(parse_schema_frame(header, body).error().message ==
        "schema of engine-1 in a frame of another source");
}

TEST_CASE("schema: names of the types") {
  CHECK(value_type_name(ValueType::f64) == "f64");
  CHECK(value_type_name(ValueType::i64) == "i64");
  CHECK(value_type_name(ValueType::boolean) == "bool");
  CHECK(value_type_name(ValueType::string) == "string");
}

}  // namespace
}  // namespace twinchain::record
