// Any bytes as a record to be audited: the audit ends within its limits, and nothing passes but
// what the key of the seed corpus signed. The first byte says whether all CRCs are made right
// first, as a tamperer would; the rest is the stream.

#include <cstdlib>

#include "../unit/chain/stream_maker.hpp"
#include "twinchain/chain/report.hpp"

namespace {

using namespace twinchain;
using namespace twinchain::chain;
namespace testing = twinchain::chain::testing;

/// The record of the seed corpus.
testing::StreamMaker genuine() {
  testing::StreamMaker maker("engine-1");
  maker.column_bytes = 8;
  maker.add_windows(4);
  maker.add_anchor(100);
  return maker;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const testing::StreamMaker seed = genuine();
  static const std::vector<Hash256> sealed = [] {
    std::vector<Hash256> hashes;
    for (const testing::MadeFrame& frame : seed.frames) {
      if (frame.header.type != FrameType::link) continue;
      hashes.push_back(link_hash(parse_link_body(frame.body)->link));
    }
    return hashes;
  }();
  if (size == 0) return 0;
  Bytes stream(data + 1, data + size);
  if ((data[0] & 1) != 0 && stream.size() >= preamble_size) testing::mend_stream(stream);
  AuditOptions options = testing::trusting({seed.key});
  options.partial = (data[0] & 2) != 0;
  const InputKind kind = (data[0] & 4) != 0 ? InputKind::active_segment : InputKind::stream;
  const AuditReport report = testing::audit(stream, options, kind);
  if (report.findings.all().size() > FindingList::max_together * 2) std::abort();
  if (report_text(report).empty() || report_json(report).empty()) std::abort();
  if (report.code() == ExitCode::bug) std::abort();
  if (report.code() != ExitCode::success) return 0;
  for (const RecordReport& record : report.records) {
    if (std::find(sealed.begin(), sealed.end(), record.last_link_hash) == sealed.end()) {
      std::abort();
    }
  }
  return 0;
}
