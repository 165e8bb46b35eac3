#include "twinchain/net/mine_link.hpp"

#include <doctest/doctest.h>

#include <atomic>

#include "twinchain/net/node_server.hpp"
#include "twinchain/net/skeleton_receiver.hpp"
#include "twinchain/net/wire.hpp"
#include "twinchain/sys/fd.hpp"
#include "unit/net/pipe_for_tests.hpp"
#include "unit/net/server_for_tests.hpp"

using namespace twinchain;
using namespace twinchain::net;
using namespace twinchain::testing;

namespace {

/// Gives out a list, takes the skeleton, asks about it, and then says that it is the tip.
class ListingNode : public SpeakingNode {
 public:
  explicit ListingNode(bool lies_first) : lies_(lies_first) {
    SnapshotInfo info;
    info.id = 7;
    info.height = 1;
    info.tip = genesis_hash(parameters);
    info.bits = parameters.easiest_bits;
    info.min_time_s = parameters.genesis_time_s + 1;
    list = make_snapshot(info, {Hash256{3}, Hash256{1}, Hash256{2}});
  }

  Snapshot list;
  // After the run:
  std::optional<Skeleton> skeleton;
  std::optional<Symbols> symbols;
  std::optional<ShortIdList> ids;
  std::optional<BlockTransactions> bodies;
  std::optional<NoBlock> whole;
  int lists_asked_for = 0;

  void connected(PeerId peer, const LinkInfo& link) override {
    RecordingNode::connected(peer, link);
    Hello hello;
    hello.role = NodeRole::mnode;
    hello.genesis = genesis_hash(parameters);
    say(peer, hello);
  }
  Status received(PeerId peer, std::uint16_t type, ByteView body) override {
    auto message = parse_message(type, body);
    if (!message) return pass(message);
    if (std::holds_alternative<GetParameters>(*message)) {
      say(peer, ParametersText{format_parameters(parameters)});
    } else if (const auto* const get = std::get_if<GetSnapshot>(&*message)) {
      if (get->wait) return {};
      ++lists_asked_for;
      Bytes part = encode_snapshot_part(list, 0);
      if (std::exchange(lies_, false)) part.back() ^= 1;
      say(peer, SnapshotPart{part});
    } else if (auto* const block = std::get_if<Skeleton>(&*message)) {
      skeleton = *block;
      const Hash256 hash = bitcoin::block_hash(block->header);
      say(peer, SymbolRequest{hash, 0, 0, 5});
      say(peer, SymbolRequest{Hash256{}, 0, 0, 5});
      say(peer, GetShortIds{hash});
      say(peer, TransactionRequest{hash, {}, {1}});
      say(peer, GetBlock{hash});
    } else if (auto* const range = std::get_if<Symbols>(&*message)) {
      symbols = *range;
    } else if (auto* const short_ids = std::get_if<ShortIdList>(&*message)) {
      ids = *short_ids;
    } else if (auto* const none = std::get_if<BlockTransactions>(&*message)) {
      bodies = *none;
    } else if (auto* const no_block = std::get_if<NoBlock>(&*message)) {
      whole = *no_block;
      Snapshot next = list;
      next.info.id += 1;
      next.info.height = 2;
      next.info.tip = no_block->block;
      next = make_snapshot(next.info, {Hash256{4}});
      say(peer, SnapshotDelta{encode_snapshot_delta(list, next).value()});
    }
    return RecordingNode::received(peer, type, body);
  }

 private:
  bool lies_;
};

}  // namespace

TEST_CASE("mine link: mines a node's list, answers about the block, and comes back after a lie") {
  bool lies = false;
  SUBCASE("an honest node") {}
  SUBCASE("a node that lies about its first list") {
    lies = true;
  }
  ListingNode node(lies);
  RunningServer server(options_for_tests(1), node);
  int warnings = 0;
  MineLinkOptions options;
  options.address = server.address();
  options.miner.threads = 2;
  options.count = 1;
  options.warn = [&](const std::string&) { ++warnings; };
  CHECK(mine_for_node(options) == ExitCode::success);
  CHECK(server.stop());

  CHECK(warnings == (lies ? 1 : 0));
  CHECK(node.lists_asked_for == (lies ? 2 : 1));
  REQUIRE(node.skeleton);
  const Hash256 block = bitcoin::block_hash(node.skeleton->header);
  CHECK(node.skeleton->header.previous == genesis_hash(node.parameters));
  SkeletonReceiver receiver(*node.skeleton, node.list.txids, {});
  CHECK(receiver.txids() == node.list.txids);
  REQUIRE(node.symbols);
  CHECK(node.symbols->range.symbols.size() == 5);
  REQUIRE(node.ids);
  CHECK(node.ids->ids.size() == 3);
  REQUIRE(node.bodies);
  CHECK(node.bodies->block == block);
  CHECK(node.bodies->transactions.empty());
  REQUIRE(node.whole);
}

TEST_CASE("mine link: another network ends it, and so does a stop while nobody is there") {
  ListingNode node(false);
  std::optional<RunningServer> server;
  server.emplace(options_for_tests(1), node);
  MineLinkOptions options;
  options.address = server->address();
  options.parameters = node.parameters;
  options.parameters->name = "other";
  mine_genesis(*options.parameters, [] { return false; });
  const auto other = mine_for_node(options);
  REQUIRE_FALSE(other);
  CHECK(other.error().code == ExitCode::refuted);
  server.reset();

  const Pipe stop;
  options.stop_fd = stop.from.get();
  std::atomic<int> warnings = 0;
  options.warn = [&](const std::string&) {
    ++warnings;
    CHECK(write_all(stop.to.get(), as_bytes("x")));
  };
  CHECK(mine_for_node(options) == ExitCode::success);
  CHECK(warnings == 1);
}
