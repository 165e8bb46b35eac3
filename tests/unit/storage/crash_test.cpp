// Faults at every write-like operation of a store: errors, a full disk, kill, power cuts.

#include <doctest/doctest.h>

#include "unit/storage/store_for_tests.hpp"

using namespace twinchain;
using namespace twinchain::storage;
using namespace twinchain::testing;

namespace {

/// Stores in groups of three frames; gives how many frames were durable when it ended.
std::size_t store_in_groups(TestStore& test, const std::vector<TestFrame>& frames) {
  auto store = test.writer();
  if (!store) return 0;
  std::size_t durable = 0;
  std::size_t taken = 0;
  for (const TestFrame& wanted : frames) {
    Frame frame = wanted.frame();
    std::string reason;
    auto result = (*store)->add(frame, &reason);
    if (!result) return durable;
    REQUIRE(*result != Taken::refused);
    ++taken;
    if (taken % 3 == 0) {
      if (!(*store)->commit()) return durable;
      durable = taken;
      if (taken % 6 == 0 && !(*store)->commit_index(true)) return durable;
    }
  }
  if ((*store)->close()) durable = taken;
  return durable;
}

bool holds_all(TestStore& test, const std::vector<TestFrame>& frames, std::size_t count) {
  auto catalog = test.catalog();
  REQUIRE_MESSAGE(catalog, (catalog ? "" : catalog.error().message));
  for (std::size_t i = 0; i < count; ++i) {
    const FrameHeader& header = frames[i].header;
    auto entry = (*catalog)->find({header.source, header.type, header.sequence, 0});
    if (!entry || !*entry) return false;
    auto frame = (*catalog)->fetch(**entry);
    if (!frame || !*frame) return false;
    const ByteView body = (*frame)->body.view();
    if ((*frame)->header != header || !std::ranges::equal(body, frames[i].body)) return false;
  }
  return true;
}

struct Kind {
  std::string name;
  FaultKind kind;
  int error_number;
  Survival survival;
  std::uint64_t seeds;
};

}  // namespace

TEST_CASE("store: no acknowledged frame is lost, whatever happens at whichever operation") {
  Recording engine("engine");
  const auto frames = engine.windows(0, 12);
  std::uint64_t operations = 0;
  {
    TestStore counting;
    counting.segment_bytes = 4000;
    CHECK(store_in_groups(counting, frames) == frames.size());
    operations = counting.fs.operations();
  }
  CHECK(operations > 30);
  const std::vector<Kind> kinds = {
      {"EIO", FaultKind::error, EIO, Survival::seeded, 1},
      {"full disk", FaultKind::error_for_good, ENOSPC, Survival::seeded, 1},
      {"kill", FaultKind::kill, 0, Survival::seeded, 2},
      {"power cut, nothing survives", FaultKind::power_cut, 0, Survival::nothing, 1},
      {"power cut, all survives", FaultKind::power_cut, 0, Survival::everything, 1},
      {"power cut", FaultKind::power_cut, 0, Survival::seeded, 6}};
  for (const Kind& kind : kinds) {
    for (std::uint64_t k = 1; k <= operations; ++k) {
      for (std::uint64_t seed = 0; seed < kind.seeds; ++seed) {
        CAPTURE(kind.name);
        CAPTURE(operations);
        CAPTURE(k);
        CAPTURE(seed);
        TestStore test;
        test.segment_bytes = 4000;
        test.fs.set_fault({.kind = kind.kind,
                           .operation = k,
                           .error_number = kind.error_number,
                           .survival = kind.survival,
                           .seed = seed * 1000 + k});
        const std::size_t durable = store_in_groups(test, frames);
        CAPTURE(test.fs.trace().back());
        test.fs.reboot();
        // The next start stores all again, as a spool does, and goes on.
        REQUIRE(store_in_groups(test, {}) == 0);
        if (durable > 0) REQUIRE(holds_all(test, frames, durable));
        REQUIRE(store_in_groups(test, frames) == frames.size());
        REQUIRE(holds_all(test, frames, frames.size()));
        REQUIRE(test.check().verdict() == ExitCode::success);
        REQUIRE(test.exported() == bytes_of(frames));
        test.memory.power_cut(Survival::nothing);
        CAPTURE(test.notes.size());
        const auto left = test.exported();
        CAPTURE(left.size());
        CAPTURE((test.notes.empty() ? "" : test.notes.back()));
        REQUIRE(left == bytes_of(frames));
      }
    }
  }
}

