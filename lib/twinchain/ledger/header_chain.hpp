// Block headers from a file, so that a receipt can be placed without a node. Floor 4.
//
// The file is block headers of 80 bytes, one after the other in the order of the chain, as
// `getblockheader HASH false` gives them (in hexadecimal) and light clients keep them.
//
// Checked: that each header follows the one before it, that each meets the proof of work it states,
// that the difficulty it states is the one that the chain's rules ask for, and that its time is
// after the median of the eleven before it. A file that begins in the middle of a difficulty period
// cannot show why the next period has its difficulty: within the four times that the rules allow it
// is believed. So a file from a stranger proves only as much work as work() says; from a checkpoint
// or a genesis, with that work compared to the known work of the chain, it proves the chain.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "twinchain/base/result.hpp"
#include "twinchain/bitcoin/header.hpp"
#include "twinchain/bitcoin/uint256.hpp"
#include "twinchain/ledger/hash_index.hpp"
#include "twinchain/ledger/ledger.hpp"
#include "twinchain/sys/fs.hpp"

namespace twinchain::ledger {

/// What is wrong with the next header of a chain, or nothing.
using HeaderRule = std::function<std::optional<std::string>(const bitcoin::BlockHeader&)>;

struct HeaderChainOptions {
  Network network;
  /// Of the file's first header. 0: it must be the network's genesis.
  std::uint32_t first_height = 0;
  /// Checkpoint: what the first header's hash must be. Without it, and with a height above 0, the
  /// first header is believed as it is.
  std::optional<Hash256> first_hash;
  /// Threads for the proof of work, which takes long on Litecoin; 0: the caller's own.
  unsigned threads = std::thread::hardware_concurrency();
  /// Difficulty and time by the rules of a made network, from the file's first header on. Empty:
  /// those of the network.
  HeaderRule rule = {};
};

/// The file stays open and must not change. Memory is about 10 bytes a header. Not thread-safe.
class HeaderChain {
 public:
  /// Reads and checks the whole file. Errors: ExitCode::system (cannot read), malformed (empty, not
  /// a multiple of 80 bytes), refuted (a header is wrong), all naming file, header and byte.
  static Result<HeaderChain> open(Fs& fs, const std::string& path,
                                  const HeaderChainOptions& options);

  [[nodiscard]] Tip tip() const { return tip_; }
  [[nodiscard]] std::uint32_t first_height() const { return first_height_; }
  /// Sum of the expected hashes of all headers.
  [[nodiscard]] const bitcoin::UInt256& work() const { return work_; }
  /// Whether a block is among the headers, its height, and its depth below the last one.
  Result<BlockPosition> position(const Hash256& block_hash);
  /// Nothing when the height is before the first header or after the last.
  Result<std::optional<bitcoin::BlockHeaderBytes>> header_at(std::uint32_t height);

 private:
  HeaderChain() = default;

  std::unique_ptr<File> file_;
  std::string path_;
  std::uint32_t first_height_ = 0;
  HashIndex index_;
  Tip tip_{};
  bitcoin::UInt256 work_;
};

}  // namespace twinchain::ledger
