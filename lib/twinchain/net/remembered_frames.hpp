// Which frames were seen already, in bounded memory. Floor 6.
#pragma once

#include <cstdint>
#include <vector>

#include "twinchain/base/bytes.hpp"

namespace twinchain::net {

struct FrameIdHasher {
  std::size_t operator()(const Id128& id) const {
    return static_cast<std::size_t>(load_le<std::uint64_t>(id.data()));
  }
};

/// Ids of 16 random bytes, in a table without deletion.
class FrameIdSet {
 public:
  /// False when it was there.
  bool insert(const Id128& id);
  [[nodiscard]] bool contains(const Id128& id) const;
  [[nodiscard]] std::size_t size() const { return size_; }
  /// All, in no order.
  [[nodiscard]] std::vector<Id128> all() const;

 private:
  [[nodiscard]] std::size_t slot_of(const Id128& id) const;
  std::vector<Id128> slots_;  ///< zeros: free
  std::size_t size_ = 0;
};

/// The newest `count` frames at the least, twice as many at the most; 16 to 32 bytes a frame.
class RememberedFrames {
 public:
  explicit RememberedFrames(std::size_t count = 1'000'000) : count_(count) {}
  [[nodiscard]] bool contains(const Id128& id) const {
    return newer_.contains(id) || older_.contains(id);
  }
  /// False when it was there.
  bool insert(const Id128& id);
  /// What a log keeps: of the older (0) and the newer (1) half.
  [[nodiscard]] const FrameIdSet& generation(std::uint8_t number) const {
    return number == 0 ? older_ : newer_;
  }
  void restore(std::uint8_t generation, const std::vector<Id128>& ids);
  [[nodiscard]] std::size_t size() const { return older_.size() + newer_.size(); }

 private:
  std::size_t count_;
  FrameIdSet newer_;
  FrameIdSet older_;
};

}  // namespace twinchain::net
