// SHA-256 (FIPS 180-4), SHA-256d, HMAC-SHA-256 (RFC 2104), random bytes, wiping. Floor 1.
//
// OpenSSL, with the processor's SHA instructions where it has them. All functions are
// thread-safe; a Sha256 object belongs to one thread at a time.
#pragma once

#include <initializer_list>
#include <memory>
#include <span>

#include "twinchain/base/bytes.hpp"

namespace twinchain {

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  Sha256& update(ByteView bytes);
  /// The digest of all that was put in; the object then starts anew.
  Hash256 finish();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

Hash256 sha256(ByteView bytes);
/// Of the concatenation of the parts, without making it.
Hash256 sha256(std::initializer_list<ByteView> parts);
/// SHA256(SHA256(bytes)): Bitcoin's transaction and block ids.
Hash256 sha256d(ByteView bytes);
Hash256 hmac_sha256(ByteView key, ByteView message);
/// Its parts, for who hashes otherwise: the key as a block xored with ipad, to be wiped after use,
/// and that block turned into the one xored with opad.
using HmacBlock = std::array<std::uint8_t, 64>;
HmacBlock hmac_key_block(ByteView key);
void turn_hmac_block(HmacBlock& block);

/// Fills with bytes of the operating system's random generator; ends the process when there are
/// none to be had, because nothing safe can follow.
void fill_random(std::span<std::uint8_t> bytes);
template <std::size_t N>
std::array<std::uint8_t, N> random_array() {
  std::array<std::uint8_t, N> bytes{};
  fill_random(bytes);
  return bytes;
}

/// Overwrites a secret in a way that the compiler does not leave out.
void wipe(std::span<std::uint8_t> secret);
/// Comparison in a time that does not depend on the contents.
bool equal_constant_time(ByteView a, ByteView b);

}  // namespace twinchain
