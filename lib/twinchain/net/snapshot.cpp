#include "twinchain/net/snapshot.hpp"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "twinchain/crypto/merkle.hpp"
#include "twinchain/crypto/sha256_many.hpp"

namespace twinchain::net {
namespace {

constexpr std::uint16_t snapshot_version = 1;
constexpr std::uint8_t kind_part = 1;
constexpr std::uint8_t kind_delta = 2;

std::unexpected<Error> bad_snapshot(std::size_t offset, const std::string& what) {
  return fail(ExitCode::malformed, "snapshot: byte " + std::to_string(offset) + ": " + what);
}

void append_info(Bytes& out, const SnapshotInfo& info, std::uint8_t kind) {
  append_le(out, snapshot_version);
  append_le(out, kind);
  append_le(out, std::uint8_t{0});
  append_le(out, info.count);
  append_le(out, info.id);
  append(out, info.root);
  append(out, info.tip);
  append_le(out, info.height);
  append_le(out, info.bits);
  append_le(out, info.min_time_s);
  append_le(out, info.expected_difference);
  append_le(out, info.fees_sat);
  append_le(out, info.size_bytes);
}

struct InfoAndKind {
  SnapshotInfo info;
  std::uint8_t kind = 0;
};

Result<InfoAndKind> read_info(ByteCursor& cursor) {
  InfoAndKind read;
  SnapshotInfo& info = read.info;
  const auto version = cursor.read_le<std::uint16_t>();
  read.kind = cursor.read_le<std::uint8_t>();
  const auto zero = cursor.read_le<std::uint8_t>();
  info.count = cursor.read_le<std::uint32_t>();
  info.id = cursor.read_le<std::uint64_t>();
  info.root = cursor.read_array<32>();
  info.tip = cursor.read_array<32>();
  info.height = cursor.read_le<std::uint32_t>();
  info.bits = cursor.read_le<std::uint32_t>();
  info.min_time_s = cursor.read_le<std::uint32_t>();
  info.expected_difference = cursor.read_le<std::uint32_t>();
  info.fees_sat = cursor.read_le<std::int64_t>();
  info.size_bytes = cursor.read_le<std::uint64_t>();
  if (!cursor.ok()) return bad_snapshot(cursor.offset(), "the header is cut off");
  if (version != snapshot_version) return bad_snapshot(0, "version " + std::to_string(version));
  if (read.kind != kind_part && read.kind != kind_delta) {
    return bad_snapshot(2, "kind " + std::to_string(read.kind));
  }
  if (zero != 0) return bad_snapshot(3, "the reserved field is not zero");
  if (info.count > max_snapshot_count)
    return bad_snapshot(4, "more transactions than a list may have");
  if (info.id == 0) return bad_snapshot(8, "number 0");
  if (info.fees_sat < 0) return bad_snapshot(96, "negative fees");
  return read;
}

// Numbers in base 128, low digits first, in their shortest form.
void append_gap(Bytes& out, std::uint32_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<std::uint8_t>(value | 0x80));
  out.push_back(static_cast<std::uint8_t>(value));
}

std::optional<std::uint64_t> read_gap(ByteCursor& cursor) {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 35; shift += 7) {
    const auto byte = cursor.read_le<std::uint8_t>();
    value |= std::uint64_t{byte & 0x7fU} << shift;
    if ((byte & 0x80) != 0) continue;
    if (!cursor.ok() || (byte == 0 && shift > 0)) return std::nullopt;
    return value;
  }
  return std::nullopt;
}

Status check_root(const Snapshot& snapshot) {
  if (snapshot.txids.size() != snapshot.info.count) {
    return fail(ExitCode::refuted, "snapshot: " + std::to_string(snapshot.txids.size()) +
                                       " transactions where " +
                                       std::to_string(snapshot.info.count) + " are stated");
  }
  if (snapshot_root(snapshot.txids) != snapshot.info.root) {
    return fail(ExitCode::refuted, "snapshot: the list does not have the root that it states");
  }
  return {};
}

}  // namespace

bool canonical_less(const Hash256& a, const Hash256& b) {
  return std::memcmp(a.data(), b.data(), a.size()) < 0;
}

bool in_canonical_order(std::span<const Hash256> txids) {
  return std::adjacent_find(txids.begin(), txids.end(), [](const Hash256& a, const Hash256& b) {
           return !canonical_less(a, b);
         }) == txids.end();
}

