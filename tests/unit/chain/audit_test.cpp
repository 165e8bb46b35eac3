#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <random>

#include "twinchain/chain/report.hpp"
#include "twinchain/sys/fd.hpp"
#include "unit/chain/stream_maker.hpp"
#include "unit/temporary_folder.hpp"

using namespace twinchain;
using namespace twinchain::chain;
using namespace twinchain::chain::testing;

namespace {

StreamMaker small_record(int windows = 6) {
  StreamMaker maker("engine-1");
  maker.add_windows(windows);
  return maker;
}

std::size_t index_of(const Frames& frames, FrameType type, std::uint64_t sequence) {
  for (std::size_t i = 0; i < frames.size(); ++i) {
    if (frames[i].header.type == type && frames[i].header.sequence == sequence) return i;
  }
  FAIL("no such frame");
  return 0;
}

void erase(Frames& frames, FrameType type, std::uint64_t sequence) {
  frames.erase(frames.begin() + static_cast<std::ptrdiff_t>(index_of(frames, type, sequence)));
}

void check(const AuditReport& report, ExitCode code, FindingKind headline) {
  CAPTURE(summary(report));
  CHECK(report.code() == code);
  CHECK(report.findings.headline() == headline);
}

/// The report on a file whose bodies are read on the threads that hash them; the input does not
/// begin where the file does.
std::string report_on_file(const std::string& path, ByteView bytes, AuditOptions options) {
  auto file = open_file(path, O_RDWR | O_CREAT | O_TRUNC);
  REQUIRE(file);
  REQUIRE(write_all(file->get(), as_bytes(std::string("before"))));
  REQUIRE(write_all(file->get(), bytes));
  REQUIRE(::lseek(file->get(), 6, SEEK_SET) == 6);
  options.threads = 2;
  Audit run(std::move(options));
  StreamReader::Options how;
  how.defer_bodies = true;
  StreamReader reader(file->get(), how);
  REQUIRE(run.read("test", reader, InputKind::stream));
  return report_json(run.finish());
}

Bytes damaged(Bytes bytes, std::mt19937& random) {
  const auto place = [&] { return random() % bytes.size(); };
  for (auto changes = random() % 3; changes > 0 && !bytes.empty(); --changes) {
    const std::size_t at = place();
    const auto here = bytes.begin() + static_cast<std::ptrdiff_t>(at);
    const std::size_t count = std::min<std::size_t>(random() % 200'000, bytes.size() - at);
    switch (random() % 5) {
      case 0:
        bytes[at] ^= 1;
        break;
      case 1:
        bytes.resize(at);
        break;
      case 2:
        bytes.erase(here, here + static_cast<std::ptrdiff_t>(count));
        break;
      case 3:
        bytes.insert(here, count, 0x54);
        break;
      default: {
        const Bytes again(here, here + static_cast<std::ptrdiff_t>(count));
        const auto to = bytes.begin() + static_cast<std::ptrdiff_t>(place());
        bytes.insert(to, again.begin(), again.end());
      }
    }
  }
  return bytes;
}

}  // namespace

TEST_CASE("a whole record is verified") {
  StreamMaker maker = small_record();
  maker.add_anchor(100);
  const AuditReport report = audit(encode(maker.frames), trusting({maker.key}));
  CAPTURE(summary(report));
  CHECK(report.code() == ExitCode::success);
  CHECK(report.findings.all().empty());
  REQUIRE(report.records.size() == 1);
  const RecordReport& record = report.records[0];
  CHECK(record.name == "engine-1");
  CHECK(record.first_link == 0);
  CHECK(record.last_link == 5);
  CHECK(record.links == 6);
  CHECK(record.history_computed);
  CHECK(record.last_link_hash == maker.previous);
  CHECK(record.window_start_ns == base_ns);
  CHECK(record.window_end_ns == base_ns + 6 * second_ns);
  REQUIRE(record.signers.size() == 1);
  CHECK(record.signers[0].name == "node");
  CHECK(record.signers[0].trusted);
  CHECK(record.accounting.windows == 6);
  CHECK(record.accounting.silent_windows == 1);
  CHECK(record.accounting.rows == 50);
  CHECK(record.accounting.samples == 150);
  CHECK(record.accounting.rejected_rows == 2);
  CHECK(record.accounting.expected_rows == doctest::Approx(60));
  CHECK(record.accounting.short_windows == 1);
  CHECK(record.anchors.receipts == 1);
  CHECK(record.verdict.severity == Severity::note);
}

TEST_CASE("worker threads come to the same report") {
  StreamMaker maker = small_record(200);
  AuditOptions options = trusting({maker.key});
  options.threads = 3;
  const AuditReport report = audit(encode(maker.frames), options);
  CAPTURE(summary(report));
  CHECK(report.code() == ExitCode::success);
  CHECK(report.records.at(0).links == 200);
}

TEST_CASE("bodies read on worker threads: the same report, whatever is damaged") {
  StreamMaker maker("engine-1");
  maker.column_bytes = 30'000;  // large enough to be left to the workers
  maker.add_windows(12);
  const AuditOptions options = trusting({maker.key});
  const Bytes whole = encode(maker.frames);
  const twinchain::testing::TemporaryFolder folder;
  std::mt19937 random(20'261'128);
  std::size_t unharmed = 0;
  for (int round = 0; round < 80; ++round) {
    CAPTURE(round);
    Bytes bytes = damaged(whole, random);
    if (random() % 4 == 0) append(bytes, damaged(whole, random));
    const AuditReport expected = audit(bytes, options);
    if (expected.findings.all().empty()) ++unharmed;
    REQUIRE(report_on_file(folder / "file", bytes, options) == report_json(expected));
  }
  CHECK(unharmed > 3);
  CHECK(unharmed < 60);
}

TEST_CASE("nothing passes without seals, keys or frames") {
  StreamMaker maker = small_record();
  SUBCASE("no key given") {
    check(audit(encode(maker.frames), trusting({})), ExitCode::unproven, FindingKind::no_key);
  }
  SUBCASE("unknown key") {
    check(audit(encode(maker.frames), trusting({test_key(9)})), ExitCode::refuted,
          FindingKind::unknown_key);
  }
  SUBCASE("no links") {
    Frames frames;
    for (const MadeFrame& frame : maker.frames) {
      if (frame.header.type != FrameType::link) frames.push_back(frame);
    }
    check(audit(encode(frames), trusting({maker.key})), ExitCode::unproven,
          FindingKind::nothing_sealed);
  }
  SUBCASE("empty stream") {
    check(audit(encode({}), trusting({maker.key})), ExitCode::unproven,
          FindingKind::nothing_sealed);
  }
  SUBCASE("empty input") {
    check(audit({}, trusting({maker.key})), ExitCode::malformed, FindingKind::not_a_stream);
  }
  SUBCASE("not a stream") {
    check(audit(as_bytes("time,value\n1,2\n"), trusting({maker.key})), ExitCode::malformed,
          FindingKind::not_a_stream);
  }
}

TEST_CASE("cuts and truncation") {
  StreamMaker maker = small_record(8);
  AuditOptions options = trusting({maker.key});
  SUBCASE("a cut from the middle is not proven whole, and is fine when asked for") {
    Frames frames(maker.frames.begin(), maker.frames.begin() + 1);
    const std::size_t from = index_of(maker.frames, FrameType::data, 4);
    frames.insert(frames.end(), maker.frames.begin() + static_cast<std::ptrdiff_t>(from),
                  maker.frames.end());
    check(audit(encode(frames), options), ExitCode::unproven, FindingKind::cut);
    options.partial = true;
    const AuditReport report = audit(encode(frames), options);
    CAPTURE(summary(report));
    CHECK(report.code() == ExitCode::success);
    CHECK_FALSE(report.records.at(0).history_computed);
    CHECK(find(report, FindingKind::history_unknown) != nullptr);
  }
  SUBCASE("no END") {
    const AuditReport report = audit(encode(maker.frames, false), options);
    check(report, ExitCode::malformed, FindingKind::truncated);
    CHECK(find(report, FindingKind::truncated)->message ==
          "ends without an END frame, after LINK frame 7");
  }
  SUBCASE("a store's last segment may be torn") {
    Bytes bytes = encode(maker.frames, false);
    bytes.resize(bytes.size() - 10);
    maker.frames.pop_back();
    const AuditReport report = audit(bytes, options, InputKind::active_segment);
    check(report, ExitCode::unproven, FindingKind::unsealed);
    CHECK(find(report, FindingKind::torn_tail) != nullptr);
    check(audit(bytes, options, InputKind::segment), ExitCode::malformed, FindingKind::truncated);
  }
  SUBCASE("the tail is not sealed yet") {
    maker.add_data(10);
    const AuditReport report = audit(encode(maker.frames), options);
    check(report, ExitCode::unproven, FindingKind::unsealed);
    CHECK(find(report, FindingKind::unsealed)->first_sequence == 8);
  }
}

TEST_CASE("frames that are missing, moved or here twice") {
  StreamMaker maker = small_record(8);
  const AuditOptions options = trusting({maker.key});
  Frames frames = maker.frames;
  SUBCASE("a window deleted") {
    erase(frames, FrameType::data, 4);
    erase(frames, FrameType::link, 4);
    const AuditReport report = audit(encode(frames), options);
    check(report, ExitCode::refuted, FindingKind::missing_frames);
    const Finding* finding = find(report, FindingKind::missing_frames);
    CHECK(finding->first_sequence == 4);
    CHECK(finding->last_sequence == 4);
    CHECK(finding->window->start_ns == base_ns + 4 * second_ns);
    CHECK(finding->window->end_ns == base_ns + 5 * second_ns);
  }
  SUBCASE("data deleted") {
    erase(frames, FrameType::data, 4);
    const AuditReport report = audit(encode(frames), options);
    check(report, ExitCode::refuted, FindingKind::missing_data);
    CHECK(find(report, FindingKind::missing_data)->first_sequence == 4);
  }
  SUBCASE("link deleted") {
    erase(frames, FrameType::link, 4);
    const AuditReport report = audit(encode(frames), options);
    check(report, ExitCode::refuted, FindingKind::missing_link);
    CHECK(find(report, FindingKind::missing_link)->first_sequence == 4);
  }
  SUBCASE("schema deleted") {
    erase(frames, FrameType::schema, 0);
    check(audit(encode(frames), options), ExitCode::refuted, FindingKind::missing_schema);
  }
  SUBCASE("reject deleted") {
    erase(frames, FrameType::reject, 2);
    const AuditReport report = audit(encode(frames), options);
    check(report, ExitCode::refuted, FindingKind::reject_mismatch);
    CHECK(find(report, FindingKind::reject_mismatch)->first_sequence == 2);
  }
  SUBCASE("reject moved to another window") {
    const std::size_t from = index_of(frames, FrameType::reject, 2);
    const MadeFrame reject = frames[from];
    frames.erase(frames.begin() + static_cast<std::ptrdiff_t>(from));
    frames.insert(
        frames.begin() + static_cast<std::ptrdiff_t>(index_of(frames, FrameType::data, 4)), reject);
    check(audit(encode(frames), options), ExitCode::refuted, FindingKind::reject_mismatch);
  }
  SUBCASE("a splice of two cuts") {
    Frames second(frames.begin(), frames.begin() + 1);
    const auto from = static_cast<std::ptrdiff_t>(index_of(frames, FrameType::data, 6));
    second.insert(second.end(), frames.begin() + from, frames.end());
    frames.erase(frames.begin() + static_cast<std::ptrdiff_t>(index_of(frames, FrameType::data, 4)),
                 frames.end());
    Bytes bytes = encode(frames);
    append(bytes, encode(second));
    const AuditReport report = audit(bytes, options);
    check(report, ExitCode::refuted, FindingKind::splice);
    CHECK(find(report, FindingKind::splice)->first_sequence == 4);
    CHECK(find(report, FindingKind::splice)->last_sequence == 5);
  }
  SUBCASE("cut and rest together are whole") {
    const auto at = static_cast<std::ptrdiff_t>(index_of(frames, FrameType::data, 4));
    Frames second(frames.begin(), frames.begin() + 1);
    second.insert(second.end(), frames.begin() + at, frames.end());
    frames.erase(frames.begin() + at, frames.end());
    Bytes bytes = encode(frames);
    append(bytes, encode(second));
    const AuditReport report = audit(bytes, options);
    CAPTURE(summary(report));
    CHECK(report.code() == ExitCode::success);
  }
  SUBCASE("windows in another order") {
    std::swap(frames[index_of(frames, FrameType::data, 4)],
              frames[index_of(frames, FrameType::data, 5)]);
    std::swap(frames[index_of(frames, FrameType::link, 4)],
              frames[index_of(frames, FrameType::link, 5)]);
    const AuditReport report = audit(encode(frames), options);
    check(report, ExitCode::refuted, FindingKind::reordered);
    CHECK(find(report, FindingKind::missing_frames) == nullptr);
    CHECK(find(report, FindingKind::missing_data) == nullptr);
  }
  SUBCASE("link before its data") {
    std::swap(frames[index_of(frames, FrameType::data, 4)],
              frames[index_of(frames, FrameType::link, 4)]);
    const AuditReport report = audit(encode(frames), options);
    check(report, ExitCode::refuted, FindingKind::reordered);
    CHECK(report.findings.all().size() == 1);
  }
  SUBCASE("a window twice") {
    const auto at = static_cast<std::ptrdiff_t>(index_of(frames, FrameType::data, 4));
    const Frames window(frames.begin() + at, frames.begin() + at + 2);
    frames.insert(frames.begin() + at + 2, window.begin(), window.end());
    check(audit(encode(frames), options), ExitCode::loss, FindingKind::duplicate_frame);
  }
  SUBCASE("data twice") {
    const auto at = static_cast<std::ptrdiff_t>(index_of(frames, FrameType::data, 4));
    frames.insert(frames.begin() + at, MadeFrame(frames[static_cast<std::size_t>(at)]));
    const AuditReport report = audit(encode(frames), options);
    check(report, ExitCode::loss, FindingKind::duplicate_frame);
    CHECK(find(report, FindingKind::duplicate_frame)->first_sequence == 4);
  }
}

TEST_CASE("forks, other records and other keys") {
  StreamMaker maker = small_record(4);
  const AuditOptions options = trusting({maker.key});
  SUBCASE("forked chain") {
    StreamMaker branch = maker;
    branch.salt = "other";
    maker.add_window(10);
    branch.add_window(10);
    maker.frames.insert(maker.frames.end(), branch.frames.end() - 2, branch.frames.end());
    const AuditReport report = audit(encode(maker.frames), options);
    check(report, ExitCode::refuted, FindingKind::fork);
    CHECK(find(report, FindingKind::fork)->first_sequence == 4);
  }
  SUBCASE("a branch takes over") {
    StreamMaker branch = maker;
    branch.salt = "other";
    branch.add_window(10);
    branch.add_window(10);
    maker.add_window(10);
    maker.frames.insert(maker.frames.end(), branch.frames.end() - 2, branch.frames.end());
    check(audit(encode(maker.frames), options), ExitCode::refuted, FindingKind::broken_chain);
  }
  SUBCASE("frames of another record") {
    StreamMaker other("engine-1");
    other.record.fill(99);
    other.salt = "other";
    other.add_windows(6);
    maker.frames.insert(maker.frames.end(), other.frames.end() - 4, other.frames.end());
    const AuditReport report = audit(encode(maker.frames), options);
    check(report, ExitCode::refuted, FindingKind::foreign_record);
    CHECK(find(report, FindingKind::foreign_record)->count == 2);
  }
  SUBCASE("a window exchanged for that of another record") {
    StreamMaker other("engine-1");
    other.record.fill(99);
    other.salt = "other";
    other.add_windows(4);
    maker.frames[index_of(maker.frames, FrameType::data, 1)] =
        other.frames[index_of(other.frames, FrameType::data, 1)];
    const AuditReport report = audit(encode(maker.frames), options);
    check(report, ExitCode::refuted, FindingKind::altered_content);
    CHECK(find(report, FindingKind::altered_content)->first_sequence == 1);
  }
  SUBCASE("a second record of the source follows") {
    StreamMaker other("engine-1");
    other.record.fill(99);
    other.salt = "other";
    other.start_ns = base_ns + 100 * second_ns;
    other.add_windows(4);
    Bytes bytes = encode(maker.frames);
    append(bytes, encode(other.frames));
    const AuditReport report = audit(bytes, options);
    check(report, ExitCode::loss, FindingKind::new_record);
    REQUIRE(report.records.size() == 2);
    CHECK(report.records[0].links == 4);
    CHECK(report.records[1].links == 4);
    CHECK(report.records[1].history_computed);
  }
  SUBCASE("rotation that was committed to") {
    maker.rotate(3);
    maker.add_window(10);
    maker.rotate(4);
    maker.add_window(10);
    for (const std::uint8_t trusted : std::array<std::uint8_t, 3>{1, 2, 3}) {
      const AuditReport report = audit(encode(maker.frames), trusting({test_key(trusted)}));
      CAPTURE(summary(report));
      CHECK(report.code() == ExitCode::success);
      CHECK(report.records.at(0).signers.size() == 3);
    }
    check(audit(encode(maker.frames), trusting({test_key(5)})), ExitCode::refuted,
          FindingKind::unknown_key);
  }
  SUBCASE("signed again with another key from a window on") {
    maker.key = test_key(50);
    maker.add_window(10);
    maker.add_window(10);
    const AuditReport report = audit(encode(maker.frames), options);
    check(report, ExitCode::refuted, FindingKind::key_not_committed);
    CHECK(find(report, FindingKind::key_not_committed)->first_sequence == 4);
    CHECK(find(report, FindingKind::key_not_committed)->last_sequence == 5);
  }
  SUBCASE("everything signed again with another key") {
    StreamMaker forger("engine-1", 50);
    forger.add_windows(4);
    check(audit(encode(forger.frames), options), ExitCode::refuted, FindingKind::unknown_key);
  }
  SUBCASE("one link signed again with another key") {
    Link link = maker.last_link;
    maker.add_window(10);
    maker.add_window(10);
    link.key = test_key(50).public_key();
    MadeFrame& frame = maker.frames[index_of(maker.frames, FrameType::link, 3)];
    frame =
        made(link_frame_header(link),
             encode_link_body({link, test_key(50).sign(link_signing_message(link_hash(link)))}));
    const AuditReport report = audit(encode(maker.frames), options);
    check(report, ExitCode::refuted, FindingKind::key_not_committed);
    CHECK(find(report, FindingKind::key_not_committed)->first_sequence == 3);
    CHECK(find(report, FindingKind::broken_chain)->first_sequence == 4);
  }
  SUBCASE("commitment changed within an epoch") {
    maker.next_key = test_key(60);
    maker.add_window(10);
    check(audit(encode(maker.frames), options), ExitCode::refuted, FindingKind::commitment_changed);
  }
  SUBCASE("history that does not add up") {
    Link link;
    maker.add_data(10);
    link = maker.next_link();
    link.history_root[0] ^= 1;
    maker.add_link(link);
    maker.add_window(10);
    const AuditReport report = audit(encode(maker.frames), options);
    check(report, ExitCode::refuted, FindingKind::history_mismatch);
    CHECK(report.findings.count(FindingKind::history_mismatch) == 1);
  }
  SUBCASE("link and data disagree") {
    maker.add_data(10);
    Link link = maker.next_link();
    link.samples += 1;
    maker.add_link(link);
    check(audit(encode(maker.frames), options), ExitCode::refuted, FindingKind::link_disagrees);
  }
}

TEST_CASE("gaps, lost windows and clocks") {
  StreamMaker maker = small_record(4);
  AuditOptions options = trusting({maker.key});
  SUBCASE("gap") {
    maker.start_ns += 5 * second_ns;
    maker.add_window(10);
    const AuditReport report = audit(encode(maker.frames), options);
    check(report, ExitCode::loss, FindingKind::gap);
    CHECK(find(report, FindingKind::gap)->message == "nothing was recorded for 5s before frame 4");
    CHECK(report.records.at(0).accounting.gap_total_ns == 5 * second_ns);
    options.policy.largest_gap_ns = 5 * second_ns;
    CHECK(audit(encode(maker.frames), options).code() == ExitCode::success);
    options.policy.largest_gap_ns = 4 * second_ns;
    check(audit(encode(maker.frames), options), ExitCode::refuted, FindingKind::gap);
  }
  SUBCASE("lost window") {
    maker.add_link(maker.next_link(true));
    maker.add_window(10);
    const AuditReport report = audit(encode(maker.frames), options);
    check(report, ExitCode::loss, FindingKind::lost_window);
    CHECK(report.records.at(0).accounting.lost_windows == 1);
    CHECK(report.records.at(0).history_computed);
  }
  SUBCASE("windows overlap") {
    maker.start_ns -= second_ns / 2;
    maker.add_window(10);
    const AuditReport report = audit(encode(maker.frames), options);
    CAPTURE(summary(report));
    CHECK(report.code() == ExitCode::success);
    CHECK(find(report, FindingKind::window_overlap)->first_sequence == 4);
  }
  SUBCASE("wall clock set back") {
    maker.wall_offset_ns = -90 * second_ns;
    maker.add_window(10);
    maker.add_window(10);
    const AuditReport report = audit(encode(maker.frames), options);
    CAPTURE(summary(report));
    CHECK(report.code() == ExitCode::success);
    CHECK(find(report, FindingKind::wall_clock_back)->first_sequence == 4);
    CHECK(find(report, FindingKind::wall_clock_step)->first_sequence == 4);
    CHECK(find(report, FindingKind::clock_drift)->first_sequence == 4);
    CHECK(find(report, FindingKind::sealed_early)->last_sequence == 5);
    options.policy.refuse_clock_findings = true;
    CHECK(audit(encode(maker.frames), options).code() == ExitCode::refuted);
  }
  SUBCASE("fewer rows than promised") {
    options.policy.least_rows = 0.99;
    check(audit(encode(maker.frames), options), ExitCode::refuted, FindingKind::rows_missing);
    options.policy.least_rows = 0.5;
    CHECK(audit(encode(maker.frames), options).code() == ExitCode::success);
  }
  SUBCASE("the head that was asked for") {
    options.head = maker.previous;
    CHECK(audit(encode(maker.frames), options).code() == ExitCode::success);
    maker.add_window(10);
    CHECK(audit(encode(maker.frames), options).code() == ExitCode::success);
    maker.frames.resize(maker.frames.size() - 4);
    check(audit(encode(maker.frames), options), ExitCode::refuted, FindingKind::head_missing);
  }
}

TEST_CASE("anchors") {
  StreamMaker maker = small_record(4);
  AuditOptions options = trusting({maker.key});
  options.offline = false;
  options.ledger_given = true;
  BlockPlace place{true, 100, 3, base_ns / second_ns + 60, "test"};
  bool away = false;
  bool known = true;
  options.find_block = [&](std::uint32_t, const Hash256&) -> Result<std::optional<BlockPlace>> {
    if (away) return fail(ExitCode::peer, "node is away");
    if (!known) return std::optional<BlockPlace>();
    return std::optional(place);
  };
  SUBCASE("none") {
    check(audit(encode(maker.frames), options), ExitCode::unproven, FindingKind::no_anchor);
  }
  SUBCASE("of the last link") {
    maker.add_anchor(100);
    const AuditReport report = audit(encode(maker.frames), options);
    CAPTURE(summary(report));
    CHECK(report.code() == ExitCode::success);
    CHECK(report.records.at(0).anchors.covered_to == 3);
    CHECK(report.records.at(0).anchors.place->depth == 3);
  }
  SUBCASE("not deep enough") {
    maker.add_anchor(100);
    options.policy.min_depth = 4;
    check(audit(encode(maker.frames), options), ExitCode::unproven, FindingKind::anchor_not_deep);
  }
  SUBCASE("pending") {
    maker.add_anchor(100);
    maker.add_window(10);
    const AuditReport report = audit(encode(maker.frames), options);
    check(report, ExitCode::unproven, FindingKind::anchor_pending);
    CHECK(find(report, FindingKind::anchor_pending)->message == "link 4 is not anchored yet");
  }
  SUBCASE("not on the best chain") {
    maker.add_anchor(100);
    place.on_best_chain = false;
    check(audit(encode(maker.frames), options), ExitCode::refuted,
          FindingKind::anchor_not_on_chain);
  }
  SUBCASE("ledger away") {
    maker.add_anchor(100);
    away = true;
    check(audit(encode(maker.frames), options), ExitCode::peer, FindingKind::ledger_away);
  }
  SUBCASE("no ledger of this network") {
    maker.add_anchor(100);
    known = false;
    CHECK(audit(encode(maker.frames), options).code() == ExitCode::unproven);
  }
  SUBCASE("another height") {
    maker.add_anchor(101);
    check(audit(encode(maker.frames), options), ExitCode::refuted, FindingKind::bad_receipt);
  }
  SUBCASE("replayed") {
    maker.add_anchor(100);
    MadeFrame anchor = maker.frames.back();
    maker.add_window(10);
    anchor.header.sequence = 4;
    anchor.header.window_start_ns = maker.last_link.window_start_ns;
    anchor.header.window_end_ns = maker.last_link.window_end_ns;
    maker.frames.push_back(anchor);
    const AuditReport report = audit(encode(maker.frames), options);
    check(report, ExitCode::refuted, FindingKind::replayed_anchor);
    CHECK(find(report, FindingKind::replayed_anchor)->message == "the receipt is that of link 3");
  }
  SUBCASE("late, beyond what is remembered") {
    const Link early = maker.last_link;
    maker.add_windows(200);
    maker.add_anchor(100);
    FrameHeader header = link_frame_header(early);
    header.type = FrameType::anchor;
    maker.frames.push_back(made(header, test_receipt(link_hash(early), 100)));
    options.remembered_links = 64;
    const Bytes bytes = encode(maker.frames);
    const AuditReport report = audit(bytes, options);
    CAPTURE(summary(report));
    CHECK(report.code() == ExitCode::success);
    // Without a second reading it is told, not passed over.
    Audit once(options);
    StreamReader reader(bytes_source(bytes), {});
    REQUIRE(once.read("test", reader, InputKind::stream));
    CHECK(once.wants_second_reading());
    check(once.finish(), ExitCode::unproven, FindingKind::anchor_unmatched);
  }
  SUBCASE("no ledger given") {
    maker.add_anchor(100);
    options.ledger_given = false;
    check(audit(encode(maker.frames), options), ExitCode::unproven, FindingKind::anchor_unchecked);
    options.offline = true;
    CHECK(audit(encode(maker.frames), options).code() == ExitCode::success);
  }
  SUBCASE("beacon newer than the anchor") {
    maker.beacon = {0x74736574, 100, {}};
    maker.add_window(10);
    maker.add_anchor(100);
    const AuditReport report = audit(encode(maker.frames), options);
    CHECK(find(report, FindingKind::beacon_after_anchor) != nullptr);
    CHECK(report.code() == ExitCode::success);
  }
}

TEST_CASE("frames of unknown types never pass") {
  StreamMaker maker = small_record(2);
  FrameHeader header = maker.header(static_cast<FrameType>(0x1234), 2);
  maker.frames.push_back(made(header, {1, 2, 3}));
  check(audit(encode(maker.frames), trusting({maker.key})), ExitCode::unproven,
        FindingKind::unknown_frame);
  header.flags = flag_critical;
  maker.frames.back() = made(header, {1, 2, 3});
  check(audit(encode(maker.frames), trusting({maker.key})), ExitCode::malformed,
        FindingKind::critical_frame);
}

TEST_CASE("damage names its channel") {
  StreamMaker maker = small_record(4);
  const AuditOptions options = trusting({maker.key});
  MadeFrame& frame = maker.frames[index_of(maker.frames, FrameType::data, 1)];
  // From the end: gamma, beta, alpha, each 12 + 12 + 40 bytes.
  const std::size_t beta = frame.body.size() - 64 - 10;
  SUBCASE("by accident") {
    frame.body[beta] ^= 0x10;
    const AuditReport report = audit(encode(maker.frames), options);
    check(report, ExitCode::refuted, FindingKind::damaged_frame);
    REQUIRE(report.findings.all().size() == 1);
    const Finding& finding = report.findings.all()[0];
    CHECK(finding.first_sequence == 1);
    CHECK(finding.channels == std::vector<std::string>{"beta"});
    CHECK(finding.window->start_ns == base_ns + second_ns);
  }
  SUBCASE("with the body's CRC made right") {
    frame.body[beta] ^= 0x10;
    set_body(frame.header, frame.body);
    const AuditReport report = audit(encode(maker.frames), options);
    check(report, ExitCode::refuted, FindingKind::altered_content);
    CHECK(find(report, FindingKind::altered_content)->channels == std::vector<std::string>{"beta"});
  }
  SUBCASE("with all CRCs made right") {
    frame.body[beta] ^= 0x10;
    mend(frame);
    const AuditReport report = audit(encode(maker.frames), options);
    check(report, ExitCode::refuted, FindingKind::altered_content);
    CHECK(find(report, FindingKind::altered_content)->channels.empty());
  }
  SUBCASE("in the head of a column") {
    const std::size_t head = frame.body.size() - 2 * 64;
    for (std::size_t byte = head; byte < head + 16; ++byte) {
      CAPTURE(byte - head);
      Frames frames = maker.frames;
      frames[index_of(frames, FrameType::data, 1)].body[byte] ^= 0x01;
      const AuditReport report = audit(encode(frames), options);
      check(report, ExitCode::refuted, FindingKind::damaged_frame);
      CHECK(report.findings.all().at(0).channels == std::vector<std::string>{"beta"});
    }
  }
}

TEST_CASE("the list of findings is bounded and honest") {
  StreamMaker maker("engine-1");
  maker.add_schema();
  for (int i = 0; i < 10'100; ++i) {
    maker.start_ns += second_ns;
    maker.add_window(0);
  }
  const AuditReport report = audit(encode(maker.frames), trusting({maker.key}));
  CHECK(report.code() == ExitCode::loss);
  CHECK(report.findings.count(FindingKind::gap) == 10'099);
  CHECK(report.findings.all().size() == FindingList::max_of_a_kind);
  CHECK(report.findings.left_out() == 99);
}
