#include "twinchain/record/time_reader.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <random>

#include "twinchain/base/text.hpp"

namespace twinchain::record {
namespace {

constexpr std::int64_t second_ns = 1'000'000'000;

std::string read_iso8601(std::string_view text) {
  Iso8601Reader reader;
  std::int64_t time_ns = 0;
  const char* const fault = reader.read(text, time_ns);
  return fault != nullptr ? fault : format_time_ns(time_ns);
}

std::string read_time(TimeUnit unit, std::string_view text) {
  TimeReader reader(unit);
  std::int64_t time_ns = 0;
  const char* const fault = reader.read(text, time_ns);
  return fault != nullptr ? fault : decimal(time_ns);
}

TEST_CASE("the forms of ISO 8601") {
  CHECK(read_iso8601("2026-11-22T11:18:47Z") == "2026-11-22T11:18:47Z");
  CHECK(read_iso8601("2026-11-22t11:18:47z") == "2026-11-22T11:18:47Z");
  CHECK(read_iso8601("2013-12-02 21:15:00") == "2013-12-02T21:15:00Z");
  CHECK(read_iso8601("2026-11-22T11:18") == "2026-11-22T11:18:00Z");
  CHECK(read_iso8601("2026-11-22") == "2026-11-22T00:00:00Z");
  CHECK(read_iso8601("20261122T111847Z") == "2026-11-22T11:18:47Z");
  CHECK(read_iso8601("20261122T111847.5+0130") == "2026-11-22T09:48:47.5Z");
  CHECK(read_iso8601("20261122T1118") == "2026-11-22T11:18:00Z");
  CHECK(read_iso8601("2026-11-22T11:18:47.123456789Z") == "2026-11-22T11:18:47.123456789Z");
  CHECK(read_iso8601("2026-11-22T11:18:47,5Z") == "2026-11-22T11:18:47.5Z");
  CHECK(read_iso8601("2026-11-22T11:18:47.1234567899999Z") == "2026-11-22T11:18:47.123456789Z");
  CHECK(read_iso8601("2026-11-22T11:18:47+01:00") == "2026-11-22T10:18:47Z");
  CHECK(read_iso8601("2026-11-22T11:18:47-0930") == "2026-11-22T20:48:47Z");
  CHECK(read_iso8601("2026-11-22T11:18:47+01") == "2026-11-22T10:18:47Z");
  CHECK(read_iso8601("2026-11-22 11:18:47 +00:00") == "2026-11-22T11:18:47Z");
  CHECK(read_iso8601("2026-11-22T24:00:00Z") == "2026-11-23T00:00:00Z");
  CHECK(read_iso8601("2016-12-31T23:59:60Z") == "2017-01-01T00:00:00Z");
  CHECK(read_iso8601("2024-02-29T00:00:00Z") == "2024-02-29T00:00:00Z");
  CHECK(read_iso8601("1969-12-31T23:59:59.75Z") == "1969-12-31T23:59:59.75Z");
}

TEST_CASE("what is not ISO 8601") {
  for (const char* text : {"",
                           "2026",
                           "2026-11",
                           "2026-13-01",
                           "2026-02-29",
                           "2026-11-31",
                           "2026-00-10",
                           "2026-11-22T",
                           "2026-11-22T25:00",
                           "2026-11-22T24:00:01",
                           "2026-11-22T11:60",
                           "2026-11-22T11:18:61",
                           "2026-11-22T11:18:47.",
                           "2026-11-22T11:18:47.Z",
                           "2026-11-22T11:18:47+",
                           "2026-11-22T11:18:47+1",
                           "2026-11-22T11:18:47+24:00",
                           "2026-11-22T11:18:47+01:60",
                           "2026-11-22T11:18:47Zx",
                           "2026-11-22X11:18:47",
                           "2026-11-2",
                           "2026-1-22",
                           "22.11.2026",
                           "2026-11-22T11",
                           "2026-11-22T11:1",
                           "2026-11-22T11:18:47 ",
                           "2026-11-22T11:18:47+01:",
                           "2026/11/22"}) {
    CAPTURE(text);
    CHECK(read_iso8601(text) == "not an ISO 8601 time");
  }
  CHECK(read_iso8601("1500-01-01").starts_with("time out of the range of nanoseconds"));
  CHECK(read_iso8601("2263-01-01").starts_with("time out of the range of nanoseconds"));
}

TEST_CASE("ISO 8601 agrees with the other reader of times, over all days of 70 years") {
  Iso8601Reader reader;
  std::mt19937_64 random(5);  // NOLINT
  for (std::int64_t day = -3000; day < 22'000; ++day) {
    const std::int64_t time_ns =
        (day * 86400 + static_cast<std::int64_t>(random() % 86400)) * second_ns +
        static_cast<std::int64_t>(random() % second_ns);
    std::int64_t read_ns = 0;
    const std::string text = format_time_ns(time_ns);
    REQUIRE(reader.read(text, read_ns) == nullptr);
    CHECK(read_ns == time_ns);
    CHECK(reader.had_zone());
  }
}

TEST_CASE("epoch times keep every digit down to the nanosecond") {
  CHECK(read_time(TimeUnit::seconds, "1700000000") == "1700000000000000000");
  CHECK(read_time(TimeUnit::seconds, "1700000000.123456789") == "1700000000123456789");
  CHECK(read_time(TimeUnit::seconds, "1700000000.1") == "1700000000100000000");
  CHECK(read_time(TimeUnit::seconds, "1700000000.1234567899") == "1700000000123456789");
  CHECK(read_time(TimeUnit::seconds, "1700000000.123456789123456789") == "1700000000123456789");
  CHECK(read_time(TimeUnit::seconds, "1700000000.") == "1700000000000000000");
  CHECK(read_time(TimeUnit::seconds, ".5") == "500000000");
  CHECK(read_time(TimeUnit::seconds, "-1.5") == "-1500000000");
  CHECK(read_time(TimeUnit::seconds, "1.7000000001E+09") == "1700000000100000000");
  CHECK(read_time(TimeUnit::seconds, "0") == "0");
  CHECK(read_time(TimeUnit::milliseconds, "1700000000123") == "1700000000123000000");
  CHECK(read_time(TimeUnit::milliseconds, "1700000000123.456789") == "1700000000123456789");
  CHECK(read_time(TimeUnit::microseconds, "1700000000123456.789") == "1700000000123456789");
  CHECK(read_time(TimeUnit::nanoseconds, "1700000000123456789") == "1700000000123456789");
  CHECK(read_time(TimeUnit::nanoseconds, "-5") == "-5");
  CHECK(read_time(TimeUnit::nanoseconds, "9223372036854775807") == "9223372036854775807");
}

TEST_CASE("times that cannot be") {
  const std::string range = "time out of the range of nanoseconds (years 1678 to 2261)";
  CHECK(read_time(TimeUnit::seconds, "9223372037") == range);
  CHECK(read_time(TimeUnit::nanoseconds, "9223372036854775808") == range);
  CHECK(read_time(TimeUnit::milliseconds, "1e300") == range);
  CHECK(read_time(TimeUnit::seconds, "nan") == "not a number");
  CHECK(read_time(TimeUnit::seconds, "2026-11-22") == "not a number");
  CHECK(read_time(TimeUnit::seconds, "") == "not a number");
  CHECK(read_time(TimeUnit::iso8601, "1700000000") == "not an ISO 8601 time");
  CHECK(read_time(TimeUnit::detect, "yesterday") == "neither a number nor an ISO 8601 time");
  CHECK(read_time(TimeUnit::detect, "2026-99-01 00:00") == "not an ISO 8601 time");
}

TEST_CASE("binary times are exact to the nanosecond") {
  const auto read = [](TimeUnit unit, double value) {
    TimeReader reader(unit);
    std::int64_t time_ns = 0;
    const char* const fault = reader.read(value, time_ns);
    return fault != nullptr ? std::string(fault) : decimal(time_ns);
  };
  CHECK(read(TimeUnit::seconds, 1.5) == "1500000000");
  CHECK(read(TimeUnit::seconds, -1.5) == "-1500000000");
  CHECK(read(TimeUnit::seconds, 1700000000.25) == "1700000000250000000");
  // The double nearest to 1700000000.1 is 1700000000.099999904632568...
  CHECK(read(TimeUnit::seconds, 1700000000.1) == "1700000000099999905");
  CHECK(read(TimeUnit::milliseconds, 1700000000123.0) == "1700000000123000000");
  CHECK(read(TimeUnit::nanoseconds, 1.7e18) == "1700000000000000000");
  CHECK(read(TimeUnit::seconds, std::nan("")) == "not a number");
  CHECK(read(TimeUnit::seconds, 1e300).starts_with("time out of the range"));
  CHECK(read(TimeUnit::nanoseconds, 9223372036854775808.0).starts_with("time out of the range"));
  CHECK(read(TimeUnit::nanoseconds, -9223372036854775808.0) == "-9223372036854775808");
  // Different doubles stay different times: today's doubles are 238 ns apart.
  double value = 1763809127.0;
  std::int64_t before = 0;
  TimeReader reader(TimeUnit::seconds);
  for (int i = 0; i < 1000; ++i, value = std::nextafter(value, 2e9)) {
    std::int64_t now = 0;
    REQUIRE(reader.read(value, now) == nullptr);
    CHECK(now > before);
    CHECK(static_cast<double>(now / second_ns) + static_cast<double>(now % second_ns) / 1e9 ==
          value);
    before = now;
  }
}

TEST_CASE("names of time columns") {
  CHECK(time_name_rank("time") == 0);
  CHECK(time_name_rank("TimeStamp") == 1);
  CHECK(time_name_rank("TS") == 2);
  CHECK(time_name_rank("@timestamp") == 7);
  CHECK(!time_name_rank("times"));
  CHECK(!time_name_rank(""));
  CHECK(!time_name_rank("temperature"));
}

}  // namespace
}  // namespace twinchain::record
