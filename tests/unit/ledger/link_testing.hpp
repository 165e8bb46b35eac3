// Links to be anchored, for the tests of what anchors them.
#pragma once

#include "twinchain/crypto/sha256.hpp"

namespace twinchain::ledger::testing {

/// Another one for each number.
inline Hash256 link(std::uint32_t number) {
  Bytes seed;
  append_le(seed, number);
  return sha256(ByteView(seed));
}

}  // namespace twinchain::ledger::testing
