// Key files of twin-key: text, one field a line. Floor 4. Specified in twin-key(1).
//
// A secret key file holds the key that signs now and, made beforehand, its successor, to whose
// hash every link commits. Copies of secrets that these functions make in memory are wiped.
#pragma once

#include <functional>
#include <string>
#include <string_view>
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
/// There is at least one epoch, the numbers have no gaps, and each key is the one whose hash the
/// epoch before committed to. The first number need not be 0.
struct PublicKeyFile {
  std::string name;
  struct Epoch {
    std::uint32_t number = 0;
    PublicKey key{};
    Hash256 next_key_hash{};
    bool operator==(const Epoch&) const = default;
  };
  std::vector<Epoch> epochs;
};

inline constexpr std::size_t max_key_name_bytes = 255;

/// SHA256 of a public key: how a person names it, and what the link before commits to.
Hash256 key_id(const PublicKey& key);
PublicKeyFile::Epoch public_epoch(const SecretKeyFile& key);

/// Refuses a file that others can read (ExitCode::usage), malformed text (ExitCode::malformed).
Result<SecretKeyFile> read_secret_key(Fs& fs, const std::string& path);
Result<PublicKeyFile> read_public_key(Fs& fs, const std::string& path);
/// The public part of a key file of either kind; of a secret key that is its one epoch.
Result<PublicKeyFile> read_public_part(Fs& fs, const std::string& path);
/// The same from text; messages name the line and no secret.
Result<SecretKeyFile> parse_secret_key(ByteView text);
Result<PublicKeyFile> parse_public_key(ByteView text);
std::string encode_public_key(const PublicKeyFile& key);

/// "node" and "node.key" both mean node.key beside node.pub.
std::string secret_key_path(const std::string& name_or_path);
std::string public_key_path(const std::string& name_or_path);

/// Makes NAME.key (0600 from the start) and NAME.pub with fresh keys of epoch 0, durably. Refuses
/// when either is there (ExitCode::usage). `signer_name`: at most 255 printable bytes.
Result<PublicKeyFile> create_key_files(Fs& fs, const std::string& name_or_path,
                                       const std::string& signer_name);

struct Rotation {
  PublicKeyFile public_key;
  /// An earlier rotation had been cut short after it replaced NAME.key: this call wrote the line
  /// that NAME.pub lacked, and did not rotate again.
  bool finished_interrupted = false;
};
/// Epoch e + 1: the successor becomes the signing key, a fresh one its successor.
///
/// Crash-safe: NAME.key is replaced atomically first, NAME.pub after it; everything that NAME.pub
/// lacks after a crash between the two is in NAME.key, and the next call finishes. The old
/// secret's bytes are then overwritten in place (see twin-key(1) for what that can promise).
/// NAME.lock keeps two rotations apart. Refuses when the two files do not belong together
/// (ExitCode::refuted). `may_rotate`, when given, is asked first whether the present epoch may
/// end; not so when there is only an interrupted rotation to finish.
Result<Rotation> rotate_key_files(
    Fs& fs, const std::string& name_or_path,
    const std::function<Status(const PublicKeyFile::Epoch&)>& may_rotate = {});

}  // namespace twinchain::chain
