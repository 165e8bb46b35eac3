#include "twinchain/net/remembered_frames.hpp"

#include <algorithm>
#include <iterator>

namespace twinchain::net {

std::size_t FrameIdSet::slot_of(const Id128& id) const {
  const std::size_t mask = slots_.size() - 1;
  auto at = static_cast<std::size_t>(load_le<std::uint64_t>(id.data())) & mask;
  while (slots_[at] != Id128{} && slots_[at] != id) at = (at + 1) & mask;
  return at;
}

bool FrameIdSet::contains(const Id128& id) const {
  return !slots_.empty() && slots_[slot_of(id)] == id;
}

bool FrameIdSet::insert(const Id128& id) {
  if (contains(id)) return false;
  if (size_ * 2 >= slots_.size()) {
    std::vector<Id128> smaller = std::move(slots_);
    slots_.assign(std::max<std::size_t>(64, smaller.size() * 2), Id128{});
    for (const Id128& one : smaller) {
      if (one != Id128{}) slots_[slot_of(one)] = one;
    }
  }
  slots_[slot_of(id)] = id;
  ++size_;
  return true;
}

std::vector<Id128> FrameIdSet::all() const {
  std::vector<Id128> ids;
  ids.reserve(size_);
  std::copy_if(slots_.begin(), slots_.end(), std::back_inserter(ids),
               [](const Id128& id) { return id != Id128{}; });
  return ids;
}

bool RememberedFrames::insert(const Id128& id) {
  if (contains(id)) return false;
  if (newer_.size() >= count_) {
    older_ = std::move(newer_);
    newer_ = {};
  }
  return newer_.insert(id);
}

void RememberedFrames::restore(std::uint8_t generation, const std::vector<Id128>& ids) {
  FrameIdSet& into = generation == 0 ? older_ : newer_;
  for (const Id128& id : ids) into.insert(id);
}

}  // namespace twinchain::net
