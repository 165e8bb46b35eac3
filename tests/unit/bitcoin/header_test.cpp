// Real headers: Bitcoin's genesis and block 358391, Litecoin's genesis.
#include "twinchain/bitcoin/header.hpp"

#include <doctest/doctest.h>

#include "twinchain/base/hex.hpp"
#include "twinchain/bitcoin/pow.hpp"
#include "twinchain/crypto/scrypt.hpp"

using namespace twinchain;
using namespace twinchain::bitcoin;

namespace {

BlockHeaderBytes bytes_of(std::string_view hex) {
  const Bytes bytes = *from_hex(hex);
  REQUIRE(bytes.size() == block_header_size);
  BlockHeaderBytes header{};
  std::copy(bytes.begin(), bytes.end(), header.begin());
  return header;
}

const UInt256 bitcoin_limit = decode_compact(0x1d00ffff).target;
const UInt256 litecoin_limit = decode_compact(0x1e0fffff).target;

constexpr std::string_view bitcoin_genesis =
    "0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac7"
    "2c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d1dac2b7c";
constexpr std::string_view bitcoin_358391 =
    "02000000b96394585a281b7e5f438fd1c9ed492645a1fd61cb3802040000000000000000007ee445d23ad061af4a"
    "36b809501fab1ac4f2d7e7a739817dd0cbb7ec661b8a1e376755f58616186272def6";
constexpr std::string_view litecoin_genesis =
    "010000000000000000000000000000000000000000000000000000000000000000000000d9ced4ed1130f7b7faad"
    "9be25323ffafa33232a17c3edf6cfd97bee6bafbdd97b9aa8e4ef0ff0f1ecd513f7c";

}  // namespace

TEST_CASE("Bitcoin's genesis block: hash, fields, proof of work") {
  const BlockHeaderBytes bytes = bytes_of(bitcoin_genesis);
  CHECK(to_hex_reversed(block_hash(bytes)) ==
        "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f");
  const BlockHeader header = parse_header(bytes);
  CHECK(header.version == 1);
  CHECK(header.previous == Hash256{});
  CHECK(header.time_s == 1231006505);
  CHECK(header.bits == 0x1d00ffff);
  CHECK(header.nonce == 2083236893);
  CHECK(serialize(header) == bytes);
  CHECK(check_proof_of_work(ProofOfWork::sha256d, bytes, bitcoin_limit));
  CHECK_FALSE(check_proof_of_work(ProofOfWork::scrypt_1024_1_1, bytes, bitcoin_limit));
}

TEST_CASE("block 358391: hash and proof of work") {
  const BlockHeaderBytes bytes = bytes_of(bitcoin_358391);
  CHECK(to_hex_reversed(block_hash(bytes)) ==
        "000000000000000003e892881a8cdcdc117c06d444057c98b6f04a9ee75a2319");
  CHECK(to_hex(parse_header(bytes).merkle_root).substr(0, 8) == "007ee445");
  CHECK(check_proof_of_work(ProofOfWork::sha256d, bytes, bitcoin_limit));
}

TEST_CASE("Litecoin's genesis block: id by SHA-256d, work by scrypt") {
  const BlockHeaderBytes bytes = bytes_of(litecoin_genesis);
  CHECK(to_hex_reversed(block_hash(bytes)) ==
        "12a765e31ffd4059bada1e25190f6e98c99d9714d334efa41a195a7e7e04bfe2");
  CHECK(to_hex_reversed(scrypt_1024_1_1(bytes)) ==
        "0000050c34a64b415b6b15b37f2216634b5b1669cb9a2e38d76f7213b0671e00");
  CHECK(check_proof_of_work(ProofOfWork::scrypt_1024_1_1, bytes, litecoin_limit));
  CHECK_FALSE(check_proof_of_work(ProofOfWork::sha256d, bytes, litecoin_limit));
}

TEST_CASE("every bit of a header counts for its proof of work") {
  const BlockHeaderBytes bytes = bytes_of(bitcoin_358391);
  for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    BlockHeaderBytes changed = bytes;
    changed[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    CAPTURE(bit);
    CHECK_FALSE(check_proof_of_work(ProofOfWork::sha256d, changed, bitcoin_limit));
  }
}

TEST_CASE("a header may not state an easier target than its network allows") {
  const BlockHeaderBytes bytes = bytes_of(bitcoin_genesis);
  CHECK_FALSE(check_proof_of_work(ProofOfWork::sha256d, bytes, bitcoin_limit - UInt256(1)));
}
