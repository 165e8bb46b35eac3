// scrypt (RFC 7914) with Litecoin's parameters. Floor 1.
#pragma once

#include "twinchain/base/bytes.hpp"

namespace twinchain {

/// scrypt with N = 1024, r = 1, p = 1, the input both password and salt, 32 bytes out: Litecoin's
/// proof-of-work hash of an 80-byte header. By libsodium, which is twice as fast at it as OpenSSL.
/// Thread-safe; takes 128 KiB for the time of the call and ends the process when it cannot have
/// them.
Hash256 scrypt_1024_1_1(ByteView input);

}  // namespace twinchain
