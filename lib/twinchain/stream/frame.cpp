#include "twinchain/stream/frame.hpp"

#include <algorithm>
#include <string>

#include "twinchain/base/crc32c.hpp"
#include "twinchain/base/hex.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/crypto/sha256.hpp"

namespace twinchain {

FrameHeaderBytes encode_frame_header(const FrameHeader& header) {
  FrameHeaderBytes bytes{};
  std::copy(frame_magic.begin(), frame_magic.end(), bytes.begin());
  store_le(&bytes[4], static_cast<std::uint16_t>(header.type));
  store_le(&bytes[6], header.flags);
  store_le(&bytes[8], header.body_size);
  store_le(&bytes[12], header.body_crc);
  std::copy(header.source.begin(), header.source.end(), bytes.begin() + 16);
  store_le(&bytes[32], header.sequence);
  store_le(&bytes[40], header.window_start_ns);
  store_le(&bytes[48], header.window_end_ns);
  store_le(&bytes[56], std::uint32_t{0});
  store_le(&bytes[60], crc32c(ByteView(bytes).first(60)));
  return bytes;
}

Result<FrameHeader> parse_frame_header(ByteView bytes) {
  if (!std::equal(frame_magic.begin(), frame_magic.end(), bytes.begin())) {
    return fail(ExitCode::malformed, "no frame header");
  }
  if (load_le<std::uint32_t>(&bytes[60]) != crc32c(bytes.first(60))) {
    return fail(ExitCode::malformed, "header crc mismatch");
  }
  FrameHeader header;
  header.type = static_cast<FrameType>(load_le<std::uint16_t>(&bytes[4]));
  header.flags = load_le<std::uint16_t>(&bytes[6]);
  header.body_size = load_le<std::uint32_t>(&bytes[8]);
  header.body_crc = load_le<std::uint32_t>(&bytes[12]);
  std::copy_n(bytes.begin() + 16, header.source.size(), header.source.begin());
  header.sequence = load_le<std::uint64_t>(&bytes[32]);
  header.window_start_ns = load_le<std::int64_t>(&bytes[40]);
  header.window_end_ns = load_le<std::int64_t>(&bytes[48]);
  if (header.body_size > max_body_size) {
    return fail(ExitCode::malformed, "body of " + decimal(std::uint64_t{header.body_size}) +
                                         " bytes is larger than a frame may be");
  }
  if (load_le<std::uint32_t>(&bytes[56]) != 0) {
    return fail(ExitCode::malformed, "reserved field of the header is not zero");
  }
  if ((header.flags & ~flag_critical) != 0) {
    return fail(ExitCode::malformed, "unknown flags in the header");
  }
  return header;
}

void set_body(FrameHeader& header, ByteView body) {
  header.body_size = static_cast<std::uint32_t>(body.size());
  header.body_crc = crc32c(body);
}

Id128 source_id(std::string_view source_name) {
  const Hash256 hash = sha256(as_bytes(source_name));
  Id128 id{};
  std::copy_n(hash.begin(), id.size(), id.begin());
  return id;
}

Hash256 frame_digest(const FrameHeader& header, ByteView body) {
  const FrameHeaderBytes bytes = encode_frame_header(header);
  return sha256({ByteView(bytes).first(60), body});
}

std::string frame_type_name(FrameType type) {
  switch (type) {
    case FrameType::schema:
      return "SCHEMA";
    case FrameType::data:
      return "DATA";
    case FrameType::reject:
      return "REJECT";
    case FrameType::link:
      return "LINK";
    case FrameType::anchor:
      return "ANCHOR";
    case FrameType::end:
      return "END";
    case FrameType::slice:
      return "SLICE";
    case FrameType::cosignature:
      return "COSIGNATURE";
    case FrameType::evidence:
      return "EVIDENCE";
    case FrameType::network:
      return "NETWORK";
    case FrameType::snapshot:
      return "SNAPSHOT";
    case FrameType::skeleton:
      return "SKELETON";
    case FrameType::block:
      return "BLOCK";
  }
  std::array<std::uint8_t, 2> raw{};
  store_le(raw.data(), static_cast<std::uint16_t>(type));
  std::swap(raw[0], raw[1]);
  std::string text = "type 0x";
  text += to_hex(raw);
  return text;
}

bool is_known_frame_type(FrameType type) {
  return type >= FrameType::schema && type <= FrameType::evidence;
}

}  // namespace twinchain
