#include "twinchain/crypto/sha256_many.hpp"

#include <doctest/doctest.h>

#include <random>
#include <thread>

#include "twinchain/base/hex.hpp"
#include "twinchain/crypto/sha256.hpp"

using namespace twinchain;

namespace {

Bytes random_message(std::mt19937_64& random, std::size_t size) {
  Bytes message(size);
  for (auto& byte : message) byte = static_cast<std::uint8_t>(random());
  return message;
}

/// Digests of messages of these sizes, each cut at `prefix_bytes`, compared with one by one.
bool same_as_one_by_one(const std::vector<std::size_t>& sizes, std::size_t prefix_bytes) {
  std::mt19937_64 random(sizes.size());
  std::vector<Bytes> bytes;
  std::vector<PrefixedMessage> messages;
  bytes.reserve(sizes.size());
  for (const std::size_t size : sizes) {
    bytes.push_back(random_message(random, size));
    const std::size_t cut = std::min(size, prefix_bytes);
    messages.push_back({ByteView(bytes.back()).first(cut), ByteView(bytes.back()).subspan(cut)});
  }
  std::vector<Hash256> digests(sizes.size());
  sha256_many(messages, digests);
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (digests[i] != sha256(ByteView(bytes[i]))) return false;
  }
  return true;
}

}  // namespace

TEST_CASE("many SHA-256 at a time: an example of FIPS 180-4 in every lane") {
  for (std::size_t count = 0; count <= 40; ++count) {
    const std::vector<PrefixedMessage> messages(count, {as_bytes("a"), as_bytes("bc")});
    std::vector<Hash256> digests(count);
    sha256_many(messages, digests);
    for (const Hash256& digest : digests) {
      REQUIRE(to_hex(digest) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
  }
}

TEST_CASE("many SHA-256 at a time: every size near the blocks' ends") {
  std::vector<std::size_t> sizes;
  for (std::size_t size = 0; size <= 260; ++size) sizes.push_back(size);
  for (const std::size_t prefix : {0U, 1U, 33U, 64U, 300U})
    CHECK(same_as_one_by_one(sizes, prefix));
}

TEST_CASE("many SHA-256 at a time: sizes that do not go together, and larger than a lane takes") {
  CHECK(same_as_one_by_one({65'527, 65'528, 65'529, 65'535, 65'536, 65'537, 200'000, 0, 1}, 33));
  std::mt19937_64 random(7);
  for (int round = 0; round < 20; ++round) {
    std::vector<std::size_t> sizes(random() % 200);
    for (auto& size : sizes) size = random() % (random() % 4 == 0 ? 70'000 : 2'000);
    CHECK(same_as_one_by_one(sizes, 33));
  }
}

TEST_CASE("many HMAC-SHA-256 at a time: the same as one by one") {
  std::mt19937_64 random(11);
  for (const std::size_t key_size : {0U, 1U, 32U, 63U, 64U, 65U, 131U}) {
    const Bytes key = random_message(random, key_size);
    for (const std::size_t count : {0U, 1U, 3U, 4U, 15U, 16U, 17U, 100U, 1000U}) {
      std::vector<Bytes> bytes;
      for (std::size_t i = 0; i < count; ++i) bytes.push_back(random_message(random, i % 150));
      // An empty message among them, and none.
      const std::size_t first = count % 2;
      const std::vector<ByteView> messages(
          bytes.begin() + static_cast<std::ptrdiff_t>(std::min(first, count)), bytes.end());
      std::vector<Hash256> macs(messages.size());
      hmac_sha256_many(key, messages, macs);
      for (std::size_t i = 0; i < messages.size(); ++i) {
        REQUIRE(macs[i] == hmac_sha256(key, messages[i]));
      }
    }
  }
}

TEST_CASE("many SHA-256 at a time on several threads at once") {
  std::vector<std::thread> threads;
  std::array<bool, 4> right{};
  for (bool& one : right) {
    threads.emplace_back([&one] {
      one = true;
      for (int i = 0; i < 20; ++i) one = one && same_as_one_by_one({10, 1000, 100, 5000, 64}, 33);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const bool one : right) CHECK(one);
}
