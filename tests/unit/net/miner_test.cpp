#include "twinchain/net/miner.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <thread>

#include "twinchain/iblt/sizing.hpp"
#include "twinchain/net/block_miner.hpp"
#include "twinchain/net/mine_stream.hpp"
#include "twinchain/net/network_frames.hpp"
#include "twinchain/net/skeleton_receiver.hpp"
#include "twinchain/stream/writer.hpp"
#include "twinchain/sys/fd.hpp"
#include "unit/net/blocks_for_tests.hpp"
#include "unit/net/pipe_for_tests.hpp"

using namespace twinchain;
using namespace twinchain::net;
using twinchain::testing::Pipe;

namespace {

std::shared_ptr<const Snapshot> list_of(const SnapshotInfo& info, std::vector<Hash256> txids = {}) {
  return std::make_shared<const Snapshot>(make_snapshot(info, std::move(txids)));
}

SnapshotInfo info_for(const ChainParameters& parameters, std::uint32_t height = 1) {
  SnapshotInfo info;
  info.id = height;
  info.height = height;
  info.tip[0] = static_cast<std::uint8_t>(height);
  info.bits = parameters.easiest_bits;
  info.min_time_s = parameters.genesis_time_s + 1;
  return info;
}

std::string refusal_of(const ChainParameters& parameters, const SnapshotInfo& info) {
  const auto block = make_pre_block(parameters, list_of(info), {}, 1, 0);
  if (block) return "";
  CHECK(block.error().code == ExitCode::refuted);
  return block.error().message;
}

// Of targets that no hash meets in a test's time.
constexpr std::uint32_t hardest_bits = 0x03000001;

void write_list(StreamWriter& writer, const ChainParameters& parameters, const Snapshot& list) {
  for (const NetworkFrame& frame : snapshot_frames(parameters, list)) {
    REQUIRE(writer.write(frame.header, frame.body));
  }
}

StreamEvent next_event(StreamReader& reader) {
  auto event = reader.next();
  REQUIRE(event);
  return std::move(*event);
}

}  // namespace

