// Leaves of a tree for tests: the hashes of 0, 1, 2, ...
#pragma once

#include <vector>

#include "twinchain/crypto/merkle.hpp"

namespace test {

inline std::vector<twinchain::Hash256> numbered_leaves(std::size_t count) {
  std::vector<twinchain::Hash256> hashes;
  for (std::size_t i = 0; i < count; ++i) {
    twinchain::Bytes data;
    twinchain::append_le(data, static_cast<std::uint64_t>(i));
    hashes.push_back(twinchain::merkle_leaf(data));
  }
  return hashes;
}

}  // namespace test
