// A COSIGNATURE frame: 64 bytes of a frame header (its checksums and sizes are made right), then
// the body.

#include <algorithm>
#include <cstdint>

#include "require.hpp"
#include "twinchain/chain/cosignature.hpp"

using namespace twinchain;
using namespace twinchain::chain;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView all(data, size);
  const auto alone = parse_cosignature_body(all);
  if (alone) {
    // Whatever is accepted has one form.
    const Bytes again = encode_cosignature_body(*alone);
    require(std::equal(again.begin(), again.end(), all.begin(), all.end()));
    if (verify_cosignature(*alone)) {
      Cosignature other = *alone;
      other.link_hash[0] ^= 1;
      require(!verify_cosignature(other));
    }
  }
  if (size < frame_header_size) return 0;
  const ByteView body = all.subspan(frame_header_size);
  FrameHeader header;
  header.type = static_cast<FrameType>(load_le<std::uint16_t>(&data[4]));
  header.flags = load_le<std::uint16_t>(&data[6]);
  set_body(header, body);
  const auto framed = parse_cosignature_frame(header, body);
  if (!framed) return 0;
  require(header.type == FrameType::cosignature && header.flags == 0);
  require(parse_cosignature_body(body) == *framed);
  return 0;
}
