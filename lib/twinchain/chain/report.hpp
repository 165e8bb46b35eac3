// An audit's report in words and as JSON. Floor 4. Both are described in verify(1).
#pragma once

#include <string>

#include "twinchain/chain/audit.hpp"

namespace twinchain::chain {

/// The verdict in one word, by exit code: "verified", "refuted", "damaged", "incomplete",
/// "not checked", "not proven".
const char* verdict_word(Severity severity);

/// The verdict first, then one line a source where there are several, then the findings, then the
/// accounting. Untrusted names are escaped. `hint` follows the verdict where a user can do
/// something about it.
std::string report_text(const AuditReport& report);

/// One JSON object, version 1, with a line feed at the end.
std::string report_json(const AuditReport& report);

/// One line a finding, as report_text() has it, without line feed.
std::string finding_text(const AuditReport& report, const Finding& finding);

}  // namespace twinchain::chain
