#include "twinchain/bitcoin/difficulty.hpp"

#include <algorithm>

#include "twinchain/base/text.hpp"
#include "twinchain/bitcoin/pow.hpp"
#include "twinchain/bitcoin/uint256.hpp"

namespace twinchain::bitcoin {
namespace {

/// target * factor, in 256 bits; both come within the bounds that next_bits() keeps.
UInt256 times(const UInt256& target, std::uint64_t factor) {
  UInt256 product;
  UInt256 shifted = target;
  for (; factor != 0; factor >>= 1) {
    if ((factor & 1) != 0) product += shifted;
    shifted <<= 1;
  }
  return product;
}

std::string bits_text(std::uint32_t bits) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (int shift = 28; shift >= 0; shift -= 4) text += digits[bits >> shift & 15];
  return text;
}

std::optional<std::string> expect_bits(const BlockHeader& header, std::uint32_t bits) {
  if (header.bits == bits) return std::nullopt;
  return "its difficulty is " + bits_text(header.bits) + " where the rules ask for " +
         bits_text(bits);
}

}  // namespace

std::uint32_t next_bits(const DifficultyRule& rule, std::uint32_t bits, std::int64_t taken_s) {
  const std::int64_t wanted_s = rule.timespan_s();
  const std::int64_t counted_s = std::clamp(taken_s, wanted_s / 4, wanted_s * 4);
  const UInt256 limit = decode_compact(rule.easiest_bits).target;
  UInt256 target = decode_compact(bits).target;
  // Litecoin's limit leaves no room for the product; Bitcoin's targets never come near.
  const bool halve = rule.counts_from_before && target.bit_length() > limit.bit_length() - 1;
  if (halve) target >>= 1;
  target = times(target, static_cast<std::uint64_t>(counted_s)) /
           UInt256(static_cast<std::uint64_t>(wanted_s));
  if (halve) target <<= 1;
  return encode_compact(std::min(target, limit));
}

std::optional<std::string> DifficultyCheck::next(const BlockHeader& header) {
  if (const auto median_s = median_time_s(); median_s && header.time_s <= *median_s) {
    return "its time is not after the median of the eleven before it";
  }
  if (auto wrong = check_bits(header)) return wrong;
  remember(header);
  return std::nullopt;
}

std::optional<std::string> DifficultyCheck::check_bits(const BlockHeader& header) const {
  if (!last_) return std::nullopt;
  if (height_ % rule_.interval == 0) return check_change(header);
  if (!rule_.easiest_after_pause) return expect_bits(header, last_->bits);
  if (std::int64_t{header.time_s} >
      std::int64_t{last_->time_s} + 2 * std::int64_t{rule_.spacing_s}) {
    return expect_bits(header, rule_.easiest_bits);
  }
  return earned_bits_ ? expect_bits(header, *earned_bits_) : std::nullopt;
}

std::optional<std::string> DifficultyCheck::check_change(const BlockHeader& header) const {
  const auto& base = rule_.from_first_block ? first_of_period_ : last_;
  // BIP 94's base is before what we have: an easiest last block says nothing about it.
  if (!base) return std::nullopt;
  if (const auto began_s = period_began_s()) {
    const std::int64_t taken_s = std::int64_t{last_->time_s} - *began_s;
    return expect_bits(header, next_bits(rule_, base->bits, taken_s));
  }
  const auto target_after = [&](std::int64_t taken_s) {
    return decode_compact(next_bits(rule_, base->bits, taken_s)).target;
  };
  const UInt256 target = decode_compact(header.bits).target;
  const std::int64_t wanted_s = rule_.timespan_s();
  if (target < target_after(wanted_s / 4) || target > target_after(wanted_s * 4)) {
    return "its difficulty " + bits_text(header.bits) + " changes by more than four times";
  }
  return std::nullopt;
}

std::optional<std::int64_t> DifficultyCheck::period_began_s() const {
  // The first change of a chain has nothing before its period.
  const bool from_before = rule_.counts_from_before && height_ != rule_.interval;
  const auto& first = from_before ? before_period_ : first_of_period_;
  if (!first) return std::nullopt;
  return first->time_s;
}

std::optional<std::uint32_t> DifficultyCheck::median_time_s() const {
  if (count_ < times_s_.size()) return std::nullopt;
  auto sorted = times_s_;
  std::sort(sorted.begin(), sorted.end());
  return sorted[sorted.size() / 2];
}

void DifficultyCheck::remember(const BlockHeader& header) {
  const bool begins = height_ % rule_.interval == 0;
  if (begins) {
    before_period_ = last_;
    first_of_period_ = header;
  }
  if (begins || header.bits != rule_.easiest_bits) earned_bits_ = header.bits;
  times_s_[count_++ % times_s_.size()] = header.time_s;
  last_ = header;
  ++height_;
}

}  // namespace twinchain::bitcoin
