// Transactions that carry frames of a twin stream. Floor 6. Specified in twin-tx(1).
//
//   input 0     spends output 0 of the payer's transaction before this one, or any coin when it
//               begins a chain; more inputs when that is not enough for the fee. All pay to the
//               hash of the payer's key, SIGHASH_ALL.
//   output 0    the change, to the same key: what the next transaction's input 0 spends
//   lock time   when the chain of payments began, in seconds; without effect, because all inputs
//               are final
//   output 1..  OP_FALSE OP_RETURN <tag> <frame>, value 0: one whole frame each (header of 64 bytes
//               and body), in order
//
// The order of a block is by txid, and so says nothing; the chain of outputs 0 is what keeps the
// frames of one payer in the order in which they were sent. When a payer has to begin a new chain
// (his coin is gone), its lock time is higher than that of the one before. All functions are
// thread-safe.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "twinchain/crypto/secp256k1.hpp"
#include "twinchain/net/transaction_check.hpp"
#include "twinchain/stream/frame.hpp"

namespace twinchain::net {

inline constexpr std::uint32_t change_output_index = 0;
/// Each input hashes the whole transaction once.
inline constexpr std::size_t max_payment_inputs = 16;
/// Of a frame of so many bytes in a transaction, besides those bytes: value, lengths, opcodes, tag.
inline constexpr std::size_t data_output_overhead_bytes = 8 + 5 + 2 + 1 + max_data_tag_bytes + 5;
/// Of a transaction besides its data outputs, at the most.
inline constexpr std::size_t payment_overhead_bytes = 4 + 3 + max_payment_inputs * 150 + 5 + 34 + 4;

/// An output that the payer's key can spend.
struct PayerCoin {
  bitcoin::OutPoint outpoint;
  std::int64_t value_sat = 0;
  bool operator==(const PayerCoin&) const = default;
};

/// The most bytes of an input that sign_inputs() has signed.
inline constexpr std::size_t signed_input_bytes = 36 + 1 + (1 + 72 + 1 + 33) + 4;
/// Signs all inputs (SIGHASH_ALL), which spend coins of the key: `script` is
/// pay_to_key_hash_script().
void sign_inputs(bitcoin::Transaction& tx, const EcdsaSecretKey& key, ByteView script);
/// Satoshi per 1000 bytes, rounded up.
std::int64_t fee_sat(std::int64_t rate_sat, std::size_t size_bytes);

/// Builds and signs. `coins` in the order of the inputs; `frames` are whole frames. Nothing when
/// the coins do not pay for it (the change is at least 1 satoshi): `*missing_sat` says how much
/// they lack. Requires 1 to max_payment_inputs coins and frames that fit.
std::optional<TransactionPtr> make_data_transaction(
    const ChainParameters& parameters, const EcdsaSecretKey& key, std::span<const PayerCoin> coins,
    std::span<const Bytes> frames, std::int64_t rate_sat, std::uint32_t chain_time_s,
    std::int64_t* missing_sat = nullptr);

/// A frame in a transaction; views into it.
struct CarriedFrame {
  std::uint32_t output = 0;
  FrameHeader header;
  ByteView whole;  ///< header and body
  ByteView body;
};
struct CarriedFrames {
  std::vector<CarriedFrame> frames;
  /// "output N: body crc mismatch", ...: outputs with our tag that hold no frame.
  std::vector<std::string> malformed;
};
/// What the outputs with the network's tag carry, in order. END is no frame to be carried: it is
/// malformed. The transaction must outlive the result.
CarriedFrames frames_of(const ChainParameters& parameters, const bitcoin::Transaction& transaction);
/// Whether an output has the network's tag; cheaper than frames_of().
bool carries_data(const ChainParameters& parameters, const bitcoin::Transaction& transaction);

/// Who has paid for a data transaction: the key of input 0, when output 0 pays to the same key and
/// its signature is good (so that nobody can put frames into the chain of another one, whatever the
/// coin that he spends asks for). Nothing otherwise.
std::optional<EcdsaPublicKey> payer_of(const bitcoin::Transaction& transaction);

/// First 16 bytes of the SHA-256 of a whole frame.
Id128 frame_id(ByteView whole_frame);

}  // namespace twinchain::net
