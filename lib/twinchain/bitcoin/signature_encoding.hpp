// How signatures and public keys in scripts may be written. Floor 2.
//
// Source: BIP 66, BIP 146; Bitcoin Core script/interpreter.cpp (CheckSignatureEncoding).
#pragma once

#include "twinchain/bitcoin/interpreter.hpp"

namespace twinchain::bitcoin {

/// DER in its one form, then a hash type byte (BIP 66). How large the numbers are is not looked at.
[[nodiscard]] bool is_strict_der(ByteView signature);
/// 0x04 and 65 bytes, or 0x02 or 0x03 and 33 bytes; not whether it is a point.
[[nodiscard]] bool is_common_public_key(ByteView public_key);

/// What the flags DERSIG, LOW_S and STRICTENC ask for: OK, SIG_DER, SIG_HIGH_S, SIG_HASHTYPE. An
/// empty signature is always well-formed: the way to fail on purpose.
[[nodiscard]] ScriptError check_signature_encoding(ByteView signature, ScriptFlags flags);
/// What STRICTENC asks for: OK or PUBKEYTYPE.
[[nodiscard]] ScriptError check_public_key_encoding(ByteView public_key, ScriptFlags flags);

}  // namespace twinchain::bitcoin
