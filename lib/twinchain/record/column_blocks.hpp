// Byte blocks and integer blocks, the pieces that columns are made of. Floor 3. Specified in
// twin-stream(5), "Columns".
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "twinchain/base/buffer.hpp"
#include "twinchain/base/result.hpp"
#include "twinchain/record/column_format.hpp"

namespace twinchain::record {

/// How a sequence of integers is turned into small ones. Any plan gives the same values back; a
/// good one few bytes.
struct IntegerPlan {
  unsigned order = 0;        ///< of differences, 0 to max_difference_order
  bool zigzag = true;        ///< small negative numbers become small positive ones
  std::uint64_t base = 0;    ///< taken off each difference, modulo 2^64
  std::uint64_t factor = 1;  ///< divides what is left; a plan with a wrong factor is not used
  /// Planes (bit 0: the least significant) for which zstd is tried.
  std::uint8_t zstd_planes = 0xff;
};

/// Looks at a part of the integers only. `words` are two's complement.
IntegerPlan choose_integer_plan(std::span<const std::uint64_t> words);

/// Appends blocks. Keeps its working memory. Not thread-safe.
class BlockWriter {
 public:
  BlockWriter();
  ~BlockWriter();
  BlockWriter(BlockWriter&&) noexcept;

  /// A byte block: kind and bytes. The reader knows the size.
  void append_bytes(Buffer& out, ByteView bytes, bool try_zstd = true);
  /// An integer block. The reader knows the count, which is at least 1.
  /// Gives the planes that zstd made smaller.
  std::uint8_t append_integers(Buffer& out, std::span<const std::uint64_t> words, IntegerPlan plan);
  void append_integers(Buffer& out, std::span<const std::uint64_t> words) {
    append_integers(out, words, choose_integer_plan(words));
  }

 private:
  struct Compressor;
  /// Appends without the kind.
  BlockKind append_plane(Buffer& out, ByteView bytes, bool try_zstd);

  std::unique_ptr<Compressor> compressor_;
  std::vector<std::uint64_t> residuals_;
  Buffer planes_;
};

/// Reads what BlockWriter wrote, from untrusted bytes. Errors: ExitCode::malformed.
class BlockReader {
 public:
  explicit BlockReader(ByteView bytes) : in_(bytes) {}

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

  ByteCursor in_;
  Bytes plane_;
};

}  // namespace twinchain::record
