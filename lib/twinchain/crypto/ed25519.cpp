#include "twinchain/crypto/ed25519.hpp"

#include <sodium.h>

#include <algorithm>
#include <cstdlib>

#include "twinchain/crypto/sha256.hpp"

namespace twinchain {
namespace {

void initialise() {
  static const bool ready = sodium_init() >= 0;
  if (!ready) std::abort();
}

}  // namespace

SecretKey SecretKey::generate() {
  auto seed = random_array<32>();
  SecretKey key = from_seed(seed);
  wipe(seed);
  return key;
}

SecretKey SecretKey::from_seed(const std::array<std::uint8_t, 32>& seed) {
  initialise();
  SecretKey key;
  PublicKey ignored{};
  crypto_sign_seed_keypair(ignored.data(), key.expanded_.data(), seed.data());
  return key;
}

SecretKey::~SecretKey() {
  wipe(expanded_);
}

PublicKey SecretKey::public_key() const {
  PublicKey key{};
  // libsodium's expanded form is seed || public key.
  std::copy(expanded_.begin() + 32, expanded_.end(), key.begin());
  return key;
}

Signature SecretKey::sign(ByteView message) const {
  Signature signature{};
  crypto_sign_detached(signature.data(), nullptr, message.data(), message.size(), expanded_.data());
  return signature;
}

bool verify_signature(const PublicKey& key, ByteView message, const Signature& signature) {
  initialise();
  return crypto_sign_verify_detached(signature.data(), message.data(), message.size(),
                                     key.data()) == 0;
}

}  // namespace twinchain
