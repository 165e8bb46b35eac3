#include "twinchain/report/page.hpp"

#include <set>

#include "twinchain/base/hex.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/report/page_parts.hpp"

namespace twinchain::report {
namespace {

std::uint64_t total_size(const std::vector<ScannedInput>& inputs) {
  std::uint64_t sum = 0;
  for (const ScannedInput& input : inputs) sum += input.size_bytes;
  return sum;
}

void compare_inputs(const VerdictFile& file, const Scan& scan, std::vector<std::string>& out) {
  std::uint64_t told = 0;
  for (const VerdictInput& input : file.inputs) told += input.size_bytes;
  const std::uint64_t read = total_size(scan.inputs);
  if (file.more_inputs == 0 && told != read) {
    out.push_back("the verdict is on " + decimal(told) + " bytes, the record has " + decimal(read));
  }
  if (file.frames != scan.frames) {
    out.push_back("the verdict is on " + decimal(file.frames) + " frames, the record has " +
                  decimal(scan.frames));
  }
}

void compare_heads(const VerdictFile& file, const Scan& scan, std::vector<std::string>& out) {
  std::set<std::string> told;
  for (const VerdictRecord& record : file.records) {
    told.insert(record.source_id);
    const std::string title = "source " + escape(source_title(record));
    const ScannedSource* source = scanned_source(scan, record);
    if (source == nullptr) {
      if (scan.more_source_frames == 0) {
        out.push_back(title + " of the verdict is not in the record");
      }
      continue;
    }
    if (record.links == 0) continue;
    bool found = false;
    for (const ScannedChain& chain : source->chains) {
      found = found ||
              (to_hex(chain.record) == record.record && to_hex(chain.last.hash) == record.head &&
               chain.last.number == record.proven_by_link.value_or(record.last_link));
    }
    if (!found) out.push_back(title + ": the record does not end with the head of the verdict");
  }
  if (file.more_records > 0) return;
  for (const auto& [id, source] : scan.sources) {
    if (told.contains(to_hex(id))) continue;
    const std::string name =
        source.schema.source_name.empty() ? to_hex(id) : source.schema.source_name;
    out.push_back("source " + escape(name) + " of the record is not in the verdict");
  }
}

void compare_content(const VerdictFile& file, const Scan& scan, std::vector<std::string>& out) {
  // A verdict that knows of damage may be on just this damage.
  using chain::Severity;
  const auto count = [&](Severity severity) {
    return file.severity_counts[static_cast<std::size_t>(severity)];
  };
  if (count(Severity::refuted) + count(Severity::malformed) > 0) return;
  for (const auto& [id, source] : scan.sources) {
    if (source.windows_unlike + source.broken_links == 0) continue;
    out.push_back("source " + escape(source.schema.source_name) + ": " +
                  decimal(source.windows_unlike) + " windows are not what was sealed and " +
                  decimal(source.broken_links) +
                  " links are out of the chain, which the verdict does not say");
  }
  if (scan.unreadable_frames > 0) {
    out.push_back(decimal(scan.unreadable_frames) +
                  " frames of the record make no sense, which the verdict does not say");
  }
  // A store that is being written to ends inside a frame, which is no damage.
  if (scan.damaged_places > file.kinds("torn-tail") + file.kinds("truncated")) {
    out.push_back("the record is damaged in " + decimal(scan.damaged_places) +
                  " places, which the verdict does not say");
  }
}

std::string page_title(const PageContent& page) {
  if (!page.options.title.empty()) return page.options.title;
  if (page.file.records.empty()) return "Report on a record";
  std::string title = "Report on the record of " + source_title(page.file.records.front());
  if (page.file.records.size() > 1) {
    title += " and " + decimal(std::uint64_t{page.file.records.size() - 1}) + " more";
  }
  return title;
}

void write_head(Html& html, const PageContent& page) {
  html.raw(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      // No script, nothing from elsewhere: also should anything ever slip through.
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
      "'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta name=\"color-scheme\" content=\"light dark\">\n"
      "<meta name=\"referrer\" content=\"no-referrer\">\n"
      "<meta name=\"generator\" content=\"report " TWINCHAIN_VERSION "\">\n<title>");
  html.text(page_title(page)).raw("</title>\n");
  write_style(html);
  html.raw("</head>\n");
}

void write_masthead(Html& html, const PageContent& page) {
  html.raw("<header class=\"masthead\">\n<p class=\"eyebrow\">Evidence report</p>\n<h1>");
  html.text(page_title(page)).raw("</h1>\n");
  std::optional<std::int64_t> start_ns;
  std::optional<std::int64_t> end_ns;
  for (const VerdictRecord& record : page.file.records) {
    if (record.links == 0) continue;
    start_ns = std::min(record.window_start_ns, start_ns.value_or(record.window_start_ns));
    end_ns = std::max(record.window_end_ns, end_ns.value_or(record.window_end_ns));
  }
  if (start_ns) {
    html.raw("<p class=\"subject\">Sealed windows from ").time(*start_ns).raw(" to ");
    html.time(*end_ns).raw("</p>\n");
  }
  html.raw("<p class=\"made\">Page made ").time(page.options.made_ns);
  html.raw(". All times are in UTC.</p>\n</header>\n");
}

}  // namespace

const ScannedSource* scanned_source(const Scan& scan, const VerdictRecord& record) {
  const auto bytes = from_hex(record.source_id);
  Id128 id{};
  if (!bytes || bytes->size() != id.size()) return nullptr;
  std::copy(bytes->begin(), bytes->end(), id.begin());
  const auto found = scan.sources.find(id);
  return found == scan.sources.end() ? nullptr : &found->second;
}

std::vector<std::string> contradictions(const VerdictFile& file, const Scan& scan) {
  std::vector<std::string> out;
  compare_inputs(file, scan, out);
  compare_heads(file, scan, out);
  compare_content(file, scan, out);
  constexpr std::size_t max_contradictions = 20;
  if (out.size() > max_contradictions) out.resize(max_contradictions);
  return out;
}

std::string render_page(const VerdictFile& file, const Scan& scan, const PageOptions& options) {
  const PageContent page{file, scan, options, contradictions(file, scan)};
  Html html;
  write_head(html, page);
  html.raw("<body>\n");
  write_symbols(html);
  html.raw("<main>\n");
  write_masthead(html, page);
  write_verdict(html, page);
  write_statements(html, page);
  write_time_bounds(html, page);
  write_timeline(html, page);
  write_signals(html, page);
  write_findings(html, page);
  write_signers(html, page);
  write_accounting(html, page);
  write_hashes(html, page);
  write_about(html, page);
  html.raw("</main>\n</body>\n</html>\n");
  return html.str();
}

}  // namespace twinchain::report
