#include "twinchain/crypto/sha256.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

namespace twinchain {
namespace {

// Fetching costs more than hashing a small message, so it is done once.
const EVP_MD* sha256_algorithm() {
  static const EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  return algorithm;
}

}  // namespace

struct Sha256::Context {
  Context() : digest(EVP_MD_CTX_new()) {
    if (digest == nullptr || EVP_DigestInit_ex2(digest, sha256_algorithm(), nullptr) != 1) {
      std::abort();  // out of memory, or an OpenSSL without SHA-256: nothing safe can follow
    }
  }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  ~Context() { EVP_MD_CTX_free(digest); }
  EVP_MD_CTX* digest;
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

Sha256& Sha256::update(ByteView bytes) {
  if (!bytes.empty() && EVP_DigestUpdate(context_->digest, bytes.data(), bytes.size()) != 1) {
    std::abort();
  }
  return *this;
}

Hash256 Sha256::finish() {
  Hash256 hash{};
  if (EVP_DigestFinal_ex(context_->digest, hash.data(), nullptr) != 1 ||
      EVP_DigestInit_ex2(context_->digest, nullptr, nullptr) != 1) {
    std::abort();
  }
  return hash;
}

Hash256 sha256(ByteView bytes) {
  return sha256({bytes});
}

Hash256 sha256(std::initializer_list<ByteView> parts) {
  thread_local Sha256 hasher;
  for (const ByteView part : parts) hasher.update(part);
  return hasher.finish();
}

Hash256 sha256d(ByteView bytes) {
  const Hash256 inner = sha256(bytes);
  return sha256(ByteView(inner));
}

HmacBlock hmac_key_block(ByteView key) {
  HmacBlock block{};
  if (key.size() > block.size()) {
    const Hash256 short_key = sha256(key);
    std::copy(short_key.begin(), short_key.end(), block.begin());
  } else {
    std::copy(key.begin(), key.end(), block.begin());
  }
  for (auto& byte : block) byte ^= 0x36;
  return block;
}

void turn_hmac_block(HmacBlock& block) {
  for (auto& byte : block) byte ^= 0x36 ^ 0x5c;
}

Hash256 hmac_sha256(ByteView key, ByteView message) {
  HmacBlock pad = hmac_key_block(key);
  const Hash256 inner = sha256({ByteView(pad), message});
  turn_hmac_block(pad);
  const Hash256 result = sha256({ByteView(pad), ByteView(inner)});
  wipe(pad);
  return result;
}

void fill_random(std::span<std::uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::getrandom(bytes.data(), bytes.size(), 0);
    if (count < 0) {
      if (errno == EINTR) continue;
      std::abort();
    }
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
}

void wipe(std::span<std::uint8_t> secret) {
  OPENSSL_cleanse(secret.data(), secret.size());
}

bool equal_constant_time(ByteView a, ByteView b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace twinchain
