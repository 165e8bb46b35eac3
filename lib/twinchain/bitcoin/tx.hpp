// Bitcoin transactions. Floor 2.
//
// Reads the legacy form, the segregated witness form (BIP 144: marker 0x00, flag 0x01) and
// Litecoin's extension block form (flag 0x08): in a block only the HogEx transaction has it, an
// extra 0x00 before the lock time; on its own a transaction may carry extension data there, which
// is kept as bytes. All functions are thread-safe. Source: Bitcoin Core primitives/transaction.h,
// Litecoin Core 0.21 of the same name.
#pragma once

#include <cstdint>
#include <vector>

#include "twinchain/base/bytes.hpp"
#include "twinchain/base/result.hpp"

namespace twinchain::bitcoin {

/// A block's weight limit is 4,000,000, so no transaction can be longer.
inline constexpr std::size_t max_transaction_size = 4'000'000;

struct OutPoint {
  Hash256 txid{};  ///< internal byte order
  std::uint32_t index = 0;
  /// What a coinbase's input spends: zeros and 0xffffffff.
  [[nodiscard]] bool is_null() const { return index == 0xffffffff && txid == Hash256{}; }
  bool operator==(const OutPoint&) const = default;
};

struct TxIn {
  OutPoint previous_output;
  Bytes script_sig;
  std::uint32_t sequence = 0xffffffff;
  std::vector<Bytes> witness;
  bool operator==(const TxIn&) const = default;
};

struct TxOut {
  std::int64_t value_sat = 0;
  Bytes script_pubkey;
  bool operator==(const TxOut&) const = default;
};

struct Transaction {
  std::int32_t version = 1;
  std::vector<TxIn> inputs;
  std::vector<TxOut> outputs;
  std::uint32_t lock_time = 0;
  /// Litecoin: the transaction that carries the extension block's balance; the last of its block.
  bool hogex = false;
  /// Litecoin: extension data of a transaction that is not in a block, from its 0x01 on.
  Bytes extension;

  [[nodiscard]] bool is_coinbase() const {
    return inputs.size() == 1 && inputs[0].previous_output.is_null();
  }
  [[nodiscard]] bool has_witness() const;
  bool operator==(const Transaction&) const = default;
};

enum class TxEncoding {
  no_witness,  ///< what the txid is the hash of
  full         ///< with witness and extension, where there are any
};

/// Parses exactly one transaction; bytes after it are an error. `no_witness` takes an empty list of
/// inputs as what it says; `full` takes it as the marker of the extended form. Errors
/// (ExitCode::malformed) start with "transaction: byte N:". Serialising the result with the same
/// encoding gives the same bytes. Memory is at most some 25 times the input.
Result<Transaction> parse_transaction(ByteView bytes, TxEncoding encoding = TxEncoding::full,
                                      std::size_t max_size = max_transaction_size);
/// Reads one transaction of a block and leaves the cursor behind it.
Result<Transaction> read_transaction(ByteCursor& cursor, TxEncoding encoding = TxEncoding::full);

Bytes serialize(const Transaction& transaction, TxEncoding encoding = TxEncoding::full);
void append_transaction(Bytes& out, const Transaction& transaction,
                        TxEncoding encoding = TxEncoding::full);

/// SHA-256d without witness; internal byte order (to_hex_reversed displays it).
Hash256 txid(const Transaction& transaction);
/// SHA-256d of the full encoding (BIP 141).
Hash256 wtxid(const Transaction& transaction);

/// For raw bytes in any form: the same without witness and extension. The same errors as
/// parse_transaction.
Result<Bytes> strip_witness(ByteView raw_transaction);

}  // namespace twinchain::bitcoin
