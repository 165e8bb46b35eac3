// The verdict, what is proven and what is not, time from both sides, who signed.

#include "twinchain/base/hex.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/ledger/network.hpp"
#include "twinchain/report/page_parts.hpp"

namespace twinchain::report {
namespace {

using chain::Severity;

constexpr std::size_t max_bounds_shown = 40;

void write_list(Html& html, const std::vector<Html>& items) {
  html.raw("<ul>\n");
  for (const Html& item : items) html.raw("<li>").append(item).raw("</li>\n");
  html.raw("</ul>\n");
}

void write_mismatch(Html& html, const PageContent& page) {
  html.raw(
      "<section class=\"verdict refuted\" id=\"verdict\" role=\"alert\" "
      "aria-labelledby=\"verdict-title\">\n"
      "<svg class=\"seal\" aria-hidden=\"true\"><use href=\"#shape-refuted\"/></svg>\n<div>\n"
      "<h2 id=\"verdict-title\">This verdict is not about this record</h2>\n"
      "<p class=\"sentence\">The two files that this page was made of do not belong together. "
      "Nothing on this page may be relied on.</p>\n<ul class=\"mismatch\">\n");
  for (const std::string& one : page.contradictions) {
    html.raw("<li>").text(one).raw("</li>\n");
  }
  html.raw("</ul>\n<p class=\"aside\">The verdict file says “").text(page.file.verdict);
  html.raw("”, of another record or of another state of this one.</p>\n</div>\n</section>\n");
}

void write_timestamp(Html& html, const VerdictBlock& stamp) {
  html.raw("<br><span class=\"small\">time-stamp by ").name(stamp.authority);
  if (stamp.confirmed == false) html.raw("; whether that is to be believed was not checked");
  html.raw("</span></span>");
}

/// "anchored in block 12 of bitcoin (…)": the time from both sides of one block.
void write_block(Html& html, const std::optional<VerdictBlock>& block,
                 const VerdictRecord& record) {
  if (!block) {
    html.raw("<span class=\"none\">nothing shows it</span>");
    return;
  }
  html.raw("<span>");
  if (block->time_ns) {
    html.time(*block->time_ns);
  } else {
    html.raw("<span class=\"none\">time not confirmed</span>");
  }
  if (!block->authority.empty()) return write_timestamp(html, *block);
  html.raw("<br><span class=\"small\">block ").count(block->height);
  std::string network = block->network;
  if (network.empty() && record.best_anchor) network = record.best_anchor->network;
  if (!network.empty()) html.raw(" of ").name(network);
  if (block->depth) html.raw(", ").counted(*block->depth, "block").raw(" deep");
  if (block->confirmed == false) html.raw("; not confirmed by a ledger");
  const auto known = ledger::network_by_name(network);
  if (known && known->trivial) html.raw("; a ledger for trying out");
  html.raw("</span></span>");
}

/// The runs of verify, or, from a report without them, what the first beacon and the best anchor
/// say.
std::vector<VerdictBounds> bounds_of(const VerdictRecord& record) {
  if (!record.time_bounds.empty()) return record.time_bounds;
  VerdictBounds bounds;
  bounds.first = record.first_link;
  bounds.last = record.covered_to.value_or(record.last_link);
  bounds.not_before = record.beacon;
  if (record.covered_to && record.best_anchor && record.best_anchor->placed()) {
    bounds.not_after = record.best_anchor;
  }
  std::vector<VerdictBounds> out{bounds};
  if (record.covered_to && *record.covered_to < record.last_link) {
    bounds.first = *record.covered_to + 1;
    bounds.last = record.last_link;
    bounds.not_after.reset();
    out.push_back(bounds);
  }
  return out;
}

void write_bounds_rows(Html& html, const PageContent& page, const VerdictRecord& record) {
  const auto bounds = bounds_of(record);
  for (std::size_t i = 0; i < bounds.size() && i < max_bounds_shown; ++i) {
    const VerdictBounds& one = bounds[i];
    html.raw("<tr>");
    if (page.file.records.size() > 1) {
      html.raw("<td data-label=\"Record\">").name(source_title(record)).raw("</td>");
    }
    html.raw("<th scope=\"row\" data-label=\"Links\"><span>").count(one.first);
    if (one.last != one.first) html.raw(" to ").count(one.last);
    html.raw("</span></th><td data-label=\"Not before\">");
    write_block(html, one.not_before, record);
    html.raw("</td><td data-label=\"Not after\">");
    write_block(html, one.not_after, record);
    html.raw("</td></tr>\n");
  }
  const std::uint64_t more =
      record.more_time_bounds +
      (bounds.size() > max_bounds_shown ? bounds.size() - max_bounds_shown : 0);
  if (more > 0) {
    html.raw("<tr><td colspan=\"4\">").counted(more, "further run").raw(" left out</td></tr>\n");
  }
}

/// A cut, or some channels: what verify --partial was asked for.
bool shows_a_part(const VerdictFile& file) {
  for (const VerdictRecord& record : file.records) {
    if (record.first_link > 0 || record.accounting.columns_withheld > 0) return true;
  }
  return false;
}

/// Who reads nothing but the verdict must not believe the times.
void write_time_caveat(Html& html, const VerdictFile& file) {
  bool trivial = false;
  bool open = false;
  for (const VerdictRecord& record : file.records) {
    const bool confirmed = record.covered_to && record.best_anchor && record.best_anchor->placed();
    trivial = trivial || (record.best_anchor && record.best_anchor->trivial);
    open = open || (record.links > 0 && !confirmed);
  }
  if (trivial) {
    html.raw(
        " Its anchors are in a ledger for trying out, which proves nothing to others about "
        "time.");
  } else if (open) {
    html.raw(" When it was made is not proven: no ledger confirms it.");
  }
}

}  // namespace

void write_verdict(Html& html, const PageContent& page) {
  if (!page.contradictions.empty()) {
    write_mismatch(html, page);
    return;
  }
  const Severity severity = severity_of_verdict(page.file.verdict).value_or(Severity::refuted);
  html.raw("<section class=\"verdict ").text(severity_class(severity));
  html.raw("\" id=\"verdict\" aria-labelledby=\"verdict-title\">\n");
  html.raw("<svg class=\"seal\" aria-hidden=\"true\"><use href=\"#shape-");
  html.text(severity == Severity::note ? "verified" : severity_class(severity));
  html.raw("\"/></svg>\n<div>\n<h2 id=\"verdict-title\">").text(verdict_title(severity));
  html.raw("</h2>\n<p class=\"sentence\">");
  if (severity == Severity::note && shows_a_part(page.file)) {
    html.raw(
        "What is shown of this record is unchanged since it was sealed; everything the examiner "
        "asked for is proven");
  } else {
    html.text(verdict_sentence(severity));
  }
  if (severity != Severity::note && !page.file.reason.empty()) {
    html.raw(": ").text(reason_clause(page.file.reason));
  }
  html.raw(".");
  write_time_caveat(html, page.file);
  html.raw("</p>\n<p class=\"aside\">In the words of <code>verify</code>: “");
  html.text(page.file.verdict);
  if (!page.file.reason.empty()) html.raw(", ").text(page.file.reason);
  html.raw("”, exit status ").count(static_cast<std::uint64_t>(page.file.exit_code));
  html.raw(". This page shows that verdict; it is not the proof itself, see ");
  html.raw("<a href=\"#about\">how to check it</a>.</p>\n</div>\n</section>\n");
}

void write_statements(Html& html, const PageContent& page) {
  html.raw(
      "<section class=\"columns\" id=\"proof\">\n<div>\n<h2>What is proven, and by what</h2>\n");
  const auto proven = proven_statements(page.file);
  if (!page.contradictions.empty()) {
    html.raw("<p>Nothing, by these two files.</p>\n");
  } else if (proven.empty()) {
    html.raw("<p>Nothing.</p>\n");
  } else {
    write_list(html, proven);
  }
  html.raw("</div>\n<div>\n<h2>What is not proven</h2>\n");
  const auto unproven = unproven_statements(page.file);
  if (unproven.empty()) {
    html.raw("<p>Nothing that was asked for is left open.</p>\n");
  } else {
    write_list(html, unproven);
  }
  html.raw("</div>\n<div>\n<h2>What no check can find</h2>\n");
  write_list(html, undetectable_statements());
  html.raw("</div>\n</section>\n");
}

void write_time_bounds(Html& html, const PageContent& page) {
  html.raw(
      "<section id=\"time\">\n<h2>Between which two moments</h2>\n"
      "<p class=\"lead\">A link that contains the hash of a block is not older than that "
      "block; a link whose hash is in a block is not younger than it.</p>\n");
  bool any = false;
  for (const VerdictRecord& record : page.file.records) any = any || record.links > 0;
  if (!any) {
    html.raw("<p>Nothing is sealed, so nothing fixes the data in time.</p>\n</section>\n");
    return;
  }
  html.raw("<div class=\"scroll\"><table class=\"cards\">\n<thead><tr>");
  if (page.file.records.size() > 1) html.raw("<th scope=\"col\">Record</th>");
  html.raw(
      "<th scope=\"col\">Links</th><th scope=\"col\">Not before</th>"
      "<th scope=\"col\">Not after</th></tr></thead>\n<tbody>\n");
  std::size_t shown = 0;
  for (const VerdictRecord& record : page.file.records) {
    if (record.links == 0 || ++shown > max_records_shown) continue;
    write_bounds_rows(html, page, record);
  }
  html.raw("</tbody>\n</table></div>\n");
  std::string told;
  for (const VerdictRecord& record : page.file.records) {
    if (!record.best_anchor || record.best_anchor->trust.empty()) continue;
    const VerdictBlock& block = *record.best_anchor;
    if (block.trust == told) continue;
    told = block.trust;
    html.raw("<p class=\"small\">Trust in the ");
    if (block.authority.empty()) {
      html.raw("ledger ").name(block.network);
    } else {
      html.raw("time-stamp authority ").name(block.authority);
    }
    html.raw(": ").text(block.trust).raw(".</p>\n");
  }
  html.raw("</section>\n");
}

void write_signers(Html& html, const PageContent& page) {
  html.raw(
      "<section id=\"signers\">\n<h2>Who signed</h2>\n<div class=\"scroll\">"
      "<table class=\"cards\">\n<thead><tr><th scope=\"col\">Name</th>"
      "<th scope=\"col\">Role</th><th scope=\"col\">Links</th>"
      "<th scope=\"col\">Public key (Ed25519)</th></tr></thead>\n<tbody>\n");
  const auto row = [&](const VerdictRecord& record, const std::string& name, bool trusted,
                       const Html& role, const std::optional<std::uint64_t>& first,
                       const std::optional<std::uint64_t>& last, const std::string& key) {
    html.raw("<tr><th scope=\"row\" data-label=\"Name\"><span>");
    if (name.empty()) {
      html.raw("<span class=\"none\">unknown</span>");
    } else {
      html.name(name);
    }
    html.text(trusted ? "" : " (not declared trustworthy)");
    html.raw("</span></th><td data-label=\"Role\"><span>").append(role).raw(" of ");
    html.name(source_title(record)).raw("</span></td><td data-label=\"Links\"><span>");
    if (first) html.count(*first);
    if (last && last != first) html.raw(" to ").count(*last);
    html.raw("</span></td><td data-label=\"Key\">").hash(key).raw("</td></tr>\n");
  };
  std::uint64_t more = 0;
  bool any = false;
  for (const VerdictRecord& record : page.file.records) {
    more += record.more_signers + record.more_cosignatures;
    for (const VerdictSigner& signer : record.signers) {
      any = true;
      row(record, signer.name, signer.trusted, Html().raw("recorder, key ").count(signer.epoch),
          signer.first_link, signer.last_link, signer.key);
    }
    for (const VerdictCosigner& signer : record.cosigners) {
      any = true;
      Html role;
      role.raw("counter-signer, ").counted(signer.count, "signature");
      row(record, signer.name, !signer.name.empty(), role,
          signer.covered_to ? std::optional(record.first_link) : std::nullopt, signer.covered_to,
          signer.key);
    }
  }
  if (!any) html.raw("<tr><td colspan=\"4\">Nobody.</td></tr>\n");
  html.raw("</tbody>\n</table></div>\n");
  if (more > 0)
    html.raw("<p class=\"small\">").counted(more, "further signature").raw(" left out.</p>\n");
  html.raw("</section>\n");
}

}  // namespace twinchain::report
