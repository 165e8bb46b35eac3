#include "twinchain/ledger/hash_index.hpp"

#include <algorithm>

namespace twinchain::ledger {
namespace {

// Of five slots four may be full: a search that finds nothing then looks at 13 on average, which
// lie side by side.
std::size_t slots_for(std::size_t count) {
  return std::max<std::size_t>(64, count + count / 4 + 1);
}

}  // namespace

void HashIndex::reserve(std::size_t count) {
  if (slots_for(count) > slots_.size()) resize(slots_for(count));
}

void HashIndex::add(const Hash256& hash, std::uint32_t value) {
  if (slots_for(size_ + 1) > slots_.size()) resize(slots_for((size_ + 1) + (size_ + 1) / 2));
  put({fingerprint_of(hash), value + 1});
  ++size_;
}

void HashIndex::put(Slot slot) {
  std::size_t at = home(slot.fingerprint);
  while (slots_[at].value_plus_1 != 0) at = after(at);
  slots_[at] = slot;
}

void HashIndex::resize(std::size_t slot_count) {
  std::vector<Slot> old(slot_count);
  old.swap(slots_);
  for (const Slot& slot : old) {
    if (slot.value_plus_1 != 0) put(slot);
  }
}

}  // namespace twinchain::ledger
