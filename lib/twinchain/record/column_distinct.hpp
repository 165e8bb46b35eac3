// The distinct words of a column. Floor 3.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <span>
#include <vector>

namespace twinchain::record {

/// Distinct words and the number of each. Open addressing; keeps its memory.
class DistinctWords {
 public:
  /// False when there are more than `limit`.
  bool build(std::span<const std::uint64_t> words, std::size_t limit) {
    entries_.clear();
    slots_.assign(std::bit_ceil(2 * std::min(limit, words.size()) + 2), 0);
    if (numbers_.size() < words.size()) numbers_.resize(words.size());
    count_ = words.size();
    std::uint32_t last = 0;
    for (std::size_t i = 0; i < words.size(); ++i) {
      // What changes seldom is found without looking.
      if (i == 0 || words[i] != words[i - 1]) {
        const std::size_t at = find(words[i]);
        if (slots_[at] == 0) {
          if (entries_.size() == limit) return false;
          entries_.push_back(words[i]);
          slots_[at] = static_cast<std::uint32_t>(entries_.size());
        }
        last = slots_[at] - 1;
      }
      numbers_[i] = last;
    }
    return true;
  }
  /// Numbers entries by size, so that neighbours in value are neighbours in number.
  void sort() {
    order_.resize(entries_.size());
    for (std::uint32_t i = 0; i < order_.size(); ++i) order_[i] = {entries_[i], i};
    std::ranges::sort(order_);
    places_.resize(entries_.size());
    for (std::uint32_t i = 0; i < order_.size(); ++i) {
      entries_[i] = order_[i].first;
      places_[order_[i].second] = i;
    }
    for (std::size_t i = 0; i < count_; ++i) numbers_[i] = places_[numbers_[i]];
  }
  [[nodiscard]] std::span<const std::uint64_t> entries() const { return entries_; }
  [[nodiscard]] std::span<const std::uint64_t> numbers() const {
    return std::span(numbers_).first(count_);
  }

 private:
  [[nodiscard]] std::size_t find(std::uint64_t word) const {
    const std::size_t mask = slots_.size() - 1;
    std::size_t at = (word * 0x9e3779b97f4a7c15 >> 32) & mask;
    while (slots_[at] != 0 && entries_[slots_[at] - 1] != word) at = (at + 1) & mask;
    return at;
  }

  std::vector<std::uint32_t> slots_;
  std::vector<std::uint64_t> entries_;
  std::vector<std::uint64_t> numbers_;
  std::vector<std::pair<std::uint64_t, std::uint32_t>> order_;
  std::vector<std::uint32_t> places_;
  std::size_t count_ = 0;
};

}  // namespace twinchain::record
