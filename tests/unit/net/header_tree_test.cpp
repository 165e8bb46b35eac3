#include "twinchain/net/header_tree.hpp"

#include <doctest/doctest.h>

#include <random>

#include "twinchain/net/header_log.hpp"
#include "twinchain/sys/faulty_fs.hpp"
#include "unit/net/network_for_tests.hpp"

using namespace twinchain;
using namespace twinchain::net;
using namespace twinchain::testing;

namespace {

const std::int64_t far_s = std::int64_t{genesis_time_for_tests_s} + 1'000'000'000;

std::uint32_t draw(std::mt19937& random, std::uint32_t below) {
  return static_cast<std::uint32_t>(random() % below);
}

/// A header after `parent`, `later_s` after it, that is as it should be.
bitcoin::BlockHeader next_header(const HeaderTree& tree, const HeaderNode& parent,
                                 std::uint32_t later_s = 10, std::uint8_t salt = 0) {
  bitcoin::BlockHeader header;
  header.version = 0x20000000;
  header.previous = parent.hash;
  header.merkle_root.fill(salt);
  header.time_s = parent.header.time_s + later_s;
  header.bits = tree.next_bits(parent);
  find_nonce(header);
  return header;
}

const HeaderNode& extend(HeaderTree& tree, const HeaderNode& parent, std::uint32_t later_s = 10,
                         std::uint8_t salt = 0) {
  const auto answer = tree.accept(next_header(tree, parent, later_s, salt), far_s);
  REQUIRE(answer.verdict.accepted());
  REQUIRE(answer.node != nullptr);
  return *answer.node;
}

}  // namespace

TEST_CASE("headers: what is right is accepted, once") {
  const ChainParameters parameters = parameters_for_tests();
  HeaderTree tree(parameters);
  CHECK(tree.genesis().hash == genesis_hash(parameters));
  CHECK(tree.best().height == 0);
  const auto header = next_header(tree, tree.genesis());
  const auto answer = tree.accept(header, far_s);
  REQUIRE(answer.verdict.accepted());
  CHECK(answer.node->height == 1);
  CHECK(&tree.best() == answer.node);
  CHECK(answer.node->work ==
        bitcoin::block_work(parameters.easiest_bits) + bitcoin::block_work(header.bits));
  CHECK(tree.accept(header, far_s).verdict.outcome == Outcome::known);
  CHECK(tree.size() == 2);
}

