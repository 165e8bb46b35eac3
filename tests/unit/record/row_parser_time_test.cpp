// How the unit of times is found, which all parsers share.
#include <doctest/doctest.h>

#include "twinchain/record/time_reader.hpp"

namespace twinchain::record {
namespace {

TEST_CASE("the unit is detected by magnitude, at the first time") {
  const auto detect = [](std::string_view first) {
    TimeReader reader(TimeUnit::detect);
    std::int64_t time_ns = 0;
    CHECK(reader.note() == "");
    CHECK(reader.read(first, time_ns) == nullptr);
    return reader.note();
  };
  CHECK(detect("0") == "epoch seconds (detected)");
  CHECK(detect("1700000000") == "epoch seconds (detected)");
  CHECK(detect("1700000000.123") == "epoch seconds (detected)");
  CHECK(detect("9223372036.5") == "epoch seconds (detected)");
  CHECK(detect("10000000000") == "epoch milliseconds (detected)");
  CHECK(detect("1700000000123") == "epoch milliseconds (detected)");
  CHECK(detect("9223372036854.7") == "epoch milliseconds (detected)");
  CHECK(detect("10000000000000") == "epoch microseconds (detected)");
  CHECK(detect("1700000000123456") == "epoch microseconds (detected)");
  CHECK(detect("10000000000000000") == "epoch nanoseconds (detected)");
  CHECK(detect("1700000000123456789") == "epoch nanoseconds (detected)");
  CHECK(detect("-1700000000123") == "epoch milliseconds (detected)");
  CHECK(detect("2013-12-02 21:15:00") == "ISO 8601, UTC where no zone is given (detected)");
  CHECK(detect("2013-12-02T21:15:00Z") == "ISO 8601 (detected)");
  CHECK(detect("20131202T211500Z") == "ISO 8601 (detected)");

  TimeReader reader(TimeUnit::detect);
  std::int64_t time_ns = 0;
  CHECK(reader.read("garbage", time_ns) != nullptr);
  CHECK(reader.unit() == TimeUnit::detect);
  CHECK(reader.read("1700000000123", time_ns) == nullptr);
  // What follows is of the same unit, whatever it looks like.
  CHECK(reader.read("5", time_ns) == nullptr);
  CHECK(time_ns == 5'000'000);
  CHECK(reader.read("2026-11-22", time_ns) != nullptr);
}

TEST_CASE("a unit is decided only by a time that can be read") {
  TimeReader reader(TimeUnit::detect);
  std::int64_t time_ns = 0;
  CHECK(reader.read("1e300", time_ns) != nullptr);
  CHECK(reader.read("2026-13-01", time_ns) != nullptr);
  CHECK(reader.unit() == TimeUnit::detect);
  // A number with an exponent is none the less a number.
  CHECK(reader.read("1.7e+00009", time_ns) == nullptr);
  CHECK(reader.unit() == TimeUnit::seconds);
  CHECK(time_ns == 1'700'000'000'000'000'000);
  TimeReader small(TimeUnit::detect);
  CHECK(small.read("1.5e-00009", time_ns) == nullptr);
  CHECK(time_ns == 1);
}

TEST_CASE("binary times decide the unit as texts do") {
  const auto detect = [](double first) {
    TimeReader reader(TimeUnit::detect);
    std::int64_t time_ns = 0;
    CHECK(reader.read(first, time_ns) == nullptr);
    return reader.unit();
  };
  CHECK(detect(0) == TimeUnit::seconds);
  CHECK(detect(-1.7e9) == TimeUnit::seconds);
  CHECK(detect(1.7e12) == TimeUnit::milliseconds);
  CHECK(detect(1.7e15) == TimeUnit::microseconds);
  CHECK(detect(1.7e18) == TimeUnit::nanoseconds);
}

TEST_CASE("a reader goes on from what was saved, unless the option says otherwise") {
  TimeReader reader(TimeUnit::detect);
  std::int64_t time_ns = 0;
  REQUIRE(reader.read("2026-11-22 11:18:47", time_ns) == nullptr);
  Bytes saved;
  reader.save(saved);
  TimeReader same(TimeUnit::detect);
  ByteCursor in(saved);
  REQUIRE(same.restore(in));
  CHECK(same.note() == reader.note());
  TimeReader other(TimeUnit::milliseconds);
  ByteCursor again(saved);
  REQUIRE(other.restore(again));
  CHECK(other.note() == "epoch milliseconds");
  for (const Bytes& bad : {Bytes{}, Bytes{1}, Bytes{9, 0}, Bytes{6, 0}, Bytes{1, 2}}) {
    TimeReader refused(TimeUnit::detect);
    ByteCursor cursor(bad);
    CHECK_FALSE(refused.restore(cursor));
  }
}

}  // namespace
}  // namespace twinchain::record
