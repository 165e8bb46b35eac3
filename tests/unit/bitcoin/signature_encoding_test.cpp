#include "twinchain/bitcoin/signature_encoding.hpp"

#include <doctest/doctest.h>

#include <cstdio>

#include "twinchain/base/hex.hpp"
#include "twinchain/crypto/secp256k1.hpp"
#include "twinchain/crypto/sha256.hpp"
#include "unit/crypto/json_vectors.hpp"

using namespace twinchain;
using namespace twinchain::bitcoin;

TEST_CASE("Wycheproof's Bitcoin variant: valid is what is strict, low and verifies") {
  const auto vectors =
      test::read_vectors("secp256k1/wycheproof_ecdsa_secp256k1_sha256_bitcoin_test.json");
  if (!vectors) {
    std::puts("SKIPPED: Wycheproof's ECDSA vectors: no TWINCHAIN_SHARED");
    return;
  }
  int judged = 0;
  for (const auto& group : vectors->at("testGroups").items) {
    const Bytes key = *from_hex(group.at("publicKey").at("uncompressed").text);
    for (const auto& one : group.at("tests").items) {
      CAPTURE(one.at("tcId").text);
      CAPTURE(one.at("comment").text);
      const Bytes der = *from_hex(one.at("sig").text);
      Bytes signature = der;
      signature.push_back(sighash_all);
      const bool valid =
          check_signature_encoding(signature, verify_low_s | verify_strictenc) == ScriptError::OK &&
          is_strict_der(signature) && verify_ecdsa(key, sha256(*from_hex(one.at("msg").text)), der);
      CHECK(valid == (one.at("result").text == "valid"));
      ++judged;
    }
  }
  CHECK(judged == 463);
}

TEST_CASE("strict DER, each rule alone") {
  const auto strict = [](const char* hex) { return is_strict_der(*from_hex(hex)); };
  CHECK(strict("300602010102010101"));
  CHECK(
      strict("300702020080020101"
             "01"));
  CHECK_FALSE(strict(""));
  CHECK_FALSE(strict("3006020101020101"));      // no hash type
  CHECK_FALSE(strict("310602010102010101"));    // no sequence
  CHECK_FALSE(strict("300702010102010101"));    // its length
  CHECK_FALSE(strict("300603010102010101"));    // no integer
  CHECK_FALSE(strict("300602010103010101"));    // nor the second
  CHECK_FALSE(strict("300602000202010101"));    // empty
  CHECK_FALSE(strict("300602018102010101"));    // negative
  CHECK_FALSE(strict("300602010102018101"));    // the second
  CHECK_FALSE(strict("30070202000102010101"));  // a zero too many
  CHECK_FALSE(strict("30070201010202000101"));  // in the second
  CHECK_FALSE(strict("30070201010201010001"));  // something behind
  CHECK_FALSE(strict("300602040102010101"));    // reaches into the second
  Bytes longest{0x30, 70, 2, 33, 0, 0x80};
  longest.resize(4 + 33, 1);
  append(longest, Bytes{2, 33, 0, 0x80});
  longest.resize(2 + 70, 1);
  longest.push_back(1);
  CHECK(longest.size() == 73);
  CHECK(is_strict_der(longest));
}

TEST_CASE("flags say what an encoding must be") {
  const Bytes strict = *from_hex("300602010102010101");
  const Bytes lax = *from_hex("30070202000102010101");
  CHECK(check_signature_encoding({}, verify_all) == ScriptError::OK);
  CHECK(check_signature_encoding(strict, verify_all) == ScriptError::OK);
  CHECK(check_signature_encoding(lax, verify_none) == ScriptError::OK);
  for (const ScriptFlags flag : {verify_dersig, verify_low_s, verify_strictenc}) {
    CHECK(check_signature_encoding(lax, flag) == ScriptError::SIG_DER);
  }
  Bytes typed = strict;
  for (int type = 0; type < 256; ++type) {
    typed.back() = static_cast<std::uint8_t>(type);
    const bool defined = (type >= 1 && type <= 3) || (type >= 0x81 && type <= 0x83);
    CHECK((check_signature_encoding(typed, verify_strictenc) == ScriptError::OK) == defined);
    CHECK(check_signature_encoding(typed, verify_dersig) == ScriptError::OK);
  }
}

TEST_CASE("public keys: which forms STRICTENC lets through") {
  for (int first = 0; first < 256; ++first) {
    for (const std::size_t size : {0U, 1U, 32U, 33U, 34U, 64U, 65U, 66U}) {
      Bytes key(size, 1);
      if (size > 0) key[0] = static_cast<std::uint8_t>(first);
      const bool common = (size == 33 && (first == 2 || first == 3)) || (size == 65 && first == 4);
      CHECK(is_common_public_key(key) == common);
      CHECK((check_public_key_encoding(key, verify_strictenc) == ScriptError::OK) == common);
      CHECK(check_public_key_encoding(key, verify_all & ~verify_strictenc) == ScriptError::OK);
    }
  }
}
