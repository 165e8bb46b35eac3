// Any bytes as an OpenTimestamps proof: what parses is written so that it parses to the same, its
// check ends, and nothing is proven but by the Merkle root of the block that was shown.

#include <algorithm>

#include "require.hpp"
#include "twinchain/crypto/sha256.hpp"
#include "twinchain/ledger/ots_check.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace twinchain;
  using namespace twinchain::ledger;
  auto proof = parse_ots(ByteView(data, size));
  if (!proof) return 0;
  const Bytes written = serialize_ots(*proof);
  const auto again = parse_ots(written);
  require(again.has_value() && serialize_ots(*again) == written);
  sort_ots(*proof);
  require(parse_ots(serialize_ots(*proof)).has_value());

  // The corpus has proofs of "abc" whose SHA-256 hashed again is this root.
  const Hash256 root = sha256(ByteView(sha256(as_bytes("abc"))));
  const auto find_block = [&root](std::string_view, std::uint32_t height) -> Result<OtsBlock> {
    if (height == 0) return fail(ExitCode::peer, "away");
    if (height > 1000) return fail(ExitCode::unproven, "none");
    bitcoin::BlockHeader header;
    header.merkle_root = root;
    return OtsBlock{bitcoin::serialize(header), height, "a test"};
  };
  OtsReport report;
  report.target_name = "abc";
  report.target = proof->digest;
  require(check_ots(*proof, find_block, 6, report).has_value());
  bool leads_to_root = false;
  for_each_attestation(*proof, [&](const OtsAttestation&, ByteView message) {
    leads_to_root = leads_to_root || ots_message_is_root(message, root);
  });
  require(report.best() == nullptr || leads_to_root);
  require((report.code() == ExitCode::success) <= (report.best() != nullptr));
  require(!ots_report_text(report).empty() && !ots_report_json(report).empty());
  return 0;
}
