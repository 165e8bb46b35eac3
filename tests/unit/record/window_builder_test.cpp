#include "twinchain/record/window_builder.hpp"

#include "twinchain/crypto/sha256.hpp"
#include "unit/record/column_testing.hpp"

namespace twinchain::record {
namespace {

WindowEnd end_of(std::uint64_t sequence) {
  WindowEnd end;
  end.sequence = sequence;
  end.start_ns = static_cast<std::int64_t>(1000 * sequence);
  end.end_ns = end.start_ns + 1000;
  return end;
}

void put_row(WindowBuilder& builder, std::int64_t time_ns, const std::vector<double>& values) {
  builder.begin_row(time_ns);
  for (std::uint32_t i = 0; i < values.size(); ++i) builder.put_f64(i, values[i]);
  builder.end_row();
}

WindowBuilder builder_of(std::uint32_t channels) {
  WindowBuilder builder(schema_named("s"));
  for (std::uint32_t i = 0; i < channels; ++i) {
    REQUIRE(builder.channel("c" + std::to_string(i), ValueType::f64));
  }
  return builder;
}

TEST_CASE("window: all types, some rows without a value") {
  WindowBuilder builder(schema_named("engine-1"));
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
  WrittenFrames frames;
  WindowEnd end = end_of(7);
  end.flags = window_closed_by_size;
  end.wall_ns = 5;
  end.monotonic_ns = 6;
  end.boot_id = random_array<16>();
  end.declared_rate_mhz = 1'000'000;
  REQUIRE(builder.close(end, frames.sink()));
  REQUIRE(frames.list.size() == 2);
  CHECK(frames.list[0].header.type == FrameType::schema);
  for (const auto& frame : frames.list) {
    CHECK(frame.header.source == source_id("engine-1"));
    CHECK(frame.header.sequence == 7);
    CHECK(frame.header.window_start_ns == end.start_ns);
    CHECK(frame.header.window_end_ns == end.end_ns);
    CHECK(frame.header.body_size == frame.body.size());
  }
  const Window window = frames.window(builder.schema());
  CHECK(window.header.flags == window_closed_by_size);
  CHECK(window.header.channel_count == 4);
  CHECK(window.header.closed_wall_ns == 5);
  CHECK(window.header.closed_monotonic_ns == 6);
  CHECK(window.header.boot_id == end.boot_id);
  CHECK(window.header.declared_rate_mhz == 1'000'000);
  CHECK(window.header.rows == 100);
  CHECK(window.header.samples == 100 + 34 + 89 + 90);
  CHECK(window.header.first_event_ns == 1000);
  CHECK(window.header.last_event_ns == 1099);
  CHECK(window.header.reject_digest == Hash256{});
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

TEST_CASE("window: an empty one is a DATA frame with a header alone") {
  WindowBuilder builder(schema_named("s"));
  WrittenFrames frames;
  REQUIRE(builder.close(end_of(0), frames.sink()));
  REQUIRE(frames.list.size() == 2);
  CHECK(frames.list[1].body.size() == sizeof(Seed) + leaf_head_size + data_header_size);
  const Window window = frames.window(builder.schema());
  CHECK(window.header.rows == 0);
  CHECK(window.header.first_event_ns == 0);
  CHECK(window.columns.empty());
}

TEST_CASE("window: seeds differ, also of equal windows") {
  WindowBuilder builder(schema_named("s"));
  WrittenFrames frames;
  REQUIRE(builder.close(end_of(0), frames.sink()));
  REQUIRE(builder.close(end_of(0), frames.sink()));
  CHECK(body_seed(frames.list[1].body) != body_seed(frames.list[2].body));
  CHECK(body_seed(frames.list[1].body) != Seed{});
}

TEST_CASE("window: SCHEMA is written first, when it changed, and after forget_schema_written") {
  WindowBuilder builder(schema_named("s"));
  const auto types = [&](std::uint64_t sequence) {
    WrittenFrames frames;
    REQUIRE(builder.close(end_of(sequence), frames.sink()));
    std::string names;
    for (const auto& frame : frames.list) names += frame_type_name(frame.header.type) + " ";
    return names;
  };
  CHECK(types(0) == "SCHEMA DATA ");
  CHECK(types(1) == "DATA ");
  CHECK(*builder.channel("a", ValueType::f64) == 0);
  CHECK(types(2) == "SCHEMA DATA ");
  CHECK(*builder.channel("a", ValueType::i64) == 0);
  CHECK(builder.schema().channels[0].type == ValueType::f64);
  CHECK(types(3) == "DATA ");
  builder.set_time_note("column \"t\"");
  CHECK(types(4) == "SCHEMA DATA ");
  builder.set_time_note("column \"t\"");
  CHECK(types(5) == "DATA ");
  builder.forget_schema_written();
  CHECK(types(6) == "SCHEMA DATA ");
}

TEST_CASE("window: channels that cannot be are refused") {
  WindowBuilder builder(schema_named("s"));
  CHECK(builder.channel("", ValueType::f64).error().code == ExitCode::malformed);
  CHECK(builder.channel(std::string(65'536, 'x'), ValueType::f64).error().code ==
        ExitCode::malformed);
  CHECK(builder.channel("x", ValueType::f64, std::string(65'536, 'x')).error().code ==
        ExitCode::malformed);
  CHECK(builder.schema().channels.empty());
  // A schema that no frame can hold.
  std::uint32_t count = 0;
  while (builder.channel(std::to_string(count) + std::string(60'000, 'n'), ValueType::f64)) ++count;
  CHECK(count > 250);
  CHECK(count < 280);
  WrittenFrames frames;
  CHECK(builder.close(end_of(0), frames.sink()));
}

TEST_CASE("window: max_channels channels, a value each") {
  WindowBuilder builder(schema_named("s"));
  builder.begin_row(1);
  for (std::uint32_t i = 0; i < max_channels; ++i) {
    const auto channel = builder.channel("c" + std::to_string(i), ValueType::f64);
    REQUIRE(channel);
    REQUIRE(*channel == i);
    builder.put_f64(*channel, 0.1 * i);
  }
  builder.end_row();
  put_row(builder, 2, {1});
  CHECK(builder.channel("one more", ValueType::f64).error().code == ExitCode::malformed);
  CHECK(*builder.channel("c77", ValueType::f64) == 77);
  const std::uint64_t raw = builder.raw_size_bytes();
  WrittenFrames frames;
  REQUIRE(builder.close(end_of(0), frames.sink()));
  CHECK(frames.list.back().body.size() <= raw + raw / 128 + 64 * std::uint64_t{max_channels});
  const Window window = frames.window(builder.schema());
  CHECK(window.columns.size() == max_channels);
  CHECK(window.columns[0].f64 == std::vector<double>{0, 1});
  CHECK(window.columns[99'999].f64 == std::vector<double>{0.1 * 99'999});
  CHECK(window.columns[99'999].rows == std::vector<std::uint32_t>{0});
}

TEST_CASE("window: a second value and one of another type are left out") {
  WindowBuilder builder(schema_named("s"));
  const auto f = *builder.channel("f", ValueType::f64);
  const auto s = *builder.channel("s", ValueType::string);
  for (int row = 0; row < 3; ++row) {
    builder.begin_row(row);
    CHECK_FALSE(builder.row_has(f));
    builder.put_f64(f, row);
    CHECK(builder.row_has(f));
    builder.put_f64(f, 99);
    builder.put_i64(f, 99);
    builder.put_string(f, "99");
    builder.put_f64(s, 99);
    CHECK_FALSE(builder.row_has(s));
    builder.put_string(s, "a");
    builder.put_string(s, "b");
    builder.end_row();
  }
  WrittenFrames frames;
  REQUIRE(builder.close(end_of(0), frames.sink()));
  const Window window = frames.window(builder.schema());
  CHECK(window.columns[0].f64 == std::vector<double>{0, 1, 2});
  CHECK(window.columns[1].string == std::vector<std::string>{"a", "a", "a"});
}

TEST_CASE("window: a cancelled row leaves nothing behind") {
  WindowBuilder builder(schema_named("s"));
  const auto a = *builder.channel("a", ValueType::f64);
  const auto b = *builder.channel("b", ValueType::string);
  const auto c = *builder.channel("c", ValueType::i64);
  std::mt19937 random(1);
  std::vector<std::uint32_t> c_rows;
  for (int row = 0; row < 200; ++row) {
    while (random() % 2 == 0) {
      builder.begin_row(-5);
      if (random() % 2 == 0) builder.put_f64(a, -1);
      if (random() % 2 == 0) builder.put_string(b, "cancelled");
      if (random() % 2 == 0) builder.put_i64(c, -1);
      const std::uint64_t size = builder.raw_size_bytes();
      builder.cancel_row();
      CHECK_FALSE(builder.row_has(a));
      CHECK(builder.raw_size_bytes() == size);
    }
    builder.begin_row(row);
    builder.put_f64(a, row);
    builder.put_string(b, std::to_string(row));
    if (row > 50 && row % 3 == 0) {
      builder.put_i64(c, row);
      c_rows.push_back(static_cast<std::uint32_t>(row));
    }
    builder.end_row();
  }
  CHECK(builder.counters().out_of_order == 0);
  WrittenFrames frames;
  REQUIRE(builder.close(end_of(0), frames.sink()));
  const Window window = frames.window(builder.schema());
  REQUIRE(window.columns.size() == 3);
  for (std::size_t row = 0; row < 200; ++row) {
    CHECK(window.columns[0].f64[row] == static_cast<double>(row));
    CHECK(window.columns[1].string[row] == std::to_string(row));
  }
  CHECK(window.columns[2].rows == c_rows);
  CHECK(window.header.rows == 200);
}

TEST_CASE("window: duplicate rows are the same in time and all values") {
  WindowBuilder builder(schema_named("s"));
  const auto a = *builder.channel("a", ValueType::f64);
  const auto s = *builder.channel("s", ValueType::string);
  const auto row = [&](std::int64_t time_ns, double value, const char* text) {
    builder.begin_row(time_ns);
    if (text != nullptr) builder.put_string(s, text);
    builder.put_f64(a, value);
    builder.end_row();
    return builder.counters().duplicate;
  };
  CHECK(row(1, 1, "x") == 0);
  CHECK(row(1, 1, "x") == 1);
  CHECK(row(1, 1, "y") == 1);
  CHECK(row(1, 2, "y") == 1);
  CHECK(row(2, 2, "y") == 1);
  CHECK(row(2, 2, nullptr) == 1);
  CHECK(row(2, 2, nullptr) == 2);
  CHECK(row(2, -0.0, nullptr) == 2);
  CHECK(row(2, 0.0, nullptr) == 2);
  CHECK(row(2, std::nan(""), nullptr) == 2);
  CHECK(row(2, std::nan(""), nullptr) == 3);
  WrittenFrames frames;
  REQUIRE(builder.close(end_of(0), frames.sink()));
  CHECK(frames.window(builder.schema()).header.duplicate_rows == 3);
  CHECK(builder.counters().duplicate == 0);
  // Also the first row of a window is one when it repeats the last of the window before.
  CHECK(row(2, std::nan(""), nullptr) == 1);
  REQUIRE(builder.close(end_of(1), frames.sink()));
  CHECK(row(2, std::nan(""), "x") == 0);
  // A window without rows changes nothing.
  REQUIRE(builder.close(end_of(2), frames.sink()));
  REQUIRE(builder.close(end_of(3), frames.sink()));
  CHECK(row(2, std::nan(""), "x") == 1);
}

TEST_CASE("window: equal rows that arrived together without a time are no duplicates") {
  auto builder = builder_of(1);
  builder.set_arrival(100);
  put_row(builder, 100, {7});
  put_row(builder, 100, {7});
  CHECK(builder.counters().duplicate == 0);
  // Rows with a time of their own still are.
  put_row(builder, 99, {7});
  put_row(builder, 99, {7});
  CHECK(builder.counters().duplicate == 1);
  const std::vector<std::int64_t> times{100, 100, 101, 101};
  Bytes rows;
  for (std::size_t i = 0; i < times.size(); ++i) append_le(rows, std::bit_cast<std::uint64_t>(7.0));
  builder.append_f64_rows(rows, 1, times);
  CHECK(builder.counters().duplicate == 2);
  // The row that the next window begins with came in the same read.
  WrittenFrames frames;
  builder.set_arrival(101);
  REQUIRE(builder.close(end_of(0), frames.sink()));
  put_row(builder, 101, {7});
  builder.append_f64_rows(rows, 1, std::vector<std::int64_t>(4, 101));
  CHECK(builder.counters().duplicate == 0);
}

TEST_CASE("window: late and out-of-order rows") {
  auto builder = builder_of(1);
  for (const std::int64_t time_ns : {10, 12, 11, 11, 13}) {
    put_row(builder, time_ns, {static_cast<double>(time_ns)});
  }
  CHECK(builder.counters().out_of_order == 1);
  CHECK(builder.counters().late == 0);
  CHECK(builder.counters().duplicate == 1);
  WrittenFrames frames;
  REQUIRE(builder.close(end_of(0), frames.sink()));
  Window window = frames.window(builder.schema());
  CHECK(window.header.out_of_order_rows == 1);
  CHECK(window.header.first_event_ns == 10);
  CHECK(window.header.last_event_ns == 13);
  CHECK(window.times_ns == std::vector<std::int64_t>{10, 12, 11, 11, 13});
  // Older than 13, the newest event of a closed window: late; 9 is out of order too, 12 and 13
  // are not.
  for (const std::int64_t time_ns : {9, 12, 13, 14}) put_row(builder, time_ns, {0});
  CHECK(builder.counters().late == 2);
  CHECK(builder.counters().out_of_order == 1);
  REQUIRE(builder.close(end_of(1), frames.sink()));
  window = frames.window(builder.schema());
  CHECK(window.header.late_rows == 2);
  CHECK(window.header.first_event_ns == 9);
  CHECK(window.header.last_event_ns == 14);
  // Times before 1970 and at the ends of the range.
  using Limits = std::numeric_limits<std::int64_t>;
  auto other = builder_of(1);
  for (const std::int64_t time_ns : {Limits::min(), std::int64_t{-1}, Limits::max()}) {
    put_row(other, time_ns, {0});
  }
  CHECK(other.counters().late + other.counters().out_of_order + other.counters().duplicate == 0);
  REQUIRE(other.close(end_of(0), frames.sink()));
  window = frames.window(other.schema());
  CHECK(window.header.first_event_ns == Limits::min());
  CHECK(window.header.last_event_ns == Limits::max());
}

TEST_CASE("window: raw rows are the same as rows that are put") {
  std::mt19937_64 random(2);
  for (const std::uint32_t columns : {1U, 3U, 4U, 8U, 9U, 20U, 100U}) {
    auto fast = builder_of(columns + 1);
    auto slow = builder_of(columns + 1);
    for (int window = 0; window < 4; ++window) {
      std::int64_t time = 1000 * window - 500 * (window / 2);
      for (int part = 0; part < 6; ++part) {
        const std::size_t count = random() % 30;
        std::vector<double> values(count * columns);
        std::vector<std::int64_t> times(count);
        for (double& value : values) value = static_cast<double>(random() % 3);
        for (std::int64_t& at : times) at = time += static_cast<std::int64_t>(random() % 4) - 1;
        Bytes bytes;
        for (const double value : values) append_le(bytes, bits_of(value));
        fast.append_f64_rows(bytes, columns, times);
        for (std::size_t row = 0; row < count; ++row) {
          const auto at = values.begin() + static_cast<std::ptrdiff_t>(row * columns);
          put_row(slow, times[row], std::vector<double>(at, at + columns));
        }
        // Between them rows with other channels, which make columns sparse.
        if (part == window) {
          for (WindowBuilder* builder : {&fast, &slow}) {
            builder->begin_row(time);
            builder->put_f64(columns, 7);
            if (window > 1) builder->put_f64(0, 8);
            builder->end_row();
          }
        }
      }
      CHECK(fast.raw_size_bytes() == slow.raw_size_bytes());
      CHECK(fast.counters().duplicate == slow.counters().duplicate);
      WrittenFrames fast_frames;
      WrittenFrames slow_frames;
      REQUIRE(fast.close(end_of(0), fast_frames.sink()));
      REQUIRE(slow.close(end_of(0), slow_frames.sink()));
      const Bytes& a = fast_frames.list.back().body;
      const Bytes& b = slow_frames.list.back().body;
      CHECK(std::equal(a.begin() + sizeof(Seed), a.end(), b.begin() + sizeof(Seed), b.end()));
      CHECK(fast_frames.window(fast.schema()).header.rows ==
            fast_frames.window(slow.schema()).times_ns.size());
    }
  }
}

TEST_CASE("window: raw rows that do not fit the channels are left out") {
  WindowBuilder builder(schema_named("s"));
  REQUIRE(builder.channel("a", ValueType::f64));
  REQUIRE(builder.channel("s", ValueType::string));
  const Bytes rows(32);
  const std::vector<std::int64_t> times{1, 2};
  builder.append_f64_rows(rows, 0, times);
  builder.append_f64_rows(rows, 2, times);
  builder.append_f64_rows(rows, 3, times);
  builder.append_f64_rows(ByteView(rows).first(15), 1, times);
  CHECK(builder.rows() == 0);
  builder.append_f64_rows(ByteView(rows).first(16), 1, times);
  CHECK(builder.rows() == 2);
}

TEST_CASE("window: rejects are kept as they were, in as many frames as they need") {
  auto builder = builder_of(1);
  put_row(builder, 1, {1});
  builder.reject({7, 123, "column 3: not a number", std::string("a\0b\xff", 4)});
  for (std::uint64_t line = 8; line < 28; ++line) {
    builder.reject({line, 0, "too long", std::string(1'000'000, static_cast<char>('a' + line))});
  }
  builder.reject({28, 0, std::string(70'000, 'r'), std::string(20'000'000, 'z')});
  CHECK(builder.rejected_rows() == 22);
  // 40 MB of rejects are over the limit that a caller is told to keep, yet no data is lost: the
  // frames are written, as long as the window itself has a frame's size.
  CHECK(builder.raw_size_bytes() > 20'000'000);
  WrittenFrames frames;
  const auto status = builder.close(end_of(3), frames.sink());
  if (!status) FAIL(status.error().message);
  std::vector<Reject> rejects;
  Sha256 digests;
  std::uint32_t reject_frames = 0;
  for (const auto& frame : frames.list) {
    CHECK(frame.body.size() <= max_body_size);
    if (frame.header.type != FrameType::reject) continue;
    ++reject_frames;
    digests.update(frame_digest(frame.header, frame.body));
    auto parsed = parse_reject_body(frame.body);
    REQUIRE(parsed);
    for (Reject& reject : *parsed) rejects.push_back(std::move(reject));
  }
  CHECK(reject_frames >= 3);
  REQUIRE(rejects.size() == 22);
  CHECK(rejects[0].line == 7);
  CHECK(rejects[0].arrival_ns == 123);
  CHECK(rejects[0].reason == "column 3: not a number");
  CHECK(rejects[0].text == std::string("a\0b\xff", 4));
  CHECK(rejects[20].text == std::string(1'000'000, static_cast<char>('a' + 27)));
  CHECK(rejects[21].text.size() > 16'000'000);
  CHECK(rejects[21].reason.ends_with("(text cut)"));
  const Window window = frames.window(builder.schema());
  CHECK(window.header.rejected_rows == 22);
  CHECK(window.header.reject_frames == reject_frames);
  CHECK(window.header.reject_digest == digests.finish());
  CHECK(builder.raw_size_bytes() == 0);
}

TEST_CASE("window: the sink's error is passed on") {
  auto builder = builder_of(1);
  const auto status = builder.close(end_of(0), [](const FrameHeader&, ByteView) -> Status {
    return fail(ExitCode::system, "disk full");
  });
  REQUIRE_FALSE(status);
  CHECK(status.error().message == "disk full");
}

TEST_CASE("window: a body is hardly larger than its raw size, whatever the values") {
  std::mt19937_64 random(3);
  for (const int kind : {0, 1, 2, 3}) {
    WindowBuilder builder(schema_named("s"));
    std::vector<std::uint32_t> channels;
    for (int i = 0; i < 50; ++i) {
      const auto type = kind == 2 ? ValueType::string : kind == 1 ? ValueType::i64 : ValueType::f64;
      channels.push_back(*builder.channel("c" + std::to_string(i), type));
    }
    for (int row = 0; row < 2000; ++row) {
      builder.begin_row(static_cast<std::int64_t>(random()));
      for (const std::uint32_t channel : channels) {
        if (kind == 3 && random() % 50 > 2) continue;
        builder.put_f64(channel, std::bit_cast<double>(random()));
        builder.put_i64(channel, static_cast<std::int64_t>(random()));
        std::string text(random() % 20, ' ');
        for (char& c : text) c = static_cast<char>(random());
        builder.put_string(channel, text);
      }
      builder.end_row();
    }
    const std::uint64_t raw = builder.raw_size_bytes();
    WrittenFrames frames;
    REQUIRE(builder.close(end_of(0), frames.sink()));
    CHECK(frames.list.back().body.size() <= raw + raw / 128 + 64 * 51);
    const Window window = frames.window(builder.schema());
    CHECK(window.header.rows == 2000);
  }
}

TEST_CASE("window: many windows of many shapes come back") {
  std::mt19937_64 random(4);
  WindowBuilder builder(schema_named("s"));
  std::int64_t time = 0;
  for (std::uint64_t sequence = 0; sequence < 60; ++sequence) {
    const std::size_t rows = random() % 200;
    const std::uint32_t channels = 1 + static_cast<std::uint32_t>(random() % 20);
    std::vector<std::vector<std::pair<std::uint32_t, std::uint64_t>>> wanted(channels);
    for (std::uint32_t row = 0; row < rows; ++row) {
      builder.begin_row(++time);
      for (std::uint32_t i = 0; i < channels; ++i) {
        // Channels 0, 4, 8 ... in all rows; the others in some, in their own way.
        if (i % 4 == 1 && row % (i + 1) != 0) continue;
        if (i % 4 == 2 && random() % 3 == 0) continue;
        if (i % 4 == 3 && row < rows / 2) continue;
        const auto type = i % 3 == 0   ? ValueType::f64
                          : i % 3 == 1 ? ValueType::i64
                                       : ValueType::boolean;
        const auto channel = builder.channel("c" + std::to_string(i), type);
        REQUIRE(channel);
        std::uint64_t word = random() % 1000;
        if (type == ValueType::f64) {
          word = bits_of(static_cast<double>(word) / 8);
          builder.put_f64(*channel, std::bit_cast<double>(word));
        } else if (type == ValueType::i64) {
          builder.put_i64(*channel, static_cast<std::int64_t>(word));
        } else {
          word %= 2;
          builder.put_bool(*channel, word != 0);
        }
        if (wanted.size() <= *channel) wanted.resize(*channel + 1);
        wanted[*channel].emplace_back(row, word);
      }
      builder.end_row();
    }
    WrittenFrames frames;
    REQUIRE(builder.close(end_of(sequence), frames.sink()));
    const Window window = frames.window(builder.schema());
    CHECK(window.times_ns.size() == rows);
    std::size_t columns = 0;
    for (const Column& column : window.columns) {
      const auto words = words_of(column);
      const auto& expected = wanted[column.channel];
      REQUIRE(words.size() == expected.size());
      ++columns;
      for (std::size_t i = 0; i < words.size(); ++i) {
        CHECK(words[i] == expected[i].second);
        CHECK((column.rows.empty() ? i : column.rows[i]) == expected[i].first);
      }
    }
    for (const auto& expected : wanted) columns -= expected.empty() ? 0 : 1;
    CHECK(columns == 0);
  }
}

TEST_CASE("window: memory of channels that are busy in turns is given back") {
  auto builder = builder_of(40);
  WrittenFrames frames;
  for (std::uint32_t turn = 0; turn < 40; ++turn) {
    for (int row = 0; row < 20'000; ++row) {
      builder.begin_row(row);
      builder.put_f64(turn, row);
      builder.end_row();
    }
    REQUIRE(builder.close(end_of(turn), frames.sink()));
    frames.list.erase(frames.list.begin(), frames.list.end() - 1);
    CHECK(builder.held_bytes() < 2'000'000);
  }
}

}  // namespace
}  // namespace twinchain::record
