#include "twinchain/net/skeleton_receiver.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

#include "twinchain/bitcoin/merkle_branch.hpp"
#include "twinchain/bitcoin/tx.hpp"
#include "twinchain/crypto/sha256.hpp"
#include "twinchain/net/skeleton_sender.hpp"

using namespace twinchain;
using namespace twinchain::net;
using Next = SkeletonReceiver::Next;

namespace {

Bytes coinbase_bytes() {
  bitcoin::Transaction coinbase;
  coinbase.inputs.push_back({{{}, 0xffffffff}, {1, 2}, 0xffffffff, {}});
  coinbase.outputs.push_back({5, {0x51}});
  return bitcoin::serialize(coinbase);
}

std::vector<Hash256> random_txids(std::uint64_t seed, std::size_t count) {
  std::mt19937_64 random(seed);
  std::vector<Hash256> txids(count);
  for (auto& txid : txids) {
    for (std::size_t i = 0; i < 32; i += 8) store_le(&txid[i], random());
  }
  return txids;
}

std::vector<Hash256> sorted(std::vector<Hash256> txids) {
  std::sort(txids.begin(), txids.end(), canonical_less);
  return txids;
}

bitcoin::BlockHeader header_of(const std::vector<Hash256>& txids, ByteView coinbase) {
  std::vector<Hash256> all{sha256d(coinbase)};
  all.insert(all.end(), txids.begin(), txids.end());
  bitcoin::BlockHeader header;
  header.merkle_root = bitcoin::merkle_root(all);
  return header;
}

// A list, and a block of it without `left_out` of its transactions and with `added` other ones.
struct ReceiverCase {
  ReceiverCase(std::uint64_t seed, std::size_t count, std::size_t left_out, std::size_t added)
      : all(random_txids(seed, count + added)),
        list(make_snapshot({.id = 5},
                           {all.begin(), all.end() - static_cast<std::ptrdiff_t>(added)})),
        block(sorted({all.begin() + static_cast<std::ptrdiff_t>(left_out), all.end()})),
        sender(header_of(block, coinbase), coinbase, block, &list, {.salt = seed}) {}

  Bytes coinbase = coinbase_bytes();
  std::vector<Hash256> all;
  Snapshot list;
  std::vector<Hash256> block;
  SkeletonSender sender;
};

struct Run {
  Next end = Next::ask_block;
  std::size_t symbols = 0;  ///< requests
  std::size_t lists = 0;
  std::size_t transactions = 0;  ///< that were sent
};

// Answers what is asked as an honest sender does, until the receiver has all or wants the block.
Run answer(SkeletonReceiver& receiver, SkeletonSender& sender, const std::vector<Hash256>& block) {
  Run run;
  for (int round = 0; round < 1000; ++round) {
    run.end = receiver.next();
    if (run.end == Next::ask_symbols) {
      ++run.symbols;
      CHECK(receiver.add_symbols(sender.symbols(receiver.symbol_request()).value()));
    } else if (run.end == Next::ask_short_ids) {
      ++run.lists;
      CHECK(receiver.add_short_ids(sender.short_ids()));
    } else if (run.end == Next::ask_transactions) {
      const auto positions = sender.positions(receiver.transaction_request()).value();
      REQUIRE_FALSE(positions.empty());
      run.transactions += positions.size();
      for (const std::uint32_t position : positions) receiver.add_transaction(block[position - 1]);
    } else {
      return run;
    }
  }
  FAIL("it does not end");
  return run;
}

std::vector<Hash256> without(std::vector<Hash256> txids, std::size_t count) {
  txids.erase(txids.begin(), txids.begin() + static_cast<std::ptrdiff_t>(count));
  return txids;
}

// Candidates with ids that are made up.
MatchCandidates candidates_of(std::vector<Hash256> base, std::vector<std::uint64_t> ids,
                              std::vector<Hash256> pool = {},
                              std::vector<std::uint64_t> pool_ids = {}) {
  MatchCandidates candidates;
  candidates.base = std::move(base);
  for (const std::uint64_t id : ids) candidates.base_ids.push_back({id});
  candidates.pool = std::move(pool);
  candidates.pool_ids = std::move(pool_ids);
  return candidates;
}

Hash256 numbered(std::uint8_t first) {
  Hash256 txid{};
  txid[0] = first;
  return txid;
}

}  // namespace

