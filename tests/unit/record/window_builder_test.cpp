#include "twinchain/record/window_builder.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "twinchain/crypto/sha256.hpp"
#include "twinchain/record/column_reader.hpp"

namespace twinchain::record {
namespace {

struct Written {
  FrameHeader header;
  Bytes body;
};

struct Frames {
  std::vector<Written> list;
  FrameSink sink() {
    return [this](const FrameHeader& header, ByteView body) -> Status {
      list.push_back({header, Bytes(body.begin(), body.end())});
      return {};
    };
  }
};

Schema named(std::string name) {
  Schema schema;
  schema.source_name = std::move(name);
  return schema;
}

Window decode(const Frames& frames, std::size_t index, const Schema& schema) {
  const Written& data = frames.list.at(index);
  REQUIRE(data.header.type == FrameType::data);
  auto window = decode_window(data.header, data.body, schema);
  if (!window) FAIL(window.error().message);
  return std::move(*window);
}

TEST_CASE("a window of all types comes back") {
  WindowBuilder builder(named("engine-1"));
  const auto f = *builder.channel("f", ValueType::f64, "K");
  const auto i = *builder.channel("i", ValueType::i64);
  const auto b = *builder.channel("b", ValueType::boolean);
  const auto s = *builder.channel("s", ValueType::string);
  for (int row = 0; row < 100; ++row) {
    builder.begin_row(1000 + row);
    builder.put_f64(f, 0.25 * row);
    if (row % 3 == 0) builder.put_i64(i, -row);
    if (row > 10) builder.put_bool(b, row % 2 == 0);
    if (row < 90) builder.put_string(s, std::string(static_cast<std::size_t>(row % 5), 'x'));
    builder.end_row();
  }
  CHECK(builder.rows() == 100);
  Frames frames;
  WindowEnd end;
  end.sequence = 7;
  end.start_ns = 1;
  end.end_ns = 2;
  REQUIRE(builder.close(end, frames.sink()));
  REQUIRE(frames.list.size() == 2);
  CHECK(frames.list[0].header.type == FrameType::schema);
  const Window window = decode(frames, 1, builder.schema());
  CHECK(window.header.sequence == 7);
  CHECK(window.header.rows == 100);
  CHECK(window.header.samples == 100 + 34 + 89 + 90);
  CHECK(window.header.schema_digest == frame_digest(frames.list[0].header, frames.list[0].body));
  REQUIRE(window.columns.size() == 4);
  CHECK(window.columns[f].rows.empty());
  CHECK(window.columns[f].f64[7] == 1.75);
  CHECK(window.columns[i].rows[2] == 6);
  CHECK(window.columns[i].i64[2] == -6);
  CHECK(window.columns[b].rows.front() == 11);
  CHECK(window.columns[b].boolean.front() == 0);
  CHECK(window.columns[s].rows.back() == 89);
  CHECK(window.columns[s].string.back() == "xxxx");
  CHECK(window.times_ns.back() == 1099);
}

}  // namespace
}  // namespace twinchain::record
