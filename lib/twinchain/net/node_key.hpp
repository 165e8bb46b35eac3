// The file of a node's key. Floor 6.
//
// Text: "twinchain node key 1", then the Ed25519 seed in 64 hex digits. It is a key for links only,
// not for chains of hashes: nothing is lost but the node's name when it is.
#pragma once

#include <string>

#include "twinchain/crypto/ed25519.hpp"
#include "twinchain/sys/fs.hpp"

namespace twinchain::net {

/// ExitCode::usage when others than the owner may read or change the file, ExitCode::malformed when
/// it is none.
Result<SecretKey> load_node_key(Fs& fs, const std::string& path);
/// As load_node_key(); a file that is not there is made, durably and for the owner only.
Result<SecretKey> load_or_make_node_key(Fs& fs, const std::string& path);

}  // namespace twinchain::net
