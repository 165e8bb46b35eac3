// fsck and gc.

#include <doctest/doctest.h>

#include "unit/storage/store_for_tests.hpp"

using namespace twinchain;
using namespace twinchain::storage;
using namespace twinchain::testing;

namespace {

Result<GcResult> collect(TestStore& test, GcOptions options) {
  options.other_index_folder = test.index_folder();
  options.segment_bytes = test.segment_bytes;
  return collect_garbage(test.fs, test.folder, options, test.note());
}

/// 64 windows in segments of 4 KB, anchored up to `anchored`.
std::vector<TestFrame> fill(TestStore& test, Recording& engine, std::uint64_t anchored) {
  test.segment_bytes = 4000;
  auto frames = engine.windows(0, 64);
  frames.push_back(engine.anchor(anchored));
  test.put(frames);
  return frames;
}

std::size_t count_type(const std::vector<Bytes>& frames, FrameType type) {
  return static_cast<std::size_t>(std::ranges::count_if(
      frames, [&](const Bytes& frame) { return parse_frame_header(frame)->type == type; }));
}

}  // namespace

TEST_CASE("fsck: no byte of a segment can change unnoticed") {
  TestStore test;
  Recording engine("engine", 1, 30);
  const auto frames = engine.windows(0, 2);
  test.put(frames);
  const Bytes whole = test.segment(1);
  for (std::size_t i = 0; i < whole.size(); ++i) {
    test.segment(1) = whole;
    test.segment(1)[i] ^= static_cast<std::uint8_t>(1U << (i % 8));
    std::vector<Finding> findings;
    const auto result = test.check(false, &findings);
    CAPTURE(i);
    REQUIRE(result.verdict() == ExitCode::refuted);
    REQUIRE_FALSE(findings.empty());
    CHECK(findings[0].segment == 1);
    CHECK(findings[0].offset <= i);
    CHECK(findings[0].offset + std::max<std::uint64_t>(findings[0].size_bytes, 1) > i);
    CHECK(findings[0].message.starts_with(place(1, findings[0].offset)));
  }
}

TEST_CASE("fsck: a frame whose header is gone is named by the index") {
  TestStore test;
  Recording engine("engine");
  const auto frames = engine.windows(0, 3);
  test.put(frames);
  std::size_t at = preamble_size;
  for (std::size_t i = 0; i < 3; ++i) at += frames[i].bytes().size();
  std::fill_n(test.segment(1).begin() + static_cast<std::ptrdiff_t>(at), 64, std::uint8_t{0});
  std::vector<Finding> findings;
  CHECK(test.check(false, &findings).verdict() == ExitCode::refuted);
  CHECK(std::ranges::any_of(findings, [&](const Finding& finding) {
    return finding.kind == FindingKind::damage &&
           finding.message.find("DATA frame 1 of source") != std::string::npos &&
           finding.message.ends_with("is lost") && finding.offset == at;
  }));
}

TEST_CASE("fsck: torn tails, shortened and missing segments, conflicts") {
  Recording engine("engine");
  TestStore test;
  fill(test, engine, 10);
  auto files = list_segments(test.fs, {test.folder});
  const std::uint32_t last = files->back().number;
  std::vector<Finding> findings;
  SUBCASE("torn tail") {
    append(test.segment(last), ByteView(engine.data(64).bytes()).first(50));
    const auto result = test.check(false, &findings);
    CHECK(result.verdict() == ExitCode::loss);
    CHECK(result.torn_tails == 1);
    CHECK(findings.at(0).message == place(last, test.segment(last).size() - 50) +
                                        ": 50 bytes of a write that was interrupted");
    // Beside a writer it is a frame on its way.
    auto lock = test.fs.lock("rec/LOCK");
    CHECK(test.check().verdict() == ExitCode::success);
  }
  SUBCASE("shortened") {
    test.segment(last).resize(test.segment(last).size() - 1);
    CHECK(test.check(false, &findings).verdict() == ExitCode::refuted);
    CHECK(findings.at(0).kind == FindingKind::shortened);
  }
  SUBCASE("missing") {
    REQUIRE(test.memory.remove("rec/segments/" + segment_name(2)));
    CHECK(test.check(false, &findings).verdict() == ExitCode::refuted);
    CHECK(findings.at(0).kind == FindingKind::missing_segment);
  }
  SUBCASE("conflict") {
    append(test.segment(last), ByteView(engine.data(5, 1).bytes()));
    CHECK(test.check(false, &findings).verdict() == ExitCode::refuted);
    CHECK(findings.at(0).kind == FindingKind::conflict);
    CHECK(findings.at(0).header->sequence == 5);
  }
  SUBCASE("stored twice is no harm") {
    append(test.segment(last), ByteView(engine.data(5).bytes()));
    const auto result = test.check();
    CHECK(result.verdict() == ExitCode::success);
    CHECK(result.duplicate_frames == 1);
  }
  SUBCASE("malformed inside") {
    append(test.segment(last),
           ByteView(Recording::whole(engine.header(FrameType::data, 64), Bytes(99)).bytes()));
    CHECK(test.check(false, &findings).verdict() == ExitCode::refuted);
    CHECK(findings.at(0).kind == FindingKind::damage);
  }
}

