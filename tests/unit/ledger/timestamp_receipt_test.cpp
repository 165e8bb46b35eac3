#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>

#include "../sanitized.hpp"
#include "twinchain/crypto/merkle.hpp"
#include "twinchain/crypto/timestamp_token.hpp"
#include "twinchain/ledger/receipt.hpp"
#include "twinchain/ledger/timestamp_ledger.hpp"

using namespace twinchain;
using namespace twinchain::ledger;

namespace {

Bytes golden(const char* name) {
  const char* source = std::getenv("TWINCHAIN_SOURCE");
  REQUIRE_MESSAGE(source != nullptr, "TWINCHAIN_SOURCE names the source folder, as tests/run does");
  std::ifstream file(std::string(source) + "/tests/golden/" + name, std::ios::binary);
  return Bytes{std::istreambuf_iterator<char>(file), {}};
}

/// The digest and nonce that the answer in the file is to, see crypto/timestamp_token_test.cpp.
Receipt golden_receipt() {
  Receipt receipt;
  receipt.network_magic = network_by_name("tsa")->magic;
  receipt.link_hash.back() = 1;
  constexpr TimestampNonce nonce{0xfb, 0xd6, 0xbc, 0xfc, 0x5a, 0x1e, 0x1c, 0x73};
  auto token = take_timestamp_response(golden("timestamp.v1.tsr"), receipt.link_hash, nonce);
  REQUIRE_MESSAGE(token, token.error().message);
  receipt.timestamp_token = std::move(*token);
  return receipt;
}

TimestampTrust golden_trust() {
  auto trust = TimestampTrust::from_pem(golden("timestamp.v1.ca.pem"));
  REQUIRE(trust);
  return std::move(*trust);
}

}  // namespace

TEST_CASE("time-stamp receipt: there and back") {
  const Receipt receipt = golden_receipt();
  const Bytes body = encode_receipt(receipt);
  const auto parsed = parse_receipt(body);
  REQUIRE(parsed);
  CHECK(encode_receipt(*parsed) == body);
  CHECK(parsed->timestamp_token == receipt.timestamp_token);
  const auto facts = check_receipt(*parsed);
  REQUIRE_MESSAGE(facts, facts.error().message);
  CHECK(facts->network.name == "tsa");
  CHECK(facts->authority == "CN=Example Authority TSA,O=Example Authority");
  CHECK(facts->block_hash == parsed->block_hash);
  CHECK(facts->height == 0);
}

TEST_CASE("time-stamp receipt: no byte of it can be changed unnoticed") {
  const Receipt receipt = golden_receipt();
  const TimestampTrust trust = golden_trust();
  const Bytes body = encode_receipt(receipt);
  const auto is_proof = [&](const Bytes& bytes) {
    const auto parsed = parse_receipt(bytes);
    return parsed && check_receipt(*parsed) && parsed->link_hash == receipt.link_hash &&
           trust.check(parsed->timestamp_token);
  };
  REQUIRE(is_proof(body));
  for (std::size_t i = 0; i < body.size(); i += twinchain::testing::step_if_sanitized(5)) {
    Bytes changed = body;
    changed[i] ^= 0x10;
    CHECK_MESSAGE(!is_proof(changed), "byte ", i);
    changed.resize(i);
    CHECK_FALSE(is_proof(changed));
  }
  Bytes longer = body;
  longer.push_back(0);
  CHECK_FALSE(is_proof(longer));
}

TEST_CASE("time-stamp receipt: a token proves a fleet, and no member without its path") {
  // The stamped hash is taken as that of a fleet of two, whose root nobody knows: any path fails.
  Receipt receipt = golden_receipt();
  receipt.fleet_size = 2;
  receipt.fleet_path.emplace_back();
  const auto facts = check_receipt(receipt);
  REQUIRE_FALSE(facts);
  CHECK(facts.error().message == "receipt: time-stamp is of another hash");
  receipt.fleet_path.clear();
  CHECK(check_receipt(receipt).error().message ==
        "receipt: fleet path does not fit its index and size");
}

TEST_CASE("time-stamp receipt: a block's network in a time-stamp, and the reverse") {
  Receipt receipt = golden_receipt();
  receipt.network_magic = network_by_name("bitcoin")->magic;
  CHECK(parse_receipt(encode_receipt(receipt)).error().message ==
        "receipt: network is not that of time-stamps");
  Receipt block;
  block.network_magic = network_by_name("tsa")->magic;
  const auto parsed = parse_receipt(encode_receipt(block));
  REQUIRE(parsed);
  CHECK_FALSE(check_receipt(*parsed));
}

TEST_CASE("time-stamp authority: addresses") {
  const auto plain = parse_timestamp_url("http://tsa.example/stamp?policy=1");
  REQUIRE(plain);
  CHECK(plain->host == "tsa.example");
  CHECK(plain->port == "80");
  CHECK(plain->path == "/stamp?policy=1");
  const auto numbers = parse_timestamp_url("http://[::1]:318");
  REQUIRE(numbers);
  CHECK(numbers->host == "::1");
  CHECK(numbers->port == "318");
  CHECK(numbers->path == "/");
  CHECK(parse_timestamp_url("http://[::1]/x")->port == "80");
  for (const char* bad : {"", "tsa.example", "https://tsa.example/", "http://", "http:///x",
                          "http://a:0/", "http://a:99999/", "http://u:p@a/", "http://a/ b",
                          "http://a/\r\nX: y", "http://[::1", "http://a/#b"}) {
    CAPTURE(bad);
    const auto parsed = parse_timestamp_url(bad);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().code == ExitCode::usage);
  }
}
