#include "twinchain/ledger/network.hpp"

#include <doctest/doctest.h>

#include <bit>

#include "twinchain/base/hex.hpp"
#include "twinchain/ledger/dir_block.hpp"

using namespace twinchain;
using namespace twinchain::ledger;

namespace {

struct Genesis {
  std::string_view network;
  std::string_view merkle_root;  // displayed
  std::uint32_t time_s;
  std::uint32_t bits;
  std::uint32_t nonce;
};

constexpr std::string_view bitcoin_root =
    "4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b";
constexpr std::string_view litecoin_root =
    "97ddfbbae6be97fd6cdf3e7ca13232a3afff2353e29badfab7f73011edd4ced9";

// chainparams.cpp of Bitcoin Core and Litecoin Core.
constexpr Genesis geneses[] = {
    {"bitcoin", bitcoin_root, 1231006505, 0x1d00ffff, 2083236893},
    {"bitcoin-testnet3", bitcoin_root, 1296688602, 0x1d00ffff, 414098458},
    {"bitcoin-testnet4", "7aa0a7ae1e223414cb807e40cd57e667b718e42aaf9306db9102fe28912b7b4e",
     1714777860, 0x1d00ffff, 393743547},
    {"bitcoin-signet", bitcoin_root, 1598918400, 0x1e0377ae, 52613770},
    {"bitcoin-regtest", bitcoin_root, 1296688602, 0x207fffff, 2},
    {"litecoin", litecoin_root, 1317972665, 0x1e0ffff0, 2084524493},
    {"litecoin-testnet4", litecoin_root, 1486949366, 0x1e0ffff0, 293345},
    {"litecoin-regtest", litecoin_root, 1296688602, 0x207fffff, 0},
};

}  // namespace

TEST_CASE("every network's genesis: hash and proof of work") {
  for (const Genesis& genesis : geneses) {
    CAPTURE(genesis.network);
    const auto network = network_by_name(genesis.network);
    REQUIRE(network);
    bitcoin::BlockHeader header;
    header.version = 1;
    header.merkle_root = *hash_from_hex_reversed(genesis.merkle_root);
    header.time_s = genesis.time_s;
    header.bits = genesis.bits;
    header.nonce = genesis.nonce;
    CHECK(to_hex_reversed(bitcoin::block_hash(header)) == network->genesis_displayed);
    CHECK(network->genesis() == bitcoin::block_hash(header));
    CHECK(network->check_proof_of_work(bitcoin::serialize(header)));
    CHECK(network->trivial == (network->name.find("regtest") != std::string_view::npos));
  }
  CHECK(networks().size() == std::size(geneses) + 1);
}

TEST_CASE("the dir ledger's genesis is fixed") {
  const auto network = network_by_name("dir");
  REQUIRE(network);
  CHECK(network->trivial);
  CHECK(network->genesis() == bitcoin::block_hash(dir_genesis().header));
  CHECK(network->check_proof_of_work(bitcoin::serialize(dir_genesis().header)));
}

TEST_CASE("networks are found by number and by name, and are far apart") {
  for (const Network& network : networks()) {
    CHECK(network_by_magic(network.magic)->name == network.name);
    CHECK(network_by_name(network.name)->magic == network.magic);
    for (const Network& other : networks()) {
      if (other.name == network.name) continue;
      const bool ours = network.name == "dir" || network.name == "litecoin-regtest";
      CHECK(std::popcount(network.magic ^ other.magic) >= (ours ? 16 : 6));
    }
  }
  CHECK_FALSE(network_by_magic(0));
  CHECK_FALSE(network_by_name("dogecoin"));
  CHECK_FALSE(network_by_name(""));
}

TEST_CASE("networks that were made are named after their genesis block") {
  Hash256 genesis{};
  genesis[0] = 0xab;
  genesis[3] = 0x1c;
  const Network network = made_network(genesis, 0x1f00ffff);
  CHECK(network.name == "mnode-1c0000ab");
  CHECK(network.genesis() == genesis);
  CHECK(network.easiest_bits == 0x1f00ffff);
  CHECK(network.is_made());
  CHECK_FALSE(network.is_timestamps());
  CHECK_FALSE(network.difficulty_rule());
  Hash256 other = genesis;
  other[31] = 1;
  CHECK(made_network(other).magic != network.magic);
  CHECK(is_network_name(network.name));
  CHECK(is_network_name("bitcoin"));
  CHECK(is_network_name("tsa"));
  for (const char* name : {"mnode-1c0000a", "mnode-1c0000abc", "mnode-1C0000AB", "mnode", "demo"}) {
    CHECK_FALSE(is_network_name(name));
  }
}