TEST_CASE("receiver: who has the list is done with the skeleton alone") {
  ReceiverCase c(1, 500, 20, 0);
  SkeletonReceiver receiver(c.sender.skeleton(), c.list.txids, {});
  CHECK(receiver.next() == Next::complete);
  CHECK(receiver.txids() == c.block);
  CHECK(receiver.missing() == 0);
  CHECK(receiver.symbols_received() == c.sender.skeleton().symbols.symbols.size());
  CHECK_FALSE(receiver.add_transaction(c.block[0]));
}

TEST_CASE("receiver: what the block has beyond the list comes from the pool, or is asked for") {
  ReceiverCase c(2, 500, 10, 8);
  std::vector<Hash256> pool(c.all.end() - 8, c.all.end());
  pool.push_back(c.list.txids[3]);
  SkeletonReceiver with_pool(c.sender.skeleton(), c.list.txids, pool);
  CHECK(with_pool.next() == Next::complete);
  CHECK(with_pool.txids() == c.block);

  pool.resize(5);
  SkeletonReceiver receiver(c.sender.skeleton(), c.list.txids, pool);
  REQUIRE(receiver.next() == Next::ask_transactions);
  CHECK(receiver.missing() == 3);
  CHECK(receiver.transaction_request().ids.size() == 3);
  CHECK_FALSE(receiver.add_transaction(c.list.txids[0]));
  CHECK(receiver.add_transaction(c.all[c.all.size() - 1]));
  CHECK_FALSE(receiver.add_transaction(c.all[c.all.size() - 1]));
  CHECK(receiver.missing() == 2);
  CHECK(receiver.transaction_request().ids.size() == 2);
  const Run run = answer(receiver, c.sender, c.block);
  CHECK(run.end == Next::complete);
  CHECK(run.transactions == 2);
  CHECK(receiver.txids() == c.block);
}

