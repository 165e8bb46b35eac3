// Reads a dir: ledger's files and finds blocks and transactions in them. Floor 4.
//
//   blocks.dat  magic u32, size u32, block; again and again, as Bitcoin's blk*.dat. The end may be
//               torn or zeros after a crash.
//   blocks.end  u64: how many bytes of blocks.dat were durable at some time; hash of the block that
//               ends there; u32: CRC-32C of both. What is damaged below it is damage, what is
//               damaged above it is a torn end. It is a help only: without it everything works, but
//               for that distinction, and for changes of the last header that meet the trivial
//               target again; and opening takes longer.
//   lock        held while a block is written
//
// Everything read is checked as untrusted. Opening reads all headers: linkage, proof of work,
// times. The rest of a block - Merkle root, coinbase, transactions - is checked whenever the block
// is used, and when opening only above the durable end. So opening a million blocks takes seconds.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "twinchain/base/result.hpp"
#include "twinchain/ledger/dir_block.hpp"
#include "twinchain/ledger/hash_index.hpp"
#include "twinchain/sys/fs.hpp"

namespace twinchain::ledger {

/// The content of blocks.end.
struct DurableEnd {
  std::uint64_t size_bytes = 0;
  Hash256 block_hash{};
};
Bytes encode_durable_end(const DurableEnd& end);

struct CheckedBlock {
  std::uint32_t height = 0;
  bitcoin::Block block;
  std::vector<Hash256> txids;
};
struct TransactionPosition {
  std::uint32_t height = 0;
  std::uint32_t index = 0;  ///< in the block
};

struct Placement {
  std::optional<TransactionPosition> position;  ///< where it is
  bool spendable = false;                       ///< it is not there, and could be
};

/// Not thread-safe. Several processes may read one ledger while one of them writes. Memory is about
/// 20 bytes a block.
class DirChain {
 public:
  DirChain(Fs& fs, std::string folder);

  [[nodiscard]] std::string blocks_path() const { return folder_ + "/blocks.dat"; }
  [[nodiscard]] std::string end_path() const { return folder_ + "/blocks.end"; }
  [[nodiscard]] std::string lock_path() const { return folder_ + "/lock"; }

  /// Reads the blocks that have come since the last time. A torn end is left out. Errors:
  /// ExitCode::refuted for a damaged, cut or exchanged file, "PATH: block N at byte M: …". When it
  /// succeeds there is at least the genesis.
  Status refresh();

  /// After refresh(), as all that follows.
  [[nodiscard]] std::uint32_t tip_height() const {
    return static_cast<std::uint32_t>(offsets_.size() - 1);
  }
  [[nodiscard]] const Hash256& tip_hash() const { return tip_hash_; }
  [[nodiscard]] std::uint32_t tip_time_s() const { return tip_time_s_; }
  [[nodiscard]] const MedianTime& median_time() const { return median_time_; }
  /// Where the next block begins in blocks.dat; what follows there is a torn end.
  [[nodiscard]] std::uint64_t end_bytes() const { return end_bytes_; }
  [[nodiscard]] std::uint64_t torn_bytes() const { return torn_bytes_; }

  /// Reads and checks a block; ExitCode::refuted when it is damaged.
  Result<CheckedBlock> read_block(std::uint32_t height);
  Result<std::optional<CheckedBlock>> find_block(const Hash256& block_hash);
  /// Searches from the tip down, and remembers how far: what is new is found at once, what is not
  /// there costs a walk through the whole chain (some ten microseconds a block) only once.
  Result<std::optional<TransactionPosition>> find_transaction(const Hash256& txid);
  /// Whether a transaction is in the chain, or could be: every output that it spends is there, is
  /// OP_TRUE, and is not spent. Searches from the tip down to the oldest of those outputs, and no
  /// further, because it can only be above them.
  Result<Placement> place(const bitcoin::Transaction& transaction, const Hash256& txid);

 private:
  struct Window;
  struct Search {
    std::optional<TransactionPosition> found;
    std::uint32_t searched_to = 0;  // all blocks up to this height
  };

  Status check_unchanged(std::uint64_t file_size);
  Status read_blocks(std::uint64_t file_size);
  Status fill(Window& window);
  Result<bool> read_record(Window& window);
  Status take(ByteView block, std::uint64_t offset);
  Result<bool> is_torn_end(std::uint64_t file_size);
  void read_durable_end();
  std::unexpected<Error> damaged(std::uint64_t height, std::uint64_t offset,
                                 std::string_view what) const;

  Fs& fs_;
  std::string folder_;
  std::unique_ptr<File> file_;
  std::vector<std::uint64_t> offsets_;  // of the records, by height
  HashIndex heights_;                   // by block hash
  std::map<Hash256, Search> searches_;  // by txid
  Hash256 tip_hash_{};
  std::uint32_t tip_time_s_ = 0;
  MedianTime median_time_;
  std::uint64_t end_bytes_ = 0;
  std::uint64_t torn_bytes_ = 0;
  DurableEnd durable_;
};

}  // namespace twinchain::ledger
