#include "twinchain/bitcoin/block.hpp"

#include <doctest/doctest.h>

#include "twinchain/base/hex.hpp"
#include "twinchain/bitcoin/merkle_branch.hpp"
#include "twinchain/bitcoin/script.hpp"

using namespace twinchain;
using namespace twinchain::bitcoin;

namespace {

// Bitcoin's genesis block, whole.
constexpr std::string_view genesis =
    "0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac7"
    "2c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d1dac2b7c010100000001000000000000"
    "0000000000000000000000000000000000000000000000000000ffffffff4d04ffff001d0104455468652054696d"
    "65732030332f4a616e2f32303039204368616e63656c6c6f72206f6e206272696e6b206f66207365636f6e642062"
    "61696c6f757420666f722062616e6b73ffffffff0100f2052a01000000434104678afdb0fe5548271967f1a67130"
    "b7105cd6a828e03909a67962e0ea1f61deb649f6bc3f4cef38c4f35504e51ec112de5c384df7ba0b8d578a4c702b"
    "6bf11d5fac00000000";

// A block of litecoind 0.21.2.1 in regtest, after the activation of extension blocks.
constexpr std::string_view litecoin_434 =
    "00000020614365fc7daab395a8f5091d33d5639f2e49a3b87eb8c289fcc72363731e4f6f8a77f6922d053e135739"
    "49c878522e67406371e9df6fa054d0fb68633d93da1260ee026bffff7f2001000000020200000000010100000000"
    "00000000000000000000000000000000000000000000000000000000ffffffff0502b2010101ffffffff02807c81"
    "4a00000000160014b1f732c98076999eb88e12e68c035e287391f4660000000000000000266a24aa21a9ed61d1a3"
    "3d106e22fca97095f7a5cfaa5a8026b3c6e84ccf8519c42237c5c423940120000000000000000000000000000000"
    "00000000000000000000000000000000000000000002000000000801dcddb7e51fcba3213bc957dc08a4e085909d"
    "594e497d2fabd2994fb30ec6f6970000000000ffffffff014c51814a00000000225820766cd2291bd105a2bf34cb"
    "baa56772cfdd844e99c95d480f922a933614eb383000000000000182324e90e46a3568977d90f453a43553679a5d"
    "f5e027048bc9ce058dadda42da8a2900000000000000000000000000000000000000000000000000000000000000"
    "00cf416ea3d113aeb646ba57b0d1c96d1ecfbd675b5100b8aa0ba3eea80433705dfea4bac5e8fb494f0951f29592"
    "62c3c709cf784a5088ec0636b98d1e41b1ecd0000000000000000000000000000000000000000000000000000000"
    "00000000000400000000";

Transaction coinbase_of(std::uint32_t height) {
  Transaction coinbase;
  TxIn input;
  input.previous_output.index = 0xffffffff;
  append_coinbase_height(input.script_sig, height);
  append_push(input.script_sig, as_bytes("test"));
  coinbase.inputs.push_back(input);
  coinbase.outputs.push_back({50, {OP_TRUE}});
  return coinbase;
}

Block some_block(std::size_t others) {
  Block block;
  block.transactions.push_back(coinbase_of(1000));
  for (std::size_t i = 0; i < others; ++i) {
    Transaction transaction;
    transaction.inputs.push_back({{Hash256{9}, static_cast<std::uint32_t>(i)}, {}, 1, {{1, 2}}});
    transaction.outputs.push_back({1, {OP_TRUE}});
    block.transactions.push_back(transaction);
  }
  block.header.merkle_root = merkle_root(txids(block));
  return block;
}

std::string refusal(const Block& block) {
  const auto status = check_block(block);
  return status ? "" : status.error().message;
}

}  // namespace

TEST_CASE("Bitcoin's genesis block: same bytes again, and right in itself") {
  const Bytes bytes = *from_hex(genesis);
  CHECK(bytes.size() == 285);
  const auto block = parse_block(bytes);
  REQUIRE(block);
  CHECK(serialize(*block) == bytes);
  CHECK(check_block(*block));
  CHECK(to_hex_reversed(block_hash(block->header)) ==
        "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f");
}

