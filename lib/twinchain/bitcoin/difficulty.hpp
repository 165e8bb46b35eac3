// The difficulty that a chain's rules ask for. Floor 2.
//
// Source: Bitcoin Core pow.cpp (GetNextWorkRequired, CalculateNextWorkRequired,
// PermittedDifficultyTransition), validation.cpp (ContextualCheckBlockHeader, median time past);
// Litecoin Core pow.cpp; BIP 94 for testnet4.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "twinchain/bitcoin/header.hpp"

namespace twinchain::bitcoin {

struct DifficultyRule {
  std::uint32_t spacing_s = 600;
  std::uint32_t interval = 2016;  ///< blocks between changes
  std::uint32_t easiest_bits = 0x1d00ffff;
  /// Test networks: a block that comes more than twice the spacing after its predecessor may have
  /// the easiest target.
  bool easiest_after_pause = false;
  /// Litecoin: the time of a period counts from the block before it.
  bool counts_from_before = false;
  /// BIP 94: the new target comes from the period's first block, not from its last.
  bool from_first_block = false;

  [[nodiscard]] std::int64_t timespan_s() const {
    return std::int64_t{spacing_s} * std::int64_t{interval};
  }
};

/// The target after a period that took `taken_s` seconds, at most four times harder or easier.
std::uint32_t next_bits(const DifficultyRule& rule, std::uint32_t bits, std::int64_t taken_s);

/// Checks the difficulty and the time of headers, one after the other. What lies before the first
/// one is not known; where a rule would need it, the bounds of what the rule can give are checked
/// instead, for one period at the most.
class DifficultyCheck {
 public:
  DifficultyCheck(const DifficultyRule& rule, std::uint32_t first_height)
      : rule_(rule), height_(first_height) {}

  /// What is wrong with the next header, or nothing.
  std::optional<std::string> next(const BlockHeader& header);

 private:
  [[nodiscard]] std::optional<std::string> check_bits(const BlockHeader& header) const;
  [[nodiscard]] std::optional<std::string> check_change(const BlockHeader& header) const;
  [[nodiscard]] std::optional<std::int64_t> period_began_s() const;
  [[nodiscard]] std::optional<std::uint32_t> median_time_s() const;
  void remember(const BlockHeader& header);

  DifficultyRule rule_;
  std::uint32_t height_;  ///< of the next header
  std::optional<BlockHeader> last_;
  /// Of the newest block whose target is not the easiest, or that begins a period.
  std::optional<std::uint32_t> earned_bits_;
  std::optional<BlockHeader> first_of_period_;
  std::optional<BlockHeader> before_period_;
  std::array<std::uint32_t, 11> times_s_{};
  std::size_t count_ = 0;
};

}  // namespace twinchain::bitcoin
