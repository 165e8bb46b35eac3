// Sentences for people who know nothing of hashes. Floor 5.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "twinchain/report/html.hpp"
#include "twinchain/report/verdict_file.hpp"

namespace twinchain::report {

/// What the verdict means, in one sentence. Literals only.
const char* verdict_sentence(chain::Severity severity);
/// "Verified", "Refuted", ...
const char* verdict_title(chain::Severity severity);
/// The reason for the verdict as a clause after "because": untrusted and not escaped where the kind
/// is not known.
std::string reason_clause(std::string_view kind);
/// What a kind of finding means, as a sentence; nullptr for a kind that is newer than this program.
const char* finding_meaning(std::string_view kind);
/// "Damaged frames": a kind in words, or its name when it is newer than this program.
std::string finding_title(std::string_view kind);
const char* severity_title(chain::Severity severity);
/// How much it takes away: "contradicts what was sealed", ...
const char* severity_meaning(chain::Severity severity);

/// "engine-1", or the id where there is no name: untrusted and not escaped.
std::string source_title(const VerdictRecord& record);

/// Statements about all records, each an item of a list.
std::vector<Html> proven_statements(const VerdictFile& file);
std::vector<Html> unproven_statements(const VerdictFile& file);
std::vector<Html> undetectable_statements();

}  // namespace twinchain::report
