// Where a node keeps the bodies of blocks. Floor 6.
#pragma once

#include <map>
#include <memory>
#include <optional>

#include "twinchain/net/header_tree.hpp"
#include "twinchain/sys/fs.hpp"

namespace twinchain::net {

/// Not thread-safe.
class BlockStore {
 public:
  virtual ~BlockStore() = default;
  /// Keeps a block as serialised; durable when it returns. One that is there already is left.
  virtual Status put(const Hash256& hash, ByteView raw) = 0;
  /// Nothing when it is not here.
  virtual Result<std::optional<Bytes>> get(const Hash256& hash) = 0;
  /// The hashes of all, in the order in which they came.
  [[nodiscard]] virtual std::vector<Hash256> all() const = 0;
};

/// One file of records: size u32, CRC-32C of the block u32, block; behind 8 bytes "TWBLOCK1" and
/// the genesis hash. A torn or damaged record ends the file: it is cut off there when opened.
/// Opening reads the whole file once; memory is about 100 bytes a block.
Result<std::unique_ptr<BlockStore>> open_block_file(Fs& fs, const std::string& path,
                                                    const ChainParameters& parameters,
                                                    std::uint64_t* dropped_bytes = nullptr);

}  // namespace twinchain::net
