#include "twinchain/base/hex.hpp"
#include "twinchain/base/json_writer.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/chain/report.hpp"

namespace twinchain::chain {
namespace {

/// 64-bit numbers are strings: readers of JSON have 53 bits.
void member64(JsonWriter& json, const char* name, std::uint64_t value) {
  json.member(name, decimal(value));
}

void member_time(JsonWriter& json, const char* name, std::int64_t time_ns) {
  json.member(name, format_time_ns(time_ns));
}

void write_verdict(JsonWriter& json, Severity severity, const std::optional<FindingKind>& kind) {
  json.member("verdict", verdict_word(severity));
  json.key("reason");
  if (severity != Severity::note && kind) {
    json.value(finding_kind_name(*kind));
  } else {
    json.null();
  }
}

/// Which block it is, or which time-stamp: then block and height are null.
void write_place(JsonWriter& json, const Hash256& hash, std::uint32_t height,
                 const std::string& authority) {
  json.key("block");
  if (authority.empty()) {
    json.value(to_hex_reversed(hash));
    json.member("height", height);
    return;
  }
  json.null();
  json.key("height").null();
  json.member("authority", authority);
  json.member("token", to_hex(hash));
}

void write_block(JsonWriter& json, const AnchorFacts& facts,
                 const std::optional<BlockPlace>& place) {
  json.begin_object();
  json.member("network", facts.network_name);
  json.member("trivial", facts.trivial_network);
  write_place(json, facts.block_hash, facts.height, facts.authority);
  member_time(json, "time", facts.time_s * 1'000'000'000);
  json.key("depth");
  if (place && !facts.is_timestamp()) {
    json.value(place->depth);
  } else {
    json.null();
  }
  json.key("trust");
  if (place) {
    json.value(place->trust);
  } else {
    json.null();
  }
  json.end_object();
}

void write_anchors(JsonWriter& json, const AnchorSummary& anchors) {
  json.begin_object();
  member64(json, "receipts", anchors.receipts);
  json.key("covered_to");
  if (anchors.covered_to) {
    json.value(decimal(*anchors.covered_to));
  } else {
    json.null();
  }
  json.key("best");
  if (anchors.best) {
    write_block(json, *anchors.best, anchors.place);
  } else {
    json.null();
  }
  json.end_object();
}

void write_beacon(JsonWriter& json, const RecordReport& record) {
  const Beacon& beacon = record.first_beacon;
  if (beacon.network == 0) {
    json.null();
    return;
  }
  json.begin_object();
  json.member("block", to_hex_reversed(beacon.block_hash));
  json.member("height", beacon.height);
  json.key("time");
  if (record.first_beacon_place) {
    json.value(format_time_ns(record.first_beacon_place->time_s * 1'000'000'000));
  } else {
    json.null();
  }
  json.end_object();
}

void write_bound(JsonWriter& json, const std::optional<BlockBound>& bound) {
  if (!bound) {
    json.null();
    return;
  }
  json.begin_object();
  json.member("network", bound->network_name);
  write_place(json, bound->block_hash, bound->height, bound->authority);
  json.key("time");
  if (bound->time_s) {
    json.value(format_time_ns(*bound->time_s * 1'000'000'000));
  } else {
    json.null();
  }
  json.member("confirmed", bound->confirmed);
  json.end_object();
}

void write_time_bounds(JsonWriter& json, const RecordReport& record) {
  json.begin_array();
  for (const TimeRun& run : record.time_bounds) {
    json.begin_object();
    member64(json, "first", run.first);
    member64(json, "last", run.last);
    json.key("not_before");
    write_bound(json, run.not_before);
    json.key("not_after");
    write_bound(json, run.not_after);
    json.end_object();
  }
  json.end_array();
}

void write_accounting(JsonWriter& json, const Accounting& sums) {
  json.begin_object();
  member64(json, "windows", sums.windows);
  member64(json, "silent_windows", sums.silent_windows);
  member64(json, "short_windows", sums.short_windows);
  member64(json, "lost_windows", sums.lost_windows);
  member64(json, "dropped_windows", sums.dropped_windows);
  member64(json, "rows", sums.rows);
  json.member("expected_rows", sums.expected_rows);
  member64(json, "rows_of_rated_windows", sums.rows_of_rated_windows);
  member64(json, "samples", sums.samples);
  member64(json, "rejected_rows", sums.rejected_rows);
  member64(json, "late_rows", sums.late_rows);
  member64(json, "duplicate_rows", sums.duplicate_rows);
  member64(json, "out_of_order_rows", sums.out_of_order_rows);
  member64(json, "gaps", sums.gaps);
  json.member("gap_total_ns", decimal(sums.gap_total_ns));
  json.member("largest_gap_ns", decimal(sums.largest_gap_ns));
  member64(json, "columns_shown", sums.shown_leaves);
  member64(json, "columns_withheld", sums.hidden_leaves);
  json.end_object();
}

void write_signers(JsonWriter& json, const RecordReport& record) {
  json.begin_array();
  for (const Signer& signer : record.signers) {
    json.begin_object();
    json.member("epoch", signer.epoch);
    json.member("key", to_hex(signer.key));
    json.key("name");
    if (signer.trusted) {
      json.value(signer.name);
    } else {
      json.null();
    }
    json.member("trusted", signer.trusted);
    member64(json, "first_link", signer.first_link);
    member64(json, "last_link", signer.last_link);
    json.end_object();
  }
  json.end_array();
}

void write_cosigners(JsonWriter& json, const RecordReport& record) {
  json.begin_array();
  for (const Cosigner& cosigner : record.cosigners) {
    json.begin_object();
    json.key("name");
    if (cosigner.trusted) {
      json.value(cosigner.name);
    } else {
      json.null();
    }
    json.member("key", to_hex(cosigner.key));
    member64(json, "covered_to", cosigner.covered_to);
    member64(json, "count", cosigner.count);
    json.end_object();
  }
  json.end_array();
}

void write_record(JsonWriter& json, const RecordReport& record) {
  json.begin_object();
  json.member("source", record.name);
  json.member("source_id", to_hex(record.source));
  write_verdict(json, record.verdict.severity, record.verdict.kind);
  member64(json, "links", record.links);
  if (record.links > 0) {
    json.member("record", to_hex(record.record));
    member64(json, "first_link", record.first_link);
    member64(json, "last_link", record.last_link);
    json.member("head", to_hex(record.last_link_hash));
    if (record.proven_by_link) member64(json, "proven_by_link", *record.proven_by_link);
    member_time(json, "window_start", record.window_start_ns);
    member_time(json, "window_end", record.window_end_ns);
    json.member("history_computed", record.history_computed);
    json.key("signers");
    write_signers(json, record);
    member64(json, "more_signers", record.more_signers);
    json.key("cosigners");
    write_cosigners(json, record);
    member64(json, "more_cosignatures", record.more_cosignatures);
    json.key("anchors");
    write_anchors(json, record.anchors);
    json.key("beacon");
    write_beacon(json, record);
    json.key("time_bounds");
    write_time_bounds(json, record);
    json.member("time_bounds_widened", record.time_bounds_widened);
    json.key("accounting");
    write_accounting(json, record.accounting);
  }
  json.end_object();
}

void write_finding(JsonWriter& json, const AuditReport& report, const Finding& finding) {
  json.begin_object();
  json.member("kind", finding_kind_name(finding.kind));
  json.member("severity", severity_name(finding.severity));
  json.key("source");
  std::string name;
  if (finding.source) {
    for (const RecordReport& record : report.records) {
      if (record.source == *finding.source) name = record.name;
    }
    json.value(name);
    json.member("source_id", to_hex(*finding.source));
  } else {
    json.null();
  }
  if (finding.first_sequence) member64(json, "sequence", *finding.first_sequence);
  if (finding.last_sequence) member64(json, "last_sequence", *finding.last_sequence);
  if (finding.window) {
    member_time(json, "window_start", finding.window->start_ns);
    member_time(json, "window_end", finding.window->end_ns);
  }
  json.key("channels").begin_array();
  for (const std::string& channel : finding.channels) json.value(channel);
  json.end_array();
  if (finding.offset) {
    json.member("input", report.inputs[finding.input]);
    member64(json, "offset", *finding.offset);
    if (finding.size_bytes > 0) member64(json, "size_bytes", finding.size_bytes);
  }
  member64(json, "count", finding.count);
  json.member("message", finding.message);
  json.end_object();
}

}  // namespace

std::string report_json(const AuditReport& report) {
  const FindingList& findings = report.findings;
  JsonWriter json;
  json.begin_object();
  json.member("version", std::uint32_t{1});
  json.member("program", "verify " TWINCHAIN_VERSION);
  write_verdict(json, findings.worst(), findings.headline());
  json.member("exit_code", static_cast<std::int32_t>(report.code()));
  json.member("offline", report.offline);
  json.member("ledger_asked", report.ledger_given);
  json.key("inputs").begin_array();
  for (std::size_t i = 0; i < report.inputs.size(); ++i) {
    json.begin_object();
    json.member("name", report.inputs[i]);
    member64(json, "size_bytes", report.input_bytes[i]);
    json.end_object();
  }
  json.end_array();
  member64(json, "frames", report.frames);
  json.key("sources").begin_array();
  for (const RecordReport& record : report.records) write_record(json, record);
  json.end_array();
  member64(json, "more_sources", report.more_records);
  json.key("findings").begin_array();
  for (const Finding& finding : findings.all()) write_finding(json, report, finding);
  json.end_array();
  member64(json, "findings_left_out", findings.left_out());
  json.key("finding_counts").begin_object();
  for (std::size_t kind = 0; kind < finding_kinds; ++kind) {
    const std::uint64_t count = findings.count(static_cast<FindingKind>(kind));
    if (count > 0) member64(json, finding_kind_name(static_cast<FindingKind>(kind)), count);
  }
  json.end_object();
  json.end_object();
  return json.text() + "\n";
}

}  // namespace twinchain::chain
