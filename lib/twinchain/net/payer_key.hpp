// The key that pays for data transactions, in a file. Floor 6.
//
//   twinchain payer key 1
//   <32 bytes in 64 hexadecimal digits>
#pragma once

#include <string>

#include "twinchain/crypto/secp256k1.hpp"
#include "twinchain/sys/fs.hpp"

namespace twinchain::net {

/// Adds ".key" to a name that has no suffix of that kind.
std::string payer_key_path(const std::string& name_or_path);
/// Makes a key and writes it to a file (0600) that must not exist: ExitCode::usage.
Result<EcdsaSecretKey> create_payer_key(Fs& fs, const std::string& path);
/// ExitCode::usage when others can read the file or it is no such file; system.
Result<EcdsaSecretKey> read_payer_key(Fs& fs, const std::string& path);
/// The text of a file. ExitCode::usage.
Result<EcdsaSecretKey> parse_payer_key(ByteView text);

}  // namespace twinchain::net
