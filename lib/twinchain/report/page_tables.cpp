// The tables: findings, accounting, hashes, and how to check the page.

#include <algorithm>
#include <set>

#include "twinchain/base/hex.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/report/page_parts.hpp"

namespace twinchain::report {
namespace {

using chain::Severity;

constexpr std::size_t max_findings_shown = 400;
constexpr std::size_t max_inputs_shown = 100;

void write_finding(Html& html, const VerdictFinding& finding) {
  html.raw("<tr><th scope=\"row\" data-label=\"What\"><span><span class=\"badge ");
  html.text(severity_class(finding.severity)).raw("\">");
  write_severity_shape(html, finding.severity);
  html.text(severity_title(finding.severity)).raw("</span><br><bdi>").text(finding.kind);
  html.raw("</bdi></span></th><td data-label=\"Where\"><span>");
  if (!finding.source.empty()) html.name(finding.source).raw("<br>");
  if (finding.sequence) {
    html.text(finding.last_sequence && finding.last_sequence != finding.sequence ? "frames "
                                                                                 : "frame ");
    html.count(*finding.sequence);
    if (finding.last_sequence && finding.last_sequence != finding.sequence) {
      html.raw(" to ").count(*finding.last_sequence);
    }
  }
  html.raw("</span></td><td data-label=\"When\"><span>");
  if (finding.window_start_ns) html.time(*finding.window_start_ns);
  if (finding.window_end_ns && finding.window_end_ns != finding.window_start_ns) {
    html.raw(" to<br>").time(*finding.window_end_ns);
  }
  html.raw("</span></td><td data-label=\"Details\"><span>").text(finding.message);
  if (!finding.channels.empty()) {
    html.raw("<br>channels: ");
    for (std::size_t i = 0; i < finding.channels.size(); ++i) {
      if (i > 0) html.raw(", ");
      html.name(finding.channels[i]);
    }
    if (finding.more_channels > 0) html.raw(" and ").count(finding.more_channels).raw(" more");
  }
  if (finding.offset) {
    html.raw("<br><span class=\"small\">byte ").count(*finding.offset).raw(" of ");
    html.name(finding.input).raw("</span>");
  }
  if (finding.count > 1) html.raw("<br>").count(finding.count).raw(" alike");
  html.raw("</span></td></tr>\n");
}

void write_meanings(Html& html, const std::vector<const VerdictFinding*>& shown) {
  std::set<std::string_view> kinds;
  html.raw("<dl class=\"meanings\">\n");
  for (const VerdictFinding* finding : shown) {
    const char* meaning = finding_meaning(finding->kind);
    if (meaning == nullptr || !kinds.insert(finding->kind).second) continue;
    html.raw("<dt>").text(finding->kind).raw("</dt><dd>").text(meaning).raw("</dd>\n");
  }
  html.raw("</dl>\n");
}

void accounting_row(Html& html, const char* label, std::uint64_t value, bool always) {
  if (value == 0 && !always) return;
  html.raw("<tr><th scope=\"row\">").text(label).raw("</th><td class=\"number\">").count(value);
  html.raw("</td></tr>\n");
}

void write_accounting_of(Html& html, const VerdictRecord& record) {
  const VerdictAccounting& sums = record.accounting;
  html.raw("<h3>")
      .name(source_title(record))
      .raw(
          "</h3>\n<table class=\"counts\">\n<thead><tr><th scope=\"col\">"
          "Counted</th><th scope=\"col\" class=\"number\">"
          "Number</th></tr></thead>\n<tbody>\n");
  accounting_row(html, "Windows that are what was sealed", sums.windows, true);
  accounting_row(html, "– of these, silent (sealed, without a row)", sums.silent_windows, true);
  accounting_row(html, "Windows with fewer rows than the declared rate promises",
                 sums.short_windows, sums.expected_rows > 0);
  accounting_row(html, "Windows declared lost", sums.lost_windows, true);
  accounting_row(html, "Windows whose data was dropped by the keeper", sums.dropped_windows, false);
  accounting_row(html, "Rows", sums.rows, true);
  if (sums.expected_rows > 0) {
    html.raw(
        "<tr><th scope=\"row\">Rows that the declared rate promises</th><td "
        "class=\"number\">");
    html.count(static_cast<std::uint64_t>(std::clamp(sums.expected_rows + 0.5, 0.0, 1e18)));
    html.raw("</td></tr>\n");
    accounting_row(html, "– of these, there", sums.rows_of_rated_windows, true);
  }
  accounting_row(html, "Samples", sums.samples, true);
  accounting_row(html, "Rows that could not be read (kept as text)", sums.rejected_rows, true);
  accounting_row(html, "Rows that came late", sums.late_rows, true);
  accounting_row(html, "Rows that came twice", sums.duplicate_rows, true);
  accounting_row(html, "Rows out of order", sums.out_of_order_rows, true);
  accounting_row(html, "Gaps between windows", sums.gaps, true);
  if (sums.gaps > 0) {
    html.raw("<tr><th scope=\"row\">Gaps together; the longest</th><td class=\"number\">");
    html.text(spoken_duration(sums.gap_total_ns)).raw("; ");
    html.text(spoken_duration(sums.largest_gap_ns)).raw("</td></tr>\n");
  }
  accounting_row(html, "Columns shown", sums.columns_shown, sums.columns_withheld > 0);
  accounting_row(html, "Columns withheld", sums.columns_withheld, false);
  html.raw("</tbody>\n</table>\n");
}

void hash_row(Html& html, const char* what, std::uint64_t number, std::string_view hex) {
  html.raw("<tr><th scope=\"row\" data-label=\"What\">").text(what);
  html.raw("</th><td class=\"number\" data-label=\"Link\">").count(number);
  html.raw("</td><td data-label=\"Hash\">").hash(hex).raw("</td></tr>\n");
}

void write_anchor(Html& html, const ScannedAnchor& anchor) {
  html.raw("<tr><th scope=\"row\" data-label=\"Link\">").count(anchor.link);
  html.raw("</th><td data-label=\"Block\"><span>");
  const auto facts = ledger::check_receipt(anchor.receipt);
  if (facts && !facts->authority.empty()) {
    html.raw("time-stamp by ").name(facts->authority).raw("<br>");
    html.time(facts->time_s * 1'000'000'000);
  } else if (facts) {
    html.count(facts->height).raw(" of ").text(facts->network.name).raw("<br>");
    html.time(facts->time_s * 1'000'000'000);
  } else {
    html.raw("<span class=\"badge refuted\">");
    write_severity_shape(html, Severity::refuted);
    html.raw("false</span> ").text(facts.error().message);
  }
  html.raw(
      "</span></td><td data-label=\"Hashes\"><span class=\"hashes\"><span class=\"small\">link "
      "</span>");
  html.hash(to_hex(anchor.receipt.link_hash));
  if (facts && !facts->authority.empty()) {
    html.raw("<br><span class=\"small\">token </span>").hash(to_hex(facts->block_hash));
  } else if (facts) {
    html.raw("<br><span class=\"small\">transaction </span>").hash(to_hex_reversed(facts->txid));
    html.raw("<br><span class=\"small\">block </span>").hash(to_hex_reversed(facts->block_hash));
  }
  html.raw("</span></td></tr>\n");
}

void write_anchors(Html& html, const ScannedSource& source) {
  if (source.anchor_count == 0) return;
  html.raw(
      "<div class=\"scroll\"><table class=\"cards\">\n<caption class=\"small\" "
      "style=\"text-align:left;padding:1rem 0 .2rem\">Anchors: receipts in the record, as they "
      "are. Whether their blocks are on the ledger is the verdict’s business.</caption>\n"
      "<thead><tr><th scope=\"col\">Link</th><th scope=\"col\">Block</th><th scope=\"col\">"
      "Hashes</th></tr></thead>\n<tbody>\n");
  for (const ScannedAnchor& anchor : source.first_anchors) write_anchor(html, anchor);
  const std::uint64_t shown = source.first_anchors.size() + source.last_anchors.size();
  if (source.anchor_count > shown) {
    html.raw("<tr><td colspan=\"3\">").counted(source.anchor_count - shown, "anchor");
    html.raw(" between them left out</td></tr>\n");
  }
  for (const ScannedAnchor& anchor : source.last_anchors) write_anchor(html, anchor);
  html.raw("</tbody>\n</table></div>\n");
}

void write_hashes_of(Html& html, const PageContent& page, const VerdictRecord& record) {
  html.raw("<h3>").name(source_title(record)).raw("</h3>\n<p class=\"small\">Source ");
  html.hash(record.source_id);
  if (!record.record.empty()) html.raw(", record ").hash(record.record);
  html.raw("</p>\n");
  if (record.links == 0) {
    html.raw("<p>Nothing is sealed.</p>\n");
    return;
  }
  html.raw(
      "<div class=\"scroll\"><table class=\"cards\">\n<thead><tr><th scope=\"col\">What</th>"
      "<th scope=\"col\" class=\"number\">Link</th><th scope=\"col\">SHA-256</th></tr></thead>\n"
      "<tbody>\n");
  hash_row(html, record.proven_by_link ? "Head: the link that proves all" : "Head: the newest link",
           record.proven_by_link.value_or(record.last_link), record.head);
  const ScannedSource* source = scanned_source(page.scan, record);
  if (source != nullptr) {
    for (const ScannedChain& chain : source->chains) {
      if (to_hex(chain.record) != record.record) continue;
      hash_row(html, "First link in the file", chain.first.number, to_hex(chain.first.hash));
      hash_row(html, "Last link in the file", chain.last.number, to_hex(chain.last.hash));
    }
  }
  html.raw("</tbody>\n</table></div>\n");
  if (source != nullptr) write_anchors(html, *source);
}

void input_row(Html& html, const char* role, std::string_view name, std::uint64_t size_bytes,
               const Hash256& sha256) {
  html.raw("<tr><th scope=\"row\" data-label=\"Input\">").text(role);
  html.raw("</th><td data-label=\"Name\">")
      .name(name)
      .raw(
          "</td><td class=\"number\" "
          "data-label=\"Bytes\">");
  html.count(size_bytes).raw("</td><td data-label=\"SHA-256\">").hash(to_hex(sha256));
  html.raw("</td></tr>\n");
}

void write_comparison(Html& html, const PageContent& page) {
  if (!page.contradictions.empty()) {
    html.raw("<p><strong>The two do not belong together</strong>, see above.</p>\n");
    return;
  }
  std::uint64_t alike = 0;
  for (const auto& [id, source] : page.scan.sources) alike += source.windows_alike;
  html.raw(
      "<p>When this page was made the two were compared: same sizes, same number of frames, same "
      "sources, same heads. ");
  if (alike > 0) {
    html.raw("The hashes of ")
        .counted(alike, "window")
        .raw(
            " were computed anew and are those that "
            "their links seal. ");
  }
  html.raw(
      "That shows that the page draws the record that the verdict is about; the verdict itself "
      "was taken over unchecked.</p>\n");
}

}  // namespace

void write_findings(Html& html, const PageContent& page) {
  html.raw("<section id=\"findings\">\n<h2>Findings</h2>\n");
  std::vector<const VerdictFinding*> shown;
  shown.reserve(page.file.findings.size());
  for (const VerdictFinding& finding : page.file.findings) shown.push_back(&finding);
  // The worst first; else in the order of the record.
  std::stable_sort(shown.begin(), shown.end(),
                   [](const auto* a, const auto* b) { return a->severity > b->severity; });
  const std::size_t listed = shown.size();
  if (shown.size() > max_findings_shown) shown.resize(max_findings_shown);
  const std::uint64_t left_out = page.file.findings_left_out + (listed - shown.size());
  if (shown.empty()) {
    html.raw("<p>None.</p>\n</section>\n");
    return;
  }
  html.raw("<ul class=\"key\">\n");
  for (int i = 5; i >= 0; --i) {
    const auto severity = static_cast<Severity>(i);
    const std::uint64_t count = page.file.severity_counts[static_cast<std::size_t>(i)];
    if (count == 0) continue;
    html.raw("<li><span class=\"badge ").text(severity_class(severity)).raw("\">");
    write_severity_shape(html, severity);
    html.count(count).raw(" ").text(severity_title(severity)).raw("</span> ");
    html.text(severity_meaning(severity)).raw("</li>\n");
  }
  html.raw(
      "</ul>\n<div class=\"scroll\"><table class=\"cards\" style=\"margin-top:1rem\">\n<thead>"
      "<tr><th scope=\"col\">What</th><th scope=\"col\">Where</th><th scope=\"col\">When</th>"
      "<th scope=\"col\">Details</th></tr></thead>\n<tbody>\n");
  for (const VerdictFinding* finding : shown) write_finding(html, *finding);
  html.raw("</tbody>\n</table></div>\n");
  if (left_out > 0) {
    html.raw("<p class=\"small\" id=\"left-out\">").counted(left_out, "further finding");
    html.raw(" left out of this table; the worst are shown first.</p>\n");
  }
  write_meanings(html, shown);
  html.raw("</section>\n");
}

void write_accounting(Html& html, const PageContent& page) {
  html.raw("<section id=\"accounting\">\n<h2>What was counted</h2>\n");
  std::size_t shown = 0;
  for (const VerdictRecord& record : page.file.records) {
    if (record.links > 0 && ++shown <= max_records_shown) write_accounting_of(html, record);
  }
  if (shown == 0) html.raw("<p>Only what is sealed is counted, and nothing is.</p>\n");
  if (shown > max_records_shown) {
    html.raw("<p class=\"small\">").counted(shown - max_records_shown, "further record");
    html.raw(" left out.</p>\n");
  }
  html.raw("</section>\n");
}

void write_hashes(Html& html, const PageContent& page) {
  html.raw("<section id=\"hashes\">\n<h2>Hashes</h2>\n");
  std::size_t shown = 0;
  for (const VerdictRecord& record : page.file.records) {
    if (shown++ < max_records_shown) write_hashes_of(html, page, record);
  }
  const std::uint64_t more =
      page.file.more_records + (shown > max_records_shown ? shown - max_records_shown : 0);
  if (more > 0) {
    html.raw("<p class=\"small\">").counted(more, "further record").raw(" left out.</p>\n");
  }
  html.raw("</section>\n");
}

void write_about(Html& html, const PageContent& page) {
  html.raw(
      "<section id=\"about\">\n<h2>About this page, and how to check it</h2>\n"
      "<p>This page is a rendering. It is not itself a proof: anybody can write such a page. The "
      "proof "
      "is the record, checked with <code>verify</code>. To check the page, compare the SHA-256 of "
      "both files with the table (<code>sha256sum</code>), and let <code>verify</code> check the "
      "record again, with keys and a ledger that you trust.</p>\n"
      "<div class=\"scroll\"><table class=\"cards\">\n<thead><tr><th scope=\"col\">Input</th>"
      "<th scope=\"col\">Name</th><th scope=\"col\" class=\"number\">Bytes</th>"
      "<th scope=\"col\">SHA-256</th></tr></thead>\n<tbody>\n");
  input_row(html, "Verdict", page.options.verdict_name, page.options.verdict_size_bytes,
            page.options.verdict_sha256);
  std::size_t shown = 0;
  for (const ScannedInput& input : page.scan.inputs) {
    if (shown++ < max_inputs_shown) {
      input_row(html, "Record", input.name, input.size_bytes, input.sha256);
    }
  }
  html.raw("</tbody>\n</table></div>\n");
  if (shown > max_inputs_shown) {
    html.raw("<p class=\"small\">").counted(shown - max_inputs_shown, "further file");
    html.raw(" of the record left out.</p>\n");
  }
  write_comparison(html, page);
  html.raw("<p class=\"small\">Verdict by ").text(page.file.program);
  if (page.file.offline) html.raw(", told to ask no ledger");
  html.raw(
      ". Page by report " TWINCHAIN_VERSION
      ". It runs no script and loads nothing. Names, units and messages were "
      "written by others and are shown as they are; characters that cannot be seen or that turn "
      "the direction of writing are written as [U+202E].</p>\n</section>\n");
}

}  // namespace twinchain::report
