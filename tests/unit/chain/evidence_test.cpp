#include "twinchain/chain/evidence.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdio>

#include "unit/chain/evidence_maker.hpp"
#include "unit/sanitized.hpp"

using namespace twinchain;
using namespace twinchain::chain;
using namespace twinchain::chain::testing;
using twinchain::testing::step_if_sanitized;

namespace {

/// Twelve windows, a lost one among them, signed with three keys, the last one anchored.
StreamMaker made_record() {
  StreamMaker maker("engine-1");
  maker.column_bytes = 8;
  maker.beacon = {0x74736574, 90, sha256(as_bytes("block 90"))};
  maker.add_windows(5);
  maker.rotate(3);
  maker.add_windows(1);
  maker.add_link(maker.next_link(true));
  maker.rotate(4);
  maker.add_windows(5);
  maker.add_anchor(100);
  return maker;
}

/// The public key file of the first epoch, as a verifier has it.
EvidenceOptions trusting_first_key() {
  EvidenceOptions options;
  options.audit = trusting({test_key(1)});
  options.audit.policy.signers.front().epoch = 0;
  options.audit.policy.require_anchor = false;
  return options;
}

EvidenceOptions with_ledger() {
  EvidenceOptions options = trusting_first_key();
  options.audit.offline = false;
  options.audit.ledger_given = true;
  options.audit.find_block = [](std::uint32_t,
                                const Hash256&) -> Result<std::optional<BlockPlace>> {
    return std::optional(BlockPlace{true, 100, 7, base_ns / second_ns + 60, "test"});
  };
  return options;
}

}  // namespace

TEST_CASE("evidence: its body comes back as it was, and nothing else parses") {
  const StreamMaker maker = made_record();
  for (const std::uint64_t first : {0U, 1U, 4U}) {
    for (const std::uint64_t last : {4U, 9U, 11U}) {
      for (std::uint64_t head = last; head < 12; ++head) {
        CAPTURE(first);
        CAPTURE(last);
        CAPTURE(head);
        const Evidence evidence = evidence_of(maker, first, last, head);
        const Frames frames = bundle_of(maker, evidence, {0});
        const Bytes& body = frames.front().body;
        const auto parsed = parse_evidence_frame(frames.front().header, body);
        REQUIRE(parsed);
        CHECK(encode_evidence_body(*parsed) == body);
        for (std::size_t size = 0; size < body.size(); size += step_if_sanitized(7)) {
          const auto cut = parse_evidence_frame(frames.front().header, ByteView(body).first(size));
          REQUIRE_FALSE(cut);
          CHECK(cut.error().code == ExitCode::malformed);
        }
      }
    }
  }
}

TEST_CASE("evidence: windows are proven through lost ones, rotations and hidden channels") {
  const StreamMaker maker = made_record();
  const auto check = [&](std::uint64_t first, std::uint64_t last, std::uint64_t head) {
    const Frames frames = bundle_of(maker, evidence_of(maker, first, last, head), {0, 2});
    return check_bundle(encode(frames), with_ledger());
  };
  const AuditReport all = check(0, 11, 11);
  CHECK_MESSAGE(all.code() == ExitCode::loss, summary(all));
  REQUIRE(find(all, FindingKind::lost_window) != nullptr);
  CHECK(find(all, FindingKind::lost_window)->first_sequence == 6);
  CHECK(all.records.front().accounting.windows == 11);

  const AuditReport some = check(7, 9, 11);
  CHECK_MESSAGE(some.code() == ExitCode::success, summary(some));
  REQUIRE(some.records.size() == 1);
  const RecordReport& record = some.records.front();
  CHECK(record.first_link == 7);
  CHECK(record.last_link == 9);
  CHECK(record.proven_by_link == 11);
  CHECK(record.history_computed);
  CHECK(record.name == "engine-1");
  CHECK(record.anchors.covered_to == 9);
  CHECK(record.signers.size() == 1);
  CHECK(record.signers.front().trusted);
  CHECK(record.signers.front().epoch == 2);
  CHECK(record.accounting.hidden_leaves == 3);
  // Not anchored: link 10 has no receipt.
  const AuditReport shallow = check(7, 9, 10);
  CHECK_MESSAGE(shallow.code() == ExitCode::unproven, summary(shallow));
  CHECK(find(shallow, FindingKind::no_anchor) != nullptr);
}

TEST_CASE("evidence: nobody's key proves nothing") {
  const StreamMaker maker = made_record();
  const Bytes bytes = encode(bundle_of(maker, evidence_of(maker, 7, 9, 11), {0}));
  EvidenceOptions options = with_ledger();
  options.audit.policy.signers.clear();
  AuditReport report = check_bundle(bytes, options);
  CHECK(report.code() == ExitCode::unproven);
  CHECK(find(report, FindingKind::no_key) != nullptr);
  options = with_ledger();
  options.audit.policy.signers.front().key = test_key(77).public_key();
  report = check_bundle(bytes, options);
  CHECK(report.code() == ExitCode::refuted);
  CHECK(find(report, FindingKind::unknown_key) != nullptr);
  // A stranger's chain that begins with a link of the trusted key.
  Evidence evidence = evidence_of(maker, 7, 9, 11);
  StreamMaker stranger = made_record();
  evidence.head.link.key = test_key(66).public_key();
  evidence.head.signature = test_key(66).sign(link_signing_message(link_hash(evidence.head.link)));
  report = check_bundle(encode(bundle_of(maker, evidence, {0})), with_ledger());
  CHECK(report.code() == ExitCode::refuted);
  CHECK(find(report, FindingKind::key_not_committed) != nullptr);
}

