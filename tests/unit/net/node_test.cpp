#include "unit/net/node_for_tests.hpp"

#include "twinchain/base/hex.hpp"
#include "twinchain/crypto/sha256.hpp"

using namespace twinchain;
using namespace twinchain::net;
using namespace twinchain::testing;

namespace {

Hash256 hash_number(std::uint8_t number) {
  return sha256({ByteView(&number, 1)});
}

Hello hello_of(const WholeNode& t, NodeRole role) {
  Hello hello;
  hello.role = role;
  hello.genesis = genesis_hash(t.parameters);
  return hello;
}

/// What a miner who has the list makes of a block.
SkeletonSender sender_of(const NetBlock& block, const Snapshot* base = nullptr) {
  std::vector<Hash256> txids;
  for (std::size_t i = 1; i < block.transactions.size(); ++i) {
    txids.push_back(block.transactions[i]->txid);
  }
  SkeletonOptions options;
  options.salt = 7;
  return {block.header, raw_of(block.transactions[0]), std::move(txids), base, options};
}

}  // namespace

TEST_CASE("node: nothing is taken before hello, and hello is said once, by the same network") {
  WholeNode t;
  const PeerId silent = t.join(std::nullopt);
  t.say(silent, Ping{1});
  CHECK(t.host.banned().contains(silent));
  CHECK(t.heard<Pong>(silent).empty());

  const PeerId twice = t.join();
  t.say(twice, hello_of(t, NodeRole::user));
  CHECK(t.host.banned().contains(twice));

  // Another network, another version: a mistake, not a lie.
  Hello wrong_network = hello_of(t, NodeRole::mnode);
  wrong_network.genesis = hash_number(1);
  const PeerId other = t.join(std::nullopt);
  t.say(other, wrong_network);
  CHECK(t.host.dropped().contains(other));
  CHECK_FALSE(t.host.banned().contains(other));
  Hello next_version = hello_of(t, NodeRole::mnode);
  next_version.version = 2;
  const PeerId newer = t.join(std::nullopt);
  t.say(newer, next_version);
  CHECK(t.host.dropped().contains(newer));

  // Who does not know the network yet may ask for it.
  const PeerId stranger = t.join(std::nullopt);
  t.say(stranger, Hello{});
  t.say(stranger, GetParameters{});
  REQUIRE(t.heard<ParametersText>(stranger).size() == 1);
  CHECK(t.heard<ParametersText>(stranger)[0].text == format_parameters(t.parameters));

  const PeerId late = t.join(std::nullopt);
  t.wait(11'000);
  CHECK(t.host.dropped().contains(late));
}

TEST_CASE("node: a body that is no message is its sender's lie") {
  WholeNode t;
  const PeerId peer = t.join();
  const Bytes rubbish = {1, 2, 3};
  REQUIRE(t.node->received(peer, message_type(Headers{}), rubbish));
  CHECK(t.host.banned().contains(peer));
  const PeerId unknown = t.join();
  REQUIRE(t.node->received(unknown, 999, rubbish));
  CHECK(t.host.banned().contains(unknown));
}

TEST_CASE("node: a payment is answered, announced, given to who asks") {
  WholeNode t;
  const PeerId user = t.join(NodeRole::user);
  const PeerId friend_node = t.join();
  const PeerId miner = t.join(NodeRole::miner);
  const auto payment = spend({t.funding(0)}, {990'000}, Bytes(300, 5));
  t.say(user, Submit{{raw_of(payment)}});
  REQUIRE(t.heard<Verdicts>(user).size() == 1);
  CHECK(t.heard<Verdicts>(user)[0].verdicts ==
        std::vector<TransactionVerdict>{{payment->txid, Outcome::accepted, ""}});
  REQUIRE(t.heard<Announce>(friend_node).size() == 1);
  CHECK(t.heard<Announce>(friend_node)[0].txids == std::vector{payment->txid});
  CHECK(t.heard<Announce>(miner).empty());
  CHECK(t.heard<Announce>(user).empty());

  t.say(friend_node, GetTransactions{{payment->txid, hash_number(3)}});
  REQUIRE(t.heard<Transactions>(friend_node).size() == 1);
  CHECK(t.heard<Transactions>(friend_node)[0].transactions == std::vector<Bytes>{raw_of(payment)});
  CHECK(t.heard<NotFound>(friend_node).at(0).txids == std::vector{hash_number(3)});
}

TEST_CASE("node: who does not take what it asked for gets nothing more until it does") {
  WholeNode t;
  const PeerId user = t.join(NodeRole::user);
  const PeerId slow = t.join();
  const auto payment = spend({t.funding(0)}, {990'000}, Bytes(300, 5));
  t.say(user, Submit{{raw_of(payment)}});
  t.host.queued[slow] = NodeContext::max_queued_bytes;
  t.say(slow, GetTransactions{{payment->txid}});
  t.wait(1'000);
  CHECK(t.heard<Transactions>(slow).empty());
  t.host.queued[slow] = 0;
  t.wait(100);
  CHECK(t.heard<Transactions>(slow).size() == 1);
}

TEST_CASE("node: questions without end are not answered without end") {
  WholeNode t;
  const PeerId greedy = t.join();
  t.host.queued[greedy] = NodeContext::max_queued_bytes;
  GetTransactions much;
  for (std::size_t i = 0; i < max_wire_txids; ++i) much.txids.push_back(hash_number(1));
  for (int i = 0; i < 6; ++i) t.say(greedy, much);
  CHECK(t.host.dropped().contains(greedy));

  const PeerId curious = t.join(NodeRole::user);
  for (int i = 0; i < 300; ++i) t.say(curious, GetCoins{script_for_tests()});
  CHECK(t.host.dropped().contains(curious));
  CHECK(t.heard<Coins>(curious).size() == 10);

  // Small questions with large answers: none while what was answered before is not taken.
  const PeerId lazy = t.join();
  t.host.queued[lazy] = NodeContext::max_queued_bytes;
  for (int i = 0; i < 10; ++i) {
    t.say(lazy, GetHeaders{{genesis_hash(t.parameters)}});
    t.say(lazy, GetSnapshot{});
    t.say(lazy, Ping{1});
  }
  CHECK(t.host.sent[lazy].empty());
  CHECK_FALSE(t.host.dropped().contains(lazy));

  const PeerId hungry = t.join();
  t.host.queued[hungry] = NodeContext::max_queued_bytes;
  for (int i = 0; i < 100; ++i) t.say(hungry, GetBlock{hash_number(2)});
  CHECK(t.host.dropped().contains(hungry));
}

TEST_CASE("node: announcements without end are asked for up to a bound, and forgotten") {
  NodeOptions options;
  options.relay.requested_count = 1'000;
  WholeNode t(1, options);
  const PeerId liar = t.join();
  for (int round = 0; round < 3; ++round) {
    Announce announce;
    for (int i = 0; i < 1'000; ++i) {
      Hash256 txid{};
      store_le(txid.data(), round * 1'000 + i);
      announce.txids.push_back(txid);
    }
    t.say(liar, announce);
  }
  std::size_t asked = 0;
  for (const auto& get : t.heard<GetTransactions>(liar)) asked += get.txids.size();
  CHECK(asked == 1'000);
  t.wait(11'000);
  t.forget(liar);
  t.say(liar, Announce{{hash_number(9)}});
  CHECK(t.heard<GetTransactions>(liar).size() == 1);
}

TEST_CASE("node: an invalid transaction drops the node that sent it, a user is told") {
  WholeNode t;
  const PeerId user = t.join(NodeRole::user);
  const PeerId liar = t.join();
  const auto payment = spend({t.funding(0)}, {990'000});
  bitcoin::Transaction forged = payment->tx;
  forged.outputs[0].value_sat -= 1;
  const Bytes raw = bitcoin::serialize(forged, bitcoin::TxEncoding::no_witness);
  t.say(user, Submit{{raw}});
  CHECK(t.heard<Verdicts>(user).at(0).verdicts.at(0).outcome == Outcome::invalid);
  CHECK_FALSE(t.host.banned().contains(user));
  t.say(liar, Transactions{{raw}});
  CHECK(t.host.banned().contains(liar));
  CHECK(t.node->pool().size() == 0);
}

TEST_CASE("node: a child waits for its parent, which is asked for; nobody is to blame") {
  WholeNode t;
  const PeerId peer = t.join();
  const auto parent = spend({t.funding(0)}, {990'000});
  const auto child = spend({{parent->txid, 0}}, {980'000});
  t.say(peer, Transactions{{raw_of(child)}});
  CHECK(t.node->pool().size() == 0);
  REQUIRE(t.heard<GetTransactions>(peer).size() == 1);
  CHECK(t.heard<GetTransactions>(peer)[0].txids == std::vector{parent->txid});
  t.say(peer, Transactions{{raw_of(parent)}});
  CHECK(t.node->pool().size() == 2);
  CHECK(t.host.banned().empty());

  // Without its parent it is forgotten after a while.
  const auto lost = spend({{hash_number(4), 0}}, {1'000});
  t.say(peer, Transactions{{raw_of(lost)}});
  CHECK(t.node->relay().orphan_count() == 1);
  t.wait(70'000);
  CHECK(t.node->relay().orphan_count() == 0);
}

TEST_CASE("node: who announced it, too, is asked when the first one does not answer") {
  WholeNode t;
  const PeerId first = t.join();
  const PeerId second = t.join();
  t.say(first, Announce{{hash_number(1)}});
  t.say(second, Announce{{hash_number(1)}});
  CHECK(t.heard<GetTransactions>(first).size() == 1);
  CHECK(t.heard<GetTransactions>(second).empty());
  t.wait(10'100);
  CHECK(t.heard<GetTransactions>(second).size() == 1);

  t.say(first, Announce{{hash_number(2)}});
  t.say(second, Announce{{hash_number(2)}});
  t.say(first, NotFound{{hash_number(2)}});
  CHECK(t.heard<GetTransactions>(second).size() == 2);
}

TEST_CASE("node: headers and bodies are fetched, and a block without its work is a lie") {
  WholeNode t;
  const PeerId peer = t.join(NodeRole::full);
  const NetBlock one = t.block_on(t.genesis_header(), 1, {});
  t.say(peer, Headers{{one.header}});
  REQUIRE(t.heard<GetBlock>(peer).size() == 1);
  const Hash256 hash = bitcoin::block_hash(one.header);
  CHECK(t.heard<GetBlock>(peer)[0].block == hash);
  for (const BlockPart& part : parts_of(hash, serialize(one))) t.say(peer, part);
  CHECK(t.height() == 1);
  CHECK(t.host.banned().empty());

  bitcoin::BlockHeader cheap = t.block_on(one.header, 2, {}).header;
  const bitcoin::UInt256 any = ~bitcoin::UInt256();
  while (bitcoin::meets_target(bitcoin::block_hash(cheap), cheap.bits, any)) ++cheap.nonce;
  t.say(peer, Headers{{cheap}});
  CHECK(t.host.banned().contains(peer));
  CHECK(t.height() == 1);
}

TEST_CASE(
    "node: a body that is not the header's is its sender's lie and says nothing of the block") {
  WholeNode t;
  const PeerId liar = t.join(NodeRole::full);
  const PeerId honest = t.join(NodeRole::full);
  const auto a = spend({t.funding(0)}, {990'000});
  const auto b = spend({t.funding(1)}, {990'000});
  NetBlock block = t.block_on(t.genesis_header(), 1, {a, b}, 20'000);
  const Hash256 hash = bitcoin::block_hash(block.header);
  SUBCASE("another transaction") {
    NetBlock wrong = block;
    wrong.transactions[1] = spend({t.funding(2)}, {990'000});
    t.say(liar, Headers{{block.header}});
    for (const BlockPart& part : parts_of(hash, serialize(wrong))) t.say(liar, part);
  }
  SUBCASE("the last one twice, with the same root (CVE-2012-2459)") {
    NetBlock wrong = block;
    wrong.transactions.push_back(block.transactions.back());
    t.say(liar, Headers{{block.header}});
    for (const BlockPart& part : parts_of(hash, serialize(wrong))) t.say(liar, part);
  }
  SUBCASE("parts that do not fit") {
    t.say(liar, Headers{{block.header}});
    BlockPart part = parts_of(hash, serialize(block)).at(0);
    part.size_bytes = part.bytes.size() + block_part_bytes * 2;
    part.bytes.resize(block_part_bytes);
    t.say(liar, part);
    CHECK(t.height() == 0);
    part.size_bytes -= 1;
    part.offset = block_part_bytes;
    t.say(liar, part);
  }
  CHECK(t.height() == 0);
  CHECK(t.host.banned().contains(liar));
  t.node->disconnected(liar);
  t.say(honest, Headers{{block.header}});
  REQUIRE(t.heard<GetBlock>(honest).size() == 1);
  for (const BlockPart& part : parts_of(hash, serialize(block))) t.say(honest, part);
  CHECK(t.height() == 1);
}

TEST_CASE("node: withheld bodies: another peer is asked, and the block is not taken for invalid") {
  WholeNode t;
  const PeerId withholding = t.join(NodeRole::full);
  const NetBlock one = t.block_on(t.genesis_header(), 1, {});
  const Hash256 hash = bitcoin::block_hash(one.header);
  t.say(withholding, Headers{{one.header}});
  CHECK(t.heard<GetBlock>(withholding).size() == 1);
  const PeerId other = t.join(NodeRole::full);
  t.say(other, Headers{{one.header}});
  CHECK(t.heard<GetBlock>(other).empty());
  t.wait(20'100);
  REQUIRE(t.heard<GetBlock>(other).size() == 1);
  t.say(other, NoBlock{hash});
  t.wait(5'100);
  // Both have been asked and are asked again in turn.
  CHECK(t.heard<GetBlock>(withholding).size() + t.heard<GetBlock>(other).size() >= 3);
  CHECK(t.host.banned().empty());
  for (const BlockPart& part : parts_of(hash, serialize(one))) {
    t.say(withholding, part);
    t.say(other, part);
  }
  CHECK(t.height() == 1);
}

TEST_CASE("node: a block that breaks a rule is invalid for good, and so is what follows it") {
  WholeNode t;
  const PeerId liar = t.join(NodeRole::full);
  // Takes more than subsidy and fees.
  const NetBlock greedy = t.block_on(t.genesis_header(), 1, {}, 1);
  const Hash256 hash = bitcoin::block_hash(greedy.header);
  t.say(liar, Headers{{greedy.header}});
  for (const BlockPart& part : parts_of(hash, serialize(greedy))) t.say(liar, part);
  CHECK(t.host.banned().contains(liar));
  CHECK(t.height() == 0);
  CHECK(t.storage->chain().headers().find(hash)->invalid);
  const PeerId another = t.join(NodeRole::full);
  const NetBlock child = t.block_on(greedy.header, 2, {});
  t.say(another, Headers{{child.header}});
  CHECK(t.heard<GetBlock>(another).empty());
}

TEST_CASE("node: a miner's skeleton of the node's own list becomes a block, and is passed on") {
  WholeNode t;
  const PeerId user = t.join(NodeRole::user);
  const PeerId miner = t.join(NodeRole::miner);
  const PeerId friend_node = t.join(NodeRole::full);
  const auto a = spend({t.funding(0)}, {990'000});
  const auto b = spend({t.funding(1)}, {990'000});
  t.say(user, Submit{{raw_of(a), raw_of(b)}});
  t.say(miner, GetSnapshot{});
  REQUIRE(t.heard<SnapshotPart>(miner).size() == 1);
  SnapshotAssembler assembler;
  REQUIRE(assembler.add(t.heard<SnapshotPart>(miner)[0].bytes));
  const Snapshot list = assembler.take().value();
  CHECK(list.info.height == 1);
  CHECK(list.info.fees_sat == 20'000);
  const NetBlock block = t.block_on(t.genesis_header(), 1, {a, b}, 20'000);
  const SkeletonSender sender = sender_of(block, &list);
  t.say(miner, sender.skeleton());
  CHECK(t.height() == 1);
  CHECK(t.node->skeletons().assembled() == 1);
  CHECK(t.node->pool().size() == 0);
  // Nothing was run twice.
  CHECK(t.storage->chain().transactions_verified() == 0);
  REQUIRE(t.heard<Skeleton>(friend_node).size() == 1);
  CHECK(t.heard<Skeleton>(friend_node)[0] == sender.skeleton());
  CHECK(t.heard<Skeleton>(miner).empty());

  // The friend may ask all that the ladder has.
  const Hash256 hash = bitcoin::block_hash(block.header);
  t.say(friend_node, SymbolRequest{hash, 0, 0, 40});
  CHECK(t.heard<Symbols>(friend_node).at(0).range.symbols.size() == 40);
  t.say(friend_node, GetShortIds{hash});
  CHECK(t.heard<ShortIdList>(friend_node).at(0).ids.size() == 2);
  t.say(friend_node, TransactionRequest{hash, {}, {1, 2}});
  CHECK(t.heard<BlockTransactions>(friend_node).at(0).transactions.size() == 2);
  t.say(friend_node, GetBlock{hash});
  CHECK(t.heard<BlockPart>(friend_node).size() == 1);
  t.say(friend_node, SymbolRequest{hash_number(1), 0, 0, 40});
  CHECK(t.heard<NoBlock>(friend_node).size() == 1);
}

TEST_CASE("node: what a skeleton's receiver lacks is asked of who sent it") {
  WholeNode t;
  const PeerId user = t.join(NodeRole::user);
  const PeerId full = t.join(NodeRole::full);
  const auto a = spend({t.funding(0)}, {990'000});
  const auto b = spend({t.funding(1)}, {990'000});
  t.say(user, Submit{{raw_of(a)}});
  const NetBlock block = t.block_on(t.genesis_header(), 1, {a, b}, 20'000);
  SkeletonSender sender = sender_of(block);
  t.say(full, sender.skeleton());
  const Hash256 hash = bitcoin::block_hash(block.header);
  // As many symbols as it takes, then the one transaction.
  for (int i = 0; i < 10 && t.heard<TransactionRequest>(full).empty(); ++i) {
    const auto requests = t.heard<SymbolRequest>(full);
    REQUIRE_FALSE(requests.empty());
    t.forget(full);
    t.say(full, Symbols{hash, sender.symbols(requests.back()).value()});
  }
  REQUIRE(t.heard<TransactionRequest>(full).size() == 1);
  SUBCASE("it comes") {
    t.say(full, BlockTransactions{hash, true, {raw_of(b)}});
    CHECK(t.height() == 1);
    CHECK(t.storage->chain().transactions_verified() == 1);
  }
  SUBCASE("it does not come: the whole block is asked for") {
    t.wait(5'100);
    CHECK(t.heard<GetBlock>(full).size() == 1);
    CHECK(t.host.banned().empty());
    for (const BlockPart& part : parts_of(hash, serialize(block))) t.say(full, part);
    CHECK(t.height() == 1);
  }
  SUBCASE("something else comes, again and again") {
    for (int i = 0; i < 3; ++i) {
      t.say(full, BlockTransactions{hash, true, {raw_of(spend({t.funding(2)}, {1'000}))}});
    }
    CHECK(t.heard<GetBlock>(full).size() == 1);
    CHECK(t.host.banned().empty());
    CHECK_FALSE(t.storage->chain().headers().find(hash)->invalid);
  }
}

TEST_CASE("node: symbols that never decode lead to the block, not to a verdict about it") {
  WholeNode t;
  const PeerId liar = t.join(NodeRole::full);
  const auto a = spend({t.funding(0)}, {990'000});
  const NetBlock block = t.block_on(t.genesis_header(), 1, {a}, 10'000);
  Skeleton skeleton = sender_of(block).skeleton();
  const Hash256 hash = bitcoin::block_hash(block.header);
  for (auto& symbol : skeleton.symbols.symbols) symbol.sum[0] ^= 0x5a5a5a5a;
  t.say(liar, skeleton);
  std::uint64_t word = 1;
  for (int i = 0; i < 100 && t.heard<GetBlock>(liar).empty(); ++i) {
    const auto requests = t.heard<SymbolRequest>(liar);
    const bool wants_ids = !t.heard<GetShortIds>(liar).empty();
    t.forget(liar);
    if (wants_ids) {
      t.say(liar, ShortIdList{hash, {word++ & short_id_mask}});
    } else if (!requests.empty()) {
      Symbols rubbish{hash, {requests[0].layer, requests[0].first, 1, {}}};
      for (std::uint32_t n = 0; n < requests[0].count; ++n) {
        rubbish.range.symbols.push_back({{word += 0x9e3779b97f4a7c15}, 7, 1});
      }
      t.say(liar, rubbish);
    } else {
      t.wait(5'100);
    }
  }
  CHECK(t.heard<GetBlock>(liar).size() == 1);
  CHECK_FALSE(t.storage->chain().headers().find(hash)->invalid);
  for (const BlockPart& part : parts_of(hash, serialize(block))) t.say(liar, part);
  CHECK(t.height() == 1);
}

TEST_CASE("node: pools that differ find out by symbols, however much they differ") {
  for (const std::size_t count : {3U, 400U}) {
    CAPTURE(count);
    WholeNode t(500);
    const PeerId user = t.join(NodeRole::user);
    Submit submit;
    for (std::uint32_t i = 0; i < count; ++i) {
      submit.transactions.push_back(raw_of(spend({t.funding(i)}, {990'000})));
    }
    t.say(user, submit);
    REQUIRE(t.node->pool().size() == count);
    // The peer plays a node with one other transaction.
    const PeerId peer = t.join();
    Hash256 secret{};
    secret[0] = static_cast<std::uint8_t>(peer);
    const SipKey key = sip_key(secret);
    const auto theirs = spend({t.funding(499)}, {990'000});
    iblt::Encoder<1> main(key);
    main.add({short_id(key, theirs->txid)});
    t.wait(600);
    std::uint32_t session = 0;
    for (int i = 0; i < 40 && t.heard<GetByShortId>(peer).empty(); ++i) {
      const auto asked = t.heard<GetSketch>(peer);
      REQUIRE_FALSE(asked.empty());
      t.forget(peer);
      session = asked.back().session;
      iblt::Encoder<1> layer(key, asked.back().layer);
      layer.add({short_id(key, theirs->txid)});
      Sketch answer{session, {asked.back().layer, asked.back().first, 1, {}}};
      const auto symbols =
          layer.symbols(asked.back().first + asked.back().count).subspan(asked.back().first);
      answer.range.symbols.assign(symbols.begin(), symbols.end());
      t.say(peer, answer);
    }
    REQUIRE(t.heard<GetByShortId>(peer).size() == 1);
    CHECK(t.heard<GetByShortId>(peer)[0].ids == std::vector{short_id(key, theirs->txid)});
    std::size_t announced = 0;
    for (const Announce& part : t.heard<Announce>(peer)) announced += part.txids.size();
    CHECK(announced == count);
    CHECK(t.node->sync().sessions_completed() == 1);
    // Miners are told what pools were found to differ in.
    const PeerId miner = t.join(NodeRole::miner);
    t.say(miner, GetSnapshot{});
    const auto info = parse_snapshot_info(t.heard<SnapshotPart>(miner).at(0).bytes);
    REQUIRE(info);
    CHECK(info->expected_difference == count + 1);
  }
}

TEST_CASE(
    "node: a peer that sends symbols nobody asked for is dropped, one that never sends is not") {
  WholeNode t;
  const PeerId liar = t.join();
  const PeerId mute = t.join();
  t.wait(600);
  REQUIRE(t.heard<GetSketch>(liar).size() == 1);
  const std::uint32_t session = t.heard<GetSketch>(liar)[0].session;
  t.say(liar, Sketch{session, {0, 5, 1, {{{1}, 2, 1}}}});
  CHECK(t.host.banned().contains(liar));
  t.wait(12'500);
  CHECK(t.heard<GetSketch>(mute).size() >= 2);
  CHECK_FALSE(t.host.banned().contains(mute));
}

TEST_CASE("node: lists come when there is something new, as changes where that is shorter") {
  WholeNode t(50);
  const PeerId user = t.join(NodeRole::user);
  const PeerId miner = t.join(NodeRole::miner);
  Submit submit;
  for (std::uint32_t i = 0; i < 40; ++i) {
    submit.transactions.push_back(raw_of(spend({t.funding(i)}, {990'000})));
  }
  t.say(user, submit);
  t.say(miner, GetSnapshot{});
  SnapshotAssembler assembler;
  REQUIRE(assembler.add(t.heard<SnapshotPart>(miner).at(0).bytes));
  const Snapshot list = assembler.take().value();
  t.forget(miner);
  t.say(miner, GetSnapshot{list.info.id, true});
  t.wait(3'000);
  CHECK(t.heard<SnapshotPart>(miner).empty());
  CHECK(t.heard<SnapshotDelta>(miner).empty());
  t.say(user, Submit{{raw_of(spend({t.funding(45)}, {990'000}))}});
  t.wait(1'100);
  REQUIRE(t.heard<SnapshotDelta>(miner).size() == 1);
  const auto next = apply_snapshot_delta(list, t.heard<SnapshotDelta>(miner)[0].bytes);
  REQUIRE(next);
  CHECK(next->txids.size() == 41);
  // One came in, some seconds after the list before; no pool has been compared with this one.
  CHECK(list.info.expected_difference == 0);
  CHECK(next->info.expected_difference == 1);
}

TEST_CASE("node: tells where a transaction is, with a branch that leads to the header") {
  WholeNode t;
  const PeerId user = t.join(NodeRole::user);
  const PeerId full = t.join(NodeRole::full);
  const auto a = spend({t.funding(0)}, {990'000});
  t.say(user, FindTransaction{a->txid, 0});
  CHECK(t.heard<FoundTransaction>(user).at(0).place == FoundTransaction::Place::unknown);
  t.say(user, Submit{{raw_of(a)}});
  t.say(user, FindTransaction{a->txid, 0});
  CHECK(t.heard<FoundTransaction>(user).at(1).place == FoundTransaction::Place::pool);
  const NetBlock block = t.block_on(t.genesis_header(), 1, {a}, 10'000);
  t.say(full, Headers{{block.header}});
  const Hash256 hash = bitcoin::block_hash(block.header);
  for (const BlockPart& part : parts_of(hash, serialize(block))) t.say(full, part);
  // Twice: the second time from what is remembered.
  for (std::size_t i = 2; i < 4; ++i) {
    t.say(user, FindTransaction{a->txid, 0});
    const FoundTransaction found = t.heard<FoundTransaction>(user).at(i);
    CHECK(found.place == FoundTransaction::Place::block);
    CHECK(found.height == 1);
    CHECK(bitcoin::root_from_branch(a->txid, found.position, found.branch) ==
          block.header.merkle_root);
    CHECK(bitcoin::root_from_branch(block.transactions[0]->txid, 0, found.coinbase_branch) ==
          block.header.merkle_root);
  }
  // What follows from the parameters is found, too.
  t.say(user, FindTransaction{t.genesis_txid, 0});
  CHECK(t.heard<FoundTransaction>(user).at(4).place == FoundTransaction::Place::block);
  CHECK(t.heard<FoundTransaction>(user).at(4).height == 0);
  // The change is the only coin of that script beside the fundings that are left.
  t.say(user, GetCoins{script_for_tests()});
  CHECK(t.heard<Coins>(user).at(0).coins.size() == 5);
}

TEST_CASE("node: two spends of one coin, one in the pool and one in a block: the block's stands") {
  WholeNode t;
  const PeerId user = t.join(NodeRole::user);
  const PeerId full = t.join(NodeRole::full);
  const auto ours = spend({t.funding(0)}, {990'000});
  const auto child = spend({{ours->txid, 0}}, {980'000});
  const auto theirs = spend({t.funding(0)}, {980'000});
  t.say(user, Submit{{raw_of(ours), raw_of(child)}});
  REQUIRE(t.node->pool().size() == 2);
  t.say(full, Transactions{{raw_of(theirs)}});
  CHECK(t.node->pool().size() == 2);
  CHECK(t.host.banned().empty());
  const NetBlock block = t.block_on(t.genesis_header(), 1, {theirs}, 20'000);
  const Hash256 hash = bitcoin::block_hash(block.header);
  t.say(full, Headers{{block.header}});
  for (const BlockPart& part : parts_of(hash, serialize(block))) t.say(full, part);
  CHECK(t.height() == 1);
  CHECK(t.node->pool().size() == 0);
}

TEST_CASE("node: of one address range only a few are connected to (eclipse)") {
  WholeNode t;
  const PeerId liar = t.join();
  Peers many;
  for (int i = 1; i <= 100; ++i) many.addresses.push_back("10.7.0." + std::to_string(i) + ":7000");
  many.addresses.push_back("10.8.0.1:7000");
  t.say(liar, many);
  t.wait(5'000);
  std::size_t of_range = 0;
  for (const std::string& address : t.host.dialled)
    of_range += address.starts_with("10.7.") ? 1 : 0;
  CHECK(of_range == 2);
  CHECK(t.host.dialled.size() <= 8);
}

TEST_CASE("node: a skeleton out of a pipe waits for the block before its own") {
  WholeNode t;
  const PeerId full = t.join(NodeRole::full);
  const NetBlock one = t.block_on(t.genesis_header(), 1, {});
  NetBlock two =
      make_block(t.parameters, bitcoin::block_hash(one.header), 2, one.header.time_s + 10,
                 one.header.bits, {}, t.parameters.block_subsidy_sat(2));
  t.say(full, Headers{{one.header}});
  two.header.bits = t.storage->chain().headers().next_bits(
      *t.storage->chain().headers().find(bitcoin::block_hash(one.header)));
  find_nonce(two.header);
  REQUIRE(t.node->take_skeleton(sender_of(two).skeleton()));
  CHECK(t.node->skeletons_waiting() == 1);
  for (const BlockPart& part : parts_of(bitcoin::block_hash(one.header), serialize(one))) {
    t.say(full, part);
  }
  t.wait(100);
  CHECK(t.height() == 2);
  CHECK(t.node->skeletons_waiting() == 0);
}

TEST_CASE("address book: ranges, shares, retries") {
  CHECK(address_range("10.7.3.4:1") == "10.7");
  CHECK(address_range("127.0.0.1:7001") == "127.0.0.1:7001");
  CHECK(address_range("[2001:db8:5::1]:7") == address_range("[2001:db8:9::2]:8"));
  CHECK_FALSE(is_peer_address("example.org:7000"));
  CHECK_FALSE(is_peer_address("10.0.0.1"));
  CHECK_FALSE(is_peer_address("10.0.0.1:0"));
  CHECK(is_peer_address("[::1]:7000"));
  AddressLimits limits;
  limits.learned_from_one = 2;
  AddressBook book({"10.0.0.1:1"}, limits);
  for (int i = 2; i < 9; ++i) book.learn("10." + std::to_string(i) + ".0.1:1", 5);
  CHECK(book.some(100).size() == 3);
  CHECK(book.due(0, {}).size() == 3);
  // The given one is tried again soon, the others when their tries must have ended.
  CHECK(book.due(1, {}).empty());
  CHECK(book.due(501, {}) == std::vector<std::string>{"10.0.0.1:1"});
  CHECK(book.due(1'000, {}).empty());
  CHECK(book.due(10'001, {"10.0.0.1:1"}).size() == 2);
}
