#include "twinchain/net/storage_node.hpp"

#include "twinchain/storage/catalog.hpp"
#include "unit/net/storage_for_tests.hpp"

using namespace twinchain;
using namespace twinchain::net;
using namespace twinchain::testing;

TEST_CASE("storage node: a block that is pushed is confirmed and comes back, after a restart too") {
  StorageNodeForTests test;
  // Two frames in the store, five parts on the wire.
  const RawBlock large = raw_block(test.parameters, 7, (std::size_t{16} << 20) + 1'000);
  const RawBlock small = raw_block(test.parameters, 7, 100, 1);
  test.link(1);
  test.push(1, large);
  CHECK(test.host.take_one<BlockStored>(1).block == large.hash);
  test.push(1, small);
  CHECK(test.host.take_one<BlockStored>(1).block == small.hash);
  CHECK(test.blocks->count() == 2);
  CHECK(test.blocks->size_bytes() == large.raw.size() + small.raw.size());

  const auto ask = [&](PeerId peer) {
    for (const RawBlock* block : {&small, &large}) {
      test.tell(peer, GetBlock{block->hash});
      CHECK(test.take_block(peer, *block) == block->raw);
    }
    CHECK(test.host.sent[peer].empty());
  };
  ask(1);
  test.memory.power_cut(Survival::nothing);
  test.restart();
  CHECK(test.blocks->count() == 2);
  test.link(2);
  ask(2);
  CHECK(test.host.disconnects.empty());
}

TEST_CASE(
    "storage node: what it has already it confirms at the first part, and leaves the others") {
  StorageNodeForTests test;
  const RawBlock block = raw_block(test.parameters, 3, std::size_t{9} << 20);
  test.link(1);
  test.push(1, block);
  (void)test.host.take_one<BlockStored>(1);
  test.link(2);
  test.tell(2, parts_of(block)[0]);
  CHECK(test.host.take_one<BlockStored>(2).block == block.hash);
  test.tell(2, parts_of(block)[1]);
  test.tell(2, parts_of(block)[2]);
  CHECK(test.host.sent[2].empty());
  CHECK(test.node->figures().known_blocks == 1);
  CHECK(test.node->figures().stored_blocks == 1);
  CHECK(test.host.disconnects.empty());
}

TEST_CASE("storage node: answers what every node is asked, and NoBlock for what it has not got") {
  StorageNodeForTests test;
  test.link(1);
  test.tell(1, Ping{7});
  CHECK(test.host.take_one<Pong>(1).nonce == 7);
  test.tell(1, GetHeaders{{genesis_hash(test.parameters)}});
  CHECK(test.host.take_one<Headers>(1).headers.empty());
  test.tell(1, GetPeers{});
  CHECK(test.host.take_one<Peers>(1).addresses.empty());
  test.tell(1, GetParameters{});
  CHECK(test.host.take_one<ParametersText>(1).text == format_parameters(test.parameters));
  test.tell(1, GetStatus{});
  CHECK(test.host.take_one<StatusText>(1).json.starts_with(R"({"version":1,"role":"storage",)"));
  test.tell(1, GetBlock{Hash256{9}});
  CHECK(test.host.take_one<NoBlock>(1).block == Hash256{9});
  // What other roles are told is no fault, whatever is in it.
  test.tell(1, message_type(Announce{}), Bytes{1, 2, 3});
  test.tell(1, Headers{{raw_block(test.parameters, 1).header}});
  CHECK(test.host.sent[1].empty());
  CHECK(test.host.disconnects.empty());
}

TEST_CASE("storage node: greets by the rules") {
  StorageNodeForTests test;
  Hello said = test.hello();
  SUBCASE("another network") {
    said.genesis[0] ^= 1;
    test.link(1, said);
    REQUIRE(test.host.disconnects.size() == 1);
    CHECK_FALSE(test.host.disconnects[0].misbehaved);
  }
  SUBCASE("another version") {
    said.version = wire_version + 1;
    test.link(1, said);
    REQUIRE(test.host.disconnects.size() == 1);
    CHECK_FALSE(test.host.disconnects[0].misbehaved);
  }
  SUBCASE("a tool that does not know the network") {
    said.genesis = {};
    said.role = NodeRole::user;
    test.link(1, said);
    CHECK(test.host.disconnects.empty());
  }
  SUBCASE("a node that does not") {
    said.genesis = {};
    test.link(1, said);
    CHECK(test.host.disconnects.size() == 1);
  }
  SUBCASE("hello twice") {
    test.link(1, said);
    test.tell(1, said);
    REQUIRE(test.host.disconnects.size() == 1);
    CHECK(test.host.disconnects[0].misbehaved);
  }
  SUBCASE("something before hello") {
    test.node->connected(1, {});
    test.tell(1, Ping{1});
    REQUIRE(test.host.disconnects.size() == 1);
    CHECK(test.host.disconnects[0].misbehaved);
  }
  SUBCASE("nothing at all") {
    test.node->connected(1, {});
    test.pass_ms(9'999);
    CHECK(test.host.disconnects.empty());
    test.pass_ms(1);
    CHECK(test.host.disconnects.size() == 1);
  }
}

TEST_CASE("storage node: who sends what is no block is dropped, and nothing is kept") {
  StorageNodeForTests test;
  RawBlock block = raw_block(test.parameters, 3, std::size_t{5} << 20);
  auto parts = parts_of(block);
  test.link(1);
  std::string reason;
  SUBCASE("no proof of work") {
    bitcoin::BlockHeader header = block.header;
    while (bitcoin::meets_target(bitcoin::block_hash(header), header.bits,
                                 test.parameters.easiest_target())) {
      ++header.nonce;
    }
    std::ranges::copy(bitcoin::serialize(header), parts[0].bytes.begin());
    parts[0].block = bitcoin::block_hash(header);
    test.tell(1, parts[0]);
    reason = "a block without proof of work";
  }
  SUBCASE("easier than the network's easiest") {
    bitcoin::BlockHeader header = block.header;
    header.bits = 0x2100ffff;
    find_nonce(header);
    std::ranges::copy(bitcoin::serialize(header), parts[0].bytes.begin());
    parts[0].block = bitcoin::block_hash(header);
    test.tell(1, parts[0]);
    reason = "a block without proof of work";
  }
  SUBCASE("another block's header") {
    parts[0].block[5] ^= 1;
    test.tell(1, parts[0]);
    reason = "another block's header";
  }
  SUBCASE("too large") {
    parts[0].size_bytes = test.parameters.block_limit_bytes + 1;
    test.tell(1, parts[0]);
    reason = "a block of no block's size";
  }
  SUBCASE("a changed body") {
    parts[1].bytes[5'000] ^= 1;
    test.tell(1, parts[0]);
    test.tell(1, parts[1]);
    reason = "block: bad-txnmrklroot";
  }
  SUBCASE("no beginning") {
    test.tell(1, parts[1]);
    reason = "a part of a block without its beginning";
  }
  SUBCASE("another size in the middle") {
    block = raw_block(test.parameters, 3, std::size_t{9} << 20);
    parts = parts_of(block);
    test.tell(1, parts[0]);
    parts[1].size_bytes += 1;
    test.tell(1, parts[1]);
    reason = "parts of a block that do not fit";
  }
  SUBCASE("a part twice") {
    const RawBlock larger = raw_block(test.parameters, 3, std::size_t{9} << 20);
    parts = parts_of(larger);
    block = larger;
    test.tell(1, parts[0]);
    test.tell(1, parts[1]);
    test.tell(1, parts[1]);
    reason = "parts of a block that do not fit";
  }
  SUBCASE("a body that is no message") {
    test.tell(1, message_type(BlockPart{}), Bytes(10));
    reason = "block part: ";
  }
  REQUIRE(test.host.disconnects.size() == 1);
  CHECK(test.host.disconnects[0].misbehaved);
  CHECK(test.host.disconnects[0].reason.starts_with(reason));
  CHECK(test.blocks->count() == 0);
  CHECK(test.host.sent[1].empty());
  // An honest sender of the same block is not hurt.
  test.node->disconnected(1);
  test.link(2);
  test.push(2, block);
  CHECK(test.host.take_one<BlockStored>(2).block == block.hash);
}

TEST_CASE("storage node: only listed nodes may push when there is a list, all may ask") {
  StorageNodeOptions options;
  options.allowed.push_back(Hash256{5});
  StorageNodeForTests test(options);
  const RawBlock block = raw_block(test.parameters, 3, std::size_t{5} << 20);
  test.link(1, 4);
  test.push(1, block);
  CHECK(test.host.take_one<NoBlock>(1).block == block.hash);
  CHECK(test.host.sent[1].empty());
  test.link(2, 5);
  test.push(2, block);
  CHECK(test.host.take_one<BlockStored>(2).block == block.hash);
  test.tell(1, GetBlock{block.hash});
  CHECK(test.take_block(1, block) == block.raw);
  CHECK(test.host.disconnects.empty());
}

TEST_CASE("storage node: takes a few blocks at a time, and gives up those that do not go on") {
  StorageNodeOptions options;
  options.max_uploads = 2;
  StorageNodeForTests test(options);
  std::vector<RawBlock> blocks;
  for (std::uint8_t i = 0; i < 3; ++i) {
    blocks.push_back(raw_block(test.parameters, 3, std::size_t{5} << 20, i));
    test.link(i + 1);
    test.tell(i + 1, parts_of(blocks[i])[0]);
  }
  CHECK(test.host.take_one<NoBlock>(3).block == blocks[2].hash);
  test.tell(3, parts_of(blocks[2])[1]);
  // The first goes on, the second does not.
  test.pass_ms(59'999);
  test.tell(1, parts_of(blocks[0])[1]);
  CHECK(test.host.take_one<BlockStored>(1).block == blocks[0].hash);
  test.pass_ms(1);
  CHECK(test.host.take_one<NoBlock>(2).block == blocks[1].hash);
  test.tell(2, parts_of(blocks[1])[1]);
  CHECK(test.host.sent[2].empty());
  CHECK(test.node->figures().refused_blocks == 2);
  // There is room again, also for who goes in the middle.
  test.tell(1, parts_of(blocks[1])[0]);
  test.tell(3, parts_of(blocks[2])[0]);
  test.node->disconnected(1);
  test.push(2, blocks[1]);
  CHECK(test.host.take_one<BlockStored>(2).block == blocks[1].hash);
  test.tell(3, parts_of(blocks[2])[1]);
  CHECK(test.host.take_one<BlockStored>(3).block == blocks[2].hash);
  CHECK(test.host.disconnects.empty());
}

TEST_CASE("storage node: the bytes of blocks that come in are bounded") {
  StorageNodeOptions options;
  options.max_upload_bytes = std::uint64_t{8} << 20;
  StorageNodeForTests test(options);
  const RawBlock first = raw_block(test.parameters, 3, std::size_t{9} << 20, 1);
  const RawBlock second = raw_block(test.parameters, 3, 100, 2);
  test.link(1);
  test.link(2);
  // One is taken however large it is.
  test.tell(1, parts_of(first)[0]);
  test.tell(2, parts_of(second)[0]);
  CHECK(test.host.take_one<NoBlock>(2).block == second.hash);
  test.tell(1, parts_of(first)[1]);
  test.tell(1, parts_of(first)[2]);
  CHECK(test.host.take_one<BlockStored>(1).block == first.hash);
  test.push(2, second);
  CHECK(test.host.take_one<BlockStored>(2).block == second.hash);
}

TEST_CASE("storage node: a sender that begins another block has given the first one up") {
  StorageNodeOptions options;
  options.max_uploads = 1;
  StorageNodeForTests test(options);
  const RawBlock first = raw_block(test.parameters, 3, std::size_t{5} << 20, 1);
  const RawBlock second = raw_block(test.parameters, 3, std::size_t{5} << 20, 2);
  test.link(1);
  test.tell(1, parts_of(first)[0]);
  test.push(1, second);
  CHECK(test.host.take_one<BlockStored>(1).block == second.hash);
  CHECK(test.blocks->count() == 1);
}

TEST_CASE("storage node: serves a few at a time, each as it takes, and drops who takes nothing") {
  StorageNodeOptions options;
  options.max_served = 1;
  StorageNodeForTests test(options);
  const RawBlock block = raw_block(test.parameters, 3, std::size_t{40} << 20);
  test.link(1);
  test.push(1, block);
  (void)test.host.take_one<BlockStored>(1);
  test.link(2);
  test.tell(1, GetBlock{block.hash});
  test.tell(2, GetBlock{block.hash});
  // A frame of the store more than there is room for, at the most.
  CHECK(test.host.queued_bytes(1) <= options.max_queued_bytes + block_frame_part_bytes + 1'000);
  CHECK(test.host.queued_bytes(2) == 0);
  const auto queued = test.host.queued_bytes(1);
  test.pass_ms(59'999);
  CHECK(test.host.queued_bytes(1) == queued);
  CHECK(test.host.disconnects.empty());
  SUBCASE("slow is not stuck") {
    (void)test.host.take_one<BlockPart>(1);
    test.pass_ms(59'999);
    CHECK(test.host.disconnects.empty());
  }
  SUBCASE("stuck") {
    test.pass_ms(1);
    REQUIRE(test.host.disconnects.size() == 1);
    CHECK(test.host.disconnects[0].peer == 1);
    CHECK_FALSE(test.host.disconnects[0].misbehaved);
    test.node->disconnected(1);
    REQUIRE(test.node->tick());
    CHECK(test.take_block(2, block) == block.raw);
  }
}

TEST_CASE("storage node: who asks for more than it takes is dropped") {
  StorageNodeForTests test;
  const RawBlock block = raw_block(test.parameters, 3, std::size_t{20} << 20);
  test.link(1);
  test.push(1, block);
  (void)test.host.take_one<BlockStored>(1);
  for (std::size_t i = 0; i < test.options.max_wanted + 1; ++i) {
    test.tell(1, GetBlock{block.hash});
    CHECK(test.host.disconnects.empty());
  }
  test.tell(1, GetBlock{block.hash});
  CHECK(test.host.disconnects.size() == 1);
}

TEST_CASE(
    "storage node: a block that is damaged on its disk is not given, and can be pushed again") {
  StorageNodeForTests test;
  const RawBlock block = raw_block(test.parameters, 3, std::size_t{9} << 20);
  test.link(1);
  test.push(1, block);
  (void)test.host.take_one<BlockStored>(1);
  REQUIRE(test.blocks->close());
  Bytes* segment = test.memory.content("store/segments/" + storage::segment_name(1));
  REQUIRE(segment != nullptr);
  (*segment)[std::size_t{1} << 20] ^= 1;
  test.restart();
  test.link(2);
  test.tell(2, GetBlock{block.hash});
  CHECK(test.host.take_one<NoBlock>(2).block == block.hash);
  test.push(2, block);
  CHECK(test.host.take_one<BlockStored>(2).block == block.hash);
  test.tell(2, GetBlock{block.hash});
  CHECK(test.take_block(2, block) == block.raw);
}

TEST_CASE("storage node: a block that was cut off by a crash is not shown, and pushing goes on") {
  StorageNodeForTests test;
  const RawBlock first = raw_block(test.parameters, 3, std::size_t{20} << 20, 1);
  const RawBlock second = raw_block(test.parameters, 3, std::size_t{20} << 20, 2);
  // Each part is a group of its own: the second append of the block fails.
  test.link(1);
  const auto parts = parts_of(first);
  test.fs.set_fault({.kind = FaultKind::kill, .operation = 3});
  bool ended = false;
  for (const BlockPart& part : parts) {
    const Bytes bytes = encode_message(test.parameters.magic, part);
    ended = !test.node->received(1, message_type(part), ByteView(bytes).subspan(wire_header_size));
  }
  REQUIRE(test.fs.happened());
  CHECK(ended);
  CHECK(test.host.sent[1].empty());
  test.fs.reboot();
  test.restart();
  CHECK(test.blocks->count() == 0);
  CHECK(std::ranges::count(test.notes, "1 blocks in the store lack a part and are not served") ==
        1);
  // Another block of the height comes in between.
  test.link(2);
  test.push(2, second);
  CHECK(test.host.take_one<BlockStored>(2).block == second.hash);
  test.push(2, first);
  CHECK(test.host.take_one<BlockStored>(2).block == first.hash);
  test.restart();
  test.link(3);
  for (const RawBlock* block : {&first, &second}) {
    test.tell(3, GetBlock{block->hash});
    CHECK(test.take_block(3, *block) == block->raw);
  }
}

TEST_CASE("storage node: an error of its disk ends it") {
  StorageNodeForTests test;
  const RawBlock block = raw_block(test.parameters, 3);
  test.link(1);
  test.fs.set_fault({.kind = FaultKind::error_for_good, .operation = 1, .error_number = ENOSPC});
  const Bytes bytes = encode_message(test.parameters.magic, parts_of(block)[0]);
  auto status =
      test.node->received(1, message_type(BlockPart{}), ByteView(bytes).subspan(wire_header_size));
  REQUIRE_FALSE(status);
  CHECK(status.error().code == ExitCode::system);
  CHECK(test.host.sent[1].empty());
}
