#include "twinchain/report/verdict_file.hpp"

#include <algorithm>

#include "twinchain/base/hex.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/chain/report.hpp"
#include "twinchain/record/json_value.hpp"

namespace twinchain::report {
namespace {

using record::JsonValue;

// More than verify writes, and few enough to keep all in memory.
constexpr std::size_t max_inputs = 1'000;
constexpr std::size_t max_records = 1'000;
constexpr std::size_t max_findings = 25'000;
constexpr std::size_t max_signers = 200;
constexpr std::size_t max_bounds = 2'000;
constexpr std::size_t max_finding_channels = 12;
constexpr std::size_t max_kind_counts = 200;

/// Reads members and remembers the first that is not what it should be.
class Members {
 public:
  explicit Members(JsonValue object, std::string& wrong) : object_(object), wrong_(wrong) {
    if (!object.is_object()) complain("an object");
  }

  [[nodiscard]] JsonValue get(const char* name) const {
    const JsonValue value = object_.member(name);
    return value.is_null() ? JsonValue() : value;
  }
  void read(const char* name, std::string& into) { take(name, get(name).text(), into); }
  void read(const char* name, bool& into) { take(name, get(name).truth(), into); }
  void read(const char* name, double& into) { take(name, get(name).number(), into); }
  void read(const char* name, std::uint64_t& into) { take(name, get(name).count(), into); }
  void read(const char* name, std::int64_t& into) { take(name, get(name).signed_count(), into); }
  void read(const char* name, std::optional<std::uint64_t>& into) {
    std::uint64_t value = 0;
    if (!get(name).exists()) return;
    read(name, value);
    into = value;
  }
  void read_time(const char* name, std::optional<std::int64_t>& into) {
    const JsonValue value = get(name);
    if (!value.exists()) return;
    if (const auto text = value.text()) into = parse_time_iso8601_ns(*text);
    if (!into) complain(name);
  }
  void read_time(const char* name, std::int64_t& into) {
    std::optional<std::int64_t> time_ns;
    read_time(name, time_ns);
    if (time_ns) into = *time_ns;
  }
  /// Hexadecimal of this many bytes.
  void read_hex(const char* name, std::size_t size, std::string& into) {
    read(name, into);
    if (into.empty()) return;
    const auto bytes = from_hex(into);
    if (!bytes || bytes->size() != size) complain(name);
  }
  /// The elements of an array, at most `limit`; gives the number of further ones.
  template <class Take>
  std::uint64_t each(const char* name, std::size_t limit, const Take& take) {
    const JsonValue list = get(name);
    if (!list.exists()) return 0;
    if (!list.is_array()) complain(name);
    std::uint64_t taken = 0;
    std::uint64_t more = 0;
    list.each([&](JsonValue value) {
      if (taken < limit) {
        ++taken;
        take(value);
      } else {
        ++more;
      }
      return true;
    });
    return more;
  }
  void complain(const char* name) {
    if (wrong_.empty()) wrong_ = name;
  }
  std::string& wrong() { return wrong_; }

 private:
  template <class T, class Into>
  void take(const char* name, const std::optional<T>& value, Into& into) {
    if (value) {
      into = static_cast<Into>(*value);
    } else if (get(name).exists()) {
      complain(name);
    }
  }

