// A block skeleton: header, coinbase, and symbols instead of transactions. Floor 6.
//
// [0093]-[0096]: nonce (in the header), IBLT, coinbase. It names the M-node's list (snapshot.hpp)
// that the block was made from. A receiver reconciles the block's short ids against that list, or
// against its mempool, fetches what it lacks, puts the transactions into canonical order and
// compares the Merkle root with the header's.
//
// Short ids are SipHash-2-4 of txids with a key from SHA256(header || salt): who makes transactions
// cannot know the key, so cannot make ids that collide with or cancel a victim's. Only the header
// is protected by proof of work: all the rest may be altered on the way, and what follows from it
// is checked by the Merkle root. All functions are thread-safe.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "twinchain/base/bytes.hpp"
#include "twinchain/base/result.hpp"
#include "twinchain/bitcoin/header.hpp"
#include "twinchain/crypto/siphash.hpp"
#include "twinchain/iblt/symbol_codec.hpp"
#include "twinchain/net/snapshot.hpp"

namespace twinchain::net {

inline constexpr std::size_t max_skeleton_coinbase_size = 100'000;
/// Of one message. Some 14 MiB.
inline constexpr std::uint32_t max_symbols_in_message = std::uint32_t{1} << 20;
/// A block has at most a list's transactions and a coinbase.
inline constexpr std::uint32_t max_block_transactions = max_snapshot_count + 1;

struct Skeleton {
  bitcoin::BlockHeader header;
  std::uint64_t snapshot_id = 0;  ///< 0 when the block was made from no list
  Hash256 snapshot_root{};
  std::uint32_t transaction_count = 0;  ///< with the coinbase
  std::uint64_t salt = 0;
  Bytes coinbase;             ///< the transaction, serialised
  iblt::SymbolRange symbols;  ///< the first ones of layer 0, of all transactions but the coinbase
  bool operator==(const Skeleton&) const = default;
};

/// Of the short ids and the symbols.
SipKey skeleton_key(const bitcoin::BlockHeader& header, std::uint64_t salt);
/// 8 bytes; a ShortIdList has the lower 6 of them.
inline std::uint64_t short_id(const SipKey& key, const Hash256& txid) {
  return siphash24(key, txid);
}
inline constexpr std::uint64_t short_id_mask = (std::uint64_t{1} << 48) - 1;

/// Requires the bounds above.
Bytes encode_skeleton(const Skeleton& skeleton);
/// Structure and bounds only: not that the header has proof of work, nor that the coinbase is one.
/// Errors (ExitCode::malformed) start with "skeleton: byte N:".
Result<Skeleton> parse_skeleton(ByteView bytes, std::uint32_t max_symbols = max_symbols_in_message);

/// What a receiver asks for, in the order of the ladder: more symbols, the list of 6-byte short
/// ids, transactions, the full block (which is the network protocol's own message). `block` is the
/// hash of the header.
struct SymbolRequest {
  Hash256 block{};
  std::uint32_t layer = 0;
  std::uint32_t first = 0;
  std::uint32_t count = 0;
  bool operator==(const SymbolRequest&) const = default;
};
struct ShortIdList {
  Hash256 block{};
  /// Of all transactions in the block's order but the coinbase; below 2^48.
  std::vector<std::uint64_t> ids;
  bool operator==(const ShortIdList&) const = default;
};
/// Either by short id (8 bytes) or by position in the block, the coinbase being 0.
struct TransactionRequest {
  Hash256 block{};
  std::vector<std::uint64_t> ids;
  std::vector<std::uint32_t> positions;
  bool operator==(const TransactionRequest&) const = default;
};

/// Errors of all (ExitCode::malformed) start with "MESSAGE: byte N:".
Bytes encode_symbol_request(const SymbolRequest& request);
Result<SymbolRequest> parse_symbol_request(ByteView bytes);
Bytes encode_short_id_list(const ShortIdList& list);
Result<ShortIdList> parse_short_id_list(ByteView bytes,
                                        std::uint32_t max_count = max_snapshot_count);
Bytes encode_transaction_request(const TransactionRequest& request);
Result<TransactionRequest> parse_transaction_request(ByteView bytes,
                                                     std::uint32_t max_count = max_snapshot_count);

}  // namespace twinchain::net
