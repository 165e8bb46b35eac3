#include "twinchain/crypto/digests.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "twinchain/base/hex.hpp"
#include "twinchain/crypto/sha256.hpp"

using namespace twinchain;

TEST_CASE("SHA-1: FIPS 180-4, RIPEMD-160: its authors' examples") {
  CHECK(to_hex(sha1(as_bytes("abc"))) == "a9993e364706816aba3e25717850c26c9cd0d89d");
  CHECK(to_hex(ripemd160(as_bytes(""))) == "9c1185a5c5e9fc54612808977ee8f548b2258d31");
  CHECK(to_hex(ripemd160(as_bytes("abc"))) == "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc");
}

TEST_CASE("Keccak-256: the contest's test values, and sizes around a block") {
  CHECK(to_hex(keccak256(as_bytes(""))) ==
        "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");
  CHECK(to_hex(keccak256(as_bytes("abc"))) ==
        "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45");
  // Ethereum's event signature of ERC-20, known to every node.
  CHECK(to_hex(keccak256(as_bytes("Transfer(address,address,uint256)"))) ==
        "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef");
  const Bytes two_hundred(200, 0xa3);
  CHECK(to_hex(keccak256(two_hundred)) ==
        "3a57666b048777f2c953dc4456f45a2588e1cb6f2da760122d530ac2ce607d4a");
}

TEST_CASE("digests of bytes in pieces are those of the whole") {
  using Kind = PiecewiseDigest::Kind;
  Bytes bytes(1000);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i * 7);
  const auto in_pieces = [&bytes](Kind kind, std::size_t piece) {
    PiecewiseDigest digest(kind);
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
      digest.update(ByteView(bytes).subspan(at, std::min(piece, bytes.size() - at)));
    }
    return to_hex(digest.finish());
  };
  for (const std::size_t size : {std::size_t{0}, std::size_t{135}, std::size_t{136},
                                 std::size_t{137}, std::size_t{272}, std::size_t{1000}}) {
    bytes.resize(size);
    for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::size_t{136}}) {
      CHECK(in_pieces(Kind::sha1, piece) == to_hex(sha1(bytes)));
      CHECK(in_pieces(Kind::ripemd160, piece) == to_hex(ripemd160(bytes)));
      CHECK(in_pieces(Kind::sha256, piece) == to_hex(sha256(bytes)));
      CHECK(in_pieces(Kind::keccak256, piece) == to_hex(keccak256(bytes)));
    }
  }
}
