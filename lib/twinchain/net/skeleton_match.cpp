#include "twinchain/net/skeleton_match.hpp"

#include <algorithm>
#include <bit>

#include "twinchain/bitcoin/merkle_branch.hpp"
#include "twinchain/crypto/sha256.hpp"

namespace twinchain::net {
namespace {

// A block of a million transactions has one pair of equal 6-byte ids in 500 blocks.
constexpr std::size_t max_repeated_ids = 64;
constexpr std::size_t max_contested = 4096;
// Hashes of Merkle trees that choices are tried with: a second's work or two at the most.
constexpr std::uint64_t max_trial_hashes = std::uint64_t{1} << 23;
constexpr std::uint64_t max_trials = 256;
constexpr std::size_t max_choice_candidates = 8;
constexpr std::uint32_t no_candidate = 0xffffffff;

// From ids to numbers: open addressing, at most half full. Whoever makes the ids does not know the
// factor, so cannot make them meet.
class IdTable {
 public:
  explicit IdTable(std::size_t count)
      : slots_(std::bit_ceil(2 * count + 2)), shift_(64 - std::countr_zero(slots_.size())) {}

  /// The number that the id has already, or nothing: then it has `number` now.
  std::optional<std::uint32_t> insert(std::uint64_t id, std::uint32_t number) {
    Slot& slot = slots_[find_slot(id)];
    if (slot.used != 0) return slot.number;
    slot = {id, number, 1};
    return std::nullopt;
  }
  [[nodiscard]] std::optional<std::uint32_t> find(std::uint64_t id) const {
    const Slot& slot = slots_[find_slot(id)];
    if (slot.used == 0) return std::nullopt;
    return slot.number;
  }

 private:
  struct Slot {
    std::uint64_t id = 0;
    std::uint32_t number = 0;
    std::uint32_t used = 0;
  };

  static std::uint64_t factor() {
    static const std::uint64_t odd = load_le<std::uint64_t>(random_array<8>().data()) | 1;
    return odd;
  }
  [[nodiscard]] std::size_t find_slot(std::uint64_t id) const {
    std::size_t at = static_cast<std::size_t>((id * factor_) >> shift_);
    while (slots_[at].used != 0 && slots_[at].id != id) at = (at + 1) & (slots_.size() - 1);
    return at;
  }

