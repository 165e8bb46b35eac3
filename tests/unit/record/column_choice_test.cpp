#include "twinchain/record/column_choice.hpp"

#include "unit/record/column_testing.hpp"

namespace twinchain::record {
namespace {

TEST_CASE("choice: the plan that is chosen fits the integers") {
  std::mt19937_64 random(2);
  std::vector<std::uint64_t> noise(1000);
  std::vector<std::uint64_t> walk(1000);
  std::vector<std::uint64_t> curve(1000);
  std::vector<std::uint64_t> steps(1000);
  std::uint64_t state = 1'000'000;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    noise[i] = 5000 + random() % 100;
    walk[i] = state += random() % 100;
    curve[i] = i * i * 1000 + random() % 10;
    steps[i] = i % 200 < 3 ? random() % 1000 : 0;
  }
  ColumnChooser chooser;
  CHECK(chooser.choose_integers(noise).plan.order == 0);
  CHECK(chooser.choose_integers(noise).plan.rice);
  CHECK(chooser.choose_integers(walk).plan.order == 1);
  CHECK(chooser.choose_integers(curve).plan.order == 2);
  CHECK_FALSE(chooser.choose_integers(steps).plan.rice);
  BlockWriter writer;
  for (const auto* words : {&noise, &walk, &curve}) {
    const auto choice = chooser.choose_integers(*words);
    Buffer out;
    writer.append_integers(out, *words, choice.plan);
    CHECK(static_cast<double>(out.size()) ==
          doctest::Approx(choice.bytes_per_value * 1000).epsilon(0.08));
  }
}

ColumnChoice choose(const std::vector<double>& values) {
  ColumnChooser chooser;
  return chooser.choose_words(bits_of(values), true, true);
}

TEST_CASE("choice: the encoding that fits the values") {
  std::mt19937_64 random(3);
  std::normal_distribution<double> normal;
  std::vector<double> tenths(1000);
  std::vector<double> steps(1000);
  std::vector<double> near(1000);
  std::vector<double> white(1000);
  std::vector<double> few(1000);
  std::vector<double> any(1000);
  std::vector<double> repeated(1000);
  for (std::size_t i = 0; i < 1000; ++i) {
    tenths[i] = static_cast<double>(random() % 1000) / 10;
    steps[i] = static_cast<double>(random() % 4096) * (5.0 / 4096 / 1.7);
    near[i] = 20 + 0.01 * normal(random);
    white[i] = normal(random);
    few[i] = std::sqrt(static_cast<double>(random() % 5) + 2);
    any[i] = std::bit_cast<double>(random());
    repeated[i] = i < 300 ? any[i] : repeated[i - 300];
  }
  CHECK(choose(tenths).encoding == ColumnEncoding::decimal);
  CHECK(choose(tenths).digits == 1);
  CHECK(choose(steps).encoding == ColumnEncoding::scaled);
  CHECK(choose(steps).scale == doctest::Approx(5.0 / 4096 / 1.7).epsilon(1e-15));
  CHECK(choose(steps).bytes_per_value < 1.7);
  CHECK(choose(near).encoding == ColumnEncoding::integers);
  CHECK(choose(near).bytes_per_value < 6);
  CHECK(choose(white).encoding == ColumnEncoding::rotated);
  CHECK(choose(white).bytes_per_value < 7.1);
  CHECK(choose(few).encoding == ColumnEncoding::dictionary);
  CHECK(choose(any).encoding == ColumnEncoding::plain);
  CHECK(choose(any).plan.zstd_planes == 0);
  CHECK(choose(repeated).encoding == ColumnEncoding::plain);
  CHECK(choose(repeated).plan.zstd_planes != 0);
}

TEST_CASE("choice: digits of decimals") {
  std::vector<double> values;
  for (int i = 0; i < 400; ++i) values.push_back(i / 100.0);
  CHECK(find_digits(bits_of(values)) == 2);
  values[100] = std::nan("");
  CHECK(find_digits(bits_of(values)) == 2);
  CHECK(find_digits(bits_of(std::vector<double>{1.5, 2.25, 1e15})) == 2);
  CHECK(find_digits(bits_of(std::vector<double>{3, 4, 5})) == 0);
  for (double& value : values) value = std::sqrt(value + 2);
  CHECK_FALSE(find_digits(bits_of(values)));
}

}  // namespace
}  // namespace twinchain::record
