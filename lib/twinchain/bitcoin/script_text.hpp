// Scripts as text, in the language of Bitcoin Core's test data. Floor 2.
//
// Words between spaces: decimal numbers (pushed as script numbers), 'text' (pushed), 0x and
// hexadecimal digits (bytes of the script itself, not pushed), names of operations with or without
// "OP_". Source: Bitcoin Core core_read.cpp (ParseScript).
#pragma once

#include <string>
#include <string_view>

#include "twinchain/base/result.hpp"
#include "twinchain/bitcoin/script.hpp"

namespace twinchain::bitcoin {

/// ExitCode::malformed with "script: byte N: ..." for a word that is none of these, and for numbers
/// beyond +-4294967295. The text between apostrophes holds no space.
Result<Bytes> parse_script_text(std::string_view text);

/// The counterpart, for any bytes: parsing it gives the same script. Pushes are written as the
/// bytes they are.
std::string format_script(ByteView script);

}  // namespace twinchain::bitcoin
