// Whole blocks in a store, as BLOCK frames (network_frames.hpp). Floor 6.
//
// What a storage node keeps is an ordinary store: `store put` fills one as well, `store get`,
// `store fsck` and `store export` work on it, and it can be read without a network.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "twinchain/net/header_tree.hpp"
#include "twinchain/net/network_frames.hpp"
#include "twinchain/storage/writer.hpp"

namespace twinchain::net {

/// Belongs to the thread that opens it (LMDB's rule for transactions).
class StoredBlocks {
 public:
  /// Where a block is: enough to read its parts without looking for them again.
  struct Place {
    Hash256 block{};
    std::uint64_t size_bytes = 0;
    std::uint32_t height = 0;
    std::vector<std::uint32_t> ordinals;  ///< one a part (storage::FrameKey)
  };

  /// Locks the store for writing. Reads 116 bytes of each BLOCK frame of the network; memory is
  /// about 100 bytes a block. A block that lacks a part is not here.
  static Result<std::unique_ptr<StoredBlocks>> open(Fs& fs, const std::string& folder,
                                                    const ChainParameters& parameters,
                                                    const storage::WriterOptions& options,
                                                    const storage::Notes& notes);

  [[nodiscard]] bool contains(const Hash256& block) const { return blocks_.contains(block); }
  [[nodiscard]] std::size_t count() const { return blocks_.size(); }
  [[nodiscard]] std::uint64_t size_bytes() const { return size_bytes_; }

  /// Durable when it returns. `header` is that of `raw`; the caller has checked both. False when
  /// there are as many frames of that height as a store takes. An error ends it.
  Result<bool> add(std::uint32_t height, const bitcoin::BlockHeader& header, ByteView raw);

  /// Nothing when it is not here.
  Result<std::optional<Place>> find(const Hash256& block);
  /// Of block_frame_part_bytes each but the last; `number` is less than the place's ordinals.
  /// Nothing when it cannot be read any more: then the block is forgotten, so that it can be added
  /// again.
  Result<std::optional<Bytes>> part(const Place& place, std::size_t number);

  /// To be called now and then, and at the end.
  Status commit_index() { return writer_->commit_index(false); }
  Status close() { return writer_->close(); }

 private:
  struct Known {
    std::uint64_t size_bytes;
    std::uint32_t height;
  };
  StoredBlocks(Fs& fs, const ChainParameters& parameters,
               std::unique_ptr<storage::StoreWriter> writer);
  Status scan(const storage::Notes& notes);
  Result<std::optional<BlockFrameHead>> head_of(const storage::FrameEntry& entry);
  Result<std::optional<Bytes>> read_part(const Place& place, std::size_t number);
  void remember(const Hash256& block, const Known& known);
  void forget(const Hash256& block);

  ChainParameters parameters_;
  Id128 source_;
  std::unique_ptr<storage::StoreWriter> writer_;
  storage::FrameFetcher fetcher_;
  std::unordered_map<Hash256, Known, HashHasher> blocks_;
  std::uint64_t size_bytes_ = 0;
};

}  // namespace twinchain::net