TEST_CASE("evidence: a policy in the bundle is the sender's word until the verifier gives it") {
  const StreamMaker maker = made_record();
  Evidence evidence = evidence_of(maker, 7, 9, 11);
  evidence.policy = "min-depth = 2\n";
  const Bytes bytes = encode(bundle_of(maker, evidence, {0}));
  EvidenceOptions options = with_ledger();
  AuditReport report = check_bundle(bytes, options);
  CHECK(report.code() == ExitCode::unproven);
  CHECK(find(report, FindingKind::policy_differs) != nullptr);
  options.policy_text = "min-depth = 3\n";
  CHECK(check_bundle(bytes, options).code() == ExitCode::unproven);
  options.policy_text = evidence.policy;
  report = check_bundle(bytes, options);
  CHECK_MESSAGE(report.code() == ExitCode::success, summary(report));
}

TEST_CASE("evidence: gaps at the edges and between windows are seen") {
  StreamMaker maker("engine-1");
  maker.add_windows(3);
  maker.start_ns += 7 * second_ns;
  maker.add_windows(3);
  const auto check = [&](std::uint64_t first, std::uint64_t last) {
    EvidenceOptions options;
    options.audit = trusting({test_key(1)});
    return check_bundle(encode(bundle_of(maker, evidence_of(maker, first, last, 5), {0})), options);
  };
  CHECK(check(4, 4).code() == ExitCode::success);
  for (const auto& [first, last] : {std::pair(1, 2), std::pair(3, 4), std::pair(1, 4)}) {
    const AuditReport report =
        check(static_cast<std::uint64_t>(first), static_cast<std::uint64_t>(last));
    CHECK_MESSAGE(report.code() == ExitCode::loss, summary(report));
    CHECK(report.records.front().accounting.largest_gap_ns == 7 * second_ns);
  }
}

TEST_CASE("evidence: frames left out, twice, moved or exchanged are noticed") {
  const StreamMaker maker = made_record();
  const Frames good = bundle_of(maker, evidence_of(maker, 7, 9, 11), {0, 1, 2});
  REQUIRE(check_bundle(encode(good), with_ledger()).code() == ExitCode::success);
  for (std::size_t i = 0; i < good.size(); ++i) {
    Frames frames = good;
    frames.erase(frames.begin() + static_cast<std::ptrdiff_t>(i));
    AuditReport report = check_bundle(encode(frames), with_ledger());
    CHECK_MESSAGE(report.code() != ExitCode::success, "without frame " << i);
    frames = good;
    frames.insert(frames.begin() + static_cast<std::ptrdiff_t>(i), good[i]);
    report = check_bundle(encode(frames), with_ledger());
    CHECK_MESSAGE(report.code() != ExitCode::success, "with frame " << i << " twice");
    if (i + 1 < good.size()) {
      frames = good;
      std::swap(frames[i], frames[i + 1]);
      report = check_bundle(encode(frames), with_ledger());
      CHECK_MESSAGE(report.code() != ExitCode::success, "frame " << i << " after the next");
    }
  }
  // Another record of the same source: same windows, other data.
  StreamMaker other("engine-1");
  other.salt = "other";
  other.column_bytes = 8;
  other.add_windows(12);
  const Frames foreign = bundle_of(other, evidence_of(other, 7, 9, 11), {0, 1, 2});
  for (std::size_t i = 0; i < good.size(); ++i) {
    Frames frames = good;
    if (frames[i].body == foreign[i].body) continue;  // the schema is the same
    frames[i] = foreign[i];
    CHECK(check_bundle(encode(frames), with_ledger()).code() != ExitCode::success);
  }
  // A DATA frame would give away the seed, and so every hidden column.
  Frames frames = good;
  for (const MadeFrame& frame : maker.frames) {
    if (frame.header.type == FrameType::data && frame.header.sequence == 8) frames[3] = frame;
  }
  CHECK(check_bundle(encode(frames), with_ledger()).code() != ExitCode::success);
}

