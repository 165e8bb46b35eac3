#include "twinchain/iblt/decoder.hpp"

#include <algorithm>
#include <bit>

#include "twinchain/crypto/sha256.hpp"

namespace twinchain::iblt {
namespace {

// How much more often an item may be found than there are symbols: each finding empties the symbol
// it is made in, but for one whose checksum was right by accident, which is found twice more.
constexpr std::size_t false_findings = 64;

// Of the table of items found: whoever makes symbols may know the symbols' own key.
const SipKey& table_key() {
  static const SipKey key = sip_key(random_array<16>());
  return key;
}

bool is_one(std::uint32_t count) {
  return count + 1 <= 2 && count != 0;
}

template <std::size_t words>
void take_out(Symbol<words>& symbol, const Item<words>& item, std::uint32_t checksum,
              std::uint32_t count) {
  for (std::size_t i = 0; i < words; ++i) symbol.sum[i] ^= item[i];
  symbol.checksum ^= checksum;
  symbol.count -= count;
}

}  // namespace

template <std::size_t words>
DecodeState Decoder<words>::add(std::span<const Symbol<words>> symbols, std::uint32_t layer) {
  if (state_ != DecodeState::needs_more || symbols.empty() || layer >= max_layers) return state_;
  const std::size_t limit = std::min<std::size_t>(limits_.symbols, max_symbols);
  if (symbols.size() > limit - symbol_count_) return state_ = DecodeState::over_limit;
  if (layer >= layers_.size()) layers_.resize(layer + 1);
  symbol_count_ += symbols.size();
  auto& all = layers_[layer].symbols;
  auto index = static_cast<std::uint32_t>(all.size());
  all.insert(all.end(), symbols.begin(), symbols.end());
  take_found_out_of_new_symbols(layer);
  for (; index < all.size(); ++index) {
    if (is_one(all[index].count)) maybe_pure_.push_back({layer, index});
  }
  peel();
  // Symbol 0 has every item, so that nothing is left when it is zero; but for a false item, which
  // is the same to it as those it is the sum of, and which the other symbols still have.
  const auto& main = layers_[0].symbols;
  if (state_ == DecodeState::needs_more && !main.empty() && main[0].is_zero() && all_zero()) {
    finish();
  }
  return state_;
}

template <std::size_t words>
void Decoder<words>::take_found_out_of_new_symbols(std::uint32_t layer_number) {
  Layer& layer = layers_[layer_number];
  for (std::size_t i = layer.positions.size(); i < found_.size(); ++i) {
    layer.positions.push_back({layer_hash(key_, found_[i].item, found_[i].hash, layer_number), 0});
  }
  for (; layer.waiting_known < found_.size(); ++layer.waiting_known) {
    layer.waiting.push_back({layer.positions[layer.waiting_known].index,
                             static_cast<std::uint32_t>(layer.waiting_known)});
    std::push_heap(layer.waiting.begin(), layer.waiting.end());
  }
  while (!layer.waiting.empty() && layer.waiting.front().index < layer.symbols.size()) {
    std::pop_heap(layer.waiting.begin(), layer.waiting.end());
    const Found& found = found_[layer.waiting.back().found];
    Position& position = layer.positions[layer.waiting.back().found];
    IndexSequence at(position.state, position.index);
    for (; at.index() < layer.symbols.size(); at.advance()) {
      take_out(layer.symbols[at.index()], found.item, static_cast<std::uint32_t>(found.hash),
               found.count);
    }
    position = {at.state(), at.index()};
    layer.waiting.back().index = position.index;
    std::push_heap(layer.waiting.begin(), layer.waiting.end());
  }
}

template <std::size_t words>
void Decoder<words>::peel() {
  while (!maybe_pure_.empty()) {
    const Place place = maybe_pure_.back();
    maybe_pure_.pop_back();
    if (!is_one(layers_[place.layer].symbols[place.index].count) || !try_peel(place)) continue;
    if (found_.size() > limits_.difference) {
      state_ = DecodeState::over_limit;
      return;
    }
    if (found_.size() > symbol_count_ + false_findings) {
      state_ = DecodeState::inconsistent;
      return;
    }
  }
}

// path_ becomes the indexes below `end`.
template <std::size_t words>
typename Decoder<words>::Position Decoder<words>::walk(std::uint64_t hash, std::size_t end) {
  mapping::Gaps next;
  std::uint64_t state = hash;
  std::uint64_t index = 0;
  path_.clear();
  while (true) {
    mapping::next_gaps(state, next);
    for (std::size_t i = 0; i < 8; ++i) {
      if (index >= end) {
        return {i == 0 ? state : next.states[i - 1],
                static_cast<std::uint32_t>(std::min<std::uint64_t>(index, max_symbols))};
      }
      path_.push_back(static_cast<std::uint32_t>(index));
      index = mapping::next_index(index, next.gaps[i]);
    }
    state = next.states[7];
  }
}

template <std::size_t words>
void Decoder<words>::take_out_along_path(std::uint32_t layer_number, const Found& found) {
  const auto checksum = static_cast<std::uint32_t>(found.hash);
  Symbol<words>* const symbols = layers_[layer_number].symbols.data();
  // Whether a symbol is now pure is as good as random, so there is no branch for it.
  const std::size_t old_size = maybe_pure_.size();
  maybe_pure_.resize(old_size + path_.size());
  Place* next = maybe_pure_.data() + old_size;
  for (const std::uint32_t index : path_) {
    take_out(symbols[index], found.item, checksum, found.count);
    *next = {layer_number, index};
    next += is_one(symbols[index].count) ? 1 : 0;
  }
  maybe_pure_.resize(static_cast<std::size_t>(next - maybe_pure_.data()));
}

// Whether the symbol was pure; its item is then out of all symbols.
template <std::size_t words>
bool Decoder<words>::try_peel(Place place) {
  const Symbol<words>& symbol = layers_[place.layer].symbols[place.index];
  const std::uint64_t hash = siphash24(key_, symbol.sum);
  if (static_cast<std::uint32_t>(hash) != symbol.checksum) return false;
  const Found found{symbol.sum, hash, symbol.count};
  // Its own layer first: the item has to be one that maps to the symbol.
  for (std::uint32_t i = 0; i < layers_.size(); ++i) {
    const std::uint32_t number = i == 0 ? place.layer : i - (i <= place.layer ? 1 : 0);
    Layer& layer = layers_[number];
    const Position behind = walk(layer_hash(key_, found.item, hash, number), layer.symbols.size());
    if (i == 0 && !std::binary_search(path_.begin(), path_.end(), place.index)) return false;
    take_out_along_path(number, found);
    if (layer.positions.size() == found_.size()) layer.positions.push_back(behind);
  }
  found_.push_back(found);
  return true;
}

template <std::size_t words>
bool Decoder<words>::all_zero() const {
  return std::all_of(layers_.begin(), layers_.end(), [](const Layer& layer) {
    return std::all_of(layer.symbols.begin(), layer.symbols.end(),
                       [](const Symbol<words>& symbol) { return symbol.is_zero(); });
  });
}

template <std::size_t words>
void Decoder<words>::finish() {
  // An item found twice with opposite signs never was one; with the same sign, no set has it so.
  std::vector<std::uint32_t> slots(std::bit_ceil(found_.size() * 2 + 1), 0);
  std::vector<std::int8_t> net(found_.size(), 0);
  bool sets = true;
  for (std::size_t i = 0; sets && i < found_.size(); ++i) {
    const Found& found = found_[i];
    std::size_t slot = siphash24(table_key(), found.item) & (slots.size() - 1);
    while (slots[slot] != 0 && found_[slots[slot] - 1].item != found.item) {
      slot = (slot + 1) & (slots.size() - 1);
    }
    if (slots[slot] == 0) slots[slot] = static_cast<std::uint32_t>(i + 1);
    auto& sum = net[slots[slot] - 1];
    sum = static_cast<std::int8_t>(sum + (found.count == 1 ? 1 : -1));
    sets = sum >= -1 && sum <= 1;
  }
  if (!sets) {
    state_ = DecodeState::inconsistent;
    return;
  }
  for (std::size_t i = 0; i < found_.size(); ++i) {
    if (net[i] > 0) only_theirs_.push_back(found_[i].item);
    if (net[i] < 0) only_ours_.push_back(found_[i].item);
  }
  state_ = DecodeState::complete;
}

template class Decoder<1>;
template class Decoder<4>;
template class Decoder<8>;

}  // namespace twinchain::iblt
