// get, export, ls, info and the catalog below them.

#include <doctest/doctest.h>

#include "twinchain/chain/slice.hpp"
#include "unit/storage/store_for_tests.hpp"

using namespace twinchain;
using namespace twinchain::storage;
using namespace twinchain::testing;

namespace {

std::vector<std::string> names_of(const std::vector<Bytes>& frames) {
  std::vector<std::string> names;
  for (const Bytes& frame : frames) {
    const auto header = parse_frame_header(frame);
    REQUIRE(header);
    names.push_back(frame_type_name(header->type) + " " + std::to_string(header->sequence));
  }
  return names;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("get: by sequence, with the schema that applies") {
  TestStore test;
  Recording engine("engine");
  auto frames = engine.windows(0, 10);
  frames.push_back(engine.reject(4, 1));
  frames.push_back(engine.anchor(5));
  test.put(frames);
  GetRequest request;
  request.source = engine.id();
  request.first_sequence = 4;
  request.last_sequence = 5;
  CHECK(names_of(test.got(request)) ==
        Names{"SCHEMA 0", "REJECT 4", "DATA 4", "LINK 4", "DATA 5", "LINK 5", "ANCHOR 5"});
  request.first_sequence = 0;
  request.last_sequence = 0;
  CHECK(test.got(request) == bytes_of({frames[0], frames[1], frames[2]}));
  request.first_sequence = 10;
  request.last_sequence = UINT64_MAX;
  CHECK(test.got(request).empty());
  request.first_sequence = UINT64_MAX;
  CHECK(test.got(request).empty());
}

TEST_CASE("get: by time, windows and event times") {
  TestStore test;
  Recording engine("engine");
  std::vector<TestFrame> frames = {engine.schema()};
  // The events of window 3 happened 100 s before, those of window 600 in the window 2.
  for (std::uint64_t n = 0; n < 700; ++n) {
    const std::int64_t shift = n == 3 ? -100 * second_ns : n == 600 ? -598 * second_ns : 0;
    frames.push_back(engine.data(n, 0, shift));
    frames.push_back(engine.link(n, frames.back()));
  }
  test.put(frames);
  GetRequest request;
  request.types = {FrameType::link};
  const auto between = [&](std::int64_t from_s, std::int64_t to_s) {
    request.range = {start_ns + from_s * second_ns, start_ns + to_s * second_ns};
    return names_of(test.got(request));
  };
  CHECK(between(300, 302) == Names{"LINK 300", "LINK 301"});
  CHECK(between(2, 3) == Names{"LINK 2", "LINK 600"});
  CHECK(between(-98, -97) == Names{});
  CHECK(between(-97, -50) == Names{"LINK 3"});
  CHECK(between(-97, -96) == Names{"LINK 3"});
  CHECK(between(699, 1000) == Names{"LINK 699"});
  CHECK(between(700, 1000) == Names{});
  request.range = {start_ns + 5 * second_ns + 999, start_ns + 5 * second_ns + 1000};
  CHECK(names_of(test.got(request)) == Names{"LINK 5"});
}

TEST_CASE("get: sources, types, and a new schema in the middle") {
  TestStore test;
  Recording engine("engine");
  Recording truck("truck");
  auto frames = engine.windows(0, 2);
  auto more = truck.windows(0, 2);
  frames.insert(frames.end(), more.begin(), more.end());
  test.put(frames);
  GetRequest request;
  CHECK(test.got(request).size() == frames.size());
  request.source = truck.id();
  CHECK(test.got(request) == bytes_of(more));
  request.types = {FrameType::data};
  CHECK(names_of(test.got(request)) == Names{"SCHEMA 0", "DATA 0", "DATA 1"});
  request.types = {FrameType::schema, FrameType::link};
  CHECK(names_of(test.got(request)) == Names{"SCHEMA 0", "LINK 0", "LINK 1"});
  request.source = source_id("nobody");
  CHECK(test.got(request).empty());
  // Data whose schema was never stored is given all the same, and that is said.
  TestStore bare;
  bare.put({engine.data(3)});
  std::vector<std::string> errors;
  CHECK(names_of(bare.got({}, &errors)) == Names{"DATA 3"});
  CHECK(errors == std::vector<std::string>{"the SCHEMA frame of DATA frame 3 is not in the store"});
}

TEST_CASE("get: a channel makes slices, and leaves rejects out") {
  TestStore test;
  Recording engine("engine");
  auto frames = engine.windows(0, 2);
  frames.push_back(engine.reject(1, 3));
  test.put(frames);
  GetRequest request;
  request.channels = {"temperature"};
  const auto slices = test.got(request);
  CHECK(names_of(slices) == Names{"SCHEMA 0", "SLICE 0", "LINK 0", "SLICE 1", "LINK 1"});
  const auto header = parse_frame_header(slices[1]);
  const ByteView body = ByteView(slices[1]).subspan(frame_header_size);
  const auto content = chain::check_slice(*header, body);
  REQUIRE_MESSAGE(content, (content ? "" : content.error().message));
  CHECK(content->root == *record::frame_root(frames[1].body));
  request.channels = {"altitude"};
  auto catalog = test.catalog();
  StreamWriter nowhere(open_file("/dev/null", 1)->release());
  auto refused = get_frames(**catalog, request, nowhere, [](const Error&) {});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ExitCode::usage);
  CHECK(refused.error().message == "source engine has no channel altitude");
}

TEST_CASE("get: a damaged frame is reported and left out, and there is no END") {
  TestStore test;
  Recording engine("engine");
  const auto frames = engine.windows(0, 3);
  test.put(frames);
  std::size_t at = preamble_size;
  for (std::size_t i = 0; i < 3; ++i) at += frames[i].bytes().size();
  test.segment(1)[at + 200] ^= 0x40;
  std::vector<std::string> errors;
  CHECK(names_of(test.got({}, &errors)) ==
        Names{"SCHEMA 0", "DATA 0", "LINK 0", "LINK 1", "DATA 2", "LINK 2"});
  CHECK(errors == std::vector<std::string>{place(1, at) + ": body crc mismatch (DATA frame 1)"});
}

TEST_CASE("catalog: sees what a writer has stored and not indexed yet") {
  TestStore test;
  Recording engine("engine");
  const auto frames = engine.windows(0, 400);
  auto store = test.writer();
  REQUIRE(store);
  std::size_t given = 0;
  const auto give = [&](std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      Frame frame = frames[given++].frame();
      std::string reason;
      REQUIRE((*store)->add(frame, &reason));
    }
    REQUIRE((*store)->commit());
  };
  give(101);
  REQUIRE((*store)->commit_index(true));
  give(200);
  // LMDB allows one open environment a process: the writer is gone, its last words are not in
  // the index.
  store->reset();
  auto catalog = test.catalog();
  REQUIRE(catalog);
  CHECK((*catalog)->tail_frames() == 200);
  CHECK((*(*catalog)->last_at_most({engine.id(), FrameType::data, UINT64_MAX, 0}))->key.sequence ==
        149);
  CHECK((*(*catalog)->last_at_most({engine.id(), FrameType::data, 20, 0}))->key.sequence == 20);
  CHECK((*(*catalog)->next_block(engine.id(), 0))->block.data_frames == 150);
  auto all = (*catalog)->entries({engine.id(), FrameType::data, 40, 0},
                                 {engine.id(), FrameType::data, 59, 0}, 100);
  REQUIRE(all);
  CHECK(all->size() == 20);
  for (std::size_t i = 0; i < all->size(); ++i) CHECK((*all)[i].key.sequence == 40 + i);
  catalog->reset();
  CHECK(test.got({}).size() == 301);
  auto text = [&] {
    auto again = test.catalog();
    return *list_as_text(test.fs, **again);
  }();
  CHECK(text.find("engine  0..149") != std::string::npos);
}

