#include "twinchain/storage/index.hpp"

#include <doctest/doctest.h>

#include <fstream>

#include "twinchain/storage/index_check.hpp"
#include "unit/storage/frames_for_tests.hpp"

using namespace twinchain;
using namespace twinchain::storage;
using namespace twinchain::testing;

namespace {

FrameEntry entry_of(std::uint8_t source, FrameType type, std::uint64_t sequence,
                    std::uint32_t ordinal = 0) {
  FrameEntry entry;
  entry.key.source.fill(source);
  entry.key.type = type;
  entry.key.sequence = sequence;
  entry.key.ordinal = ordinal;
  entry.segment = 3;
  entry.offset = 1000 * sequence;
  entry.body_size = 100;
  entry.body_crc = 77;
  entry.window_start_ns = static_cast<std::int64_t>(sequence) * 10;
  entry.window_end_ns = entry.window_start_ns + 10;
  if (type == FrameType::data) {
    entry.has_events = true;
    entry.first_event_ns = entry.window_start_ns - 5;
    entry.last_event_ns = entry.window_start_ns + 5;
  }
  return entry;
}

}  // namespace

TEST_CASE("index entries and blocks keep all they are given") {
  FrameEntry entry = entry_of(9, FrameType{0x1234}, 0x0102030405060708, 5);
  entry.offset = 1ULL << 40;
  entry.lost_window = true;
  entry.window_start_ns = INT64_MIN;
  const auto key = encode_key(entry.key);
  const auto value = encode_entry_value(entry);
  CHECK(decode_entry(key, value) == entry);
  CHECK_FALSE(decode_entry(ByteView(key).first(29), value));
  auto wrong = value;
  wrong[5] = 1;
  CHECK_FALSE(decode_entry(key, wrong));
  Block block;
  block.add(entry_of(1, FrameType::data, 5));
  block.add(entry_of(1, FrameType::link, 5));
  CHECK(decode_block(encode_block(block)) == block);
  CHECK(block.data_frames == 1);
  CHECK(block.frames() == 2);
  CHECK(block.first_event_ns == 45);
}

TEST_CASE("keys sort by source, type, sequence, ordinal") {
  const std::vector<FrameEntry> ordered = {
      entry_of(1, FrameType::data, 255),      entry_of(1, FrameType::data, 256),
      entry_of(1, FrameType::link, 1),        entry_of(1, FrameType::anchor, 1, 1),
      entry_of(1, FrameType::anchor, 1, 256), entry_of(2, FrameType::schema, 0)};
  for (std::size_t i = 1; i < ordered.size(); ++i) {
    CHECK(ordered[i - 1].key < ordered[i].key);
    CHECK(encode_key(ordered[i - 1].key) < encode_key(ordered[i].key));
  }
}

TEST_CASE("time ranges overlap windows and events") {
  const TimeRange range{100, 200};
  CHECK_FALSE(range.overlaps_window(0, 100));
  CHECK(range.overlaps_window(0, 101));
  CHECK(range.overlaps_window(199, 300));
  CHECK_FALSE(range.overlaps_window(200, 300));
  CHECK(range.overlaps_window(100, 100));
  CHECK_FALSE(range.overlaps_window(200, 200));
  CHECK(range.overlaps_events(50, 100));
  CHECK_FALSE(range.overlaps_events(50, 99));
  CHECK(TimeRange{}.overlaps_window(INT64_MIN, INT64_MAX));
}

TEST_CASE("index: put, find, range, remove") {
  TemporaryFolder folder;
  {
    auto index = Index::open(folder.path() + "/i", Index::Access::write);
    REQUIRE(index);
    Index& db = **index;
    for (std::uint64_t n = 0; n < 1000; ++n) {
      REQUIRE(db.put(entry_of(1, FrameType::data, n)));
      REQUIRE(db.put(entry_of(1, FrameType::link, n)));
      if (n % 2 == 0) REQUIRE(db.put(entry_of(2, FrameType::data, n)));
    }
    REQUIRE(db.set_segment({.number = 3,
                            .indexed_to = 55,
                            .frames = 4,
                            .sealed = true,
                            .first_offset = 8,
                            .first_crc = 6,
                            .last_offset = 7,
                            .last_crc = 8}));
    CHECK(db.has_changes());
    REQUIRE(db.commit());
    CHECK_FALSE(db.has_changes());
  }
  auto index = Index::open(folder.path() + "/i", Index::Access::write);
  REQUIRE(index);
  Index& db = **index;
  CHECK(*db.count_entries() == 2500);
  CHECK(*db.find(entry_of(1, FrameType::link, 999).key) == entry_of(1, FrameType::link, 999));
  CHECK_FALSE(db.find(entry_of(1, FrameType::link, 1000).key)->has_value());
  const auto range = db.entries(entry_of(1, FrameType::data, 990).key,
                                entry_of(1, FrameType::data, 2000).key, 100);
  REQUIRE(range);
  CHECK(range->size() == 10);
  CHECK(range->back() == entry_of(1, FrameType::data, 999));
  CHECK((*db.last_at_most(entry_of(2, FrameType::data, 501).key))->key.sequence == 500);
  CHECK((*db.last_at_most(entry_of(2, FrameType::data, 500).key))->key.sequence == 500);
  CHECK((*db.last_at_most(entry_of(2, FrameType::data, 5000).key))->key.sequence == 998);
  CHECK_FALSE(db.last_at_most(entry_of(2, FrameType::link, 5000).key)->has_value());
  CHECK(*db.next_type(range->front().key.source, FrameType::schema) == FrameType::data);
  CHECK(*db.next_type(range->front().key.source, FrameType::reject) == FrameType::link);
  CHECK_FALSE(db.next_type(range->front().key.source, FrameType::anchor)->has_value());
  const Id128 first = **db.next_source(std::nullopt);
  CHECK(first == range->front().key.source);
  const Id128 second = **db.next_source(first);
  CHECK(second == entry_of(2, FrameType::data, 0).key.source);
  CHECK_FALSE(db.next_source(second)->has_value());
  CHECK((*db.segments())[0] == *db.segment(3));
  CHECK((*db.segment(3))->first_crc == 6);
  CHECK_FALSE(db.segment(4)->has_value());

  auto block = db.next_block(first, 0);
  REQUIRE(*block);
  CHECK((*block)->number == 0);
  CHECK((*block)->block.data_frames == 256);
  CHECK((*block)->block.link_frames == 256);
  CHECK((*block)->block.window_end_ns == 2560);
  CHECK((*db.next_block(first, 3))->block.data_frames == 1000 - 768);
  CHECK_FALSE(db.next_block(first, 4)->has_value());

  // Putting again changes the place only; removing changes the sums.
  FrameEntry moved = entry_of(1, FrameType::data, 5);
  moved.offset = 99;
  REQUIRE(db.put(moved));
  CHECK((*db.find(moved.key))->offset == 99);
  CHECK((*db.next_block(first, 0))->block.data_frames == 256);
  std::vector<FrameKey> gone;
  for (std::uint64_t n = 0; n < 300; ++n) gone.push_back(entry_of(1, FrameType::data, n).key);
  REQUIRE(db.remove(gone));
  CHECK((*db.next_block(first, 0))->block.data_frames == 0);
  CHECK((*db.next_block(first, 0))->block.link_frames == 256);
  CHECK((*db.next_block(first, 1))->block.data_frames == 212);
  CHECK((*db.next_block(first, 1))->block.window_start_ns == 2560);
  db.abort();
  CHECK(*db.count_entries() == 2500);
}

