// What is left of a write that was interrupted, and of damage around it.

#include <doctest/doctest.h>

#include "unit/storage/store_for_tests.hpp"

using namespace twinchain;
using namespace twinchain::storage;
using namespace twinchain::testing;

namespace {

/// Of all segments, found by reading and not by the index.
std::vector<Bytes> sound_frames(TestStore& test) {
  std::vector<Bytes> frames;
  const auto files = list_segments(test.fs, {test.folder});
  REQUIRE(files);
  for (const SegmentFile& file : *files) {
    auto scanner = SegmentScanner::open(test.fs, Layout{test.folder, {}}.segment_path(file.number),
                                        0, file.size_bytes);
    REQUIRE(scanner);
    while (true) {
      auto event = (*scanner)->next();
      REQUIRE(event);
      if (event->kind == StreamEventKind::finished) break;
      if (event->kind != StreamEventKind::frame) continue;
      frames.push_back(encode_frame(event->frame.header, event->frame.body.view()));
    }
  }
  return frames;
}

/// A header that says how much follows, and a body with a wrong CRC that begins with `body`.
Bytes lying_frame(const Recording& engine, std::uint32_t body_size, ByteView body) {
  FrameHeader header = engine.header(FrameType::reject, 9000);
  header.body_size = body_size;
  header.body_crc = 1;
  const FrameHeaderBytes head = encode_frame_header(header);
  Bytes bytes(head.begin(), head.end());
  append(bytes, body);
  return bytes;
}

}  // namespace

TEST_CASE("store: a frame inside of a damaged one stays readable whatever is written after it") {
  Recording engine("engine");
  TestStore test;
  test.put(engine.windows(0, 2));
  const TestFrame inner = engine.anchor(1);
  const TestFrame later = engine.anchor(2);
  const auto inner_size = static_cast<std::uint32_t>(inner.bytes().size());
  const auto later_size = static_cast<std::uint32_t>(later.bytes().size());
  Bytes torn(100, 0x55);
  SUBCASE("which ends with it") {
    append(test.segment(1), lying_frame(engine, inner_size, inner.bytes()));
  }
  SUBCASE("which ends with what is stored next") {
    append(test.segment(1), lying_frame(engine, inner_size + later_size, inner.bytes()));
  }
  SUBCASE("which ends with it, and nothing is torn") {
    append(test.segment(1), lying_frame(engine, inner_size, inner.bytes()));
    append(test.segment(1), ByteView(torn).first(1));
    torn.clear();
  }
  append(test.segment(1), torn);
  auto expected = sound_frames(test);
  REQUIRE(expected.back() == inner.bytes());
  test.put({later, engine.anchor(3)});
  CHECK(test.noted("the segment stays as it is"));
  expected.push_back(later.bytes());
  expected.push_back(engine.anchor(3).bytes());
  CHECK(sound_frames(test) == expected);
  REQUIRE(Index::wipe(test.index_folder()));
  CHECK(test.exported().size() == expected.size());
  const auto checked = test.check();
  CHECK(checked.index_faults == 0);
  CHECK(checked.torn_tails == 0);
  CHECK(checked.harmful > 0);
}

TEST_CASE("store: a torn tail that others have seen is still cut by the next writer") {
  Recording engine("engine");
  TestStore test;
  const auto frames = engine.windows(0, 4);
  test.put(frames);
  const std::size_t whole = test.segment(1).size();
  const Bytes next = engine.anchor(3).bytes();
  append(test.segment(1), ByteView(next).first(next.size() - 10));
  SUBCASE("by a reader that mends the index") {
    REQUIRE(Index::wipe(test.index_folder()));
    CHECK(test.exported() == bytes_of(frames));
  }
  SUBCASE("by fsck --repair") {
    REQUIRE(Index::wipe(test.index_folder()));
    CHECK(test.check(true).repaired);
  }
  SUBCASE("by gc") {
    REQUIRE(Index::wipe(test.index_folder()));
    GcOptions options;
    options.other_index_folder = test.index_folder();
    options.keep_ns = 1000 * second_ns;
    options.now_ns = start_ns;
    REQUIRE(collect_garbage(test.fs, test.folder, options, test.note()));
  }
  const auto checked = test.check();
  CHECK(checked.torn_tails == 1);
  CHECK(checked.harmful == 0);
  CHECK(checked.index_faults == 0);
  test.put({});
  CHECK(test.segment(1).size() == whole);
  test.put({engine.anchor(3)});
  CHECK(test.check().verdict() == ExitCode::success);
}
