// SHA-256 and HMAC-SHA-256 of many independent messages at a time. Floor 1.
//
// One message is a chain of compressions that leaves most of a processor idle. Many messages fill
// the lanes of its vector registers: on a processor with AVX-512 and without SHA instructions
// that is several times the speed of one message after another. The lanes are libipsec-mb's
// (Intel Multi-Buffer Crypto for IPsec; x86-64 only); without it the same results come from
// OpenSSL, one by one. All functions are thread-safe.
#pragma once

#include <span>

#include "twinchain/base/bytes.hpp"

namespace twinchain {

/// A message is the concatenation of both. The bytes stay the caller's.
struct PrefixedMessage {
  ByteView prefix;
  ByteView body;
};

/// digests[i] = SHA256(messages[i].prefix || messages[i].body). Both spans have one size;
/// `digests` does not overlap with the messages.
void sha256_many(std::span<const PrefixedMessage> messages, std::span<Hash256> digests);

/// macs[i] = HMAC-SHA-256(key, messages[i]) (RFC 2104). As above.
void hmac_sha256_many(ByteView key, std::span<const ByteView> messages, std::span<Hash256> macs);

}  // namespace twinchain
