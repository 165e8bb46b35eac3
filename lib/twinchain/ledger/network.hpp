// Which chain a block belongs to. Floor 4.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "twinchain/base/bytes.hpp"
#include "twinchain/bitcoin/difficulty.hpp"
#include "twinchain/bitcoin/pow.hpp"

namespace twinchain::ledger {

using bitcoin::ProofOfWork;

/// Bitcoin-family networks are named by their P2P message-start bytes, read as a little-endian
/// u32. Three have a number of our own instead: `dir:` ledgers, time-stamps, and Litecoin's
/// regtest, which has the very bytes of Bitcoin's although its proof of work is another. Any two
/// numbers differ in six bits or more, ours from all others in 16, so that no small damage turns
/// one network into another.
struct Network {
  std::uint32_t magic = 0;
  /// "tsa" is no network: it stands for time-stamp authorities where a receipt says which ledger it
  /// is of. Otherwise "bitcoin", "bitcoin-testnet3", "bitcoin-testnet4", "bitcoin-signet",
  /// "bitcoin-regtest", "litecoin", "litecoin-testnet4", "litecoin-regtest", "dir"; or
  /// "mnode-XXXXXXXX", see made_network().
  std::string name = {};
  ProofOfWork proof_of_work = ProofOfWork::sha256d;
  bool trivial = false;                ///< difficulty that anyone can meet: regtest and dir
  std::uint32_t easiest_bits = 0;      ///< proof-of-work limit: no header has an easier target
  std::string genesis_displayed = {};  ///< block hash of the genesis as displayed (reversed hex)

  /// Internal byte order.
  [[nodiscard]] Hash256 genesis() const;
  /// RFC 3161 time-stamps: there are no blocks, and nothing above but magic and name says anything.
  [[nodiscard]] bool is_timestamps() const { return genesis_displayed.empty(); }
  /// Of made_network().
  [[nodiscard]] bool is_made() const { return name.starts_with("mnode-"); }
  /// How the difficulty changes; nothing for trivial networks, where it never does, and for made
  /// ones, whose rules are theirs.
  [[nodiscard]] std::optional<bitcoin::DifficultyRule> difficulty_rule() const;
  /// Whether a header meets its own target, and this is within the network's limit.
  [[nodiscard]] bool check_proof_of_work(const bitcoin::BlockHeaderBytes& header) const;
};

/// Of a network, and of time-stamps.
std::optional<Network> network_by_magic(std::uint32_t magic);
std::optional<Network> network_by_name(std::string_view name);
/// All that are built in and have blocks.
std::span<const Network> networks();

/// A network that its users made, with rules of its own (twin-network(5)). All that identifies it
/// is the hash of its genesis block, which depends on every rule. Its number is the first four
/// bytes of that hash's SHA-256, so that no bit of it changes unnoticed; its name has the last
/// eight digits of the hash as displayed: what people call the network says nothing. Proof of work
/// is SHA-256d. `easiest_bits` may be left open: then a header need only meet the target that it
/// states.
Network made_network(const Hash256& genesis, std::uint32_t easiest_bits = 0x207fffff);
/// Whether a network that is built in has this name, or one that was made can have it.
bool is_network_name(std::string_view name);

}  // namespace twinchain::ledger
