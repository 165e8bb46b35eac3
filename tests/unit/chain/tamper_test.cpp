// What an accident and what a tamperer can do to a small record, all of it tried.
#include <doctest/doctest.h>

#include <cstdio>

#include "unit/chain/stream_maker.hpp"
#include "unit/sanitized.hpp"

using namespace twinchain;
using namespace twinchain::chain;
using namespace twinchain::chain::testing;
using twinchain::testing::step_if_sanitized;

namespace {

/// Two sources, rejects, a silent window, counter-signatures, an anchor: every kind of frame there
/// is but SLICE and EVIDENCE.
struct Record {
  Record() : first("engine-1"), second("engine-2") {
    second.record.fill(42);
    second.salt = "second";
    first.column_bytes = second.column_bytes = 8;
    first.add_windows(2);
    second.add_windows(1);
    first.add_windows(2);
    second.add_windows(1);
    first.add_cosignature(test_key(50));
    first.add_cosignature(test_key(51));  // of nobody that is known
    for (StreamMaker* maker : {&first, &second}) maker->add_anchor(100);
    for (const MadeFrame& frame : first.frames) frames.push_back(frame);
    for (const MadeFrame& frame : second.frames) frames.push_back(frame);
  }
  AuditOptions options() const {
    AuditOptions out = trusting({first.key});
    TrustedKey farmer;
    farmer.name = "farmer";
    farmer.key = test_key(50).public_key();
    out.policy.cosigners.push_back(farmer);
    return out;
  }

  StreamMaker first;
  StreamMaker second;
  Frames frames;
};

struct Tally {
  std::uint64_t tried = 0;
  std::uint64_t passed = 0;
  void print(const char* what) const {
    std::printf("%s: %llu tried, %llu noticed, %llu passed unnoticed\n", what,
                static_cast<unsigned long long>(tried),
                static_cast<unsigned long long>(tried - passed),
                static_cast<unsigned long long>(passed));
  }
};

/// Offsets of the frames in encode(frames), and one past the last.
std::vector<std::size_t> frame_offsets(const Frames& frames) {
  std::vector<std::size_t> offsets{preamble_size};
  for (const MadeFrame& frame : frames) {
    offsets.push_back(offsets.back() + frame_header_size + frame.body.size());
  }
  return offsets;
}

std::size_t frame_at(const std::vector<std::size_t>& offsets, std::size_t byte) {
  const auto after = std::upper_bound(offsets.begin(), offsets.end(), byte);
  return static_cast<std::size_t>(after - offsets.begin()) - 1;
}

bool never_passes(Tally& tally, const AuditReport& report, const std::string& what) {
  ++tally.tried;
  const bool noticed = report.code() != ExitCode::success && report.code() != ExitCode::bug;
  if (!noticed) ++tally.passed;
  CHECK_MESSAGE(noticed, what << " passes: " << summary(report));
  return noticed;
}

std::string frame_text(const MadeFrame& frame) {
  return frame_type_name(frame.header.type) + " " + std::to_string(frame.header.sequence);
}

/// The change is named with the number of its frame and, when the frame header says no other, its
/// source.
void names_frame(const AuditReport& report, const MadeFrame& frame, const std::string& what) {
  CHECK_MESSAGE(names(report, frame.header.sequence), what << " is not named: " << summary(report));
}

bool may_repeat(const MadeFrame& frame) {
  return frame.header.type == FrameType::anchor || frame.header.type == FrameType::cosignature;
}

/// One bit, another one for each byte, and all of them.
std::array<std::uint8_t, 2> flips_at(std::size_t byte) {
  return {static_cast<std::uint8_t>(1U << (byte % 8)), 0xff};
}

}  // namespace

