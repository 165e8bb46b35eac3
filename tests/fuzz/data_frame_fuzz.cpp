// Bodies of SCHEMA, DATA and REJECT frames: u16 size of a SCHEMA body, that body, a DATA body. The
// CRCs of the leaves and the frame header are made right, as a tamperer would.

#include <cstdint>

#include "require.hpp"
#include "twinchain/base/crc32c.hpp"
#include "twinchain/record/column_reader.hpp"

using namespace twinchain;
using namespace twinchain::record;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView all(data, size);
  const auto rejects = parse_reject_body(all);
  require(!rejects || rejects->size() <= size);
  if (size < 2) return 0;
  const std::size_t schema_size = std::min<std::size_t>(load_le<std::uint16_t>(data), size - 2);
  const auto schema = parse_schema(all.subspan(2, schema_size));
  if (schema) require(encode_schema(*schema).size() == schema_size);
  Bytes body(all.begin() + 2 + static_cast<std::ptrdiff_t>(schema_size), all.end());
  const auto leaves = parse_leaves(body);
  require(frame_root(body).has_value() == leaves.has_value());
  if (!leaves) return 0;
  for (const Leaf& leaf : *leaves) {
    const auto at = static_cast<std::size_t>(leaf.bytes.data() - body.data());
    store_le(&body[at + 8], crc32c(leaf.payload));
  }
  const auto header = parse_data_header(leaves->front().payload);
  if (!header || !schema) return 0;
  FrameHeader frame;
  frame.type = FrameType::data;
  frame.source = header->source;
  frame.sequence = header->sequence;
  frame.window_start_ns = header->window_start_ns;
  frame.window_end_ns = header->window_end_ns;
  const auto window = decode_window(frame, body, *schema);
  if (!window) return 0;
  require(window->times_ns.size() == window->header.rows);
  require(window->columns.size() == window->header.channel_count);
  return 0;
}
