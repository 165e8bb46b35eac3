// Time-range proofs over a long record: makes a store of COUNT links, of which the middle ten have
// their data, and measures how long the proof of these ten windows takes to make and to check.
//
// usage: bench_evidence FOLDER COUNT     prints one line of JSON
//
// Only links that a proof shows are signed: nothing else of the others is looked at, and ten
// million signatures would take minutes.

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "../unit/chain/evidence_maker.hpp"
#include "twinchain/base/clock.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/storage/evidence.hpp"
#include "twinchain/storage/writer.hpp"
#include "twinchain/sys/fd.hpp"

namespace {

using namespace twinchain;
namespace testing = twinchain::chain::testing;

constexpr int repeat = 51;

template <class T>
T must(Result<T> result) {
  if (!result) {
    std::fprintf(stderr, "%s\n", result.error().message.c_str());
    std::exit(1);
  }
  return std::move(*result);
}
void must(const Status& status) {
  if (status) return;
  std::fprintf(stderr, "%s\n", status.error().message.c_str());
  std::exit(1);
}

void add(storage::StoreWriter& store, const FrameHeader& header, const Bytes& body) {
  Frame frame;
  frame.header = header;
  frame.body = Buffer(body);
  std::string reason;
  must(store.add(frame, &reason));
  must(store.commit_index(false));
}

/// Gives the signing key.
SecretKey make_store(const std::string& folder, std::uint64_t count, std::uint64_t first) {
  auto store = must(storage::StoreWriter::open(real_fs(), folder, {}, [](const std::string&) {}));
  testing::StreamMaker maker("bench");
  maker.column_bytes = 20'000;
  for (std::uint64_t n = 0; n < count; ++n) {
    maker.frames.clear();
    const bool shown = n >= first && n < first + 10;
    if (n == 0) maker.add_schema();
    if (shown) {
      maker.add_data(1000);
    } else {
      maker.root = sha256(as_bytes(decimal(n)));
      maker.last_data = {};
    }
    const chain::Link link = maker.next_link();
    if (shown || n + 1 == first || n == first + 10 || n + 1 == count) {
      maker.add_link(link);
    } else {
      maker.previous = chain::link_hash(link);
      maker.frames.push_back(
          testing::made(chain::link_frame_header(link), chain::encode_link_body({link, {}})));
      ++maker.next;
      maker.start_ns += maker.length_ns;
    }
    for (const testing::MadeFrame& frame : maker.frames) add(*store, frame.header, frame.body);
  }
  must(store->close());
  return maker.key;
}

double median_ms(std::vector<std::uint64_t>& times_ns) {
  std::ranges::sort(times_ns);
  return static_cast<double>(times_ns[times_ns.size() / 2]) * 1e-6;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const std::string folder = argv[1];
  const std::uint64_t count = std::strtoull(argv[2], nullptr, 10);
  const std::uint64_t first = count / 2 + 123;
  const SecretKey key = make_store(folder, count, first);

  auto catalog = must(storage::Catalog::open(real_fs(), folder, {}, [](const std::string&) {}));
  std::vector<std::uint64_t> made_ns;
  std::size_t proof_bytes = 0;
  for (int i = 0; i < repeat; ++i) {
    const std::uint64_t began = system_clock().monotonic_ns();
    const auto evidence =
        must(storage::make_evidence(*catalog, source_id("bench"), first, first + 9));
    made_ns.push_back(system_clock().monotonic_ns() - began);
    proof_bytes = frame_header_size + chain::encode_evidence_body(evidence).size();
  }

  const std::string path = folder + "/bundle.twin";
  storage::EvidenceRequest request;
  request.source = source_id("bench");
  request.first_sequence = first;
  request.last_sequence = first + 9;
  {
    const UniqueFd fd = must(open_file(path, O_RDWR | O_CREAT | O_TRUNC));
    StreamWriter writer(fd.get());
    must(storage::write_evidence(*catalog, request, writer, [](const Error&) { std::exit(1); }));
    must(writer.finish());
  }
  const Bytes bundle = must(read_file(path, std::uint64_t{1} << 30));
  // The proof alone: the same frames are hashed for a bundle without one, as an audit does.
  std::vector<std::uint64_t> checked_ns;
  std::vector<std::uint64_t> hashed_ns;
  chain::EvidenceOptions options;
  options.audit = testing::trusting({key});
  for (int i = 0; i < repeat; ++i) {
    const std::uint64_t began = system_clock().monotonic_ns();
    const chain::AuditReport report = testing::check_bundle(bundle, options);
    checked_ns.push_back(system_clock().monotonic_ns() - began);
    if (report.code() != ExitCode::success) {
      std::fprintf(stderr, "%s\n", testing::summary(report).c_str());
      return 1;
    }
    const std::uint64_t hashing = system_clock().monotonic_ns();
    (void)sha256(bundle);
    hashed_ns.push_back(system_clock().monotonic_ns() - hashing);
  }
  std::printf(
      "{\"made_ms\":%.3f,\"checked_ms\":%.3f,\"sha256_ms\":%.3f,\"proof_bytes\":%zu,"
      "\"bundle_bytes\":%zu,\"first\":%llu}\n",
      median_ms(made_ns), median_ms(checked_ns), median_ms(hashed_ns), proof_bytes, bundle.size(),
      static_cast<unsigned long long>(first));
  return 0;
}
