#include "twinchain/bitcoin/merkle_branch.hpp"

#include <algorithm>

#include "twinchain/crypto/sha256.hpp"
#include "twinchain/crypto/sha256_many.hpp"

namespace twinchain::bitcoin {
namespace {

// Replaces a row by the row above it. Many at a time: a block can have a million transactions.
void go_up(std::vector<Hash256>& row, bool* mutated) {
  constexpr std::size_t chunk = 512;
  std::array<PrefixedMessage, chunk> messages{};
  std::array<Hash256, chunk> inner{};
  const std::size_t parents = (row.size() + 1) / 2;
  for (std::size_t begin = 0; begin < parents; begin += chunk) {
    const std::size_t count = std::min(chunk, parents - begin);
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t at = 2 * (begin + i);
      const bool paired = at + 1 < row.size();
      const Hash256& right = paired ? row[at + 1] : row[at];
      if (mutated != nullptr && paired && row[at] == right) *mutated = true;
      messages[i] = {row[at], right};
    }
    sha256_many(std::span(messages).first(count), std::span(inner).first(count));
    for (std::size_t i = 0; i < count; ++i) messages[i] = {inner[i], {}};
    // A parent's place is at or before its children's: theirs are hashed by now.
    sha256_many(std::span(messages).first(count), std::span(row).subspan(begin, count));
  }
  row.resize(parents);
}

}  // namespace

Hash256 merkle_parent(const Hash256& left, const Hash256& right) {
  const Hash256 inner = sha256({ByteView(left), ByteView(right)});
  return sha256(ByteView(inner));
}

Hash256 merkle_root(std::span<const Hash256> txids, bool* mutated) {
  if (mutated != nullptr) *mutated = false;
  if (txids.empty()) return {};
  std::vector<Hash256> row(txids.begin(), txids.end());
  while (row.size() > 1) go_up(row, mutated);
  return row[0];
}

std::vector<Hash256> merkle_branch(std::span<const Hash256> txids, std::size_t index) {
  std::vector<Hash256> branch;
  std::vector<Hash256> row(txids.begin(), txids.end());
  while (row.size() > 1) {
    const std::size_t sibling = index ^ 1;
    branch.push_back(sibling < row.size() ? row[sibling] : row[index]);
    go_up(row, nullptr);
    index /= 2;
  }
  return branch;
}

std::optional<Hash256> root_from_branch(const Hash256& txid, std::uint32_t index,
                                        std::span<const Hash256> branch) {
  if (branch.size() > max_branch_length) return std::nullopt;
  if ((std::uint64_t{index} >> branch.size()) != 0) return std::nullopt;
  Hash256 hash = txid;
  bool last_of_row = false;
  for (const Hash256& sibling : branch) {
    const bool is_right = (index & 1) != 0;
    const bool paired_with_itself = sibling == hash;
    if (is_right && paired_with_itself) return std::nullopt;
    // Whoever was the last of a row stays the last: a right child, or paired with itself.
    if (!is_right && last_of_row && !paired_with_itself) return std::nullopt;
    if (paired_with_itself) last_of_row = true;
    hash = is_right ? merkle_parent(sibling, hash) : merkle_parent(hash, sibling);
    index >>= 1;
  }
  return hash;
}

std::size_t branch_length(std::uint64_t transaction_count) {
  std::size_t length = 0;
  while (transaction_count > 1) {
    transaction_count = transaction_count / 2 + transaction_count % 2;
    ++length;
  }
  return length;
}

}  // namespace twinchain::bitcoin
