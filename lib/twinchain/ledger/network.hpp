// Which chain a block belongs to. Floor 4.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
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
  std::uint32_t magic;
  /// "tsa" is no network: it stands for time-stamp authorities where a receipt says which ledger it
  /// is of. Otherwise "bitcoin", "bitcoin-testnet3", "bitcoin-testnet4", "bitcoin-signet",
  /// "bitcoin-regtest", "litecoin", "litecoin-testnet4", "litecoin-regtest", "dir".
  std::string_view name;
  ProofOfWork proof_of_work;
  bool trivial;                        ///< difficulty that anyone can meet: regtest and dir
  std::uint32_t easiest_bits;          ///< proof-of-work limit: no header has an easier target
  std::string_view genesis_displayed;  ///< block hash of the genesis as displayed (reversed hex)

  /// Internal byte order.
  [[nodiscard]] Hash256 genesis() const;
  /// RFC 3161 time-stamps: there are no blocks, and nothing above but magic and name says anything.
  [[nodiscard]] bool is_timestamps() const { return genesis_displayed.empty(); }
  /// How the difficulty changes; nothing for trivial networks, where it never does.
  [[nodiscard]] std::optional<bitcoin::DifficultyRule> difficulty_rule() const;
  /// Whether a header meets its own target, and this is within the network's limit.
  [[nodiscard]] bool check_proof_of_work(const bitcoin::BlockHeaderBytes& header) const;
};

/// Of a network, and of time-stamps.
std::optional<Network> network_by_magic(std::uint32_t magic);
std::optional<Network> network_by_name(std::string_view name);
/// All that have blocks.
std::span<const Network> networks();

}  // namespace twinchain::ledger