TEST_CASE("every byte flipped is noticed and its frame is named") {
  const Record record;
  REQUIRE(audit(encode(record.frames), record.options()).code() == ExitCode::success);
  Bytes bytes = encode(record.frames);
  const std::vector<std::size_t> offsets = frame_offsets(record.frames);
  Tally tally;
  for (std::size_t i = 0; i < bytes.size(); i += step_if_sanitized(5)) {
    for (const std::uint8_t flip : flips_at(i)) {
      bytes[i] ^= flip;
      const std::string what = "byte " + std::to_string(i) + " ^ " + std::to_string(flip);
      const AuditReport report = audit(bytes, record.options());
      bytes[i] ^= flip;
      if (!never_passes(tally, report, what)) continue;
      const std::size_t frame = frame_at(offsets, i);
      if (i >= preamble_size && frame < record.frames.size()) {
        names_frame(report, record.frames[frame], what + " in " + frame_text(record.frames[frame]));
      }
    }
  }
  tally.print("bytes flipped");
}

TEST_CASE("every bit flipped with all CRCs made right again is noticed and its frame is named") {
  const Record record;
  Tally tally;
  for (std::size_t f = 0; f < record.frames.size(); ++f) {
    for (std::size_t i = 0; i < record.frames[f].body.size(); i += step_if_sanitized(5)) {
      for (const std::uint8_t flip : flips_at(i)) {
        Frames frames = record.frames;
        frames[f].body[i] ^= flip;
        mend(frames[f]);
        // The CRC of a leaf is made right again: nothing was changed.
        if (frames == record.frames) continue;
        const std::string what = frame_text(record.frames[f]) + " body byte " + std::to_string(i);
        const AuditReport report = audit(encode(frames), record.options());
        if (never_passes(tally, report, what)) names_frame(report, record.frames[f], what);
      }
    }
  }
  tally.print("body bytes flipped, CRCs made right");
}

TEST_CASE("every header byte flipped with the header CRC made right again is noticed") {
  const Record record;
  const std::vector<std::size_t> offsets = frame_offsets(record.frames);
  Tally tally;
  for (std::size_t f = 0; f < record.frames.size(); ++f) {
    for (std::size_t i = 0; i < 60; ++i) {
      for (const std::uint8_t flip : flips_at(i)) {
        Bytes bytes = encode(record.frames);
        std::uint8_t* header = bytes.data() + offsets[f];
        header[i] ^= flip;
        store_le(header + 60, crc32c(ByteView(header, 60)));
        const std::string what = frame_text(record.frames[f]) + " header byte " + std::to_string(i);
        const AuditReport report = audit(bytes, record.options());
        if (never_passes(tally, report, what)) names_frame(report, record.frames[f], what);
      }
    }
  }
  tally.print("header bytes flipped, CRCs made right");
}

TEST_CASE("no prefix passes") {
  const Record record;
  const Bytes bytes = encode(record.frames);
  Tally tally;
  for (std::size_t size = 0; size < bytes.size(); size += step_if_sanitized(3)) {
    const AuditReport report = audit(ByteView(bytes).first(size), record.options());
    never_passes(tally, report, "prefix of " + std::to_string(size) + " bytes");
    CHECK(report.code() == ExitCode::malformed);
  }
  tally.print("prefixes");
}

