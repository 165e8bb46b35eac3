#include "twinchain/crypto/secp256k1.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <cstdio>
#include <thread>

#include "json_vectors.hpp"
#include "twinchain/base/hex.hpp"
#include "twinchain/crypto/sha256.hpp"

using namespace twinchain;

namespace {

constexpr const char* group_order =
    "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";

EcdsaSecretKey key_of(std::uint16_t number) {
  std::array<std::uint8_t, 32> secret{};
  secret[30] = static_cast<std::uint8_t>(number >> 8);
  secret[31] = static_cast<std::uint8_t>(number);
  return *EcdsaSecretKey::from_bytes(secret);
}

Bytes integer(ByteView digits) {
  Bytes out{0x02, static_cast<std::uint8_t>(digits.size())};
  append(out, digits);
  return out;
}
Bytes der(const Bytes& r, const Bytes& s) {
  Bytes out{0x30, static_cast<std::uint8_t>(r.size() + s.size())};
  append(out, r);
  append(out, s);
  return out;
}
/// n - s, for 0 < s < n.
Bytes negated(ByteView s) {
  const Bytes order = *from_hex(group_order);
  Bytes out(32);
  int borrow = 0;
  for (std::size_t i = 32; i-- > 0;) {
    const int digit = order[i] - s[i] - borrow;
    borrow = digit < 0 ? 1 : 0;
    out[i] = static_cast<std::uint8_t>(digit + 256 * borrow);
  }
  return out;
}
/// With a zero before digits that would be a negative number.
Bytes positive(Bytes digits) {
  if ((digits[0] & 0x80) != 0) digits.insert(digits.begin(), 0);
  return digits;
}

/// The uncompressed form of the point 1 G and its hybrid one.
const Bytes uncompressed = *from_hex(
    "0479be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
    "483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8");

}  // namespace

TEST_CASE("secret keys are numbers from 1 to below the group's order") {
  CHECK_FALSE(EcdsaSecretKey::from_bytes({}));
  Hash256 order = *hash_from_hex(group_order);
  CHECK_FALSE(EcdsaSecretKey::from_bytes(order));
  order[31] -= 1;
  CHECK(EcdsaSecretKey::from_bytes(order));
  CHECK(to_hex(key_of(1).public_key()) ==
        "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798");
  CHECK(EcdsaSecretKey::generate().public_key() != EcdsaSecretKey::generate().public_key());
  const EcdsaSecretKey key = EcdsaSecretKey::generate();
  CHECK(is_valid_public_key(key.public_key()));
}

TEST_CASE("signing is RFC 6979 with a low S") {
  // Published for secp256k1 with SHA-256, among others in the tests of python-ecdsa and Trezor.
  const auto signature = [](std::string_view text) {
    return to_hex(key_of(1).sign(sha256(as_bytes(text))));
  };
  CHECK(signature("Satoshi Nakamoto") ==
        "3045022100934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d8"
        "02202442ce9d2b916064108014783e923ec36b49743e2ffa1c4496f01a512aafd9e5");
  CHECK(signature("All those moments will be lost in time, like tears in rain. Time to die...") ==
        "30450221008600dbd41e348fe5c9465ab92d23e3db8b98b873beecd930736488696438cb6b"
        "0220547fe64427496db33bf66019dacbf0039c04199abb0122918601db38a72cfc21");
}

