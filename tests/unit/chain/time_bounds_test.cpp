#include "twinchain/chain/time_bounds.hpp"

#include <doctest/doctest.h>

#include "unit/chain/stream_maker.hpp"

using namespace twinchain;
using namespace twinchain::chain;
using namespace twinchain::chain::testing;

namespace {

BlockBound block(std::uint32_t height, std::uint32_t network = 1) {
  BlockBound bound;
  bound.network = network;
  bound.height = height;
  bound.block_hash[0] = static_cast<std::uint8_t>(height);
  bound.time_s = 600 * std::int64_t{height};
  return bound;
}

/// "0-4 b3 a7, 5-9 b3 -".
std::string text_of(const std::vector<TimeRun>& runs) {
  std::string text;
  for (const TimeRun& run : runs) {
    if (!text.empty()) text += ", ";
    text += std::to_string(run.first) + "-" + std::to_string(run.last);
    text += run.not_before ? " b" + std::to_string(run.not_before->height) : " -";
    text += run.not_after ? " a" + std::to_string(run.not_after->height) : " -";
  }
  return text;
}

constexpr std::uint32_t test_network = 0x74736574;

}  // namespace

TEST_CASE("beacons count from their link on, anchors up to theirs") {
  TimeBounds bounds(100);
  CHECK(text_of(bounds.runs(0, 9)) == "0-9 - -");
  bounds.add_beacon(0, block(3));
  bounds.add_beacon(2, block(3));  // the same again
  bounds.add_beacon(5, block(6));
  bounds.add_beacon(6, block(4));  // went back: says nothing new
  bounds.add_anchor(7, block(9));
  bounds.add_anchor(2, block(7));
  CHECK(text_of(bounds.runs(0, 9)) == "0-2 b3 a7, 3-4 b3 a9, 5-7 b6 a9, 8-9 b6 -");
  // A cut of the record, and a single link.
  CHECK(text_of(bounds.runs(3, 8)) == "3-4 b3 a9, 5-7 b6 a9, 8-8 b6 -");
  CHECK(text_of(bounds.runs(5, 5)) == "5-5 b6 a9");
  // A later link in an earlier block covers what is before it, too.
  bounds.add_anchor(8, block(8, 2));
  CHECK(text_of(bounds.runs(0, 9)) == "0-2 b3 a7, 3-4 b3 a8, 5-8 b6 a8, 9-9 b6 -");
  bounds.add_anchor(1, block(7));
  bounds.add_anchor(8, block(12));
  CHECK(text_of(bounds.runs(0, 9)) == "0-2 b3 a7, 3-4 b3 a8, 5-8 b6 a8, 9-9 b6 -");
  CHECK(!bounds.widened());
}

TEST_CASE("memory stays bounded, and every bound stays true") {
  constexpr std::uint64_t links = 5'000;
  TimeBounds bounds(16);
  for (std::uint64_t link = 0; link < links; ++link) {
    bounds.add_beacon(link, block(static_cast<std::uint32_t>(link)));
    bounds.add_anchor(link, block(static_cast<std::uint32_t>(link + 2)));
  }
  CHECK(bounds.widened());
  const std::vector<TimeRun> runs = bounds.runs(0, links - 1);
  CHECK(runs.size() <= 33);
  std::uint64_t next = 0;
  for (const TimeRun& run : runs) {
    CHECK(run.first == next);
    next = run.last + 1;
    REQUIRE(run.not_before);
    REQUIRE(run.not_after);
    // What is said of all of the run is true of its first and its last link.
    CHECK(run.not_before->height <= run.first);
    CHECK(run.not_after->height >= run.last + 2);
  }
  CHECK(next == links);
  std::vector<TimeRun> fewer = runs;
  CHECK(widen_runs(fewer, 3));
  CHECK(fewer.size() <= 3);
  CHECK(fewer.front().first == 0);
  CHECK(fewer.back().last == links - 1);
  for (const TimeRun& run : fewer) {
    CHECK(run.not_before->height <= run.first);
    CHECK(run.not_after->height >= run.last + 2);
  }
  CHECK(!widen_runs(fewer, 3));
}

TEST_CASE("an audit reports the bounds of each frame") {
  StreamMaker maker("engine-1");
  const auto beacon = [&](std::uint32_t height) {
    maker.beacon = {test_network, height, sha256(as_bytes(std::to_string(height)))};
  };
  maker.add_windows(1);
  beacon(50);
  maker.add_windows(2);
  maker.add_anchor(60);
  beacon(61);
  maker.add_windows(1);

  AuditOptions options = trusting({maker.key});
  AuditReport report = audit(encode(maker.frames), options);
  REQUIRE(report.records.size() == 1);
  CHECK(text_of(report.records[0].time_bounds) == "0-0 - a60, 1-2 b50 a60, 3-3 b61 -");
  CHECK(!report.records[0].time_bounds[1].not_before->confirmed);
  CHECK(!report.records[0].time_bounds[1].not_before->time_s);
  CHECK(!report.records[0].time_bounds[1].not_after->confirmed);

  options.offline = false;
  options.ledger_given = true;
  std::int64_t offset_s = 0;
  options.find_block = [&](std::uint32_t, const Hash256& hash) {
    for (std::uint32_t height : {50U, 61U}) {
      if (hash == sha256(as_bytes(std::to_string(height)))) {
        return Result<std::optional<BlockPlace>>(
            BlockPlace{true, height, 9, base_ns / second_ns + offset_s, "test"});
      }
    }
    return Result<std::optional<BlockPlace>>(
        BlockPlace{true, 60, 9, base_ns / second_ns + 60, "test"});
  };
  report = audit(encode(maker.frames), options);
  REQUIRE(report.records.size() == 1);
  CHECK(text_of(report.records[0].time_bounds) == "0-0 - a60, 1-2 b50 a60, 3-3 b61 -");
  CHECK(report.records[0].time_bounds[1].not_before->confirmed);
  CHECK(report.records[0].time_bounds[1].not_before->time_s == base_ns / second_ns);
  CHECK(report.records[0].time_bounds[1].not_after->confirmed);
  CHECK(find(report, FindingKind::sealed_before_beacon) == nullptr);

  // The sealing machine's clock is three hours behind the blocks that it knew.
  offset_s = 3 * 3600;
  report = audit(encode(maker.frames), options);
  const Finding* drift = find(report, FindingKind::sealed_before_beacon);
  REQUIRE(drift != nullptr);
  CHECK(drift->severity == Severity::note);
  CHECK(drift->first_sequence == 1);
  CHECK(drift->last_sequence == 3);
}
