#include "twinchain/net/record_in_blocks.hpp"

#include "twinchain/base/crc32c.hpp"
#include "twinchain/net/data_transaction.hpp"
#include "unit/net/payer_for_tests.hpp"

using namespace twinchain;
using namespace twinchain::net;
using namespace twinchain::testing;

namespace {

constexpr std::int64_t later_s = std::int64_t{genesis_time_for_tests_s} + 100'000;

Frame as_frame(const FrameHeader& header, const Bytes& body) {
  Frame frame;
  frame.header = header;
  frame.header.body_size = static_cast<std::uint32_t>(body.size());
  frame.header.body_crc = crc32c(body);
  frame.body = Buffer(ByteView(body));
  return frame;
}

/// A chain of blocks in which frames are, and a record of them.
struct ChainedRecord {
  ChainedRecord() : chain(4) {}

  NetBlock add(std::vector<Bytes> frames) {
    std::vector<TransactionPtr> transactions;
    if (!frames.empty()) {
      const PayerCoin coin{chain.funding(next_coin++), 1'000'000};
      auto tx =
          make_data_transaction(chain.parameters, key_for_tests(), std::array{coin}, frames, 0, 0);
      REQUIRE(tx);
      transactions.push_back(*tx);
    }
    NetBlock block = chain.block(std::move(transactions), 0);
    chain.connect(block);
    blocks.push_back(block);
    return block;
  }
  std::vector<Frame> chain_frames(const NetBlock& block, std::uint32_t height) const {
    std::vector<Frame> frames;
    const Bytes raw = serialize(block);
    REQUIRE(block_frames(chain.parameters, height, block.header, raw,
                         [&](const FrameHeader& header, std::span<const ByteView> pieces) {
                           Bytes body;
                           for (const ByteView piece : pieces) append(body, piece);
                           frames.push_back(as_frame(header, body));
                           return Status();
                         }));
    return frames;
  }
  RecordInBlocksReport check(const std::vector<StreamFrame>& record,
                             const std::vector<std::size_t>& order) const {
    RecordInBlocks check(std::nullopt, 0, later_s);
    for (const StreamFrame& one : record) check.add_record_frame(as_frame(one.header, one.body));
    const NetworkFrame network = network_frame(chain.parameters);
    REQUIRE(check.add_chain_frame(as_frame(network.header, network.body)));
    for (const std::size_t at : order) {
      for (const Frame& frame : chain_frames(blocks[at], static_cast<std::uint32_t>(at + 1))) {
        REQUIRE(check.add_chain_frame(frame));
      }
    }
    auto report = check.finish();
    REQUIRE(report);
    return *report;
  }

  CoinsForTests chain;
  std::uint32_t next_coin = 0;
  std::vector<NetBlock> blocks;
};

Bytes whole(const StreamFrame& frame) {
  return encode_frame(frame.header, frame.body);
}

}  // namespace

TEST_CASE("a record whose frames are all in blocks") {
  ChainedRecord chained;
  const auto record = stream_frames(0, 5);
  chained.add({});
  chained.add({whole(record[0]), whole(record[1])});
  chained.add({whole(record[2])});
  chained.add({whole(record[3]), whole(record[4]), whole(record[0])});
  chained.add({});
  for (const auto& order : {std::vector<std::size_t>{0, 1, 2, 3, 4}, {4, 3, 2, 1, 0}}) {
    const auto report = chained.check(record, order);
    CHECK(report.frames == 5);
    CHECK(report.found == 5);
    CHECK(report.missing == 0);
    REQUIRE((report.first && report.last));
    CHECK(report.first->height == 2);
    CHECK(report.last->height == 4);
    CHECK(report.last->depth == 2);
    CHECK(report.last->time_s == chained.chain.time_s(4));
    CHECK(report.tip_height == 5);
    CHECK(report.gaps.empty());
    CHECK(report.code(2) == ExitCode::success);
    CHECK(report.code(3) == ExitCode::unproven);
    CHECK(report_text(report, 2).starts_with("verified: 5 of 5 frames are in block 2 ("));
    CHECK(report_text(report, 3).find("the last block is 2 deep, 3 are asked for") !=
          std::string::npos);
    CHECK(report_json(report, 2).find("\"verdict\":\"verified\"") != std::string::npos);
  }
}

TEST_CASE("frames that are missing, or not the same bit for bit, are named") {
  ChainedRecord chained;
  auto record = stream_frames(0, 3);
  record.push_back(stream_frame(3, 100, FrameType::anchor));
  chained.add({whole(record[0]), whole(record[1]), whole(record[2])});
  auto report = chained.check(record, {0});
  CHECK(report.missing == 0);
  CHECK(report.missing_later == 1);
  CHECK(report.code(1) == ExitCode::success);
  CHECK(report_text(report, 1).find("note: 1 frames of anchors") != std::string::npos);

  record[1].body[5] ^= 1;
  record[2].header.window_end_ns += 1;
  report = chained.check(record, {0});
  CHECK(report.found == 1);
  CHECK(report.missing == 2);
  CHECK(report.code(1) == ExitCode::unproven);
  REQUIRE(report.first_missing.size() == 2);
  CHECK(report.first_missing[0].find("DATA frame 1 of source") == 0);
  CHECK(report_text(report, 1).starts_with("unproven: 1 of 4 frames"));

  const auto nothing = chained.check({stream_frame(9, 50, FrameType::data)}, {0});
  CHECK_FALSE(nothing.first);
  CHECK(nothing.code(1) == ExitCode::unproven);
}

TEST_CASE("what is not on the branch of most work from the genesis block on does not count") {
  ChainedRecord chained;
  const auto record = stream_frames(0, 2);
  chained.add({whole(record[0])});
  chained.add({whole(record[1])});
  chained.add({});
  // Without block 2 the branch ends at block 1.
  const auto report = chained.check(record, {0, 2});
  CHECK(report.found == 1);
  CHECK(report.tip_height == 1);
  REQUIRE(report.gaps.size() == 1);
  CHECK(report.gaps[0].ends_with("is missing"));
  CHECK(report.code(1) == ExitCode::unproven);

  // A block whose transactions are not its header's.
  NetBlock forged = chained.blocks[2];
  forged.transactions.push_back(chained.blocks[1].transactions[1]);
  RecordInBlocks check(chained.chain.parameters, 0, later_s);
  check.add_record_frame(as_frame(record[1].header, record[1].body));
  auto added = check.add_chain_frame(chained.chain_frames(forged, 3)[0]);
  REQUIRE_FALSE(added);
  CHECK(added.error().code == ExitCode::malformed);
  CHECK(check.finish()->found == 0);

  // Of which network?
  RecordInBlocks lost(std::nullopt, 0, later_s);
  CHECK(lost.add_chain_frame(chained.chain_frames(forged, 3)[0]).error().code == ExitCode::usage);
  CHECK(lost.finish().error().code == ExitCode::usage);
  RecordInBlocks other(parameters_for_tests(), 0, later_s);
  const NetworkFrame network = network_frame(chained.chain.parameters);
  CHECK(other.add_chain_frame(as_frame(network.header, network.body)).error().code ==
        ExitCode::usage);
}
