// A LINK frame: 64 bytes of a frame header (its checksums and sizes are made right), then the body.

#include <algorithm>
#include <cstdint>

#include "require.hpp"
#include "twinchain/chain/link.hpp"

using namespace twinchain;
using namespace twinchain::chain;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView all(data, size);
  const auto alone = parse_link_body(all);
  if (alone) {
    const Bytes again = encode_link_body(*alone);
    require(std::equal(again.begin(), again.end(), all.begin(), all.end()));
  }
  if (size < frame_header_size) return 0;
  const ByteView body = all.subspan(frame_header_size);
  FrameHeader header;
  header.type = static_cast<FrameType>(load_le<std::uint16_t>(&data[4]));
  header.flags = load_le<std::uint16_t>(&data[6]);
  std::copy_n(data + 16, header.source.size(), header.source.begin());
  header.sequence = load_le<std::uint64_t>(&data[32]);
  header.window_start_ns = load_le<std::int64_t>(&data[40]);
  header.window_end_ns = load_le<std::int64_t>(&data[48]);
  set_body(header, body);
  const auto framed = parse_link_frame(header, body);
  if (!framed) return 0;
  // Whatever is accepted is the one frame that would have been written for this link.
  const Bytes again = encode_link_body(*framed);
  require(std::equal(again.begin(), again.end(), body.begin(), body.end()));
  FrameHeader written = link_frame_header(framed->link);
  set_body(written, again);
  require(written == header);
  (void)verify_link_signature(*framed);
  return 0;
}
