#include "twinchain/net/send_frames.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include "twinchain/net/extract_stream.hpp"
#include "twinchain/sys/faulty_fs.hpp"
#include "twinchain/sys/fd.hpp"
#include "unit/net/clocks_for_tests.hpp"
#include "unit/net/payer_for_tests.hpp"

using namespace twinchain;
using namespace twinchain::net;
using namespace twinchain::testing;

namespace {

/// A link that breaks after so many messages of ours; what was sent last may have arrived.
class BrittleLink final : public NodeLink {
 public:
  BrittleLink(NodeForTests& node, int lives) : node_(node), lives_(lives) {}
  Status send(const Message& message) override {
    if (lives_-- == 0) return fail(ExitCode::peer, "the node has gone");
    if (auto answer = node_.answer(message)) answers_.push_back(std::move(*answer));
    if (lives_ == 0) answers_.clear();
    return {};
  }
  Result<std::optional<Message>> receive(int) override {
    if (answers_.empty()) {
      if (++silent_ > 3 && lives_ == 0) return fail(ExitCode::peer, "the node has gone");
      node_silent();
      return std::optional<Message>();
    }
    silent_ = 0;
    Message message = std::move(answers_.front());
    answers_.pop_front();
    return std::optional<Message>(std::move(message));
  }
  /// A block now and then.
  std::function<void()> node_silent = [] {};

