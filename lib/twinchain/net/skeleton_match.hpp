// From the short ids of a block to the txids that a receiver has. Floor 6. Private to this module.
//
// A short id can be that of several txids: always possible for 6 bytes, and for 8 bytes if the
// miner wants it. Nothing is chosen for such an id here: it becomes a Choice, which the block's
// Merkle root decides.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "twinchain/iblt/symbol.hpp"
#include "twinchain/net/skeleton.hpp"

namespace twinchain::net {

/// What a receiver has.
struct MatchCandidates {
  std::vector<Hash256> base;              ///< in canonical order
  std::vector<iblt::Item<1>> base_ids;    ///< of 8 bytes, in the order of base
  std::vector<Hash256> pool;              ///< in no order, perhaps with some of base
  std::vector<std::uint64_t> pool_ids{};  ///< of 8 bytes, in the order of pool
};

/// `take` of these are in the block.
struct Choice {
  std::vector<Hash256> candidates;  ///< none twice
  std::size_t take = 1;
  bool operator==(const Choice&) const = default;
};

/// A transaction that the receiver lacks. By position in the block where that is known, else 0.
struct Wanted {
  std::uint64_t id = 0;
  std::uint32_t position = 0;
  bool came = false;
  bool operator==(const Wanted&) const = default;
};

struct Match {
  std::vector<Hash256> certain;  ///< the only candidate of their ids; in canonical order
  std::vector<Choice> choices;
  std::vector<Wanted> wanted;  ///< ascending by id
};

/// After reconciliation against base. Nothing when it names an id that base does not have, so that
/// the symbols were none of a block.
std::optional<Match> match_difference(const MatchCandidates& candidates,
                                      std::span<const iblt::Item<1>> only_theirs,
                                      std::span<const iblt::Item<1>> only_ours);

/// For a list of 6-byte ids in the block's order. That order tells most txids of one id apart, and
/// shows most of those that only have the id of a transaction which the receiver lacks. Nothing
/// when the list repeats itself more than chance does.
std::optional<Match> match_list(const MatchCandidates& candidates,
                                std::span<const std::uint64_t> ids);

/// Makes choices of what is certain so far but has the id of another txid in the pool as well.
/// False when there is none.
bool doubt_certain(const MatchCandidates& candidates, const SipKey& key, Match& match);

/// The list of certain, arrived and some of each choice, in canonical order and without the
/// coinbase, whose Merkle root (with the coinbase) is this one. Nothing when there is none, or when
/// it would take too many trials. A repeated txid is refused, so that the root is that of the list
/// alone (CVE-2012-2459).
std::optional<std::vector<Hash256>> resolve_match(const Match& match,
                                                  std::span<const Hash256> arrived,
                                                  const Hash256& coinbase_txid,
                                                  const Hash256& merkle_root);

}  // namespace twinchain::net
