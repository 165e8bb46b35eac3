#include <doctest/doctest.h>

#include <random>

#include "twinchain/base/buffer.hpp"
#include "twinchain/base/bytes.hpp"
#include "twinchain/base/crc32c.hpp"
#include "twinchain/base/hex.hpp"
#include "twinchain/base/json_writer.hpp"
#include "twinchain/base/text.hpp"

using namespace twinchain;

TEST_CASE("crc32c: known answers of RFC 3720 appendix B.4") {
  Bytes zeros(32, 0);
  Bytes ones(32, 0xff);
  Bytes up;
  for (std::uint8_t i = 0; i < 32; ++i) up.push_back(i);
  CHECK(crc32c(zeros) == 0x8a9136aa);
  CHECK(crc32c(ones) == 0x62a8ab43);
  CHECK(crc32c(up) == 0x46dd794e);
  CHECK(crc32c(as_bytes("123456789")) == 0xe3069283);
  CHECK(crc32c_portable(as_bytes("123456789")) == 0xe3069283);
}

TEST_CASE("crc32c: of two pieces put together, and of the second alone") {
  Bytes bytes(70'000);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i * i >> 3);
  const ByteView view(bytes);
  for (const std::size_t at : {0U, 1U, 7U, 4096U, 65'537U, 69'999U, 70'000U}) {
    CAPTURE(at);
    const std::uint32_t first = crc32c(view.first(at));
    const std::uint32_t second = crc32c(view.subspan(at));
    CHECK((crc32c_shift(first, bytes.size() - at) ^ second) == crc32c(view));
  }
  // Shifts add up, beyond sizes that can be tried.
  const std::uint64_t far = std::uint64_t{1} << 40;
  CHECK(crc32c_shift(crc32c_shift(0x12345678, far), 3) == crc32c_shift(0x12345678, far + 3));
}

TEST_CASE("crc32c: the instruction and the tables agree at every length and when continued") {
  std::mt19937_64 random(1);
  Bytes bytes(20'000);
  for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
  for (std::size_t size : {0UL, 1UL, 7UL, 8UL, 9UL, 3071UL, 3072UL, 3073UL, 6150UL, 20'000UL}) {
    const ByteView view = ByteView(bytes).first(size);
    CHECK(crc32c(view) == crc32c_portable(view));
    const std::size_t half = size / 3;
    CHECK(crc32c(view.subspan(half), crc32c(view.first(half))) == crc32c(view));
  }
}

TEST_CASE("little-endian fields") {
  Bytes out;
  append_le(out, std::uint16_t{0x1234});
  append_le(out, std::int64_t{-2});
  CHECK(to_hex(out) == "3412feffffffffffffff");
  ByteCursor in(out);
  CHECK(in.read_le<std::uint16_t>() == 0x1234);
  CHECK(in.read_le<std::int64_t>() == -2);
  CHECK(in.at_end());
  CHECK(in.read_le<std::uint8_t>() == 0);
  CHECK_FALSE(in.ok());
  CHECK(in.remaining() == 0);
}

TEST_CASE("hex") {
  CHECK(from_hex("00ffA0") == Bytes{0x00, 0xff, 0xa0});
  CHECK_FALSE(from_hex("0"));
  CHECK_FALSE(from_hex("0g"));
  CHECK_FALSE(hash_from_hex("00"));
  CHECK(to_hex_reversed(Bytes{1, 2, 3}) == "030201");
}

TEST_CASE("escape leaves text readable and terminals safe") {
  CHECK(escape("plain \"text\"") == "plain \"text\"");
  CHECK(escape("a\nb\x1b[31m") == "a\\nb\\x1b[31m");
  CHECK(escape("\xc3\xa9") == "\xc3\xa9");
  CHECK(escape("\xff") == "\\xff");
  CHECK(escape("\xc2\x9b") == "\\xc2\\x9b");           // C1 control sequence introducer
  CHECK(escape("\xe2\x80\xae") == "\\xe2\\x80\\xae");  // right-to-left override
  CHECK(escape(std::string(200, 'x'), 10) == "xxxxxxxxxx...");
}

TEST_CASE("durations and sizes need their units") {
  CHECK(parse_duration_ns("1s") == 1'000'000'000);
  CHECK(parse_duration_ns("1.5ms") == 1'500'000);
  CHECK(parse_duration_ns("10m") == 600'000'000'000);
  CHECK(parse_duration_ns("100ns") == 100);
  CHECK_FALSE(parse_duration_ns("1"));
  CHECK_FALSE(parse_duration_ns("s"));
  CHECK_FALSE(parse_duration_ns("-1s"));
  CHECK_FALSE(parse_duration_ns("99999999999999d"));
  CHECK(format_duration_ns(1'500'000'000) == "1500ms");
  CHECK(format_duration_ns(3'600'000'000'000) == "1h");
  CHECK(parse_size_bytes("8MiB") == 8U * 1024 * 1024);
  CHECK(parse_size_bytes("1GB") == 1'000'000'000U);
  CHECK_FALSE(parse_size_bytes("8 parsecs"));
  CHECK_FALSE(parse_size_bytes("99999999999999999999"));
}

TEST_CASE("times in and out") {
  CHECK(format_time_ns(0) == "1970-01-01T00:00:00Z");
  CHECK(format_time_ns(-1) == "1969-12-31T23:59:59.999999999Z");
  CHECK(format_time_ns(1'795'346'327'250'000'000) == "2026-11-22T11:18:47.25Z");
  CHECK(parse_time_iso8601_ns("2026-11-22T11:18:47.25Z") == 1'795'346'327'250'000'000);
  CHECK(parse_time_iso8601_ns("2026-11-22 12:18:47.25+01:00") == 1'795'346'327'250'000'000);
  CHECK(parse_time_iso8601_ns("2024-02-29T00:00:00") == 1'709'164'800'000'000'000);
  CHECK_FALSE(parse_time_iso8601_ns("2023-02-29T00:00:00"));
  CHECK_FALSE(parse_time_iso8601_ns("2026-11-22T24:00:00Z"));
  CHECK_FALSE(parse_time_iso8601_ns("2026-11-22T11:18:47.Z"));
  CHECK_FALSE(parse_time_iso8601_ns("9999-01-01T00:00:00Z"));
  CHECK_FALSE(parse_time_iso8601_ns("2026-11-22T11:18:47Zx"));
  const std::int64_t today = 1'795'346'327'000'000'000;
  CHECK(parse_time_option_ns("14:00", today) == parse_time_iso8601_ns("2026-11-22T14:00:00Z"));
  CHECK(parse_time_option_ns("2026-11-22", today) == parse_time_iso8601_ns("2026-11-22T00:00:00Z"));
  CHECK(parse_time_option_ns("@1.5", today) == 1'500'000'000);
  CHECK_FALSE(parse_time_option_ns("yesterday", today));
  for (std::int64_t time_ns = -5'000'000'000'000'000'000; time_ns < 9'000'000'000'000'000'000;
       time_ns += 123'456'789'012'345'678) {
    CHECK(parse_time_iso8601_ns(format_time_ns(time_ns)) == time_ns);
  }
}

TEST_CASE("json") {
  JsonWriter json;
  json.begin_object().member("a", std::uint64_t{1}).key("b").begin_array();
  json.value("x\"\n\xff").value(1.5).value(true).null().end_array().end_object();
  CHECK(json.text() == "{\"a\":1,\"b\":[\"x\\\"\\n\xef\xbf\xbd\",1.5,true,null]}");
}

TEST_CASE("buffer grows, appends, drops at the front") {
  Buffer buffer;
  buffer.append(as_bytes("hello"));
  buffer.append(as_bytes(" world"));
  buffer.remove_front(6);
  CHECK(as_text(buffer.view()) == "world");
  Buffer other = std::move(buffer);
  CHECK(as_text(other.view()) == "world");
}
