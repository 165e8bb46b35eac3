// Gets the frames of a twin stream back from blocks. Floor 6.
//
// Blocks come in any order but with parents before children, or later; those of abandoned branches
// may be among them: what counts is the branch of most work (HeaderTree). Proof of work, difficulty
// and Merkle root are checked, and that a payer's transactions are signed by him; what they spend
// is not: that the nodes did which kept the blocks.
//
// Order: the chain of changes of each payer (data_transaction.hpp). Payers by
// the block and the place in it where they begin; chains of one payer by their lock time, then
// likewise. A frame that a payer sent twice is written once (of the newest 1,000,000 frames at the
// least).
//
// Memory: about 300 bytes a data transaction and a header, and one block. Transactions are kept in
// a file meanwhile.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "twinchain/net/block_validation.hpp"
#include "twinchain/net/data_transaction.hpp"
#include "twinchain/net/header_tree.hpp"
#include "twinchain/sys/fs.hpp"

namespace twinchain::net {

struct ExtractSelection {
  std::optional<EcdsaPublicKey> payer;
  std::optional<Id128> source;
};

struct ExtractCounts {
  std::uint64_t frames = 0;
  std::uint64_t duplicates = 0;
  std::uint64_t transactions = 0;
  std::uint64_t payers = 0;
  std::uint32_t height = 0;  ///< of the last block of the branch
  std::uint64_t abandoned_blocks = 0;
};

/// Not thread-safe.
class FrameExtractor {
 public:
  /// `spill`: an empty file of our own. `now_s`: headers of later than two hours from now on are
  /// refused.
  FrameExtractor(const ChainParameters& parameters, File& spill, WorkPool& workers,
                 std::int64_t now_s);

  /// A block as serialised. ExitCode::malformed, for this block only: it is damaged, or no block of
  /// this network; system for what ends it all.
  Status add_block(ByteView raw);
  /// No more blocks come. What is missing, one line each: "block HASH, which 3 blocks stand on, is
  /// missing".
  std::vector<std::string> finish();
  /// The tip of the branch of most work among the blocks that came.
  [[nodiscard]] const HeaderNode& tip() const { return tree_.best(); }

  using Sink = std::function<Status(const FrameHeader& header, ByteView body)>;
  /// After finish(). `note` takes what a payer's outputs with the network's tag hold besides
  /// frames.
  Result<ExtractCounts> write(const ExtractSelection& selection, const Sink& sink,
                              const std::function<void(const std::string&)>& note);

 private:
  struct Carrier {
    Hash256 txid{};
    Hash256 previous{};  ///< of which it spends the change, if that is a carrier
    std::uint32_t payer = 0;
    std::uint32_t size_bytes = 0;
    std::uint32_t chain_time_s = 0;
    std::uint64_t offset = 0;  ///< in the spill
  };
  struct Held {
    bitcoin::BlockHeader header;
    Hash256 hash{};
    std::vector<Carrier> carriers;  ///< in the order of the block
  };
  struct Walk;

  Result<std::vector<Carrier>> spill_carriers(const NetBlock& block);
  [[nodiscard]] std::vector<const Carrier*> branch_carriers(ExtractCounts& counts) const;
  Status write_carrier(const Carrier& carrier, Walk& walk);

  ChainParameters parameters_;
  File& spill_;
  std::uint64_t spilled_bytes_ = 0;
  WorkPool& workers_;
  std::int64_t now_s_;
  HeaderTree tree_;
  std::unordered_map<Hash256, Held, HashHasher> blocks_;
  std::vector<Hash256> waiting_;  ///< blocks whose parent is not there yet
  std::vector<EcdsaPublicKey> payers_;
  std::map<EcdsaPublicKey, std::uint32_t> payer_numbers_;
};

}  // namespace twinchain::net
