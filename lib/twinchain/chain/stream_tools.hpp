// What the frames tool does to any stream: list, sum up, convert, cut, recover. Floor 4.
//
// All functions read to the end of the input, go on after damage, and give the outcome that
// becomes the exit code: success, malformed (damage or truncation was met; each was told to
// `complain`), or loss for recover.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "twinchain/base/result.hpp"
#include "twinchain/record/selection.hpp"
#include "twinchain/record/sqlite_export.hpp"
#include "twinchain/record/text_export.hpp"
#include "twinchain/stream/reader.hpp"
#include "twinchain/stream/writer.hpp"

namespace twinchain::chain {

/// Takes one line about damage: "frame 12 at byte 4096: body crc mismatch, 8192 bytes left out".
using Complain = std::function<void(const std::string&)>;
/// Takes text for standard output.
using TextSink = std::function<Status(std::string_view)>;

/// The line for a damage or truncated event.
std::string describe_damage(const StreamEvent& event);

/// One line a frame: offset, size, type, source, sequence, window, rows.
Result<ExitCode> list_frames(StreamReader& in, bool json, const TextSink& out,
                             const Complain& complain);
/// One paragraph a source: channels, sequences, times, rows, counters, frames by type.
Result<ExitCode> summarize_stream(StreamReader& in, bool json, const TextSink& out,
                                  const Complain& complain);

struct CatOptions {
  record::Selection selection;
  record::ExportOptions text;
};
/// The samples as text. `final_schema` (from find_final_schema) lets CSV have all columns at once;
/// without it a channel that appears later ends in ExitCode::usage.
Result<ExitCode> cat_samples(StreamReader& in, const CatOptions& options,
                             const record::Schema* final_schema, const TextSink& out,
                             const Complain& complain);
/// The last schema of the selected source in the stream; an empty one when there is none.
Result<record::Schema> find_final_schema(StreamReader& in, const record::Selection& selection);
/// The samples, windows and rejects as an SQLite database; the caller commits it.
Result<ExitCode> export_samples(StreamReader& in, const record::Selection& selection,
                                record::SqliteExport& out, const Complain& complain);
/// The raw text of rejected rows, one NDJSON object each.
Result<ExitCode> cat_rejects(StreamReader& in, const record::Selection& selection,
                             const TextSink& out, const Complain& complain);

/// The selected frames as a stream: SCHEMA as needed, REJECT, DATA, LINK, ANCHOR, END. With
/// channels, DATA becomes SLICE (chain/slice.hpp) and REJECT is left out. No END when the input was
/// damaged.
Result<ExitCode> cut_stream(StreamReader& in, const record::Selection& selection,
                            const std::vector<std::string>& channels, StreamWriter& out,
                            const Complain& complain);
/// Every sound frame as a stream that ends with END; ExitCode::loss when anything was left out.
Result<ExitCode> recover_stream(StreamReader& in, StreamWriter& out, const Complain& complain);

}  // namespace twinchain::chain
