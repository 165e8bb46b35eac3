// Reads a dir: ledger's files and finds blocks and transactions in them. Floor 4.
//
//   blocks.dat  magic u32, size u32, block; again and again, as Bitcoin's blk*.dat. The end may be
//               torn or zeros after a crash.
//   blocks.end  u64: how many bytes of blocks.dat were durable at some time; hash of the block that
//               ends there; u32: CRC-32C of both. What is damaged below it is damage, what is
//               damaged above it is a torn end. It is a help only: without it everything works, but
//               for that distinction, and for changes of the last header that meet the trivial
//               target again.
//   lock        held while a block is written
//
// Everything read is checked as untrusted: bounds, linkage, proof of work, Merkle root, times,
// coinbase (dir_block.hpp). Memory is about 40 bytes a block.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "twinchain/base/result.hpp"
#include "twinchain/ledger/dir_block.hpp"
#include "twinchain/ledger/hash_index.hpp"
#include "twinchain/sys/fs.hpp"

namespace twinchain::ledger {

struct TransactionPosition {
  std::uint32_t height = 0;
  std::uint32_t index = 0;  ///< in the block
};

/// The content of blocks.end.
struct DurableEnd {
  std::uint64_t size_bytes = 0;
  Hash256 block_hash{};
};
Bytes encode_durable_end(const DurableEnd& end);

/// Not thread-safe. Several processes may read one ledger while one of them writes.
class DirChain {
 public:
  DirChain(Fs& fs, std::string folder);

  [[nodiscard]] std::string blocks_path() const { return folder_ + "/blocks.dat"; }
  [[nodiscard]] std::string end_path() const { return folder_ + "/blocks.end"; }
  [[nodiscard]] std::string lock_path() const { return folder_ + "/lock"; }

  /// Reads the blocks that have come since the last time. A torn end is left out. Errors:
  /// ExitCode::refuted for a damaged, cut or exchanged file, "PATH: block N at byte M: …"; it has
  /// at least the genesis afterwards.
  Status refresh();

  /// After refresh().
  [[nodiscard]] std::uint32_t tip_height() const {
    return static_cast<std::uint32_t>(offsets_.size() - 1);
  }
  [[nodiscard]] const Hash256& tip_hash() const { return tip_hash_; }
  [[nodiscard]] std::uint32_t tip_time_s() const { return tip_time_s_; }
  [[nodiscard]] const MedianTime& median_time() const { return median_time_; }
  /// Where the next block begins in blocks.dat; what follows there is a torn end.
  [[nodiscard]] std::uint64_t end_bytes() const { return end_bytes_; }
  [[nodiscard]] std::uint64_t torn_bytes() const { return torn_bytes_; }

  Result<std::optional<std::uint32_t>> find_block(const Hash256& block_hash);
  Result<std::optional<TransactionPosition>> find_transaction(const Hash256& txid);
  Result<bool> is_spent(const bitcoin::OutPoint& outpoint);
  Result<bitcoin::Block> read_block(std::uint32_t height);

 private:
  struct Window;

  Status check_unchanged(std::uint64_t file_size);
  Status read_blocks(std::uint64_t file_size);
  Result<bool> read_record(Window& window);
  Status take(const bitcoin::Block& block, std::uint64_t offset, std::size_t record_size);
  Result<bool> is_torn_end(std::uint64_t file_size);
  void read_durable_end();
  std::unexpected<Error> damaged(std::uint64_t offset, std::string_view what) const;

  Fs& fs_;
  std::string folder_;
  std::unique_ptr<File> file_;
  std::vector<std::uint64_t> offsets_;  // of the records, by height
  HashIndex index_;                     // block hashes, txids, spent outpoints -> height
  Hash256 tip_hash_{};
  std::uint32_t tip_time_s_ = 0;
  MedianTime median_time_;
  std::uint64_t end_bytes_ = 0;
  std::uint64_t torn_bytes_ = 0;
  DurableEnd durable_;
};

}  // namespace twinchain::ledger
