// Transactions of the network: parsed and hashed once, then checked in the context of what they
// spend. Floor 6.
//
// The rules are Bitcoin's from before segregated witness, with all that later were rules of policy
// there as rules of the chain here (interpreter.hpp, verify_all): a new network has no old spends
// to allow for, and what a pool has found valid is valid in a block. Two limits replace Bitcoin's
// count of signature operations, because transactions are large here and each signature hashes
// nearly all of its transaction: signature operations times size, for a transaction and for a
// block.
#pragma once

#include <functional>
#include <memory>
#include <span>

#include "twinchain/bitcoin/interpreter.hpp"
#include "twinchain/net/chain_parameters.hpp"
#include "twinchain/net/verdict.hpp"
#include "twinchain/storage/coin_database.hpp"

namespace twinchain::net {

using storage::Coin;

inline constexpr bitcoin::ScriptFlags chain_script_flags = bitcoin::verify_all;
/// Bytes that the signatures of one transaction may hash: signature operations times size.
inline constexpr std::uint64_t max_signature_hash_bytes = std::uint64_t{1} << 30;
/// The same for a block, in multiples of its size limit.
inline constexpr std::uint64_t block_signature_hash_factor = 16;
/// And signature operations: one for so many bytes of the block size limit.
inline constexpr std::uint64_t bytes_a_signature_operation = 50;

/// Immutable, so that pool, blocks and peers share it between threads. Its encoding is the one
/// without witness: there is none on this network.
struct NetTransaction {
  bitcoin::Transaction tx;
  Hash256 txid{};
  std::size_t size_bytes = 0;
};
using TransactionPtr = std::shared_ptr<const NetTransaction>;

/// Parses and hashes (once), and checks what a transaction must be by itself: tx_check.hpp, the
/// size limit, not 64 bytes (CVE-2017-12842). *into is set when the verdict is accepted. A coinbase
/// passes.
Verdict read_transaction(const ChainParameters& parameters, ByteView raw, TransactionPtr& into);
TransactionPtr share_transaction(bitcoin::Transaction transaction);

/// Where a transaction is to be: in a block of this height or, for a pool, in the next one.
struct SpendContext {
  std::uint32_t height = 0;
  /// Median time of the block before it and the ten before that one.
  std::uint32_t median_time_s = 0;
  /// That median for the block of a lower height on the same branch (BIP 68). Thread-safe.
  std::function<std::uint32_t(std::uint32_t height)> median_time_at;
};

/// Lock time (BIP 113: against the median time).
bool is_final(const bitcoin::Transaction& transaction, const SpendContext& context);

struct SpendCost {
  std::int64_t fee_sat = 0;
  std::uint64_t signature_operations = 0;
};
/// What does not need the scripts to be run: final, relative locks over (BIP 68), maturity, values,
/// limits of signatures. `coins`: what each input spends, in order. Too early is refused in a pool
/// and invalid in a block: the verdict says refused, with the reason "non-final",
/// "non-BIP68-final" or "bad-txns-premature-spend-of-coinbase".
Verdict check_spends(const ChainParameters& parameters, const NetTransaction& transaction,
                     std::span<const Coin> coins, const SpendContext& context, SpendCost& cost);
/// Runs the scripts of all inputs.
Verdict check_scripts(const NetTransaction& transaction, std::span<const Coin> coins);

/// Signatures that spending a script checks at the most.
std::uint64_t count_signature_operations(ByteView script_pubkey, ByteView script_sig);

}  // namespace twinchain::net
