// Whether headers that follow each other keep to a network's rules of difficulty and time. Floor 6.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>

#include "twinchain/ledger/known_blocks.hpp"
#include "twinchain/net/chain_parameters.hpp"

namespace twinchain::net {

/// Fed with headers of which each is the parent of the next. That they follow each other, meet the
/// target that they state, and begin with the genesis block is for the caller to check, and that
/// none is of the future. A value.
class HeaderRules {
 public:
  /// `height`: of the next header. `times_before_s`: of the headers before it, oldest first; what
  /// they do not tell (a file that begins in the middle of the chain) is not checked.
  HeaderRules(const ChainParameters& parameters, std::uint32_t height,
              std::span<const std::uint32_t> times_before_s = {});
  /// What is wrong with the next header, or nothing.
  std::optional<std::string> next(const bitcoin::BlockHeader& header);

 private:
  static constexpr std::size_t median_span = 11;
  void remember(std::uint32_t time_s);
  /// Nothing when it is not known.
  [[nodiscard]] std::optional<std::uint32_t> median_time_s() const;

  AsertRule rule_;
  std::uint32_t genesis_time_s_;
  std::uint32_t height_;
  std::array<std::uint32_t, median_span> times_s_{};  ///< a ring
  std::uint64_t count_ = 0;
};

/// The network as receipts and ledgers name it.
ledger::Network ledger_network(const ChainParameters& parameters);
/// How files of its headers are checked.
ledger::MadeNetwork made_network_of(const ChainParameters& parameters);

}  // namespace twinchain::net
