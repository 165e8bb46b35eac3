// Anchors and beacons: between which two moments the record must have existed.
#include <algorithm>

#include "twinchain/base/hex.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/chain/audit_source.hpp"

namespace twinchain::chain {
namespace {

/// Anchors that may wait for their link, all sources together.
constexpr std::size_t max_waiting_anchors = 10'000;
constexpr std::size_t max_stale_anchors = 10'000;
/// Receipts whose true link is looked for, once all links are known.
constexpr std::size_t max_replayed_anchors = 100;
/// A block's time may be this much off (Bitcoin's rule), and so may honest clocks.
constexpr std::int64_t block_time_tolerance_s = 2 * 3600;
constexpr std::uint32_t usual_depth = 6;

std::string block_text(const AnchorFacts& facts) {
  return "block " + decimal(std::uint64_t{facts.height}) + " (" +
         to_hex_reversed(facts.block_hash).substr(0, 16) + "...) of " + facts.network_name;
}

std::string links_text(std::uint64_t first, std::uint64_t last) {
  if (first == last) return "link " + decimal(first) + " is";
  return "links " + decimal(first) + " to " + decimal(last) + " are";
}

}  // namespace

std::optional<BlockPlace> AuditContext::find_block(std::uint32_t network, const Hash256& block,
                                                   bool& no_ledger_of_network) {
  no_ledger_of_network = false;
  if (!options.ledger_given || ledger_away || !options.find_block) return std::nullopt;
  auto place = options.find_block(network, block);
  if (!place) {
    ledger_away = true;
    Finding made;
    made.kind = FindingKind::ledger_away;
    made.severity = Severity::peer;
    made.message = place.error().message;
    findings.add(std::move(made));
    return std::nullopt;
  }
  no_ledger_of_network = !place->has_value();
  return *place;
}

void SourceAudit::take_anchor(CheckedFrame& frame) {
  const FrameHeader& header = frame.header();
  WaitingAnchor anchor;
  anchor.header = header;
  anchor.place = {frame.input, frame.event.frame.offset};
  const auto make = [&](FindingKind kind, Severity severity, std::string message) {
    Finding made = finding(kind, severity, anchor.place, header.sequence, header.window_start_ns,
                           header.window_end_ns);
    made.message = std::move(message);
    add(std::move(made));
  };
  ++anchors_.receipts;
  if (!context_.options.check_receipt) return;
  auto facts = context_.options.check_receipt(frame.event.frame.body.view());
  if (!facts) {
    return make(FindingKind::bad_receipt, Severity::refuted,
                "ANCHOR frame: " + facts.error().message);
  }
  anchor.facts = std::move(*facts);
  if (links_ > 0) {
    if (const RememberedLink* link = memory_.find(header.sequence)) {
      return match_anchor(anchor, *link);
    }
  }
  anchor.before_its_link = links_ == 0 || header.sequence > last_link_;
  if (context_.waiting_anchors >= max_waiting_anchors) {
    return make(FindingKind::beyond_limits, Severity::unproven,
                "ANCHOR frame far from its link was not checked");
  }
  ++context_.waiting_anchors;
  waiting_anchors_.push_back(std::move(anchor));
}

void SourceAudit::match_anchor(const WaitingAnchor& anchor, const RememberedLink& link) {
  const auto make = [&](FindingKind kind, std::string message) {
    Finding made = finding(kind, Severity::refuted, anchor.place, link.number, link.window_start_ns,
                           link.window_end_ns);
    made.message = std::move(message);
    add(std::move(made));
  };
  if (anchor.facts.link_hash != link.hash) {
    Finding made = finding(FindingKind::replayed_anchor, Severity::refuted, anchor.place,
                           link.number, link.window_start_ns, link.window_end_ns);
    made.message = "the receipt is that of a link which is not in this record";
    const std::size_t where = add(std::move(made));
    if (replayed_anchors_.size() < max_replayed_anchors) {
      replayed_anchors_.push_back({where, anchor.facts.link_hash});
    }
    return;
  }
  if (anchor.before_its_link) make(FindingKind::reordered, "ANCHOR frame stands before its link");
  if (anchor.header.window_start_ns != link.window_start_ns ||
      anchor.header.window_end_ns != link.window_end_ns) {
    make(FindingKind::altered_window,
         "ANCHOR frame: the frame header says another time window than the link");
  }
  accept_anchor(anchor, link);
}

void SourceAudit::accept_anchor(const WaitingAnchor& anchor, const RememberedLink& link) {
  const AnchorFacts& facts = anchor.facts;
  const auto make = [&](FindingKind kind, Severity severity, std::string message, bool merge) {
    Finding made = finding(kind, severity, anchor.place, link.number, link.window_start_ns,
                           link.window_end_ns);
    made.message = std::move(message);
    add(std::move(made), merge);
  };
  const Severity clock =
      context_.options.policy.refuse_clock_findings ? Severity::refuted : Severity::note;
  if (link.beacon_network == facts.network && link.beacon_height >= facts.height) {
    make(FindingKind::beacon_after_anchor, clock,
         "the link knew block " + decimal(std::uint64_t{link.beacon_height}) +
             " before it was anchored in block " + decimal(std::uint64_t{facts.height}),
         true);
  }
  if (link.wall_ns / 1'000'000'000 - block_time_tolerance_s > facts.time_s) {
    make(FindingKind::sealed_after_anchor, clock,
         "by its own clock the link was sealed after the block that holds it", true);
  }
  const std::vector<std::string>& networks = context_.options.policy.networks;
  if (!networks.empty() &&
      std::find(networks.begin(), networks.end(), facts.network_name) == networks.end()) {
    make(FindingKind::anchor_unchecked, Severity::note,
         "anchored in " + facts.network_name + ", which the policy does not count", true);
    return;
  }
  const auto keep_best = [&](const std::optional<BlockPlace>& place) {
    if (best_anchor_number_ && *best_anchor_number_ > link.number) return;
    best_anchor_number_ = link.number;
    anchors_.best = facts;
    anchors_.place = place;
  };
  bool no_ledger = false;
  std::optional<BlockPlace> place;
  if (!facts.is_timestamp()) {
    place = context_.find_block(facts.network, facts.block_hash, no_ledger);
  } else if (!facts.trust.empty()) {
    place = BlockPlace{true, 0, 0, facts.time_s, facts.trust};
  } else if (context_.options.ledger_given) {
    make(FindingKind::anchor_unchecked, Severity::unproven,
         "time-stamped by " + facts.authority + ": " + facts.distrust, true);
  }
  if (!place) {
    if (no_ledger) {
      make(FindingKind::anchor_unchecked, Severity::unproven,
           "anchored in " + facts.network_name + ", of which no ledger was given", true);
    }
    if (!context_.options.ledger_given) bound_by_anchor(facts, link.number, false);
    if (!anchors_.covered_to) keep_best(place);
    return;
  }
  if (!place->on_best_chain) {
    if (stale_anchors_.size() < max_stale_anchors) {
      stale_anchors_.push_back({link.number, anchor.place, facts});
    } else {
      make(FindingKind::anchor_not_on_chain, Severity::refuted,
           block_text(facts) + " is not on the best chain", false);
    }
    return;
  }
  if (place->height != facts.height) {
    make(FindingKind::bad_receipt, Severity::refuted,
         "the receipt says height " + decimal(std::uint64_t{facts.height}) + ", the chain says " +
             decimal(std::uint64_t{place->height}),
         false);
    return;
  }
  const std::uint32_t needed =
      context_.options.policy.min_depth.value_or(facts.trivial_network ? 1 : usual_depth);
  if (!facts.is_timestamp() && place->depth < needed) {
    if (!shallow_to_ || link.number > *shallow_to_) {
      shallow_to_ = link.number;
      shallow_depth_ = place->depth;
      shallow_needed_ = needed;
    }
    if (!anchors_.covered_to) keep_best(place);
    return;
  }
  bound_by_anchor(facts, link.number, true);
  if (!anchors_.covered_to) best_anchor_number_.reset();
  if (!anchors_.covered_to || link.number >= *anchors_.covered_to) {
    anchors_.covered_to = link.number;
    keep_best(place);
  }
}

void SourceAudit::check_beacon(const Link& link, const Place& place) {
  const Beacon& beacon = link.beacon;
  if (beacon.network == 0) return;
  if (beacon != checked_beacon_) {
    checked_beacon_ = beacon;
    checked_beacon_time_s_.reset();
    find_beacon(link, place);
  }
  if (!checked_beacon_time_s_) return;
  const double ahead_s =
      static_cast<double>(*checked_beacon_time_s_) - static_cast<double>(link.wall_ns) / 1e9;
  if (ahead_s > static_cast<double>(block_time_tolerance_s)) {
    add_clock(FindingKind::sealed_before_beacon, link, place,
              "by its own clock the link was sealed before the block that it knew");
  }
}

/// The block of a beacon that was not looked at before.
void SourceAudit::find_beacon(const Link& link, const Place& place) {
  const Beacon& beacon = link.beacon;
  bool no_ledger = false;
  const auto block = context_.find_block(beacon.network, beacon.block_hash, no_ledger);
  if (!block && context_.options.ledger_given) return;
  if (block && (!block->on_best_chain || block->height != beacon.height)) {
    add_clock(FindingKind::beacon_not_on_chain, link, place,
              "the newest block that the link knew is not on the best chain");
    return;
  }
  BlockBound bound;
  bound.network = beacon.network;
  if (context_.options.network_name)
    bound.network_name = context_.options.network_name(beacon.network);
  bound.height = beacon.height;
  bound.block_hash = beacon.block_hash;
  if (block) {
    bound.time_s = checked_beacon_time_s_ = block->time_s;
    bound.confirmed = true;
    if (beacon == first_beacon_) first_beacon_place_ = block;
  }
  if (time_bounds_) time_bounds_->add_beacon(link.number, bound);
}

void SourceAudit::bound_by_anchor(const AnchorFacts& facts, std::uint64_t link, bool confirmed) {
  if (!time_bounds_) return;
  time_bounds_->add_anchor(link, {facts.network, facts.network_name, facts.height, facts.block_hash,
                                  facts.time_s, confirmed, facts.authority});
}

bool SourceAudit::wants_second_reading() const {
  const auto forgotten = [&](const auto& waiting) {
    const std::uint64_t number = waiting.header.sequence;
    return !waiting.settled && links_ > 0 && number >= first_link_ &&
           number < memory_.forgotten_below();
  };
  return std::any_of(waiting_anchors_.begin(), waiting_anchors_.end(), forgotten) ||
         std::any_of(waiting_cosignatures_.begin(), waiting_cosignatures_.end(), forgotten);
}

void SourceAudit::offer_again(const SignedLink& link) {
  offer_again_cosigned(link);
  for (WaitingAnchor& anchor : waiting_anchors_) {
    if (anchor.settled || anchor.header.sequence != link.link.number) continue;
    if (links_ == 0 || link.link.record != record_ || !verify_link_signature(link)) return;
    anchor.settled = true;
    match_anchor(anchor, remember(link.link, link_hash(link.link)));
  }
}

/// Anchors whose link came later, or never.
void SourceAudit::settle_anchors() {
  for (WaitingAnchor& anchor : waiting_anchors_) {
    if (anchor.settled) continue;
    if (const RememberedLink* link = memory_.find(anchor.header.sequence)) {
      match_anchor(anchor, *link);
      continue;
    }
    Finding made =
        finding(FindingKind::anchor_unmatched, Severity::unproven, anchor.place,
                anchor.header.sequence, anchor.header.window_start_ns, anchor.header.window_end_ns);
    made.message = "ANCHOR frame of a link that is not here, or not sound, or too far before it";
    if (const RememberedLink* other = memory_.find_hash(anchor.facts.link_hash)) {
      made.kind = FindingKind::replayed_anchor;
      made.severity = Severity::refuted;
      made.message = "the receipt is that of link " + decimal(other->number);
    }
    add(std::move(made));
  }
  context_.waiting_anchors -= waiting_anchors_.size();
  waiting_anchors_.clear();
  for (const ReplayedAnchor& replayed : replayed_anchors_) {
    const RememberedLink* other = memory_.find_hash(replayed.link_hash);
    Finding* told = context_.findings.at(replayed.finding);
    if (other == nullptr || told == nullptr) continue;
    told->message = "the receipt is that of link " + decimal(other->number);
  }
  replayed_anchors_.clear();
}

/// Which links are anchored, now that all receipts are known.
void SourceAudit::judge_anchors() {
  for (const StaleAnchor& stale : stale_anchors_) {
    const bool covered = anchors_.covered_to && *anchors_.covered_to >= stale.number;
    Finding made = finding(FindingKind::anchor_not_on_chain,
                           covered ? Severity::loss : Severity::refuted, stale.place);
    made.first_sequence = made.last_sequence = stale.number;
    made.message = block_text(stale.facts) + " is not on the best chain";
    if (covered) made.message += ", a later anchor covers the link";
    add(std::move(made));
  }
  stale_anchors_.clear();
  const auto make = [&](FindingKind kind, std::string message) {
    Finding made;
    made.kind = kind;
    made.severity = Severity::unproven;
    made.source = source_;
    made.message = std::move(message);
    add(std::move(made));
  };
  const AuditOptions& options = context_.options;
  if (!options.ledger_given) {
    if (options.offline) {
      if (options.policy.require_anchor) {
        make(anchors_.receipts > 0 ? FindingKind::anchor_unchecked : FindingKind::no_anchor,
             "the policy requires an anchor, which cannot be checked without a ledger");
      }
    } else if (anchors_.receipts > 0) {
      make(FindingKind::anchor_unchecked,
           "anchors are here and were not checked, for no ledger was given");
    } else if (options.policy.require_anchor) {
      make(FindingKind::no_anchor, "the policy requires an anchor, and there is none");
    }
    return;
  }
  if (context_.ledger_away) return;  // told once for all sources
  const std::uint64_t next = anchors_.covered_to ? *anchors_.covered_to + 1 : first_link_;
  if (anchors_.covered_to && *anchors_.covered_to >= last_link_) return;
  if (anchors_.receipts == 0) {
    return make(FindingKind::no_anchor, "no link is anchored");
  }
  std::uint64_t pending_from = next;
  if (shallow_to_ && *shallow_to_ >= next) {
    make(FindingKind::anchor_not_deep,
         links_text(next, *shallow_to_) + " anchored " + decimal(std::uint64_t{shallow_depth_}) +
             " deep, " + decimal(std::uint64_t{shallow_needed_}) + " are asked for");
    pending_from = *shallow_to_ + 1;
  }
  if (pending_from <= last_link_) {
    make(FindingKind::anchor_pending, links_text(pending_from, last_link_) + " not anchored yet");
  }
}

}  // namespace twinchain::chain
