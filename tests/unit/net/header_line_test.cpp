#include "twinchain/net/header_line.hpp"

#include <doctest/doctest.h>

#include <random>

#include "twinchain/ledger/known_blocks.hpp"
#include "twinchain/net/header_tree.hpp"
#include "twinchain/net/wire.hpp"
#include "twinchain/sys/faulty_fs.hpp"
#include "unit/net/network_for_tests.hpp"

using namespace twinchain;
using namespace twinchain::net;
using namespace twinchain::testing;

namespace {

constexpr std::int64_t much_later_s = std::int64_t{genesis_time_for_tests_s} + 1'000'000;

/// Headers that a node would take, put on any of them.
class HeadersForTests {
 public:
  HeadersForTests() : parameters(parameters_for_tests()), tree(parameters) {}

  bitcoin::BlockHeader make(const HeaderNode& parent, std::uint32_t time_s,
                            std::uint32_t salt = 0) {
    bitcoin::BlockHeader header;
    header.version = 0x20000000;
    header.previous = parent.hash;
    store_le(header.merkle_root.data(), salt);
    header.time_s = time_s;
    header.bits = tree.next_bits(parent);
    find_nonce(header);
    return header;
  }
  const HeaderNode& add(const bitcoin::BlockHeader& header) {
    const auto answer = tree.accept(header, much_later_s);
    CAPTURE(answer.verdict.reason);
    REQUIRE(answer.node != nullptr);
    return *answer.node;
  }
  /// `count` blocks of a branch, `step_s` apart.
  std::vector<bitcoin::BlockHeader> branch(const HeaderNode& from, std::size_t count,
                                           std::uint32_t step_s, std::uint32_t salt = 0) {
    std::vector<bitcoin::BlockHeader> headers;
    const HeaderNode* at = &from;
    for (std::size_t i = 0; i < count; ++i) {
      at = &add(make(*at, at->header.time_s + step_s, salt));
      headers.push_back(at->header);
    }
    return headers;
  }

  ChainParameters parameters;
  HeaderTree tree;
};

std::string refusal(HeaderLine& line, const std::vector<bitcoin::BlockHeader>& headers,
                    std::int64_t now_s = much_later_s) {
  const Hash256 tip = line.tip().hash;
  auto taken = line.take(headers, now_s);
  line.end_answers();
  if (taken) return "";
  CHECK(taken.error().code == ExitCode::refuted);
  CHECK(line.tip().hash == tip);
  return taken.error().message;
}

Bytes serialized(const std::vector<bitcoin::BlockHeader>& headers) {
  Bytes bytes;
  for (const auto& header : headers) append(bytes, bitcoin::serialize(header));
  return bytes;
}

}  // namespace

TEST_CASE("a line of headers takes what a node takes") {
  HeadersForTests chain;
  HeaderLine line(chain.parameters);
  CHECK(line.tip().hash == genesis_hash(chain.parameters));
  std::mt19937 random(7);
  const HeaderNode* at = &chain.tree.genesis();
  std::vector<bitcoin::BlockHeader> batch;
  for (int i = 0; i < 400; ++i) {
    // Also backwards, as far as the median lets it, and with pauses.
    const std::uint32_t earliest_s = HeaderTree::median_time_s(*at) + 1;
    const auto later_s = static_cast<std::uint32_t>(random() % (i % 50 == 0 ? 900 : 60));
    at = &chain.add(chain.make(*at, earliest_s + later_s));
    batch.push_back(at->header);
    if (random() % 5 == 0) {
      REQUIRE(line.take(batch, much_later_s));
      batch.clear();
      REQUIRE(line.tip().hash == at->hash);
    }
  }
  REQUIRE(line.take(batch, much_later_s));
  CHECK(line.height() == 400);
  CHECK(line.work() == at->work);
  CHECK_FALSE(line.take_fork());
  for (const HeaderNode* one = at; one != nullptr; one = one->parent) {
    CHECK(line.find(one->hash) == one->height);
    CHECK(line.at(one->height).time_s == one->header.time_s);
  }
  CHECK_FALSE(line.find(Hash256{}));
  // What a node makes of the locator: from there on.
  const auto locator = line.locator();
  CHECK(locator.size() <= max_wire_locator);
  CHECK(locator.front() == at->hash);
  CHECK(locator.back() == chain.tree.genesis().hash);
}

