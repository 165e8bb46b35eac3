// From a hash to a number, in ten bytes an entry. Floor 4.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "twinchain/base/bytes.hpp"

namespace twinchain::ledger {

/// Keeps 32 bits of each hash; what it finds is a candidate, which the caller confirms by looking
/// at the thing itself (a block in its file). So a chain of a million blocks fits in little
/// memory. Equal hashes may be added more than once. Not thread-safe for add().
///
/// Open addressing, linear probing, slots in the order of the 32 bits: growing needs no hashes.
class HashIndex {
 public:
  /// Room for this many entries without growing.
  void reserve(std::size_t count);
  /// `value` must be below 2^32 - 1.
  void add(const Hash256& hash, std::uint32_t value);
  [[nodiscard]] std::size_t size() const { return size_; }

  /// Calls confirm(value) for each candidate until it gives true; gives that value.
  template <class Confirm>
  [[nodiscard]] std::optional<std::uint32_t> find(const Hash256& hash, Confirm confirm) const {
    if (slots_.empty()) return std::nullopt;
    const std::uint32_t fingerprint = fingerprint_of(hash);
    for (std::size_t at = home(fingerprint); slots_[at].value_plus_1 != 0; at = after(at)) {
      if (slots_[at].fingerprint != fingerprint) continue;
      const std::uint32_t value = slots_[at].value_plus_1 - 1;
      if (confirm(value)) return value;
    }
    return std::nullopt;
  }

 private:
  struct Slot {
    std::uint32_t fingerprint = 0;
    std::uint32_t value_plus_1 = 0;  // 0: empty
  };

  static std::uint32_t fingerprint_of(const Hash256& hash) {
    // The first bytes: in a block hash the last ones are the zeros of the proof of work.
    return load_le<std::uint32_t>(hash.data());
  }
  [[nodiscard]] std::size_t home(std::uint32_t fingerprint) const {
    return static_cast<std::size_t>((std::uint64_t{fingerprint} * slots_.size()) >> 32);
  }
  [[nodiscard]] std::size_t after(std::size_t at) const {
    return at + 1 == slots_.size() ? 0 : at + 1;
  }
  void put(Slot slot);
  void resize(std::size_t slot_count);

  std::vector<Slot> slots_;
  std::size_t size_ = 0;
};

}  // namespace twinchain::ledger
