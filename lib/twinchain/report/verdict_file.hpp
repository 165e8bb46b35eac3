// What verify said: its JSON report, read back from untrusted bytes. Floor 5. The format is
// described in verify(1).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "twinchain/base/result.hpp"
#include "twinchain/chain/findings.hpp"

namespace twinchain::report {

/// All texts are untrusted and not escaped; times are nanoseconds since 1970 UTC.
struct VerdictBlock {
  std::string network;  ///< empty: not said
  bool trivial = false;
  std::string block;  ///< hash as displayed
  std::uint64_t height = 0;
  std::optional<std::int64_t> time_ns;
  std::optional<std::uint64_t> depth;
  std::optional<bool> confirmed;  ///< by a ledger or headers; where that is said
  std::string trust;
  /// Who signed, when it is a time-stamp instead of a block: then there is no block and no height.
  std::string authority;
  std::string token;  ///< its SHA-256

  /// As a record's best anchor: where it stands is known.
  [[nodiscard]] bool placed() const { return depth || !authority.empty(); }
};

struct VerdictSigner {
  std::uint64_t epoch = 0;
  std::string key;  ///< hexadecimal
  std::string name;
  bool trusted = false;
  std::uint64_t first_link = 0;
  std::uint64_t last_link = 0;
};

/// A further party that signed links.
struct VerdictCosigner {
  std::string name;  ///< of the trusted key; empty when nobody said that it is trusted
  std::string key;   ///< hexadecimal
  /// The newest link signed; it covers all before it.
  std::optional<std::uint64_t> covered_to;
  std::uint64_t count = 0;  ///< its signatures
};

/// Between which two blocks a run of frames was made.
struct VerdictBounds {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  std::optional<VerdictBlock> not_before;
  std::optional<VerdictBlock> not_after;
};

struct VerdictAccounting {
  std::uint64_t windows = 0;
  std::uint64_t silent_windows = 0;
  std::uint64_t short_windows = 0;
  std::uint64_t lost_windows = 0;
  std::uint64_t dropped_windows = 0;
  std::uint64_t rows = 0;
  double expected_rows = 0;
  std::uint64_t rows_of_rated_windows = 0;
  std::uint64_t samples = 0;
  std::uint64_t rejected_rows = 0;
  std::uint64_t late_rows = 0;
  std::uint64_t duplicate_rows = 0;
  std::uint64_t out_of_order_rows = 0;
  std::uint64_t gaps = 0;
  std::int64_t gap_total_ns = 0;
  std::int64_t largest_gap_ns = 0;
  std::uint64_t columns_shown = 0;
  std::uint64_t columns_withheld = 0;
};

struct VerdictRecord {
  std::string source;     ///< name; empty when there was no schema
  std::string source_id;  ///< 32 hexadecimal digits
  std::string verdict;
  std::string reason;
  std::uint64_t links = 0;  ///< 0: what follows says nothing
  std::string record;
  std::uint64_t first_link = 0;
  std::uint64_t last_link = 0;
  std::string head;  ///< 64 hexadecimal digits
  std::int64_t window_start_ns = 0;
  std::int64_t window_end_ns = 0;
  /// Of an evidence bundle: the later link whose hash `head` is, and whose history has the windows.
  std::optional<std::uint64_t> proven_by_link;
  bool history_computed = false;
  std::vector<VerdictSigner> signers;
  std::uint64_t more_signers = 0;
  std::vector<VerdictCosigner> cosigners;
  std::uint64_t more_cosignatures = 0;
  std::uint64_t receipts = 0;
  std::optional<std::uint64_t> covered_to;
  std::optional<VerdictBlock> best_anchor;
  std::optional<VerdictBlock> beacon;
  std::vector<VerdictBounds> time_bounds;
  std::uint64_t more_time_bounds = 0;
  bool time_bounds_widened = false;
  VerdictAccounting accounting;
};

struct VerdictFinding {
  std::string kind;
  chain::Severity severity = chain::Severity::note;
  std::string source;
  std::string source_id;
  std::optional<std::uint64_t> sequence;
  std::optional<std::uint64_t> last_sequence;
  std::optional<std::int64_t> window_start_ns;
  std::optional<std::int64_t> window_end_ns;
  std::vector<std::string> channels;  ///< at most 12
  std::uint64_t more_channels = 0;
  std::string input;
  std::optional<std::uint64_t> offset;
  std::uint64_t size_bytes = 0;
  std::uint64_t count = 1;
  std::string message;
};

struct VerdictInput {
  std::string name;
  std::uint64_t size_bytes = 0;
};

struct VerdictFile {
  std::string program;
  std::string verdict;
  std::string reason;
  ExitCode exit_code = ExitCode::success;
  bool offline = false;
  bool ledger_asked = false;
  std::vector<VerdictInput> inputs;
  std::uint64_t more_inputs = 0;
  std::uint64_t frames = 0;
  std::vector<VerdictRecord> records;
  std::uint64_t more_records = 0;
  std::vector<VerdictFinding> findings;
  std::uint64_t findings_left_out = 0;  ///< by verify, or because of limits here
  /// Of each severity, like findings counted once each.
  std::array<std::uint64_t, 6> severity_counts{};
  struct KindCount {
    std::string kind;
    std::uint64_t count = 0;
  };
  std::vector<KindCount> kind_counts;

  [[nodiscard]] std::uint64_t kinds(std::string_view kind) const;
};

/// A report with the 20,000 findings that verify lists at the most, with some channels each.
inline constexpr std::size_t max_verdict_file_bytes = std::size_t{24} << 20;

/// ExitCode::malformed when it is no JSON, no report of verify, or contradicts itself (a verdict
/// that is not that of its exit code, or better than its findings allow); ExitCode::usage for a
/// version that this program does not know. Members that say nothing may be null or missing,
/// others are passed over; one of a wrong type is malformed. Lists are cut at limits and the rest
/// counted.
Result<VerdictFile> parse_verdict_file(std::string_view json);

/// Of a kind's name; nothing for one that is newer than this program.
std::optional<chain::FindingKind> finding_kind_by_name(std::string_view name);
/// Of the word of a verdict; nothing for another word.
std::optional<chain::Severity> severity_of_verdict(std::string_view word);

}  // namespace twinchain::report
