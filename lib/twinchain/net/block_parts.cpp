#include "twinchain/net/block_parts.hpp"

#include <algorithm>

namespace twinchain::net {

bool has_block_hash(ByteView raw, const Hash256& block) {
  ByteCursor cursor(raw);
  const auto header = cursor.read_array<bitcoin::block_header_size>();
  return cursor.ok() && bitcoin::block_hash(header) == block;
}

BlockParts::Taken BlockParts::take(const BlockPart& part) {
  const bool is_first = bytes_.empty();
  const bool fits = !refused_ && part.block == block_ &&
                    (is_first ? part.size_bytes <= limit_bytes_ : part.size_bytes == size_bytes_) &&
                    part.offset == bytes_.size() && !part.bytes.empty() &&
                    part.bytes.size() <= part.size_bytes - bytes_.size();
  if (!fits) {
    refused_ = true;
    bytes_ = Bytes();  // gives its memory back, which {} would not
    return Taken::misfit;
  }
  size_bytes_ = part.size_bytes;
  // Grows by itself as vectors do, but not past the end of the block.
  const std::size_t wanted = bytes_.size() + part.bytes.size();
  if (wanted > bytes_.capacity()) {
    bytes_.reserve(std::min<std::uint64_t>(size_bytes_, std::max(wanted, 2 * bytes_.capacity())));
  }
  append(bytes_, part.bytes);
  return bytes_.size() == size_bytes_ ? Taken::whole : Taken::more;
}

Verdict BlockParts::read(const ChainParameters& parameters, WorkPool& workers,
                         NetBlock& into) const {
  if (!has_block_hash(bytes_, block_)) {
    return Verdict::mismatched("another block than was asked for");
  }
  return read_block(parameters, bytes_, workers, into);
}

}  // namespace twinchain::net
