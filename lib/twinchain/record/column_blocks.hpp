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

/// How a sequence of integers is turned into small ones and packed. Any plan gives the same
/// values back; a good one few bytes.
struct IntegerPlan {
  std::uint8_t order = 0;  ///< of differences, 0 to max_difference_order
  bool zigzag = true;      ///< small negative numbers become small positive ones
  bool rice = true;        ///< else byte planes
  /// Planes (bit 0: the least significant) for which zstd is tried.
  std::uint8_t zstd_planes = 0xff;
  /// Divides all differences once they are taken from one of them; a factor that turns out not to
  /// is not used.
  std::uint64_t factor = 1;
};

/// Appends blocks. Keeps its working memory. Not thread-safe.
class BlockWriter {
 public:
  BlockWriter();
  ~BlockWriter();
  BlockWriter(BlockWriter&&) noexcept;

  /// A byte block: kind and bytes. The reader knows the size.
  void append_bytes(Buffer& out, ByteView bytes, bool try_zstd = true);
  /// An integer block of two's complement words. The reader knows the count, which is at least 1.
  void append_integers(Buffer& out, std::span<const std::uint64_t> words, IntegerPlan plan);

  /// A plan with its estimated cost.
  struct Choice {
    IntegerPlan plan;
    double bytes_per_value = 0;
  };
  /// Looks at a part of the words. With `try_planes` byte planes and zstd are weighed, which
  /// takes about as long as compressing that part a few times.
  Choice choose_integers(std::span<const std::uint64_t> words, bool try_planes);
  /// Byte planes of the words as they are: f64 that are neither decimals nor close together.
  Choice choose_planes(std::span<const std::uint64_t> words);
  /// Bytes that zstd makes of a part of the words as they are, for each value.
  double plain_bytes_per_value(std::span<const std::uint64_t> words);

 private:
  struct Compressor;
  /// Appends without the kind.
  BlockKind append_plane(Buffer& out, ByteView bytes, bool try_zstd);
  void append_planes(Buffer& out, std::size_t count, std::uint64_t used, std::uint8_t zstd_planes);
  /// Of the first `count` residuals. Sets plan.zstd_planes.
  double planes_bytes_per_value(std::size_t count, std::uint64_t used, IntegerPlan& plan);

  std::unique_ptr<Compressor> compressor_;
  std::vector<std::uint64_t> residuals_;
  Buffer planes_;
  Buffer trial_;
};

/// The part of a column by which it is judged.
inline constexpr std::size_t integer_sample_size = 1024;
template <class T>
std::span<T> middle(std::span<T> all, std::size_t size) {
  return all.size() <= size ? all : all.subspan((all.size() - size) / 2, size);
}

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
