#include "twinchain/ledger/ots.hpp"

#include <doctest/doctest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

#include "twinchain/base/hex.hpp"
#include "twinchain/crypto/sha256.hpp"

using namespace twinchain;
using namespace twinchain::ledger;

namespace {

std::filesystem::path vectors() {
  const char* shared = std::getenv("TWINCHAIN_SHARED");
  return std::filesystem::path(shared != nullptr ? shared : "../shared") / "vectors/opentimestamps";
}

bool have_vectors() {
  if (std::filesystem::is_directory(vectors())) return true;
  std::printf("SKIPPED no OpenTimestamps vectors under TWINCHAIN_SHARED\n");
  return false;
}

Bytes read_vector(const std::string& name) {
  std::ifstream in(vectors() / name, std::ios::binary);
  REQUIRE(in);
  const std::string text(std::istreambuf_iterator<char>(in), {});
  return Bytes(text.begin(), text.end());
}

Hash256 merkle_root_of(std::string_view header_hex) {
  const auto header = from_hex(header_hex);
  REQUIRE(header);
  Hash256 root{};
  std::copy_n(header->begin() + 36, root.size(), root.begin());
  return root;
}

const char* const header_358391 =
    "02000000b96394585a281b7e5f438fd1c9ed492645a1fd61cb380204000000000000000000"
    "7ee445d23ad061af4a36b809501fab1ac4f2d7e7a739817dd0cbb7ec661b8a1e376755f58616186272def6";

using Kind = OtsAttestation::Kind;

/// SHA-256 of "abc", hashed again, in a Bitcoin block.
Bytes small_proof() {
  OtsProof proof;
  const Hash256 digest = sha256(as_bytes("abc"));
  proof.digest.assign(digest.begin(), digest.end());
  OtsItem attestation;
  attestation.is_attestation = true;
  attestation.attestation.tag = {0x05, 0x88, 0x96, 0x0d, 0x73, 0xd7, 0x19, 0x01};
  attestation.attestation.payload = {0x80, 0x01};
  OtsItem hash;
  hash.next = {attestation};
  proof.items = {hash};
  return serialize_ots(proof);
}

std::string error_of(const Bytes& file) {
  const auto proof = parse_ots(file);
  return proof ? "" : proof.error().message;
}

}  // namespace

TEST_CASE("ots: the published examples are read, written back byte for byte, and in order") {
  if (!have_vectors()) return;
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(vectors())) {
    if (entry.path().extension() != ".ots") continue;
    CAPTURE(entry.path().string());
    const std::string name = entry.path().filename().string();
    const Bytes file = read_vector(name);
    auto proof = parse_ots(file);
    REQUIRE(proof);
    CHECK(serialize_ots(*proof) == file);
    sort_ots(*proof);
    CHECK(serialize_ots(*proof) == file);
    CHECK(ots_is_of(*proof, read_vector(entry.path().stem().string())));
    CHECK_FALSE(ots_is_of(*proof, as_bytes("something else")));
    ++count;
  }
  CHECK(count == 6);
}

