#include "twinchain/chain/findings.hpp"

#include <algorithm>
#include <tuple>

namespace twinchain::chain {
namespace {

struct KindText {
  FindingKind kind;
  const char* name;
  const char* verdict;
};

constexpr std::array<KindText, finding_kinds> kind_texts{{
    {FindingKind::fork, "fork", "forked chain"},
    {FindingKind::foreign_record, "foreign-record", "frames of another record"},
    {FindingKind::moved_source, "moved-source", "frames moved from another source"},
    {FindingKind::renumbered, "renumbered", "renumbered frames"},
    {FindingKind::altered_window, "altered-window", "frames with another time window"},
    {FindingKind::bad_signature, "bad-signature", "signature is false"},
    {FindingKind::bad_cosignature, "bad-cosignature", "counter-signature is false"},
    {FindingKind::foreign_cosignature, "foreign-cosignature", "counter-signature of another link"},
    {FindingKind::key_not_committed, "key-not-committed", "signed again with another key"},
    {FindingKind::commitment_changed, "commitment-changed", "commitment to the next key changed"},
    {FindingKind::unknown_key, "unknown-key", "unknown key"},
    {FindingKind::splice, "splice", "splice with a hole in it"},
    {FindingKind::missing_frames, "missing-frames", "frames are missing"},
    {FindingKind::missing_link, "missing-link", "links are missing"},
    {FindingKind::reordered, "reordered", "frames out of order"},
    {FindingKind::altered_content, "altered-content", "content differs from what was sealed"},
    {FindingKind::missing_data, "missing-data", "sealed data is missing"},
    {FindingKind::conflicting_data, "conflicting-data", "two contents for one frame"},
    {FindingKind::link_disagrees, "link-disagrees", "link and data do not say the same"},
    {FindingKind::broken_chain, "broken-chain", "chain is broken"},
    {FindingKind::history_mismatch, "history-mismatch", "history does not add up"},
    {FindingKind::replayed_anchor, "replayed-anchor", "replayed anchor"},
    {FindingKind::bad_receipt, "bad-receipt", "receipt is false"},
    {FindingKind::anchor_not_on_chain, "anchor-not-on-chain", "anchor is not on the best chain"},
    {FindingKind::missing_schema, "missing-schema", "schema is missing"},
    {FindingKind::reject_mismatch, "reject-mismatch", "rejected rows differ from what was sealed"},
    {FindingKind::head_missing, "head-missing", "the link asked for is missing"},
    {FindingKind::gap, "gap", "gaps"},
    {FindingKind::rows_missing, "rows-missing", "fewer rows than the policy asks for"},
    {FindingKind::damaged_frame, "damaged-frame", "damaged frames"},
    {FindingKind::damaged_bytes, "damaged-bytes", "damaged bytes"},
    {FindingKind::malformed_frame, "malformed-frame", "malformed frames"},
    {FindingKind::critical_frame, "critical-frame", "critical frames of an unknown type"},
    {FindingKind::not_a_stream, "not-a-stream", "input is not a twin stream"},
    {FindingKind::truncated, "truncated", "truncated"},
    {FindingKind::duplicate_frame, "duplicate-frame", "repeated frames"},
    {FindingKind::lost_window, "lost-window", "windows were lost before they were sealed"},
    {FindingKind::dropped_data, "dropped-data", "data dropped by its keeper"},
    {FindingKind::new_record, "new-record", "more than one record of a source"},
    {FindingKind::ledger_away, "ledger-away", "a ledger could not be asked"},
    {FindingKind::nothing_sealed, "nothing-sealed", "nothing was sealed"},
    {FindingKind::unsealed, "unsealed", "unsealed frames"},
    {FindingKind::no_key, "no-key", "no key to check against"},
    {FindingKind::cut, "cut", "a cut"},
    {FindingKind::withheld_channels, "withheld-channels", "channels are withheld"},
    {FindingKind::unknown_frame, "unknown-frame", "frames of an unknown type"},
    {FindingKind::policy_differs, "policy-differs", "the policy is only the sender's word"},
    {FindingKind::anchor_not_deep, "anchor-not-deep", "anchor is not deep enough"},
    {FindingKind::anchor_pending, "anchor-pending", "anchor is pending"},
    {FindingKind::no_anchor, "no-anchor", "no anchor"},
    {FindingKind::anchor_unchecked, "anchor-unchecked", "anchors were not checked"},
    {FindingKind::anchor_unmatched, "anchor-unmatched", "anchors of links that are not here"},
    {FindingKind::cosignature_missing, "cosignature-missing", "counter-signature is missing"},
    {FindingKind::cosignature_unmatched, "cosignature-unmatched",
     "counter-signatures of links that are not here"},
    {FindingKind::evidence_unchecked, "evidence-unchecked",
     "proofs that only verify bundle checks"},
    {FindingKind::beyond_limits, "beyond-limits", "beyond what can be checked at once"},
    {FindingKind::torn_tail, "torn-tail", "torn tail"},
    {FindingKind::history_unknown, "history-unknown", "history not computed"},
    {FindingKind::unknown_cosigner, "unknown-cosigner", "counter-signed by somebody unknown"},
    {FindingKind::window_overlap, "window-overlap", "windows overlap"},
    {FindingKind::wall_clock_back, "wall-clock-back", "wall clock went back"},
    {FindingKind::wall_clock_step, "wall-clock-step", "wall clock was set"},
    {FindingKind::clock_drift, "clock-drift", "wall clock drifts"},
    {FindingKind::monotonic_clock_back, "monotonic-clock-back", "monotonic clock went back"},
    {FindingKind::sealed_early, "sealed-early", "sealed before the window ended"},
    {FindingKind::sealed_late, "sealed-late", "sealed late"},
    {FindingKind::closed_off_time, "closed-off-time", "window closed off its time"},
    {FindingKind::beacon_back, "beacon-back", "beacon went back"},
    {FindingKind::beacon_after_anchor, "beacon-after-anchor", "beacon is newer than the anchor"},
    {FindingKind::beacon_not_on_chain, "beacon-not-on-chain", "beacon is not on the best chain"},
    {FindingKind::sealed_before_beacon, "sealed-before-beacon", "sealed before its beacon"},
    {FindingKind::sealed_after_anchor, "sealed-after-anchor", "sealed after its anchor"},
}};

constexpr bool in_order() {
  for (std::size_t i = 0; i < kind_texts.size(); ++i) {
    if (static_cast<std::size_t>(kind_texts[i].kind) != i) return false;
  }
  return true;
}
static_assert(in_order());

}  // namespace

ExitCode exit_code(Severity severity) {
  switch (severity) {
    case Severity::note:
      return ExitCode::success;
    case Severity::unproven:
      return ExitCode::unproven;
    case Severity::peer:
      return ExitCode::peer;
    case Severity::loss:
      return ExitCode::loss;
    case Severity::malformed:
      return ExitCode::malformed;
    case Severity::refuted:
      return ExitCode::refuted;
  }
  return ExitCode::bug;
}

const char* severity_name(Severity severity) {
  switch (severity) {
    case Severity::note:
      return "note";
    case Severity::unproven:
      return "unproven";
    case Severity::peer:
      return "peer";
    case Severity::loss:
      return "loss";
    case Severity::malformed:
      return "malformed";
    case Severity::refuted:
      return "refuted";
  }
  return "unknown";
}

const char* finding_kind_name(FindingKind kind) {
  return kind_texts[static_cast<std::size_t>(kind)].name;
}

const char* finding_verdict(FindingKind kind) {
  return kind_texts[static_cast<std::size_t>(kind)].verdict;
}

bool is_clock_finding(FindingKind kind) {
  return kind >= FindingKind::window_overlap;
}

void FindingList::Verdict::take(FindingKind other_kind, Severity other_severity) {
  if (other_severity == Severity::note || other_severity < severity) return;
  if (other_severity > severity || !kind || other_kind < *kind) kind = other_kind;
  severity = other_severity;
}

void FindingList::note_severity(FindingKind kind, Severity severity) {
  Verdict now = verdict();
  now.take(kind, severity);
  worst_ = now.severity;
  headline_ = now.kind;
}

std::size_t FindingList::add(Finding finding, bool merge) {
  const auto index = static_cast<std::size_t>(finding.kind);
  note_severity(finding.kind, finding.severity);
  const std::uint64_t before = counts_[index]++;
  if (merge && before > 0 && last_[index] < findings_.size()) {
    Finding& last = findings_[last_[index]];
    if (last.source == finding.source && last.severity == finding.severity &&
        last.input == finding.input && last.last_sequence && finding.first_sequence &&
        *finding.first_sequence - 1 == *last.last_sequence && *finding.first_sequence > 0 &&
        last.channels == finding.channels) {
      last.last_sequence = finding.last_sequence;
      if (last.window && finding.window) last.window->end_ns = finding.window->end_ns;
      ++last.count;
      return last_[index];
    }
  }
  const bool room = kept_[index] < always_of_a_kind ||
                    (kept_[index] < max_of_a_kind && findings_.size() < max_together);
  if (!room) {
    ++left_out_;
    return not_kept;
  }
  ++kept_[index];
  last_[index] = findings_.size();
  findings_.push_back(std::move(finding));
  return last_[index];
}

void FindingList::raise(std::size_t place, FindingKind kind, Severity severity) {
  note_severity(kind, severity);
  if (place < findings_.size()) {
    findings_[place].severity = std::max(findings_[place].severity, severity);
  }
}

void FindingList::sort() {
  std::stable_sort(findings_.begin(), findings_.end(), [](const Finding& a, const Finding& b) {
    // Findings about the whole come last, after all that have a place.
    const auto key = [](const Finding& f) {
      return std::tuple(!f.offset.has_value(), f.input, f.offset.value_or(0));
    };
    return key(a) < key(b);
  });
}

}  // namespace twinchain::chain
