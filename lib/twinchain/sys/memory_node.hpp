// One file of MemoryFs: what a program sees and what a power cut leaves. Floor 1, internal to sys.
#pragma once

#include <functional>
#include <vector>

#include "twinchain/sys/faulty_fs.hpp"

namespace twinchain {

struct MemoryNode {
  /// A write or a truncation that is not durable yet.
  struct Change {
    std::uint64_t offset = 0;  ///< of the bytes; the new size of a truncation
    Bytes bytes = {};
    bool truncates = false;
    bool lost = false;  ///< a failed sync has thrown it away: zeros are in its place on the disk
  };

  Bytes content;
  Bytes durable;
  std::vector<Change> pending;

  void change(Change change);
  void sync();
  void lose_pending();
  void power_cut(Survival survival, std::uint64_t& seed);

  static void apply(const Change& change, Bytes& to);
  /// splitmix64: a seed gives the same faults with every compiler.
  static std::uint64_t random(std::uint64_t& state);
};

}  // namespace twinchain
