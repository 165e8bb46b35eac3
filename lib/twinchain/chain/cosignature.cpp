#include "twinchain/chain/cosignature.hpp"

#include "twinchain/base/text.hpp"

namespace twinchain::chain {

Bytes cosignature_message(const Hash256& link_hash) {
  Bytes message;
  append(message, "twinchain cosignature 1\n");
  append(message, link_hash);
  return message;
}

Cosignature make_cosignature(const Hash256& link_hash, const SecretKey& key) {
  return {link_hash, key.public_key(), key.sign(cosignature_message(link_hash))};
}

FrameHeader cosignature_frame_header(const Link& link) {
  FrameHeader header = link_frame_header(link);
  header.type = FrameType::cosignature;
  return header;
}

Bytes encode_cosignature_body(const Cosignature& cosignature) {
  Bytes body;
  body.reserve(cosignature_body_size);
  append_le(body, cosignature_version);
  append_le(body, std::uint16_t{0});
  append(body, cosignature.link_hash);
  append(body, cosignature.key);
  append(body, cosignature.signature);
  return body;
}

Result<Cosignature> parse_cosignature_body(ByteView body) {
  if (body.size() != cosignature_body_size) {
    return fail(ExitCode::malformed, "cosignature has " + decimal(std::uint64_t{body.size()}) +
                                         " bytes instead of " +
                                         decimal(std::uint64_t{cosignature_body_size}));
  }
  ByteCursor in(body);
  const auto version = in.read_le<std::uint16_t>();
  if (version != cosignature_version) {
    return fail(ExitCode::malformed,
                "cosignature of version " + decimal(std::uint64_t{version}) + " is not known");
  }
  if (in.read_le<std::uint16_t>() != 0) {
    return fail(ExitCode::malformed, "cosignature has a reserved field that is not zero");
  }
  Cosignature out;
  out.link_hash = in.read_array<32>();
  out.key = in.read_array<32>();
  out.signature = in.read_array<64>();
  return out;
}

Result<Cosignature> parse_cosignature_frame(const FrameHeader& header, ByteView body) {
  if (header.type != FrameType::cosignature || header.flags != 0) {
    return fail(ExitCode::malformed, "frame header is not that of a cosignature");
  }
  return parse_cosignature_body(body);
}

bool verify_cosignature(const Cosignature& cosignature) {
  return verify_signature(cosignature.key, cosignature_message(cosignature.link_hash),
                          cosignature.signature);
}

}  // namespace twinchain::chain
