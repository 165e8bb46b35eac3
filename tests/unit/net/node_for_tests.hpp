// One node without sockets, and what it sends to whom.
#pragma once

#include "twinchain/net/node.hpp"
#include "twinchain/net/node_storage.hpp"
#include "twinchain/sys/faulty_fs.hpp"
#include "unit/net/blocks_for_tests.hpp"
#include "unit/net/clocks_for_tests.hpp"
#include "unit/net/host_for_tests.hpp"

namespace twinchain::testing {

/// A node with coins for key_for_tests(), whose peers the test plays.
class WholeNode {
 public:
  explicit WholeNode(std::size_t fundings = 5, net::NodeOptions options = {})
      : parameters(funded_parameters(fundings)),
        clock(parameters.genesis_time_s + 1'000),
        workers(0, [](std::function<void()>& work) { work(); }) {
    net::NodeStorageOptions storage_options;
    storage_options.coins = {.map_bytes = std::uint64_t{1} << 30, .durable = false};
    storage_options.coins_folder = folder / "coins";
    auto opened = net::NodeStorage::open(fs, "node", parameters, workers, clock, storage_options,
                                         [](const std::string&) {});
    REQUIRE(opened);
    storage = std::move(*opened);
    node = std::make_unique<net::Node>(options, parameters, host, clock, storage->chain(),
                                       storage->blocks(), workers);
    genesis_txid = bitcoin::txid(net::genesis_block(parameters).transactions[0]);
  }

  /// A link; the peer has said hello unless `role` is nothing.
  net::PeerId join(std::optional<net::NodeRole> role = net::NodeRole::mnode) {
    const net::PeerId peer = ++last_peer_;
    net::LinkInfo link;
    link.address = "127.0.0.1:" + std::to_string(10'000 + peer);
    link.link_secret[0] = static_cast<std::uint8_t>(peer);
    node->connected(peer, link);
    if (role) {
      net::Hello hello;
      hello.role = *role;
      hello.genesis = net::genesis_hash(parameters);
      say(peer, hello);
      host.sent[peer].clear();
    }
    return peer;
  }
  void say(net::PeerId peer, const net::Message& message) {
    const Bytes bytes = net::encode_message(parameters.magic, message);
    REQUIRE(node->received(peer, net::message_type(message),
                           ByteView(bytes).subspan(net::wire_header_size)));
    REQUIRE(node->flush());
  }
  void wait(std::int64_t duration_ms) {
    for (const std::int64_t end_ms = clock.now_ms + duration_ms; clock.now_ms < end_ms;) {
      clock.now_ms += std::min<std::int64_t>(50, end_ms - clock.now_ms);
      REQUIRE(node->tick());
    }
  }
  /// The messages of one type that went to a peer since it joined (or since forget()).
  template <class T>
  std::vector<T> heard(net::PeerId peer) {
    return host.heard<T>(peer);
  }
  void forget(net::PeerId peer) { host.sent[peer].clear(); }
  [[nodiscard]] bitcoin::OutPoint funding(std::uint32_t index) const {
    return {genesis_txid, index};
  }
  /// A block on a block, with its work.
  net::NetBlock block_on(const bitcoin::BlockHeader& parent, std::uint32_t height,
                         std::vector<net::TransactionPtr> transactions, std::int64_t fees_sat = 0) {
    const net::HeaderNode* node_of_parent =
        storage->chain().headers().find(bitcoin::block_hash(parent));
    const std::uint32_t bits = node_of_parent != nullptr
                                   ? storage->chain().headers().next_bits(*node_of_parent)
                                   : parameters.easiest_bits;
    return make_block(parameters, bitcoin::block_hash(parent), height, parent.time_s + 10, bits,
                      std::move(transactions), parameters.block_subsidy_sat(height) + fees_sat,
                      static_cast<std::uint8_t>(++salt_));
  }
  [[nodiscard]] bitcoin::BlockHeader genesis_header() const {
    return net::genesis_block(parameters).header;
  }
  [[nodiscard]] std::uint32_t height() { return storage->chain().tip().height; }

  TemporaryFolder folder;
  net::ChainParameters parameters;
  ClockForTests clock;
  net::WorkPool workers;
  MemoryFs fs;
  HostForTests host{parameters.magic, HostForTests::Links::fast};
  std::unique_ptr<net::NodeStorage> storage;
  std::unique_ptr<net::Node> node;
  Hash256 genesis_txid{};

 private:
  net::PeerId last_peer_ = 0;
  unsigned salt_ = 0;
};

}  // namespace twinchain::testing
