#include "twinchain/crypto/sha256.hpp"

#include <doctest/doctest.h>

#include <thread>

#include "twinchain/base/hex.hpp"

using namespace twinchain;

namespace {

std::string hex(const Hash256& hash) {
  return to_hex(hash);
}

Bytes repeat(std::uint8_t byte, std::size_t count) {
  return Bytes(count, byte);
}

}  // namespace

TEST_CASE("SHA-256: examples of FIPS 180-4 and NIST") {
  CHECK(hex(sha256(ByteView())) ==
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(hex(sha256(as_bytes("abc"))) ==
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(hex(sha256(as_bytes("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"))) ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(hex(sha256(repeat('a', 1'000'000))) ==
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("SHA-256: pieces, reuse and parts give the same as one piece") {
  const Bytes message = repeat('a', 1000);
  const Hash256 whole = sha256(message);
  Sha256 hasher;
  for (int round = 0; round < 2; ++round) {
    for (std::size_t at = 0; at < message.size(); at += 7) {
      hasher.update(ByteView(message).subspan(at, std::min<std::size_t>(7, message.size() - at)));
    }
    CHECK(hasher.finish() == whole);
  }
  CHECK(sha256({ByteView(message).first(1), ByteView(), ByteView(message).subspan(1)}) == whole);
  Sha256 moved = std::move(hasher);
  CHECK(moved.update(message).finish() == whole);
}

TEST_CASE("SHA-256d is SHA-256 of SHA-256: the block id of Bitcoin's genesis") {
  const auto header = from_hex(
      "0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac7"
      "2c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d1dac2b7c");
  REQUIRE(header);
  CHECK(to_hex_reversed(sha256d(*header)) ==
        "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f");
}

TEST_CASE("HMAC-SHA-256: RFC 4231") {
  const auto check = [](const Bytes& key, ByteView message, std::string_view expected) {
    CHECK(hex(hmac_sha256(key, message)).starts_with(expected));
  };
  check(repeat(0x0b, 20), as_bytes("Hi There"),
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  check({'J', 'e', 'f', 'e'}, as_bytes("what do ya want for nothing?"),
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  check(repeat(0xaa, 20), repeat(0xdd, 50),
        "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
  check(*from_hex("0102030405060708090a0b0c0d0e0f10111213141516171819"), repeat(0xcd, 50),
        "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b");
  // Truncated to 128 bits in the RFC.
  check(repeat(0x0c, 20), as_bytes("Test With Truncation"), "a3b6167473100ee06e0c796c2955552b");
  check(repeat(0xaa, 131), as_bytes("Test Using Larger Than Block-Size Key - Hash Key First"),
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
  check(repeat(0xaa, 131),
        as_bytes("This is a test using a larger than block-size key and a larger than block-size "
                 "data. The key needs to be hashed before being used by the HMAC algorithm."),
        "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
}

TEST_CASE("SHA-256 on several threads at once") {
  const Bytes message = repeat('x', 5000);
  const Hash256 expected = sha256(message);
  std::vector<std::thread> threads;
  std::array<bool, 4> right{};
  for (bool& one : right) {
    threads.emplace_back([&one, &message, &expected] {
      one = true;
      for (int i = 0; i < 200; ++i) one = one && sha256(message) == expected;
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const bool one : right) CHECK(one);
}

TEST_CASE("random bytes differ, wiping clears, comparison compares") {
  auto a = random_array<32>();
  const auto b = random_array<32>();
  CHECK(a != b);
  CHECK(equal_constant_time(a, a));
  CHECK_FALSE(equal_constant_time(a, b));
  CHECK_FALSE(equal_constant_time(a, ByteView(a).first(31)));
  CHECK(equal_constant_time(ByteView(), ByteView()));
  wipe(a);
  CHECK(a == std::array<std::uint8_t, 32>{});
}