TEST_CASE("index: readers see commits, beside a writer, with and without a lock table") {
  TemporaryFolder folder;
  auto writer = Index::open(folder.path(), Index::Access::write);
  REQUIRE(writer);
  REQUIRE((*writer)->put(entry_of(1, FrameType::data, 1)));
  REQUIRE((*writer)->commit());
  writer->reset();
  auto reader = Index::open(folder.path(), Index::Access::read);
  REQUIRE(reader);
  CHECK(*(*reader)->count_entries() == 1);
  const auto refused = (*reader)->put(entry_of(1, FrameType::data, 2));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ExitCode::bug);
}

TEST_CASE("index: missing, foreign and damaged ones are told from each other") {
  TemporaryFolder folder;
  auto missing = Index::open(folder.path() + "/none", Index::Access::read);
  REQUIRE_FALSE(missing);
  CHECK(missing.error().code == ExitCode::malformed);
  {
    std::ofstream(folder.path() + "/data.mdb") << std::string(10'000, 'x');
  }
  auto foreign = Index::open(folder.path(), Index::Access::write);
  REQUIRE_FALSE(foreign);
  CHECK(foreign.error().code == ExitCode::malformed);
  CHECK(foreign.error().message == "index: meta page 0 is none");
  REQUIRE(Index::wipe(folder.path()));
  CHECK(Index::open(folder.path(), Index::Access::write));
}

TEST_CASE("index check: no byte of an index can be changed to make LMDB crash") {
  TemporaryFolder folder;
  const std::string path = folder.path() + "/data.mdb";
  {
    auto index = Index::open(folder.path(), Index::Access::write);
    REQUIRE(index);
    for (std::uint64_t n = 0; n < 120; ++n) {
      REQUIRE((*index)->put(entry_of(1, FrameType::data, n)));
      REQUIRE((*index)->put(entry_of(2, FrameType::link, n)));
      if (n % 20 == 0) REQUIRE((*index)->commit());
    }
    REQUIRE((*index)->set_segment({.number = 1}));
    REQUIRE((*index)->commit());
  }
  CHECK_FALSE(check_lmdb_file(path, UINT64_MAX)->has_value());
  std::string good;
  {
    std::ifstream in(path, std::ios::binary);
    good.assign(std::istreambuf_iterator<char>(in), {});
  }
  std::size_t found = 0;
  std::uint64_t random = 1;
  for (int round = 0; round < 3000; ++round) {
    random = random * 6364136223846793005ULL + 1442695040888963407ULL;
    const std::size_t at = (random >> 33) % good.size();
    // The heads of pages more often than their content.
    const std::size_t chosen = round % 2 == 0 ? at : at / 4096 * 4096 + at % 48;
    std::string changed = good;
    changed[chosen] = static_cast<char>(changed[chosen] ^ (1 << ((random >> 20) % 8)));
    std::ofstream(path, std::ios::binary | std::ios::trunc) << changed;
    auto verdict = check_lmdb_file(path, UINT64_MAX);
    REQUIRE(verdict);
    if (*verdict) {
      ++found;
      continue;
    }
    // What passes must be safe to read whole: the answers may be wrong, the process lives.
    auto index = Index::open(folder.path(), Index::Access::read);
    if (!index) continue;
    Id128 all{};
    all.fill(0xff);
    (void)(*index)->entries({}, {all, FrameType{UINT16_MAX}, UINT64_MAX, UINT32_MAX}, 10'000);
    (void)(*index)->segments();
    (void)(*index)->next_block(Id128{}, 0);
  }
  MESSAGE(found << " of 3000 changes were found in the structure");
  CHECK(found > 300);
  for (const std::size_t size : {std::size_t{0}, std::size_t{100}, std::size_t{4096},
                                 std::size_t{8192}, good.size() - 4096}) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << good.substr(0, size);
    CHECK(check_lmdb_file(path, UINT64_MAX)->has_value());
  }
}
