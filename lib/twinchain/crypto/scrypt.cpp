#include "twinchain/crypto/scrypt.hpp"

#include <sodium.h>

#include <cstdlib>

namespace twinchain {

Hash256 scrypt_1024_1_1(ByteView input) {
  // Chooses libsodium's implementation for this processor; does nothing the second time.
  static const bool ready = sodium_init() >= 0;
  Hash256 hash{};
  if (!ready ||
      crypto_pwhash_scryptsalsa208sha256_ll(input.data(), input.size(), input.data(), input.size(),
                                            1024, 1, 1, hash.data(), hash.size()) != 0) {
    std::abort();  // out of memory
  }
  return hash;
}

}  // namespace twinchain