TEST_CASE("headers that break a rule are refused, and change nothing") {
  HeadersForTests chain;
  HeaderLine line(chain.parameters);
  const auto good = chain.branch(chain.tree.genesis(), 20, 10);
  REQUIRE(line.take(good, much_later_s));
  const HeaderNode& tip = chain.tree.best();
  const bitcoin::BlockHeader next = chain.make(tip, tip.header.time_s + 10);
  CHECK(refusal(line, {next, next}).find("does not follow the one before it") != std::string::npos);

  bitcoin::BlockHeader wrong = next;
  wrong.bits = 0x207ffffe;
  find_nonce(wrong);
  CHECK(refusal(line, {wrong}).find("states another difficulty") != std::string::npos);
  wrong = next;
  wrong.bits = 0x2100ffff;  // easier than the network's easiest
  CHECK(refusal(line, {wrong}).find("does not meet its proof of work") != std::string::npos);
  wrong = next;
  const bitcoin::UInt256 any = ~bitcoin::UInt256();
  while (bitcoin::meets_target(bitcoin::block_hash(wrong), wrong.bits, any)) ++wrong.nonce;
  CHECK(refusal(line, {wrong}).find("does not meet its proof of work") != std::string::npos);
  wrong = chain.make(tip, HeaderTree::median_time_s(tip));
  CHECK(refusal(line, {wrong}).find("median of the eleven") != std::string::npos);
  CHECK(refusal(line, {next}, std::int64_t{next.time_s} - 7'201).find("in the future") !=
        std::string::npos);
  wrong = next;
  wrong.previous[5] ^= 1;
  find_nonce(wrong);
  CHECK(refusal(line, {wrong}) == "headers that do not follow what was asked for");
  CHECK(refusal(line, {next}, std::int64_t{next.time_s} - 7'200).empty());
  CHECK(line.height() == 21);
}

TEST_CASE("another branch takes over when it has more work, also in several answers") {
  HeadersForTests chain;
  HeaderLine line(chain.parameters);
  const auto shared = chain.branch(chain.tree.genesis(), 5, 10);
  REQUIRE(line.take(shared, much_later_s));
  const HeaderNode& fork = chain.tree.best();
  const auto ours = chain.branch(fork, 6, 10);
  const auto theirs = chain.branch(fork, 9, 10, 1);
  REQUIRE(line.take(ours, much_later_s));
  const Hash256 our_tip = line.tip().hash;
  // As much work is not more.
  REQUIRE(line.take({theirs.begin(), theirs.begin() + 6}, much_later_s));
  CHECK(line.tip().hash == our_tip);
  // The next question goes on behind the branch that is being shown.
  CHECK(line.locator() == std::vector<Hash256>{bitcoin::block_hash(theirs[5])});
  line.end_answers();
  CHECK(line.locator().front() == our_tip);
  CHECK_FALSE(line.take_fork());

  REQUIRE(line.take({theirs.begin(), theirs.begin() + 4}, much_later_s));
  REQUIRE(line.take({theirs.begin() + 4, theirs.end()}, much_later_s));
  CHECK(line.tip().hash == bitcoin::block_hash(theirs.back()));
  CHECK(line.height() == 14);
  CHECK(line.take_fork() == 5U);
  CHECK_FALSE(line.take_fork());
  CHECK_FALSE(line.find(our_tip));
  CHECK(line.find(bitcoin::block_hash(theirs[0])) == 6U);
  CHECK(line.work() == chain.tree.best().work);
  // And back again.
  const auto more = chain.branch(*chain.tree.find(our_tip), 4, 10);
  REQUIRE(line.take(ours, much_later_s));
  REQUIRE(line.take(more, much_later_s));
  CHECK(line.find(our_tip) == 11U);
  CHECK_FALSE(line.find(bitcoin::block_hash(theirs[0])));
  CHECK(line.work() == chain.tree.best().work);
}

TEST_CASE("a file of a made network's headers is checked by its rules") {
  HeadersForTests chain;
  std::vector<bitcoin::BlockHeader> headers{genesis_block(chain.parameters).header};
  for (const auto& header : chain.branch(chain.tree.genesis(), 60, 3)) headers.push_back(header);
  const auto network = made_network_of(chain.parameters);
  MemoryFs fs;
  int files = 0;
  const auto open = [&](const Bytes& bytes, ledger::KnownBlocksOptions how) {
    const std::string path = "headers-" + std::to_string(++files);
    auto file = fs.open(path, OpenMode::create);
    REQUIRE(file);
    const ByteView pieces[] = {bytes};
    REQUIRE((*file)->append(pieces));
    how.headers_path = path;
    return ledger::KnownBlocks::open(fs, how);
  };
  ledger::KnownBlocksOptions how;
  how.made_network = network;
  auto blocks = open(serialized(headers), how);
  REQUIRE(blocks);
  const Hash256 block = bitcoin::block_hash(headers[50]);
  auto found = blocks->find(network.network.magic, block);
  REQUIRE((found && *found));
  CHECK((*found)->position.on_best_chain);
  CHECK((*found)->position.height == 50);
  CHECK((*found)->position.depth == 11);
  CHECK((*found)->trust.find("a forger would need") != std::string::npos);
  // Blocks came faster than the spacing: the easiest target is wrong from some height on.
  CHECK(headers.back().bits != chain.parameters.easiest_bits);
  auto easy = headers;
  easy.back().bits = chain.parameters.easiest_bits;
  find_nonce(easy.back());
  auto refused = open(serialized(easy), how);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ExitCode::refuted);
  CHECK(refused.error().message.find("header 60") != std::string::npos);
  CHECK(refused.error().message.find("states another difficulty") != std::string::npos);

  // From the middle: what comes before the median is known is believed, difficulty is checked.
  how.first_height = 20;
  CHECK(open(serialized({headers.begin() + 20, headers.end()}), how));
  CHECK_FALSE(open(serialized({easy.begin() + 20, easy.end()}), how));
  how.first_height = 21;  // of another height each difficulty would be another one
  CHECK_FALSE(open(serialized({headers.begin() + 20, headers.end()}), how));
  // Of another network they are not.
  ledger::KnownBlocksOptions other;
  other.network = "bitcoin-regtest";
  auto refused_too = open(serialized(headers), other);
  REQUIRE_FALSE(refused_too);
  CHECK(refused_too.error().code == ExitCode::refuted);
}
