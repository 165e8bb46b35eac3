#include "twinchain/storage/writer.hpp"

#include <doctest/doctest.h>

#include "unit/storage/store_for_tests.hpp"

using namespace twinchain;
using namespace twinchain::storage;
using namespace twinchain::testing;

namespace {

Result<Taken> add(StoreWriter& store, const TestFrame& frame, std::string* reason = nullptr) {
  Frame copy = frame.frame();
  std::string ignored;
  return store.add(copy, reason != nullptr ? reason : &ignored);
}

}  // namespace

TEST_CASE("store: what is put comes out, in the same order and the same bytes") {
  TestStore test;
  Recording engine("engine");
  auto frames = engine.windows(0, 20);
  frames.push_back(engine.reject(20, 7));
  frames.push_back(engine.anchor(19));
  test.put(frames);
  CHECK(test.exported() == bytes_of(frames));
  CHECK(test.check().verdict() == ExitCode::success);
  // And again after the index has been lost.
  REQUIRE(Index::wipe(test.index_folder()));
  CHECK(test.exported() == bytes_of(frames));
  CHECK(test.check().verdict() == ExitCode::success);
}

TEST_CASE("store: identical frames are ignored, in the same run and in the next") {
  TestStore test;
  Recording engine("engine");
  auto frames = engine.windows(0, 5);
  frames.push_back(engine.anchor(4, 1));
  frames.push_back(engine.anchor(4, 2));
  frames.push_back(engine.reject(5, 1));
  frames.push_back(engine.reject(5, 2));
  auto store = test.writer();
  REQUIRE(store);
  for (const TestFrame& frame : frames) CHECK(*add(**store, frame) == Taken::stored);
  for (const TestFrame& frame : frames) CHECK(*add(**store, frame) == Taken::duplicate);
  REQUIRE((*store)->close());
  CHECK((*store)->stored_frames() == frames.size());
  store->reset();
  store = test.writer();
  for (const TestFrame& frame : frames) CHECK(*add(**store, frame) == Taken::duplicate);
  REQUIRE((*store)->close());
  store->reset();
  CHECK(test.exported() == bytes_of(frames));
}

TEST_CASE("store: another frame of the same number is refused, and the rest of its source") {
  TestStore test;
  Recording engine("engine");
  Recording other("other");
  test.put(engine.windows(0, 3));
  auto store = test.writer();
  REQUIRE(store);
  std::string reason;
  SUBCASE("data") {
    CHECK(*add(**store, engine.data(1, 9), &reason) == Taken::refused);
    const auto before = engine.windows(0, 1);
    std::size_t offset = preamble_size;
    for (const TestFrame& frame : before) offset += frame.bytes().size();
    CHECK(reason ==
          "DATA frame 1 is another one than the one that is stored (" + place(1, offset) + ")");
  }
  SUBCASE("data that is only queued") {
    CHECK(*add(**store, engine.data(3), &reason) == Taken::stored);
    CHECK(*add(**store, engine.data(3, 1), &reason) == Taken::refused);
  }
  SUBCASE("a link that does not continue the chain") {
    Recording fork("engine", 2);
    (void)fork.windows(0, 3);
    CHECK(*add(**store, engine.data(3), &reason) == Taken::stored);
    CHECK(*add(**store, fork.link(3, engine.data(3)), &reason) == Taken::refused);
    CHECK(reason ==
          "LINK frame 3 does not fit to LINK frame 2 that is stored: the chain has forked");
  }
  SUBCASE("a link that the stored chain does not continue") {
    TestStore gap;
    Recording whole("engine");
    auto frames = whole.windows(0, 4);
    gap.put({frames[0], frames[1], frames[2], frames[7], frames[8]});
    auto second = gap.writer();
    REQUIRE(second);
    Recording fork("engine", 2);
    (void)fork.windows(0, 2);
    CHECK(*add(**second, fork.link(2, fork.data(2)), &reason) == Taken::refused);
    CHECK(reason ==
          "LINK frame 2 does not fit to LINK frame 3 that is stored: the chain has forked");
    return;
  }
  reason = "x";
  CHECK(*add(**store, engine.data(17), &reason) == Taken::refused);
  CHECK(reason.empty());
  CHECK(*add(**store, other.data(1), &reason) == Taken::stored);
  REQUIRE((*store)->close());
  store->reset();
  CHECK(test.check().verdict() == ExitCode::success);
}

