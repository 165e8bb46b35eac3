#include "twinchain/chain/link.hpp"

#include <algorithm>

#include "twinchain/base/text.hpp"
#include "twinchain/crypto/sha256.hpp"

namespace twinchain::chain {
namespace {

Bytes serialize(const Link& link) {
  Bytes out;
  out.reserve(link_body_size);
  append_le(out, link.version);
  append_le(out, link.flags);
  append_le(out, link.epoch);
  append(out, link.source);
  append(out, link.record);
  append_le(out, link.number);
  append(out, link.previous);
  append(out, link.frame_root);
  append(out, link.history_root);
  append_le(out, link.window_start_ns);
  append_le(out, link.window_end_ns);
  append_le(out, link.samples);
  append_le(out, link.declared_rate_mhz);
  append_le(out, link.wall_ns);
  append_le(out, link.monotonic_ns);
  append(out, link.boot_id);
  append_le(out, link.beacon.network);
  append_le(out, link.beacon.height);
  append(out, link.beacon.block_hash);
  append(out, link.key);
  append(out, link.next_key_hash);
  return out;
}

}  // namespace

LinkBytes encode_link(const Link& link) {
  const Bytes bytes = serialize(link);
  LinkBytes out{};
  std::copy(bytes.begin(), bytes.end(), out.begin());
  return out;
}

Hash256 link_hash(const Link& link) {
  return sha256(ByteView(encode_link(link)));
}

Bytes link_signing_message(const Hash256& link_hash) {
  Bytes message;
  append(message, "twinchain link signature 1\n");
  append(message, link_hash);
  return message;
}

FrameHeader link_frame_header(const Link& link) {
  FrameHeader header;
  header.type = FrameType::link;
  header.source = link.source;
  header.sequence = link.number;
  header.window_start_ns = link.window_start_ns;
  header.window_end_ns = link.window_end_ns;
  return header;
}

Bytes encode_link_body(const SignedLink& link) {
  Bytes body = serialize(link.link);
  append(body, link.signature);
  return body;
}

Result<SignedLink> parse_link_body(ByteView body) {
  if (body.size() != link_body_size) {
    return fail(ExitCode::malformed, "link has " + decimal(std::uint64_t{body.size()}) +
                                         " bytes instead of " +
                                         decimal(std::uint64_t{link_body_size}));
  }
  ByteCursor in(body);
  SignedLink out;
  Link& link = out.link;
  link.version = in.read_le<std::uint16_t>();
  link.flags = in.read_le<std::uint16_t>();
  link.epoch = in.read_le<std::uint32_t>();
  link.source = in.read_array<16>();
  link.record = in.read_array<16>();
  link.number = in.read_le<std::uint64_t>();
  link.previous = in.read_array<32>();
  link.frame_root = in.read_array<32>();
  link.history_root = in.read_array<32>();
  link.window_start_ns = in.read_le<std::int64_t>();
  link.window_end_ns = in.read_le<std::int64_t>();
  link.samples = in.read_le<std::uint64_t>();
  link.declared_rate_mhz = in.read_le<std::uint64_t>();
  link.wall_ns = in.read_le<std::int64_t>();
  link.monotonic_ns = in.read_le<std::uint64_t>();
  link.boot_id = in.read_array<16>();
  link.beacon.network = in.read_le<std::uint32_t>();
  link.beacon.height = in.read_le<std::uint32_t>();
  link.beacon.block_hash = in.read_array<32>();
  link.key = in.read_array<32>();
  link.next_key_hash = in.read_array<32>();
  out.signature = in.read_array<64>();
  if (link.version != link_version) {
    return fail(ExitCode::malformed,
                "link of version " + decimal(std::uint64_t{link.version}) + " is not known");
  }
  if ((link.flags & ~link_lost_window) != 0)
    return fail(ExitCode::malformed, "link has unknown flags");
  return out;
}

Result<SignedLink> parse_link_frame(const FrameHeader& header, ByteView body) {
  auto out = parse_link_body(body);
  if (!out) return out;
  FrameHeader expected = link_frame_header(out->link);
  expected.flags = header.flags & flag_critical;
  expected.body_size = header.body_size;
  expected.body_crc = header.body_crc;
  if (header.flags != 0 || expected != header) {
    return fail(ExitCode::malformed, "frame header and link do not say the same");
  }
  return out;
}

bool verify_link_signature(const SignedLink& link) {
  return verify_signature(link.link.key, link_signing_message(link_hash(link.link)),
                          link.signature);
}

}  // namespace twinchain::chain
