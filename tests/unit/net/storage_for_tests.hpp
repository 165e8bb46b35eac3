// Blocks of any size, and a storage node without sockets, for the tests of storing blocks.
#pragma once

#include "twinchain/net/storage_node.hpp"
#include "twinchain/sys/faulty_fs.hpp"
#include "unit/net/blocks_for_tests.hpp"
#include "unit/net/clocks_for_tests.hpp"
#include "unit/net/host_for_tests.hpp"

namespace twinchain::testing {

struct RawBlock {
  Hash256 hash{};
  bitcoin::BlockHeader header;
  std::uint32_t height = 0;
  Bytes raw;
};

/// A block of which nothing but its body is right: it spends coins that nobody has. `data_bytes` of
/// it are data.
inline RawBlock raw_block(const net::ChainParameters& parameters, std::uint32_t height,
                          std::size_t data_bytes = 0, std::uint8_t salt = 0) {
  std::vector<net::TransactionPtr> transactions;
  constexpr std::size_t most = std::size_t{8} << 20;
  for (std::size_t at = 0; at < data_bytes; at += most) {
    bitcoin::Transaction tx;
    tx.version = 2;
    tx.inputs.push_back({{{salt, static_cast<std::uint8_t>(height), 7}, 0}, {}, 0xffffffff, {}});
    const Bytes data(std::min(most, data_bytes - at), static_cast<std::uint8_t>(at >> 20));
    tx.outputs.push_back({0, *bitcoin::data_output_script(as_bytes("TWIN"), data)});
    transactions.push_back(net::share_transaction(std::move(tx)));
  }
  const net::NetBlock block =
      make_block(parameters, {}, height, genesis_time_for_tests_s + 10 * height,
                 parameters.easiest_bits, std::move(transactions), 50, salt);
  return {bitcoin::block_hash(block.header), block.header, height, net::serialize(block)};
}

inline std::vector<net::BlockPart> parts_of(const RawBlock& block) {
  return parts_of(block.hash, block.raw);
}

/// Its store is on a disk in memory, but for the index.
struct StorageNodeForTests {
  explicit StorageNodeForTests(const net::StorageNodeOptions& wanted = {}) : options(wanted) {
    start();
  }
  void start() {
    storage::WriterOptions writer;
    writer.other_index_folder = scratch / "index";
    auto opened = net::StoredBlocks::open(fs, "store", parameters, writer,
                                          [this](const std::string& n) { notes.push_back(n); });
    REQUIRE_MESSAGE(opened, (opened ? "" : opened.error().message));
    blocks = std::move(*opened);
    node.emplace(options, parameters, host, clock, *blocks, workers);
  }
  /// By the thread that started it, as LMDB wants it.
  void stop() {
    node.reset();
    blocks.reset();
  }
  void restart() {
    stop();
    start();
  }
  /// A peer that has said hello; what the node said is taken.
  void link(net::PeerId peer, const net::Hello& said, std::uint8_t key = 0) {
    net::LinkInfo info;
    info.node_key[0] = key;
    node->connected(peer, info);
    CHECK(host.take_one<net::Hello>(peer).role == net::NodeRole::storage);
    tell(peer, said);
  }
  void link(net::PeerId peer, std::uint8_t key = 0) { link(peer, hello(), key); }
  [[nodiscard]] net::Hello hello() const {
    net::Hello said;
    said.role = net::NodeRole::full;
    said.genesis = net::genesis_hash(parameters);
    return said;
  }
  void tell(net::PeerId peer, const net::Message& message) {
    const Bytes bytes = net::encode_message(parameters.magic, message);
    tell(peer, net::message_type(message), ByteView(bytes).subspan(net::wire_header_size));
  }
  void tell(net::PeerId peer, std::uint16_t type, ByteView body) {
    REQUIRE(node->received(peer, type, body));
    REQUIRE(node->flush());
  }
  void push(net::PeerId peer, const RawBlock& block) {
    for (const net::BlockPart& part : parts_of(block)) tell(peer, part);
  }
  void pass_ms(std::int64_t time_ms) {
    clock.now_ms += time_ms;
    REQUIRE(node->tick());
  }
  /// Takes what is sent to a peer until a whole block has come.
  Bytes take_block(net::PeerId peer, const RawBlock& block) {
    Bytes raw;
    while (raw.size() < block.raw.size()) {
      const auto part = host.take_one<net::BlockPart>(peer);
      CHECK(part.block == block.hash);
      CHECK(part.size_bytes == block.raw.size());
      REQUIRE(part.offset == raw.size());
      append(raw, part.bytes);
      REQUIRE(node->tick());
    }
    return raw;
  }

  net::ChainParameters parameters = parameters_for_tests();
  net::StorageNodeOptions options;
  MemoryFs memory;
  FaultyFs fs{memory};
  TemporaryFolder scratch;
  std::vector<std::string> notes;
  ClockForTests clock;
  net::WorkPool workers{0, [](std::function<void()>& work) { work(); }};
  HostForTests host{parameters.magic, HostForTests::Links::slow};
  std::unique_ptr<net::StoredBlocks> blocks;
  std::optional<net::StorageNode> node;
};

}  // namespace twinchain::testing