  std::vector<Slot> slots_;
  int shift_;
  std::uint64_t factor_ = factor();
};

void add_candidate(std::vector<Hash256>& candidates, const Hash256& txid) {
  if (std::find(candidates.begin(), candidates.end(), txid) == candidates.end()) {
    candidates.push_back(txid);
  }
}

bool wanted_before(const Wanted& a, const Wanted& b) {
  return a.id != b.id ? a.id < b.id : a.position < b.position;
}

void merge_into(std::vector<Hash256>& certain, std::vector<Hash256>&& more) {
  if (more.empty()) return;
  std::sort(more.begin(), more.end(), canonical_less);
  const auto middle = static_cast<std::ptrdiff_t>(certain.size());
  certain.insert(certain.end(), more.begin(), more.end());
  std::inplace_merge(certain.begin(), certain.begin() + middle, certain.end(), canonical_less);
}

// Sets of `take` candidates as bits.
std::vector<std::uint32_t> selections(const Choice& choice) {
  std::vector<std::uint32_t> sets;
  for (std::uint32_t bits = 0; bits < (std::uint32_t{1} << choice.candidates.size()); ++bits) {
    if (static_cast<std::size_t>(std::popcount(bits)) == choice.take) sets.push_back(bits);
  }
  return sets;
}

std::optional<std::vector<Hash256>> try_list(std::span<const Hash256> certain,
                                             std::span<const Hash256> chosen,
                                             const Hash256& coinbase_txid,
                                             const Hash256& merkle_root) {
  std::vector<Hash256> all(1 + certain.size() + chosen.size(), coinbase_txid);
  std::merge(certain.begin(), certain.end(), chosen.begin(), chosen.end(), all.begin() + 1,
             canonical_less);
  if (!in_canonical_order(std::span(all).subspan(1))) return std::nullopt;
  bool mutated = false;
  if (bitcoin::merkle_root(all, &mutated) != merkle_root || mutated) return std::nullopt;
  all.erase(all.begin());
  return all;
}

// Base without what the difference says is not in the block.
bool keep_base(const MatchCandidates& candidates, std::span<const iblt::Item<1>> only_ours,
               Match& match) {
  IdTable table(only_ours.size());
  for (std::size_t i = 0; i < only_ours.size(); ++i) {
    table.insert(only_ours[i][0], static_cast<std::uint32_t>(i));
  }
  std::vector<std::vector<Hash256>> dropped(only_ours.size());
  match.certain.reserve(candidates.base.size());
  for (std::size_t i = 0; i < candidates.base.size(); ++i) {
    const auto found = table.find(candidates.base_ids[i][0]);
    if (found) {
      dropped[*found].push_back(candidates.base[i]);
    } else {
      match.certain.push_back(candidates.base[i]);
    }
  }
  for (auto& same : dropped) {
    if (same.empty()) return false;
    // One of them is not in the block.
    const std::size_t take = same.size() - 1;
    if (take > 0) match.choices.push_back({std::move(same), take});
  }
  return true;
}

// The positions of a list of ids, and who may stand there.
class ListMatcher {
 public:
  ListMatcher(const MatchCandidates& candidates, std::span<const std::uint64_t> ids)
      : candidates_(candidates), ids_(ids), table_(ids.size()), slots_(ids.size(), no_candidate) {}

  std::optional<Match> run() {
    for (std::size_t i = 0; i < ids_.size(); ++i) {
      const auto position = static_cast<std::uint32_t>(i);
      const auto first = table_.insert(ids_[i], position);
      if (first) repeated_.push_back({*first, position});
      if (repeated_.size() > max_repeated_ids) return std::nullopt;
    }
    const std::size_t base_size = candidates_.base.size();
    for (std::size_t i = 0; i < base_size; ++i) offer(candidates_.base_ids[i][0], i);
    for (std::size_t i = 0; i < candidates_.pool.size(); ++i) {
      offer(candidates_.pool_ids[i], base_size + i);
    }
    if (contested_.size() > max_contested) return std::nullopt;
    clear_contested();
    keep_ascending();
    return finish();
  }

 private:
  struct Contested {
    std::uint32_t position = 0;
    std::uint32_t candidate = 0;
  };

  [[nodiscard]] const Hash256& txid(std::uint32_t candidate) const {
    const std::size_t base_size = candidates_.base.size();
    return candidate < base_size ? candidates_.base[candidate]
                                 : candidates_.pool[candidate - base_size];
  }

  void offer(std::uint64_t id, std::size_t candidate) {
    const auto found = table_.find(id & short_id_mask);
    if (!found) return;
    place(*found, static_cast<std::uint32_t>(candidate));
    for (const auto& [first, position] : repeated_) {
      if (first == *found) place(position, static_cast<std::uint32_t>(candidate));
    }
  }
  void place(std::uint32_t position, std::uint32_t candidate) {
    std::uint32_t& slot = slots_[position];
    if (slot == no_candidate) {
      slot = candidate;
    } else if (txid(slot) != txid(candidate) && contested_.size() <= max_contested) {
      contested_.push_back({position, candidate});
    }
  }

  // What is contested is decided by what is not.
  void clear_contested() {
    const std::size_t count = contested_.size();
    for (std::size_t i = 0; i < count; ++i) {
      std::uint32_t& slot = slots_[contested_[i].position];
      if (slot == no_candidate) continue;
      contested_.push_back({contested_[i].position, slot});
      slot = no_candidate;
    }
    std::sort(contested_.begin(), contested_.end(), [](const Contested& a, const Contested& b) {
      return a.position != b.position ? a.position < b.position : a.candidate < b.candidate;
    });
  }

