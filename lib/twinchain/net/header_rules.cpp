#include "twinchain/net/header_rules.hpp"

#include <algorithm>
#include <memory>

#include "twinchain/base/text.hpp"

namespace twinchain::net {

HeaderRules::HeaderRules(const ChainParameters& parameters, std::uint32_t height,
                         std::span<const std::uint32_t> times_before_s)
    : rule_(parameters.asert()), genesis_time_s_(parameters.genesis_time_s), height_(height) {
  for (const std::uint32_t time_s : times_before_s) remember(time_s);
}

void HeaderRules::remember(std::uint32_t time_s) {
  times_s_[count_ % median_span] = time_s;
  ++count_;
}

std::optional<std::uint32_t> HeaderRules::median_time_s() const {
  if (count_ < median_span && count_ < height_) return std::nullopt;
  auto sorted = times_s_;
  const std::size_t known = std::min<std::size_t>(count_, median_span);
  std::sort(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(known));
  return sorted[known / 2];
}

std::optional<std::string> HeaderRules::next(const bitcoin::BlockHeader& header) {
  if (height_ > 0 && count_ > 0) {
    const std::uint32_t last_s = times_s_[(count_ - 1) % median_span];
    // As HeaderTree::next_bits().
    const std::int64_t since_s =
        std::int64_t{last_s} - std::int64_t{genesis_time_s_} + rule_.spacing_s;
    if (header.bits != asert_bits(rule_, rule_.easiest_bits, since_s, height_ - 1)) {
      return "states another difficulty than the network's rule asks for";
    }
    const auto median_s = median_time_s();
    if (median_s && header.time_s <= *median_s) {
      return "its time is not after the median of the eleven before it";
    }
  }
  remember(header.time_s);
  ++height_;
  return std::nullopt;
}

ledger::Network ledger_network(const ChainParameters& parameters) {
  return ledger::made_network(genesis_hash(parameters), parameters.easiest_bits);
}

ledger::MadeNetwork made_network_of(const ChainParameters& parameters) {
  return {ledger_network(parameters), [parameters](std::uint32_t first_height) {
            const auto rules = std::make_shared<HeaderRules>(parameters, first_height);
            return [rules](const bitcoin::BlockHeader& header) { return rules->next(header); };
          }};
}

}  // namespace twinchain::net
