// A record as a whole: what its data amounts to, its holes, who signed it.
#include <algorithm>
#include <cmath>

#include "twinchain/base/hex.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/chain/audit_source.hpp"

namespace twinchain::chain {
namespace {

constexpr std::size_t max_records = 1'000;
/// Runs of frames with equal bounds of time, of a record and of all records together.
constexpr std::size_t max_time_runs = 1'000;
constexpr std::size_t max_time_runs_together = 10'000;

}  // namespace

void SourceAudit::compare_with_link(PendingData& data, const Link& link) {
  if (data.root != link.frame_root) {
    report_altered(data);
    return;
  }
  const record::DataHeader& header = data.data;
  std::string what;
  const auto differs = [&](const char* name) {
    what += what.empty() ? name : std::string(", ") + name;
  };
  if (header.samples != link.samples) differs("number of samples");
  if (header.declared_rate_mhz != link.declared_rate_mhz) differs("declared rate");
  if (header.window_start_ns != link.window_start_ns ||
      header.window_end_ns != link.window_end_ns) {
    differs("time window");
  }
  if (header.source != link.source || header.sequence != link.number) differs("source or number");
  if (!what.empty()) {
    Finding made = finding(FindingKind::link_disagrees, Severity::refuted, data.place,
                           header.sequence, header.window_start_ns, header.window_end_ns);
    made.message = "link and data do not say the same: " + what;
    add(std::move(made));
  }
  check_recorder_clock(data, link);
  count_window(data);
}

void SourceAudit::report_altered(const PendingData& data) {
  const record::DataHeader& header = data.data;
  Finding made = finding(FindingKind::altered_content, Severity::refuted, data.place,
                         header.sequence, header.window_start_ns, header.window_end_ns);
  made.message = "frame content differs from what was sealed";
  if (!data.body.empty()) {
    FrameHeader frame_header;
    frame_header.type = data.type;
    DamagePlace damage =
        data.type == FrameType::data
            ? find_damage(data.body.view(), channels_.get())
            : find_slice_damage(header, frame_header, data.body.view(), channels_.get());
    made.channels = std::move(damage.channels);
    if (damage.first_byte) {
      const std::uint64_t body = data.place.offset + frame_header_size;
      made.message += ", in bytes " + decimal(body + *damage.first_byte) + " to " +
                      decimal(body + damage.last_byte);
    }
    if (made.channels.empty() && damage.columns > 0) {
      made.message += ", in which of its " + decimal(std::uint64_t{damage.columns}) +
                      " channels cannot be told";
    }
  }
  add(std::move(made));
}

void SourceAudit::count_window(const PendingData& data) {
  const record::DataHeader& header = data.data;
  accounting_.add_window(header);
  if (data.type != FrameType::slice) return;
  accounting_.shown_leaves += data.shown_leaves;
  accounting_.hidden_leaves += data.leaf_count - data.shown_leaves;
  Finding made = finding(FindingKind::withheld_channels,
                         context_.options.partial ? Severity::note : Severity::unproven, data.place,
                         header.sequence, header.window_start_ns, header.window_end_ns);
  made.message = decimal(std::uint64_t{data.leaf_count - data.shown_leaves}) +
                 " columns are withheld, what is shown is what was sealed";
  add(std::move(made), true);
}

void SourceAudit::settle_holes() {
  for (const Hole& hole : holes_) {
    const std::uint64_t count = hole.last - hole.first + 1;
    std::uint64_t damaged_links = 0;
    for (const DamagedFrame& damaged : damaged_) {
      if (damaged.type != FrameType::link || damaged.sequence < hole.first ||
          damaged.sequence > hole.last) {
        continue;
      }
      ++damaged_links;
      context_.findings.raise(damaged.finding, FindingKind::damaged_frame, Severity::refuted);
      verdict_.take(FindingKind::damaged_frame, Severity::refuted);
    }
    if (damaged_links >= count && hole.data_seen >= count) continue;  // told already
    Finding made = finding(FindingKind::missing_frames, Severity::refuted, hole.place);
    made.first_sequence = hole.first;
    made.last_sequence = hole.last;
    made.window = hole.window;
    if (hole.data_seen >= count) {
      made.kind = FindingKind::missing_link;
      made.message = "data is here, the link that seals it is not";
    } else if (hole.between_streams) {
      made.kind = FindingKind::splice;
      made.message =
          "two parts of one record are put together, the frames between them are missing";
    } else {
      made.message = count == 1 ? "the frame is missing" : "the frames are missing";
      if (hole.data_seen > 0) made.message += ", some are here without their link";
    }
    if (hole.damage) {
      made.message += ", damaged bytes " + decimal(hole.damage->place.offset) + " to " +
                      decimal(hole.damage->place.offset + hole.damage->size_bytes - 1) +
                      " lie there";
    }
    add(std::move(made));
  }
  holes_.clear();
}

void SourceAudit::settle_keys() {
  if (trusted_ || !key_link_) return;
  const Policy& policy = context_.options.policy;
  if (policy.signers.empty()) return;  // told once for all sources
  Finding made;
  made.kind = FindingKind::unknown_key;
  made.severity = Severity::refuted;
  made.source = source_;
  made.first_sequence = first_link_;
  made.last_sequence = last_link_;
  made.message = "signed with key " + to_hex(key_link_->key) + " (epoch " +
                 decimal(std::uint64_t{key_link_->epoch}) + "), which is not one of those given";
  add(std::move(made));
}

RecordReport SourceAudit::make_report() {
  RecordReport report;
  report.source = source_;
  report.name = name_;
  report.links = links_;
  report.accounting = accounting_;
  report.anchors = anchors_;
  report.verdict = verdict_;
  if (links_ == 0) return report;
  report.record = record_;
  report.first_link = first_link_;
  report.last_link = last_link_;
  report.last_link_hash = last_shown_hash_;
  report.window_start_ns = first_window_start_ns_;
  report.window_end_ns = last_window_end_ns_;
  report.history_computed = history_.has_value() && !history_doubtful_;
  report.signers = signers_;
  report.more_signers = more_signers_;
  if (report.signers.size() > 100) {
    report.more_signers += report.signers.size() - 100;
    report.signers.resize(100);
  }
  report.cosigners = cosigners_;
  report.more_cosignatures = more_cosignatures_;
  report.first_beacon = first_beacon_;
  report.first_beacon_place = first_beacon_place_;
  if (time_bounds_) {
    const std::size_t left =
        max_time_runs_together - std::min(max_time_runs_together, context_.time_runs);
    report.time_bounds = time_bounds_->runs(first_link_, last_link_);
    report.time_bounds_widened =
        widen_runs(report.time_bounds, std::clamp<std::size_t>(left, 1, max_time_runs)) ||
        time_bounds_->widened();
    context_.time_runs += report.time_bounds.size();
  }
  return report;
}

/// Judges the record that ends here and makes room for another one.
void SourceAudit::end_record() {
  settle_waiting_links();
  settle_holes();
  settle_anchors();
  settle_cosignatures();
  if (links_ > 0) {
    settle_keys();
    const Place none;
    if (first_link_ > 0) {
      Finding made = finding(FindingKind::cut,
                             context_.options.partial ? Severity::note : Severity::unproven, none);
      made.offset.reset();
      made.first_sequence = made.last_sequence = first_link_;
      made.message = "the record begins with link " + decimal(first_link_) +
                     ", what was before it is not here";
      add(std::move(made));
    }
    if (!history_) {
      Finding made = finding(FindingKind::history_unknown, Severity::note, none);
      made.offset.reset();
      made.message = first_link_ > 0
                         ? "history roots were not computed, that needs all links from 0"
                         : "history roots were computed only up to the first hole or false link";
      add(std::move(made));
    }
    const auto& least = context_.options.policy.least_rows;
    const double promised = accounting_.expected_rows;
    if (least && static_cast<double>(accounting_.rows_of_rated_windows) < *least * promised) {
      Finding made = finding(FindingKind::rows_missing, Severity::refuted, none);
      made.offset.reset();
      made.message = decimal(accounting_.rows_of_rated_windows) + " rows of " +
                     shortest(std::round(promised)) +
                     " that the declared rate promises, the policy asks for " +
                     shortest(*least * 100) + "%";
      add(std::move(made));
    }
    judge_anchors();
    judge_cosigners();
  } else {
    Finding made;
    made.kind = FindingKind::nothing_sealed;
    made.severity = Severity::unproven;
    made.source = source_;
    made.message = "no link seals anything of this source";
    add(std::move(made));
  }
  if (context_.records.size() < max_records) {
    context_.records.push_back(make_report());
  } else {
    ++context_.more_records;
  }
  verdict_ = {};
  links_ = 0;
  last_link_ = first_link_ = 0;
  last_hash_.reset();
  last_.reset();
  history_.reset();
  memory_.clear();
  key_link_.reset();
  signers_.clear();
  more_signers_ = 0;
  trusted_ = false;
  accounting_ = {};
  boot_link_.reset();
  drift_reported_ = false;
  anchors_ = {};
  shallow_to_.reset();
  best_anchor_number_.reset();
  cosigners_.clear();
  unknown_cosigners_ = 0;
  more_cosignatures_ = 0;
  record_sure_ = false;
}

}  // namespace twinchain::chain
