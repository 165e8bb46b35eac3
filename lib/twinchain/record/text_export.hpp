// Windows as CSV or NDJSON. Floor 3.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "twinchain/record/column_reader.hpp"

namespace twinchain::record {

enum class TextFormat { csv, ndjson };
enum class TimeFormat { rfc3339, nanoseconds };

struct ExportOptions {
  TextFormat format = TextFormat::csv;
  TimeFormat time = TimeFormat::rfc3339;
  std::string time_name = "time";
  /// Channels in the order of the output; empty: all of the schema.
  std::vector<std::string> channels;
  /// NDJSON: a member "source" first.
  bool name_source = false;
};

/// Appends rows to a text. f64 are written with the fewest digits that read back bit for bit
/// (nan, inf, -inf in CSV; null in NDJSON, which has no such numbers, except that their count is
/// given by lossy_values()). Strings that are not UTF-8 are written as they are in CSV and with
/// U+FFFD in NDJSON. CSV follows RFC 4180, NDJSON leaves out channels without a value.
class TextExport {
 public:
  explicit TextExport(ExportOptions options) : options_(std::move(options)) {}
  /// ExitCode::usage for a channel of the options that this schema, the last one, does not have.
  [[nodiscard]] Status check_channels(const Schema& schema) const;
  /// The CSV header line; nothing for NDJSON. A channel of the options that is not in this schema
  /// may still come: see missing_channel().
  void begin(const Schema& schema, std::string& out);
  Status append(const Window& window, const Schema& schema, std::string& out);
  [[nodiscard]] std::uint64_t lossy_values() const { return lossy_values_; }
  /// A channel of the options that no schema so far had.
  [[nodiscard]] std::optional<std::string> missing_channel() const;

 private:
  ExportOptions options_;
  std::set<std::string, std::less<>> known_;  ///< channels of the options that were met
  std::vector<std::string> columns_;
  std::uint64_t lossy_values_ = 0;
};

}  // namespace twinchain::record
