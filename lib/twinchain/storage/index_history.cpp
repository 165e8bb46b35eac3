// Roots of the history tree's perfect subtrees, so that a proof over millions of links takes a few
// hundred look-ups. They follow from the links' entries and are made again with them.
#include <algorithm>

#include "twinchain/crypto/merkle.hpp"
#include "twinchain/storage/index_environment.hpp"

namespace twinchain::storage {
namespace {

constexpr unsigned level_step = 8;
constexpr std::uint64_t group = std::uint64_t{1} << level_step;
static_assert(group == Block::sequences);

}  // namespace

Result<std::optional<Hash256>> Index::history_root(const Id128& source, unsigned level,
                                                   std::uint64_t index) {
  Reading reading(*this);
  TWINCHAIN_TRY(reading.begin());
  const auto key_bytes = encode_history_key(source, level, index);
  MDB_val key = value_of(key_bytes);
  MDB_val value{};
  const int code = mdb_get(reading.txn(), environment_->history, &key, &value);
  if (code == MDB_NOTFOUND) return std::optional<Hash256>{};
  if (code != 0) return lmdb_error("read", code);
  Hash256 root{};
  if (value.mv_size != root.size()) return malformed_record();
  std::copy_n(view_of(value).begin(), root.size(), root.begin());
  return std::optional(root);
}

Status Index::put_history(const Id128& source, unsigned level, std::uint64_t index,
                          const Hash256& root) {
  auto txn = write_transaction();
  if (!txn) return pass(txn);
  const auto key_bytes = encode_history_key(source, level, index);
  MDB_val key = value_of(key_bytes);
  MDB_val value = value_of(root);
  if (const int code = mdb_put(*txn, environment_->history, &key, &value, 0); code != 0) {
    return lmdb_error("write", code);
  }
  return {};
}

/// All links of a block are there: its root, and those above that are complete with it.
Status Index::add_history(const Id128& source, std::uint64_t block) {
  std::vector<Hash256> hashes;
  hashes.reserve(group);
  const std::uint64_t first = block * Block::sequences;
  auto links = entries({source, FrameType::link, first, 0},
                       {source, FrameType::link, first + (group - 1), UINT32_MAX}, group);
  if (!links) return pass(links);
  for (const FrameEntry& link : *links) {
    // A link that cannot be understood has no leaf, and frames of a number twice are no chain.
    if (!link.history_leaf || link.key.sequence != first + hashes.size()) return {};
    hashes.push_back(*link.history_leaf);
  }
  if (hashes.size() != group) return {};
  std::uint64_t index = block;
  for (const unsigned level : history_levels) {
    if (level != history_levels.front()) {
      // The last of a group usually comes last; whether it does is cheap to see.
      const std::uint64_t first_below = index & ~(group - 1);
      hashes.clear();
      for (std::uint64_t i = group; i-- > 0;) {
        auto below = history_root(source, level - level_step, first_below + i);
        if (!below) return pass(below);
        if (!*below) return {};
        hashes.push_back(**below);
      }
      std::reverse(hashes.begin(), hashes.end());
      index >>= level_step;
    }
    TWINCHAIN_TRY(put_history(source, level, index, merkle_root(hashes)));
  }
  return {};
}

Status Index::forget_history(const Id128& source, std::uint64_t block) {
  auto txn = write_transaction();
  if (!txn) return pass(txn);
  std::uint64_t index = block;
  for (const unsigned level : history_levels) {
    const auto key_bytes = encode_history_key(source, level, index);
    MDB_val key = value_of(key_bytes);
    const int code = mdb_del(*txn, environment_->history, &key, nullptr);
    if (code != 0 && code != MDB_NOTFOUND) return lmdb_error("write", code);
    index >>= level_step;
  }
  return {};
}

}  // namespace twinchain::storage
