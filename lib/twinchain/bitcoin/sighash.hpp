// What a signature of a transaction's input signs: the legacy signature hash. Floor 2.
//
// Source: Bitcoin Core script/interpreter.cpp (SignatureHash for SigVersion::BASE).
#pragma once

#include <cstdint>

#include "twinchain/bitcoin/tx.hpp"

namespace twinchain::bitcoin {

inline constexpr std::int32_t sighash_all = 1;
inline constexpr std::int32_t sighash_none = 2;
inline constexpr std::int32_t sighash_single = 3;
inline constexpr std::int32_t sighash_anyone_can_pay = 0x80;

/// The transaction must outlive this and stay as it is. Made once for all inputs: it keeps the
/// transaction serialised without its input scripts (so its size once more), and no hash copies
/// it. Hashing is linear in the transaction's size for each input, which is what the legacy rule
/// asks for. Thread-safe once made.
class SignatureHasher {
 public:
  explicit SignatureHasher(const Transaction& transaction);

  /// `script_code`: the script that is executed, from behind the last OP_CODESEPARATOR that was,
  /// and without the signature (find_and_delete); the OP_CODESEPARATORs that it still has are left
  /// out here. All 32 bits of the type are hashed; the lowest five and 0x80 say what is covered.
  /// The number one (first byte 1) when there is no such input, or for SIGHASH_SINGLE when there
  /// is no output of the same index: Bitcoin's oldest bug, which is consensus.
  [[nodiscard]] Hash256 hash(std::size_t input, ByteView script_code, std::int32_t hash_type) const;

  [[nodiscard]] const Transaction& transaction() const { return transaction_; }

 private:
  const Transaction& transaction_;
  Bytes blank_;                 ///< serialised, every input script empty
  std::size_t inputs_at_ = 0;   ///< of the first input
  std::size_t outputs_at_ = 0;  ///< of the count of outputs
};

/// For a single hash.
Hash256 signature_hash(const Transaction& transaction, std::size_t input, ByteView script_code,
                       std::int32_t hash_type);

}  // namespace twinchain::bitcoin
