// The items in which two sets differ, from the difference of their symbols. Floor 2.
//
// An object belongs to one thread at a time. Symbols may be hostile: every loop is bounded by their
// number, memory by the limits, and each outcome is one of the four states; what comes out is to be
// checked by what the items stand for. Instantiated for items of 1, 4 and 8 words.
#pragma once

#include <span>
#include <vector>

#include "twinchain/iblt/symbol.hpp"

namespace twinchain::iblt {

enum class DecodeState {
  needs_more,    ///< more symbols may complete it
  complete,      ///< every symbol is accounted for
  over_limit,    ///< final: more symbols, or a larger difference, than the limits allow
  inconsistent,  ///< final: these cannot be the symbols of a difference of two sets
};

struct DecodeLimits {
  std::size_t symbols = std::size_t{1} << 20;  ///< of all layers together
  std::size_t difference = std::size_t{1} << 20;
};

template <std::size_t words>
class Decoder {
 public:
  explicit Decoder(const SipKey& key, const DecodeLimits& limits = {})
      : key_(key), limits_(limits) {}

  /// The next symbols of a layer (below max_layers) of the difference (theirs - ours), in order
  /// from index 0; layer 0 first. Without effect in any state but needs_more. Symbols after those
  /// that complete it are checked as well.
  DecodeState add(std::span<const Symbol<words>> symbols, std::uint32_t layer = 0);

  [[nodiscard]] DecodeState state() const { return state_; }
  /// How many symbols have been added, to all layers and to one.
  [[nodiscard]] std::size_t symbol_count() const { return symbol_count_; }
  [[nodiscard]] std::size_t symbol_count(std::uint32_t layer) const {
    return layer < layers_.size() ? layers_[layer].symbols.size() : 0;
  }
  /// Items only in the other's set, in no particular order; empty unless complete.
  [[nodiscard]] const std::vector<Item<words>>& only_theirs() const { return only_theirs_; }
  /// Items only in our own set.
  [[nodiscard]] const std::vector<Item<words>>& only_ours() const { return only_ours_; }

 private:
  struct Found {
    Item<words> item;
    std::uint64_t hash;
    std::uint32_t count;  ///< 1 or -1
  };
  /// Where the sequence of an item found stands in a layer: behind the last symbol.
  struct Position {
    std::uint64_t state;
    std::uint32_t index;
  };
  struct Waiting {
    std::uint32_t index;  ///< of Position; the lowest is on top of the heap
    std::uint32_t found;  ///< index into found_
    bool operator<(const Waiting& other) const { return index > other.index; }
  };
  struct Layer {
    std::vector<Symbol<words>> symbols;
    std::vector<Position> positions;  ///< one an item of found_, but for the newest
    std::vector<Waiting> waiting;
    std::size_t waiting_known = 0;  ///< items of found_ that are in waiting
  };
  struct Place {
    std::uint32_t layer;
    std::uint32_t index;
  };

  void take_found_out_of_new_symbols(std::uint32_t layer_number);
  void peel();
  [[nodiscard]] bool try_peel(Place place);
  Position walk(std::uint64_t hash, std::size_t end);
  void take_out_along_path(std::uint32_t layer_number, const Found& found);
  [[nodiscard]] bool all_zero() const;
  void finish();

  SipKey key_;
  DecodeLimits limits_;
  DecodeState state_ = DecodeState::needs_more;
  std::vector<Layer> layers_;
  std::size_t symbol_count_ = 0;
  std::vector<Found> found_;
  std::vector<Place> maybe_pure_;
  std::vector<std::uint32_t> path_;  ///< indexes of the item being taken out, in one layer
  std::vector<Item<words>> only_theirs_;
  std::vector<Item<words>> only_ours_;
};

}  // namespace twinchain::iblt
