// The blocks of a dir: ledger: how they are made, and what they must be. Floor 4.
//
// Bitcoin's formats and rules, except: the difficulty never changes and is trivial; there is no
// money (every value is 0); the only spendable script is OP_TRUE; a coinbase may be spent from the
// next block on.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "twinchain/base/result.hpp"
#include "twinchain/bitcoin/block.hpp"

namespace twinchain::ledger {

inline constexpr std::uint32_t dir_bits = 0x207fffff;
/// The network's magic and a size stand before each block in blocks.dat, as in Bitcoin's own files.
inline constexpr std::size_t dir_record_prefix_size = 8;
/// No block of a dir: ledger is longer.
inline constexpr std::size_t max_dir_block_size = 1'000'000;

/// Block 0, the same in every dir: ledger.
const bitcoin::Block& dir_genesis();

/// Whether a coinbase says that its block is of a dir: ledger (receipt.hpp).
bool is_dir_coinbase(const bitcoin::Transaction& coinbase);

/// Spends an OP_TRUE output; outputs: OP_RETURN with the payload, and OP_TRUE.
bitcoin::Transaction make_dir_transaction(const bitcoin::OutPoint& coin, ByteView payload);

/// A transaction that can be in a block behind its coinbase: inputs without scripts, at least one
/// output, all values 0, not 64 bytes. ExitCode::refuted.
Status check_dir_transaction(const bitcoin::Transaction& transaction);

/// The times of the last blocks, for the rule that a block is later than the median of 11.
class MedianTime {
 public:
  void add(std::uint32_t time_s);
  /// 0 when there was no block yet.
  [[nodiscard]] std::uint32_t median_s() const;

 private:
  std::array<std::uint32_t, 11> times_s_{};
  std::size_t count_ = 0;  // of all blocks
};

/// Finds a nonce for a block on top of another one. `transactions` come behind the coinbase.
bitcoin::Block mine_dir_block(const Hash256& previous, std::uint32_t height, std::uint32_t time_s,
                              std::vector<bitcoin::Transaction> transactions);

/// What is asked of a header that comes from a file: its place, its time, its proof of work. `hash`
/// is its block hash. ExitCode::refuted, as below.
Status check_dir_header(const bitcoin::BlockHeader& header, const Hash256& hash,
                        const Hash256& previous, std::uint32_t median_time_s);
/// What is asked of the rest: Merkle tree, coinbase, transactions. That inputs exist and are spent
/// once is checked when a block is made, not here: who can write the file can make any chain.
/// `ids` takes the txids.
Status check_dir_body(const bitcoin::Block& block, std::uint32_t height,
                      std::vector<Hash256>* ids = nullptr);

/// The bytes in blocks.dat: magic, size, block.
Bytes dir_record(const bitcoin::Block& block);

}  // namespace twinchain::ledger