TEST_CASE("store: segments roll, and each is a whole stream") {
  TestStore test;
  test.segment_bytes = 4000;
  Recording engine("engine");
  const auto frames = engine.windows(0, 30);
  test.put(frames);
  auto files = list_segments(test.fs, {test.folder});
  REQUIRE(files);
  CHECK(files->size() > 5);
  for (const SegmentFile& file : *files) {
    CHECK(file.size_bytes <= 4000 + 80);
    const Bytes& content = test.segment(file.number);
    std::size_t at = 0;
    StreamReader::Options options;
    options.end_required = file.number != files->back().number;
    StreamReader reader(
        [&](std::span<std::uint8_t> into) -> Result<std::size_t> {
          const std::size_t count = std::min(into.size(), content.size() - at);
          std::copy_n(content.begin() + static_cast<std::ptrdiff_t>(at), count, into.begin());
          at += count;
          return count;
        },
        options);
    bool ended = false;
    while (true) {
      auto event = reader.next();
      REQUIRE(event);
      if (event->kind == StreamEventKind::finished) break;
      CHECK((event->kind == StreamEventKind::frame || event->kind == StreamEventKind::end));
      ended = event->kind == StreamEventKind::end;
    }
    CHECK(ended == options.end_required);
  }
  // A frame that is larger than a segment has one to itself.
  Recording big("big", 1, 10'000);
  test.put({big.data(0), big.data(1)});
  CHECK(test.exported().size() == frames.size() + 2);
  CHECK(test.check().verdict() == ExitCode::success);
}

TEST_CASE("store: one writer at a time, and it says so") {
  TestStore test;
  auto first = test.writer();
  REQUIRE(first);
  auto second = test.writer();
  REQUIRE_FALSE(second);
  CHECK(second.error().code == ExitCode::system);
  CHECK(second.error().message == "rec is in use by another process");
}

TEST_CASE("store: a torn tail is cut at every byte, back to the last whole frame") {
  Recording engine("engine");
  const auto frames = engine.windows(0, 3);
  Bytes whole;
  std::vector<std::size_t> ends;
  {
    TestStore test;
    test.put(frames);
    whole = test.segment(1);
  }
  for (std::size_t size = preamble_size; const TestFrame& frame : frames) {
    size += frame.bytes().size();
    ends.push_back(size);
  }
  REQUIRE(ends.back() == whole.size());
  for (std::size_t cut = 0; cut < whole.size(); ++cut) {
    if (cut > 600 && cut % 7 != 0) continue;
    TestStore test;
    REQUIRE(test.memory.make_folders("rec/segments"));
    REQUIRE(write_file_atomically(test.memory, "rec/segments/00000001.twin",
                                  ByteView(whole).first(cut)));
    std::size_t kept = 0;
    while (kept < ends.size() && ends[kept] <= cut) ++kept;
    auto store = test.writer();
    REQUIRE(store);
    const bool torn = kept == 0 ? cut > preamble_size : cut > ends[kept - 1];
    CHECK(test.noted("cut off") == torn);
    REQUIRE((*store)->close());
    store->reset();
    CHECK(test.exported() ==
          bytes_of({frames.begin(), frames.begin() + static_cast<std::ptrdiff_t>(kept)}));
    // Going on after it is as if nothing had been.
    test.put(frames);
    CHECK(test.segment(1) == whole);
  }
}

TEST_CASE("store: damage before valid frames, or in what was acknowledged, is never cut") {
  Recording engine("engine");
  const auto frames = engine.windows(0, 4);
  TestStore test;
  test.put(frames);
  const std::size_t size = test.segment(1).size();
  SUBCASE("in the middle, index lost") {
    test.segment(1)[700] ^= 1;
    REQUIRE(Index::wipe(test.index_folder()));
    test.put({});
    CHECK(test.segment(1).size() == size);
    CHECK(test.noted("damaged places"));
  }
  SUBCASE("in the last frame, index there") {
    test.segment(1)[size - 5] ^= 1;
    test.put({});
    CHECK(test.segment(1).size() == size);
    std::vector<Finding> findings;
    CHECK(test.check(false, &findings).verdict() == ExitCode::refuted);
    REQUIRE(findings.size() >= 1);
    CHECK(findings[0].header->sequence == 3);
    // The same frame comes again: it is stored again, and found.
    test.put(frames);
    CHECK(test.segment(1).size() == size + frames.back().bytes().size());
    auto catalog = test.catalog();
    auto entry = (*catalog)->find({engine.id(), FrameType::link, 3, 0});
    REQUIRE(*entry);
    CHECK((*entry)->offset == size);
    CHECK((*(*catalog)->fetch(**entry))->header == frames.back().header);
  }
  SUBCASE("a segment that became shorter is said, and stored frames can be put again") {
    test.segment(1).resize(1000);
    test.put(frames);
    CHECK(test.noted("shorter than it has been"));
    CHECK(test.exported() == bytes_of(frames));
  }
}

TEST_CASE("store: frames that nobody understands are kept as well") {
  TestStore test;
  Recording engine("engine");
  auto unknown = Recording::whole(engine.header(FrameType{0x77}, 4), Bytes(10, 1));
  auto broken_data = Recording::whole(engine.header(FrameType::data, 5), Bytes(10, 2));
  auto broken_link = Recording::whole(engine.header(FrameType::link, 5), Bytes(10, 3));
  test.put({unknown, broken_data, broken_link});
  CHECK(test.exported() == bytes_of({unknown, broken_data, broken_link}));
}
