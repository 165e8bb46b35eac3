#include "twinchain/chain/report.hpp"

#include <algorithm>
#include <cmath>

#include "twinchain/base/hex.hpp"
#include "twinchain/base/text.hpp"

namespace twinchain::chain {
namespace {

constexpr std::size_t max_channels_shown = 8;
constexpr std::size_t max_runs_shown = 4;

std::string number(std::uint64_t value) {
  return decimal(value);
}

std::string source_text(const AuditReport& report, const Id128& source) {
  for (const RecordReport& record : report.records) {
    if (record.source == source && !record.name.empty()) return escape(record.name);
  }
  return to_hex(source);
}

std::string range_text(std::uint64_t first, std::uint64_t last) {
  return first == last ? number(first) : number(first) + " to " + number(last);
}

std::string signers_text(const AuditReport& report, const RecordReport& record) {
  if (record.signers.empty()) return "signed by nobody";
  // Keys that follow each other under one name are one signer in several epochs.
  std::string text;
  for (std::size_t i = 0; i < record.signers.size();) {
    const Signer& signer = record.signers[i];
    std::size_t end = i + 1;
    while (end < record.signers.size() && record.signers[end].name == signer.name &&
           record.signers[end].trusted == signer.trusted && !signer.name.empty()) {
      ++end;
    }
    text += text.empty() ? "signed by " : ", then by ";
    if (signer.trusted) {
      text += escape(signer.name);
    } else {
      text += "key " + to_hex(signer.key).substr(0, 16) + "...";
    }
    text += end - i == 1 ? " (epoch " : " (epochs ";
    text += range_text(signer.epoch, record.signers[end - 1].epoch);
    text += ")";
    i = end;
    if (text.size() > 400) {
      text += ", and others";
      break;
    }
  }
  if (record.more_signers > 0) text += " and " + number(record.more_signers) + " more keys";
  if (report.findings.count(FindingKind::no_key) > 0) text += ", whoever that is";
  return text;
}

/// ", counter-signed by farmer, and up to frame 4 by haulier", or nothing.
std::string cosigners_text(const RecordReport& record) {
  // The keys of one party count together.
  std::vector<const Cosigner*> parties;
  for (const Cosigner& cosigner : record.cosigners) {
    if (!cosigner.trusted) continue;
    const auto same = std::find_if(parties.begin(), parties.end(), [&](const Cosigner* party) {
      return party->name == cosigner.name;
    });
    if (same == parties.end()) {
      parties.push_back(&cosigner);
    } else if ((*same)->covered_to < cosigner.covered_to) {
      *same = &cosigner;
    }
  }
  std::string text;
  for (const Cosigner* party : parties) {
    if (text.size() > 400) return text + " and others";
    text += text.empty() ? ", counter-signed " : ", ";
    if (party->covered_to < record.last_link) {
      text += "up to frame " + number(party->covered_to) + " ";
    }
    text += "by " + escape(party->name);
  }
  return text;
}

std::string timestamp_text(const AnchorFacts& facts, const std::optional<BlockPlace>& place) {
  std::string text =
      "time-stamped by " + facts.authority + " (" + format_time_ns(facts.time_s * 1'000'000'000);
  if (place && !place->trust.empty()) text += "; " + place->trust;
  return text + ")";
}

std::string block_text(const AnchorSummary& anchors) {
  std::string text = "block " + number(anchors.best->height) + " of " + anchors.best->network_name +
                     " (" + format_time_ns(anchors.best->time_s * 1'000'000'000);
  if (anchors.place) {
    text += ", " + number(anchors.place->depth) + " deep";
    if (!anchors.place->trust.empty()) text += "; " + anchors.place->trust;
  }
  return text + ")";
}

std::string anchors_text(const AuditReport& report, const RecordReport& record) {
  const AnchorSummary& anchors = record.anchors;
  if (anchors.covered_to && anchors.best) {
    const bool is_timestamp = anchors.best->is_timestamp();
    std::string text = is_timestamp ? "" : "anchored ";
    if (*anchors.covered_to < record.last_link) {
      text += "up to frame " + number(*anchors.covered_to) + " ";
    }
    if (is_timestamp) return text + timestamp_text(*anchors.best, anchors.place);
    return text + "in " + block_text(anchors);
  }
  if (anchors.receipts == 0) return "not anchored, so its time is not proven";
  std::string text = number(anchors.receipts) + (anchors.receipts == 1 ? " anchor" : " anchors");
  if (report.ledger_given) return text + ", none of them proven";
  return text + " not checked against a ledger, so its time is not proven";
}

/// "source engine-1, frames 0 to 99, from … to …, signed by node (epoch 0), anchored in …".
std::string record_text(const AuditReport& report, const RecordReport& record) {
  std::string text = "source " + source_text(report, record.source);
  if (record.links == 0) return text + ", nothing of it is sealed";
  text += record.first_link == record.last_link ? ", frame " : ", frames ";
  text += range_text(record.first_link, record.last_link);
  text +=
      ", " + format_time_ns(record.window_start_ns) + " to " + format_time_ns(record.window_end_ns);
  text += ", " + signers_text(report, record);
  text += cosigners_text(record);
  text += ", " + anchors_text(report, record);
  if (record.first_beacon_place) {
    text += ", begun after block " + number(record.first_beacon.height) + " (" +
            format_time_ns(record.first_beacon_place->time_s * 1'000'000'000) + ")";
  }
  return text;
}

std::string verdict_text(Severity severity, const std::optional<FindingKind>& kind) {
  std::string text = verdict_word(severity);
  if (severity != Severity::note && kind) {
    text += " (";
    text += finding_verdict(*kind);
    text += ")";
  }
  return text;
}

std::string accounting_text(const RecordReport& record) {
  const Accounting& sums = record.accounting;
  std::string text = number(sums.rows) + " rows";
  if (sums.expected_rows > 0) {
    text += " (" + number(sums.rows_of_rated_windows) + " of " +
            shortest(std::round(sums.expected_rows)) + " that the rate promises, " +
            number(sums.short_windows) + " windows short)";
  }
  text += ", " + number(sums.samples) + " samples, " + number(sums.rejected_rows) + " rejected, " +
          number(sums.late_rows) + " late, " + number(sums.duplicate_rows) + " duplicate, " +
          number(sums.out_of_order_rows) + " out of order; " + number(sums.windows) +
          " windows proven, " + number(sums.silent_windows) + " silent, " +
          number(sums.lost_windows) + " lost, " + number(sums.gaps) + " gaps";
  if (sums.dropped_windows > 0) text += ", " + number(sums.dropped_windows) + " dropped";
  if (sums.gaps > 0) {
    text += " (" + format_duration_ns(sums.gap_total_ns) + " together, the longest " +
            format_duration_ns(sums.largest_gap_ns) + ")";
  }
  if (sums.hidden_leaves > 0) {
    text += "; " + number(sums.hidden_leaves) + " columns withheld, " + number(sums.shown_leaves) +
            " shown";
  }
  return text;
}

std::string bound_text(const BlockBound& bound) {
  std::string text = bound.authority.empty() ? "block " + number(bound.height)
                                             : "the time-stamp of " + bound.authority;
  if (bound.authority.empty() && !bound.network_name.empty())
    text += " of " + escape(bound.network_name);
  std::string inside;
  if (bound.time_s) inside = format_time_ns(*bound.time_s * 1'000'000'000);
  if (!bound.confirmed) inside += inside.empty() ? "not checked" : ", not checked";
  if (!inside.empty()) text += " (" + inside + ")";
  return text;
}

/// "frames 0 to 2 not before block 3 (…), not after block 5 (…); frames 3 to …", or nothing.
std::string time_bounds_text(const RecordReport& record) {
  const std::vector<TimeRun>& runs = record.time_bounds;
  const bool any = std::any_of(runs.begin(), runs.end(), [](const TimeRun& run) {
    return run.not_before.has_value() || run.not_after.has_value();
  });
  if (!any) return "";
  std::string text;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    if (i == max_runs_shown) {
      return text + "; and " + number(runs.size() - i) + " runs of frames more, see --json";
    }
    const TimeRun& run = runs[i];
    if (!text.empty()) text += "; ";
    text += run.first == run.last ? "frame " : "frames ";
    text += range_text(run.first, run.last);
    if (run.not_before) text += " not before " + bound_text(*run.not_before);
    if (run.not_before && run.not_after) text += ",";
    if (run.not_after) text += " not after " + bound_text(*run.not_after);
    if (!run.not_before && !run.not_after) text += " at a time that nothing shows";
  }
  return text;
}

std::string hint_text(const AuditReport& report) {
  const auto headline = report.findings.headline();
  if (!headline) return "";
  switch (*headline) {
    case FindingKind::no_key:
      return "--key FILE.pub says whose signature is expected";
    case FindingKind::anchor_unchecked:
      return report.ledger_given
                 ? "--ledger URL for each network, or --headers FILE; --tsa-ca FILE for time-stamps"
                 : "--ledger URL or --headers FILE checks them (time-stamps: --tsa-ca FILE), "
                   "--offline leaves the time unproven";
    case FindingKind::cut:
    case FindingKind::withheld_channels:
      return "--partial when a part is what was asked for";
    case FindingKind::cosignature_missing:
      return "hashchain sign counter-signs";
    case FindingKind::evidence_unchecked:
      return "verify bundle FILE checks a bundle of evidence";
    case FindingKind::nothing_sealed:
      return "hashchain(1) seals a stream";
    case FindingKind::truncated:
    case FindingKind::damaged_bytes:
      return "frames recover keeps what is sound";
    case FindingKind::dropped_data:
      return "store gc dropped it, the store says; a copy of it can still be checked against the "
             "links";
    case FindingKind::anchor_pending:
    case FindingKind::anchor_not_deep:
      return "try again when the ledger has more blocks";
    default:
      return "";
  }
}

}  // namespace

const char* verdict_word(Severity severity) {
  switch (severity) {
    case Severity::note:
      return "verified";
    case Severity::unproven:
      return "not proven";
    case Severity::peer:
      return "not checked";
    case Severity::loss:
      return "incomplete";
    case Severity::malformed:
      return "damaged";
    case Severity::refuted:
      return "refuted";
  }
  return "unknown";
}

std::string finding_text(const AuditReport& report, const Finding& finding) {
  std::string text = severity_name(finding.severity);
  text += ": ";
  text += finding_kind_name(finding.kind);
  text += ": ";
  if (finding.source) text += "source " + source_text(report, *finding.source) + ", ";
  if (finding.first_sequence && finding.last_sequence) {
    text += *finding.first_sequence == *finding.last_sequence ? "frame " : "frames ";
    text += range_text(*finding.first_sequence, *finding.last_sequence) + ", ";
  }
  if (finding.window) {
    text += format_time_ns(finding.window->start_ns) + " to " +
            format_time_ns(finding.window->end_ns) + ", ";
  }
  for (std::size_t i = 0; i < finding.channels.size(); ++i) {
    if (i == max_channels_shown) {
      text += " and " + number(finding.channels.size() - i) + " more";
      break;
    }
    text += i > 0 ? " " : finding.channels.size() == 1 ? "channel " : "channels ";
    text += escape(finding.channels[i]);
  }
  if (!finding.channels.empty()) text += ", ";
  if (finding.offset) {
    text += "byte " + number(*finding.offset);
    if (report.inputs.size() > 1) text += " of " + escape(report.inputs[finding.input]);
    text += ": ";
  } else if (text.ends_with(", ")) {
    text.resize(text.size() - 2);
    text += ": ";
  }
  text += finding.message;
  if (finding.count > 1) text += " (" + number(finding.count) + " times)";
  return text;
}

std::string report_text(const AuditReport& report) {
  const FindingList& findings = report.findings;
  std::string text = verdict_text(findings.worst(), findings.headline());
  const std::size_t records = report.records.size();
  if (records == 1) {
    text += ": " + record_text(report, report.records[0]);
  } else if (records > 1) {
    text += ": " + number(records + report.more_records) + " records";
    for (const RecordReport& record : report.records) {
      text += "\n  " + verdict_text(record.verdict.severity, record.verdict.kind) + ": " +
              record_text(report, record);
    }
  }
  text += '\n';
  const std::string hint = hint_text(report);
  if (!hint.empty()) text += "hint: " + hint + "\n";
  for (const Finding& finding : findings.all()) text += finding_text(report, finding) + "\n";
  if (findings.left_out() > 0) {
    text += "and " + number(findings.left_out()) + " findings more\n";
  }
  for (const RecordReport& record : report.records) {
    if (record.links == 0) continue;
    text += "counted: ";
    if (records > 1) text += "source " + source_text(report, record.source) + ": ";
    text += accounting_text(record) + "\n";
    const std::string time = time_bounds_text(record);
    if (!time.empty()) {
      text += "time: ";
      if (records > 1) text += "source " + source_text(report, record.source) + ": ";
      text += time + "\n";
    }
    text += "head: ";
    if (records > 1) text += "source " + source_text(report, record.source) + ": ";
    text += "link " + number(record.proven_by_link.value_or(record.last_link)) + " " +
            to_hex(record.last_link_hash) + "\n";
  }
  return text;
}

}  // namespace twinchain::chain
