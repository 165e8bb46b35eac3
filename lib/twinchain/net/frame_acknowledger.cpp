#include "twinchain/net/frame_acknowledger.hpp"

namespace twinchain::net {

Status FrameAcknowledger::saw(const FrameHeader& header) {
  if (!file_) {
    auto file = storage::AcknowledgedFile::open(fs_, folder_);
    if (!file) return pass(file);
    file_.emplace(std::move(*file));
  }
  const std::uint64_t number = count_++;
  if (header.type == FrameType::data || header.type == FrameType::link) {
    waiting_.push_back({number, header.source, header.sequence, header.type == FrameType::link});
  }
  return {};
}

FrameAcknowledger::Source& FrameAcknowledger::source(const Id128& id) {
  const auto [at, is_new] = sources_.try_emplace(id);
  if (is_new) {
    const auto said = file_->numbers.find(id);
    if (said != file_->numbers.end()) at->second.next = said->second;
  }
  return at->second;
}

void FrameAcknowledger::complete(const Id128& id, Source& source, std::uint64_t sequence) {
  if (source.next.value_or(sequence) != sequence) return;
  source.next = sequence + 1;
  file_->numbers[id] = sequence + 1;
  changed_ = true;
}

void FrameAcknowledger::became_durable(const Seen& frame) {
  Source& of = source(frame.source);
  if (frame.is_link) {
    of.links = Links::has;
    of.unlinked.reset();
    complete(frame.source, of, frame.sequence);
    return;
  }
  if (of.links == Links::unknown && of.unlinked) of.links = Links::has_none;
  if (of.links == Links::has_none && of.unlinked) complete(frame.source, of, *of.unlinked);
  of.unlinked = frame.sequence;
  if (of.links != Links::has_none) return;
  complete(frame.source, of, frame.sequence);
  of.unlinked.reset();
}

Status FrameAcknowledger::update(std::uint64_t durable_frames, bool input_ended) {
  while (!waiting_.empty() && waiting_.front().number < durable_frames) {
    became_durable(waiting_.front());
    waiting_.pop_front();
  }
  if (input_ended && waiting_.empty()) {
    for (auto& [id, of] : sources_) {
      if (of.links == Links::has || !of.unlinked) continue;
      complete(id, of, *of.unlinked);
      of.unlinked.reset();
    }
  }
  if (!changed_) return {};
  changed_ = false;
  return file_->write();
}

}  // namespace twinchain::net
