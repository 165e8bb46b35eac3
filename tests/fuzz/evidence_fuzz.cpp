// Any bytes as an evidence bundle: the check ends within its limits, and nothing passes but windows
// that the key of the seed corpus has sealed. The first byte says whether the CRCs are made right
// first; the rest is the stream.

#include <cstdlib>

#include "../unit/chain/evidence_maker.hpp"
#include "twinchain/chain/report.hpp"

namespace {

using namespace twinchain;
using namespace twinchain::chain;
namespace testing = twinchain::chain::testing;

testing::StreamMaker genuine() {
  testing::StreamMaker maker("engine-1");
  maker.column_bytes = 8;
  maker.add_windows(6);
  maker.rotate(3);
  maker.add_windows(3);
  maker.add_anchor(100);
  return maker;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const testing::StreamMaker seed = genuine();
  static const std::vector<SignedLink> links = testing::links_of(seed);
  if (size == 0) return 0;
  Bytes stream(data + 1, data + size);
  if ((data[0] & 1) != 0 && stream.size() >= preamble_size) testing::mend_stream(stream);
  EvidenceOptions options;
  options.audit = testing::trusting({testing::test_key(1), testing::test_key(2)});
  const AuditReport report = testing::check_bundle(stream, options);
  if (report.findings.all().size() > FindingList::max_together * 2) std::abort();
  if (report_text(report).empty() || report_json(report).empty()) std::abort();
  if (report.code() == ExitCode::bug) std::abort();
  if (report.code() != ExitCode::success) return 0;
  for (const RecordReport& record : report.records) {
    const std::uint64_t head = record.proven_by_link.value_or(links.size());
    if (head >= links.size() || record.last_link_hash != link_hash(links[head].link)) std::abort();
  }
  return 0;
}
