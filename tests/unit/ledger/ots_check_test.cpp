#include "twinchain/ledger/ots_check.hpp"

#include <doctest/doctest.h>

#include "twinchain/crypto/sha256.hpp"
#include "twinchain/ledger/rpc_json.hpp"

using namespace twinchain;
using namespace twinchain::ledger;

namespace {

using Kind = OtsAttestation::Kind;

OtsItem attest(const OtsAttestation& attestation) {
  OtsItem item;
  item.is_attestation = true;
  item.attestation = attestation;
  return item;
}

/// Of "abc", with these attestations of its SHA-256's SHA-256.
OtsProof proof_with(std::initializer_list<OtsAttestation> attestations) {
  OtsProof proof;
  const Hash256 digest = sha256(as_bytes("abc"));
  proof.digest.assign(digest.begin(), digest.end());
  OtsItem hash;
  for (const OtsAttestation& attestation : attestations) hash.next.push_back(attest(attestation));
  proof.items = {hash};
  return proof;
}

/// Block 100 of Bitcoin and block 200 of Litecoin have the proof's Merkle root, block 101 another.
Result<OtsBlock> find_block(std::string_view network, std::uint32_t height) {
  bitcoin::BlockHeader header;
  header.merkle_root = sha256(ByteView(sha256(as_bytes("abc"))));
  header.time_s = 1'700'000'000 + height;
  if (network == "bitcoin" && height == 101) header.merkle_root[0] ^= 1;
  if (network == "bitcoin" && height == 666) return fail(ExitCode::peer, "the node is away");
  if (network == "bitcoin" && height == 667) return fail(ExitCode::system, "disk");
  if ((network == "bitcoin" && height > 101) || (network == "litecoin" && height != 200)) {
    return fail(ExitCode::unproven, "not at hand");
  }
  return OtsBlock{bitcoin::serialize(header), 3, "by a test"};
}

OtsReport report_of(std::initializer_list<OtsAttestation> attestations, bool target = true,
                    std::uint32_t min_depth = 1) {
  OtsReport report;
  report.proof_name = "abc.ots";
  report.target_name = "abc";
  const OtsProof proof = proof_with(attestations);
  if (target) report.target = proof.digest;
  REQUIRE(check_ots(proof, find_block, min_depth, report));
  CHECK(report.findings.size() == attestations.size());
  const auto json = parse_json(ots_report_json(report));
  REQUIRE(json);
  CHECK(json->integer_at("exit_code") == static_cast<std::int64_t>(report.code()));
  return report;
}

const OtsAttestation in_block_100 = ots_block_attestation(Kind::bitcoin, 100);
const OtsAttestation in_another_block = ots_block_attestation(Kind::bitcoin, 101);
const OtsAttestation beyond_the_tip = ots_block_attestation(Kind::bitcoin, 5000);
const OtsAttestation in_a_block_that_is_away = ots_block_attestation(Kind::bitcoin, 666);
const OtsAttestation litecoin = ots_block_attestation(Kind::litecoin, 200);
const OtsAttestation ethereum = ots_block_attestation(Kind::ethereum, 100);

OtsAttestation pending() {
  OtsAttestation attestation;
  attestation.kind = Kind::pending;
  attestation.uri = "https://calendar.example";
  return attestation;
}

}  // namespace

TEST_CASE("ots: what attestations together prove") {
  CHECK(report_of({in_block_100}).code() == ExitCode::success);
  CHECK(report_of({litecoin}).code() == ExitCode::success);
  CHECK(report_of({in_block_100}).best()->time_s == 1'700'000'100);
  CHECK(report_of({litecoin, in_block_100}).best()->attestation == in_block_100);
  CHECK(report_of({in_block_100, pending(), beyond_the_tip, in_a_block_that_is_away, ethereum})
            .code() == ExitCode::success);
  CHECK(report_of({in_another_block}).code() == ExitCode::refuted);
  CHECK(report_of({in_block_100, in_another_block}).code() == ExitCode::refuted);
  CHECK(report_of({beyond_the_tip}).code() == ExitCode::unproven);
  CHECK(report_of({ethereum}).code() == ExitCode::unproven);
  CHECK(report_of({pending()}).code() == ExitCode::unproven);
  CHECK(report_of({OtsAttestation{}}).code() == ExitCode::unproven);
  CHECK(report_of({in_a_block_that_is_away, pending()}).code() == ExitCode::peer);
  CHECK(report_of({in_block_100}, true, 3).code() == ExitCode::success);
  CHECK(report_of({in_block_100}, true, 4).code() == ExitCode::unproven);
  CHECK(report_of({in_block_100}, true, 4).findings[0].outcome == OtsOutcome::not_deep);
  CHECK(report_of({ots_block_attestation(Kind::bitcoin, std::uint64_t{1} << 32)}).code() ==
        ExitCode::refuted);
}

TEST_CASE("ots: a proof without its file, and of another file") {
  OtsReport report = report_of({in_block_100}, false);
  CHECK(report.code() == ExitCode::unproven);
  CHECK(ots_report_text(report).find("no file was compared") != std::string::npos);
  report.target = Bytes(32, 1);
  CHECK(report.code() == ExitCode::refuted);
  CHECK(ots_report_text(report).find("refuted: abc is not the file of this proof") == 0);
}

TEST_CASE(
    "ots: an error that is none of the attestation ends the check; too many are not looked at") {
  OtsReport report;
  const OtsProof broken = proof_with({ots_block_attestation(Kind::bitcoin, 667)});
  CHECK(check_ots(broken, find_block, 1, report).error().code == ExitCode::system);

  OtsProof many = proof_with({});
  for (std::size_t i = 0; i < max_ots_findings; ++i)
    many.items[0].next.push_back(attest(pending()));
  many.items[0].next.push_back(attest(in_block_100));
  OtsReport long_report;
  long_report.target = many.digest;
  REQUIRE(check_ots(many, find_block, 1, long_report));
  CHECK(long_report.more_findings == 1);
  CHECK(long_report.code() == ExitCode::unproven);
}
