#include "twinchain/storage/acknowledge.hpp"

#include <unistd.h>

#include <algorithm>

#include "twinchain/base/text.hpp"

namespace twinchain::storage {
namespace {

constexpr std::uint64_t max_file_bytes = std::uint64_t{64} << 20;

}  // namespace

Result<Acknowledger> Acknowledger::open(Fs& fs, const std::string& spool_folder,
                                        SourceNumbers dropped) {
  auto there = fs.exists(spool_folder);
  if (!there) return pass(there);
  if (!*there) {
    return fail(ExitCode::usage, "no folder " + escape(spool_folder, 400) + " to acknowledge to",
                "it is the folder that twin-record --spool names");
  }
  Acknowledger acknowledger(fs, spool_folder);
  acknowledger.dropped_ = std::move(dropped);
  const std::string path = acknowledger.folder_ + "/" + std::string(acknowledged_name);
  there = fs.exists(path);
  if (!there) return pass(there);
  if (*there) {
    auto bytes = read_whole_file(fs, path, max_file_bytes);
    if (!bytes) return pass(bytes);
    if (auto numbers = parse_source_numbers(as_text(*bytes))) {
      acknowledger.acknowledged_ = std::move(*numbers);
    }
  }
  return acknowledger;
}

void Acknowledger::saw(const FrameHeader& header) {
  if (header.type != FrameType::data && header.type != FrameType::link) return;
  Source& source = sources_[header.source];
  source.limit = std::max(source.limit, header.sequence + 1);
  touched_.insert(header.source);
}

Status Acknowledger::load(Index& index, const Id128& id, Source& source) {
  if (const auto found = acknowledged_.find(id); found != acknowledged_.end()) {
    source.next = found->second;
  }
  if (const auto found = dropped_.find(id); found != dropped_.end()) {
    source.next = std::max(source.next, found->second);
  }
  source.loaded = true;
  auto type = index.next_type(id, FrameType::link);
  if (!type) return pass(type);
  if (*type && **type == FrameType::link) source.links = Links::has;
  return {};
}

Result<bool> Acknowledger::is_complete(Index& index, const Id128& id, Source& source,
                                       bool input_ended) {
  auto data = index.find({id, FrameType::data, source.next, 0});
  if (!data) return pass(data);
  if (source.links == Links::unknown && *data) {
    auto link = index.next_type(id, FrameType::link);
    if (!link) return pass(link);
    auto after = index.find({id, FrameType::data, source.next + 1, 0});
    if (!after) return pass(after);
    if (*link && **link == FrameType::link) {
      source.links = Links::has;
    } else if (*after || input_ended) {
      source.links = Links::has_none;
    }
  }
  if (source.links == Links::unknown) return false;
  if (source.links == Links::has_none && *data) return true;
  auto link = index.find({id, FrameType::link, source.next, 0});
  if (!link) return pass(link);
  return *link && (*data || (*link)->lost_window);
}

Result<bool> Acknowledger::advance(Index& index, const Id128& id, Source& source,
                                   bool input_ended) {
  const std::uint64_t before = source.next;
  while (source.next < source.limit) {
    if (source.next % Block::sequences == 0 && source.links != Links::unknown &&
        source.limit - source.next >= Block::sequences) {
      // Whole blocks at a time, for a store that is far ahead of a new spool.
      const std::uint64_t number = Block::number_of(source.next);
      auto block = index.next_block(id, number);
      if (!block) return pass(block);
      if (*block && (*block)->number == number && (*block)->block.data_frames == Block::sequences &&
          (source.links == Links::has_none || (*block)->block.link_frames == Block::sequences)) {
        source.next += Block::sequences;
        continue;
      }
    }
    auto complete = is_complete(index, id, source, input_ended);
    if (!complete) return pass(complete);
    if (!*complete) break;
    ++source.next;
  }
  return source.next != before;
}

Status Acknowledger::update(Index& index, bool input_ended) {
  bool changed = false;
  if (input_ended) {
    for (const auto& [id, source] : sources_) touched_.insert(id);
  }
  for (const Id128& id : touched_) {
    Source& source = sources_[id];
    if (!source.loaded) TWINCHAIN_TRY(load(index, id, source));
    if (source.links == Links::has_none) {
      // hashchain may have been put into the pipeline since.
      auto type = index.next_type(id, FrameType::link);
      if (!type) return pass(type);
      if (*type && **type == FrameType::link) source.links = Links::has;
    }
    auto moved = advance(index, id, source, input_ended);
    if (!moved) return pass(moved);
    const auto known = acknowledged_.find(id);
    if (*moved || (known == acknowledged_.end() ? source.next > 0 : known->second < source.next)) {
      acknowledged_[id] = source.next;
      changed = true;
    }
  }
  touched_.clear();
  return changed ? write() : Status{};
}

Status Acknowledger::write() {
  const std::string path = folder_ + "/" + std::string(acknowledged_name);
  const std::string temporary = path + ".tmp-" + decimal(std::uint64_t(::getpid()));
  auto there = fs_.exists(temporary);
  if (!there) return pass(there);
  if (*there) TWINCHAIN_TRY(fs_.remove(temporary));
  const auto write_and_rename = [&]() -> Status {
    auto file = fs_.open(temporary, OpenMode::create_new);
    if (!file) return pass(file);
    const std::string text = format_source_numbers(acknowledged_);
    const ByteView piece = as_bytes(text);
    TWINCHAIN_TRY((*file)->append({&piece, 1}));
    return fs_.rename(temporary, path);
  };
  auto status = write_and_rename();
  if (!status) (void)fs_.remove(temporary);
  return status;
}

}  // namespace twinchain::storage
