#include "twinchain/net/frame_payer.hpp"

#include <doctest/doctest.h>

#include <set>

#include "twinchain/net/frame_extractor.hpp"
#include "twinchain/sys/faulty_fs.hpp"
#include "unit/net/payer_for_tests.hpp"

using namespace twinchain;
using namespace twinchain::net;
using namespace twinchain::testing;

namespace {

constexpr std::int64_t second_ns = 1'000'000'000;

PayerOptions small_batches() {
  PayerOptions options;
  options.batch_bytes = 1'000;
  return options;
}

/// A payer with its state in memory, which can be started again.
struct PayerForTests {
  PayerForTests(NodeForTests& of_node, Fs& on, const PayerOptions& how = small_batches())
      : node(of_node), fs(on), options(how) {}

  Status start() {
    payer.reset();
    state.reset();
    auto opened = PayerState::open(fs, "state", node.chain.parameters, key_for_tests().public_key(),
                                   {.remembered_frames = 10'000, .waste_bytes = 4'000});
    if (!opened) return pass(opened);
    state = std::move(*opened);
    payer =
        std::make_unique<FramePayer>(node.chain.parameters, key_for_tests(), *state, options,
                                     [this](const std::string& text) { warnings.push_back(text); });
    payer->connected(now_ns);
    return {};
  }
  /// Takes all frames, and pays for them.
  Status pay(const std::vector<StreamFrame>& frames) {
    for (const StreamFrame& frame : frames) {
      TWINCHAIN_TRY(payer->take(frame.header, frame.body, now_ns));
      TWINCHAIN_TRY(talk(*payer, node, now_ns));
    }
    payer->flush();
    return pass_time(0);
  }
  Status pass_time(std::int64_t ns) {
    now_ns += ns;
    TWINCHAIN_TRY(payer->tick(now_ns));
    return talk(*payer, node, now_ns);
  }
  /// Until nothing is left to be done, at most for an hour.
  Status settle() {
    for (int i = 0; i < 3'600 && !payer->settled(); ++i) TWINCHAIN_TRY(pass_time(second_ns));
    return {};
  }

  NodeForTests& node;
  Fs& fs;
  PayerOptions options;
  std::unique_ptr<PayerState> state;
  std::unique_ptr<FramePayer> payer;
  std::vector<std::string> warnings;
  std::int64_t now_ns = second_ns;
};

/// What the blocks of a node hold, in one piece.
Bytes extracted(NodeForTests& node, ExtractCounts* counts = nullptr) {
  MemoryFs fs;
  auto spill = fs.open("spill", OpenMode::create_new);
  REQUIRE(spill);
  FrameExtractor extractor(node.chain.parameters, **spill, node.chain.workers,
                           genesis_time_for_tests_s + 100'000);
  for (const NetBlock& block : node.blocks) REQUIRE(extractor.add_block(serialize(block)));
  CHECK(extractor.finish().empty());
  Bytes bytes;
  auto written = extractor.write(
      {},
      [&](const FrameHeader& header, ByteView body) -> Status {
        append(bytes, encode_frame(header, body));
        return {};
      },
      [](const std::string& what) { FAIL_CHECK(what); });
  REQUIRE(written);
  if (counts != nullptr) *counts = *written;
  return bytes;
}

}  // namespace

TEST_CASE("payer: what goes in comes back from the blocks, bit for bit") {
  NodeForTests node(3);
  MemoryFs fs;
  PayerForTests test(node, fs);
  REQUIRE(test.start());
  auto frames = stream_frames(0, 40);
  frames.insert(frames.begin(), stream_frame(0, 20, FrameType::schema));
  frames.push_back(stream_frame(7, 0, static_cast<FrameType>(0x1234)));
  REQUIRE(test.pay(frames));
  CHECK(test.payer->settled());
  CHECK_FALSE(test.payer->buried());
  CHECK(test.payer->counts().frames == 42);
  CHECK(test.payer->counts().payments == node.pool->size());
  CHECK(node.pool->size() >= 14);
  node.mine();
  auto more = stream_frames(40, 20);
  REQUIRE(test.pay(more));
  node.mine();
  frames.insert(frames.end(), more.begin(), more.end());
  ExtractCounts counts;
  CHECK(extracted(node, &counts) == bytes_of(frames));
  CHECK(counts.payers == 1);
  CHECK(counts.duplicates == 0);
  CHECK(counts.height == 2);
  CHECK(test.warnings.empty());
}

TEST_CASE("payer: gathers up to a size or a time, or sends each frame by itself") {
  NodeForTests node(1);
  MemoryFs fs;
  PayerForTests test(node, fs);
  REQUIRE(test.start());
  const auto frames = stream_frames(0, 1);
  REQUIRE(test.payer->take(frames[0].header, frames[0].body, test.now_ns));
  REQUIRE(test.pass_time(second_ns - 1));
  CHECK(node.pool->size() == 0);
  CHECK_FALSE(test.payer->settled());
  REQUIRE(test.pass_time(1));
  CHECK(node.pool->size() == 1);
  CHECK(test.payer->settled());
  PayerOptions each = small_batches();
  each.each = true;
  test.options = each;
  REQUIRE(test.start());
  for (const StreamFrame& frame : stream_frames(1, 5)) {
    REQUIRE(test.payer->take(frame.header, frame.body, test.now_ns));
  }
  REQUIRE(talk(*test.payer, node, test.now_ns));
  CHECK(node.pool->size() == 6);
}

TEST_CASE("payer: says how many of the frames that it was given are durable") {
  NodeForTests node(1);
  MemoryFs fs;
  PayerForTests test(node, fs);
  REQUIRE(test.start());
  REQUIRE(test.pass_time(0));
  const auto frames = stream_frames(0, 4);
  const auto take = [&](std::size_t i) {
    REQUIRE(test.payer->take(frames[i].header, frames[i].body, test.now_ns));
  };
  take(0);
  CHECK(*test.payer->durable_frames() == 0);
  take(0);  // again, while the first is only in memory
  CHECK(*test.payer->durable_frames() == 0);
  take(1);
  REQUIRE(test.pass_time(2 * second_ns));
  CHECK(*test.payer->durable_frames() == 3);
  take(0);  // again, and it is durable
  CHECK(*test.payer->durable_frames() == 4);
  take(2);
  CHECK(*test.payer->durable_frames() == 4);
  // Without a node, too.
  test.payer->disconnected();
  test.payer->flush();
  REQUIRE(test.payer->tick(test.now_ns));
  CHECK(*test.payer->durable_frames() == 5);
  REQUIRE(test.start());
  CHECK(*test.payer->durable_frames() == 0);
  take(2);
  CHECK(*test.payer->durable_frames() == 1);
  CHECK(test.payer->counts().duplicates == 1);
}

TEST_CASE("payer: fees are those of the rate, and the change goes back to the key") {
  NodeForTests node(1);
  MemoryFs fs;
  PayerForTests test(node, fs);
  test.options.rate_sat = 5'000;
  REQUIRE(test.start());
  REQUIRE(test.pay(stream_frames(0, 2)));
  REQUIRE(node.pool->size() == 1);
  const PoolEntry entry = node.pool->ascending()[0];
  const auto size = static_cast<std::int64_t>(entry.transaction->size_bytes);
  CHECK(entry.fee_sat >= 5 * size);
  CHECK(entry.fee_sat <= 5 * (size + 20));
  CHECK(entry.transaction->tx.outputs[change_output_index].script_pubkey == script_for_tests());
  CHECK(payer_of(entry.transaction->tx) == key_for_tests().public_key());
}

TEST_CASE("payer: frames that come again are left out, over restarts and compaction too") {
  NodeForTests node(1);
  MemoryFs fs;
  PayerForTests test(node, fs);
  REQUIRE(test.start());
  const auto frames = stream_frames(0, 30);
  REQUIRE(test.pay(frames));
  REQUIRE(test.pay(frames));
  CHECK(test.payer->counts().duplicates == 30);
  for (int i = 0; i < 3; ++i) {
    REQUIRE(test.start());
    REQUIRE(talk(*test.payer, node, test.now_ns));
    REQUIRE(test.pay(frames));
    CHECK(test.payer->counts().duplicates == 30);
    CHECK(test.payer->counts().frames == 0);
    node.mine();
  }
  for (int i = 0; i < 6; ++i) node.mine();
  REQUIRE(test.pass_time(60 * second_ns));
  CHECK(test.payer->buried());
  CHECK(test.state->log_bytes() < 4'000);
  REQUIRE(test.start());
  REQUIRE(test.pay(frames));
  CHECK(test.payer->counts().duplicates == 30);
  CHECK(extracted(node) == bytes_of(frames));
  // The chain goes on from the change of what was forgotten.
  REQUIRE(test.pay(stream_frames(30, 5)));
  CHECK(test.payer->settled());
  node.mine();
  CHECK(extracted(node) == bytes_of(stream_frames(0, 35)));
}

TEST_CASE("payer: a pool that was lost gets everything again, without a new transaction") {
  NodeForTests node(1);
  MemoryFs fs;
  PayerForTests test(node, fs);
  REQUIRE(test.start());
  REQUIRE(test.pay(stream_frames(0, 30)));
  const std::size_t count = node.pool->size();
  SUBCASE("found out by the minute") {
    node.lose_pool();
    REQUIRE(test.pass_time(59 * second_ns));
    CHECK(node.pool->size() == 0);
    REQUIRE(test.pass_time(1 * second_ns));
  }
  SUBCASE("found out by the next payment") {
    node.lose_pool();
    REQUIRE(test.pay(stream_frames(30, 1)));
    CHECK(node.pool->size() == count + 1);
    CHECK(test.payer->settled());
    CHECK(test.warnings.empty());
    return;
  }
  SUBCASE("found out at the start") {
    node.lose_pool();
    REQUIRE(test.start());
    REQUIRE(talk(*test.payer, node, test.now_ns));
    CHECK(test.payer->counts().payments == 0);
  }
  SUBCASE("a part is in a block") {
    node.mine();
    REQUIRE(test.pay(stream_frames(30, 10)));
    const std::size_t second = node.pool->size();
    node.lose_pool();
    REQUIRE(test.pass_time(60 * second_ns));
    CHECK(node.pool->size() == second);
    CHECK(test.payer->settled());
    return;
  }
  CHECK(node.pool->size() == count);
  CHECK(test.payer->settled());
  const std::set<Hash256> different(node.submitted.begin(), node.submitted.end());
  CHECK(different.size() == count);
}

TEST_CASE("payer: a long chain waits until a block has shortened it") {
  PoolLimits limits;
  limits.max_chain = 4;
  NodeForTests node(1, limits);
  MemoryFs fs;
  PayerForTests test(node, fs);
  REQUIRE(test.start());
  const auto frames = stream_frames(0, 60);
  REQUIRE(test.pay(frames));
  CHECK(node.pool->size() == 4);
  CHECK_FALSE(test.payer->settled());
  REQUIRE(test.warnings.size() == 1);
  CHECK(test.warnings[0].find("too-long-mempool-chain") != std::string::npos);
  for (int i = 0; i < 200 && !test.payer->settled(); ++i) {
    node.mine();
    REQUIRE(test.pass_time(40 * second_ns));
  }
  CHECK(test.payer->settled());
  node.mine();
  CHECK(test.payer->counts().abandoned == 0);
  CHECK(extracted(node) == bytes_of(frames));
}

TEST_CASE("payer: when somebody else spends the coin, the frames go on with another one") {
  NodeForTests node(3);
  MemoryFs fs;
  PayerForTests test(node, fs);
  REQUIRE(test.start());
  const auto frames = stream_frames(0, 12);
  REQUIRE(test.pay(frames));
  const PayerCoin tip = *test.state->tip();
  const auto thief = spend({tip.outpoint}, {tip.value_sat - 500});
  REQUIRE(node.pool->admit(std::vector<ByteView>{raw_of(thief)}));
  REQUIRE(node.pool->find(thief->txid) != nullptr);
  const auto more = stream_frames(12, 12);
  SUBCASE("in the pool") {}
  SUBCASE("in a block") {
    node.mine();
  }
  SUBCASE("and the program starts again in between") {
    REQUIRE(test.pay(more));
    REQUIRE(test.start());
  }
  REQUIRE(test.pay(more));
  REQUIRE(test.settle());
  CHECK(test.payer->settled());
  CHECK(test.payer->counts().abandoned > 0);
  CHECK(test.state->abandoned().empty());
  node.mine();
  auto all = frames;
  all.insert(all.end(), more.begin(), more.end());
  CHECK(extracted(node) == bytes_of(all));
}

TEST_CASE("payer: refused for good is an error with a hint, and starts again with a higher rate") {
  NodeForTests node(2);
  MemoryFs fs;
  PayerForTests test(node, fs);
  // A node that wants more than the network's file says.
  ChainParameters dear = node.chain.parameters;
  dear.min_fee_rate_sat = 100;
  node.pool = std::make_unique<LocalPool>(dear, *node.chain.coins, node.chain.workers);
  node.pool->set_tip(node.chain.context());
  REQUIRE(test.start());
  const auto frames = stream_frames(0, 12);
  const Status refused = test.pay(frames);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ExitCode::usage);
  CHECK(refused.error().hint.find("--fee-rate") != std::string::npos);
  test.options.rate_sat = 100;
  REQUIRE(test.start());
  REQUIRE(test.pay(frames));
  REQUIRE(test.settle());
  CHECK(node.pool->size() > 2);
  node.mine();
  CHECK(extracted(node) == bytes_of(frames));
}

TEST_CASE("payer: no coin at all is an error; too little is waited for") {
  SUBCASE("none") {
    NodeForTests node(0);
    MemoryFs fs;
    PayerForTests test(node, fs);
    REQUIRE(test.start());
    const Status none = test.pay(stream_frames(0, 1));
    REQUIRE_FALSE(none);
    CHECK(none.error().code == ExitCode::usage);
    CHECK(none.error().message.find("0279be667e") != std::string::npos);
  }
  SUBCASE("several together") {
    NodeForTests node(5);
    MemoryFs fs;
    PayerForTests test(node, fs);
    test.options.rate_sat = 2'000'000;  // 2,000 satoshi a byte: one coin pays for 500 bytes
    REQUIRE(test.start());
    REQUIRE(test.pay(stream_frames(0, 3, 150)));
    CHECK(test.payer->settled());
    REQUIRE(node.pool->size() == 1);
    CHECK(node.pool->ascending()[0].transaction->tx.inputs.size() > 1);
    REQUIRE(test.pay(stream_frames(3, 9)));
    CHECK_FALSE(test.payer->settled());
    REQUIRE(test.warnings.size() == 1);
    CHECK(test.warnings[0].find("satoshi are missing") != std::string::npos);
    CHECK_FALSE(test.payer->settled());
  }
}

TEST_CASE("payer: the window bounds what is on its way") {
  NodeForTests node(1);
  MemoryFs fs;
  PayerOptions options = small_batches();
  options.window_bytes = 5'000;
  PayerForTests test(node, fs, options);
  REQUIRE(test.start());
  REQUIRE(talk(*test.payer, node, test.now_ns));
  std::uint64_t taken = 0;
  for (const StreamFrame& frame : stream_frames(0, 100)) {
    if (!test.payer->wants_frames()) break;
    REQUIRE(test.payer->take(frame.header, frame.body, test.now_ns));
    ++taken;
  }
  CHECK(taken > 8);
  CHECK(taken < 20);
  REQUIRE(talk(*test.payer, node, test.now_ns));
  CHECK(test.payer->wants_frames());
  // Without a node nothing more is taken than that.
  test.payer->disconnected();
  CHECK_FALSE(test.payer->wants_frames());
  test.payer->connected(test.now_ns);
  REQUIRE(talk(*test.payer, node, test.now_ns));
  CHECK(test.payer->wants_frames());
  const auto large = stream_frame(0, 17 << 20, FrameType::data);
  const Status refused = test.payer->take(large.header, large.body, test.now_ns);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ExitCode::usage);
}

TEST_CASE("payer: nothing that was taken is lost or doubled, wherever the program is killed") {
  const auto frames = stream_frames(0, 24);
  // Sends all, mines now and then, and begins a new chain of payments in the middle.
  std::uint64_t durable = 0;
  const auto work = [&](NodeForTests& node, Fs& fs) {
    durable = 0;
    PayerForTests test(node, fs);
    if (!test.start()) return;
    for (std::size_t i = 0; i < frames.size(); i += 6) {
      if (!test.pay({frames.begin() + static_cast<std::ptrdiff_t>(i),
                     frames.begin() + static_cast<std::ptrdiff_t>(i + 6)})) {
        return;
      }
      if (const auto frames_now = test.payer->durable_frames()) durable = *frames_now;
      if (i == 12) {
        const PayerCoin tip = *test.state->tip();
        const Bytes raw = raw_of(spend({tip.outpoint}, {tip.value_sat - 500}));
        (void)node.pool->admit(std::vector<ByteView>{raw});
      }
      for (int block = 0; block < 4; ++block) node.mine();
      if (!test.pass_time(60 * second_ns) || !test.settle()) return;
    }
  };
  std::uint64_t operations = 0;
  {
    NodeForTests node(3);
    MemoryFs memory;
    FaultyFs counting(memory);
    work(node, counting);
    operations = counting.operations();
    node.mine();
    CHECK(extracted(node) == bytes_of(frames));
    CHECK(durable == frames.size());
  }
  CHECK(operations > 30);
  struct Kind {
    FaultKind kind;
    Survival survival;
  };
  for (const Kind& kind :
       {Kind{FaultKind::error, Survival::seeded}, Kind{FaultKind::kill, Survival::seeded},
        Kind{FaultKind::power_cut, Survival::nothing},
        Kind{FaultKind::power_cut, Survival::seeded}}) {
    for (std::uint64_t k = 1; k <= operations; ++k) {
      CAPTURE(static_cast<int>(kind.kind));
      CAPTURE(static_cast<int>(kind.survival));
      CAPTURE(k);
      NodeForTests node(3);
      MemoryFs memory;
      FaultyFs fs(memory);
      fs.set_fault({.kind = kind.kind, .operation = k, .survival = kind.survival, .seed = k});
      work(node, fs);
      fs.reboot();
      fs.set_fault({});
      // Upstream sends all again, as after a crash, or all but what is said to be durable.
      const auto begin =
          k % 2 == 0 ? frames.begin() : frames.begin() + static_cast<std::ptrdiff_t>(durable);
      PayerForTests again(node, fs);
      const Status started = again.start();
      REQUIRE_MESSAGE(started, (started ? "" : started.error().message));
      REQUIRE(again.pay({begin, frames.end()}));
      REQUIRE(again.settle());
      REQUIRE(again.payer->settled());
      node.mine();
      ExtractCounts counts;
      REQUIRE(extracted(node, &counts) == bytes_of(frames));
      REQUIRE(counts.duplicates == 0);
    }
  }
}

TEST_CASE("payer: a state belongs to one network, one key, and one process") {
  NodeForTests node(1);
  MemoryFs fs;
  PayerForTests test(node, fs);
  REQUIRE(test.start());
  REQUIRE(test.pay(stream_frames(0, 5)));
  const EcdsaPublicKey key = key_for_tests().public_key();
  const auto locked = PayerState::open(fs, "state", node.chain.parameters, key);
  REQUIRE_FALSE(locked);
  CHECK(locked.error().code == ExitCode::system);
  test.payer.reset();
  test.state.reset();
  const auto other_key =
      PayerState::open(fs, "state", node.chain.parameters, EcdsaSecretKey::generate().public_key());
  REQUIRE_FALSE(other_key);
  CHECK(other_key.error().code == ExitCode::usage);
  const auto other_network = PayerState::open(fs, "state", funded_parameters(2), key);
  REQUIRE_FALSE(other_network);
  CHECK(other_network.error().code == ExitCode::usage);
  // Damage in the middle is no torn end.
  Bytes* log = fs.content("state/payments.log");
  REQUIRE(log != nullptr);
  (*log)[log->size() / 3] ^= 1;
  const auto damaged = PayerState::open(fs, "state", node.chain.parameters, key);
  REQUIRE_FALSE(damaged);
  CHECK(damaged.error().code == ExitCode::malformed);
}
