// An M-node's numbered list of valid transactions. Floor 6.
//
// Miners make blocks of these lists, and a skeleton names the list it was made from, so that a
// receiver reconciles a block against nearly the same set instead of against its whole mempool.
// What a miner needs besides the hashes is there as well: on which block, at what difficulty, what
// fees.
//
// Canonical order: the coinbase first, then ascending txids, compared as 32 bytes in internal order
// (as they are in transactions and in the Merkle tree, not as they are displayed), the first byte
// first. So the order of a block costs nothing to send. A transaction may stand before one whose
// output it spends: whoever validates a block puts all outputs in place before it looks for inputs.
//
// All functions are thread-safe; a SnapshotAssembler belongs to one thread at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "twinchain/base/bytes.hpp"
#include "twinchain/base/result.hpp"

namespace twinchain::net {

/// 128 MiB of txids.
inline constexpr std::uint32_t max_snapshot_count = std::uint32_t{1} << 22;
/// A part of a list fits into a frame with room to spare: 8 MiB.
inline constexpr std::uint32_t snapshot_part_count = std::uint32_t{1} << 18;
inline constexpr std::size_t snapshot_info_size = 112;

bool canonical_less(const Hash256& a, const Hash256& b);
/// Ascending, none twice.
bool in_canonical_order(std::span<const Hash256> txids);

struct SnapshotInfo {
  std::uint64_t id = 0;          ///< grows by one with each list of a node; 0: none
  std::uint32_t count = 0;       ///< of transactions, without a coinbase
  Hash256 root{};                ///< snapshot_root of them
  Hash256 tip{};                 ///< the block that they are valid after
  std::uint32_t height = 0;      ///< of the block to be made
  std::uint32_t bits = 0;        ///< its difficulty
  std::uint32_t min_time_s = 0;  ///< the earliest time its header may state
  /// How many transactions the pools of others are thought to lack of the list or to have beyond it
  /// when they get a block of it; an estimate of the node that made the list. 0: not known.
  std::uint32_t expected_difference = 0;
  std::int64_t fees_sat = 0;     ///< of all of them together
  std::uint64_t size_bytes = 0;  ///< of all of them together
  bool operator==(const SnapshotInfo&) const = default;
};

struct Snapshot {
  SnapshotInfo info;
  std::vector<Hash256> txids;  ///< in canonical order
  bool operator==(const Snapshot&) const = default;
};

/// The root of the RFC 6962 tree over the txids as data (merkle.hpp), in the order given.
Hash256 snapshot_root(std::span<const Hash256> txids);

/// Sorts the txids and fills in count and root. At most max_snapshot_count, none of them twice.
Snapshot make_snapshot(const SnapshotInfo& info, std::vector<Hash256> txids);

/// One part of a list, of the txids from index `first` on: an empty list has one part.
Bytes encode_snapshot_part(const Snapshot& snapshot, std::uint32_t first);
/// All parts of a list: at most snapshot_part_count txids each.
std::vector<Bytes> encode_snapshot(const Snapshot& snapshot);

/// What a part or a delta is about, without checking what follows. Errors (ExitCode::malformed)
/// start with "snapshot: byte N:".
Result<SnapshotInfo> parse_snapshot_info(ByteView bytes);

/// Puts a list together from its parts, in order. Holds no more than the parts that came.
class SnapshotAssembler {
 public:
  explicit SnapshotAssembler(std::uint32_t max_count = max_snapshot_count)
      : max_count_(max_count) {}

  /// The next part. The first part of another list (or of the same one again) begins anew. Once the
  /// last part is there, order and root are checked (ExitCode::refuted when the root is wrong);
  /// after an error the assembler is empty.
  Status add(ByteView part);
  /// A whole list, once; the assembler is then empty.
  std::optional<Snapshot> take();

 private:
  Status add_checked(ByteView part);

  std::uint32_t max_count_;
  Snapshot snapshot_;
  bool started_ = false;
};

/// The change from `base` to `next`. Error (ExitCode::malformed) when it takes more than
/// snapshot_part_count txids: then the list itself is to be sent.
Result<Bytes> encode_snapshot_delta(const Snapshot& base, const Snapshot& next);
/// The list that a delta leads to. ExitCode::unproven when `base` is not the list it starts from;
/// ExitCode::refuted when the result does not have the root that the delta states.
Result<Snapshot> apply_snapshot_delta(const Snapshot& base, ByteView delta,
                                      std::uint32_t max_count = max_snapshot_count);

}  // namespace twinchain::net