TEST_CASE("blocks with witness and extension block: same bytes again") {
  Block block = some_block(5);
  CHECK(parse_block(serialize(block)) == block);
  Bytes longer = serialize(block);
  longer.push_back(1);
  const auto refused = parse_block(longer);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message ==
        "block: byte " + std::to_string(longer.size() - 1) + ": bytes after the last transaction");
  block.transactions.back().inputs[0].witness.clear();
  block.transactions.back().hogex = true;
  block.extension = {1, 2, 3};
  CHECK(parse_block(serialize(block)) == block);
}

TEST_CASE("a block of Litecoin's extension block era: ids, height, same bytes again") {
  const Bytes bytes = *from_hex(litecoin_434);
  const auto block = parse_block(bytes);
  REQUIRE(block);
  CHECK(serialize(*block) == bytes);
  CHECK(check_block(*block));
  CHECK(to_hex_reversed(block_hash(block->header)) ==
        "6bffa6ba0016832466c3c0746dd91ff8827dfb217c4e7637b70fff8a5285eb04");
  CHECK(coinbase_height(block->transactions.at(0)) == 434);
  CHECK(block->transactions.at(0).has_witness());
  CHECK(block->transactions.at(1).hogex);
  CHECK(to_hex_reversed(txid(block->transactions.at(1))) ==
        "da376e18cb3bedb159a0dd74b14067079237fdd8f09243a6ec0eb76f53a902c6");
  CHECK(block->extension.size() > 100);
}

TEST_CASE("what is no block names the byte at fault") {
  const Bytes good = serialize(some_block(2));
  for (std::size_t size = 0; size < good.size(); ++size) {
    const auto parsed = parse_block(ByteView(good).first(size));
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().code == ExitCode::malformed);
    CHECK(parsed.error().message.starts_with("block: byte "));
  }
  CHECK_FALSE(parse_block(good, good.size() - 1));
  Bytes many = good;
  many[80] = 0xfc;
  CHECK(parse_block(many).error().message ==
        "block: byte 81: more transactions than the block can hold");
}

TEST_CASE("a block must be right in itself") {
  CHECK(refusal(some_block(0)).empty());
  CHECK(refusal(some_block(4)).empty());
  Block block = some_block(2);
  std::swap(block.transactions[1], block.transactions[2]);
  CHECK(refusal(block) == "block: merkle root is not the header's");
  block = some_block(2);
  block.transactions.push_back(block.transactions.back());
  CHECK(refusal(block) == "block: repeated transactions");
  block = some_block(2);
  block.transactions[1] = coinbase_of(5);
  CHECK(refusal(block) == "block: more than one coinbase");
  block.transactions.erase(block.transactions.begin());
  std::swap(block.transactions[0], block.transactions[1]);
  CHECK(refusal(block) == "block: first transaction is not a coinbase");
  CHECK(refusal(Block{}) == "block: first transaction is not a coinbase");
  block = some_block(1);
  block.transactions[1].outputs[0].script_pubkey = {OP_TRUE, OP_TRUE, OP_TRUE, OP_TRUE};
  block.header.merkle_root = merkle_root(txids(block));
  REQUIRE(serialize(block.transactions[1], TxEncoding::no_witness).size() == 64);
  CHECK(refusal(block) == "block: transaction of 64 bytes");
}

TEST_CASE("heights in coinbases (BIP 34)") {
  for (const std::uint32_t height : {0U, 1U, 16U, 17U, 127U, 128U, 255U, 256U, 32767U, 32768U,
                                     227931U, 8388608U, 0x7fffffffU, 0xffffffffU}) {
    CHECK(coinbase_height(coinbase_of(height)) == height);
  }
  const auto height_of = [](std::string_view script) {
    Transaction coinbase = coinbase_of(0);
    coinbase.inputs[0].script_sig = *from_hex(script);
    return coinbase_height(coinbase);
  };
  CHECK(height_of("035b7a03") == 227931);
  CHECK_FALSE(height_of(""));
  CHECK_FALSE(height_of("03"));
  CHECK_FALSE(height_of("0101"));        // 1 is OP_1
  CHECK_FALSE(height_of("045b7a0300"));  // not the shortest
  CHECK_FALSE(height_of("4c035b7a03"));  // nor this
  CHECK_FALSE(height_of("4f"));          // -1
  CHECK_FALSE(height_of("0181"));
  CHECK_FALSE(height_of("06010203040506"));
  Transaction other = coinbase_of(7);
  other.inputs[0].previous_output.index = 0;
  CHECK_FALSE(coinbase_height(other));
}