TEST_CASE("miner: a skeleton has the symbols that the list asks for, within reason") {
  const ChainParameters parameters = testing::parameters_for_tests();
  std::vector<Hash256> txids(800);
  for (std::size_t i = 0; i < txids.size(); ++i) store_le(txids[i].data(), std::uint64_t{i + 1});
  const auto symbols = [&](std::uint32_t stated, std::optional<std::uint64_t> extra) {
    SnapshotInfo info = info_for(parameters);
    info.expected_difference = stated;
    const auto block = make_pre_block(parameters, list_of(info, txids), {}, 1, 0);
    REQUIRE(block);
    const auto sender = make_skeleton_sender(*block, 5, extra);
    CHECK(sender->skeleton().salt == 5);
    return sender->skeleton().symbols.symbols.size();
  };
  CHECK(symbols(0, std::nullopt) < 16);
  CHECK(symbols(40, std::nullopt) == iblt::first_flight(40));
  CHECK(symbols(40, 70) == iblt::first_flight(70));
  CHECK(symbols(40, 0) < 16);
  // An M-node's word costs at most what short ids cost.
  CHECK(symbols(4'000'000'000, std::nullopt) == iblt::first_flight(100));
}

TEST_CASE("miner: a block of a list is one that nodes accept, with all that it may take") {
  testing::CoinsForTests chain(20);
  std::vector<TransactionPtr> transactions;
  std::vector<Hash256> txids;
  SnapshotInfo info = info_for(chain.parameters);
  info.tip = chain.coins->tip().block;
  for (std::uint32_t i = 0; i < 5; ++i) {
    transactions.push_back(testing::spend({chain.funding(i)}, {990'000}));
    txids.push_back(transactions.back()->txid);
    info.fees_sat += 10'000;
    info.size_bytes += testing::raw_of(transactions.back()).size();
  }
  const auto list = list_of(info, txids);
  auto block = make_pre_block(chain.parameters, list, testing::script_for_tests(), 7,
                              chain.parameters.genesis_time_s + 30);
  REQUIRE(block);
  CHECK(block->header.time_s == chain.parameters.genesis_time_s + 30);
  PuzzleOptions puzzle;
  puzzle.threads = 3;
  REQUIRE(solve_puzzle(*block, puzzle));
  CHECK(bitcoin::meets_target(bitcoin::block_hash(block->header), block->header.bits,
                              chain.parameters.easiest_target()));

  const auto sender = make_skeleton_sender(*block, 5);
  SkeletonReceiver receiver(sender->skeleton(), list->txids, {});
  REQUIRE(receiver.next() == SkeletonReceiver::Next::complete);
  NetBlock whole;
  whole.header = block->header;
  sort_canonically(transactions);
  whole.transactions = transactions;
  whole.transactions.insert(whole.transactions.begin(), share_transaction(block->coinbase));
  BlockEffects effects;
  const Verdict verdict = chain.check(whole, effects);
  CAPTURE(verdict.reason);
  CHECK(verdict.accepted());
  CHECK(effects.fees_sat == 50'000);
  CHECK(block->coinbase.outputs[0].value_sat ==
        chain.parameters.block_subsidy_sat(1) + effects.fees_sat);
}

TEST_CASE("miner: without a key nothing is taken, and each miner has its own coinbase") {
  const ChainParameters parameters = testing::parameters_for_tests();
  const auto list = list_of(info_for(parameters, 400));
  const auto one = make_pre_block(parameters, list, {}, 1, 0);
  const auto two = make_pre_block(parameters, list, {}, 2, 0);
  REQUIRE(one);
  REQUIRE(two);
  CHECK(one->coinbase.outputs.size() == 1);
  CHECK(one->coinbase.outputs[0].value_sat == 0);
  CHECK(one->coinbase.outputs[0].script_pubkey == Bytes{bitcoin::OP_RETURN});
  CHECK(bitcoin::coinbase_height(one->coinbase) == 400);
  CHECK(one->header.time_s == list->info.min_time_s);
  CHECK(one->header.merkle_root != two->header.merkle_root);
  PreBlock changed = *one;
  set_extra_nonce(changed, 2);
  CHECK(changed.header.merkle_root == two->header.merkle_root);
}

TEST_CASE("miner: lists that no block can be made of are refused") {
  const ChainParameters parameters = testing::parameters_for_tests();
  const SnapshotInfo good = info_for(parameters);
  CHECK(refusal_of(parameters, good).empty());
  SnapshotInfo info = good;
  info.height = 0;
  CHECK(refusal_of(parameters, info).find("block 0") != std::string::npos);
  info = good;
  info.bits = 0x217fffff;
  CHECK(refusal_of(parameters, info).find("difficulty") != std::string::npos);
  info.bits = 0;
  CHECK(refusal_of(parameters, info).find("difficulty") != std::string::npos);
  info = good;
  info.fees_sat = max_money_sat;
  CHECK(refusal_of(parameters, info).find("fees") != std::string::npos);
  info = good;
  info.size_bytes = parameters.block_limit_bytes - 100;
  CHECK(refusal_of(parameters, info).find("larger") != std::string::npos);
  info.size_bytes = ~std::uint64_t{0};
  CHECK(refusal_of(parameters, info).find("larger") != std::string::npos);
}

TEST_CASE("miner: a puzzle that is too hard ends when told to, and leaves the block as it was") {
  const ChainParameters parameters = testing::parameters_for_tests();
  SnapshotInfo info = info_for(parameters);
  info.bits = hardest_bits;
  auto block = make_pre_block(parameters, list_of(info), {}, 1, 0);
  REQUIRE(block);
  const bitcoin::BlockHeader before = block->header;
  std::atomic<int> asked{0};
  PuzzleOptions puzzle;
  puzzle.threads = 2;
  puzzle.stop = [&] { return ++asked > 5; };
  CHECK_FALSE(solve_puzzle(*block, puzzle));
  CHECK(block->header == before);
}

TEST_CASE("miner: the header's time is that of the clock when the work was done") {
  const ChainParameters parameters = testing::parameters_for_tests();
  auto block = make_pre_block(parameters, list_of(info_for(parameters)), {}, 1, 0);
  REQUIRE(block);
  PuzzleOptions puzzle;
  puzzle.now_s = [] { return 1'900'000'000U; };
  REQUIRE(solve_puzzle(*block, puzzle));
  CHECK(block->header.time_s == 1'900'000'000);
  puzzle.now_s = [] { return 5U; };
  REQUIRE(solve_puzzle(*block, puzzle));
  CHECK(block->header.time_s == parameters.genesis_time_s + 1);
}

TEST_CASE("miner: work on an old tip is dropped for the new one, and a tip gets one block") {
  const ChainParameters parameters = testing::parameters_for_tests();
  std::mutex mutex;
  std::vector<std::uint32_t> heights;
  int refused = 0;
  BlockMiner miner(
      parameters, {.threads = 2, .payout_script = {}},
      [&](const MinedBlock& mined) {
        const std::lock_guard lock(mutex);
        heights.push_back(mined.height);
        return true;
      },
      [&](const Error&) {
        const std::lock_guard lock(mutex);
        ++refused;
      });
  SnapshotInfo hard = info_for(parameters, 1);
  hard.bits = hardest_bits;
  miner.set_list(list_of(hard));
  CHECK_FALSE(miner.wait_done(50));
  miner.set_list(list_of(info_for(parameters, 2)));
  const auto count = [&] {
    const std::lock_guard lock(mutex);
    return heights.size();
  };
  for (int i = 0; i < 1000 && count() < 1; ++i) CHECK_FALSE(miner.wait_done(10));
  SnapshotInfo again = info_for(parameters, 2);
  again.id = 3;
  miner.set_list(list_of(again));
  miner.finish();
  REQUIRE(miner.wait_done(10'000));
  CHECK(heights == std::vector<std::uint32_t>{2});
  CHECK(refused == 0);
}

TEST_CASE("miner: who says that it is enough gets no further block") {
  const ChainParameters parameters = testing::parameters_for_tests();
  std::atomic<int> found = 0;
  BlockMiner miner(
      parameters, {.threads = 1, .payout_script = {}},
      [&](const MinedBlock&) {
        ++found;
        return false;
      },
      [](const Error&) {});
  miner.set_list(list_of(info_for(parameters, 1)));
  REQUIRE(miner.wait_done(10'000));
  miner.set_list(list_of(info_for(parameters, 2)));
  CHECK(miner.wait_done(0));
  CHECK(found == 1);
}

TEST_CASE("mine stream: lists in, skeletons out, and END when the input ends") {
  const ChainParameters parameters = testing::parameters_for_tests();
  Pipe in;
  Pipe out;
  StreamWriter writer(in.to.get());
  const NetworkFrame rules = network_frame(parameters);
  REQUIRE(writer.write(rules.header, rules.body));
  const auto txid = Hash256{9};
  const auto list = list_of(info_for(parameters, 3), {txid});
  write_list(writer, parameters, *list);
  FrameHeader other;
  other.type = static_cast<FrameType>(0x777);
  REQUIRE(writer.write(other, as_bytes("passed on")));
  REQUIRE(writer.finish());
  in.to.reset();
  MineStreamOptions options;
  options.input_fd = in.from.get();
  options.output_fd = out.to.get();
  CHECK(mine_stream(options) == ExitCode::success);
  out.to.reset();

  StreamReader reader(out.from.get());
  const auto first = next_event(reader);
  CHECK(read_network_frame(first.frame) == parameters);
  bool passed = false;
  std::optional<SkeletonFrame> mined;
  bool named = false;
  for (int i = 0; i < 3; ++i) {
    const auto event = next_event(reader);
    REQUIRE(event.kind == StreamEventKind::frame);
    if (event.frame.header.type == FrameType::snapshot) {
      // The list comes before the skeleton that names it.
      CHECK_FALSE(mined);
      SnapshotAssembler assembler;
      REQUIRE(assembler.add(event.frame.body.view()));
      named = assembler.take() == *list;
    } else if (event.frame.header.type == other.type) {
      passed = as_text(event.frame.body.view()) == "passed on";
    } else {
      auto read = read_skeleton_frame(event.frame, network_source(parameters));
      REQUIRE(read);
      mined = std::move(*read);
    }
  }
  CHECK(passed);
  CHECK(named);
  REQUIRE(mined);
  CHECK(mined->height == 3);
  SkeletonReceiver receiver(mined->skeleton, list->txids, {});
  CHECK(receiver.txids() == list->txids);
  CHECK(next_event(reader).kind == StreamEventKind::end);
}

TEST_CASE("mine stream: ends after so many blocks though the input goes on") {
  const ChainParameters parameters = testing::parameters_for_tests();
  Pipe in;
  Pipe out;
  StreamWriter writer(in.to.get());
  write_list(writer, parameters, *list_of(info_for(parameters, 1)));
  MineStreamOptions options;
  options.input_fd = in.from.get();
  options.output_fd = out.to.get();
  options.parameters = parameters;
  options.count = 1;
  CHECK(mine_stream(options) == ExitCode::success);
  StreamReader reader(out.from.get());
  CHECK(next_event(reader).frame.header.type == FrameType::network);
  CHECK(next_event(reader).frame.header.type == FrameType::snapshot);
  CHECK(next_event(reader).frame.header.type == FrameType::skeleton);
  CHECK(next_event(reader).kind == StreamEventKind::end);
}

TEST_CASE("mine stream: what is not this network's, or is cut off, ends without END") {
  const ChainParameters parameters = testing::parameters_for_tests();
  ChainParameters others = parameters;
  others.name = "other";
  mine_genesis(others, [] { return false; });
  Pipe in;
  Pipe out;
  StreamWriter writer(in.to.get());
  MineStreamOptions options;
  options.input_fd = in.from.get();
  options.output_fd = out.to.get();
  options.parameters = parameters;
  ExitCode code = ExitCode::refuted;
  SUBCASE("another network's rules") {
    const NetworkFrame rules = network_frame(others);
    REQUIRE(writer.write(rules.header, rules.body));
  }
  SUBCASE("another network's list") {
    write_list(writer, others, *list_of(info_for(others)));
  }
  SUBCASE("no rules") {
    options.parameters.reset();
    write_list(writer, parameters, *list_of(info_for(parameters)));
    code = ExitCode::malformed;
  }
  SUBCASE("a list that does not have its root") {
    Snapshot list = *list_of(info_for(parameters), {Hash256{1}});
    list.txids[0][0] = 2;
    write_list(writer, parameters, list);
  }
  SUBCASE("no END") {
    SnapshotInfo hard = info_for(parameters);
    hard.bits = hardest_bits;
    write_list(writer, parameters, *list_of(hard));
    code = ExitCode::malformed;
  }
  in.to.reset();
  const auto mined = mine_stream(options);
  REQUIRE_FALSE(mined);
  CHECK(mined.error().code == code);
}

TEST_CASE("mine stream: a stop ends work that would take for ever") {
  const ChainParameters parameters = testing::parameters_for_tests();
  Pipe in;
  Pipe out;
  Pipe stop;
  StreamWriter writer(in.to.get());
  SnapshotInfo hard = info_for(parameters);
  hard.bits = hardest_bits;
  write_list(writer, parameters, *list_of(hard));
  SUBCASE("while the input goes on") {}
  SUBCASE("after the input has ended") {
    REQUIRE(writer.finish());
    in.to.reset();
  }
  MineStreamOptions options;
  options.input_fd = in.from.get();
  options.output_fd = out.to.get();
  options.stop_fd = stop.from.get();
  options.parameters = parameters;
  REQUIRE(write_all(stop.to.get(), as_bytes("x")));
  const auto mined = mine_stream(options);
  REQUIRE_FALSE(mined);
  CHECK(mined.error().code == ExitCode::loss);
}
