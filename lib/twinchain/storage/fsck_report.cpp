#include "twinchain/storage/fsck_report.hpp"

#include "twinchain/base/hex.hpp"
#include "twinchain/base/text.hpp"

namespace twinchain::storage {

std::string finding_as_text(const Finding& finding) {
  return std::string(finding_name(finding.kind)) + ": " + finding.message + "\n";
}

std::string fsck_as_text(const FsckResult& result, const std::string& folder) {
  std::string line = escape(folder, 400) + ": " + decimal(result.segments) + " segments, " +
                     decimal(result.frames) + " frames, " + decimal(result.size_bytes) + " bytes: ";
  switch (result.verdict()) {
    case ExitCode::refuted:
      line += "harmed in " + decimal(result.harmful) + " places";
      break;
    case ExitCode::loss:
      line += result.torn_tails > 0 ? "sound but for an interrupted write" : "sound";
      if (result.index_faults > 0) line += ", index wrong (store fsck --repair makes it anew)";
      break;
    default:
      line += "sound";
      break;
  }
  if (result.repaired) line += ", index made anew";
  if (result.duplicate_frames > 0) {
    line += "; " + decimal(result.duplicate_frames) + " frames are stored twice";
  }
  return line + "\n";
}

FsckJson::FsckJson() {
  json_.begin_object().member("version", 1).key("findings").begin_array();
}

void FsckJson::add(const Finding& finding) {
  json_.begin_object();
  json_.member("kind", finding_name(finding.kind));
  json_.member("message", std::string_view(finding.message));
  json_.key("segment");
  finding.segment == 0 ? json_.null() : json_.value(segment_name(finding.segment));
  json_.member("offset", finding.offset);
  json_.member("size_bytes", finding.size_bytes);
  if (finding.header) {
    json_.member("type", std::string_view(frame_type_name(finding.header->type)));
    json_.member("source_id", std::string_view(to_hex(finding.header->source)));
    json_.member("sequence", finding.header->sequence);
  }
  json_.end_object();
}

std::string FsckJson::finish(const FsckResult& result) {
  json_.end_array();
  json_.member("segments", result.segments).member("frames", result.frames);
  json_.member("size_bytes", result.size_bytes);
  json_.member("duplicate_frames", result.duplicate_frames);
  json_.member("harmful_findings", result.harmful);
  json_.member("torn_tails", result.torn_tails);
  json_.member("index_faults", result.index_faults);
  json_.member("repaired", result.repaired).end_object();
  return json_.text() + "\n";
}

}  // namespace twinchain::storage
