#include "twinchain/crypto/ed25519.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdio>

#include "json_vectors.hpp"
#include "twinchain/base/hex.hpp"

using namespace twinchain;

namespace {

template <std::size_t N>
std::array<std::uint8_t, N> array_of(const std::string& hex) {
  const auto bytes = from_hex(hex);
  REQUIRE(bytes);
  REQUIRE(bytes->size() == N);
  std::array<std::uint8_t, N> out{};
  std::copy(bytes->begin(), bytes->end(), out.begin());
  return out;
}

struct Example {
  const char* seed;
  const char* key;
  const char* message;
  const char* signature;
};

// RFC 8032 section 7.1: TEST 1, 2, 3 and SHA(abc).
const Example examples[] = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
     "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
     "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
     "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"},
    {"833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
     "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
     "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
     "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
     "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b589"
     "09351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704"},
};

}  // namespace

TEST_CASE("Ed25519: RFC 8032") {
  for (const Example& example : examples) {
    const SecretKey key = SecretKey::from_seed(array_of<32>(example.seed));
    CHECK(to_hex(key.public_key()) == example.key);
    CHECK(to_hex(key.seed()) == example.seed);
    const Bytes message = *from_hex(example.message);
    const Signature signature = key.sign(message);
    CHECK(to_hex(signature) == example.signature);
    CHECK(verify_signature(key.public_key(), message, signature));
  }
}

TEST_CASE("Ed25519: one changed bit anywhere is refused") {
  const SecretKey key = SecretKey::generate();
  Bytes message = {1, 2, 3, 4};
  const Signature signature = key.sign(message);
  REQUIRE(verify_signature(key.public_key(), message, signature));
  for (std::size_t bit = 0; bit < 512; ++bit) {
    Signature other = signature;
    other[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    CHECK_FALSE(verify_signature(key.public_key(), message, other));
  }
  for (std::size_t bit = 0; bit < 256; ++bit) {
    PublicKey other = key.public_key();
    other[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    CHECK_FALSE(verify_signature(other, message, signature));
  }
  message[2] ^= 0x10;
  CHECK_FALSE(verify_signature(key.public_key(), message, signature));
  CHECK(SecretKey::generate().public_key() != key.public_key());
}

// The rule of ed25519.hpp in the words of the vectors' flags: refused are A and R of small order,
// A and R that are not encoded canonically, and what only the equation with the cofactor accepts
// (a residue of small order). Points with a part of small order are fine as such.
TEST_CASE("Ed25519: CCTV's edge points by the rule of the header") {
  const auto vectors = test::read_vectors("ed25519/cctv_ed25519vectors.json");
  if (!vectors) {
    std::printf("SKIPPED no CCTV Ed25519 vectors under TWINCHAIN_SHARED\n");
    return;
  }
  REQUIRE(vectors->items.size() == 914);
  std::size_t accepted = 0;
  for (const test::Json& vector : vectors->items) {
    const test::Json& flags = vector.at("flags");
    const bool refused = flags.has("low_order_A") || flags.has("low_order_R") ||
                         flags.has("non_canonical_A") || flags.has("non_canonical_R") ||
                         flags.has("low_order_residue");
    const bool valid =
        verify_signature(array_of<32>(vector.at("key").text), as_bytes(vector.at("msg").text),
                         array_of<64>(vector.at("sig").text));
    CHECK_MESSAGE(valid == !refused, "vector " << vector.at("number").text);
    accepted += valid ? 1 : 0;
  }
  CHECK(accepted > 0);
}

TEST_CASE("Ed25519: Wycheproof") {
  const auto vectors = test::read_vectors("ed25519/wycheproof_ed25519_test.json");
  if (!vectors) {
    std::printf("SKIPPED no Wycheproof Ed25519 vectors under TWINCHAIN_SHARED\n");
    return;
  }
  std::size_t count = 0;
  for (const test::Json& group : vectors->at("testGroups").items) {
    const PublicKey key = array_of<32>(group.at("publicKey").at("pk").text);
    for (const test::Json& vector : group.at("tests").items) {
      const auto signature = from_hex(vector.at("sig").text);
      REQUIRE(signature);
      const bool expected = vector.at("result").text == "valid";
      ++count;
      if (signature->size() != sizeof(Signature)) {
        CHECK_FALSE(expected);  // our type has no room for it
        continue;
      }
      CHECK_MESSAGE(verify_signature(key, *from_hex(vector.at("msg").text),
                                     array_of<64>(vector.at("sig").text)) == expected,
                    "test " << vector.at("tcId").text);
    }
  }
  CHECK(count == 151);
}
