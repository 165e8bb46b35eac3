// A block that comes in the parts of BlockPart messages, and whether it is the block that it is to
// be. Floor 6.
//
// Not thread-safe.
#pragma once

#include "twinchain/net/block_validation.hpp"
#include "twinchain/net/wire.hpp"

namespace twinchain::net {

/// Whether `raw` begins with the header that has this hash.
bool has_block_hash(ByteView raw, const Hash256& block);

/// Parts come in order and without gaps, none is empty, none comes after the end, and all say the
/// same size, which is no more than the limit. A part is looked at before anything is allocated for
/// it. What is held is what has come, in a buffer that is never larger than the size that the parts
/// say: announcing a large block costs its sender the sending of it.
class BlockParts {
 public:
  enum class Taken {
    more,    ///< further parts are wanted
    whole,   ///< it was the last one
    misfit,  ///< it does not fit those before it: nothing is held, and every further one is a
             ///< misfit
  };

  BlockParts(const Hash256& block, std::uint64_t limit_bytes)
      : block_(block), limit_bytes_(limit_bytes) {}

  /// Of whichever peer the caller has asked: it is for the caller to know whose parts these are.
  Taken take(const BlockPart& part);

  [[nodiscard]] const Hash256& block() const { return block_; }
  /// As the parts say; 0 before the first one.
  [[nodiscard]] std::uint64_t size_bytes() const { return size_bytes_; }
  /// What has come: the serialised block when it is whole. Belongs to this, until the next call.
  [[nodiscard]] const Bytes& bytes() const { return bytes_; }
  /// Gives the bytes away; nothing is held afterwards, as before the first part.
  Bytes take_bytes() { return std::exchange(bytes_, {}); }

  /// Of a whole block: mismatched unless its header has the block's hash and the rest can be read
  /// as the transactions of a block (read_block()). That these are the header's is seen by
  /// check_block_body().
  Verdict read(const ChainParameters& parameters, WorkPool& workers, NetBlock& into) const;

 private:
  Hash256 block_;
  std::uint64_t limit_bytes_;
  std::uint64_t size_bytes_ = 0;
  Bytes bytes_;
  bool refused_ = false;
};

}  // namespace twinchain::net
