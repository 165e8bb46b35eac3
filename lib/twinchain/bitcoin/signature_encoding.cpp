#include "twinchain/bitcoin/signature_encoding.hpp"

#include "twinchain/crypto/secp256k1.hpp"

namespace twinchain::bitcoin {
namespace {

/// Takes an INTEGER from the front: positive, not empty, no byte more than it needs.
bool take_strict_integer(ByteView& bytes) {
  if (bytes.size() < 2 || bytes[0] != 0x02) return false;
  const std::size_t size = bytes[1];
  if (size == 0 || size > bytes.size() - 2) return false;
  const ByteView digits = bytes.subspan(2, size);
  if ((digits[0] & 0x80) != 0) return false;
  if (size > 1 && digits[0] == 0 && (digits[1] & 0x80) == 0) return false;
  bytes = bytes.subspan(2 + size);
  return true;
}

bool is_defined_hash_type(std::uint8_t type) {
  const int covered = type & ~sighash_anyone_can_pay;
  return covered >= sighash_all && covered <= sighash_single;
}

}  // namespace

bool is_strict_der(ByteView signature) {
  // Two integers of 1 to 33 bytes with two bytes before each, two before both, one behind.
  if (signature.size() < 9 || signature.size() > 73) return false;
  if (signature[0] != 0x30 || signature[1] != signature.size() - 3) return false;
  ByteView integers = signature.subspan(2, signature.size() - 3);
  if (!take_strict_integer(integers)) return false;  // R
  return take_strict_integer(integers) && integers.empty();
}

bool is_common_public_key(ByteView public_key) {
  if (public_key.empty()) return false;
  if (public_key[0] == 0x04) return public_key.size() == 65;
  return (public_key[0] == 0x02 || public_key[0] == 0x03) && public_key.size() == 33;
}

ScriptError check_signature_encoding(ByteView signature, ScriptFlags flags) {
  if (signature.empty()) return ScriptError::OK;
  constexpr ScriptFlags want_der = verify_dersig | verify_low_s | verify_strictenc;
  if ((flags & want_der) != 0 && !is_strict_der(signature)) return ScriptError::SIG_DER;
  if ((flags & verify_low_s) != 0 && !has_low_s(signature.first(signature.size() - 1))) {
    return ScriptError::SIG_HIGH_S;
  }
  if ((flags & verify_strictenc) != 0 && !is_defined_hash_type(signature.back())) {
    return ScriptError::SIG_HASHTYPE;
  }
  return ScriptError::OK;
}

ScriptError check_public_key_encoding(ByteView public_key, ScriptFlags flags) {
  if ((flags & verify_strictenc) != 0 && !is_common_public_key(public_key)) {
    return ScriptError::PUBKEYTYPE;
  }
  return ScriptError::OK;
}

}  // namespace twinchain::bitcoin
