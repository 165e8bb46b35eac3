// Byte blocks and integer blocks, the pieces that columns are made of. Floor 3. Specified in
// twin-stream(5), "Columns".
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "twinchain/base/buffer.hpp"
#include "twinchain/base/result.hpp"
#include "twinchain/record/column_format.hpp"
#include "twinchain/record/column_kernels.hpp"

namespace twinchain::record {

/// How a sequence of integers is turned into small ones and packed. Any plan gives the same
/// values back; a good one few bytes.
struct IntegerPlan {
  std::uint8_t order = 0;   ///< of differences, 0 to max_difference_order
  bool zigzag = true;       ///< small negative numbers become small positive ones
  bool rice = true;         ///< else byte planes
  bool descending = false;  ///< differences from a base near the largest, downwards; no zigzag
  /// Planes (bit 0: the least significant) for which zstd is tried.
  std::uint8_t zstd_planes = 0xff;
  /// Divides all differences once they are taken from one of them; a factor that turns out not to
  /// is not used.
  std::uint64_t factor = 1;
};

/// What the plan does to these words, of which there are more than its order.
ResidualRule residual_rule(const IntegerPlan& plan, std::span<const std::uint64_t> words);

/// Appends blocks. Keeps its working memory. Not thread-safe.
class BlockWriter {
 public:
  BlockWriter();
  ~BlockWriter();
  BlockWriter(BlockWriter&&) noexcept;

  /// A byte block: kind and bytes. The reader knows the size.
  void append_bytes(Buffer& out, ByteView bytes, bool try_zstd = true);
  /// A byte block of 8-byte words.
  void append_plain(Buffer& out, std::span<const std::uint64_t> words, bool try_zstd);
  /// An integer block of two's complement words. The reader knows the count, which is at least 1.
  void append_integers(Buffer& out, std::span<const std::uint64_t> words, IntegerPlan plan);

 private:
  struct Compressor;
  /// Appends without the kind.
  BlockKind append_plane(Buffer& out, ByteView bytes, bool try_zstd);
  void append_planes(Buffer& out, std::span<const std::uint64_t> words, std::size_t plane_count,
                     std::uint8_t zstd_planes);

  std::unique_ptr<Compressor> compressor_;
  std::vector<std::uint64_t> residuals_;
  Buffer planes_;
};

/// Reads what BlockWriter wrote, from untrusted bytes. Errors: ExitCode::malformed.
class BlockReader {
 public:
  explicit BlockReader(ByteView bytes) : bytes_(bytes), in_(bytes) {}

  /// Fixed-size fields; see ByteCursor.
  ByteCursor& fields() { return in_; }
  Result<std::uint64_t> read_varint();
  /// Fills `bytes`.
  Status read_bytes(std::span<std::uint8_t> bytes);
  /// Fills `words`, of which there is at least one.
  Status read_integers(std::span<std::uint64_t> words);
  /// An error when bytes are left over.
  Status finish() const;

 private:
  Status read_plane(BlockKind kind, std::span<std::uint8_t> bytes);
  Status read_planes(std::span<std::uint64_t> words);

  ByteView bytes_;
  ByteCursor in_;
  Bytes plane_;
};

}  // namespace twinchain::record
