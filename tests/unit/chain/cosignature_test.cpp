#include "twinchain/chain/cosignature.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace twinchain;
using namespace twinchain::chain;

namespace {

SecretKey numbered_key(std::uint8_t number) {
  std::array<std::uint8_t, 32> seed{};
  seed.fill(number);
  return SecretKey::from_seed(seed);
}

Link some_link() {
  Link link;
  link.source.fill(7);
  link.record.fill(9);
  link.number = 41;
  link.window_start_ns = 1'000;
  link.window_end_ns = 2'000;
  link.key = numbered_key(1).public_key();
  return link;
}

}  // namespace

TEST_CASE("a counter-signature reads back as it was written") {
  const Link link = some_link();
  const Cosignature made = make_cosignature(link_hash(link), numbered_key(2));
  const Bytes body = encode_cosignature_body(made);
  REQUIRE(body.size() == cosignature_body_size);
  CHECK(load_le<std::uint16_t>(body.data()) == 1);
  CHECK(std::equal(made.link_hash.begin(), made.link_hash.end(), body.begin() + 4));
  CHECK(std::equal(made.key.begin(), made.key.end(), body.begin() + 36));
  CHECK(std::equal(made.signature.begin(), made.signature.end(), body.begin() + 68));

  FrameHeader header = cosignature_frame_header(link);
  CHECK(header.type == FrameType::cosignature);
  CHECK(header.sequence == link.number);
  CHECK(header.source == link.source);
  CHECK(header.window_end_ns == link.window_end_ns);
  set_body(header, body);
  const auto parsed = parse_cosignature_frame(header, body);
  REQUIRE(parsed);
  CHECK(*parsed == made);
  CHECK(verify_cosignature(*parsed));
}

TEST_CASE("every changed bit of a counter-signature is noticed") {
  const Cosignature made = make_cosignature(link_hash(some_link()), numbered_key(2));
  Bytes body = encode_cosignature_body(made);
  for (std::size_t bit = 0; bit < body.size() * 8; ++bit) {
    body[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    const auto parsed = parse_cosignature_body(body);
    CAPTURE(bit);
    CHECK(!(parsed && verify_cosignature(*parsed)));
    body[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
  }
}

TEST_CASE("neither signature of a link passes as the other") {
  Link link = some_link();
  const SecretKey party = numbered_key(2);
  link.key = party.public_key();
  const Hash256 hash = link_hash(link);
  // What the party gave as a counter-signature does not make it the recorder,
  const Cosignature made = make_cosignature(hash, party);
  CHECK(!verify_link_signature({link, made.signature}));
  // nor does what a recorder signed make it a counter-signer.
  const Signature recorded = party.sign(link_signing_message(hash));
  CHECK(verify_link_signature({link, recorded}));
  CHECK(!verify_cosignature({hash, party.public_key(), recorded}));
}

TEST_CASE("a counter-signature of another size, version or frame is refused") {
  const Cosignature made = make_cosignature(link_hash(some_link()), numbered_key(2));
  const Bytes body = encode_cosignature_body(made);
  for (std::size_t size = 0; size < body.size(); ++size) {
    CHECK(!parse_cosignature_body(ByteView(body).first(size)));
  }
  Bytes longer = body;
  longer.push_back(0);
  CHECK(!parse_cosignature_body(longer));

  FrameHeader header = cosignature_frame_header(some_link());
  set_body(header, body);
  CHECK(parse_cosignature_frame(header, body));
  header.flags = flag_critical;
  CHECK(!parse_cosignature_frame(header, body));
  header.flags = 0;
  header.type = FrameType::link;
  CHECK(!parse_cosignature_frame(header, body));
}
