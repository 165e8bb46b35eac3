#include "twinchain/crypto/timestamp_token.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>

#include "../sanitized.hpp"
#include "twinchain/base/hex.hpp"
#include "twinchain/crypto/sha256.hpp"

using namespace twinchain;

namespace {

/// Of an authority whose certificate ended on 2026-11-22 at 22:35:05, 13 seconds after the token.
Bytes golden(const char* name) {
  const char* source = std::getenv("TWINCHAIN_SOURCE");
  REQUIRE_MESSAGE(source != nullptr, "TWINCHAIN_SOURCE names the source folder, as tests/run does");
  std::ifstream file(std::string(source) + "/tests/golden/" + name, std::ios::binary);
  Bytes bytes{std::istreambuf_iterator<char>(file), {}};
  REQUIRE(bytes.size() > 500);
  return bytes;
}

Hash256 asked_digest() {
  Hash256 digest{};
  digest.back() = 1;
  return digest;
}
constexpr TimestampNonce asked_nonce{0xfb, 0xd6, 0xbc, 0xfc, 0x5a, 0x1e, 0x1c, 0x73};

Bytes golden_token() {
  auto token = take_timestamp_response(golden("timestamp.v1.tsr"), asked_digest(), asked_nonce);
  REQUIRE_MESSAGE(token, token.error().message);
  return std::move(*token);
}

TimestampTrust golden_trust() {
  auto trust = TimestampTrust::from_pem(golden("timestamp.v1.ca.pem"));
  REQUIRE(trust);
  return std::move(*trust);
}

}  // namespace

TEST_CASE("time-stamp: a request in DER") {
  // SEQUENCE { 1, SEQUENCE { SEQUENCE { 2.16.840.1.101.3.4.2.1, NULL }, OCTET STRING }, nonce, TRUE
  // }
  CHECK(to_hex(timestamp_request(asked_digest(), asked_nonce)) ==
        "3044020101"
        "3031300d060960864801650304020105000420" +
            to_hex(asked_digest()) +
            "020900fbd6bcfc5a1e1c73"
            "0101ff");
}

TEST_CASE("time-stamp: an answer to another question is refused") {
  const Bytes answer = golden("timestamp.v1.tsr");
  Hash256 other_digest = asked_digest();
  other_digest[0] = 1;
  const auto other = take_timestamp_response(answer, other_digest, asked_nonce);
  REQUIRE_FALSE(other);
  CHECK(other.error().code == ExitCode::refuted);
  CHECK(other.error().message == "time-stamp: the token is of another digest");
  TimestampNonce other_nonce = asked_nonce;
  other_nonce[7] ^= 1;
  const auto replayed = take_timestamp_response(answer, asked_digest(), other_nonce);
  REQUIRE_FALSE(replayed);
  CHECK(replayed.error().message == "time-stamp: the token is the answer to another request");
  for (std::size_t size = 0; size < answer.size(); size += testing::step_if_sanitized(7)) {
    CHECK_FALSE(take_timestamp_response(ByteView(answer).first(size), asked_digest(), asked_nonce));
  }
}

TEST_CASE("time-stamp: checked at its own time, long after the certificate has ended") {
  const Bytes token = golden_token();
  const auto alone = check_timestamp_token(token);
  REQUIRE(alone);
  CHECK(alone->digest == asked_digest());
  CHECK(alone->authority == "CN=Example Authority TSA,O=Example Authority");
  // An accuracy of 1.5 s, and a fraction of a second.
  CHECK(alone->not_after_s - alone->time_s == 3);
  const auto believed = golden_trust().check(token);
  REQUIRE_MESSAGE(believed, believed.error().message);
  CHECK(believed->time_s == alone->time_s);
  CHECK(believed->certificate_sha256 == alone->certificate_sha256);
}

TEST_CASE("time-stamp: no changed, cut or longer token is believed") {
  const Bytes token = golden_token();
  const TimestampTrust trust = golden_trust();
  // The root was taken out: all that is left is signed, or compared.
  for (std::size_t i = 0; i < token.size(); i += testing::step_if_sanitized(5)) {
    for (const int flip : {0x01, 0x80, 0xff}) {
      Bytes changed = token;
      changed[i] = static_cast<std::uint8_t>(changed[i] ^ flip);
      const auto facts = trust.check(changed);
      CHECK_MESSAGE(!facts, "byte ", i, " xor ", flip);
    }
    CHECK_FALSE(trust.check(ByteView(token).first(i)));
  }
  Bytes longer = token;
  longer.push_back(0);
  CHECK_FALSE(trust.check(longer));
  CHECK_FALSE(trust.check({}));
  CHECK_FALSE(trust.check(Bytes(max_timestamp_token_bytes + 1, 0x30)));
}

TEST_CASE("time-stamp: who is not believed") {
  // Another root of the same name: a certificate of its own making.
  constexpr const char* stranger = R"(-----BEGIN CERTIFICATE-----
MIIBhzCCAS6gAwIBAgIUDtjOFlvpZqSgW8KGiK+wtPTjQvcwCgYIKoZIzj0EAwIw
ITEfMB0GA1UEAwwWRXhhbXBsZSBBdXRob3JpdHkgUm9vdDAgFw0yNjExMjIyMjM2
MjZaGA8yMTI2MTAyOTIyMzYyNlowITEfMB0GA1UEAwwWRXhhbXBsZSBBdXRob3Jp
dHkgUm9vdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABO0MOxhRttvQZ7fe47pR
m8Bz1lbY/LyVxMf4BnjQZWvHyguZl3/HOjBM9sGRST52KUSAjmS7keoHOFBYKtDY
xJKjQjBAMA8GA1UdEwEB/wQFMAMBAf8wDgYDVR0PAQH/BAQDAgEGMB0GA1UdDgQW
BBQ3xm7f8RfowqT1gO8L2hLvYZarUzAKBggqhkjOPQQDAgNHADBEAh9gXJmOz70X
FrFA+0Tup6F80p11HW3woWWhA39mgUzIAiEA8wTiDV16T2K7Bp+nxI0aF0zhRnad
Kpey/BuShRzrQQQ=
-----END CERTIFICATE-----
)";
  auto trust = TimestampTrust::from_pem(as_bytes(stranger));
  REQUIRE_MESSAGE(trust, trust.error().message);
  const auto facts = trust->check(golden_token());
  REQUIRE_FALSE(facts);
  CHECK(facts.error().code == ExitCode::unproven);
  CHECK(facts.error().message.starts_with("time-stamp: certificate verify error"));
}

TEST_CASE("time-stamp: files of certificates") {
  CHECK(TimestampTrust::from_pem({}).error().message == "no certificate in it");
  CHECK(TimestampTrust::from_pem(as_bytes("hello")).error().code == ExitCode::usage);
  Bytes pem = golden("timestamp.v1.ca.pem");
  pem[200] = '*';
  const auto broken = TimestampTrust::from_pem(pem);
  REQUIRE_FALSE(broken);
  CHECK(broken.error().code == ExitCode::usage);
  CHECK(broken.error().message.starts_with("certificate cannot be read: "));
}
