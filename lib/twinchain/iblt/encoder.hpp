// Symbols of a set: as many as are asked for, or a fixed number kept up to date. Floor 2.
//
// Objects belong to one thread at a time. Instantiated for items of 1, 4 and 8 words.
#pragma once

#include <span>
#include <vector>

#include "twinchain/iblt/symbol.hpp"

namespace twinchain::iblt {

/// An item and where its sequence stands.
template <std::size_t words>
struct PlacedItem {
  Item<words> item{};
  std::uint64_t state = 0;
  std::uint32_t index = 0;  ///< of the next symbol it goes into
  std::uint32_t checksum = 0;
};

/// Symbols 0, 1, 2, ... of a set in one layer. Remembers each item and where it stands: 24 bytes an
/// item of one word. A symbol that is added to 1,000,000 ids costs a mean of 2 ln(m) / m placings
/// an item.
template <std::size_t words>
class Encoder {
 public:
  explicit Encoder(const SipKey& key, std::uint32_t layer = 0) : key_(key), layer_(layer) {}

  void reserve(std::size_t item_count) { items_.reserve(item_count); }
  /// Also into the symbols that exist. At most 2^31 items, none of them twice.
  void add(const Item<words>& item);
  void add(std::span<const Item<words>> items);

  /// The first `count` symbols (at most max_symbols). Asked for one after the other it makes them
  /// in ever larger groups, so that the whole costs no more than asking once. The view is valid
  /// until the next call of a function that is not const.
  std::span<const Symbol<words>> symbols(std::size_t count);
  [[nodiscard]] std::size_t size() const { return items_.size(); }

 private:
  SipKey key_;
  std::uint32_t layer_;
  std::vector<PlacedItem<words>> items_;
  std::vector<Symbol<words>> symbols_;
};

/// A fixed number of symbols (of layer 0) of a set that changes: adding and removing cost 2 ln(m)
/// placings, whatever the set's size; the set itself is not kept. For a mempool's continuous
/// sketch.
template <std::size_t words>
class Sketch {
 public:
  /// `symbol_count`: 1 to max_symbols.
  Sketch(const SipKey& key, std::size_t symbol_count) : key_(key), symbols_(symbol_count) {}

  /// The item must not be in the set.
  void add(const Item<words>& item) { place(item, 1); }
  void add(std::span<const Item<words>> items);
  /// The item must be in the set.
  void remove(const Item<words>& item) { place(item, static_cast<std::uint32_t>(-1)); }

  [[nodiscard]] std::span<const Symbol<words>> symbols() const { return symbols_; }
  [[nodiscard]] std::size_t size() const { return symbols_[0].count; }

 private:
  void place(const Item<words>& item, std::uint32_t count);

  SipKey key_;
  std::vector<Symbol<words>> symbols_;
};

/// theirs[i] - ours[i] for as many as both have.
template <std::size_t words>
std::vector<Symbol<words>> difference(std::span<const Symbol<words>> theirs,
                                      std::span<const Symbol<words>> ours);

}  // namespace twinchain::iblt