  JsonValue object_;
  std::string& wrong_;
};

std::optional<VerdictBlock> read_block(Members& of, const char* name) {
  const JsonValue value = of.get(name);
  if (!value.exists()) return std::nullopt;
  Members members(value, of.wrong());
  VerdictBlock block;
  members.read("network", block.network);
  members.read("trivial", block.trivial);
  members.read_hex("block", 32, block.block);
  members.read("height", block.height);
  members.read_time("time", block.time_ns);
  members.read("depth", block.depth);
  if (bool confirmed = false; members.get("confirmed").exists()) {
    members.read("confirmed", confirmed);
    block.confirmed = confirmed;
  }
  members.read("trust", block.trust);
  members.read("authority", block.authority);
  members.read_hex("token", 32, block.token);
  return block;
}

void read_accounting(Members& of, VerdictAccounting& sums) {
  const JsonValue value = of.get("accounting");
  if (!value.exists()) return;
  Members members(value, of.wrong());
  members.read("windows", sums.windows);
  members.read("silent_windows", sums.silent_windows);
  members.read("short_windows", sums.short_windows);
  members.read("lost_windows", sums.lost_windows);
  members.read("dropped_windows", sums.dropped_windows);
  members.read("rows", sums.rows);
  members.read("expected_rows", sums.expected_rows);
  members.read("rows_of_rated_windows", sums.rows_of_rated_windows);
  members.read("samples", sums.samples);
  members.read("rejected_rows", sums.rejected_rows);
  members.read("late_rows", sums.late_rows);
  members.read("duplicate_rows", sums.duplicate_rows);
  members.read("out_of_order_rows", sums.out_of_order_rows);
  members.read("gaps", sums.gaps);
  members.read("gap_total_ns", sums.gap_total_ns);
  members.read("largest_gap_ns", sums.largest_gap_ns);
  members.read("columns_shown", sums.columns_shown);
  members.read("columns_withheld", sums.columns_withheld);
}

void read_signers(Members& of, VerdictRecord& record) {
  record.more_signers += of.each("signers", max_signers, [&](JsonValue value) {
    Members members(value, of.wrong());
    VerdictSigner& signer = record.signers.emplace_back();
    members.read("epoch", signer.epoch);
    members.read_hex("key", 32, signer.key);
    members.read("name", signer.name);
    members.read("trusted", signer.trusted);
    members.read("first_link", signer.first_link);
    members.read("last_link", signer.last_link);
  });
  record.more_cosignatures += of.each("cosigners", max_signers, [&](JsonValue value) {
    Members members(value, of.wrong());
    VerdictCosigner& signer = record.cosigners.emplace_back();
    members.read_hex("key", 32, signer.key);
    members.read("name", signer.name);
    members.read("covered_to", signer.covered_to);
    members.read("count", signer.count);
  });
}

void read_record(JsonValue value, std::string& wrong, VerdictRecord& record) {
  Members members(value, wrong);
  members.read("source", record.source);
  members.read_hex("source_id", 16, record.source_id);
  members.read("verdict", record.verdict);
  members.read("reason", record.reason);
  members.read("links", record.links);
  if (!severity_of_verdict(record.verdict)) members.complain("sources: verdict");
  if (record.source_id.empty()) members.complain("sources: source_id");
  if (record.links == 0) return;
  members.read_hex("record", 16, record.record);
  members.read("first_link", record.first_link);
  members.read("last_link", record.last_link);
  members.read_hex("head", 32, record.head);
  if (record.head.empty()) members.complain("sources: head");
  members.read_time("window_start", record.window_start_ns);
  members.read_time("window_end", record.window_end_ns);
  members.read("proven_by_link", record.proven_by_link);
  members.read("history_computed", record.history_computed);
  members.read("more_signers", record.more_signers);
  members.read("more_cosignatures", record.more_cosignatures);
  read_signers(members, record);
  if (const JsonValue anchors = members.get("anchors"); anchors.exists()) {
    Members of(anchors, wrong);
    of.read("receipts", record.receipts);
    of.read("covered_to", record.covered_to);
    record.best_anchor = read_block(of, "best");
  }
  record.beacon = read_block(members, "beacon");
  members.read("time_bounds_widened", record.time_bounds_widened);
  record.more_time_bounds = members.each("time_bounds", max_bounds, [&](JsonValue one) {
    Members of(one, wrong);
    VerdictBounds& bounds = record.time_bounds.emplace_back();
    of.read("first", bounds.first);
    of.read("last", bounds.last);
    bounds.not_before = read_block(of, "not_before");
    bounds.not_after = read_block(of, "not_after");
  });
  read_accounting(members, record.accounting);
}

std::optional<chain::Severity> severity_by_name(std::string_view name) {
  for (int i = 0; i <= static_cast<int>(chain::Severity::refuted); ++i) {
    const auto severity = static_cast<chain::Severity>(i);
    if (name == chain::severity_name(severity)) return severity;
  }
  return std::nullopt;
}

void read_finding(JsonValue value, std::string& wrong, VerdictFinding& finding) {
  Members members(value, wrong);
  members.read("kind", finding.kind);
  std::string severity;
  members.read("severity", severity);
  if (const auto known = severity_by_name(severity)) {
    finding.severity = *known;
  } else {
    members.complain("findings: severity");
  }
  members.read("source", finding.source);
  members.read_hex("source_id", 16, finding.source_id);
  members.read("sequence", finding.sequence);
  members.read("last_sequence", finding.last_sequence);
  members.read_time("window_start", finding.window_start_ns);
  members.read_time("window_end", finding.window_end_ns);
  finding.more_channels = members.each("channels", max_finding_channels, [&](JsonValue channel) {
    const auto name = channel.text();
    if (!name) members.complain("findings: channels");
    finding.channels.emplace_back(name.value_or(""));
  });
  members.read("input", finding.input);
  members.read("offset", finding.offset);
  members.read("size_bytes", finding.size_bytes);
  members.read("count", finding.count);
  members.read("message", finding.message);
}

Status check_identity(JsonValue root, VerdictFile& file) {
  const auto program = root.member("program").text();
  if (!root.is_object() || !program || !program->starts_with("verify ") ||
      !root.member("verdict").text()) {
    return fail(ExitCode::malformed, "JSON, but not a report of verify",
                "verify --json ... > verdict.json makes one");
  }
  const auto version = root.member("version").count();
  if (!version) return fail(ExitCode::malformed, "a report of verify without a version");
  if (*version != 1) {
    return fail(ExitCode::usage, "a report of verify of version " + decimal(*version) +
                                     ", of which this program knows nothing");
  }
  file.program = *program;
  return {};
}

/// A verdict that says more than its own findings allow was not written by verify.
Status check_consistency(const VerdictFile& file) {
  const auto severity = severity_of_verdict(file.verdict);
  if (!severity || chain::exit_code(*severity) != file.exit_code) {
    return fail(ExitCode::malformed,
                "the verdict " + escape(file.verdict) + " is not that of its exit code");
  }
  // Ranks of severities are those of verdicts.
  const auto worse = [&](chain::Severity other) { return other > *severity; };
  for (const VerdictFinding& finding : file.findings) {
    if (worse(finding.severity)) {
      return fail(ExitCode::malformed, "the verdict " + escape(file.verdict) +
                                           " is better than the finding " + escape(finding.kind));
    }
  }
  for (const VerdictRecord& record : file.records) {
    if (worse(*severity_of_verdict(record.verdict))) {
      return fail(ExitCode::malformed, "the verdict " + escape(file.verdict) +
                                           " is better than that of source " +
                                           escape(record.source));
    }
  }
  return {};
}

void read_lists(Members& members, VerdictFile& file) {
  file.more_inputs = members.each("inputs", max_inputs, [&](JsonValue value) {
    Members of(value, members.wrong());
    VerdictInput& input = file.inputs.emplace_back();
    of.read("name", input.name);
    of.read("size_bytes", input.size_bytes);
  });
  if (!members.get("sources").is_array()) members.complain("sources");
  file.more_records += members.each("sources", max_records, [&](JsonValue value) {
    read_record(value, members.wrong(), file.records.emplace_back());
  });
  if (!members.get("findings").is_array()) members.complain("findings");
  file.findings_left_out += members.each("findings", max_findings, [&](JsonValue value) {
    VerdictFinding& finding = file.findings.emplace_back();
    read_finding(value, members.wrong(), finding);
    ++file.severity_counts[static_cast<std::size_t>(finding.severity)];
  });
  members.get("finding_counts").each_member([&](std::string_view kind, JsonValue value) {
    const auto count = value.count();
    if (!count) members.complain("finding_counts");
    if (file.kind_counts.size() < max_kind_counts) {
      file.kind_counts.push_back({std::string(kind), count.value_or(0)});
    }
    return true;
  });
}

}  // namespace

std::optional<chain::FindingKind> finding_kind_by_name(std::string_view name) {
  for (std::size_t i = 0; i < chain::finding_kinds; ++i) {
    const auto kind = static_cast<chain::FindingKind>(i);
    if (name == chain::finding_kind_name(kind)) return kind;
  }
  return std::nullopt;
}

std::optional<chain::Severity> severity_of_verdict(std::string_view word) {
  for (int i = 0; i <= static_cast<int>(chain::Severity::refuted); ++i) {
    const auto severity = static_cast<chain::Severity>(i);
    if (word == chain::verdict_word(severity)) return severity;
  }
  return std::nullopt;
}

std::uint64_t VerdictFile::kinds(std::string_view kind) const {
  for (const KindCount& one : kind_counts) {
    if (one.kind == kind) return one.count;
  }
  return static_cast<std::uint64_t>(
      std::count_if(findings.begin(), findings.end(),
                    [&](const VerdictFinding& finding) { return finding.kind == kind; }));
}

Result<VerdictFile> parse_verdict_file(std::string_view json) {
  auto document = record::JsonDocument::parse(json, max_verdict_file_bytes);
  if (!document) return pass(document);
  VerdictFile file;
  TWINCHAIN_TRY(check_identity(document->root(), file));
  std::string wrong;
  Members members(document->root(), wrong);
  members.read("verdict", file.verdict);
  members.read("reason", file.reason);
  std::uint64_t exit_code = UINT64_MAX;
  members.read("exit_code", exit_code);
  if (exit_code > 7) members.complain("exit_code");
  file.exit_code = static_cast<ExitCode>(exit_code & 7);
  members.read("offline", file.offline);
  members.read("ledger_asked", file.ledger_asked);
  members.read("frames", file.frames);
  members.read("more_sources", file.more_records);
  members.read("findings_left_out", file.findings_left_out);
  read_lists(members, file);
  if (!wrong.empty()) {
    return fail(ExitCode::malformed, "a report of verify with an unexpected member: " + wrong);
  }
  TWINCHAIN_TRY(check_consistency(file));
  return file;
}

}  // namespace twinchain::report
