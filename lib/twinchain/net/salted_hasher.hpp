// Hashes for tables whose keys strangers choose. Floor 6.
//
// Txids can be ground, and announced without any transaction, until thousands of them fall into one
// place of a table whose hash is known; each look-up then walks through all of them. With a secret
// key nobody else knows where they fall (as Bitcoin Core's SaltedTxidHasher). Thread-safe.
#pragma once

#include "twinchain/bitcoin/tx.hpp"
#include "twinchain/crypto/siphash.hpp"

namespace twinchain::net {

struct SaltedHasher {
  /// Tells Boost's tables that they need not mix the bits again.
  using is_avalanching = void;

  SipKey key;

  std::size_t operator()(const Hash256& hash) const { return siphash24(key, hash); }
  std::size_t operator()(const bitcoin::OutPoint& outpoint) const {
    return siphash24(key, std::array<std::uint64_t, 5>{load_le<std::uint64_t>(outpoint.txid.data()),
                                                       load_le<std::uint64_t>(&outpoint.txid[8]),
                                                       load_le<std::uint64_t>(&outpoint.txid[16]),
                                                       load_le<std::uint64_t>(&outpoint.txid[24]),
                                                       outpoint.index});
  }
};

}  // namespace twinchain::net
