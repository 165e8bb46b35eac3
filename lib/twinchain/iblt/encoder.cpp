#include "twinchain/iblt/encoder.hpp"

#include <algorithm>

#include "twinchain/iblt/processor.hpp"

namespace twinchain::iblt {
namespace {

template <std::size_t words>
PlacedItem<words> place_at_start(const SipKey& key, std::uint32_t layer, const Item<words>& item) {
  const std::uint64_t hash = siphash24(key, item);
  return {item, layer_hash(key, item, hash, layer), 0, static_cast<std::uint32_t>(hash)};
}

template <std::size_t words>
void add_to(Symbol<words>& symbol, const Item<words>& item, std::uint32_t checksum,
            std::uint32_t count) {
  for (std::size_t i = 0; i < words; ++i) symbol.sum[i] ^= item[i];
  symbol.checksum ^= checksum;
  symbol.count += count;
}

// Eight items at a time, each going its own way through the symbols: the square roots and divisions
// of one step then overlap instead of waiting for each other. A lane that is done takes the next
// item.
template <std::size_t words>
class Lanes {
 public:
  static constexpr std::size_t lane_count = 8;

  Lanes(std::span<PlacedItem<words>> items, Symbol<words>* symbols, std::uint32_t end)
      : next_(items.data()), last_(items.data() + items.size()), symbols_(symbols), end_(end) {}

  // Inlined into functions for different processors.
  [[gnu::always_inline]] inline void run() {
    std::size_t live = 0;
    for (; live < lane_count && load(live); ++live) continue;
    while (live == lane_count) {
      double gap[lane_count];
      for (std::size_t l = 0; l < lane_count; ++l) gap[l] = mapping::next_gap(state_[l]);
      for (std::size_t l = 0; l < lane_count; ++l) {
        add_to(symbols_[index_[l]], item_[l]->item, checksum_[l], 1);
      }
      for (std::size_t l = 0; l < lane_count; ++l) {
        index_[l] = mapping::next_index(index_[l], gap[l]);
      }
      for (std::size_t l = 0; l < live; ++l) {
        if (index_[l] < end_) continue;
        store(l);
        if (load(l)) continue;
        // No item is left for this lane: the last live one moves here, and is looked at next.
        --live;
        move(live, l);
        --l;
      }
    }
    for (std::size_t l = 0; l < live; ++l) {
      while (index_[l] < end_) {
        add_to(symbols_[index_[l]], item_[l]->item, checksum_[l], 1);
        index_[l] = mapping::next_index(index_[l], mapping::next_gap(state_[l]));
      }
      store(l);
    }
  }

 private:
  [[gnu::always_inline]] inline bool load(std::size_t lane) {
    while (next_ != last_ && next_->index >= end_) ++next_;
    if (next_ == last_) return false;
    item_[lane] = next_;
    state_[lane] = next_->state;
    index_[lane] = next_->index;
    checksum_[lane] = next_->checksum;
    ++next_;
    return true;
  }
  [[gnu::always_inline]] inline void store(std::size_t lane) {
    item_[lane]->state = state_[lane];
    item_[lane]->index =
        static_cast<std::uint32_t>(std::min<std::uint64_t>(index_[lane], max_symbols));
  }
  [[gnu::always_inline]] inline void move(std::size_t from, std::size_t to) {
    item_[to] = item_[from];
    state_[to] = state_[from];
    index_[to] = index_[from];
    checksum_[to] = checksum_[from];
  }

  PlacedItem<words>* next_;
  PlacedItem<words>* last_;
  Symbol<words>* symbols_;
  std::uint64_t end_;
  PlacedItem<words>* item_[lane_count]{};
  std::uint64_t state_[lane_count]{};
  std::uint64_t index_[lane_count]{};
  std::uint32_t checksum_[lane_count]{};
};

#ifdef TWINCHAIN_IBLT_WIDE
// The same arithmetic to the last bit, eight lanes in one instruction.
template <std::size_t words>
[[gnu::target("avx512f,avx512dq,avx512vl")]] void place_wide(std::span<PlacedItem<words>> items,
                                                             Symbol<words>* symbols,
                                                             std::uint32_t end) {
  Lanes<words>(items, symbols, end).run();
}
#endif

// Puts the items into those of the symbols below `end` that they have not been put into yet.
template <std::size_t words>
void place_all(std::span<PlacedItem<words>> items, Symbol<words>* symbols, std::size_t end) {
#ifdef TWINCHAIN_IBLT_WIDE
  if (has_wide_registers()) {
    place_wide<words>(items, symbols, static_cast<std::uint32_t>(end));
    return;
  }
#endif
  Lanes<words>(items, symbols, static_cast<std::uint32_t>(end)).run();
}

}  // namespace

template <std::size_t words>
void Encoder<words>::add(const Item<words>& item) {
  add(std::span(&item, 1));
}

template <std::size_t words>
void Encoder<words>::add(std::span<const Item<words>> items) {
  const std::size_t old_size = items_.size();
  items_.resize(old_size + items.size());
  for (std::size_t i = 0; i < items.size(); ++i) {
    items_[old_size + i] = place_at_start(key_, layer_, items[i]);
  }
  if (!symbols_.empty()) {
    place_all<words>(std::span(items_).subspan(old_size), symbols_.data(), symbols_.size());
  }
}

template <std::size_t words>
std::span<const Symbol<words>> Encoder<words>::symbols(std::size_t count) {
  count = std::min<std::size_t>(count, max_symbols);
  if (count > symbols_.size()) {
    // Asked for all at once, there are no more than asked for.
    const std::size_t grown = symbols_.empty() ? count : symbols_.size() + symbols_.size() / 2;
    symbols_.resize(std::min<std::size_t>(std::max(count, grown), max_symbols));
    place_all<words>(items_, symbols_.data(), symbols_.size());
  }
  return std::span(symbols_).first(count);
}

template <std::size_t words>
void Sketch<words>::add(std::span<const Item<words>> items) {
  std::array<PlacedItem<words>, 256> group;
  while (!items.empty()) {
    const std::size_t count = std::min(items.size(), group.size());
    for (std::size_t i = 0; i < count; ++i) group[i] = place_at_start(key_, 0, items[i]);
    place_all<words>(std::span(group).first(count), symbols_.data(), symbols_.size());
    items = items.subspan(count);
  }
}

template <std::size_t words>
void Sketch<words>::place(const Item<words>& item, std::uint32_t count) {
  const std::uint64_t hash = siphash24(key_, item);
  for (IndexSequence at(hash); at.index() < symbols_.size(); at.advance()) {
    add_to(symbols_[at.index()], item, static_cast<std::uint32_t>(hash), count);
  }
}

template <std::size_t words>
std::vector<Symbol<words>> difference(std::span<const Symbol<words>> theirs,
                                      std::span<const Symbol<words>> ours) {
  std::vector<Symbol<words>> result(std::min(theirs.size(), ours.size()));
  for (std::size_t i = 0; i < result.size(); ++i) result[i] = difference(theirs[i], ours[i]);
  return result;
}

template class Encoder<1>;
template class Encoder<4>;
template class Encoder<8>;
template class Sketch<1>;
template class Sketch<4>;
template class Sketch<8>;
template std::vector<Symbol<1>> difference(std::span<const Symbol<1>>, std::span<const Symbol<1>>);
template std::vector<Symbol<4>> difference(std::span<const Symbol<4>>, std::span<const Symbol<4>>);
template std::vector<Symbol<8>> difference(std::span<const Symbol<8>>, std::span<const Symbol<8>>);

}  // namespace twinchain::iblt