TEST_CASE("a signature verifies with its key in each encoding, and with nothing else") {
  const Hash256 hash = sha256(as_bytes("frame"));
  const Bytes signature = key_of(1).sign(hash);
  Bytes hybrid = uncompressed;
  hybrid[0] = 0x06;  // y is even
  CHECK(verify_ecdsa(key_of(1).public_key(), hash, signature));
  CHECK(verify_ecdsa(uncompressed, hash, signature));
  CHECK(verify_ecdsa(hybrid, hash, signature));
  hybrid[0] = 0x07;
  CHECK_FALSE(verify_ecdsa(hybrid, hash, signature));
  CHECK_FALSE(is_valid_public_key(hybrid));
  CHECK_FALSE(verify_ecdsa(key_of(2).public_key(), hash, signature));
  CHECK_FALSE(verify_ecdsa(key_of(1).public_key(), sha256(as_bytes("other")), signature));
  CHECK_FALSE(verify_ecdsa({}, hash, signature));
  CHECK_FALSE(verify_ecdsa(key_of(1).public_key(), hash, {}));
  Bytes changed = uncompressed;
  changed[64] ^= 1;  // no point of the curve
  CHECK_FALSE(is_valid_public_key(changed));
  for (std::size_t size = 0; size < uncompressed.size(); ++size) {
    CHECK_FALSE(is_valid_public_key(ByteView(uncompressed).first(size)));
  }
  // Each bit counts.
  for (std::size_t bit = 0; bit < 8 * signature.size(); ++bit) {
    Bytes flipped = signature;
    flipped[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    const bool length_of_sequence = bit / 8 == 1;
    // All but the sequence's length, which is not looked at unless it claims to be a long one.
    if (!length_of_sequence) CHECK_FALSE(verify_ecdsa(uncompressed, hash, flipped));
  }
}

TEST_CASE("keys that a thread has seen, and those that share a place with them, are not mistaken") {
  // With 600 keys in 512 places some share one; each is seen twice, and beside a key that is none.
  const Hash256 hash = sha256(as_bytes("frame"));
  std::vector<EcdsaPublicKey> keys;
  std::vector<Bytes> signatures;
  for (std::uint16_t i = 1; i <= 600; ++i) {
    keys.push_back(key_of(i).public_key());
    signatures.push_back(key_of(i).sign(hash));
  }
  bool all_verify = true;
  bool none_other = true;
  for (int round = 0; round < 2; ++round) {
    for (std::size_t i = 0; i < keys.size(); ++i) {
      all_verify = all_verify && verify_ecdsa(keys[i], hash, signatures[i]);
      none_other = none_other && !verify_ecdsa(keys[i], hash, signatures[(i + 1) % keys.size()]);
      EcdsaPublicKey negated = keys[i];  // the same x coordinate, the other y
      negated[0] ^= 1;
      none_other = none_other && !verify_ecdsa(negated, hash, signatures[i]);
      EcdsaPublicKey no_key = keys[i];
      no_key[0] = 0;
      none_other = none_other && !verify_ecdsa(no_key, hash, signatures[i]);
    }
  }
  CHECK(all_verify);
  CHECK(none_other);
  // Nor is a key of zeros what a place holds before there is one: a thread that has seen none.
  bool zeros_verify = true;
  std::thread([&] { zeros_verify = verify_ecdsa(EcdsaPublicKey{}, hash, signatures[0]); }).join();
  CHECK_FALSE(zeros_verify);
}

TEST_CASE("signatures from before BIP 66 are read laxly") {
  const Hash256 hash = sha256(as_bytes("old"));
  const Bytes signature = key_of(1).sign(hash);
  const auto compact = parse_signature_lax(signature);
  REQUIRE(compact);
  const Bytes r(compact->begin(), compact->begin() + 32);
  const Bytes s(compact->begin() + 32, compact->end());
  const auto verifies = [&](const Bytes& form) {
    const auto read = parse_signature_lax(form);
    return read == compact && verify_ecdsa(uncompressed, hash, form);
  };
  CHECK(verifies(signature));
  CHECK(verifies(der(integer(r), integer(s))));  // "negative"
  Bytes zeros(40, 0);
  Bytes padded = zeros;
  append(padded, r);
  CHECK(verifies(der(integer(padded), integer(s))));
  Bytes trailing = signature;
  append(trailing, ByteView(zeros));
  CHECK(verifies(trailing));
  Bytes wrong_length = signature;
  wrong_length[1] = 7;
  CHECK(verifies(wrong_length));
  // Lengths in the long form, with zeros before them.
  Bytes long_form{0x30, 0x83, 0x01, 0x02, 0x03, 0x02, 0x86, 0, 0, 0, 0, 0, 32};
  append(long_form, r);
  append(long_form, integer(s));
  CHECK(verifies(long_form));
  // A length of four digits is not read.
  Bytes too_long{0x30, 0x44, 0x02, 0x84, 1, 0, 0, 32};
  append(too_long, r);
  append(too_long, integer(s));
  CHECK_FALSE(parse_signature_lax(too_long));
  CHECK_FALSE(has_low_s(too_long));
  for (std::size_t size = 0; size < signature.size(); ++size) {
    CHECK_FALSE(parse_signature_lax(ByteView(signature).first(size)));
    CHECK_FALSE(has_low_s(ByteView(signature).first(size)));
  }
}

TEST_CASE("a high S verifies, and is told from a low one") {
  const Hash256 hash = sha256(as_bytes("malleable"));
  const Bytes signature = key_of(1).sign(hash);
  const auto compact = parse_signature_lax(signature);
  REQUIRE(compact);
  const Bytes r = positive(Bytes(compact->begin(), compact->begin() + 32));
  const Bytes high = der(integer(r), integer(positive(negated(ByteView(*compact).last(32)))));
  CHECK(has_low_s(signature));
  CHECK_FALSE(has_low_s(high));
  CHECK(verify_ecdsa(uncompressed, hash, high));
  // Too large to be a signature: as Bitcoin Core, low, but of nobody.
  const Bytes too_large = der(integer(positive(*from_hex(group_order))), integer({{1}}));
  CHECK(has_low_s(too_large));
  CHECK_FALSE(parse_signature_lax(too_large));
  CHECK_FALSE(verify_ecdsa(uncompressed, hash, too_large));
  const Bytes zero = der(integer({{0}}), integer({{0}}));
  CHECK(parse_signature_lax(zero) == std::array<std::uint8_t, 64>{});
  CHECK_FALSE(verify_ecdsa(uncompressed, hash, zero));
}

TEST_CASE("threads sign and verify at once") {
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (std::uint8_t t = 1; t <= 4; ++t) {
    threads.emplace_back([t, &wrong] {
      for (int i = 0; i < 50; ++i) {
        const Hash256 hash = sha256(Bytes{t, static_cast<std::uint8_t>(i)});
        const Bytes signature = key_of(t).sign(hash);
        if (!verify_ecdsa(key_of(t).public_key(), hash, signature)) ++wrong;
        if (verify_ecdsa(key_of(5).public_key(), hash, signature)) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
}

TEST_CASE("Wycheproof: what is valid verifies, wrong numbers do not") {
  const auto vectors =
      test::read_vectors("secp256k1/wycheproof_ecdsa_secp256k1_sha256_bitcoin_test.json");
  if (!vectors) {
    std::puts("SKIPPED: Wycheproof's ECDSA vectors: no TWINCHAIN_SHARED");
    return;
  }
  int valid = 0;
  int wrong_numbers = 0;
  for (const auto& group : vectors->at("testGroups").items) {
    const Bytes key = *from_hex(group.at("publicKey").at("uncompressed").text);
    for (const auto& one : group.at("tests").items) {
      CAPTURE(one.at("tcId").text);
      const Bytes signature = *from_hex(one.at("sig").text);
      const Hash256 hash = sha256(*from_hex(one.at("msg").text));
      const bool verifies = verify_ecdsa(key, hash, signature);
      const auto& flags = one.at("flags");
      if (one.at("result").text == "valid") {
        CHECK(verifies);
        CHECK(has_low_s(signature));
        ++valid;
      } else if (flags.has("InvalidSignature") || flags.has("RangeCheck") ||
                 flags.has("ArithmeticError") || flags.has("IntegerOverflow") ||
                 flags.has("PointDuplication") || flags.has("InvalidTypesInSignature")) {
        // One is wrong only in that its S is just above half of the order.
        CHECK_FALSE((verifies && has_low_s(signature)));
        ++wrong_numbers;
      }
    }
  }
  CHECK(valid == 162);
  CHECK(wrong_numbers > 140);
}
