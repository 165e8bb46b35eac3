// The chain itself: order, previous hashes, keys, history, windows, and the data that links seal.
#include <algorithm>
#include <limits>

#include "twinchain/base/hex.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/chain/audit_source.hpp"

namespace twinchain::chain {
namespace {

constexpr std::size_t max_waiting_links = 64;
constexpr std::size_t max_holes = 1'000;
constexpr std::size_t max_signers = 1'000;
/// Blocks that bound the time, all sources together and of each kind.
constexpr std::size_t max_time_marks = 16'384;

std::string number_text(std::uint64_t number) {
  return decimal(number);
}

}  // namespace

RememberedLink remember(const Link& link, const Hash256& hash) {
  return {link.number,        hash,         link.frame_root,     link.window_start_ns,
          link.window_end_ns, link.wall_ns, link.beacon.network, link.beacon.height};
}

void LinkMemory::add(const RememberedLink& link, std::size_t limit) {
  links_.push_back(link);
  while (links_.size() > std::max<std::size_t>(limit, 1)) {
    forgotten_below_ = links_.front().number + 1;
    links_.pop_front();
  }
}

void LinkMemory::add_late(const RememberedLink& link) {
  if (late_.size() < max_holes) late_.push_back(link);
}

const RememberedLink* LinkMemory::find(std::uint64_t number) const {
  const auto found = std::lower_bound(
      links_.begin(), links_.end(), number,
      [](const RememberedLink& link, std::uint64_t wanted) { return link.number < wanted; });
  if (found != links_.end() && found->number == number) return &*found;
  for (const RememberedLink& link : late_) {
    if (link.number == number) return &link;
  }
  return nullptr;
}

const RememberedLink* LinkMemory::find_hash(const Hash256& hash) {
  if (++searches_ > 100) return nullptr;
  for (const RememberedLink& link : links_) {
    if (link.hash == hash) return &link;
  }
  return nullptr;
}

void LinkMemory::clear() {
  links_.clear();
  late_.clear();
  forgotten_below_ = 0;
}

void SourceAudit::take_link(CheckedFrame& frame) {
  const SignedLink& signed_link = *frame.link;
  const Link& link = signed_link.link;
  const Place place{frame.input, frame.event.frame.offset};
  if (!frame.signature_ok) {
    Finding made = finding(FindingKind::bad_signature, Severity::refuted, place, link.number,
                           link.window_start_ns, link.window_end_ns);
    made.size_bytes = frame.event.frame.size_bytes();
    made.message = "LINK frame: the signature does not belong to this link and key";
    add(std::move(made));
    // What an unsigned link says is not followed further than what was expected anyway.
    const bool expected =
        links_ > 0 ? link.number == last_link_ + 1
                   : std::any_of(pending_.begin(), pending_.end(), [&](const PendingData& data) {
                       return data.data.sequence == link.number;
                     });
    if (!expected) return;
  } else if (links_ > 0 && record_sure_ && link.record != record_) {
    if (link.number == 0 && link.previous == Hash256{}) {
      end_record();
      Finding made = finding(FindingKind::new_record, Severity::loss, place, link.number,
                             link.window_start_ns, link.window_end_ns);
      made.message = "another record of the source begins, nothing proves what lies between";
      add(std::move(made));
    } else {
      Finding made = finding(FindingKind::foreign_record, Severity::refuted, place, link.number,
                             link.window_start_ns, link.window_end_ns);
      made.message = "LINK frame of another record of this source";
      add(std::move(made), true);
      std::erase_if(pending_, [&](PendingData& data) {
        if (data.root != link.frame_root) return false;
        drop(data);
        return true;
      });
      return;
    }
  }
  if (links_ == 0) {
    begin_record(link);
    if (link.number == 0 && link.previous != Hash256{} && frame.signature_ok) {
      Finding made = finding(FindingKind::broken_chain, Severity::refuted, place, link.number,
                             link.window_start_ns, link.window_end_ns);
      made.message = "link 0 names a link before it";
      add(std::move(made));
    }
  } else if (link.number <= last_link_) {
    take_repeated_link(signed_link, frame.hash, place);
    settle_repeated();
    return;
  } else if (link.number > last_link_ + 1) {
    open_hole(link, place);
  }
  advance(link, frame.hash, place, frame.signature_ok);
  settle_repeated();
}

void SourceAudit::begin_record(const Link& link) {
  record_ = link.record;
  record_sure_ = false;
  first_link_ = link.number;
  last_link_ = link.number;
  last_hash_.reset();
  last_.reset();
  first_window_start_ns_ = link.window_start_ns;
  first_beacon_ = {};
  first_beacon_place_.reset();
  checked_beacon_ = {};
  checked_beacon_time_s_.reset();
  time_bounds_.emplace(max_time_marks / std::max<std::size_t>(context_.source_count, 1));
  if (link.number == 0) {
    history_.emplace();
  } else {
    history_.reset();
  }
  history_doubtful_ = false;
}

void SourceAudit::open_hole(const Link& link, const Place& place) {
  if (holes_.size() == max_holes) settle_holes();
  Hole hole;
  hole.first = last_link_ + 1;
  hole.last = link.number - 1;
  hole.hash_before = last_hash_;
  hole.hash_after = link.previous;
  hole.window = {last_window_end_ns_, link.window_start_ns};
  hole.between_streams = last_part_ != context_.part;
  hole.place = place;
  if (context_.last_damage && context_.last_damage->count > damage_count_) {
    hole.damage = context_.last_damage;
  }
  holes_.push_back(hole);
  last_hash_.reset();
  last_.reset();
  history_.reset();
}

void SourceAudit::take_repeated_link(const SignedLink& signed_link, const Hash256& hash,
                                     const Place& place) {
  const Link& link = signed_link.link;
  for (std::size_t i = 0; i < holes_.size(); ++i) {
    if (link.number >= holes_[i].first && link.number <= holes_[i].last) {
      fill_hole(i, link, hash, place);
      return;
    }
  }
  const auto make = [&](FindingKind kind, Severity severity, std::string message, bool merge) {
    Finding made =
        finding(kind, severity, place, link.number, link.window_start_ns, link.window_end_ns);
    made.message = std::move(message);
    add(std::move(made), merge);
  };
  const RememberedLink* known = memory_.find(link.number);
  if (known == nullptr) {
    return make(FindingKind::reordered, Severity::refuted,
                "LINK frame stands where other frames belong", false);
  }
  if (known->hash == hash) {
    return make(FindingKind::duplicate_frame, Severity::loss,
                "LINK frame is here again, the same as before", true);
  }
  make(FindingKind::fork, Severity::refuted,
       "two different links have number " + number_text(link.number) +
           ", and both are signed, this one with key " + to_hex(link.key),
       false);
  // Its data goes with it: it is sealed, by the other branch.
  std::erase_if(pending_, [&](PendingData& data) {
    if (data.root != link.frame_root || data.root == known->frame_root) return false;
    drop(data);
    return true;
  });
}

void SourceAudit::fill_hole(std::size_t index, const Link& link, const Hash256& hash,
                            const Place& place) {
  Hole hole = holes_[index];
  const bool fits_before =
      link.number != hole.first || !hole.hash_before || *hole.hash_before == link.previous;
  const bool fits_after = link.number != hole.last || !hole.hash_after || *hole.hash_after == hash;
  Finding made = finding(FindingKind::reordered, Severity::refuted, place, link.number,
                         link.window_start_ns, link.window_end_ns);
  made.message = "LINK frame stands after later ones";
  if (!fits_before || !fits_after) {
    made.kind = FindingKind::broken_chain;
    made.message += ", and does not fit between those before and after it";
  }
  add(std::move(made));
  holes_.erase(holes_.begin() + static_cast<std::ptrdiff_t>(index));
  if (link.number > hole.first) {
    Hole left = hole;
    left.last = link.number - 1;
    left.hash_after = link.previous;
    left.window.end_ns = link.window_start_ns;
    holes_.push_back(left);
  }
  if (link.number < hole.last) {
    Hole right = hole;
    right.first = link.number + 1;
    right.hash_before = hash;
    right.window.start_ns = link.window_end_ns;
    holes_.push_back(right);
  }
  ++links_;
  memory_.add_late(remember(link, hash));
  match_data(link, place);
}

void SourceAudit::advance(const Link& link, const Hash256& hash, const Place& place,
                          bool signed_well) {
  if (signed_well && last_hash_ && *last_hash_ != link.previous) {
    Finding made = finding(FindingKind::broken_chain, Severity::refuted, place, link.number,
                           link.window_start_ns, link.window_end_ns);
    made.message = "link " + number_text(link.number) + " does not follow link " +
                   number_text(link.number - 1) + " as that stands here";
    add(std::move(made));
  }
  if (signed_well) {
    if (!record_sure_) {
      record_ = link.record;
      record_sure_ = true;
      first_beacon_ = link.beacon;
    }
    check_key(link, place);
    check_window(link, place);
    check_clocks(link, place);
    check_beacon(link, place);
  }
  check_history(link, place, signed_well);
  ++links_;
  last_link_ = link.number;
  last_shown_hash_ = hash;
  last_part_ = context_.part;
  damage_count_ = context_.last_damage ? context_.last_damage->count : 0;
  if (signed_well) {
    last_hash_ = hash;
    last_ = link;
    last_window_end_ns_ = link.window_end_ns;
    const std::size_t sources = std::max<std::size_t>(context_.source_count, 1);
    memory_.add(remember(link, hash),
                std::max<std::size_t>(context_.options.remembered_links / sources, 64));
    if (context_.options.head == hash) context_.head_seen = true;
  } else {
    last_hash_.reset();
    last_.reset();
  }
  match_data(link, place);
}

void SourceAudit::check_key(const Link& link, const Place& place) {
  const bool same = key_link_ && link.key == key_link_->key && link.epoch == key_link_->epoch;
  const auto make = [&](FindingKind kind, std::string message) {
    Finding made = finding(kind, Severity::refuted, place, link.number, link.window_start_ns,
                           link.window_end_ns);
    made.message = std::move(message);
    add(std::move(made), true);
  };
  if (same) {
    if (link.next_key_hash != key_link_->next_key_hash) {
      make(FindingKind::commitment_changed,
           "the link commits to another next key than the links before it");
    }
    if (!signers_.empty()) signers_.back().last_link = link.number;
    key_link_ = link;
    return;
  }
  const auto name = trusted_name(link);
  const bool first = !key_link_;
  const bool committed = key_link_ && link.epoch == key_link_->epoch + 1 &&
                         sha256(ByteView(link.key)) == key_link_->next_key_hash;
  if (!first && !committed && name && !signers_.empty() && !signers_.back().trusted) {
    // The trusted key is the one that goes on; it is the links before it that are in doubt.
    const Signer& before = signers_.back();
    Finding made = finding(FindingKind::unknown_key, Severity::refuted, place);
    made.first_sequence = before.first_link;
    made.last_sequence = before.last_link;
    made.message = "signed with key " + to_hex(before.key) +
                   ", which is not one of those given and did not commit to the key after it";
    add(std::move(made));
  } else if (!first && !committed) {
    make(FindingKind::key_not_committed,
         "signed with key " + to_hex(link.key) +
             ", which the links before it did not commit to as the next one");
    if (!name) return;  // the key before stays the one to compare with
  }
  trusted_ = trusted_ || name.has_value();
  key_link_ = link;
  if (signers_.size() == max_signers) {
    ++more_signers_;
    return;
  }
  Signer signer{link.epoch, link.key, link.number, link.number, name.has_value(), {}};
  if (name) {
    signer.name = *name;
  } else if (committed && !signers_.empty()) {
    signer.trusted = signers_.back().trusted;
    signer.name = signers_.back().name;
  }
  signers_.push_back(std::move(signer));
}

std::optional<std::string> SourceAudit::trusted_name(const Link& link) const {
  for (const TrustedKey& trusted : context_.options.policy.signers) {
    if (trusted.key == link.key && (!trusted.epoch || *trusted.epoch == link.epoch)) {
      return trusted.name;
    }
    if (trusted.next_key_hash && trusted.epoch && link.epoch == *trusted.epoch + 1 &&
        sha256(ByteView(link.key)) == *trusted.next_key_hash) {
      return trusted.name;
    }
  }
  return std::nullopt;
}

void SourceAudit::check_history(const Link& link, const Place& place, bool signed_well) {
  if (!history_) return;
  Hash256 root = link.frame_root;
  if (!signed_well) {
    // The link may lie about the root; the data may not.
    history_doubtful_ = true;
    for (const PendingData& data : pending_) {
      if (data.data.sequence == link.number) root = data.root;
    }
  }
  history_->append(merkle_leaf(root));
  if (!signed_well || history_->root() == link.history_root) return;
  history_.reset();
  if (history_doubtful_) return;  // the false signature before is the cause, and was told
  Finding made = finding(FindingKind::history_mismatch, Severity::refuted, place, link.number,
                         link.window_start_ns, link.window_end_ns);
  made.message = "the history root is not that of the frames from 0 to " +
                 number_text(link.number) + ", from here on it cannot be computed";
  add(std::move(made));
}

void SourceAudit::check_window(const Link& link, const Place& place) {
  if (link.window_end_ns < link.window_start_ns) {
    add_clock(FindingKind::window_overlap, link, place, "the window ends before it begins");
  }
  if (!last_) return;
  const std::int64_t before_ns = last_->window_end_ns;
  if (link.window_start_ns < before_ns) {
    add_clock(FindingKind::window_overlap, link, place,
              "the window begins before the one before it has ended");
    return;
  }
  const auto gap_ns = accounting_.add_gap(before_ns, link.window_start_ns);
  if (!gap_ns) return;
  const auto& largest = context_.options.policy.largest_gap_ns;
  const Severity severity = gap_severity(*gap_ns, largest);
  Finding made =
      finding(FindingKind::gap, severity, place, link.number, before_ns, link.window_start_ns);
  made.message = "nothing was recorded for " + format_duration_ns(*gap_ns) + " before frame " +
                 number_text(link.number);
  if (severity == Severity::refuted) {
    made.message += ", the policy allows " + format_duration_ns(*largest);
  }
  add(std::move(made));
}

void SourceAudit::match_data(const Link& link, const Place& place) {
  const bool lost = (link.flags & link_lost_window) != 0;
  auto found = pending_.end();
  for (auto data = pending_.begin(); data != pending_.end(); ++data) {
    if (data->data.sequence != link.number) continue;
    if (found == pending_.end() || data->root == link.frame_root) found = data;
  }
  if (lost) {
    ++accounting_.lost_windows;
    Finding made = finding(FindingKind::lost_window, Severity::loss, place, link.number,
                           link.window_start_ns, link.window_end_ns);
    made.message = "the window was lost before it was sealed, as the operator declared";
    if (link.frame_root != Hash256{} || link.samples != 0 || found != pending_.end()) {
      made.kind = FindingKind::link_disagrees;
      made.severity = Severity::refuted;
      made.message = "the link says that the window was lost, and has data all the same";
    }
    add(std::move(made), true);
  }
  if (found != pending_.end()) {
    if (!lost) {
      if (!latest_ || latest_->sequence != link.number || !latest_->is_data) {
        Finding made = finding(FindingKind::reordered, Severity::refuted, place, link.number,
                               link.window_start_ns, link.window_end_ns);
        made.message = "LINK frame does not stand right after the data that it seals";
        add(std::move(made));
      }
      compare_with_link(*found, link);
    }
    drop(*found);
    pending_.erase(found);
    return;
  }
  if (lost) return;
  for (const FrameType type : {FrameType::data, FrameType::slice}) {
    if (const DamagedFrame* damaged = find_damaged(type, link.number)) {
      context_.findings.raise(damaged->finding, FindingKind::damaged_frame, Severity::refuted);
      verdict_.take(FindingKind::damaged_frame, Severity::refuted);
      return;
    }
  }
  if (waiting_links_.size() == max_waiting_links) settle_waiting_links();
  waiting_links_.push_back({place, link});
}

void SourceAudit::settle_waiting_links() {
  for (const WaitingLink& waiting : waiting_links_) {
    const Link& link = waiting.link;
    if (was_dropped(link.number)) {
      ++accounting_.dropped_windows;
      Finding dropped = finding(FindingKind::dropped_data, Severity::loss, waiting.place,
                                link.number, link.window_start_ns, link.window_end_ns);
      dropped.message =
          "the data was dropped on purpose, as the keeper of the store says; the link "
          "that sealed it is here";
      add(std::move(dropped), true);
      continue;
    }
    Finding made = finding(FindingKind::missing_data, Severity::refuted, waiting.place, link.number,
                           link.window_start_ns, link.window_end_ns);
    made.message = "the link is here, the data that it seals is not";
    add(std::move(made), true);
  }
  waiting_links_.clear();
}

}  // namespace twinchain::chain
