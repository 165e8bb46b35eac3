// Counter-signatures: which further parties hold which links.
#include <algorithm>

#include "twinchain/base/hex.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/chain/audit_source.hpp"

namespace twinchain::chain {
namespace {

/// Counter-signatures that may wait for their link, all sources together.
constexpr std::size_t max_waiting_cosignatures = 10'000;
/// Keys that nobody named, of one record: whoever can write to a record can make up more.
constexpr std::size_t max_unknown_cosigners = 100;

}  // namespace

void SourceAudit::take_cosignature(const CheckedFrame& frame) {
  const FrameHeader& header = frame.header();
  WaitingCosignature waiting;
  waiting.header = header;
  waiting.place = {frame.input, frame.event.frame.offset};
  const auto make = [&](FindingKind kind, Severity severity, std::string message) {
    Finding made = finding(kind, severity, waiting.place, header.sequence, header.window_start_ns,
                           header.window_end_ns);
    made.size_bytes = frame.event.frame.size_bytes();
    made.message = "COSIGNATURE frame: " + std::move(message);
    add(std::move(made));
  };
  waiting.cosignature = *frame.cosignature;
  if (!frame.signature_ok) {
    return make(FindingKind::bad_cosignature, Severity::refuted,
                "the signature was not given by this key for this link hash");
  }
  if (links_ > 0) {
    if (const RememberedLink* link = memory_.find(header.sequence)) {
      return match_cosignature(waiting, *link);
    }
  }
  waiting.before_its_link = links_ == 0 || header.sequence > last_link_;
  if (context_.waiting_cosignatures >= max_waiting_cosignatures) {
    return make(FindingKind::beyond_limits, Severity::unproven,
                "too far from its link, was not checked");
  }
  ++context_.waiting_cosignatures;
  waiting_cosignatures_.push_back(waiting);
}

void SourceAudit::match_cosignature(const WaitingCosignature& waiting, const RememberedLink& link) {
  const auto make = [&](FindingKind kind, std::string message) {
    Finding made = finding(kind, Severity::refuted, waiting.place, link.number,
                           link.window_start_ns, link.window_end_ns);
    made.message = "COSIGNATURE frame: " + std::move(message);
    add(std::move(made));
  };
  if (waiting.cosignature.link_hash != link.hash) {
    const RememberedLink* other = memory_.find_hash(waiting.cosignature.link_hash);
    return make(FindingKind::foreign_cosignature,
                other != nullptr
                    ? "what was signed is link " + decimal(other->number)
                    : "what was signed is not link " + decimal(link.number) + " as it stands here");
  }
  if (waiting.before_its_link) make(FindingKind::reordered, "stands before its link");
  if (waiting.header.window_start_ns != link.window_start_ns ||
      waiting.header.window_end_ns != link.window_end_ns) {
    make(FindingKind::altered_window, "the frame header says another time window than the link");
  }
  count_cosignature(waiting.cosignature.key, link);
}

void SourceAudit::count_cosignature(const PublicKey& key, const RememberedLink& link) {
  auto found = std::find_if(cosigners_.begin(), cosigners_.end(),
                            [&](const Cosigner& cosigner) { return cosigner.key == key; });
  if (found == cosigners_.end()) {
    const std::vector<TrustedKey>& trusted = context_.options.policy.cosigners;
    const auto named = std::find_if(trusted.begin(), trusted.end(),
                                    [&](const TrustedKey& one) { return one.key == key; });
    Cosigner cosigner;
    cosigner.key = key;
    if (named != trusted.end()) {
      cosigner.trusted = true;
      cosigner.name = named->name;
    } else if (unknown_cosigners_ == max_unknown_cosigners) {
      ++more_cosignatures_;
      return;
    } else {
      ++unknown_cosigners_;
    }
    cosigners_.push_back(std::move(cosigner));
    found = cosigners_.end() - 1;
  }
  ++found->count;
  if (found->count > 1 && link.number <= found->covered_to) return;
  found->covered_to = link.number;
  found->covered_to_ns = link.window_end_ns;
}

void SourceAudit::offer_again_cosigned(const SignedLink& link) {
  for (WaitingCosignature& waiting : waiting_cosignatures_) {
    if (waiting.settled || waiting.header.sequence != link.link.number) continue;
    if (links_ == 0 || link.link.record != record_ || !verify_link_signature(link)) return;
    waiting.settled = true;
    match_cosignature(waiting, remember(link.link, link_hash(link.link)));
  }
}

/// Counter-signatures whose link came later, or never.
void SourceAudit::settle_cosignatures() {
  for (const WaitingCosignature& waiting : waiting_cosignatures_) {
    if (waiting.settled) continue;
    if (const RememberedLink* link = memory_.find(waiting.header.sequence)) {
      match_cosignature(waiting, *link);
      continue;
    }
    Finding made = finding(FindingKind::cosignature_unmatched, Severity::unproven, waiting.place,
                           waiting.header.sequence, waiting.header.window_start_ns,
                           waiting.header.window_end_ns);
    made.message = "COSIGNATURE frame of a link that is not here, or not sound, or too far before";
    if (const RememberedLink* other = memory_.find_hash(waiting.cosignature.link_hash)) {
      made.kind = FindingKind::foreign_cosignature;
      made.severity = Severity::refuted;
      made.message = "COSIGNATURE frame: what was signed is link " + decimal(other->number);
    }
    add(std::move(made));
  }
  context_.waiting_cosignatures -= waiting_cosignatures_.size();
  waiting_cosignatures_.clear();
}

/// Who has signed and who should have, now that all counter-signatures are known.
void SourceAudit::judge_cosigners() {
  const auto make = [&](FindingKind kind, Severity severity, std::string message) {
    Finding made;
    made.kind = kind;
    made.severity = severity;
    made.source = source_;
    made.message = std::move(message);
    add(std::move(made));
  };
  for (const Cosigner& cosigner : cosigners_) {
    if (cosigner.trusted) continue;
    make(FindingKind::unknown_cosigner, Severity::note,
         "counter-signed up to link " + decimal(cosigner.covered_to) + " with key " +
             to_hex(cosigner.key) + ", which is not one of those given");
  }
  const Policy& policy = context_.options.policy;
  for (const std::string& name : policy.required_cosigners) {
    const Cosigner* newest = nullptr;  // of the keys that the party has
    for (const Cosigner& cosigner : cosigners_) {
      if (!cosigner.trusted || cosigner.name != name) continue;
      if (newest == nullptr || cosigner.covered_to > newest->covered_to) newest = &cosigner;
    }
    if (newest == nullptr) {
      make(FindingKind::cosignature_missing, Severity::unproven,
           escape(name) + " has counter-signed nothing of this record");
      continue;
    }
    if (newest->covered_to >= last_link_) continue;
    // As double: hostile windows are further apart than an int64 holds.
    const double behind_ns =
        static_cast<double>(last_window_end_ns_) - static_cast<double>(newest->covered_to_ns);
    const auto& allowed = policy.cosigned_within_ns;
    if (allowed && behind_ns <= static_cast<double>(*allowed)) continue;
    make(FindingKind::cosignature_missing, Severity::unproven,
         escape(name) + " has counter-signed up to link " + decimal(newest->covered_to) +
             ", not the links after it");
  }
}

}  // namespace twinchain::chain
