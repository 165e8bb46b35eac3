#include "twinchain/net/salted_hasher.hpp"

#include <doctest/doctest.h>

#include <set>

#include "twinchain/crypto/sha256.hpp"

using namespace twinchain;
using namespace twinchain::net;

TEST_CASE("salted hasher: ids chosen for one place of a table are spread by any key but the one") {
  // Those whose first bytes are alike: one bucket of a table that takes the bytes as they are.
  const auto places = [](const SaltedHasher& hasher) {
    std::set<std::size_t> seen;
    for (std::uint64_t i = 0; i < 1'000; ++i) {
      Hash256 id{};
      store_le(&id[8], i);
      seen.insert(hasher(id) % 65'536);
    }
    return seen.size();
  };
  CHECK(places({sip_key(random_array<16>())}) > 950);
  CHECK(places({sip_key(random_array<16>())}) > 950);
}

TEST_CASE("salted hasher: depends on the key, the hash and an outpoint's index") {
  const SaltedHasher one{{1, 2}};
  const SaltedHasher other{{1, 3}};
  const Hash256 id = sha256(as_bytes("id"));
  CHECK(one(id) == siphash24(one.key, ByteView(id)));
  CHECK(one(id) != other(id));
  Bytes message(id.begin(), id.end());
  append_le(message, std::uint64_t{7});
  CHECK(one(bitcoin::OutPoint{id, 7}) == siphash24(one.key, message));
  CHECK(one(bitcoin::OutPoint{id, 7}) != one(bitcoin::OutPoint{id, 8}));
  CHECK(one(bitcoin::OutPoint{id, 7}) != other(bitcoin::OutPoint{id, 7}));
}
