// Whether the frames of a record are in the blocks of a network, bit for bit. Floor 6.
//
// Blocks come in any order; what counts is the branch of most work that begins with the genesis
// block (HeaderTree). Proof of work, difficulty and Merkle root are checked; what transactions
// spend is not: that a frame is in such a block is what proves its age, whoever paid for it.
//
// Memory: about 150 bytes a frame of the record, 300 a block, and one block.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "twinchain/net/block_validation.hpp"
#include "twinchain/net/header_tree.hpp"
#include "twinchain/net/network_frames.hpp"
#include "twinchain/net/remembered_frames.hpp"

namespace twinchain::net {

struct RecordPlace {
  std::uint32_t height = 0;
  std::uint32_t depth = 0;  ///< 1 for the tip
  std::int64_t time_s = 0;
  Hash256 block{};
};

struct RecordInBlocksReport {
  std::uint64_t frames = 0;  ///< of the record, those that are the same counted once
  std::uint64_t found = 0;
  /// Frames that are missing though a record has them when it is sealed, and those that are added
  /// later (ANCHOR, COSIGNATURE), whose lack says nothing.
  std::uint64_t missing = 0;
  std::uint64_t missing_later = 0;
  std::vector<std::string> first_missing;  ///< some of them, for people
  std::optional<RecordPlace> first;        ///< lowest and highest block with a frame of the record
  std::optional<RecordPlace> last;
  std::uint32_t tip_height = 0;
  bitcoin::UInt256 work;
  std::string network;            ///< as receipts call it
  std::vector<std::string> gaps;  ///< blocks that are missing

  /// unproven: a frame is missing, or less deep than this.
  [[nodiscard]] ExitCode code(std::uint32_t min_depth) const;
};
std::string report_text(const RecordInBlocksReport& report, std::uint32_t min_depth);
std::string report_json(const RecordInBlocksReport& report, std::uint32_t min_depth);

/// First all frames of the record, then all of the chain. Not thread-safe.
class RecordInBlocks {
 public:
  /// Without `parameters` those of the chain's first NETWORK frame are believed. `now_s`: headers
  /// of later than two hours from now on are refused.
  RecordInBlocks(std::optional<ChainParameters> parameters, unsigned threads, std::int64_t now_s);

  /// A frame of the record. END frames are of the stream, and left out.
  void add_record_frame(const Frame& frame);
  /// NETWORK and BLOCK frames; others are nothing to it. ExitCode::malformed is about this frame
  /// only; usage: the chain is of another network, or says not which.
  Status add_chain_frame(const Frame& frame);
  /// ExitCode::usage when there was no network.
  Result<RecordInBlocksReport> finish();

 private:
  struct RecordFrame {
    FrameType type = FrameType::data;
    Id128 source{};
    std::uint64_t sequence = 0;
    bool found = false;
  };
  /// What is there when the rules are known.
  struct Chain {
    Chain(const ChainParameters& parameters_given)
        : parameters(parameters_given),
          source(network_source(parameters)),
          reader(source, parameters.block_limit_bytes),
          tree(parameters) {}
    ChainParameters parameters;
    Id128 source;
    BlockFrameReader reader;
    HeaderTree tree;
  };
  struct Held {
    bitcoin::BlockHeader header;
    std::vector<std::uint32_t> frames;  ///< of the record, that it has
  };

  Status take_network(const Frame& frame);
  Status add_block(ByteView raw);
  std::vector<std::string> place_waiting();
  void add_missing(RecordInBlocksReport& report) const;

  WorkPool workers_;
  std::int64_t now_s_;
  std::vector<RecordFrame> record_;
  std::unordered_map<Id128, std::uint32_t, FrameIdHasher> numbers_;
  std::unique_ptr<Chain> chain_;
  std::unordered_map<Hash256, Held, HashHasher> blocks_;
  std::vector<Hash256> waiting_;  ///< blocks whose parent is not there yet
};

}  // namespace twinchain::net