 private:
  NodeForTests& node_;
  int lives_;
  int silent_ = 0;
  std::deque<Message> answers_;
};

Bytes stream_of(const std::vector<StreamFrame>& frames) {
  Bytes bytes(stream_preamble.begin(), stream_preamble.end());
  append(bytes, bytes_of(frames));
  append(bytes, encode_end_frame(frames.size(), bytes.size() - stream_preamble.size()));
  return bytes;
}

struct Sending {
  explicit Sending(std::size_t fundings) : node(fundings) {
    auto opened =
        PayerState::open(fs, "state", node.chain.parameters, key_for_tests().public_key());
    REQUIRE(opened);
    state = std::move(*opened);
    PayerOptions how;
    how.batch_bytes = 2'000;
    how.window_bytes = 10'000;
    payer = std::make_unique<FramePayer>(node.chain.parameters, key_for_tests(), *state, how,
                                         [](const std::string&) {});
  }
  Result<SendFramesResult> send(ByteView bytes, const ConnectFunction& connect) {
    auto fd = open_file(folder / "in", O_RDWR | O_CREAT | O_TRUNC);
    REQUIRE(fd);
    REQUIRE(write_all(fd->get(), bytes));
    REQUIRE(::lseek(fd->get(), 0, SEEK_SET) == 0);
    options.input_fd = fd->get();
    SendFramesMessages messages;
    messages.warn = [this](const std::string& text) { warnings.push_back(text); };
    messages.error = [this](const Error& error) { errors.push_back(error.message); };
    return send_frames(*payer, clock, nullptr, connect, options, messages);
  }
  Result<ExitCode> extract(Bytes& into, NodeLink& link) {
    auto fd = open_file(folder / "out", O_RDWR | O_CREAT | O_TRUNC);
    REQUIRE(fd);
    ExtractOptions how;
    how.parameters = node.chain.parameters;
    how.output_fd = fd->get();
    how.temporary_folder = folder.path();
    how.now_s = genesis_time_for_tests_s + 1'000'000;
    ExtractMessages messages;
    messages.error = [this](const Error& error) { errors.push_back(error.message); };
    messages.note = [](const std::string& text) { FAIL_CHECK(text); };
    messages.detail = [](const std::string&) {};
    auto done = extract_from_node(real_fs(), link, 1'000, how, messages);
    auto written = read_file(folder / "out", 1 << 20);
    REQUIRE(written);
    into = std::move(*written);
    return done;
  }

  TemporaryFolder folder;
  NodeForTests node;
  MemoryFs fs;
  /// Time that goes on by itself, quickly.
  ClockForTests clock{1'800'000'000, 5};
  std::unique_ptr<PayerState> state;
  std::unique_ptr<FramePayer> payer;
  SendFramesOptions options;
  std::vector<std::string> warnings;
  std::vector<std::string> errors;
};

/// Answers questions for headers and blocks.
class BlocksLink final : public NodeLink {
 public:
  explicit BlocksLink(NodeForTests& node) : node_(node) {}
  Status send(const Message& message) override {
    if (const auto* question = std::get_if<GetHeaders>(&message)) {
      Headers headers;
      bool after = question->locator.empty();
      for (std::size_t i = 0; i < node_.blocks.size() && headers.headers.size() < 2; ++i) {
        const bitcoin::BlockHeader& header = node_.blocks[i].header;
        after = after || header.previous == question->locator[0];
        if (after) headers.headers.push_back(header);
      }
      answers_.emplace_back(Pong{});
      answers_.emplace_back(std::move(headers));
    } else if (const auto* wanted = std::get_if<GetBlock>(&message)) {
      for (const NetBlock& block : node_.blocks) {
        if (bitcoin::block_hash(block.header) == wanted->block) give(wanted->block, block);
      }
    } else {
      FAIL("a question that nobody asks");
    }
    return {};
  }
  Result<std::optional<Message>> receive(int) override {
    if (answers_.empty()) {
      if (talks_without_end) return std::optional<Message>(Pong{});
      return std::optional<Message>();
    }
    Message message = std::move(answers_.front());
    answers_.pop_front();
    return std::optional<Message>(std::move(message));
  }
  std::optional<Hash256> lacks;
  std::size_t lie_in_offset = 0;
  bool never_gives = false;
  bool talks_without_end = false;

 private:
  void give(const Hash256& hash, const NetBlock& block) {
    if (lacks == hash) {
      answers_.emplace_back(NoBlock{hash});
      return;
    }
    if (never_gives) return;
    const Bytes raw = serialize(block);
    const std::size_t half = raw.size() / 2;
    answers_.emplace_back(BlockPart{
        hash, raw.size(), 0, {raw.begin(), raw.begin() + static_cast<std::ptrdiff_t>(half)}});
    answers_.emplace_back(BlockPart{hash,
                                    raw.size(),
                                    half + lie_in_offset,
                                    {raw.begin() + static_cast<std::ptrdiff_t>(half), raw.end()}});
  }
  NodeForTests& node_;
  std::deque<Message> answers_;
};

}  // namespace

TEST_CASE("send frames: over links that break, and back from a node, bit for bit") {
  const auto frames = stream_frames(0, 120);
  const Bytes stream = stream_of(frames);
  for (int lives = 10; lives < 16; ++lives) {
    CAPTURE(lives);
    Sending test(1);
    int links = 0;
    auto sent = test.send(stream, [&]() -> Result<std::unique_ptr<NodeLink>> {
      REQUIRE(links < 1'000);
      if (++links % 3 == 1) return fail(ExitCode::peer, "no node");
      return std::make_unique<BrittleLink>(test.node, lives);
    });
    REQUIRE_MESSAGE(sent, (sent ? "" : sent.error().message));
    CHECK(sent->verdict() == ExitCode::success);
    CHECK(links > 3);
    CHECK_FALSE(test.warnings.empty());
    for (int i = 0; i < 3; ++i) test.node.mine();
    BlocksLink link(test.node);
    Bytes back;
    const auto done = test.extract(back, link);
    REQUIRE(done);
    CHECK(*done == ExitCode::success);
    CHECK(back == stream);
  }
}

TEST_CASE("send frames: a node that never answers is left for another one") {
  class DeafLink final : public NodeLink {
   public:
    Status send(const Message&) override { return {}; }
    Result<std::optional<Message>> receive(int) override { return std::optional<Message>(); }
  };
  Sending test(1);
  int links = 0;
  auto sent =
      test.send(stream_of(stream_frames(0, 10)), [&]() -> Result<std::unique_ptr<NodeLink>> {
        if (++links == 1) return std::make_unique<DeafLink>();
        return std::make_unique<BrittleLink>(test.node, 1'000'000);
      });
  REQUIRE(sent);
  CHECK(links == 2);
  CHECK(test.payer->settled());
  REQUIRE(test.warnings.size() == 1);
  CHECK(test.warnings[0] == "the node does not answer");
}

TEST_CASE("send frames: waits until all is deep in the chain") {
  Sending test(1);
  test.options.wait = true;
  auto sent = test.send(stream_of(stream_frames(0, 10)), [&] {
    auto link = std::make_unique<BrittleLink>(test.node, 1'000'000);
    link->node_silent = [&test, quiet = 0]() mutable {
      if (++quiet % 50 == 0) test.node.mine();
    };
    return Result<std::unique_ptr<NodeLink>>(std::move(link));
  });
  REQUIRE(sent);
  CHECK(test.payer->buried());
  CHECK(test.node.blocks.size() >= 6);
  CHECK(test.payer->counts().buried == test.payer->counts().payments);
}

TEST_CASE("send frames: damage is told and the rest is sent; without a node it ends") {
  const auto frames = stream_frames(0, 20);
  Bytes stream = stream_of(frames);
  Sending test(1);
  const auto connect = [&]() -> Result<std::unique_ptr<NodeLink>> {
    return std::make_unique<BrittleLink>(test.node, 1'000'000);
  };
  SUBCASE("a frame is damaged") {
    stream[stream.size() / 2] ^= 1;
    auto sent = test.send(stream, connect);
    REQUIRE(sent);
    CHECK(sent->verdict() == ExitCode::malformed);
    CHECK(test.errors.size() == 1);
    CHECK(test.payer->counts().frames == 19);
  }
  SUBCASE("cut short") {
    auto sent = test.send(ByteView(stream).first(stream.size() - 90), connect);
    REQUIRE(sent);
    CHECK(sent->verdict() == ExitCode::malformed);
    CHECK(test.payer->counts().frames == 19);
    CHECK(test.payer->settled());
  }
  SUBCASE("no stream at all") {
    auto sent = test.send(as_bytes("time,value\n1,2\n"), connect);
    REQUIRE_FALSE(sent);
    CHECK(sent.error().code == ExitCode::malformed);
  }
  SUBCASE("no node") {
    test.options.patience_ns = 1'000'000'000;
    auto sent = test.send(
        stream_of(stream_frames(0, 2)),
        []() -> Result<std::unique_ptr<NodeLink>> { return fail(ExitCode::peer, "no node"); });
    REQUIRE_FALSE(sent);
    CHECK(sent.error().code == ExitCode::peer);
    CHECK_FALSE(sent.error().hint.empty());
  }
}

TEST_CASE("extract from a node: what it lacks or invents is said") {
  Sending test(1);
  const auto frames = stream_frames(0, 30);
  REQUIRE(test.send(stream_of(frames), [&]() -> Result<std::unique_ptr<NodeLink>> {
    return std::make_unique<BrittleLink>(test.node, 1'000'000);
  }));
  for (int i = 0; i < 3; ++i) test.node.mine();
  BlocksLink link(test.node);
  Bytes back;
  SUBCASE("lacks the block") {
    link.lacks = bitcoin::block_hash(test.node.blocks[0].header);
    const auto done = test.extract(back, link);
    REQUIRE(done);
    CHECK(*done == ExitCode::loss);
    CHECK(test.errors.size() == 2);
    CHECK(back == Bytes(stream_preamble.begin(), stream_preamble.end()));
  }
  SUBCASE("parts that do not fit") {
    link.lie_in_offset = 1;
    const auto done = test.extract(back, link);
    REQUIRE_FALSE(done);
    CHECK(done.error().code == ExitCode::malformed);
  }
  SUBCASE("talks, and does not give it") {
    link.never_gives = true;
    link.talks_without_end = true;
    const auto done = test.extract(back, link);
    REQUIRE_FALSE(done);
    CHECK(done.error().code == ExitCode::peer);
  }
}
