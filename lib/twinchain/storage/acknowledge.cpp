#include "twinchain/storage/acknowledge.hpp"

#include <algorithm>

namespace twinchain::storage {

Result<Acknowledger> Acknowledger::open(Fs& fs, const std::string& spool_folder,
                                        SourceNumbers dropped) {
  auto file = AcknowledgedFile::open(fs, spool_folder);
  if (!file) return pass(file);
  return Acknowledger(std::move(*file), std::move(dropped));
}

void Acknowledger::saw(const FrameHeader& header) {
  if (header.type != FrameType::data && header.type != FrameType::link) return;
  Source& source = sources_[header.source];
  source.limit = std::max(source.limit, header.sequence + 1);
  touched_.insert(header.source);
}

Status Acknowledger::load(Index& index, const Id128& id, Source& source) {
  if (const auto found = file_.numbers.find(id); found != file_.numbers.end()) {
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
    const auto known = file_.numbers.find(id);
    if (*moved || (known == file_.numbers.end() ? source.next > 0 : known->second < source.next)) {
      file_.numbers[id] = source.next;
      changed = true;
    }
  }
  touched_.clear();
  return changed ? file_.write() : Status{};
}

}  // namespace twinchain::storage