TEST_CASE("no frame can be left out, though the END counts again") {
  const Record record;
  Tally tally;
  for (std::size_t f = 0; f < record.frames.size(); ++f) {
    const MadeFrame& frame = record.frames[f];
    Frames frames = record.frames;
    frames.erase(frames.begin() + static_cast<std::ptrdiff_t>(f));
    const AuditReport report = audit(encode(frames), record.options());
    const std::string what = frame_text(frame) + " deleted";
    if (frame.header.type == FrameType::anchor) {
      // Without a ledger nobody can know that there was one; with one the time is not proven.
      AuditOptions asking = record.options();
      asking.offline = false;
      asking.ledger_given = true;
      asking.find_block = [](std::uint32_t, const Hash256&) -> Result<std::optional<BlockPlace>> {
        return std::optional(BlockPlace{true, 100, 1, base_ns / second_ns + 60, "test"});
      };
      REQUIRE(audit(encode(record.frames), asking).code() == ExitCode::success);
      never_passes(tally, audit(encode(frames), asking), what);
      continue;
    }
    if (frame.header.type == FrameType::cosignature) {
      // That somebody signed nobody can know, unless it is asked for.
      AuditOptions asking = record.options();
      asking.policy.required_cosigners = {"farmer"};
      const bool of_farmer = parse_cosignature_body(frame.body)->key == test_key(50).public_key();
      const AuditReport answer = audit(encode(frames), asking);
      if (of_farmer) {
        never_passes(tally, answer, what);
        CHECK(find(answer, FindingKind::cosignature_missing) != nullptr);
      }
      continue;
    }
    if (never_passes(tally, report, what)) names_frame(report, frame, what);
  }
  tally.print("frames deleted");
}

TEST_CASE("no frame can stand twice or elsewhere") {
  const Record record;
  Tally twice;
  Tally swapped;
  Tally moved;
  for (std::size_t f = 0; f < record.frames.size(); ++f) {
    const MadeFrame& frame = record.frames[f];
    // Receipts and counter-signatures may be there twice and anywhere after their link.
    if (may_repeat(frame)) continue;
    for (std::size_t to = 0; to <= record.frames.size(); ++to) {
      Frames frames = record.frames;
      frames.insert(frames.begin() + static_cast<std::ptrdiff_t>(to), frame);
      const AuditReport report = audit(encode(frames), record.options());
      const std::string what = frame_text(frame) + " again at " + std::to_string(to);
      if (never_passes(twice, report, what)) names_frame(report, frame, what);
    }
    for (std::size_t other = f + 1; other < record.frames.size(); ++other) {
      // The sources are independent, and so are frames that no other frame's place depends on.
      if (record.frames[other].header.source != frame.header.source) continue;
      if (may_repeat(record.frames[other])) continue;
      Frames frames = record.frames;
      std::swap(frames[f], frames[other]);
      never_passes(swapped, audit(encode(frames), record.options()),
                   frame_text(frame) + " exchanged with " + frame_text(record.frames[other]));
    }
    if (frame.header.type == FrameType::schema) continue;
    Frames frames = record.frames;
    frames[f].header.source =
        frame.header.source == record.first.id ? record.second.id : record.first.id;
    never_passes(moved, audit(encode(frames), record.options()),
                 frame_text(frame) + " moved to the other source");
  }
  twice.print("frames inserted again");
  swapped.print("frames exchanged");
  moved.print("frames moved between sources");
}

TEST_CASE("deleted and renumbered") {
  // The tamperer takes a window out and numbers all that follow one lower, in frame headers, header
  // leaves and links, with all CRCs right; he has no key.
  const Record record;
  Tally tally;
  for (std::uint64_t gone = 0; gone < 4; ++gone) {
    for (const bool contents_too : {false, true}) {
      Frames frames;
      for (MadeFrame frame : record.frames) {
        if (frame.header.source != record.first.id) {
          frames.push_back(frame);
          continue;
        }
        if (frame.header.sequence == gone && frame.header.type != FrameType::schema) continue;
        if (frame.header.sequence > gone) {
          --frame.header.sequence;
          if (contents_too && frame.header.type == FrameType::data) {
            store_le(&frame.body[sizeof(record::Seed) + record::leaf_head_size + 16],
                     frame.header.sequence);
          }
          if (contents_too && frame.header.type == FrameType::link) {
            store_le(&frame.body[40], frame.header.sequence);
          }
          mend(frame);
        }
        frames.push_back(std::move(frame));
      }
      // That the newest window was taken out only its known head can tell.
      AuditOptions options = record.options();
      if (gone == 3) options.head = record.first.previous;
      const AuditReport report = audit(encode(frames), options);
      const std::string what = "window " + std::to_string(gone) + " taken out";
      if (never_passes(tally, report, what)) {
        CHECK_MESSAGE(report.code() == ExitCode::refuted, what << summary(report));
        if (!contents_too && gone < 3) CHECK(find(report, FindingKind::renumbered) != nullptr);
      }
    }
  }
  tally.print("windows deleted, the rest renumbered");
}