Hash256 snapshot_root(std::span<const Hash256> txids) {
  constexpr unsigned group_level = 12;
  constexpr std::size_t group_size = std::size_t{1} << group_level;
  constexpr std::uint8_t leaf_prefix = 0;
  MerkleFrontier tree;
  std::vector<PrefixedMessage> messages;
  std::vector<Hash256> leaves;
  while (!txids.empty()) {
    const auto group = txids.first(std::min(txids.size(), group_size));
    messages.clear();
    for (const Hash256& txid : group) messages.push_back({ByteView(&leaf_prefix, 1), txid});
    leaves.resize(group.size());
    sha256_many(messages, leaves);
    if (group.size() == group_size) {
      tree.append_subtree(group_level, merkle_root(leaves));
    } else {
      for (const Hash256& leaf : leaves) tree.append(leaf);
    }
    txids = txids.subspan(group.size());
  }
  return tree.root();
}

Snapshot make_snapshot(const SnapshotInfo& info, std::vector<Hash256> txids) {
  if (!std::is_sorted(txids.begin(), txids.end(), canonical_less)) {
    std::sort(txids.begin(), txids.end(), canonical_less);
  }
  Snapshot snapshot{info, std::move(txids)};
  snapshot.info.count = static_cast<std::uint32_t>(snapshot.txids.size());
  snapshot.info.root = snapshot_root(snapshot.txids);
  return snapshot;
}

Bytes encode_snapshot_part(const Snapshot& snapshot, std::uint32_t first) {
  const auto rest = std::span(snapshot.txids).subspan(first);
  const auto part = rest.first(std::min<std::size_t>(rest.size(), snapshot_part_count));
  Bytes out;
  out.reserve(snapshot_info_size + 8 + part.size() * 32);
  append_info(out, snapshot.info, kind_part);
  append_le(out, first);
  append_le(out, static_cast<std::uint32_t>(part.size()));
  for (const Hash256& txid : part) append(out, txid);
  return out;
}

std::vector<Bytes> encode_snapshot(const Snapshot& snapshot) {
  std::vector<Bytes> parts;
  std::uint32_t first = 0;
  do {
    parts.push_back(encode_snapshot_part(snapshot, first));
    first += snapshot_part_count;
  } while (first < snapshot.txids.size());
  return parts;
}

Result<SnapshotInfo> parse_snapshot_info(ByteView bytes) {
  ByteCursor cursor(bytes);
  auto read = read_info(cursor);
  if (!read) return pass(read);
  return read->info;
}

Status SnapshotAssembler::add(ByteView part) {
  auto added = add_checked(part);
  if (!added) {
    snapshot_ = {};
    started_ = false;
  }
  return added;
}

Status SnapshotAssembler::add_checked(ByteView part) {
  ByteCursor cursor(part);
  auto read = read_info(cursor);
  if (!read) return pass(read);
  if (read->kind != kind_part) return bad_snapshot(2, "not a part of a list");
  if (read->info.count > max_count_) return bad_snapshot(4, "more transactions than allowed here");
  const auto first = cursor.read_le<std::uint32_t>();
  const auto count = cursor.read_le<std::uint32_t>();
  if (!cursor.ok()) return bad_snapshot(cursor.offset(), "the header is cut off");
  if (first == 0) {
    snapshot_ = {read->info, {}};
    started_ = true;
  } else if (!started_ || read->info != snapshot_.info || first != snapshot_.txids.size()) {
    return bad_snapshot(snapshot_info_size, "a part that does not follow the one before");
  }
  const std::uint32_t expected =
      std::min(snapshot_part_count, read->info.count - std::min(first, read->info.count));
  if (count != expected) return bad_snapshot(snapshot_info_size + 4, "not the size of this part");
  if (cursor.remaining() != std::size_t{count} * 32) {
    return bad_snapshot(cursor.offset(), "not the number of transactions that is stated");
  }
  auto& txids = snapshot_.txids;
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::size_t offset = cursor.offset();
    const Hash256 txid = cursor.read_array<32>();
    if (!txids.empty() && !canonical_less(txids.back(), txid)) {
      return bad_snapshot(offset, "transactions that are not in ascending order");
    }
    txids.push_back(txid);
  }
  if (txids.size() == snapshot_.info.count) return check_root(snapshot_);
  return {};
}

std::optional<Snapshot> SnapshotAssembler::take() {
  if (!started_ || snapshot_.txids.size() != snapshot_.info.count) return std::nullopt;
  started_ = false;
  return std::exchange(snapshot_, {});
}

