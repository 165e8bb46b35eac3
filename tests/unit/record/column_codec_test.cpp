// Whole columns: what is written is what is read, bit for bit, and nothing that is read crashes.
#include <doctest/doctest.h>

#include "unit/record/column_testing.hpp"

namespace twinchain::record {
namespace {

ColumnEncoding encoding_of(const Bytes& payload) {
  return static_cast<ColumnEncoding>(payload.at(5));
}

void check_words(ValueType type, const std::vector<std::uint64_t>& words, const Bytes& payload) {
  const auto column = decode_value_column(payload);
  if (!column) FAIL(column.error().message);
  CHECK(column->channel == 3);
  CHECK(column->type == type);
  CHECK(column->rows.empty());
  CHECK(column->size() == words.size());
  CHECK(words_of(*column) == words);
  CHECK(payload.size() <= value_column_head_size + 8 * words.size() + 1);
}

Bytes check_f64(const std::vector<double>& values) {
  const auto words = bits_of(values);
  const Bytes payload = encode_column(ValueType::f64, words);
  check_words(ValueType::f64, words, payload);
  return payload;
}

Bytes check_i64(const std::vector<std::int64_t>& values) {
  const std::vector<std::uint64_t> words(values.begin(), values.end());
  const Bytes payload = encode_column(ValueType::i64, words);
  check_words(ValueType::i64, words, payload);
  return payload;
}

std::vector<double> decimals(std::size_t count, double scale, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal;
  std::vector<double> values(count);
  double state = 100;
  for (double& value : values) {
    state += 0.05 * normal(random);
    value = std::round(state * scale) / scale;
  }
  return values;
}

TEST_CASE("column: every bit of an f64 is kept") {
  const auto nasty = nasty_doubles();
  for (const double value : nasty) {
    check_f64({value});
    check_f64(std::vector<double>(100, value));
    check_f64({value, 1.5});
    check_f64({1.5, value, value});
  }
  check_f64(nasty);
  std::vector<double> many;
  for (int i = 0; i < 200; ++i) many.insert(many.end(), nasty.begin(), nasty.end());
  check_f64(many);
}

TEST_CASE("column: decimals are few bytes, and stay so with NaN among them") {
  auto values = decimals(1000, 1000, 1);
  Bytes payload = check_f64(values);
  CHECK(encoding_of(payload) == ColumnEncoding::decimal);
  CHECK(payload.size() < 1200);
  for (std::size_t i = 7; i < values.size(); i += 50) values[i] = std::nan("");
  values[0] = -0.0;
  payload = check_f64(values);
  CHECK(encoding_of(payload) == ColumnEncoding::decimal);
  CHECK(payload.size() < 1500);
}

TEST_CASE("column: values that are no decimals") {
  std::mt19937_64 random(2);
  std::normal_distribution<double> normal;
  std::vector<double> noisy(1000);
  std::vector<double> white(1000);
  std::vector<double> any(1000);
  std::vector<double> singles(1000);
  for (std::size_t i = 0; i < 1000; ++i) {
    noisy[i] = 20 + std::sin(0.01 * static_cast<double>(i)) + 0.001 * normal(random);
    white[i] = normal(random);
    any[i] = std::bit_cast<double>(random());
    singles[i] = static_cast<double>(static_cast<float>(noisy[i]));
  }
  CHECK(check_f64(noisy).size() < 6200);
  CHECK(check_f64(white).size() < 7500);
  CHECK(check_f64(any).size() <= 8013);
  CHECK(check_f64(singles).size() < 2700);
}

TEST_CASE("column: few different values, repeated values, one value") {
  std::mt19937_64 random(3);
  std::vector<double> few(2000);
  std::vector<double> repeated(2000);
  for (std::size_t i = 0; i < few.size(); ++i) {
    few[i] = std::sqrt(static_cast<double>(random() % 5) + 2);
    repeated[i] = std::sin(static_cast<double>(i % 50));
  }
  CHECK(encoding_of(check_f64(few)) == ColumnEncoding::dictionary);
  CHECK(check_f64(few).size() < 900);
  CHECK(check_f64(repeated).size() < 900);
  CHECK(check_f64(std::vector<double>(100'000, 0.1)).size() == value_column_head_size + 8);
}

TEST_CASE("column: sequences of i64") {
  std::vector<std::int64_t> counter;
  std::vector<std::int64_t> far;
  std::vector<std::int64_t> times;
  std::mt19937_64 random(4);
  for (int i = 0; i < 1000; ++i) {
    counter.push_back(123'456'789 + 17 * i);
    far.push_back(static_cast<std::int64_t>(random()));
    times.push_back(1'700'000'000'000'000'000 + std::int64_t{1'000'000} * (10 * i + i % 7));
  }
  CHECK(check_i64(counter).size() < 40);
  CHECK(check_i64(far).size() <= 8013);
  CHECK(check_i64(times).size() < 700);
  using Limits = std::numeric_limits<std::int64_t>;
  check_i64({Limits::min()});
  check_i64({Limits::min(), Limits::max()});
  check_i64({Limits::min(), Limits::max(), 0, -1, 1, Limits::max(), Limits::min()});
  check_i64({0, Limits::min(), 0, Limits::min(), 0});
}

TEST_CASE("column: bools") {
  std::mt19937_64 random(5);
  for (const std::size_t count : {1U, 7U, 8U, 9U, 1000U}) {
    std::vector<std::uint64_t> words(count, 1);
    CHECK(encode_column(ValueType::boolean, words).size() == value_column_head_size + 1);
    check_words(ValueType::boolean, words, encode_column(ValueType::boolean, words));
    for (std::uint64_t& word : words) word = random() % 2;
    check_words(ValueType::boolean, words, encode_column(ValueType::boolean, words));
  }
}

TEST_CASE("column: strings, with and without a dictionary") {
  std::mt19937_64 random(6);
  std::vector<std::string> states;
  std::vector<std::string> texts;
  for (int i = 0; i < 500; ++i) {
    states.push_back(i % 90 < 60 ? "running" : "standing still");
    texts.emplace_back(random() % 40, static_cast<char>(random()));
    texts.back() += std::to_string(random());
  }
  for (const auto& strings :
       {states, texts, std::vector<std::string>{""}, std::vector<std::string>(50),
        std::vector<std::string>{"a", "", std::string(100'000, 'b'), std::string("\0\xff", 2)}}) {
    const Bytes payload = encode_strings(strings);
    const auto column = decode_value_column(payload);
    if (!column) FAIL(column.error().message);
    CHECK(column->string == strings);
  }
  CHECK(encoding_of(encode_strings(states)) == ColumnEncoding::dictionary);
  CHECK(encode_strings(states).size() < 150);
  CHECK(encoding_of(encode_strings(texts)) == ColumnEncoding::plain);
}

TEST_CASE("column: rows of a sparse channel") {
  std::mt19937_64 random(7);
  for (const unsigned gap : {2U, 3U, 10U, 1000U}) {
    std::vector<std::uint32_t> regular;
    std::vector<std::uint32_t> irregular;
    std::vector<std::uint64_t> words;
    std::uint32_t row = 0;
    for (std::uint32_t i = 0; i < 300; ++i) {
      regular.push_back(5 + gap * i);
      row += 1 + static_cast<std::uint32_t>(random() % gap);
      irregular.push_back(row);
      words.push_back(bits_of(0.5 * i));
    }
    for (const auto& rows : {regular, irregular}) {
      const Bytes payload = encode_column(ValueType::f64, words, rows);
      const auto column = decode_value_column(payload);
      REQUIRE(column);
      CHECK(column->rows == rows);
      CHECK(words_of(*column) == words);
    }
    CHECK(encode_column(ValueType::f64, words, regular).size() < 60);
  }
}

TEST_CASE("column: what is remembered of a channel never changes what is read") {
  std::mt19937_64 random(8);
  std::normal_distribution<double> normal;
  ColumnEncoder encoder;
  ColumnMemory memory;
  for (int window = 0; window < 400; ++window) {
    // A channel that changes its nature from time to time, and its length all the time.
    const int nature = window / 20 % 8;
    std::vector<double> values(1 + random() % 700);
    double state = 10;
    for (std::size_t i = 0; i < values.size(); ++i) {
      state += normal(random);
      if (nature == 0) values[i] = std::round(state * 100) / 100;
      if (nature == 1) values[i] = std::round(state * 1e5) / 1e5;
      if (nature == 2) values[i] = state;
      if (nature == 3) values[i] = std::bit_cast<double>(random());
      if (nature == 4) values[i] = std::sqrt(static_cast<double>(random() % 3));
      if (nature == 5) values[i] = random() % 3 == 0 ? std::nan("") : std::round(state);
      if (nature == 6) values[i] = static_cast<double>(window * 1000 + static_cast<int>(i));
      if (nature == 7) values[i] = std::sin(static_cast<double>(i % 20));
    }
    const auto words = bits_of(values);
    check_words(ValueType::f64, words, encode_column(encoder, memory, ValueType::f64, words));
  }
}

TEST_CASE("column: times") {
  std::mt19937_64 random(9);
  for (int round = 0; round < 100; ++round) {
    ColumnEncoder encoder;
    std::vector<std::int64_t> times(1 + random() % 2000);
    std::int64_t time = 1'700'000'000'000'000'000;
    for (std::int64_t& at : times) {
      time += round % 3 == 0 ? 1'000'000 : static_cast<std::int64_t>(random() % 2'000'000);
      at = round % 5 == 0 ? static_cast<std::int64_t>(random()) : time;
    }
    Buffer out;
    encoder.encode_times(times, out);
    const auto back = decode_time_column(out.view());
    REQUIRE(back);
    CHECK(*back == times);
    CHECK(out.size() <= time_column_head_size + 8 * times.size() + 1);
    if (round % 15 == 0) continue;
    if (round % 3 == 0) CHECK(out.size() < 50);
  }
}

/// Columns of all encodings.
std::vector<Bytes> some_columns() {
  std::mt19937_64 random(10);
  std::vector<Bytes> columns;
  auto values = decimals(200, 100, 11);
  values[50] = std::nan("");
  columns.push_back(encode_column(ValueType::f64, bits_of(values)));
  std::vector<std::uint64_t> few(200);
  std::vector<std::uint64_t> any(40);
  std::vector<std::uint64_t> white(300);
  std::vector<std::uint64_t> flags(200);
  std::normal_distribution<double> normal;
  for (auto& word : few) word = bits_of(std::sqrt(static_cast<double>(random() % 4)));
  for (auto& word : any) word = random();
  for (auto& word : white) word = bits_of(normal(random));
  for (auto& word : flags) word = random() % 2;
  std::vector<std::uint32_t> rows;
  for (std::uint32_t i = 0; i < 200; ++i)
    rows.push_back(3 * i + static_cast<std::uint32_t>(random() % 3));
  columns.push_back(encode_column(ValueType::f64, few));
  columns.push_back(encode_column(ValueType::f64, any));
  columns.push_back(encode_column(ValueType::f64, white));
  columns.push_back(encode_column(ValueType::i64, few, rows));
  columns.push_back(encode_column(ValueType::boolean, flags, rows));
  columns.push_back(encode_strings({"a", "bc", "a", "a", "bc", "", "a", "bc"}));
  columns.push_back(encode_strings({"one", "two", "three", std::string(100, 'x'), "four"}));
  return columns;
}

TEST_CASE("column: no prefix is taken for the whole") {
  for (const Bytes& payload : some_columns()) {
    REQUIRE(decode_value_column(payload));
    for (std::size_t size = 0; size < payload.size(); ++size) {
      const Bytes prefix(payload.begin(), payload.begin() + static_cast<std::ptrdiff_t>(size));
      const auto column = decode_value_column(prefix);
      CHECK_FALSE(column);
      if (!column) CHECK(column.error().code == ExitCode::malformed);
    }
    Bytes longer = payload;
    longer.push_back(0);
    CHECK_FALSE(decode_value_column(longer));
  }
}

TEST_CASE("column: a changed byte is an error or gives other values") {
  for (const Bytes& payload : some_columns()) {
    for (std::size_t i = 0; i < payload.size(); ++i) {
      for (unsigned bit = 0; bit < 8; ++bit) {
        Bytes changed = payload;
        changed[i] = static_cast<std::uint8_t>(changed[i] ^ 1U << bit);
        const auto column = decode_value_column(changed);
        if (!column) {
          CHECK(column.error().code == ExitCode::malformed);
        } else {
          CHECK(column->size() <= max_window_rows);
        }
      }
    }
  }
}

}  // namespace
}  // namespace twinchain::record
