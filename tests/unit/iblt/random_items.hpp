// Seeded random items for tests of set reconciliation.
#pragma once

#include <random>
#include <vector>

#include "twinchain/iblt/symbol.hpp"

namespace twinchain::iblt {

template <std::size_t words>
std::vector<Item<words>> random_items(std::mt19937_64& random, std::size_t count) {
  std::vector<Item<words>> items(count);
  for (auto& item : items) {
    for (auto& word : item) word = random();
  }
  return items;
}

}  // namespace twinchain::iblt
