#include "twinchain/net/header_line.hpp"

#include <algorithm>

#include "twinchain/base/hex.hpp"

namespace twinchain::net {
namespace {

constexpr std::uint32_t times_for_median = 11;
/// As nodes do.
constexpr std::int64_t max_ahead_s = 7'200;

std::unexpected<Error> bad_header(const Hash256& hash, const std::string& what) {
  return fail(ExitCode::refuted, "header " + to_hex_reversed(hash) + ": " + what);
}

}  // namespace

HeaderLine::HeaderLine(const ChainParameters& parameters)
    : parameters_(parameters), easiest_target_(parameters.easiest_target()) {
  const bitcoin::BlockHeader genesis = genesis_block(parameters).header;
  entries_.push_back({bitcoin::block_hash(genesis), genesis.time_s, genesis.bits});
  index_.add(entries_.front().hash, 0);
  work_ = bitcoin::block_work(genesis.bits);
}

std::optional<std::uint32_t> HeaderLine::find(const Hash256& hash) const {
  return index_.find(hash, [&](std::uint32_t height) {
    return height < entries_.size() && entries_[height].hash == hash;
  });
}

std::vector<Hash256> HeaderLine::locator() const {
  if (side_) return {side_->entries.back().hash};
  std::vector<Hash256> hashes;
  std::uint64_t step = 1;
  for (std::uint64_t back = 0; back < height(); back += step) {
    hashes.push_back(entries_[height() - back].hash);
    if (hashes.size() >= 10) step *= 2;
  }
  hashes.push_back(entries_.front().hash);
  return hashes;
}

std::optional<HeaderLine::Side> HeaderLine::begin_side(const Hash256& parent) const {
  const auto fork = find(parent);
  if (!fork) return std::nullopt;
  const std::uint32_t count = std::min(*fork + 1, times_for_median);
  std::vector<std::uint32_t> times_s;
  for (std::uint32_t at = *fork + 1 - count; at <= *fork; ++at) {
    times_s.push_back(entries_[at].time_s);
  }
  return Side{*fork, {}, {}, HeaderRules(parameters_, *fork + 1, times_s)};
}

Status HeaderLine::take(const std::vector<bitcoin::BlockHeader>& headers, std::int64_t now_s) {
  if (headers.empty()) return {};
  auto side = std::exchange(side_, std::nullopt);
  if (!side || side->entries.back().hash != headers.front().previous) {
    side = begin_side(headers.front().previous);
  }
  if (!side) return fail(ExitCode::refuted, "headers that do not follow what was asked for");
  Hash256 previous = headers.front().previous;
  for (const bitcoin::BlockHeader& header : headers) {
    const Hash256 hash = bitcoin::block_hash(header);
    if (header.previous != previous) return bad_header(hash, "does not follow the one before it");
    if (!bitcoin::meets_target(hash, header.bits, easiest_target_)) {
      return bad_header(hash, "does not meet its proof of work");
    }
    if (auto wrong = side->rules.next(header)) return bad_header(hash, *wrong);
    if (header.time_s > now_s + max_ahead_s) return bad_header(hash, "its time is in the future");
    side->entries.push_back({hash, header.time_s, header.bits});
    side->work += bitcoin::block_work(header.bits);
    previous = hash;
  }
  side_ = std::move(side);
  bitcoin::UInt256 ours;
  for (std::uint32_t at = side_->fork + 1; at <= height(); ++at) {
    ours += bitcoin::block_work(entries_[at].bits);
  }
  if (side_->work > ours) {
    work_ -= ours;
    adopt();
  }
  return {};
}

void HeaderLine::adopt() {
  if (side_->fork < height()) fork_ = std::min(fork_.value_or(side_->fork), side_->fork);
  entries_.resize(std::size_t{side_->fork} + 1);
  for (const Entry& entry : side_->entries) {
    index_.add(entry.hash, static_cast<std::uint32_t>(entries_.size()));
    entries_.push_back(entry);
  }
  work_ += side_->work;
  side_.reset();
}

}  // namespace twinchain::net
