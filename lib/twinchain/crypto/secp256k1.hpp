// ECDSA over secp256k1, as Bitcoin signs and verifies, by libsecp256k1. Floor 1.
//
// Signatures are DER, without Bitcoin's hash type byte; what is signed is a 32-byte hash, used as
// it is. Everything here is thread-safe. Source: Bitcoin Core pubkey.cpp, key.cpp; RFC 6979.
#pragma once

#include <optional>

#include "twinchain/base/bytes.hpp"

namespace twinchain {

/// A compressed point: 0x02 or 0x03 and the x coordinate, big-endian.
using EcdsaPublicKey = std::array<std::uint8_t, 33>;

/// As Bitcoin's nodes have always verified: the key is compressed (33 bytes), uncompressed or
/// hybrid (65 bytes; the parity of a hybrid key counts); the signature is read laxly (below), and S
/// may be in the upper half of the group's order. Callers that want one encoding only ask for it
/// before (bitcoin/signature_encoding.hpp). False, never an error, for what is malformed.
/// The time depends on the arguments; it is a tenth less for a key that the thread has seen lately.
bool verify_ecdsa(ByteView public_key, const Hash256& hash, ByteView signature);

/// R and S, big-endian, as the lax rule reads them: SEQUENCE (its length is not looked at), two
/// INTEGERs with lengths in any form, taken as unsigned, anything after them. Blocks from before
/// BIP 66 hold such signatures. Nothing when it is not even that, or when a number has more than 32
/// digits or is not below the group's order; zero is let through (and does not verify).
std::optional<std::array<std::uint8_t, 64>> parse_signature_lax(ByteView signature);

/// Whether S is at most half of the group's order. As Bitcoin Core's CheckLowS it is false when the
/// signature cannot be read at all, but true when a number of it is too large to be one (which no
/// key verifies).
bool has_low_s(ByteView signature);

/// Whether the bytes are a point on the curve in one of the three encodings.
bool is_valid_public_key(ByteView public_key);

/// Wiped when destroyed. Signing is constant-time and blinded with a random value of the process.
class EcdsaSecretKey {
 public:
  static EcdsaSecretKey generate();
  /// Nothing for zero and for what is not below the group's order.
  static std::optional<EcdsaSecretKey> from_bytes(const std::array<std::uint8_t, 32>& secret);
  EcdsaSecretKey(const EcdsaSecretKey&) = default;
  EcdsaSecretKey& operator=(const EcdsaSecretKey&) = default;
  ~EcdsaSecretKey();

  [[nodiscard]] EcdsaPublicKey public_key() const;
  /// The caller wipes what it copies.
  [[nodiscard]] ByteView bytes() const { return secret_; }
  /// DER with a low S; the nonce is RFC 6979's, so that the same hash gets the same signature. At
  /// most 71 bytes.
  [[nodiscard]] Bytes sign(const Hash256& hash) const;

 private:
  EcdsaSecretKey() = default;
  std::array<std::uint8_t, 32> secret_{};
};

}  // namespace twinchain
