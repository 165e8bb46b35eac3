#include "twinchain/storage/inputs.hpp"

#include <sys/stat.h>

#include <algorithm>

#include "twinchain/base/text.hpp"

namespace twinchain::storage {
namespace {

bool is_folder(const std::string& path) {
  struct stat info{};
  return path != "-" && ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

Status add_store(Fs& fs, const std::string& folder, Inputs& inputs) {
  const Layout layout{folder};
  if (!is_folder(layout.segments_folder())) {
    return fail(ExitCode::usage, escape(folder) + " is a folder, and not a store",
                "give stream files, or the folder that store put was given");
  }
  auto segments = list_segments(fs, layout);
  if (!segments) return pass(segments);
  for (const SegmentFile& segment : *segments) {
    const bool active = &segment == &segments->back();
    inputs.list.push_back({layout.segment_path(segment.number),
                           active ? chain::InputKind::active_segment : chain::InputKind::segment});
  }
  auto dropped = read_dropped(fs, layout);
  if (!dropped) return pass(dropped);
  for (const auto& [source, next] : *dropped) {
    std::uint64_t& below = inputs.dropped_below[source];
    below = std::max(below, next);
  }
  return {};
}

}  // namespace

Result<Inputs> list_inputs(Fs& fs, const std::vector<std::string>& paths) {
  Inputs inputs;
  for (const std::string& path : paths) {
    if (is_folder(path)) {
      TWINCHAIN_TRY(add_store(fs, path, inputs));
    } else {
      inputs.list.push_back({path, chain::InputKind::stream});
    }
  }
  return inputs;
}

}  // namespace twinchain::storage
