#include "twinchain/ledger/receipt.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "twinchain/base/hex.hpp"
#include "twinchain/bitcoin/merkle_branch.hpp"
#include "twinchain/bitcoin/script.hpp"
#include "twinchain/crypto/merkle.hpp"
#include "twinchain/crypto/sha256.hpp"
#include "twinchain/ledger/dir_block.hpp"
#include "unit/ledger/link_testing.hpp"

using namespace twinchain;
using namespace twinchain::ledger;
using twinchain::ledger::testing::link;

namespace {

bitcoin::Block block_with(std::size_t others, const Bytes& payload, std::size_t index) {
  std::vector<bitcoin::Transaction> transactions;
  for (std::size_t i = 1; i <= others; ++i) {
    const Bytes other = anchor_payload(link(static_cast<std::uint32_t>(1000 + i)));
    transactions.push_back(make_dir_transaction({link(static_cast<std::uint32_t>(i)), 0},
                                                i == index ? payload : other));
  }
  return mine_dir_block(link(0), 17, 1'800'000'000, transactions);
}

Receipt receipt_for(const bitcoin::Block& block, std::size_t index, std::uint32_t number) {
  const auto ids = bitcoin::txids(block);
  Receipt receipt;
  receipt.network_magic = network_by_name("dir")->magic;
  receipt.link_hash = link(number);
  receipt.transaction = bitcoin::serialize(block.transactions[index]);
  receipt.transaction_index = static_cast<std::uint32_t>(index);
  receipt.transaction_branch = bitcoin::merkle_branch(ids, index);
  receipt.coinbase = bitcoin::serialize(block.transactions[0]);
  receipt.coinbase_branch = bitcoin::merkle_branch(ids, 0);
  receipt.block_header = bitcoin::serialize(block.header);
  receipt.block_hash = bitcoin::block_hash(block.header);
  return receipt;
}

Receipt receipt_of(std::size_t others, std::size_t index, std::uint32_t number = 42) {
  return receipt_for(block_with(others, anchor_payload(link(number)), index), index, number);
}

std::string refusal(const Receipt& receipt) {
  const auto facts = check_receipt(receipt);
  if (facts) return "";
  CHECK(facts.error().code == ExitCode::refuted);
  return facts.error().message;
}

// A receipt for a block of one's own making: the header is mined again for whatever root is asked.
void mine_again(Receipt& receipt, const Hash256& merkle_root) {
  bitcoin::BlockHeader header = bitcoin::parse_header(receipt.block_header);
  header.merkle_root = merkle_root;
  const Network dir = *network_by_name("dir");
  while (!dir.check_proof_of_work(bitcoin::serialize(header))) ++header.nonce;
  receipt.block_header = bitcoin::serialize(header);
  receipt.block_hash = bitcoin::block_hash(header);
}

}  // namespace

TEST_CASE("receipts of blocks of every size check, and keep their bytes") {
  for (std::size_t others = 1; others <= 9; ++others) {
    for (std::size_t index = 1; index <= others; ++index) {
      const Receipt receipt = receipt_of(others, index);
      const auto facts = check_receipt(receipt);
      REQUIRE(facts);
      CHECK(facts->height == 17);
      CHECK(facts->time_s == 1'800'000'000);
      CHECK(facts->block_hash == receipt.block_hash);
      CHECK(facts->txid == sha256d(receipt.transaction));
      const Bytes bytes = encode_receipt(receipt);
      CHECK(bytes.size() <= 2048);
      const auto parsed = parse_receipt(bytes);
      REQUIRE(parsed);
      CHECK(encode_receipt(*parsed) == bytes);
      CHECK(check_receipt(*parsed));
    }
  }
}

TEST_CASE("any bit changed: the receipt does not parse, or does not check") {
  for (const auto& [others, index] :
       {std::pair<std::size_t, std::size_t>{1, 1}, {2, 2}, {6, 4}, {6, 6}}) {
    const Bytes good = encode_receipt(receipt_of(others, index));
    for (std::size_t bit = 0; bit < 8 * good.size(); ++bit) {
      CAPTURE(others);
      CAPTURE(bit);
      Bytes changed = good;
      changed[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
      const auto parsed = parse_receipt(changed);
      CHECK_FALSE((parsed && check_receipt(*parsed)));
    }
  }
}

TEST_CASE("any length changed: the receipt does not parse") {
  const Bytes good = encode_receipt(receipt_of(3, 2));
  for (std::size_t size = 0; size < good.size(); ++size) {
    const auto parsed = parse_receipt(ByteView(good).first(size));
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().code == ExitCode::malformed);
  }
  Bytes longer = good;
  longer.push_back(0);
  CHECK(parse_receipt(longer).error().message == "receipt: length is not what its fields say");
}

TEST_CASE("limits hold before memory is taken") {
  Bytes bytes = encode_receipt(receipt_of(1, 1));
  const auto with = [&](std::size_t at, std::uint32_t value, std::size_t size) {
    Bytes changed = bytes;
    for (std::size_t i = 0; i < size; ++i) {
      changed[at + i] = static_cast<std::uint8_t>(value >> (8 * i));
    }
    return parse_receipt(changed).error().message;
  };
  CHECK(with(0, 4, 2) == "receipt: version 4 is not known");
  CHECK(with(2, 1, 2) == "receipt: reserved field is not zero");
  CHECK(with(174, 1, 2) == "receipt: reserved field is not zero");
  CHECK(with(172, 65, 1) == "receipt: fleet path too long");
  CHECK(with(173, 33, 1) == "receipt: merkle branch too long");
  CHECK(with(176, 100'001, 4) == "receipt: transaction too long");
  CHECK(with(180, 0xffffffff, 4) == "receipt: coinbase too long");
}

TEST_CASE("parts of two receipts do not fit together") {
  const bitcoin::Block block = block_with(5, anchor_payload(link(42)), 3);
  const Receipt one = receipt_for(block, 3, 42);
  const Receipt other = receipt_of(5, 2, 43);
  REQUIRE(refusal(one).empty());
  REQUIRE(refusal(other).empty());
  const auto swapped = [&](auto member) {
    Receipt mixed = one;
    mixed.*member = other.*member;
    return refusal(mixed);
  };
  CHECK(swapped(&Receipt::link_hash) == "receipt: transaction does not carry the link hash");
  CHECK(swapped(&Receipt::transaction) == "receipt: transaction does not carry the link hash");
  CHECK(swapped(&Receipt::transaction_index) ==
        "receipt: merkle branch does not lead from the transaction to the header");
  CHECK(swapped(&Receipt::transaction_branch) ==
        "receipt: merkle branch does not lead from the transaction to the header");
  CHECK(swapped(&Receipt::coinbase_branch) ==
        "receipt: merkle branch does not lead from the coinbase to the header");
  CHECK(swapped(&Receipt::block_header) == "receipt: block hash is not the header's");
  CHECK(swapped(&Receipt::block_hash) == "receipt: block hash is not the header's");
  Receipt mixed = one;
  mixed.block_header = other.block_header;
  mixed.block_hash = other.block_hash;
  CHECK(refusal(mixed) ==
        "receipt: merkle branch does not lead from the transaction to the header");
  // Another transaction of the same block, with everything that belongs to it.
  CHECK(refusal(receipt_for(block, 2, 42)) == "receipt: transaction does not carry the link hash");
  CHECK(refusal(Receipt{}) == "receipt: network is not known");
}

TEST_CASE("a block of another network, or without its work, is refused") {
  Receipt receipt = receipt_of(2, 1);
  for (const Network& network : networks()) {
    if (network.name == "dir") continue;
    receipt.network_magic = network.magic;
    CAPTURE(network.name);
    CHECK_FALSE(refusal(receipt).empty());
  }
  receipt = receipt_of(2, 1);
  bitcoin::BlockHeader header = bitcoin::parse_header(receipt.block_header);
  while (network_by_name("dir")->check_proof_of_work(bitcoin::serialize(header))) ++header.nonce;
  receipt.block_header = bitcoin::serialize(header);
  receipt.block_hash = bitcoin::block_hash(header);
  CHECK(refusal(receipt) == "receipt: header does not meet its proof of work");
}

TEST_CASE("CVE-2017-12842: an inner node is no transaction, and branches have one length") {
  // A "transaction" of 64 bytes that is really a node: the branch is one shorter.
  Receipt receipt = receipt_of(3, 2);
  Bytes node(receipt.transaction_branch[0].begin(), receipt.transaction_branch[0].end());
  append(node, sha256d(receipt.transaction));
  REQUIRE(node.size() == 64);
  Receipt high = receipt;
  high.transaction = node;
  high.transaction_branch.erase(high.transaction_branch.begin());
  high.transaction_index /= 2;
  CHECK(refusal(high) == "receipt: transaction of 64 bytes could be a node of the merkle tree");
  high = receipt;
  high.coinbase = node;
  CHECK(refusal(high) == "receipt: coinbase of 64 bytes could be a node of the merkle tree");
  // A transaction below a real one: its branch is one longer.
  Receipt low = receipt;
  const Hash256 sibling = link(77);
  low.transaction_branch.insert(low.transaction_branch.begin(), sibling);
  low.transaction_index *= 2;
  const Hash256 below = bitcoin::merkle_parent(sha256d(low.transaction), sibling);
  const std::span<const Hash256> rest = std::span<const Hash256>(low.transaction_branch).subspan(1);
  mine_again(low, *bitcoin::root_from_branch(below, low.transaction_index / 2, rest));
  CHECK(refusal(low) == "receipt: branches of transaction and coinbase differ in length");
}

TEST_CASE("CVE-2012-2459: the place of a repeated transaction is no place") {
  const Receipt receipt = receipt_of(2, 2);  // the third of three, paired with itself
  REQUIRE(refusal(receipt).empty());
  Receipt repeated = receipt;
  repeated.transaction_index = 3;
  CHECK(refusal(repeated) ==
        "receipt: merkle branch does not lead from the transaction to the header");
}

TEST_CASE("the coinbase itself may carry the payload; nothing else is at index 0") {
  bitcoin::Block block = block_with(0, {}, 0);
  block.transactions[0].outputs.push_back({0, bitcoin::op_return_script(anchor_payload(link(42)))});
  Receipt receipt = receipt_for(block, 0, 42);
  mine_again(receipt, bitcoin::txid(block.transactions[0]));
  CHECK(refusal(receipt).empty());
  Receipt other = receipt_of(1, 1);
  other.coinbase = receipt.coinbase;
  CHECK_FALSE(refusal(other).empty());
}

TEST_CASE("the height comes from the coinbase, in one form") {
  bitcoin::Block block = block_with(1, anchor_payload(link(42)), 1);
  block.transactions[0].inputs[0].script_sig = {0x4f};
  Receipt receipt = receipt_for(block, 1, 42);
  mine_again(receipt, bitcoin::merkle_root(bitcoin::txids(block)));
  CHECK(refusal(receipt) == "receipt: coinbase does not state the block's height");
  block.transactions[0].inputs[0].script_sig = {0x02, 0x2c, 0x01, 0x51};  // a regtest node's
  receipt = receipt_for(block, 1, 42);
  mine_again(receipt, bitcoin::merkle_root(bitcoin::txids(block)));
  CHECK(refusal(receipt) == "receipt: block is of another network");
  receipt.network_magic = network_by_name("bitcoin-regtest")->magic;
  CHECK(refusal(receipt).empty());
}

TEST_CASE("fleets: every recorder's place under one root, and no other") {
  for (std::uint64_t size = 2; size <= 9; ++size) {
    std::vector<Hash256> leaves;
    for (std::uint32_t i = 0; i < size; ++i) leaves.push_back(merkle_leaf(link(i)));
    const Hash256 root = merkle_root(leaves);
    const Bytes payload = anchor_payload(fleet_hash(root, size));
    const bitcoin::Block block = block_with(2, payload, 1);
    for (std::uint64_t index = 0; index < size; ++index) {
      CAPTURE(size);
      CAPTURE(index);
      Receipt receipt = receipt_for(block, 1, static_cast<std::uint32_t>(index));
      receipt.fleet_size = size;
      receipt.fleet_index = index;
      // RFC 6962 section 2.1.1, by its definition.
      std::vector<Hash256> path;
      std::span<const Hash256> part = leaves;
      std::size_t at = index;
      while (part.size() > 1) {
        std::size_t split = 1;
        while (split * 2 < part.size()) split *= 2;
        const bool is_left = at < split;
        path.push_back(merkle_root(is_left ? part.subspan(split) : part.first(split)));
        part = is_left ? part.first(split) : part.subspan(split);
        if (!is_left) at -= split;
      }
      std::reverse(path.begin(), path.end());
      receipt.fleet_path = path;
      CHECK(refusal(receipt).empty());
      const Bytes bytes = encode_receipt(receipt);
      const auto parsed = parse_receipt(bytes);
      REQUIRE(parsed);
      CHECK(encode_receipt(*parsed) == bytes);
      for (std::uint64_t other_size = 0; other_size < 17; ++other_size) {
        for (std::uint64_t other_index = 0; other_index < 17; ++other_index) {
          if (other_size == size && other_index == index) continue;
          Receipt moved = receipt;
          moved.fleet_size = other_size;
          moved.fleet_index = other_index;
          CHECK_FALSE(check_receipt(moved));
        }
      }
    }
  }
  Receipt alone = receipt_of(1, 1);
  alone.fleet_path.push_back(link(1));
  CHECK(refusal(alone) == "receipt: fleet path does not fit its index and size");
}

TEST_CASE("an anchor's frame is that of its link") {
  FrameHeader link_header;
  link_header.type = FrameType::link;
  link_header.source = source_id("engine");
  link_header.sequence = 7;
  link_header.window_start_ns = 1;
  link_header.window_end_ns = 2;
  const Bytes body{1, 2, 3};
  set_body(link_header, body);
  const FrameHeader header = anchor_frame_header(link_header);
  CHECK(header.type == FrameType::anchor);
  CHECK(header.source == link_header.source);
  CHECK(header.sequence == 7);
  CHECK(header.window_start_ns == 1);
  CHECK(header.window_end_ns == 2);
  CHECK(header.body_size == 0);
}

TEST_CASE("receipts of networks that were made: the genesis block names them") {
  Receipt receipt = receipt_of(6, 4);
  receipt.genesis = link(77);
  const Network network = made_network(*receipt.genesis);
  receipt.network_magic = network.magic;
  // The block of a dir: ledger is as good as any: no other trivial network may have it.
  const auto facts = check_receipt(receipt);
  REQUIRE(facts);
  CHECK(facts->network.name == network.name);
  CHECK(facts->network.is_made());
  CHECK_FALSE(facts->network.trivial);
  const Bytes good = encode_receipt(receipt);
  const auto parsed = parse_receipt(good);
  REQUIRE(parsed);
  CHECK(parsed->genesis == receipt.genesis);
  CHECK(encode_receipt(*parsed) == good);
  for (std::size_t bit = 0; bit < 8 * good.size(); ++bit) {
    CAPTURE(bit);
    Bytes changed = good;
    changed[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    const auto read = parse_receipt(changed);
    CHECK_FALSE((read && check_receipt(*read)));
  }
  for (std::size_t size = 0; size < good.size(); ++size) {
    CHECK_FALSE(parse_receipt(ByteView(good).first(size)));
  }
  // The name of another network cannot be borrowed, nor its number.
  receipt.network_magic = network_by_name("bitcoin")->magic;
  CHECK(refusal(receipt) == "receipt: network is not known");
}
