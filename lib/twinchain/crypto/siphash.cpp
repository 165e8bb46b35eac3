#include "twinchain/crypto/siphash.hpp"

#include <sodium.h>

namespace twinchain {

SipKey sip_key(const Hash256& bytes) {
  return {load_le<std::uint64_t>(bytes.data()), load_le<std::uint64_t>(&bytes[8])};
}

SipKey sip_key(const Id128& bytes) {
  return {load_le<std::uint64_t>(bytes.data()), load_le<std::uint64_t>(&bytes[8])};
}

std::uint64_t siphash24(const SipKey& key, ByteView message) {
  static_assert(crypto_shorthash_siphash24_KEYBYTES == 16);
  static_assert(crypto_shorthash_siphash24_BYTES == 8);
  std::array<std::uint8_t, 16> key_bytes{};
  store_le(key_bytes.data(), key.k0);
  store_le(&key_bytes[8], key.k1);
  std::array<std::uint8_t, 8> hash{};
  // It cannot fail: the return value is zero always.
  crypto_shorthash_siphash24(hash.data(), message.data(), message.size(), key_bytes.data());
  return load_le<std::uint64_t>(hash.data());
}

}  // namespace twinchain
