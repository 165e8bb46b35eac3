#include "twinchain/ledger/ots_digest.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <array>

#include "twinchain/base/hex.hpp"
#include "twinchain/sys/fd.hpp"

using namespace twinchain;
using namespace twinchain::ledger;

TEST_CASE("ots digest: of a file by each operation that hashes one") {
  struct Published {
    OtsOperation operation;
    const char* digest;  ///< of "abc"
  };
  const Published published[] = {
      {OtsOperation::sha1, "a9993e364706816aba3e25717850c26c9cd0d89d"},
      {OtsOperation::ripemd160, "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc"},
      {OtsOperation::sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
      {OtsOperation::keccak256, "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"},
  };
  for (const Published& one : published) {
    std::array<int, 2> ends{};
    REQUIRE(::pipe(ends.data()) == 0);
    const UniqueFd from(ends[0]);
    UniqueFd to(ends[1]);
    REQUIRE(write_all(to.get(), as_bytes("abc")));
    to.reset();
    std::uint64_t told_bytes = 0;
    const auto digest = ots_digest(from.get(), one.operation,
                                   [&](std::uint64_t done_bytes) { told_bytes = done_bytes; });
    REQUIRE(digest);
    CHECK(to_hex(*digest) == one.digest);
    CHECK(told_bytes == 3);
  }
  CHECK(ots_digest(-1, OtsOperation::sha256, [](std::uint64_t) {}).error().code ==
        ExitCode::system);
}
