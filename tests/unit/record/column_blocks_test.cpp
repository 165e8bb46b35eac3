#include "twinchain/record/column_blocks.hpp"

#include "twinchain/base/hex.hpp"
#include "twinchain/record/column_choice.hpp"
#include "unit/record/column_testing.hpp"

namespace twinchain::record {
namespace {

void check_integers(const std::vector<std::uint64_t>& words, const IntegerPlan& plan) {
  BlockWriter writer;
  Buffer out;
  writer.append_integers(out, words, plan);
  BlockReader reader(out.view());
  std::vector<std::uint64_t> back(words.size(), 77);
  const auto status = reader.read_integers(back);
  if (!status) FAIL(status.error().message);
  CHECK(reader.finish());
  CHECK(back == words);
}

TEST_CASE("integer block: any plan gives the same numbers back") {
  std::mt19937_64 random(1);
  for (const unsigned width : {0U, 1U, 7U, 8U, 30U, 63U, 64U}) {
    for (const std::size_t count : {1U, 2U, 3U, 40U, 300U}) {
      std::vector<std::uint64_t> words(count);
      for (std::uint64_t& word : words) {
        word = width == 0 ? 5 : (random() >> (64 - width)) - (std::uint64_t{1} << (width - 1));
      }
      for (std::uint8_t order = 0; order <= 2; ++order) {
        for (const bool rice : {false, true}) {
          check_integers(words, {order, true, rice, false, 0, 1});
          check_integers(words, {order, false, rice, true, 0, 1});
          check_integers(words, {order, false, rice, false, 0xff, 1});
          check_integers(words, {order, true, rice, false, 0xff, 1'000'000});
        }
      }
    }
  }
}

TEST_CASE("integer block: numbers with a common factor, and one without it") {
  std::vector<std::uint64_t> words;
  for (std::uint64_t i = 0; i < 500; ++i) words.push_back(123 + 1'000'000 * (i * i % 70));
  ColumnChooser chooser;
  const auto choice = chooser.choose_integers(words);
  CHECK(choice.plan.factor % 1'000'000 == 0);
  check_integers(words, choice.plan);
  words[499] += 1;
  check_integers(words, choice.plan);
}

TEST_CASE("integer block: the bytes of the specification") {
  BlockWriter writer;
  Buffer out;
  // 10, 20, 30, 40: order 1, zigzag; first value 10, base 10, factor 1, no planes.
  writer.append_integers(out, std::vector<std::uint64_t>{10, 20, 30, 40},
                         {1, true, true, false, 0, 1});
  CHECK(to_hex(out.view()) ==
        "05"
        "14"
        "14"
        "01"
        "0000");
  out.clear();
  // 7, 6, 9 as planes: the base is the mean, 7; residuals 0, -1, 2 become 0, 1, 4.
  writer.append_integers(out, std::vector<std::uint64_t>{7, 6, 9}, {0, true, false, false, 0, 1});
  CHECK(to_hex(out.view()) ==
        "04"
        "0e"
        "01"
        "0200"
        "000104");
}

std::string integer_error(const std::string& hex, std::size_t count) {
  const Bytes bytes = *from_hex(hex);
  BlockReader reader(bytes);
  std::vector<std::uint64_t> words(count);
  const auto status = reader.read_integers(words);
  if (!status) {
    CHECK(status.error().code == ExitCode::malformed);
    return status.error().message;
  }
  const auto rest = reader.finish();
  return rest ? "" : rest.error().message;
}

TEST_CASE("integer block: malformed ones say what is wrong") {
  CHECK(integer_error("040e010200000104", 3).empty());
  CHECK(integer_error("", 3) == "column cut short at its byte 0");
  CHECK(integer_error("14", 3) == "an integer block of an unknown kind");
  CHECK(integer_error("07", 3) == "an integer block of an unknown kind");
  CHECK(integer_error("051414010000", 1) == "an integer block with more first values than values");
  CHECK(integer_error("040e000200000104", 3) == "an integer block with the factor 0");
  CHECK(integer_error("048000010200000104", 3) == "a malformed number in a column");
  CHECK(integer_error("04ffffffffffffffffff02010200000104", 3) == "a malformed number in a column");
  CHECK(integer_error("040e0102000001", 3) == "column cut short at its byte 5");
  CHECK(integer_error("040e01020000010400", 3) == "a column has the wrong size");
  CHECK(integer_error("040e01030005", 3) == "column cut short at its byte 6");
  CHECK(integer_error("040e010300022345", 3) == "a zstd frame of the wrong size in a column");
  CHECK(integer_error("0c0e0142", 3) == "a malformed integer block");
}

TEST_CASE("byte block: all kinds come back") {
  std::mt19937_64 random(3);
  BlockWriter writer;
  std::vector<Bytes> blocks{Bytes{}, Bytes(1), Bytes(500), Bytes(500, 7), Bytes(500)};
  for (std::uint8_t& byte : blocks.back()) byte = static_cast<std::uint8_t>(random());
  blocks.push_back(Bytes(5000));
  for (std::size_t i = 0; i < 5000; ++i) blocks.back()[i] = static_cast<std::uint8_t>(i % 19);
  const std::vector<std::size_t> sizes{1, 1, 1, 2, 501};
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    Buffer out;
    writer.append_bytes(out, blocks[i]);
    if (i < sizes.size()) CHECK(out.size() == sizes[i]);
    if (i == 5) CHECK(out.size() < 100);
    BlockReader reader(out.view());
    Bytes back(blocks[i].size(), 99);
    REQUIRE(reader.read_bytes(back));
    CHECK(reader.finish());
    CHECK(back == blocks[i]);
  }
}

TEST_CASE("byte block: nothing hides behind or in a zstd frame") {
  BlockWriter writer;
  Bytes bytes(1000);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i % 19);
  Buffer out;
  writer.append_bytes(out, bytes);
  const Bytes good(out.view().begin(), out.view().end());
  REQUIRE(good[0] == static_cast<std::uint8_t>(BlockKind::zstd));
  REQUIRE(good[1] < 0x7f);
  const auto error = [](const Bytes& block, std::size_t size) {
    BlockReader reader(block);
    Bytes back(size);
    const auto status = reader.read_bytes(back);
    return status ? std::string() : status.error().message;
  };
  CHECK(error(good, 1000).empty());
  CHECK(error(good, 999) == "a zstd frame of the wrong size in a column");
  CHECK(error(good, 1001) == "a zstd frame of the wrong size in a column");
  Bytes trailing = good;
  trailing[1] = static_cast<std::uint8_t>(trailing[1] + 1);
  trailing.push_back(0);
  CHECK(error(trailing, 1000) == "a zstd frame of the wrong size in a column");
  Bytes damaged = good;
  damaged.back() ^= 0xff;
  CHECK_FALSE(error(damaged, 1000).empty());
}

}  // namespace
}  // namespace twinchain::record