TEST_CASE("fsck: an index that is wrong is reported, and made anew on request") {
  TestStore test;
  Recording engine("engine");
  const auto frames = fill(test, engine, 10);
  std::vector<Finding> findings;
  {
    auto index = Index::open(test.index_folder(), Index::Access::write);
    REQUIRE(index);
    SUBCASE("an entry is missing") {
      REQUIRE((*index)->remove({{engine.id(), FrameType::data, 7, 0}}));
    }
    SUBCASE("an entry leads elsewhere") {
      auto entry = (*index)->find({engine.id(), FrameType::data, 7, 0});
      (*entry)->offset += 8;
      REQUIRE((*index)->put(**entry));
    }
    SUBCASE("an entry is made up") {
      auto entry = (*index)->find({engine.id(), FrameType::data, 7, 0});
      (*entry)->key.sequence = 1000;
      REQUIRE((*index)->put(**entry));
    }
    REQUIRE((*index)->commit());
  }
  const auto wrong = test.check(false, &findings);
  CHECK(wrong.verdict() == ExitCode::loss);
  CHECK(wrong.harmful == 0);
  REQUIRE_FALSE(findings.empty());
  CHECK(findings[0].kind == FindingKind::index);
  const auto repaired = test.check(true);
  CHECK(repaired.repaired);
  CHECK(repaired.verdict() == ExitCode::success);
  CHECK(test.check().index_faults == 0);
  CHECK(test.exported() == bytes_of(frames));
}

