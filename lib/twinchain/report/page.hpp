// The whole report as one HTML page. Floor 5. Described in report(1).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "twinchain/report/scan.hpp"
#include "twinchain/report/verdict_file.hpp"

namespace twinchain::report {

struct PageOptions {
  std::string title;         ///< empty: one is made of the sources' names
  std::string verdict_name;  ///< of the file with the verdict
  std::uint64_t verdict_size_bytes = 0;
  Hash256 verdict_sha256{};
  std::optional<std::int64_t> incident_ns;
  /// The range of the plots around an incident.
  std::int64_t from_ns = 0;
  std::int64_t to_ns = 0;
  std::int64_t made_ns = 0;  ///< when the page is made
};

/// Why this verdict cannot be about this record: one line each, untrusted bytes escaped, empty when
/// they belong together. They do when sizes, number of frames, sources and heads are the same, the
/// links in the stream lead to these heads, the data drawn are what those links seal, and damage
/// that was met is in the verdict, too.
std::vector<std::string> contradictions(const VerdictFile& file, const Scan& scan);

/// Needs nothing from elsewhere and runs no script. Bounded in size: a few hundred KiB for a plot
/// at the most.
std::string render_page(const VerdictFile& file, const Scan& scan, const PageOptions& options);

}  // namespace twinchain::report
