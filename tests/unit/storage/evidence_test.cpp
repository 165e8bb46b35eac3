#include "twinchain/storage/evidence.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include "twinchain/base/text.hpp"
#include "twinchain/crypto/merkle.hpp"
#include "twinchain/crypto/merkle_proof.hpp"
#include "unit/sanitized.hpp"
#include "unit/storage/store_for_tests.hpp"

using namespace twinchain;
using namespace twinchain::storage;
using namespace twinchain::testing;

namespace {

/// Links alone, as a store has them after gc.
std::vector<TestFrame> only_links(Recording& recording, std::uint64_t first, std::uint64_t count) {
  std::vector<TestFrame> links;
  links.reserve(count);
  for (std::uint64_t n = first; n < first + count; ++n) {
    links.push_back(recording.link_of_root(n, sha256(as_bytes(decimal(n)))));
  }
  return links;
}

Hash256 leaf(std::uint64_t number) {
  return merkle_leaf(sha256(as_bytes(decimal(number))));
}

std::vector<Hash256> leaves(std::uint64_t count) {
  std::vector<Hash256> all;
  for (std::uint64_t n = 0; n < count; ++n) all.push_back(leaf(n));
  return all;
}

}  // namespace

TEST_CASE("evidence: proofs over kept roots are those over all leaves") {
  // More than 256 times 256, so that roots of the second level are kept, too.
  constexpr std::uint64_t count = sanitized ? 3'000 : 66'000;
  TestStore store;
  Recording recording("engine-1");
  // In several runs, of which some end in the middle of a block.
  std::uint64_t at = 0;
  for (const std::uint64_t piece :
       {std::uint64_t{100}, std::uint64_t{300}, std::uint64_t{1000}, count - 1400}) {
    store.put(only_links(recording, at, piece));
    at += piece;
  }
  store.put({recording.anchor(count - 50)});
  const std::vector<Hash256> all = leaves(count);
  auto catalog = store.catalog();
  REQUIRE(catalog);
  for (std::uint64_t block = 0; block < count / 256; ++block) {
    const auto root = (*catalog)->history_root(recording.id(), 8, block);
    REQUIRE(root);
    REQUIRE(*root);
    REQUIRE(**root == merkle_root(std::span(all).subspan(block * 256, 256)));
  }
  CHECK_FALSE((*catalog)->history_root(recording.id(), 8, count / 256).value());
  if (!sanitized) {
    CHECK((*catalog)->history_root(recording.id(), 16, 0).value() ==
          merkle_root(std::span(all).first(65'536)));
  }
  for (const auto& [first, last] :
       {std::pair(0UL, 0UL), std::pair(0UL, 700UL), std::pair(255UL, 256UL),
        std::pair(1234UL, 1299UL), std::pair(count - 60, count - 51), std::pair(1UL, count - 1)}) {
    CAPTURE(first);
    CAPTURE(last);
    auto evidence = make_evidence(**catalog, recording.id(), first, last);
    REQUIRE_MESSAGE(evidence, evidence.error().message);
    const std::uint64_t head = evidence->head.link.number;
    CHECK(head == (last < count - 50 ? count - 50 : count - 1));
    CHECK(evidence->receipts.size() == (head == count - 50 ? 1 : 0));
    CHECK(evidence->proof == range_proof(evidence->proven_first(),
                                         evidence->proven_end() - evidence->proven_first(),
                                         head + 1, subtrees_of(std::span(all).first(head + 1))));
    CHECK(verify_range(evidence->proven_first(),
                       std::span(all).subspan(evidence->proven_first(),
                                              evidence->proven_end() - evidence->proven_first()),
                       head + 1, evidence->proof, evidence->head.link.history_root));
  }
}

TEST_CASE("evidence: a head is shown to continue an older one") {
  constexpr std::uint64_t count = 1'500;
  TestStore store;
  Recording recording("engine-1");
  const std::vector<TestFrame> links = only_links(recording, 0, count);
  store.put(links);
  auto catalog = store.catalog();
  REQUIRE(catalog);
  const std::vector<Hash256> all = leaves(count);
  const std::span<const Hash256> span = all;
  for (const std::uint64_t old_size : {1UL, 2UL, 255UL, 256UL, 257UL, 1024UL, count - 1, count}) {
    CAPTURE(old_size);
    const auto proof = make_consistency_proof(**catalog, recording.id(), old_size, count);
    REQUIRE_MESSAGE(proof, proof.error().message);
    CHECK(*proof == consistency_proof(old_size, count, subtrees_of(all)));
    CHECK(verify_consistency(old_size, count, *proof, merkle_root(span.first(old_size)),
                             merkle_root(all)));
  }
  const auto missing = make_consistency_proof(**catalog, recording.id(), 5, count + 1);
  REQUIRE_FALSE(missing);
  CHECK(missing.error().code == ExitCode::loss);
  const auto link = chain::parse_link_body(links[77].body);
  REQUIRE(link);
  CHECK(source_of_link(**catalog, 77, chain::link_hash(link->link)).value() == recording.id());
  CHECK_FALSE(source_of_link(**catalog, 78, chain::link_hash(link->link)).value());
}

TEST_CASE("evidence: the kept roots come back with the index") {
  TestStore store;
  Recording recording("engine-1");
  store.put(only_links(recording, 0, 600));
  std::optional<Hash256> before;
  {
    auto catalog = store.catalog();
    REQUIRE(catalog);
    before = (*catalog)->history_root(recording.id(), 8, 1).value();
    REQUIRE(before);
  }
  REQUIRE(Index::wipe(store.index_folder()));
  auto catalog = store.catalog();
  REQUIRE(catalog);
  CHECK((*catalog)->history_root(recording.id(), 8, 1).value() == before);
}

TEST_CASE("evidence: a link that goes takes the roots above it along") {
  TestStore store;
  Recording recording("engine-1");
  store.put(only_links(recording, 0, 600));
  {
    auto index = Index::open(store.index_folder(), Index::Access::write);
    REQUIRE(index);
    REQUIRE((*index)->remove({{recording.id(), FrameType::link, 300, 0}}));
    REQUIRE((*index)->commit());
    CHECK((*index)->history_root(recording.id(), 8, 0).value());
    CHECK_FALSE((*index)->history_root(recording.id(), 8, 1).value());
  }
  auto catalog = store.catalog();
  REQUIRE(catalog);
  const auto evidence = make_evidence(**catalog, recording.id(), 10, 20);
  REQUIRE_FALSE(evidence);
  CHECK(evidence.error().code == ExitCode::loss);
  CHECK(evidence.error().message == "link 300 is not in the store, the proof needs it");
}

TEST_CASE("evidence: links that are not one history give none") {
  TestStore store;
  Recording recording("engine-1");
  store.put(only_links(recording, 0, 40));
  store.put({recording.link_of_root(40, Hash256{}, false)});
  auto catalog = store.catalog();
  REQUIRE(catalog);
  const auto evidence = make_evidence(**catalog, recording.id(), 5, 6);
  REQUIRE_FALSE(evidence);
  CHECK(evidence.error().code == ExitCode::refuted);
}

TEST_CASE("evidence: what is not sealed is left out, or not given") {
  TestStore store;
  Recording recording("engine-1");
  store.put(recording.windows(0, 5));
  store.put({recording.data(5), recording.data(6)});
  auto catalog = store.catalog();
  REQUIRE(catalog);
  EvidenceRequest request;
  request.source = recording.id();
  const int sink = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  StreamWriter output(sink);
  const ErrorSink no_error = [](const Error& error) { FAIL(error.message); };
  auto made = write_evidence(**catalog, request, output, no_error);
  REQUIRE(made);
  REQUIRE(*made);
  CHECK((*made)->first == 0);
  CHECK((*made)->last == 4);
  CHECK((*made)->unsealed_frames == 2);
  CHECK_FALSE((*made)->anchored);
  CHECK((*made)->frames.frames == 1 + 1 + 5);
  request.first_sequence = 5;
  made = write_evidence(**catalog, request, output, no_error);
  REQUIRE_FALSE(made);
  CHECK(made.error().code == ExitCode::unproven);
  request.first_sequence = 7;
  made = write_evidence(**catalog, request, output, no_error);
  REQUIRE(made);
  CHECK_FALSE(*made);
  ::close(sink);
}