TEST_CASE("headers: what is wrong is refused, and says whether the sender lies") {
  HeaderTree tree(parameters_for_tests());
  const HeaderNode* tip = &tree.genesis();
  for (int i = 0; i < 20; ++i) tip = &extend(tree, *tip);
  const auto expect = [&](bitcoin::BlockHeader header, Outcome outcome, const std::string& reason,
                          std::int64_t now_s = far_s) {
    const auto answer = tree.accept(header, now_s);
    CHECK(answer.verdict.outcome == outcome);
    CHECK(answer.verdict.reason == reason);
    CHECK(answer.verdict.peer_to_blame == (outcome == Outcome::invalid));
    CHECK(answer.node == nullptr);
  };
  const std::size_t size = tree.size();
  auto header = next_header(tree, *tip);
  while (bitcoin::meets_target(bitcoin::block_hash(header), header.bits, ~bitcoin::UInt256())) {
    ++header.nonce;
  }
  expect(header, Outcome::invalid, "high-hash");
  header = next_header(tree, *tip);
  header.bits = 0x21010000;  // easier than the network's easiest
  expect(header, Outcome::invalid, "high-hash");
  header = next_header(tree, *tip);
  header.previous.fill(7);
  find_nonce(header);
  expect(header, Outcome::incomplete, "prev-blk-not-found");
  header = next_header(tree, *tip);
  header.bits -= 1;
  find_nonce(header);
  expect(header, Outcome::invalid, "bad-diffbits");
  const std::uint32_t median_s = HeaderTree::median_time_s(*tip);
  CHECK(median_s == tip->header.time_s - 50);
  header = next_header(tree, *tip);
  header.time_s = median_s;
  find_nonce(header);
  expect(header, Outcome::invalid, "time-too-old");
  header.time_s = median_s + 1;
  find_nonce(header);
  const std::int64_t now_s = header.time_s;
  CHECK(tree.accept(header, now_s).verdict.accepted());
  header = next_header(tree, *tip, 7'300);
  expect(header, Outcome::refused, "time-too-new", header.time_s - 7'201);
  CHECK(tree.accept(header, header.time_s - 7'200).verdict.accepted());
  CHECK(tree.size() == size + 2);
}

TEST_CASE("headers: the branch of most work is best, the first of equals, and reorganises") {
  HeaderTree tree(parameters_for_tests());
  const HeaderNode& a1 = extend(tree, tree.genesis(), 10, 1);
  const HeaderNode& b1 = extend(tree, tree.genesis(), 10, 2);
  CHECK(&tree.best() == &a1);
  const HeaderNode& b2 = extend(tree, b1, 10, 2);
  CHECK(&tree.best() == &b2);
  const HeaderNode& a2 = extend(tree, a1, 10, 1);
  CHECK(&tree.best() == &b2);
  CHECK(&HeaderTree::fork(a2, b2) == &tree.genesis());
  CHECK(&HeaderTree::fork(a2, a1) == &a1);
  // Fewer blocks of more work win: they come so quickly that they are harder.
  const HeaderNode* c = &tree.genesis();
  for (int i = 0; i < 60; ++i) c = &extend(tree, *c, 1, 3);
  const HeaderNode* d = &tree.genesis();
  for (int i = 0; i < 60; ++i) d = &extend(tree, *d, 100, 4);
  CHECK(c->work > d->work);
  CHECK(&tree.best() == c);

  // A block turns out to be invalid: all after it goes with it.
  tree.mark_invalid(*HeaderTree::ancestor(*c, 2));
  CHECK(c->invalid);
  CHECK(&tree.best() == d);
  CHECK(tree.accept(c->header, far_s).verdict.outcome == Outcome::invalid);
  CHECK(tree.accept(next_header(tree, *c), far_s).verdict.reason == "bad-prevblk");
  tree.mark_invalid(*HeaderTree::ancestor(*d, 1));
  CHECK(tree.best().height == 2);
  CHECK(&tree.best() == &b2);
}

TEST_CASE("headers: ancestors and forks in a random tree, beside walking") {
  HeaderTree tree(parameters_for_tests());
  std::mt19937 random(1);
  std::vector<const HeaderNode*> nodes = {&tree.genesis()};
  for (int i = 0; i < 1500; ++i) {
    // Mostly on long branches.
    const std::size_t window = std::min<std::size_t>(nodes.size(), 4);
    const HeaderNode* parent = nodes[nodes.size() - 1 - random() % window];
    if (random() % 100 == 0) parent = nodes[random() % nodes.size()];
    nodes.push_back(&extend(tree, *parent, 5 + draw(random, 20), static_cast<std::uint8_t>(i)));
  }
  const auto walk = [](const HeaderNode* at, std::uint32_t height) {
    while (at->height > height) at = at->parent;
    return at;
  };
  for (int i = 0; i < 3000; ++i) {
    const HeaderNode& a = *nodes[random() % nodes.size()];
    const HeaderNode& b = *nodes[random() % nodes.size()];
    const std::uint32_t height = draw(random, a.height + 1);
    CHECK(HeaderTree::ancestor(a, height) == walk(&a, height));
    const HeaderNode* x = walk(&a, std::min(a.height, b.height));
    const HeaderNode* y = walk(&b, std::min(a.height, b.height));
    while (x != y) {
      x = x->parent;
      y = y->parent;
    }
    CHECK(&HeaderTree::fork(a, b) == x);
  }
  CHECK(HeaderTree::ancestor(*nodes[5], 1000) == nullptr);

  // Another node that has part of the best branch gets the rest.
  const auto locator = tree.locator();
  CHECK(locator.front() == tree.best().hash);
  CHECK(locator.back() == tree.genesis().hash);
  CHECK(locator.size() < 40);
  CHECK(tree.after(locator, 100).empty());
  const std::uint32_t have = tree.best().height / 2;
  const auto rest = tree.after({Hash256{}, HeaderTree::ancestor(tree.best(), have)->hash}, 10'000);
  REQUIRE(rest.size() == tree.best().height - have);
  CHECK(rest.front()->height == have + 1);
  CHECK(rest.back() == &tree.best());
  CHECK(tree.after({}, 7).size() == 7);
  CHECK(tree.after({}, 7).back()->height == 7);
}

TEST_CASE("headers: a flood of side branches stays within its limit") {
  HeaderTree tree(parameters_for_tests(), {.max_side_headers = 200});
  const HeaderNode* tip = &tree.genesis();
  for (int i = 0; i < 300; ++i) tip = &extend(tree, *tip);
  const HeaderNode& pinned = extend(tree, tree.genesis(), 11, 99);
  tree.pin(pinned);
  std::mt19937 random(2);
  for (int i = 0; i < 2000; ++i) {
    const HeaderNode& at = *HeaderTree::ancestor(*tip, draw(random, 290));
    const auto answer = tree.accept(
        next_header(tree, at, 60 + draw(random, 1000), static_cast<std::uint8_t>(i)), far_s);
    CHECK(answer.verdict.accepted());
    CHECK(tree.size() <= tip->height + 1 + 200);
  }
  CHECK(&tree.best() == tip);
  CHECK(tree.find(pinned.hash) == &pinned);
  // A branch that overtakes is still let in, however long.
  const HeaderNode* other = &tree.genesis();
  for (int i = 0; i < 190; ++i) other = &extend(tree, *other, 1, 200);
  CHECK(&tree.best() == other);
}

TEST_CASE("header log: what was accepted is there again, a torn or damaged end is cut off") {
  const ChainParameters parameters = parameters_for_tests();
  MemoryFs fs;
  std::vector<Hash256> hashes;
  {
    HeaderTree tree(parameters);
    auto log = HeaderLog::open(fs, "headers", tree);
    REQUIRE(log);
    const HeaderNode* tip = &tree.genesis();
    for (int i = 0; i < 50; ++i) {
      tip = &extend(tree, *tip);
      hashes.push_back(tip->hash);
      REQUIRE((*log)->append(tip->header));
    }
    REQUIRE((*log)->sync());
  }
  const auto reload = [&](std::uint64_t& dropped_bytes) {
    HeaderTree tree(parameters);
    REQUIRE(HeaderLog::open(fs, "headers", tree, &dropped_bytes));
    for (std::uint32_t height = 1; height <= tree.best().height; ++height) {
      CHECK(HeaderTree::ancestor(tree.best(), height)->hash == hashes[height - 1]);
    }
    return tree.best().height;
  };
  std::uint64_t dropped_bytes = 1;
  CHECK(reload(dropped_bytes) == 50);
  CHECK(dropped_bytes == 0);
  const Bytes whole = *fs.content("headers");
  REQUIRE(whole.size() == 40 + 50 * 80);
  for (std::size_t size = 0; size <= whole.size(); size += 31) {
    *fs.content("headers") =
        Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    CHECK(reload(dropped_bytes) == (size < 40 ? 0 : (size - 40) / 80));
    CHECK(reload(dropped_bytes) == (size < 40 ? 0 : (size - 40) / 80));
    CHECK(dropped_bytes == 0);
  }
  // With the easiest target every second damage still meets it; the chain breaks all the same.
  for (std::size_t at = 40; at < whole.size(); at += 97) {
    *fs.content("headers") = whole;
    (*fs.content("headers"))[at] ^= 0x10;
    HeaderTree tree(parameters);
    REQUIRE(HeaderLog::open(fs, "headers", tree, &dropped_bytes));
    CHECK(tree.best().height <= (at - 40) / 80 + 1);
  }
  // A file of another network is not touched.
  *fs.content("headers") = whole;
  ChainParameters other = parameters;
  ++other.magic;
  mine_genesis(other, [] { return false; });
  HeaderTree tree(other);
  const auto refused = HeaderLog::open(fs, "headers", tree);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ExitCode::usage);
  CHECK(*fs.content("headers") == whole);
}
