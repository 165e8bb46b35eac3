// Who has counter-signed a record, as an audit reports it.
#include <doctest/doctest.h>

#include "unit/chain/stream_maker.hpp"

using namespace twinchain;
using namespace twinchain::chain;
using namespace twinchain::chain::testing;

namespace {

AuditOptions knowing(const StreamMaker& maker,
                     std::initializer_list<std::pair<const char*, std::uint8_t>> parties) {
  AuditOptions options = trusting({maker.key});
  for (const auto& [name, number] : parties) {
    TrustedKey key;
    key.name = name;
    key.key = test_key(number).public_key();
    options.policy.cosigners.push_back(std::move(key));
  }
  return options;
}

}  // namespace

TEST_CASE("the keys of one party count together, and each key is listed") {
  StreamMaker maker("engine-1");
  maker.add_windows(2);
  maker.add_cosignature(test_key(50));
  maker.add_windows(2);
  maker.add_cosignature(test_key(51));
  maker.add_cosignature(test_key(51));
  AuditOptions options = knowing(maker, {{"farmer", 50}, {"farmer", 51}});
  options.policy.required_cosigners = {"farmer"};
  const AuditReport report = audit(encode(maker.frames), options);
  CHECK_MESSAGE(report.code() == ExitCode::success, summary(report));
  REQUIRE(report.records.size() == 1);
  const auto& cosigners = report.records[0].cosigners;
  REQUIRE(cosigners.size() == 2);
  CHECK(cosigners[0].covered_to == 1);
  CHECK(cosigners[0].count == 1);
  CHECK(cosigners[1].covered_to == 3);
  CHECK(cosigners[1].count == 2);
  CHECK(cosigners[1].name == "farmer");
}

TEST_CASE("a required party may be behind by as much as the policy says") {
  StreamMaker maker("engine-1");
  maker.add_windows(2);
  maker.add_cosignature(test_key(50));
  maker.add_windows(2);  // of a second each
  AuditOptions options = knowing(maker, {{"farmer", 50}});
  options.policy.required_cosigners = {"farmer"};
  for (const auto& [within_ns, code] : {std::pair{std::int64_t{0}, ExitCode::unproven},
                                        std::pair{2 * second_ns - 1, ExitCode::unproven},
                                        std::pair{2 * second_ns, ExitCode::success}}) {
    options.policy.cosigned_within_ns = within_ns;
    CHECK(audit(encode(maker.frames), options).code() == code);
  }
}

TEST_CASE("links that memory has lost are found in a second reading") {
  StreamMaker maker("engine-1");
  maker.add_windows(1);
  const Link first = maker.last_link;
  maker.add_windows(200);
  const auto late = [&](const Hash256& hash) {
    Frames frames = maker.frames;
    frames.push_back(made(cosignature_frame_header(first),
                          encode_cosignature_body(make_cosignature(hash, test_key(50)))));
    return encode(frames);
  };
  AuditOptions options = knowing(maker, {{"farmer", 50}});
  options.remembered_links = 64;
  const AuditReport good = audit(late(link_hash(first)), options);
  CHECK_MESSAGE(good.code() == ExitCode::success, summary(good));
  REQUIRE(good.records[0].cosigners.size() == 1);
  CHECK(good.records[0].cosigners[0].covered_to == 0);
  const AuditReport other = audit(late(maker.previous), options);
  CHECK(other.code() == ExitCode::refuted);
  CHECK(find(other, FindingKind::foreign_cosignature) != nullptr);
}

TEST_CASE("made-up keys are bounded, and crowd out nobody who is known") {
  StreamMaker maker("engine-1");
  maker.add_windows(1);
  const Hash256 hash = link_hash(maker.last_link);
  for (std::uint32_t i = 0; i < 150; ++i) {
    const SecretKey key = SecretKey::from_seed(sha256(as_bytes("key " + std::to_string(i))));
    maker.frames.push_back(made(cosignature_frame_header(maker.last_link),
                                encode_cosignature_body(make_cosignature(hash, key))));
  }
  maker.add_cosignature(test_key(50));
  AuditOptions options = knowing(maker, {{"farmer", 50}});
  options.policy.required_cosigners = {"farmer"};
  const AuditReport report = audit(encode(maker.frames), options);
  CHECK_MESSAGE(report.code() == ExitCode::success, summary(report));
  CHECK(report.records[0].cosigners.size() == 101);
  CHECK(report.records[0].more_cosignatures == 50);
  CHECK(report.findings.count(FindingKind::unknown_cosigner) == 100);
}

TEST_CASE("evidence is left to verify bundle, and said so") {
  StreamMaker maker("engine-1");
  maker.add_windows(1);
  maker.frames.push_back(made(maker.header(FrameType::evidence, 0), Bytes(10, 1)));
  const AuditReport report = audit(encode(maker.frames), trusting({maker.key}));
  CHECK(report.code() == ExitCode::unproven);
  const Finding* told = find(report, FindingKind::evidence_unchecked);
  REQUIRE(told != nullptr);
  CHECK(told->message.find("verify bundle") != std::string::npos);
}
