#include "twinchain/chain/link.hpp"

#include <doctest/doctest.h>

#include "seal_fixture.hpp"
#include "twinchain/base/hex.hpp"
#include "twinchain/crypto/sha256.hpp"

using namespace twinchain;
using namespace twinchain::chain;

namespace {

template <std::size_t N>
std::array<std::uint8_t, N> filled(std::uint8_t first) {
  std::array<std::uint8_t, N> out{};
  for (std::size_t i = 0; i < N; ++i) out[i] = static_cast<std::uint8_t>(first + i);
  return out;
}

/// Every field with a value of its own.
Link example() {
  Link link;
  link.flags = link_lost_window;
  link.epoch = 0x01020304;
  link.source = filled<16>(0x10);
  link.record = filled<16>(0x30);
  link.number = 0x1112131415161718;
  link.previous = filled<32>(0x40);
  link.frame_root = filled<32>(0x60);
  link.history_root = filled<32>(0x80);
  link.window_start_ns = -2;
  link.window_end_ns = 0x2122232425262728;
  link.samples = 0x3132333435363738;
  link.declared_rate_mhz = 0x4142434445464748;
  link.wall_ns = -3;
  link.monotonic_ns = 0x5152535455565758;
  link.boot_id = filled<16>(0xa0);
  link.beacon = {0x61626364, 0x71727374, filled<32>(0xb0)};
  link.key = filled<32>(0xd0);
  link.next_key_hash = filled<32>(0xe0);
  return link;
}

SignedLink signed_example() {
  static const SecretKey key = SecretKey::from_seed(filled<32>(1));
  SignedLink link{example(), {}};
  link.link.key = key.public_key();
  link.signature = key.sign(link_signing_message(link_hash(link.link)));
  return link;
}

}  // namespace

TEST_CASE("link: the bytes of twin-stream(5)") {
  CHECK(to_hex(encode_link(example())) ==
        "01000100"                                                          // version, flags
        "04030201"                                                          // epoch
        "101112131415161718191a1b1c1d1e1f"                                  // source
        "303132333435363738393a3b3c3d3e3f"                                  // record
        "1817161514131211"                                                  // number
        "404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f"  // previous
        "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f"  // frame root
        "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f"  // history root
        "feffffffffffffff"                                                  // window start
        "2827262524232221"                                                  // window end
        "3837363534333231"                                                  // samples
        "4847464544434241"                                                  // declared rate
        "fdffffffffffffff"                                                  // wall clock
        "5857565554535251"                                                  // monotonic clock
        "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf"                                  // boot id
        "6463626174737271"  // beacon: network, height
        "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecf"    // beacon: block
        "d0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeef"    // key
        "e0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");  // next key hash
}

TEST_CASE("link: hash and signed message") {
  const Link link = example();
  const LinkBytes bytes = encode_link(link);
  CHECK(link_hash(link) == sha256(ByteView(bytes)));
  Bytes message;
  append(message, "twinchain link signature 1\n");
  append(message, sha256(ByteView(bytes)));
  CHECK(link_signing_message(link_hash(link)) == message);
}

TEST_CASE("link: a frame comes back as it was") {
  const SignedLink link = signed_example();
  const test::RawFrame frame = test::link_frame(link);
  CHECK(frame.header.type == FrameType::link);
  CHECK(frame.header.flags == 0);
  CHECK(frame.body.size() == link_body_size);
  auto parsed = parse_link_frame(frame.header, frame.body);
  REQUIRE(parsed);
  CHECK(parsed->link == link.link);
  CHECK(parsed->signature == link.signature);
  CHECK(verify_link_signature(*parsed));
}

TEST_CASE("link: any changed byte of the body is a structural fault or a wrong signature") {
  const test::RawFrame frame = test::link_frame(signed_example());
  for (std::size_t at = 0; at < frame.body.size(); ++at) {
    test::RawFrame changed = frame;
    changed.body[at] ^= 0x04;
    set_body(changed.header, changed.body);
    const auto parsed = parse_link_frame(changed.header, changed.body);
    CHECK_MESSAGE((!parsed || !verify_link_signature(*parsed)), "byte " << at);
  }
}

TEST_CASE("link: refusals name their reason") {
  const test::RawFrame frame = test::link_frame(signed_example());
  const auto message_of = [](const FrameHeader& header, ByteView body) {
    const auto parsed = parse_link_frame(header, body);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().code == ExitCode::malformed);
    return parsed.error().message;
  };
  CHECK(message_of(frame.header, ByteView(frame.body).first(375)) ==
        "link has 375 bytes instead of 376");
  Bytes body = frame.body;
  body[0] = 9;
  CHECK(message_of(frame.header, body) == "link of version 9 is not known");
  body = frame.body;
  body[2] = 2;
  CHECK(message_of(frame.header, body) == "link has unknown flags");
  const std::string differs = "frame header and link do not say the same";
  FrameHeader header = frame.header;
  header.sequence ^= 1;
  CHECK(message_of(header, frame.body) == differs);
  header = frame.header;
  header.source[3] ^= 1;
  CHECK(message_of(header, frame.body) == differs);
  header = frame.header;
  ++header.window_start_ns;
  CHECK(message_of(header, frame.body) == differs);
  header = frame.header;
  ++header.window_end_ns;
  CHECK(message_of(header, frame.body) == differs);
  header = frame.header;
  header.flags = flag_critical;
  CHECK(message_of(header, frame.body) == differs);
  header = frame.header;
  header.type = FrameType::data;
  CHECK(message_of(header, frame.body) == differs);
}
