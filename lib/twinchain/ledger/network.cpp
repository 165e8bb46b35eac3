#include "twinchain/ledger/network.hpp"

#include <algorithm>

#include "twinchain/base/hex.hpp"
#include "twinchain/crypto/sha256.hpp"

namespace twinchain::ledger {
namespace {

// Sources: chainparams.cpp of Bitcoin Core and of Litecoin Core 0.21. For the numbers of our
// own, and the dir: genesis, see network.hpp and dir_block.cpp.
std::span<const Network> table() {
  static const Network all[] = {
      {0xd9b4bef9, "bitcoin", ProofOfWork::sha256d, false, 0x1d00ffff,
       "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"},
      {0x0709110b, "bitcoin-testnet3", ProofOfWork::sha256d, false, 0x1d00ffff,
       "000000000933ea01ad0ee984209779baaec3ced90fa3f408719526f8d77f4943"},
      {0x283f161c, "bitcoin-testnet4", ProofOfWork::sha256d, false, 0x1d00ffff,
       "00000000da84f2bafbbc53dee25a72ae507ff4914b867c565be350b0da8bf043"},
      {0x40cf030a, "bitcoin-signet", ProofOfWork::sha256d, false, 0x1e0377ae,
       "00000008819873e925422c1ff0f99f7cc9bbb232af63a077a480a3633bee1ef6"},
      {0xdab5bffa, "bitcoin-regtest", ProofOfWork::sha256d, true, 0x207fffff,
       "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206"},
      {0xdbb6c0fb, "litecoin", ProofOfWork::scrypt_1024_1_1, false, 0x1e0fffff,
       "12a765e31ffd4059bada1e25190f6e98c99d9714d334efa41a195a7e7e04bfe2"},
      {0xf1c8d2fd, "litecoin-testnet4", ProofOfWork::scrypt_1024_1_1, false, 0x1e0fffff,
       "4966625a4b2851d9fdee139e56211a0d88575f59ed816ff5e6a63deb4e3e29a0"},
      {0xa7e7ef85, "litecoin-regtest", ProofOfWork::scrypt_1024_1_1, true, 0x207fffff,
       "530827f38f93b43ed12af0b3ad25a288dc02ed74d6d7857862df51fc56c416f9"},
      {0x9cd88c86, "dir", ProofOfWork::sha256d, true, 0x207fffff,
       "6ba7baacb576454ea7fa7fe38bde69d9dd4b1bb182b6d5fd8b0ed347b7d611db"},
  };
  return all;
}

constexpr std::string_view made_prefix = "mnode-";
constexpr std::size_t made_digits = 8;

std::optional<Network> find(auto matches) {
  Network timestamps{0xec222960, "tsa", ProofOfWork::sha256d, false, 0, ""};
  if (matches(timestamps)) return timestamps;
  const auto found = std::ranges::find_if(table(), matches);
  if (found == table().end()) return std::nullopt;
  return *found;
}

}  // namespace

Hash256 Network::genesis() const {
  return hash_from_hex_reversed(genesis_displayed).value_or(Hash256{});
}

bool Network::check_proof_of_work(const bitcoin::BlockHeaderBytes& header) const {
  return bitcoin::check_proof_of_work(proof_of_work, header,
                                      bitcoin::decode_compact(easiest_bits).target);
}

std::optional<bitcoin::DifficultyRule> Network::difficulty_rule() const {
  if (trivial || is_made()) return std::nullopt;
  bitcoin::DifficultyRule rule;
  rule.easiest_bits = easiest_bits;
  rule.easiest_after_pause = name.find("testnet") != std::string_view::npos;
  rule.from_first_block = name == "bitcoin-testnet4";
  if (name.starts_with("litecoin")) {
    rule.spacing_s = 150;
    rule.counts_from_before = true;
  }
  return rule;
}

std::optional<Network> network_by_magic(std::uint32_t magic) {
  return find([&](const Network& network) { return network.magic == magic; });
}

std::optional<Network> network_by_name(std::string_view name) {
  return find([&](const Network& network) { return network.name == name; });
}

std::span<const Network> networks() {
  return table();
}

Network made_network(const Hash256& genesis, std::uint32_t easiest_bits) {
  Network network;
  network.magic = load_le<std::uint32_t>(sha256(ByteView(genesis)).data());
  network.genesis_displayed = to_hex_reversed(genesis);
  network.name = std::string(made_prefix) +
                 network.genesis_displayed.substr(network.genesis_displayed.size() - made_digits);
  network.easiest_bits = easiest_bits;
  return network;
}

bool is_network_name(std::string_view name) {
  if (network_by_name(name)) return true;
  if (!name.starts_with(made_prefix)) return false;
  const std::string_view digits = name.substr(made_prefix.size());
  return digits.size() == made_digits && std::ranges::all_of(digits, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

}  // namespace twinchain::ledger