TEST_CASE("evidence: every byte changed is noticed, also with all CRCs made right again") {
  const StreamMaker maker = made_record();
  Evidence evidence = evidence_of(maker, 7, 9, 11);
  evidence.policy = "min-depth = 2\n";
  EvidenceOptions options = with_ledger();
  options.policy_text = evidence.policy;
  const Frames good = bundle_of(maker, evidence, {1});
  REQUIRE(check_bundle(encode(good), options).code() == ExitCode::success);
  std::uint64_t tried = 0;
  const auto must_fail = [&](ByteView bytes, const std::string& what) {
    ++tried;
    const AuditReport report = check_bundle(bytes, options);
    const bool noticed = report.code() != ExitCode::success && report.code() != ExitCode::bug;
    CHECK_MESSAGE(noticed, what << ": " << summary(report));
  };
  Bytes bytes = encode(good);
  for (std::size_t i = 0; i < bytes.size(); i += step_if_sanitized(7)) {
    bytes[i] ^= static_cast<std::uint8_t>(1U << (i % 8));
    must_fail(bytes, "byte " + std::to_string(i));
    bytes[i] ^= static_cast<std::uint8_t>(1U << (i % 8));
    must_fail(ByteView(bytes).first(i), "prefix of " + std::to_string(i));
  }
  for (std::size_t f = 0; f < good.size(); ++f) {
    for (std::size_t i = 0; i < good[f].body.size(); i += step_if_sanitized(5)) {
      Frames frames = good;
      frames[f].body[i] ^= static_cast<std::uint8_t>(1U << (i % 8));
      mend(frames[f]);
      // The CRC of a leaf is made right again: nothing was changed.
      if (frames == good) continue;
      must_fail(encode(frames),
                frame_type_name(frames[f].header.type) + " body byte " + std::to_string(i));
    }
    for (std::size_t field = 4; field < 56; ++field) {
      if (field >= 8 && field < 16) continue;  // size and CRC of the body are made right
      Frames frames = good;
      FrameHeaderBytes header = encode_frame_header(frames[f].header);
      header[field] ^= static_cast<std::uint8_t>(1U << (field % 8));
      store_le(&header[60], crc32c(ByteView(header).first(60)));
      auto changed = parse_frame_header(header);
      if (!changed) continue;
      frames[f].header = *changed;
      must_fail(encode(frames),
                frame_type_name(good[f].header.type) + " header byte " + std::to_string(field));
    }
  }
  std::printf("evidence: %llu changes, all noticed\n", static_cast<unsigned long long>(tried));
}

TEST_CASE("evidence: a column that is hidden cannot be found by trying its values") {
  // A door that is open or closed: two possible columns.
  const StreamMaker maker = made_record();
  const Bytes bytes = encode(bundle_of(maker, evidence_of(maker, 7, 9, 11), {0, 1}));
  const auto has = [&](ByteView needle) {
    return std::search(bytes.begin(), bytes.end(), needle.begin(), needle.end()) != bytes.end();
  };
  for (const MadeFrame& frame : maker.frames) {
    if (frame.header.type != FrameType::data || frame.header.sequence < 7 ||
        frame.header.sequence > 9) {
      continue;
    }
    const auto leaves = record::parse_leaves(frame.body).value();
    const auto salts = record::leaf_salts(record::body_seed(frame.body), leaves.size());
    const std::size_t hidden = leaves.size() - 1;  // channel 2
    // What is shown is there with its salt; of the hidden one only what needs the salt.
    CHECK(has(salts[1]));
    CHECK(has(leaves[1].bytes));
    CHECK_FALSE(has(leaves[hidden].payload));
    CHECK_FALSE(has(salts[hidden]));
    CHECK_FALSE(has(record::body_seed(frame.body)));
    CHECK(has(record::salted_leaf_hash(salts[hidden], leaves[hidden].bytes)));
    // Who guesses the column right cannot know it: no hash of it alone is there.
    CHECK_FALSE(has(sha256(leaves[hidden].bytes)));
    CHECK_FALSE(has(merkle_leaf(leaves[hidden].bytes)));
    CHECK_FALSE(has(record::salted_leaf_hash(Hash256{}, leaves[hidden].bytes)));
    for (std::size_t i = 0; i + 1 < leaves.size(); ++i) {
      CHECK_FALSE(has(record::salted_leaf_hash(salts[i], leaves[hidden].bytes)));
    }
  }
}

TEST_CASE("evidence: huge claims end at once") {
  const StreamMaker maker = made_record();
  Evidence evidence = evidence_of(maker, 7, 9, 11);
  // A head far away, with the number of hashes that it needs, and windows that are not shown.
  evidence.head.link.number = UINT64_MAX - 1;
  evidence.count = UINT64_MAX - 16;
  evidence.after->link.number = evidence.last() + 1;
  evidence.proof.left.assign(left_hash_count(evidence.proven_first()), Hash256{});
  evidence.proof.right.assign(right_hash_count(evidence.proven_end(), evidence.tree_size()),
                              Hash256{});
  evidence.keys.clear();
  evidence.head.link.epoch = 0;
  Frames frames = bundle_of(maker, evidence_of(maker, 7, 9, 11), {0});
  frames.front() = made(evidence_frame_header(evidence, 0, 0), encode_evidence_body(evidence));
  const AuditReport report = check_bundle(encode(frames), with_ledger());
  CHECK_MESSAGE(report.code() == ExitCode::refuted, summary(report));
}
