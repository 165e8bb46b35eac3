#include "twinchain/net/snapshot.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

#include "twinchain/crypto/merkle.hpp"

using namespace twinchain;
using namespace twinchain::net;

namespace {

std::vector<Hash256> random_txids(std::mt19937_64& random, std::size_t count) {
  std::vector<Hash256> txids(count);
  for (auto& txid : txids) {
    for (std::size_t i = 0; i < 32; i += 8) store_le(&txid[i], random());
  }
  return txids;
}

SnapshotInfo info_of(std::uint64_t id) {
  SnapshotInfo info;
  info.id = id;
  info.tip.fill(7);
  info.height = 12;
  info.bits = 0x207fffff;
  info.min_time_s = 1'700'000'000;
  info.expected_difference = 300;
  info.fees_sat = 5000;
  info.size_bytes = 123'456;
  return info;
}

Bytes with(Bytes bytes, std::size_t at, std::uint8_t value) {
  bytes[at] = value;
  return bytes;
}

std::string add_message(SnapshotAssembler& assembler, const Bytes& part) {
  const auto added = assembler.add(part);
  return added ? "" : added.error().message;
}

}  // namespace

TEST_CASE("snapshot: canonical order is that of the bytes, the first one first") {
  Hash256 low{};
  Hash256 high{};
  low[31] = 0xff;
  high[0] = 1;
  CHECK(canonical_less(low, high));
  CHECK_FALSE(canonical_less(high, low));
  CHECK_FALSE(canonical_less(low, low));
  CHECK(in_canonical_order(std::vector{low, high}));
  CHECK_FALSE(in_canonical_order(std::vector{low, low}));
  CHECK_FALSE(in_canonical_order(std::vector{high, low}));
  CHECK(in_canonical_order({}));
}

TEST_CASE("snapshot: the root is that of RFC 6962 over the txids") {
  std::mt19937_64 random(1);
  for (const std::size_t count : {0U, 1U, 2U, 3U, 4095U, 4096U, 4097U, 9000U}) {
    CAPTURE(count);
    const auto txids = random_txids(random, count);
    MerkleFrontier tree;
    for (const auto& txid : txids) tree.append(merkle_leaf(txid));
    CHECK(snapshot_root(txids) == tree.root());
  }
}

TEST_CASE("snapshot: a list goes through its parts, whatever its size") {
  std::mt19937_64 random(2);
  for (const std::size_t count : {0UL, 1UL, 100UL, std::size_t{snapshot_part_count} + 5}) {
    CAPTURE(count);
    const Snapshot snapshot = make_snapshot(info_of(3), random_txids(random, count));
    CHECK(snapshot.info.count == count);
    CHECK(in_canonical_order(snapshot.txids));
    const auto parts = encode_snapshot(snapshot);
    CHECK(parts.size() == (count > snapshot_part_count ? 2 : 1));
    SnapshotAssembler assembler;
    for (const auto& part : parts) {
      CHECK_FALSE(assembler.take());
      CHECK(parse_snapshot_info(part) == snapshot.info);
      REQUIRE(assembler.add(part));
    }
    CHECK(assembler.take() == snapshot);
    CHECK_FALSE(assembler.take());
  }
}