TEST_CASE("fsck: no index at all, or one of another program") {
  TestStore test;
  Recording engine("engine");
  fill(test, engine, 10);
  REQUIRE(Index::wipe(test.index_folder()));
  CHECK(test.check().verdict() == ExitCode::loss);
  REQUIRE(write_file_atomically(real_fs(), test.index_folder() + "/data.mdb", Bytes(20'000, 3)));
  std::vector<Finding> findings;
  CHECK(test.check(false, &findings).verdict() == ExitCode::loss);
  CHECK(findings.at(0).message == "index: meta page 0 is none");
  CHECK(test.check(true).repaired);
  CHECK(test.check().verdict() == ExitCode::success);
}

TEST_CASE("gc: drops old data, keeps links, anchors and the schema") {
  TestStore test;
  Recording engine("engine");
  fill(test, engine, 63);
  const auto before = list_segments(test.fs, {test.folder});
  GcOptions options;
  options.now_ns = start_ns + 64 * second_ns;
  options.keep_ns = 30 * second_ns;
  SUBCASE("dry run") {
    options.dry_run = true;
    auto result = collect(test, options);
    REQUIRE(result);
    CHECK(result->dropped_frames > 20);
    CHECK(count_type(test.exported(), FrameType::data) == 64);
    return;
  }
  auto result = collect(test, options);
  REQUIRE_MESSAGE(result, (result ? "" : result.error().message));
  CHECK(result->held_back.empty());
  CHECK(result->dropped_frames > 20);
  CHECK(result->dropped_frames <= 34);
  const auto after = list_segments(test.fs, {test.folder});
  CHECK(after->size() < before->size());
  const auto left = test.exported();
  CHECK(count_type(left, FrameType::data) == 64 - result->dropped_frames);
  CHECK(count_type(left, FrameType::link) == 64);
  CHECK(count_type(left, FrameType::anchor) == 1);
  CHECK(count_type(left, FrameType::schema) == 1);
  CHECK(test.check().verdict() == ExitCode::success);
  CHECK(*read_dropped(test.fs, {test.folder}) ==
        SourceNumbers{{engine.id(), result->dropped_frames}});
  // What is left can be had, with its schema, which was in a segment that is gone.
  storage::GetRequest request;
  request.first_sequence = 60;
  CHECK(count_type(test.got(request), FrameType::schema) == 1);
  // Nothing more to do; and the index is what a new one would be.
  CHECK(collect(test, options)->dropped_frames == 0);
  REQUIRE(Index::wipe(test.index_folder()));
  CHECK(test.exported() == left);
  CHECK(test.check().verdict() == ExitCode::success);
  // Dropped data may come back, from a backup.
  test.put(engine.windows(64, 2));
  test.put({engine.data(3)});
  CHECK(count_type(test.exported(), FrameType::data) == 64 - result->dropped_frames + 3);
}

TEST_CASE("gc: never past the newest anchor, unless forced") {
  TestStore test;
  Recording engine("engine");
  GcOptions options;
  options.keep_bytes = 0;
  SUBCASE("anchored in the middle") {
    fill(test, engine, 20);
    auto result = collect(test, options);
    REQUIRE(result);
    CHECK(result->dropped_frames > 0);
    CHECK(result->dropped_frames <= 21);
    CHECK(result->held_back.find("is not anchored yet") != std::string::npos);
    options.force = true;
    result = collect(test, options);
    REQUIRE(result);
    CHECK(result->held_back.empty());
    CHECK(count_type(test.exported(), FrameType::data) < 10);
    CHECK(count_type(test.exported(), FrameType::link) == 64);
  }
  SUBCASE("not anchored at all") {
    test.segment_bytes = 4000;
    test.put(engine.windows(0, 30));
    auto result = collect(test, options);
    REQUIRE(result);
    CHECK(result->dropped_segments == 0);
    CHECK_FALSE(result->held_back.empty());
  }
  SUBCASE("an anchor of a link that is not stored covers nothing") {
    test.segment_bytes = 4000;
    auto frames = engine.windows(0, 30);
    frames.push_back(engine.anchor(100));
    test.put(frames);
    CHECK_FALSE(collect(test, options)->held_back.empty());
  }
  CHECK(test.check().verdict() == ExitCode::success);
}

TEST_CASE("gc: run again and again it keeps few files and every link") {
  TestStore test;
  Recording engine("engine");
  test.segment_bytes = 4000;
  GcOptions options;
  options.keep_bytes = 6000;
  for (std::uint64_t round = 0; round < 12; ++round) {
    auto frames = engine.windows(round * 12, 12);
    frames.push_back(engine.anchor(round * 12 + 11));
    test.put(frames);
    REQUIRE(collect(test, options));
    REQUIRE(test.check().verdict() == ExitCode::success);
  }
  CHECK(count_type(test.exported(), FrameType::link) == 144);
  CHECK(count_type(test.exported(), FrameType::anchor) == 12);
  CHECK(count_type(test.exported(), FrameType::data) < 24);
  // 144 links of 440 bytes in files of at least 2,000.
  CHECK(list_segments(test.fs, {test.folder})->size() < 144 * 440 / 2000 + 4);
}

TEST_CASE("gc: several sources, each with its own anchor") {
  TestStore test;
  test.segment_bytes = 4000;
  Recording engine("engine");
  Recording truck("truck");
  std::vector<TestFrame> frames = {engine.schema(), truck.schema()};
  for (std::uint64_t n = 0; n < 40; ++n) {
    for (Recording* source : {&engine, &truck}) {
      frames.push_back(source->data(n));
      frames.push_back(source->link(n, frames.back()));
    }
  }
  frames.push_back(engine.anchor(39));
  frames.push_back(truck.anchor(10));
  test.put(frames);
  GcOptions options;
  options.keep_bytes = 0;
  auto result = collect(test, options);
  REQUIRE(result);
  CHECK(result->held_back.find("is not anchored yet") != std::string::npos);
  auto catalog = test.catalog();
  for (std::uint64_t n = 11; n < 40; ++n) {
    CHECK((*catalog)->find({truck.id(), FrameType::data, n, 0})->has_value());
  }
  CHECK_FALSE((*catalog)->find({engine.id(), FrameType::data, 0, 0})->has_value());
}