TEST_CASE("store: a failed sync leaves the segment as it was acknowledged") {
  TestStore test;
  Recording engine("engine");
  const auto frames = engine.windows(0, 6);
  test.put({frames.begin(), frames.begin() + 5});
  const Bytes before = test.segment(1);
  auto store = test.writer();
  REQUIRE(store);
  test.fs.set_fault({.kind = FaultKind::error, .operation = 2});
  Frame frame = frames[5].frame();
  std::string reason;
  REQUIRE((*store)->add(frame, &reason));
  const auto failed = (*store)->commit();
  REQUIRE_FALSE(failed);
  CHECK(failed.error().code == ExitCode::system);
  CHECK(test.segment(1) == before);
  frame = frames[6].frame();
  CHECK_FALSE((*store)->add(frame, &reason));
  store->reset();
  test.fs.set_fault({});
  test.put(frames);
  CHECK(test.exported() == bytes_of(frames));
}

TEST_CASE("store: gc may be interrupted at any operation, and what is to stay stays") {
  Recording engine("engine");
  auto frames = engine.windows(0, 16);
  frames.push_back(engine.anchor(15));
  GcOptions options;
  options.keep_bytes = 6000;
  options.segment_bytes = 3000;
  const auto collect = [&](TestStore& test) {
    options.other_index_folder = test.index_folder();
    return collect_garbage(test.fs, test.folder, options, test.note());
  };
  std::uint64_t operations = 0;
  {
    TestStore counting;
    counting.segment_bytes = 3000;
    counting.put(frames);
    counting.fs.set_fault({});
    auto result = collect(counting);
    REQUIRE_MESSAGE(result, (result ? "" : result.error().message));
    CHECK(result->dropped_segments >= 2);
    operations = counting.fs.operations();
  }
  CHECK(operations > 10);
  for (const FaultKind kind : {FaultKind::error, FaultKind::kill, FaultKind::power_cut}) {
    for (std::uint64_t k = 1; k <= operations; ++k) {
      for (std::uint64_t seed = 0; seed < (kind == FaultKind::power_cut ? 4U : 1U); ++seed) {
        CAPTURE(static_cast<int>(kind));
        CAPTURE(k);
        CAPTURE(seed);
        TestStore test;
        test.segment_bytes = 3000;
        test.put(frames);
        test.fs.set_fault({.kind = kind, .operation = k, .seed = seed * 1000 + k});
        REQUIRE_FALSE(collect(test));
        test.fs.reboot();
        test.put({});
        auto catalog = test.catalog();
        REQUIRE(catalog);
        for (const TestFrame& wanted : frames) {
          const FrameHeader& header = wanted.header;
          if (header.type == FrameType::data) continue;
          auto entry = (*catalog)->find({header.source, header.type, header.sequence, 0});
          REQUIRE(entry);
          REQUIRE(*entry);
          auto frame = (*catalog)->fetch(**entry);
          REQUIRE(frame);
          REQUIRE((*frame)->header == header);
        }
        catalog->reset();
        REQUIRE(test.check().verdict() == ExitCode::success);
        // The next gc ends what this one began.
        REQUIRE(collect(test));
        REQUIRE(test.check().verdict() == ExitCode::success);
        storage::GetRequest links;
        links.types = {FrameType::link};
        REQUIRE(test.got(links).size() == 16);
      }
    }
  }
}