  // Empties as few slots as possible so that the rest ascends: who is out of order has the id of
  // the block's transaction only by chance.
  void keep_ascending() {
    std::vector<std::uint32_t> tails;  // positions, ending the best sequences of each length
    std::vector<std::uint32_t> before(slots_.size(), no_candidate);
    const auto less = [&](std::uint32_t a, std::uint32_t b) {
      return canonical_less(txid(slots_[a]), txid(slots_[b]));
    };
    std::size_t filled = 0;
    for (std::uint32_t p = 0; p < slots_.size(); ++p) {
      if (slots_[p] == no_candidate) continue;
      ++filled;
      auto at = tails.end();
      if (!tails.empty() && !less(tails.back(), p)) {
        at = std::lower_bound(tails.begin(), tails.end(), p, less);
      }
      if (at != tails.begin()) before[p] = *(at - 1);
      if (at == tails.end()) {
        tails.push_back(p);
      } else {
        *at = p;
      }
    }
    if (tails.size() == filled) return;
    std::uint32_t keep = tails.back();
    for (auto p = static_cast<std::uint32_t>(slots_.size()); p-- > 0;) {
      if (p == keep) {
        keep = before[p];
      } else {
        slots_[p] = no_candidate;
      }
    }
  }

  // Takes the candidates of a position between its neighbours.
  std::vector<Hash256> fitting(std::span<const Contested> here, std::uint32_t below) const {
    std::uint32_t above = here[0].position;
    while (above < slots_.size() && slots_[above] == no_candidate) ++above;
    std::vector<Hash256> fit;
    for (const Contested& one : here) {
      const Hash256& id = txid(one.candidate);
      if (below != no_candidate && !canonical_less(txid(below), id)) continue;
      if (above < slots_.size() && !canonical_less(id, txid(slots_[above]))) continue;
      add_candidate(fit, id);
    }
    return fit;
  }

  Match finish() {
    Match match;
    match.certain.reserve(slots_.size());
    std::size_t next = 0;
    std::uint32_t below = no_candidate;
    for (std::uint32_t p = 0; p < slots_.size(); ++p) {
      const std::size_t begin = next;
      while (next < contested_.size() && contested_[next].position == p) ++next;
      if (slots_[p] != no_candidate) {
        match.certain.push_back(txid(slots_[p]));
        below = slots_[p];
        continue;
      }
      std::vector<Hash256> fit;
      if (next > begin) fit = fitting(std::span(contested_).subspan(begin, next - begin), below);
      if (fit.empty()) {
        match.wanted.push_back({ids_[p], p + 1, false});
      } else if (fit.size() > 1) {
        match.choices.push_back({std::move(fit), 1});
      } else {
        match.certain.push_back(fit[0]);
      }
    }
    std::sort(match.wanted.begin(), match.wanted.end(), wanted_before);
    return match;
  }

  const MatchCandidates& candidates_;
  std::span<const std::uint64_t> ids_;
  IdTable table_;
  std::vector<std::uint32_t> slots_;  ///< candidates by position: base, then pool
  std::vector<std::pair<std::uint32_t, std::uint32_t>> repeated_;
  std::vector<Contested> contested_;
};

}  // namespace

std::optional<Match> match_difference(const MatchCandidates& candidates,
                                      std::span<const iblt::Item<1>> only_theirs,
                                      std::span<const iblt::Item<1>> only_ours) {
  Match match;
  if (!keep_base(candidates, only_ours, match)) return std::nullopt;
  IdTable table(only_theirs.size());
  for (std::size_t i = 0; i < only_theirs.size(); ++i) {
    table.insert(only_theirs[i][0], static_cast<std::uint32_t>(i));
  }
  std::vector<std::vector<Hash256>> found(only_theirs.size());
  for (std::size_t i = 0; i < candidates.pool.size(); ++i) {
    const auto at = table.find(candidates.pool_ids[i]);
    const Hash256& txid = candidates.pool[i];
    if (at &&
        !std::binary_search(candidates.base.begin(), candidates.base.end(), txid, canonical_less)) {
      add_candidate(found[*at], txid);
    }
  }
  std::vector<Hash256> more;
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (found[i].empty()) {
      match.wanted.push_back({only_theirs[i][0], 0, false});
    } else if (found[i].size() > 1) {
      match.choices.push_back({std::move(found[i]), 1});
    } else {
      more.push_back(found[i][0]);
    }
  }
  merge_into(match.certain, std::move(more));
  std::sort(match.wanted.begin(), match.wanted.end(), wanted_before);
  return match;
}

