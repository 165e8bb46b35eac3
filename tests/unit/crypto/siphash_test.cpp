#include "twinchain/crypto/siphash.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>

#include "twinchain/crypto/sha256.hpp"

using namespace twinchain;

namespace {

// The paper's key: bytes 0 to 15. Its messages: bytes 0, 1, 2, ...
SipKey counting_key() {
  Id128 bytes{};
  std::iota(bytes.begin(), bytes.end(), std::uint8_t{0});
  return sip_key(bytes);
}

Bytes counting_bytes(std::size_t size) {
  Bytes bytes(size);
  std::iota(bytes.begin(), bytes.end(), std::uint8_t{0});
  return bytes;
}

}  // namespace

TEST_CASE("SipHash-2-4: vectors of the paper and of its reference implementation") {
  const SipKey key = counting_key();
  CHECK(siphash24(key, ByteView()) == 0x726fdb47dd0e0e31);
  CHECK(siphash24(key, counting_bytes(1)) == 0x74f839c593dc67fd);
  // Appendix A of the paper.
  CHECK(siphash24(key, counting_bytes(15)) == 0xa129ca6149be45e5);
  CHECK(siphash24(key, std::array<std::uint64_t, 0>{}) == 0x726fdb47dd0e0e31);
  CHECK(siphash24(key, std::array<std::uint64_t, 1>{0x0706050403020100}) == 0x93f5f5799a932462);
}

TEST_CASE("SipHash-2-4: whole words give what libsodium gives for their bytes") {
  for (std::uint8_t round = 0; round < 100; ++round) {
    const Hash256 seed = sha256(ByteView(&round, 1));
    const SipKey key = sip_key(seed);
    const Hash256 message = sha256(seed);
    CHECK(siphash24(key, message) == siphash24(key, ByteView(message)));
    const auto word = load_le<std::uint64_t>(message.data());
    CHECK(siphash24(key, std::array<std::uint64_t, 1>{word}) ==
          siphash24(key, ByteView(message).first(8)));
    std::array<std::uint64_t, 8> words{};
    Bytes bytes;
    for (auto& each : words) {
      each = load_le<std::uint64_t>(&message[round % 24]) * (words[0] + 3);
      append_le(bytes, each);
    }
    CHECK(siphash24(key, words) == siphash24(key, bytes));
  }
}

TEST_CASE("SipHash-2-4: a key is the first 16 bytes") {
  Hash256 hash{};
  Id128 id{};
  for (std::size_t i = 0; i < hash.size(); ++i) hash[i] = static_cast<std::uint8_t>(i * 7);
  std::copy_n(hash.begin(), id.size(), id.begin());
  CHECK(sip_key(hash) == sip_key(id));
  CHECK(sip_key(id).k0 == load_le<std::uint64_t>(id.data()));
}
