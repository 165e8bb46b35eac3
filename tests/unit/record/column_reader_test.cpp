// decode_window: columns that do not fit their header and schema are refused.
#include "twinchain/record/column_reader.hpp"

#include "unit/record/column_testing.hpp"

namespace twinchain::record {
namespace {

/// A DATA frame made by hand: three rows, f64 channel 0 in all of them, i64 channel 2 in two.
struct Parts {
  FrameHeader frame;
  DataHeader header;
  std::vector<std::pair<LeafType, Bytes>> leaves;
  Schema schema;

  Parts() {
    schema.source_name = "s";
    schema.channels = {{"a", ValueType::f64, "", ""},
                       {"b", ValueType::boolean, "", ""},
                       {"c", ValueType::i64, "", ""}};
    header.source = frame.source = source_id("s");
    header.sequence = frame.sequence = 4;
    frame.type = FrameType::data;
    header.rows = 3;
    header.samples = 5;
    header.channel_count = 2;
    leaves.emplace_back(LeafType::time_column, times({1, 2, 3}));
    leaves.emplace_back(LeafType::value_column, column(0, ValueType::f64, {1, 2, 3}, {}));
    leaves.emplace_back(LeafType::value_column, column(2, ValueType::i64, {4, 5}, {0, 2}));
  }

  static Bytes times(const std::vector<std::int64_t>& times_ns) {
    ColumnEncoder encoder;
    Buffer out;
    encoder.encode_times(times_ns, out);
    return {out.view().begin(), out.view().end()};
  }
  static Bytes column(std::uint32_t channel, ValueType type,
                      const std::vector<std::uint64_t>& words,
                      const std::vector<std::uint32_t>& rows) {
    Bytes payload = encode_column(type, words, rows);
    store_le(payload.data(), channel);
    return payload;
  }