std::optional<Match> match_list(const MatchCandidates& candidates,
                                std::span<const std::uint64_t> ids) {
  return ListMatcher(candidates, ids).run();
}

bool doubt_certain(const MatchCandidates& candidates, const SipKey& key, Match& match) {
  IdTable table(match.certain.size());
  for (std::size_t i = 0; i < match.certain.size(); ++i) {
    table.insert(short_id(key, match.certain[i]), static_cast<std::uint32_t>(i));
  }
  std::vector<std::pair<std::uint32_t, Hash256>> doubts;
  for (std::size_t i = 0; i < candidates.pool.size() && doubts.size() <= max_contested; ++i) {
    const auto at = table.find(candidates.pool_ids[i]);
    const Hash256& txid = candidates.pool[i];
    if (at && match.certain[*at] != txid &&
        !std::binary_search(match.certain.begin(), match.certain.end(), txid, canonical_less)) {
      doubts.emplace_back(*at, txid);
    }
  }
  if (doubts.empty() || doubts.size() > max_contested) return false;
  std::sort(doubts.begin(), doubts.end());
  std::vector<std::uint32_t> doubted;
  for (const auto& [at, txid] : doubts) {
    if (doubted.empty() || doubted.back() != at) {
      doubted.push_back(at);
      match.choices.push_back({{match.certain[at]}, 1});
    }
    add_candidate(match.choices.back().candidates, txid);
  }
  std::size_t kept = 0;
  std::size_t next = 0;
  for (std::size_t i = 0; i < match.certain.size(); ++i) {
    if (next < doubted.size() && doubted[next] == i) {
      ++next;
    } else {
      match.certain[kept++] = match.certain[i];
    }
  }
  match.certain.resize(kept);
  return true;
}

std::optional<std::vector<Hash256>> resolve_match(const Match& match,
                                                  std::span<const Hash256> arrived,
                                                  const Hash256& coinbase_txid,
                                                  const Hash256& merkle_root) {
  std::vector<std::vector<std::uint32_t>> sets;
  const std::uint64_t size = match.certain.size() + arrived.size() + 1;
  std::uint64_t trials = 1;
  for (const Choice& choice : match.choices) {
    if (choice.candidates.size() > max_choice_candidates) return std::nullopt;
    sets.push_back(selections(choice));
    trials *= sets.back().size();
    if (trials > max_trials || trials * size > max_trial_hashes) return std::nullopt;
  }
  for (std::uint64_t trial = 0; trial < trials; ++trial) {
    std::vector<Hash256> chosen(arrived.begin(), arrived.end());
    std::uint64_t digits = trial;
    for (std::size_t i = 0; i < sets.size(); ++i) {
      const std::uint32_t bits = sets[i][static_cast<std::size_t>(digits % sets[i].size())];
      digits /= sets[i].size();
      for (std::size_t k = 0; k < match.choices[i].candidates.size(); ++k) {
        if ((bits >> k & 1) != 0) chosen.push_back(match.choices[i].candidates[k]);
      }
    }
    std::sort(chosen.begin(), chosen.end(), canonical_less);
    if (auto found = try_list(match.certain, chosen, coinbase_txid, merkle_root)) return found;
  }
  return std::nullopt;
}

}  // namespace twinchain::net
