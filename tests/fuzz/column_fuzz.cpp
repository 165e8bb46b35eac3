// The column codec. The first byte says what the others are:
//   0  the payload of a value column     1  the payload of a time column
//   2  values to be written and read back, after a byte of the type and one of the shape

#include <algorithm>
#include <cstdint>

#include "require.hpp"
#include "twinchain/record/column_encoder.hpp"
#include "twinchain/record/column_reader.hpp"

namespace {

using namespace twinchain;
using namespace twinchain::record;

void read_value_column(ByteView bytes) {
  const auto column = decode_value_column(bytes);
  if (!column) return;
  require(*value_column_channel(bytes) == column->channel);
  require(column->size() > 0 && column->size() <= max_window_rows);
  require(column->rows.empty() || column->rows.size() == column->size());
  require(std::ranges::is_sorted(column->rows));
}

void read_time_column(ByteView bytes) {
  const auto times = decode_time_column(bytes);
  require(!times || (!times->empty() && times->size() <= max_window_rows));
}

/// Words of 1 to 8 bytes each, as they are or summed up, or in thousandths, or in the steps of a
/// converter; in two windows, of which the second goes by what the first has chosen.
void round_trip(ByteView bytes) {
  if (bytes.size() < 3) return;
  const auto type = bytes[0] % 2 == 0 ? ValueType::f64 : ValueType::i64;
  const std::size_t width = 1 + bytes[1] % 8;
  const bool summed = (bytes[1] & 8) != 0;
  const bool in_thousandths = (bytes[1] & 16) != 0;
  const bool in_steps = (bytes[1] & 32) != 0;
  bytes = bytes.subspan(2);
  std::vector<std::uint64_t> words;
  std::uint64_t sum = 0;
  for (; bytes.size() >= width; bytes = bytes.subspan(width)) {
    std::uint64_t word = 0;
    for (std::size_t i = 0; i < width; ++i) word |= std::uint64_t{bytes[i]} << (8 * i);
    sum += word;
    if (summed) word = sum;
    if (in_thousandths) word = std::bit_cast<std::uint64_t>(static_cast<double>(word) / 1000);
    if (in_steps) word = std::bit_cast<std::uint64_t>(static_cast<double>(word) * (10.0 / 4095));
    words.push_back(word);
  }
  if (words.empty()) return;
  ColumnEncoder encoder;
  ColumnMemory memory;
  ColumnInput input;
  input.channel = 7;
  input.type = type;
  const std::span all(words);
  for (const auto& part : {all, all.first((all.size() + 1) / 2)}) {
    input.words = part;
    Buffer out;
    encoder.encode_values(input, memory, out);
    require(out.size() <= value_column_head_size + 8 * part.size() + 1);
    const auto column = decode_value_column(out.view());
    require(column && column->size() == part.size());
    for (std::size_t i = 0; i < part.size(); ++i) {
      require(type == ValueType::f64 ? std::bit_cast<std::uint64_t>(column->f64[i]) == part[i]
                                     : static_cast<std::uint64_t>(column->i64[i]) == part[i]);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ByteView bytes(data + 1, size - 1);
  if (data[0] == 0) read_value_column(bytes);
  if (data[0] == 1) read_time_column(bytes);
  if (data[0] == 2) round_trip(bytes);
  return 0;
}