TEST_CASE("catalog: a store that cannot be written to and has no index gets one for the run") {
  TestStore test;
  Recording engine("engine");
  const auto frames = engine.windows(0, 20);
  test.put(frames);
  REQUIRE(Index::wipe(test.index_folder()));
  auto lock = test.fs.lock("rec/LOCK");  // as if another process wrote
  CHECK(test.exported() == bytes_of(frames));
  CHECK(test.noted("for this run"));
  CHECK_FALSE(*real_fs().exists(test.index_folder() + "/data.mdb"));
  lock->reset();
  CHECK(test.exported() == bytes_of(frames));
  CHECK(*real_fs().exists(test.index_folder() + "/data.mdb"));
}

TEST_CASE("catalog: no store is not an empty store") {
  TestStore test;
  auto catalog = test.catalog();
  REQUIRE_FALSE(catalog);
  CHECK(catalog.error().code == ExitCode::usage);
  CHECK(catalog.error().message == "rec is not a store");
  test.put({});
  CHECK(test.exported().empty());
  auto again = test.catalog();
  CHECK(list_as_text(test.fs, **again)->empty());
}

TEST_CASE("ls and info: sums that are right") {
  TestStore test;
  Recording engine("en\ngine");
  auto frames = engine.windows(0, 300);
  frames.erase(frames.begin() + 21);  // DATA 10
  frames.push_back(engine.lost_link(300));
  auto rest = engine.windows(301, 2);
  frames.insert(frames.end(), rest.begin(), rest.end());
  frames.push_back(engine.anchor(200));
  test.put(frames);
  auto catalog = test.catalog();
  std::size_t sources = 0;
  REQUIRE(summarize_sources(test.fs, **catalog, [&](const SourceSummary& source) -> Status {
    ++sources;
    CHECK(source.name == "en\ngine");
    CHECK(source.first_data == 0);
    CHECK(source.last_data == 302);
    CHECK(source.sums.data_frames == 301);
    CHECK(source.sums.link_frames == 303);
    CHECK(source.sums.anchor_frames == 1);
    CHECK(source.missing_data == 1);
    CHECK(source.last_link == 302);
    CHECK(source.last_anchored == 200);
    const auto link = chain::parse_link_frame(rest.back().header, rest.back().body);
    CHECK(source.head == chain::link_hash(link->link));
    CHECK(source.sums.window_start_ns == start_ns);
    CHECK(source.sums.window_end_ns == start_ns + 303 * second_ns);
    return {};
  }));
  CHECK(sources == 1);
  CHECK(list_as_text(test.fs, **catalog)->find("en\\ngine") != std::string::npos);
  const std::string json = *list_as_json(test.fs, **catalog);
  CHECK(json.find("\"source\":\"en\\ngine\"") != std::string::npos);
  CHECK(json.find("\"missing_frames\":1") != std::string::npos);
  CHECK(json.find("\"first_event\":\"2023-11-14T22:13:20Z\"") != std::string::npos);
  CHECK(info_as_json(test.fs, **catalog)->find("\"data_frames\":301") != std::string::npos);
  CHECK(info_as_text(test.fs, **catalog)->find("head hash") != std::string::npos);
}