TEST_CASE("ots: the published examples claim what they are said to claim") {
  if (!have_vectors()) return;
  struct Claims {
    std::multimap<Kind, std::uint64_t> heights;
    bool in_358391 = false;
  };
  const auto claims = [](const char* name) {
    const auto proof = parse_ots(read_vector(name));
    REQUIRE(proof);
    Claims out;
    for_each_attestation(*proof, [&](const OtsAttestation& attestation, ByteView message) {
      out.heights.emplace(attestation.kind, attestation.height);
      const bool root = ots_message_is_root(message, merkle_root_of(header_358391));
      if (attestation.kind == Kind::bitcoin && attestation.height == 358'391) out.in_358391 |= root;
    });
    return out;
  };
  const auto has = [](const Claims& found, Kind kind, std::uint64_t height) {
    const auto [first, last] = found.heights.equal_range(kind);
    return std::any_of(first, last, [&](const auto& one) { return one.second == height; });
  };
  const Claims hello = claims("hello-world.txt.ots");
  CHECK(has(hello, Kind::bitcoin, 358'391));
  CHECK(hello.in_358391);
  const Claims bad = claims("bad-stamp.txt.ots");
  CHECK(has(bad, Kind::bitcoin, 358'391));
  CHECK_FALSE(bad.in_358391);
  CHECK(has(claims("different-blockchains.txt.ots"), Kind::bitcoin, 455'605));
  CHECK(has(claims("empty.ots"), Kind::bitcoin, 129'405));
  for (const char* name : {"incomplete.txt.ots", "known-and-unknown-notary.txt.ots"}) {
    const Claims found = claims(name);
    CHECK_FALSE(found.heights.empty());
    for (const Kind kind : {Kind::bitcoin, Kind::litecoin, Kind::ethereum}) {
      CHECK(found.heights.count(kind) == 0);
    }
  }
}

TEST_CASE("ots: the published invalid files are not read") {
  if (!have_vectors()) return;
  CHECK(error_of(read_vector("invalid/bad-major-version.ots")).find("version") !=
        std::string::npos);
  CHECK(error_of(read_vector("invalid/exceeds-max-msg-length.ots")).find("longer than 4096") !=
        std::string::npos);
  CHECK(error_of(read_vector("invalid/invalid-file-digest-type.ots")).find("hash") !=
        std::string::npos);
}

TEST_CASE("ots: whatever is changed, cut or added, nothing goes wrong and nothing is proven") {
  const Bytes file = small_proof();
  const auto proof = parse_ots(file);
  REQUIRE(proof);
  Hash256 root{};
  for_each_attestation(*proof, [&](const OtsAttestation& attestation, ByteView message) {
    CHECK(attestation.kind == Kind::bitcoin);
    CHECK(attestation.height == 128);
    std::copy(message.begin(), message.end(), root.begin());
  });
  CHECK(root == sha256(ByteView(sha256(as_bytes("abc")))));
  for (std::size_t size = 0; size < file.size(); ++size) {
    CHECK_FALSE(parse_ots(ByteView(file).first(size)));
  }
  Bytes longer = file;
  longer.push_back(0);
  CHECK(error_of(longer) == "ots: byte 78: bytes after the end of the proof");
  for (std::size_t bit = 0; bit < file.size() * 8; ++bit) {
    Bytes changed = file;
    changed[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    const auto other = parse_ots(changed);
    if (!other) continue;
    CHECK(serialize_ots(*other) == changed);
    for_each_attestation(*other, [&](const OtsAttestation& attestation, ByteView message) {
      const bool same_claim = attestation.kind == Kind::bitcoin && attestation.height == 128;
      CHECK_FALSE(
          (same_claim && ots_is_of(*other, as_bytes("abc")) && ots_message_is_root(message, root)));
    });
  }
}

TEST_CASE("ots: limits") {
  const Bytes file = small_proof();
  const std::size_t operation_at = 31 + 1 + 1 + 32;
  const ByteView head = ByteView(file).first(operation_at);
  const ByteView tail = ByteView(file).subspan(operation_at);
  const auto with = [&](const Bytes& middle) {
    Bytes made(head.begin(), head.end());
    append(made, middle);
    append(made, tail);
    return made;
  };
  CHECK(parse_ots(with(Bytes(200, 0xf2))));
  CHECK(error_of(with(Bytes(256, 0xf2))).find("256 deep") != std::string::npos);
  CHECK(error_of(with({0xf0, 0x00})).find("0 bytes") != std::string::npos);
  CHECK(error_of(with({0xf0, 0x81, 0x20})).find("4097 bytes") != std::string::npos);
  CHECK(error_of(with({0x07})).find("operation 0x07 is not known") != std::string::npos);
  CHECK(error_of(with(Bytes(8, 0xf3))).find("longer than 4096") != std::string::npos);
  // An integer that does not fit into 64 bits.
  CHECK_FALSE(parse_ots(with({0xf0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02})));
  CHECK_FALSE(parse_ots(Bytes(max_ots_file_bytes + 1)));
  // A fork at every byte, each hashing 4096 bytes again.
  Bytes wide = {0xf0, 0xe0, 0x1f};
  wide.resize(wide.size() + 4064);
  for (int i = 0; i < 20'000; ++i) {
    wide.insert(wide.end(), {0xff, 0xf2, 0x08, 0x00});
    append(wide, std::array<std::uint8_t, 9>{});
  }
  CHECK(error_of(with(wide)).find("more to compute") != std::string::npos);
}