Result<Bytes> encode_snapshot_delta(const Snapshot& base, const Snapshot& next) {
  Bytes removed;
  std::vector<Hash256> added;
  std::uint32_t removed_count = 0;
  std::uint32_t after_last = 0;
  std::size_t i = 0;
  std::size_t j = 0;
  while (i < base.txids.size() || j < next.txids.size()) {
    const bool in_base = i < base.txids.size() &&
                         (j == next.txids.size() || !canonical_less(next.txids[j], base.txids[i]));
    const bool in_next = j < next.txids.size() &&
                         (i == base.txids.size() || !canonical_less(base.txids[i], next.txids[j]));
    if (in_base && !in_next) {
      append_gap(removed, static_cast<std::uint32_t>(i) - after_last);
      after_last = static_cast<std::uint32_t>(i) + 1;
      ++removed_count;
    }
    if (in_next && !in_base) added.push_back(next.txids[j]);
    i += in_base ? 1 : 0;
    j += in_next ? 1 : 0;
  }
  if (added.size() > snapshot_part_count) {
    return fail(ExitCode::malformed, "snapshot: too large a change for a delta");
  }
  Bytes out;
  out.reserve(snapshot_info_size + 48 + removed.size() + added.size() * 32);
  append_info(out, next.info, kind_delta);
  append_le(out, base.info.id);
  append(out, base.info.root);
  append_le(out, removed_count);
  append_le(out, static_cast<std::uint32_t>(added.size()));
  append(out, removed);
  for (const Hash256& txid : added) append(out, txid);
  return out;
}

Result<Snapshot> apply_snapshot_delta(const Snapshot& base, ByteView delta,
                                      std::uint32_t max_count) {
  ByteCursor cursor(delta);
  auto read = read_info(cursor);
  if (!read) return pass(read);
  if (read->kind != kind_delta) return bad_snapshot(2, "not a delta");
  if (read->info.count > max_count) return bad_snapshot(4, "more transactions than allowed here");
  const auto base_id = cursor.read_le<std::uint64_t>();
  const auto base_root = cursor.read_array<32>();
  const auto removed_count = cursor.read_le<std::uint32_t>();
  const auto added_count = cursor.read_le<std::uint32_t>();
  if (!cursor.ok()) return bad_snapshot(cursor.offset(), "the header is cut off");
  if (base_id != base.info.id || base_root != base.info.root) {
    return fail(ExitCode::unproven, "snapshot: a change of list " + std::to_string(base_id) +
                                        ", which is not the one at hand");
  }
  if (removed_count > base.txids.size() || added_count > snapshot_part_count ||
      base.txids.size() - removed_count + added_count != read->info.count) {
    return bad_snapshot(snapshot_info_size + 40, "counts that do not lead to the list's");
  }
  Snapshot next{read->info, {}};
  next.txids.reserve(read->info.count);
  std::size_t at = 0;
  for (std::uint32_t i = 0; i < removed_count; ++i) {
    const std::size_t offset = cursor.offset();
    const auto gap = read_gap(cursor);
    if (!gap || *gap >= base.txids.size() - at) {
      return bad_snapshot(offset, "not an index into the list before");
    }
    const auto kept = base.txids.begin() + static_cast<std::ptrdiff_t>(at);
    next.txids.insert(next.txids.end(), kept, kept + static_cast<std::ptrdiff_t>(*gap));
    at += *gap + 1;
  }
  next.txids.insert(next.txids.end(), base.txids.begin() + static_cast<std::ptrdiff_t>(at),
                    base.txids.end());
  const auto kept_count = static_cast<std::ptrdiff_t>(next.txids.size());
  if (cursor.remaining() != std::size_t{added_count} * 32) {
    return bad_snapshot(cursor.offset(), "not the number of transactions that is stated");
  }
  const std::size_t added_at = cursor.offset();
  for (std::uint32_t i = 0; i < added_count; ++i) next.txids.push_back(cursor.read_array<32>());
  const auto added = std::span(next.txids).subspan(static_cast<std::size_t>(kept_count));
  if (!in_canonical_order(added)) {
    return bad_snapshot(added_at, "transactions that are not in ascending order");
  }
  std::inplace_merge(next.txids.begin(), next.txids.begin() + kept_count, next.txids.end(),
                     canonical_less);
  if (!in_canonical_order(next.txids)) {
    return bad_snapshot(added_at, "a transaction that is in the list already");
  }
  TWINCHAIN_TRY(check_root(next));
  return next;
}

}  // namespace twinchain::net
