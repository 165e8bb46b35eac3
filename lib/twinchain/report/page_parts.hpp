// The sections of the page. Floor 5, internal.
#pragma once

#include "twinchain/report/html.hpp"
#include "twinchain/report/page.hpp"
#include "twinchain/report/wording.hpp"

namespace twinchain::report {

/// Records of a verdict that the page lists; how many are left out is said.
inline constexpr std::size_t max_records_shown = 40;

/// What all sections are made of.
struct PageContent {
  const VerdictFile& file;
  const Scan& scan;
  const PageOptions& options;
  std::vector<std::string> contradictions;
};

/// The style sheet, and the symbols that the drawings use.
void write_style(Html& html);
void write_symbols(Html& html);

void write_verdict(Html& html, const PageContent& page);
void write_statements(Html& html, const PageContent& page);
void write_time_bounds(Html& html, const PageContent& page);
void write_signers(Html& html, const PageContent& page);
void write_timeline(Html& html, const PageContent& page);
void write_signals(Html& html, const PageContent& page);
void write_findings(Html& html, const PageContent& page);
void write_accounting(Html& html, const PageContent& page);
void write_hashes(Html& html, const PageContent& page);
void write_about(Html& html, const PageContent& page);

/// "refuted", "malformed", ...: the class of a mark.
const char* severity_class(chain::Severity severity);
/// Inline SVG of the shape that stands for a severity.
void write_severity_shape(Html& html, chain::Severity severity);
/// The source of the scan that a record of the verdict is about; nullptr when it is not there.
const ScannedSource* scanned_source(const Scan& scan, const VerdictRecord& record);

}  // namespace twinchain::report
