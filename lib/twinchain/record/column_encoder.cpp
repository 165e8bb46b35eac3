#include "twinchain/record/column_encoder.hpp"

#include <algorithm>

#include "twinchain/record/column_blocks.hpp"
#include "twinchain/record/column_kernels.hpp"

namespace twinchain::record {

struct ColumnEncoder::State {
  BlockWriter blocks;
  std::vector<std::uint64_t> words;
  Bytes bytes;

  void append_plain(std::span<const std::uint64_t> values, Buffer& out) {
    bytes.resize(8 * values.size());
    for (std::size_t i = 0; i < values.size(); ++i) store_le(&bytes[8 * i], values[i]);
    blocks.append_bytes(out, bytes);
  }
  void append_bits(std::span<const std::uint64_t> values, Buffer& out) {
    bytes.assign((values.size() + 7) / 8, 0);
    for (std::size_t i = 0; i < values.size(); ++i) {
      bytes[i / 8] = static_cast<std::uint8_t>(bytes[i / 8] | (values[i] & 1) << (i % 8));
    }
    blocks.append_bytes(out, bytes);
  }
  void append_strings(std::span<const std::uint64_t> ends, ByteView text, Buffer& out) {
    words.resize(ends.size());
    std::uint64_t before = 0;
    for (std::size_t i = 0; i < ends.size(); ++i) {
      words[i] = ends[i] - before;
      before = ends[i];
    }
    blocks.append_integers(out, words);
    blocks.append_bytes(out, text);
  }
};

ColumnEncoder::ColumnEncoder() : state_(std::make_unique<State>()) {}
ColumnEncoder::~ColumnEncoder() = default;
ColumnEncoder::ColumnEncoder(ColumnEncoder&&) noexcept = default;

void ColumnEncoder::encode_times(std::span<const std::int64_t> times_ns, Buffer& out) {
  put_le(out, static_cast<std::uint8_t>(ColumnEncoding::integers));
  put_le(out, std::uint8_t{0});
  put_le(out, std::uint16_t{0});
  put_le(out, static_cast<std::uint32_t>(times_ns.size()));
  state_->words.resize(times_ns.size());
  std::ranges::transform(times_ns, state_->words.begin(),
                         [](std::int64_t time) { return static_cast<std::uint64_t>(time); });
  state_->blocks.append_integers(out, state_->words);
}

void ColumnEncoder::encode_values(const ColumnInput& column, ColumnMemory& /*memory*/,
                                  Buffer& out) {
  const std::size_t at = out.size();
  put_le(out, column.channel);
  put_le(out, static_cast<std::uint8_t>(column.type));
  put_le(out, std::uint8_t{0});
  put_le(out,
         static_cast<std::uint8_t>(column.rows.empty() ? Presence::all_rows : Presence::row_list));
  put_le(out, std::uint8_t{0});
  put_le(out, static_cast<std::uint32_t>(column.words.size()));
  if (!column.rows.empty()) {
    state_->words.assign(column.rows.begin(), column.rows.end());
    state_->blocks.append_integers(out, state_->words);
  }
  ColumnEncoding encoding = ColumnEncoding::plain;
  switch (column.type) {
    case ValueType::f64:
      state_->append_plain(column.words, out);
      break;
    case ValueType::i64:
      encoding = ColumnEncoding::integers;
      state_->blocks.append_integers(out, column.words);
      break;
    case ValueType::boolean:
      encoding = ColumnEncoding::bits;
      state_->append_bits(column.words, out);
      break;
    case ValueType::string:
      state_->append_strings(column.words, column.text, out);
      break;
  }
  out.data()[at + 5] = static_cast<std::uint8_t>(encoding);
}

}  // namespace twinchain::record