TEST_CASE("snapshot: a part out of place, cut off or altered is refused, and leaves nothing") {
  std::mt19937_64 random(3);
  const Snapshot snapshot = make_snapshot(info_of(3), random_txids(random, 5));
  const Bytes part = encode_snapshot(snapshot)[0];
  SnapshotAssembler assembler;
  for (std::size_t size = 0; size < part.size(); ++size) {
    CHECK_FALSE(assembler.add(ByteView(part).first(size)));
  }
  CHECK(add_message(assembler, with(part, 0, 2)) == "snapshot: byte 0: version 2");
  CHECK(add_message(assembler, with(part, 2, 9)) == "snapshot: byte 2: kind 9");
  CHECK(add_message(assembler, with(part, 2, 2)) == "snapshot: byte 2: not a part of a list");
  CHECK(add_message(assembler, with(part, 3, 1)) ==
        "snapshot: byte 3: the reserved field is not zero");
  CHECK(add_message(assembler, with(part, 7, 1)) ==
        "snapshot: byte 4: more transactions than a list may have");
  CHECK(add_message(assembler, with(part, 8, 0)) == "snapshot: byte 8: number 0");
  CHECK(add_message(assembler, with(part, 103, 0x80)) == "snapshot: byte 96: negative fees");
  CHECK(add_message(assembler, with(part, 112, 1)) ==
        "snapshot: byte 112: a part that does not follow the one before");
  CHECK(add_message(assembler, with(part, 116, 4)) ==
        "snapshot: byte 116: not the size of this part");
  Bytes swapped = part;
  std::swap_ranges(swapped.begin() + 120, swapped.begin() + 152, swapped.begin() + 152);
  CHECK(add_message(assembler, swapped) ==
        "snapshot: byte 152: transactions that are not in ascending order");
  const auto forged = assembler.add(with(part, 151, static_cast<std::uint8_t>(part[151] ^ 1)));
  REQUIRE_FALSE(forged);
  CHECK(forged.error().code == ExitCode::refuted);
  CHECK(forged.error().message == "snapshot: the list does not have the root that it states");
  CHECK_FALSE(assembler.take());
  SnapshotAssembler small(4);
  CHECK(add_message(small, part) == "snapshot: byte 4: more transactions than allowed here");
  CHECK(assembler.add(part));
  CHECK(assembler.take() == snapshot);
}

TEST_CASE("snapshot: deltas lead from list to list") {
  std::mt19937_64 random(4);
  for (int round = 0; round < 30; ++round) {
    CAPTURE(round);
    const auto txids = random_txids(random, random() % 400);
    const Snapshot base = make_snapshot(info_of(8), txids);
    std::vector<Hash256> kept;
    const auto share = random() % 5;
    for (const auto& txid : txids) {
      if (random() % 4 >= share) kept.push_back(txid);
    }
    for (const auto& txid : random_txids(random, random() % 50)) kept.push_back(txid);
    const Snapshot next = make_snapshot(info_of(9), kept);
    const auto delta = encode_snapshot_delta(base, next);
    REQUIRE(delta);
    CHECK(apply_snapshot_delta(base, *delta) == next);
    CHECK(parse_snapshot_info(*delta) == next.info);
    for (std::size_t size = 0; size < delta->size(); size += 1 + size / 20) {
      CHECK_FALSE(apply_snapshot_delta(base, ByteView(*delta).first(size)));
    }
    const auto stale = apply_snapshot_delta(next, *delta);
    REQUIRE_FALSE(stale);
    CHECK(stale.error().code == ExitCode::unproven);
  }
}

TEST_CASE("snapshot: a delta that does not lead to its root, or breaks a rule, is refused") {
  std::mt19937_64 random(5);
  const auto txids = random_txids(random, 300);
  const Snapshot base = make_snapshot(info_of(1), {txids.begin(), txids.begin() + 200});
  const Snapshot next = make_snapshot(info_of(2), {txids.begin() + 5, txids.begin() + 203});
  const Bytes delta = *encode_snapshot_delta(base, next);
  // Five gaps of one byte, or two, before the three txids added.
  REQUIRE(delta.size() <= 160 + 10 + 96);
  const auto message = [&](const Bytes& bytes) {
    const auto applied = apply_snapshot_delta(base, bytes);
    return applied ? std::string() : applied.error().message;
  };
  CHECK(message(delta).empty());
  CHECK(message(with(delta, delta.size() - 1, static_cast<std::uint8_t>(delta.back() ^ 1))) ==
        "snapshot: the list does not have the root that it states");
  CHECK(message(with(delta, 152, 4)) ==
        "snapshot: byte 152: counts that do not lead to the list's");
  CHECK(message(with(delta, 155, 1)) ==
        "snapshot: byte 152: counts that do not lead to the list's");
  CHECK(message(with(delta, 160, 0xff)).starts_with("snapshot: byte 16"));
  CHECK(message(with(delta, 2, 1)) == "snapshot: byte 2: not a delta");
  // The same transaction once more.
  const Snapshot grown = make_snapshot(info_of(2), {txids.begin(), txids.begin() + 201});
  Bytes again = *encode_snapshot_delta(base, grown);
  std::copy_n(base.txids[10].begin(), 32, again.end() - 32);
  CHECK(message(again) == "snapshot: byte 160: a transaction that is in the list already");
}