TEST_CASE("frames of another record in the place of ours") {
  const Record record;
  StreamMaker other("engine-1");
  other.record.fill(77);
  other.salt = "other";
  other.column_bytes = 8;
  other.add_windows(4);
  other.add_anchor(100);
  Tally tally;
  for (std::size_t f = 0; f < record.frames.size(); ++f) {
    const MadeFrame& frame = record.frames[f];
    for (const MadeFrame& stranger : other.frames) {
      if (stranger.header.type != frame.header.type || stranger == frame ||
          frame.header.source != record.first.id ||
          frame.header.sequence != stranger.header.sequence) {
        continue;
      }
      Frames frames = record.frames;
      frames[f] = stranger;
      const AuditReport report = audit(encode(frames), record.options());
      const std::string what = frame_text(frame) + " exchanged for that of another record";
      if (never_passes(tally, report, what)) {
        CHECK_MESSAGE(report.code() == ExitCode::refuted, what << summary(report));
        names_frame(report, frame, what);
      }
    }
  }
  tally.print("frames exchanged for those of another record");
}

TEST_CASE("signed again with another key") {
  const Record record;
  Tally tally;
  for (std::size_t f = 0; f < record.frames.size(); ++f) {
    const MadeFrame& frame = record.frames[f];
    if (frame.header.type != FrameType::link) continue;
    for (const bool key_too : {false, true}) {
      SignedLink link = parse_link_frame(frame.header, frame.body).value();
      const SecretKey forger = test_key(200);
      if (key_too) link.link.key = forger.public_key();
      link.signature = forger.sign(link_signing_message(link_hash(link.link)));
      Frames frames = record.frames;
      frames[f] = made(frame.header, encode_link_body(link));
      const AuditReport report = audit(encode(frames), record.options());
      const std::string what = frame_text(frame) + (key_too ? " with the key in it" : "");
      if (never_passes(tally, report, what)) {
        CHECK_MESSAGE(report.code() == ExitCode::refuted, what << summary(report));
        names_frame(report, frame, what);
      }
    }
  }
  tally.print("links signed again with another key");
}

TEST_CASE("receipts exchanged") {
  const Record record;
  std::vector<std::size_t> anchors;
  for (std::size_t f = 0; f < record.frames.size(); ++f) {
    if (record.frames[f].header.type == FrameType::anchor) anchors.push_back(f);
  }
  REQUIRE(anchors.size() == 2);
  Tally tally;
  Frames frames = record.frames;
  std::swap(frames[anchors[0]].body, frames[anchors[1]].body);
  for (const std::size_t f : anchors) mend(frames[f]);
  AuditReport report = audit(encode(frames), record.options());
  never_passes(tally, report, "receipts exchanged");
  CHECK(report.findings.headline() == FindingKind::replayed_anchor);
  CHECK(report.findings.count(FindingKind::replayed_anchor) == 2);
  // A genuine receipt of an earlier link, put to a later one.
  frames = record.frames;
  const MadeFrame* early = nullptr;
  for (const MadeFrame& frame : frames) {
    if (frame.header.type == FrameType::link && frame.header.sequence == 1 && early == nullptr) {
      early = &frame;
    }
  }
  REQUIRE(early != nullptr);
  const Hash256 hash = link_hash(parse_link_body(early->body)->link);
  frames[anchors[0]].body = test_receipt(hash, 100);
  mend(frames[anchors[0]]);
  report = audit(encode(frames), record.options());
  never_passes(tally, report, "receipt of an earlier link");
  CHECK(report.findings.headline() == FindingKind::replayed_anchor);
  tally.print("receipts exchanged");
}