TEST_CASE("receiver: a mempool in any order that lacks and has more is reconciled by symbols") {
  for (std::uint64_t seed = 10; seed < 20; ++seed) {
    CAPTURE(seed);
    ReceiverCase c(seed, 20'000, 0, 0);
    std::vector<Hash256> mempool = without(c.list.txids, 30);
    const auto more = random_txids(seed + 100, 40);
    mempool.insert(mempool.end(), more.begin(), more.end());
    mempool.push_back(mempool[5]);  // twice
    std::shuffle(mempool.begin(), mempool.end(), std::mt19937_64(seed));
    SkeletonReceiver receiver(c.sender.skeleton(), mempool, {});
    CHECK(receiver.next() == Next::ask_symbols);
    const Run run = answer(receiver, c.sender, c.block);
    CHECK(run.end == Next::complete);
    CHECK(run.symbols > 0);
    CHECK(run.lists == 0);
    CHECK(run.transactions == 30);
    CHECK(receiver.txids() == c.block);
  }
}

TEST_CASE("receiver: short ids are asked for when symbols would cost more") {
  ReceiverCase c(3, 1000, 0, 0);
  const auto more = random_txids(33, 2000);
  std::vector<Hash256> mempool = without(c.list.txids, 3);
  mempool.insert(mempool.end(), more.begin(), more.end());
  SkeletonReceiver receiver(c.sender.skeleton(), mempool, {});
  CHECK(receiver.next() == Next::ask_short_ids);
  CHECK_FALSE(receiver.add_short_ids({Hash256{}, {}}));
  const Run run = answer(receiver, c.sender, c.block);
  CHECK(run.end == Next::complete);
  CHECK(run.symbols == 0);
  CHECK(run.lists == 1);
  CHECK(run.transactions == 3);
  CHECK(receiver.txids() == c.block);
}

TEST_CASE("receiver: a receiver that has nothing gets all by position, in bounded requests") {
  ReceiverCase c(4, 12'000, 0, 0);
  SkeletonReceiver receiver(c.sender.skeleton(), {}, {});
  REQUIRE(receiver.next() == Next::ask_short_ids);
  CHECK(receiver.add_short_ids(c.sender.short_ids()));
  REQUIRE(receiver.next() == Next::ask_transactions);
  CHECK(receiver.missing() == 12'000);
  const TransactionRequest request = receiver.transaction_request();
  CHECK(request.positions.size() == max_transactions_in_request);
  CHECK(std::is_sorted(request.positions.begin(), request.positions.end()));
  CHECK(answer(receiver, c.sender, c.block).end == Next::complete);
  CHECK(receiver.txids() == c.block);
}

TEST_CASE("receiver: a block of a coinbase alone, and what is no coinbase") {
  const Bytes coinbase = coinbase_bytes();
  Skeleton skeleton;
  skeleton.header = header_of({}, coinbase);
  skeleton.transaction_count = 1;
  skeleton.coinbase = coinbase;
  CHECK(SkeletonReceiver(skeleton, {}, {}).next() == Next::complete);
  CHECK(SkeletonReceiver(skeleton, random_txids(1, 9), {}).txids().empty());
  skeleton.header.merkle_root[0] ^= 1;
  CHECK(SkeletonReceiver(skeleton, {}, {}).next() == Next::ask_block);
  // The inner node above two transactions, in the place of the coinbase (CVE-2017-12842).
  skeleton.coinbase.assign(64, 7);
  skeleton.header = header_of({}, skeleton.coinbase);
  CHECK(SkeletonReceiver(skeleton, {}, {}).next() == Next::ask_block);
  skeleton.coinbase.assign(65, 7);
  skeleton.header = header_of({}, skeleton.coinbase);
  CHECK(SkeletonReceiver(skeleton, {}, {}).next() == Next::ask_block);
  skeleton.transaction_count = 0;
  CHECK(SkeletonReceiver(skeleton, {}, {}).next() == Next::ask_block);
}

TEST_CASE(
    "receiver: all that the header does not protect may be false, and leads down the ladder") {
  ReceiverCase c(5, 400, 5, 5);
  Skeleton changed = c.sender.skeleton();
  SUBCASE("another salt") {
    changed.salt ^= 1;
  }
  SUBCASE("another coinbase") {
    changed.coinbase[5] ^= 1;
  }
  SUBCASE("garbage in the symbols") {
    std::mt19937_64 random(1);
    for (auto& symbol : changed.symbols.symbols) {
      symbol.sum[0] = random();
      symbol.checksum = static_cast<std::uint32_t>(random());
      symbol.count = static_cast<std::uint32_t>(random() % 400);
    }
  }
  SUBCASE("another number of transactions") {
    changed.transaction_count -= 1;
    changed.symbols.set_size -= 1;
  }
  SUBCASE("a hostile number of transactions") {
    changed.transaction_count = max_block_transactions;
    changed.symbols.set_size = max_block_transactions - 1;
  }
  SUBCASE("a hostile number of transactions in the symbols only") {
    changed.symbols.set_size = iblt::max_set_size;
  }
  SUBCASE("all counts at their end") {
    for (auto& symbol : changed.symbols.symbols) symbol.count = 400;
  }
  SkeletonReceiver receiver(changed, c.list.txids, {});
  const bool symbols_only = changed.salt == c.sender.skeleton().salt &&
                            changed.coinbase == c.coinbase &&
                            changed.transaction_count == c.sender.skeleton().transaction_count;
  // The others' answers are the true ones, to a question that may be false.
  for (int round = 0; round < 100; ++round) {
    if (receiver.next() == Next::ask_symbols) {
      auto range = c.sender.symbols(receiver.symbol_request());
      if (!range || !receiver.add_symbols(*range)) receiver.give_up_rung();
    } else if (receiver.next() == Next::ask_short_ids) {
      CHECK(receiver.add_short_ids(c.sender.short_ids()));
    } else if (receiver.next() == Next::ask_transactions) {
      const auto positions = c.sender.positions(receiver.transaction_request()).value();
      bool useful = false;
      for (const std::uint32_t at : positions) {
        if (at > 0) useful = receiver.add_transaction(c.block[at - 1]) || useful;
      }
      if (!useful) receiver.give_up_rung();
    }
  }
  if (symbols_only) {
    CHECK(receiver.next() == Next::complete);
    CHECK(receiver.txids() == c.block);
  } else {
    CHECK(receiver.next() == Next::ask_block);
    CHECK(receiver.txids().empty());
  }
}

TEST_CASE("receiver: garbage from a peer ends within the limits") {
  ReceiverCase c(6, 3000, 0, 0);
  std::mt19937_64 random(2);
  SkeletonReceiver receiver(c.sender.skeleton(), without(c.list.txids, 200), {}, {2000, 1000});
  for (int round = 0; round < 200 && receiver.next() == Next::ask_symbols; ++round) {
    const SymbolRequest asked = receiver.symbol_request();
    CHECK(receiver.symbols_received() + asked.count <= 2000);
    iblt::SymbolRange range{asked.layer, asked.first, 3000, {}};
    for (std::uint32_t i = 0; i < asked.count; ++i) {
      range.symbols.push_back({{random()},
                               static_cast<std::uint32_t>(random()),
                               static_cast<std::uint32_t>(random() % 3)});
    }
    iblt::SymbolRange other = range;
    other.first += 1;
    CHECK_FALSE(receiver.add_symbols(other));
    other = range;
    other.set_size -= 1;
    CHECK_FALSE(receiver.add_symbols(other));
    other = range;
    other.symbols.emplace_back();
    CHECK_FALSE(receiver.add_symbols(other));
    CHECK(receiver.add_symbols(range));
  }
  REQUIRE(receiver.next() == Next::ask_short_ids);
  CHECK_FALSE(receiver.add_symbols({0, 0, 3000, {{}}}));
  ShortIdList list = c.sender.short_ids();
  SUBCASE("ids that are all the same") {
    std::fill(list.ids.begin(), list.ids.end(), 77);
    CHECK(receiver.add_short_ids(list));
    CHECK(receiver.next() == Next::ask_block);
  }
  SUBCASE("a list of another length") {
    list.ids.pop_back();
    CHECK(receiver.add_short_ids(list));
    CHECK(receiver.next() == Next::ask_block);
  }
  SUBCASE("one id is wrong: a transaction that nobody has") {
    list.ids[500] ^= 1;
    CHECK(receiver.add_short_ids(list));
    CHECK(receiver.next() == Next::ask_transactions);
    receiver.give_up_rung();
    CHECK(receiver.next() == Next::ask_block);
  }
}

TEST_CASE("receiver: the rungs in order when nobody answers") {
  ReceiverCase c(7, 5000, 0, 0);
  SkeletonReceiver receiver(c.sender.skeleton(), without(c.list.txids, 50), {});
  CHECK(receiver.next() == Next::ask_symbols);
  receiver.give_up_rung();
  CHECK(receiver.next() == Next::ask_short_ids);
  receiver.give_up_rung();
  CHECK(receiver.next() == Next::ask_block);
  receiver.give_up_rung();
  CHECK(receiver.next() == Next::ask_block);
}

TEST_CASE("receiver: answers in pieces") {
  ReceiverCase c(8, 5000, 0, 0);
  SkeletonReceiver receiver(c.sender.skeleton(), without(c.list.txids, 50), {});
  while (receiver.next() == Next::ask_symbols) {
    SymbolRequest request = receiver.symbol_request();
    request.count = std::min<std::uint32_t>(request.count, 7);
    REQUIRE(receiver.add_symbols(c.sender.symbols(request).value()));
  }
  CHECK(receiver.next() == Next::ask_transactions);
  CHECK(answer(receiver, c.sender, c.block).end == Next::complete);
}

TEST_CASE("receiver: a block that repeats a transaction is never complete (CVE-2012-2459)") {
  // Three transactions with the coinbase, and a fourth that is the third again: one root.
  const Bytes coinbase = coinbase_bytes();
  const std::vector<Hash256> txids = sorted(random_txids(9, 2));
  std::vector<Hash256> twice = txids;
  twice.push_back(twice.back());
  const auto header = header_of(txids, coinbase);
  REQUIRE(header.merkle_root == header_of(twice, coinbase).merkle_root);
  SkeletonSender sender(header, coinbase, twice, nullptr, {});
  SkeletonReceiver receiver(sender.skeleton(), txids, {});
  for (int round = 0; round < 20 && receiver.next() != Next::ask_block; ++round) {
    REQUIRE(receiver.next() != Next::complete);
    if (receiver.next() == Next::ask_short_ids) receiver.add_short_ids(sender.short_ids());
    if (receiver.next() == Next::ask_symbols) {
      receiver.add_symbols(sender.symbols(receiver.symbol_request()).value());
    }
    if (receiver.next() == Next::ask_transactions && !receiver.add_transaction(twice.back())) {
      receiver.give_up_rung();
    }
  }
  CHECK(receiver.next() == Next::ask_block);
  Match match;
  match.certain = txids;
  CHECK(resolve_match(match, {}, sha256d(coinbase), header.merkle_root) == txids);
  CHECK_FALSE(
      resolve_match(match, std::span(txids).subspan(1), sha256d(coinbase), header.merkle_root));
}

TEST_CASE("receiver: a foreign transaction with the 6-byte id of one that the receiver lacks") {
  // A coinbase without outputs, and a txid that was searched for (2^31 hashes): under this block's
  // key it has the lower 6 bytes of the id of transaction 89452.
  bitcoin::Transaction bare;
  bare.inputs.push_back({{{}, 0xffffffff}, {}, 0xffffffff, {}});
  const Bytes coinbase = bitcoin::serialize(bare, bitcoin::TxEncoding::no_witness);
  constexpr std::size_t twin = 89'452;
  Hash256 foreign{};
  store_le(&foreign[8], std::uint64_t{2'967'987'647});
  std::vector<Hash256> txids(std::size_t{1} << 17);
  for (std::size_t i = 0; i < txids.size(); ++i) {
    std::array<std::uint8_t, 8> number{};
    store_le(number.data(), std::uint64_t{i});
    txids[i] = sha256(number);
  }
  txids = sorted(std::move(txids));
  SkeletonSender sender(header_of(txids, coinbase), coinbase, txids, nullptr, {.max_symbols = 10});
  const SipKey key = skeleton_key(sender.skeleton().header, 0);
  REQUIRE(((short_id(key, foreign) ^ short_id(key, txids[twin])) & short_id_mask) == 0);

  std::vector<Hash256> mempool = txids;
  mempool.push_back(foreign);
  std::size_t lacking = 0;
  SUBCASE("it has both") {}
  SUBCASE("it has the foreign one only") {
    mempool.erase(mempool.begin() + twin);
    lacking = 1;
  }
  // Symbols would tell them apart, so there may be fewer than the skeleton has.
  SkeletonReceiver receiver(sender.skeleton(), mempool, {}, {.symbols = 5});
  const Run run = answer(receiver, sender, txids);
  CHECK(run.end == Next::complete);
  CHECK(run.symbols == 0);
  CHECK(run.lists == 1);
  CHECK(run.transactions == lacking);
  CHECK(receiver.txids() == txids);
}

TEST_CASE("match: a difference names what goes and what comes; ids of several txids are choices") {
  const Hash256 a = numbered(1);
  const Hash256 b = numbered(2);
  const Hash256 c = numbered(3);
  const Hash256 d = numbered(4);
  const Hash256 e = numbered(5);
  const std::vector<iblt::Item<1>> none;
  const std::vector<iblt::Item<1>> ten{{10}};
  const std::vector<iblt::Item<1>> fifty{{50}};
  const auto plain =
      match_difference(candidates_of({a, c}, {10, 30}, {e, b}, {50, 20}), fifty, ten);
  REQUIRE(plain);
  CHECK(plain->certain == std::vector{c, e});
  CHECK(plain->choices.empty());
  CHECK(plain->wanted.empty());
  // Two of base with the id that goes: one of them goes.
  const auto goes = match_difference(candidates_of({a, b, c}, {10, 10, 30}), none, ten);
  REQUIRE(goes);
  CHECK(goes->certain == std::vector{c});
  CHECK(goes->choices == std::vector<Choice>{{{a, b}, 1}});
  // Two of the pool with the id that comes.
  const auto comes =
      match_difference(candidates_of({a}, {10}, {e, d, d, a}, {50, 50, 50, 10}), fifty, none);
  REQUIRE(comes);
  CHECK(comes->choices == std::vector<Choice>{{{e, d}, 1}});
  CHECK_FALSE(match_difference(candidates_of({a}, {11}), none, ten));
}

TEST_CASE("match: the order of a list tells txids of one id apart") {
  const Hash256 a = numbered(10);
  const Hash256 b = numbered(20);
  const Hash256 c = numbered(30);
  const Hash256 x = numbered(25);
  const Hash256 y = numbered(90);
  const std::vector<std::uint64_t> ids{1, 2, 3};
  // x and y have the id of b; only b stands between a and c, or x as well.
  const auto apart = match_list(candidates_of({a, b, c, y}, {1, 2, 3, 2}), ids);
  REQUIRE(apart);
  CHECK(apart->certain == std::vector{a, b, c});
  const auto choice = match_list(candidates_of({a, b, x, c, y}, {1, 2, 2, 3, 2}), ids);
  REQUIRE(choice);
  CHECK(choice->certain == std::vector{a, c});
  CHECK(choice->choices == std::vector<Choice>{{{b, x}, 1}});
  // Who lacks b, and has y with its id, asks for b.
  const auto lacks = match_list(candidates_of({a, c, y}, {1, 3, 2}), ids);
  REQUIRE(lacks);
  CHECK(lacks->certain == std::vector{a, c});
  CHECK(lacks->wanted == std::vector<Wanted>{{2, 2, false}});
  // The upper bytes of an id are not in the list; what is in base and pool is there once.
  const auto masked = match_list(candidates_of({a, b}, {1, 2 | std::uint64_t{9} << 48}, {c, b},
                                               {3, 2 | std::uint64_t{9} << 48}),
                                 ids);
  REQUIRE(masked);
  CHECK(masked->certain == std::vector{a, b, c});
  // An id twice in the list: two txids, or one and one that is lacking.
  const std::vector<std::uint64_t> repeated{1, 1, 3};
  const auto both = match_list(candidates_of({a, b, c}, {1, 1, 3}), repeated);
  REQUIRE(both);
  CHECK(both->certain.size() + both->choices.size() == 3);
  const auto one = match_list(candidates_of({a, c}, {1, 3}), repeated);
  REQUIRE(one);
  CHECK(one->certain == std::vector{a, c});
  CHECK(one->wanted.size() == 1);
}

TEST_CASE("match: the Merkle root chooses, within bounds") {
  const auto txids = sorted(random_txids(20, 40));
  const Hash256 coinbase = numbered(1);
  std::vector<Hash256> all{coinbase};
  all.insert(all.end(), txids.begin(), txids.end());
  const Hash256 root = bitcoin::merkle_root(all);
  const auto others = random_txids(21, 8);
  Match match;
  match.certain.assign(txids.begin(), txids.end() - 3);
  match.choices.push_back({{others[0], txids[37], others[1]}, 1});
  match.choices.push_back({{txids[38], others[2], txids[39]}, 2});
  CHECK(resolve_match(match, {}, coinbase, root) == txids);
  Match wrong = match;
  wrong.choices[0].candidates[1] = others[3];
  CHECK_FALSE(resolve_match(wrong, {}, coinbase, root));
  // 3^10 trials are too many to make.
  for (int i = 0; i < 8; ++i) match.choices.push_back({{others[4], others[5], others[6]}, 1});
  CHECK_FALSE(resolve_match(match, {}, coinbase, root));
}

TEST_CASE("match: what is certain is doubted when the pool has its id as well") {
  const SipKey key{1, 2};
  const auto txids = sorted(random_txids(22, 3));
  const auto other = random_txids(23, 2);
  Match match;
  match.certain = txids;
  MatchCandidates candidates;
  candidates.base = txids;
  candidates.pool = {other[0], other[1], txids[0]};
  candidates.pool_ids = {short_id(key, other[0]), short_id(key, other[1]), short_id(key, txids[0])};
  CHECK_FALSE(doubt_certain(candidates, key, match));
  candidates.pool_ids[1] = short_id(key, txids[1]);
  CHECK(doubt_certain(candidates, key, match));
  CHECK(match.certain == std::vector{txids[0], txids[2]});
  CHECK(match.choices == std::vector<Choice>{{{txids[1], other[1]}, 1}});
}
