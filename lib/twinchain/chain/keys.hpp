// Key files of twin-key: text, one field a line. Floor 4. Specified in twin-key(1).
#pragma once

#include <string>
#include <vector>

#include "twinchain/base/result.hpp"
#include "twinchain/crypto/ed25519.hpp"
#include "twinchain/sys/fs.hpp"

namespace twinchain::chain {

/// NAME.key, mode 0600:
///   twinchain secret key 1
///   name: node
///   epoch: 0
///   secret: 64 hex digits
///   next-secret: 64 hex digits
struct SecretKeyFile {
  std::string name;
  std::uint32_t epoch = 0;
  SecretKey current;
  SecretKey next;
  [[nodiscard]] Hash256 next_key_hash() const;  ///< SHA256(next public key): in every link
};

/// NAME.pub:
///   twinchain public key 1
///   name: node
///   key: EPOCH PUBLIC-KEY-HEX NEXT-KEY-HASH-HEX     (one line an epoch, oldest first)
struct PublicKeyFile {
  std::string name;
  struct Epoch {
    std::uint32_t number = 0;
    PublicKey key{};
    Hash256 next_key_hash{};
  };
  std::vector<Epoch> epochs;
};

/// Refuses a file that others can read (ExitCode::usage), malformed text (ExitCode::malformed).
Result<SecretKeyFile> read_secret_key(Fs& fs, const std::string& path);
Result<PublicKeyFile> read_public_key(Fs& fs, const std::string& path);
/// "node" and "node.key" both mean node.key beside node.pub.
std::string secret_key_path(const std::string& name_or_path);
std::string public_key_path(const std::string& name_or_path);

}  // namespace twinchain::chain
