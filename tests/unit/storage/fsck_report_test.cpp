#include "twinchain/storage/fsck_report.hpp"

#include <doctest/doctest.h>

using namespace twinchain;
using namespace twinchain::storage;

TEST_CASE("fsck report: the verdict in words") {
  FsckResult result;
  result.segments = 2;
  result.frames = 30;
  result.size_bytes = 4'000;
  const auto text = [&] { return fsck_as_text(result, "rec\n"); };
  CHECK(text() == "rec\\n: 2 segments, 30 frames, 4000 bytes: sound\n");
  result.torn_tails = 1;
  CHECK(text().ends_with(": sound but for an interrupted write\n"));
  result.index_faults = 1;
  CHECK(text().ends_with(", index wrong (store fsck --repair makes it anew)\n"));
  result.torn_tails = 0;
  result.repaired = true;
  result.duplicate_frames = 3;
  CHECK(text().ends_with(": sound, index made anew; 3 frames are stored twice\n"));
  result.harmful = 5;
  CHECK(text().find("harmed in 5 places") != std::string::npos);
}

TEST_CASE("fsck report: findings, one without a segment and one of a frame") {
  Finding index;
  index.kind = FindingKind::index;
  index.message = "the \"index\" is behind";
  Finding damage;
  damage.message = "wrong CRC";
  damage.segment = 7;
  damage.offset = 100;
  damage.size_bytes = 20;
  damage.header.emplace();
  damage.header->type = FrameType::data;
  damage.header->sequence = 4;
  CHECK(finding_as_text(damage) == "damage: wrong CRC\n");
  FsckJson json;
  json.add(index);
  json.add(damage);
  FsckResult result;
  result.harmful = 1;
  result.index_faults = 1;
  CHECK(json.finish(result) ==
        R"({"version":1,"findings":[{"kind":"index","message":"the \"index\" is behind",)"
        R"("segment":null,"offset":0,"size_bytes":0},)"
        R"({"kind":"damage","message":"wrong CRC","segment":")" +
            segment_name(7) +
            R"(","offset":100,"size_bytes":20,"type":"DATA",)"
            R"("source_id":"00000000000000000000000000000000","sequence":4}],)"
            R"("segments":0,"frames":0,"size_bytes":0,"duplicate_frames":0,"harmful_findings":1,)"
            R"("torn_tails":0,"index_faults":1,"repaired":false})"
            "\n");
}
