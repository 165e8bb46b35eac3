#include "twinchain/net/frame_acknowledger.hpp"

#include <doctest/doctest.h>

#include "twinchain/storage/layout.hpp"
#include "unit/temporary_folder.hpp"

using namespace twinchain;
using namespace twinchain::net;
using twinchain::testing::TemporaryFolder;

namespace {

const Id128 lorry = source_id("lorry");
const Id128 engine = source_id("engine");

struct Acknowledging {
  void saw(FrameType type, const Id128& source, std::uint64_t sequence) {
    FrameHeader header;
    header.type = type;
    header.source = source;
    header.sequence = sequence;
    REQUIRE(acknowledger.saw(header));
    ++count;
  }
  void update(std::uint64_t durable, bool input_ended = false) {
    REQUIRE(acknowledger.update(durable, input_ended));
  }
  /// What the file says; nothing when it does not name the source.
  [[nodiscard]] std::optional<std::uint64_t> next(const Id128& source) const {
    auto file = storage::AcknowledgedFile::open(real_fs(), folder.path());
    REQUIRE(file);
    const auto found = file->numbers.find(source);
    return found == file->numbers.end() ? std::nullopt : std::optional(found->second);
  }

  TemporaryFolder folder;
  FrameAcknowledger acknowledger{real_fs(), folder.path()};
  std::uint64_t count = 0;
};

}  // namespace

TEST_CASE("frame acknowledger: a window counts when its link is durable") {
  Acknowledging test;
  test.saw(FrameType::schema, lorry, 7);
  test.saw(FrameType::data, lorry, 7);
  test.saw(FrameType::link, lorry, 7);
  test.saw(FrameType::data, lorry, 8);
  test.saw(FrameType::link, lorry, 8);
  test.update(2);
  CHECK_FALSE(test.next(lorry));
  test.update(4);
  CHECK(test.next(lorry) == 8);
  test.update(5);
  CHECK(test.next(lorry) == 9);
  // A lost window has a link only.
  test.saw(FrameType::link, lorry, 9);
  test.update(test.count);
  CHECK(test.next(lorry) == 10);
}

TEST_CASE(
    "frame acknowledger: without links a frame counts when the next one is there, or the end") {
  Acknowledging test;
  test.saw(FrameType::data, lorry, 0);
  test.saw(FrameType::data, engine, 0);
  test.update(2);
  CHECK_FALSE(test.next(lorry));
  test.saw(FrameType::data, lorry, 1);
  test.update(2);
  CHECK_FALSE(test.next(lorry));
  test.update(3);
  CHECK(test.next(lorry) == 2);
  CHECK_FALSE(test.next(engine));
  SUBCASE("the end") {
    test.update(3, true);
    CHECK(test.next(engine) == 1);
  }
  SUBCASE("links from now on") {
    test.saw(FrameType::link, engine, 0);
    test.saw(FrameType::data, engine, 1);
    test.update(5, true);
    CHECK(test.next(engine) == 1);
  }
  SUBCASE("the end, and not all is durable") {
    test.saw(FrameType::data, lorry, 2);
    test.update(3, true);
    CHECK(test.next(lorry) == 2);
    CHECK_FALSE(test.next(engine));
  }
}

TEST_CASE("frame acknowledger: goes on from what the file says, without a gap, never back") {
  Acknowledging test;
  {
    auto file = storage::AcknowledgedFile::open(real_fs(), test.folder.path());
    REQUIRE(file);
    file->numbers = {{lorry, 5}, {source_id("other"), 3}};
    REQUIRE(file->write());
  }
  test.saw(FrameType::link, lorry, 3);
  test.saw(FrameType::link, lorry, 6);
  test.update(2);
  CHECK(test.next(lorry) == 5);
  test.saw(FrameType::link, lorry, 5);
  test.saw(FrameType::link, lorry, 6);
  test.update(4);
  CHECK(test.next(lorry) == 7);
  CHECK(test.next(source_id("other")) == 3);
}

TEST_CASE("frame acknowledger: a folder that is not there is said with the first frame") {
  const TemporaryFolder folder;
  FrameAcknowledger acknowledger(real_fs(), folder / "nowhere");
  REQUIRE(acknowledger.update(0, true));
  const Status status = acknowledger.saw(FrameHeader{});
  REQUIRE_FALSE(status);
  CHECK(status.error().code == ExitCode::usage);
}
