// What an audit finds, and how much of it is kept. Floor 4. The kinds are described in verify(1).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "twinchain/base/bytes.hpp"
#include "twinchain/base/result.hpp"

namespace twinchain::chain {

/// What a finding does to the verdict, from the least to the most.
enum class Severity : std::uint8_t {
  note,       ///< worth knowing; leaves the verdict as it is
  unproven,   ///< exit 7
  peer,       ///< exit 6: a ledger could not be asked
  loss,       ///< exit 3
  malformed,  ///< exit 4
  refuted     ///< exit 1
};
ExitCode exit_code(Severity severity);
/// "note", "unproven", "peer", "loss", "malformed", "refuted".
const char* severity_name(Severity severity);

/// In the order in which they name the verdict when several are of the same severity: the more
/// telling first.
enum class FindingKind : std::uint8_t {
  // Usually refuted.
  fork,
  foreign_record,
  moved_source,
  renumbered,
  altered_window,
  bad_signature,
  bad_cosignature,
  foreign_cosignature,
  key_not_committed,
  commitment_changed,
  unknown_key,
  splice,
  missing_frames,
  missing_link,
  reordered,
  altered_content,
  missing_data,
  conflicting_data,
  link_disagrees,
  broken_chain,
  history_mismatch,
  replayed_anchor,
  bad_receipt,
  anchor_not_on_chain,
  missing_schema,
  reject_mismatch,
  head_missing,
  gap,
  rows_missing,
  // Usually malformed.
  damaged_frame,
  damaged_bytes,
  malformed_frame,
  critical_frame,
  not_a_stream,
  truncated,
  // Usually loss.
  duplicate_frame,
  lost_window,
  dropped_data,
  new_record,
  // Peer.
  ledger_away,
  // Usually unproven.
  nothing_sealed,
  unsealed,
  no_key,
  cut,
  withheld_channels,
  unknown_frame,
  policy_differs,
  anchor_not_deep,
  anchor_pending,
  no_anchor,
  anchor_unchecked,
  anchor_unmatched,
  cosignature_missing,
  cosignature_unmatched,
  evidence_unchecked,
  beyond_limits,
  // Notes.
  torn_tail,
  history_unknown,
  unknown_cosigner,
  window_overlap,
  wall_clock_back,
  wall_clock_step,
  clock_drift,
  monotonic_clock_back,
  sealed_early,
  sealed_late,
  closed_off_time,
  beacon_back,
  beacon_after_anchor,
  beacon_not_on_chain,
  sealed_before_beacon,
  sealed_after_anchor,
};
inline constexpr std::size_t finding_kinds =
    static_cast<std::size_t>(FindingKind::sealed_after_anchor) + 1;

/// "altered-content": in JSON and before each line of text.
const char* finding_kind_name(FindingKind kind);
/// "content differs from what was sealed": the verdict in words a judge understands.
const char* finding_verdict(FindingKind kind);
/// Clock findings contradict no hash; a policy may refuse them.
bool is_clock_finding(FindingKind kind);

struct Finding {
  FindingKind kind = FindingKind::damaged_bytes;
  Severity severity = Severity::note;
  std::optional<Id128> source;
  /// Frames (links) meant, both included.
  std::optional<std::uint64_t> first_sequence;
  std::optional<std::uint64_t> last_sequence;
  struct TimeWindow {
    std::int64_t start_ns = 0;
    std::int64_t end_ns = 0;
  };
  std::optional<TimeWindow> window;
  /// Names of the channels meant, as the recorder wrote them (not escaped).
  std::vector<std::string> channels;
  std::uint32_t input = 0;  ///< index of the input
  std::optional<std::uint64_t> offset;
  std::uint64_t size_bytes = 0;  ///< of the bytes meant; 0: not said
  std::string message;           ///< one line, untrusted bytes escaped
  std::uint64_t count = 1;       ///< like findings that were merged into this one
};

/// Keeps findings within bounded memory and counts all of them. A kind that is told `merge` grows
/// the finding before it when that is of the same source and kind and ends where this one begins.
/// Not thread-safe.
class FindingList {
 public:
  static constexpr std::uint64_t max_of_a_kind = 10'000;
  static constexpr std::uint64_t max_together = 20'000;
  /// What a kind may have even when others have filled the list.
  static constexpr std::uint64_t always_of_a_kind = 100;
  static constexpr std::size_t not_kept = static_cast<std::size_t>(-1);

  /// The place of the finding in all(), or not_kept.
  std::size_t add(Finding finding, bool merge = false);
  /// Raises the severity of a finding that was added before; also of one that was not kept.
  void raise(std::size_t place, FindingKind kind, Severity severity);

  [[nodiscard]] const std::vector<Finding>& all() const { return findings_; }
  /// The finding for a change of its wording; the caller changes neither kind nor severity.
  [[nodiscard]] Finding* at(std::size_t place) {
    return place < findings_.size() ? &findings_[place] : nullptr;
  }
  [[nodiscard]] std::uint64_t count(FindingKind kind) const {
    return counts_[static_cast<std::size_t>(kind)];
  }
  /// Findings that were counted but are not in all().
  [[nodiscard]] std::uint64_t left_out() const { return left_out_; }
  [[nodiscard]] Severity worst() const { return worst_; }
  /// The kind that names the verdict: of the worst severity, the first in the order of FindingKind.
  [[nodiscard]] std::optional<FindingKind> headline() const { return headline_; }
  /// The same for one source.
  struct Verdict {
    Severity severity = Severity::note;
    std::optional<FindingKind> kind;
    void take(FindingKind other_kind, Severity other_severity);
  };
  [[nodiscard]] Verdict verdict() const { return {worst_, headline_}; }
  /// Orders all() by input and offset, for the report; places are void after it.
  void sort();

 private:
  void note_severity(FindingKind kind, Severity severity);

  std::vector<Finding> findings_;
  std::array<std::uint64_t, finding_kinds> counts_{};
  std::array<std::uint64_t, finding_kinds> kept_{};
  std::array<std::size_t, finding_kinds> last_{};
  std::uint64_t left_out_ = 0;
  Severity worst_ = Severity::note;
  std::optional<FindingKind> headline_;
};

}  // namespace twinchain::chain