  [[nodiscard]] Bytes body() const {
    Bytes bytes(sizeof(Seed), 9);
    append_leaf(bytes, LeafType::header, encode_data_header(header));
    for (const auto& [type, payload] : leaves) append_leaf(bytes, type, payload);
    return bytes;
  }
  std::string error() const {
    const Bytes bytes = body();
    const auto window = decode_window(frame, bytes, schema);
    if (window) return "";
    CHECK(window.error().code == ExitCode::malformed);
    return window.error().message;
  }
};

TEST_CASE("reader: a window made by hand") {
  const Parts parts;
  CHECK(parts.error().empty());
  const auto window = decode_window(parts.frame, parts.body(), parts.schema);
  REQUIRE(window);
  CHECK(window->times_ns == std::vector<std::int64_t>{1, 2, 3});
  CHECK(window->columns[1].channel == 2);
  CHECK(window->columns[1].rows == std::vector<std::uint32_t>{0, 2});
  CHECK(window->columns[1].i64 == std::vector<std::int64_t>{4, 5});
}

TEST_CASE("reader: leaves of a type that is not known are passed over") {
  Parts parts;
  parts.leaves.emplace_back(static_cast<LeafType>(77), Bytes{1, 2, 3});
  CHECK(parts.error().empty());
}

TEST_CASE("reader: header and columns must say the same") {
  const auto error_after = [](const auto& change) {
    Parts parts;
    change(parts);
    return parts.error();
  };
  Bytes damaged = Parts().body();
  damaged.back() ^= 1;
  const auto damaged_window = decode_window(Parts().frame, damaged, Parts().schema);
  REQUIRE_FALSE(damaged_window);
  CHECK(damaged_window.error().message == "leaf 3: crc mismatch");
  CHECK(error_after([](Parts& p) { p.header.samples = 6; }) ==
        "a window with another number of columns or samples than its header says");
  CHECK(error_after([](Parts& p) { p.header.channel_count = 3; }) ==
        "a window with another number of columns or samples than its header says");
  CHECK(error_after([](Parts& p) { p.header.rows = 4; }) ==
        "a time column with other rows than the window");
  CHECK(error_after([](Parts& p) { p.header.rows = std::uint64_t{1} << 40; }) ==
        "a window with too many rows");
  CHECK(error_after([](Parts& p) { p.leaves.erase(p.leaves.begin()); }) ==
        "a window with rows and without a time column");
  CHECK(error_after([](Parts& p) { p.leaves.push_back(p.leaves[0]); }) ==
        "a window with two time columns");
  CHECK(error_after([](Parts& p) { p.leaves.pop_back(); }) ==
        "a window with another number of columns or samples than its header says");
  CHECK(error_after([](Parts& p) { p.leaves.push_back(p.leaves[1]); }) ==
        "column of channel 0: not in ascending order");
  CHECK(error_after([](Parts& p) { p.leaves.push_back(p.leaves[2]); }) ==
        "column of channel 2: not in ascending order");
  CHECK(error_after([](Parts& p) { p.frame.sequence = 5; }) ==
        "frame header and header leaf do not say the same");
}

TEST_CASE("reader: columns must fit the schema and the rows") {
  const auto with_last = [](Bytes payload) {
    Parts parts;
    parts.leaves.back().second = std::move(payload);
    return parts.error();
  };
  CHECK(with_last(Parts::column(3, ValueType::i64, {4, 5}, {0, 2})) ==
        "column of channel 3: the schema has no such channel");
  CHECK(with_last(Parts::column(2, ValueType::f64, {4, 5}, {0, 2})) ==
        "column of channel 2: another type than in the schema");
  CHECK(with_last(Parts::column(2, ValueType::i64, {4, 5}, {})) ==
        "column of channel 2: other rows than the window");
  CHECK(with_last(Parts::column(2, ValueType::i64, {4, 5}, {0, 3})) ==
        "column of channel 2: other rows than the window");
  CHECK(with_last(Parts::column(2, ValueType::i64, {4, 5}, {2, 2})) ==
        "rows of a column out of order");
  CHECK(with_last(Parts::column(2, ValueType::i64, {4, 5}, {2, 1})) ==
        "rows of a column out of order");
  CHECK(with_last(Bytes(11)) == "a value column shorter than its head");
  Bytes payload = Parts::column(2, ValueType::i64, {4, 5}, {0, 2});
  const auto with_byte = [&](std::size_t at, std::uint8_t value) {
    Bytes changed = payload;
    changed[at] = value;
    return with_last(changed);
  };
  CHECK(with_byte(4, 5) == "a value column of an unknown kind");
  CHECK(with_byte(5, 200) == "column encoding 200 is not known to this version");
  CHECK(with_byte(6, 9) == "column presence 9 is not known to this version");
  CHECK(with_byte(7, 1) == "a value column of an unknown kind");
  CHECK(with_byte(8, 0) == "a column of 0 values");
  CHECK(with_byte(11, 1) == "a column of 16777218 values");
}

TEST_CASE("reader: a window that would fill the memory is refused before it is decoded") {
  // 4 Mi equal values take 20 bytes, and a hundred such columns 3 GiB.
  Parts parts;
  parts.schema.channels.clear();
  parts.leaves.clear();
  const std::vector<std::int64_t> times(max_window_rows / 2, 7);
  parts.leaves.emplace_back(LeafType::time_column, Parts::times(times));
  const Bytes column =
      Parts::column(0, ValueType::f64, std::vector<std::uint64_t>(times.size(), 1), {});
  CHECK(column.size() == 20);
  for (std::uint32_t i = 0; i < 100; ++i) {
    parts.schema.channels.push_back({"c" + std::to_string(i), ValueType::f64, "", ""});
    parts.leaves.emplace_back(LeafType::value_column, column);
    store_le(parts.leaves.back().second.data(), i);
  }
  parts.header.rows = times.size();
  parts.header.channel_count = 100;
  parts.header.samples = 100 * times.size();
  CHECK(parts.error() == "a window that is too large");
  // A dictionary of one long string for a million rows.
  ColumnInput strings;
  strings.type = ValueType::string;
  const std::string text(1'000'000, 'x');
  std::vector<std::uint64_t> ends;
  std::string all;
  for (std::uint64_t i = 1; i <= 40; ++i) {
    all += text;
    ends.push_back(all.size());
  }
  strings.words = ends;
  strings.text = as_bytes(all);
  ColumnEncoder encoder;
  ColumnMemory memory;
  Buffer out;
  encoder.encode_values(strings, memory, out);
  CHECK(out.size() < 1000);
  const auto decoded = decode_value_column(out.view());
  REQUIRE_FALSE(decoded);
  CHECK(decoded.error().message == "a string column that is too large");
}

TEST_CASE("reader: every prefix of a window, every changed bit, also with its CRC made right") {
  Parts parts;
  const Bytes body = parts.body();
  for (std::size_t size = 0; size < body.size(); ++size) {
    const Bytes prefix(body.begin(), body.begin() + static_cast<std::ptrdiff_t>(size));
    CHECK_FALSE(decode_window(parts.frame, prefix, parts.schema));
  }
  // The seed is covered by the root, not by the columns.
  for (std::size_t i = sizeof(Seed); i < body.size(); ++i) {
    Bytes changed = body;
    changed[i] ^= 0x10;
    CHECK_FALSE(decode_window(parts.frame, changed, parts.schema));
  }
  for (auto& [type, payload] : parts.leaves) {
    for (std::size_t i = 0; i < payload.size(); ++i) {
      for (unsigned bit = 0; bit < 8; ++bit) {
        const std::uint8_t before = payload[i];
        payload[i] = static_cast<std::uint8_t>(before ^ 1U << bit);
        parts.error();  // checks the code of the error, if there is one
        payload[i] = before;
      }
    }
  }
  CHECK(parts.error().empty());
}

TEST_CASE("reader: the channel of a column without decoding it") {
  CHECK(*value_column_channel(Parts::column(2, ValueType::i64, {4, 5}, {})) == 2);
  CHECK_FALSE(value_column_channel(Bytes(5)));
}

TEST_CASE("reader: time columns that cannot be") {
  const auto error = [](const Bytes& payload) {
    return decode_time_column(payload).error().message;
  };
  CHECK(error(Bytes(7)) == "a time column shorter than its head");
  CHECK(error(Bytes{4, 1, 0, 0, 1, 0, 0, 0}) == "a time column of an unknown kind");
  CHECK(error(Bytes{4, 0, 0, 0, 0, 0, 0, 0}) == "a column of 0 values");
  CHECK(error(Bytes{2, 0, 0, 0, 1, 0, 0, 0}) == "column encoding 2 is not known to this version");
  CHECK(error(Bytes{6, 0, 0, 0, 1, 0, 0, 0}) == "a constant column without its value");
}

}  // namespace
}  // namespace twinchain::record
