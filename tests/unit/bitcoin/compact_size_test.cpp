#include "twinchain/bitcoin/compact_size.hpp"

#include <doctest/doctest.h>

#include "twinchain/base/hex.hpp"

using namespace twinchain;
using namespace twinchain::bitcoin;

namespace {

std::string encoded(std::uint64_t value) {
  Bytes out;
  append_compact_size(out, value);
  CHECK(out.size() == compact_size_bytes(value));
  return to_hex(out);
}

std::optional<std::uint64_t> decoded(std::string_view hex, std::uint64_t max = ~std::uint64_t{0}) {
  const Bytes bytes = *from_hex(hex);
  ByteCursor cursor(bytes);
  return read_compact_size(cursor, max);
}

}  // namespace

TEST_CASE("compact size at the edges of its forms") {
  CHECK(encoded(0) == "00");
  CHECK(encoded(252) == "fc");
  CHECK(encoded(253) == "fdfd00");
  CHECK(encoded(0xffff) == "fdffff");
  CHECK(encoded(0x10000) == "fe00000100");
  CHECK(encoded(0xffffffff) == "feffffffff");
  CHECK(encoded(0x100000000) == "ff0000000001000000");
  for (const std::uint64_t value :
       {std::uint64_t{0}, std::uint64_t{252}, std::uint64_t{253}, std::uint64_t{65535},
        std::uint64_t{65536}, std::uint64_t{0xffffffff}, ~std::uint64_t{0}}) {
    CHECK(decoded(encoded(value)) == value);
  }
}

TEST_CASE("compact size refuses longer forms, large values and the end of the input") {
  CHECK_FALSE(decoded("fdfc00"));
  CHECK_FALSE(decoded("feffff0000"));
  CHECK_FALSE(decoded("ffffffffff00000000"));
  CHECK_FALSE(decoded(""));
  CHECK_FALSE(decoded("fd"));
  CHECK_FALSE(decoded("fdff"));
  CHECK_FALSE(decoded("ff00000000010000"));
  CHECK_FALSE(decoded("fe01000002", max_compact_size));
  CHECK(decoded("fe00000002", max_compact_size) == max_compact_size);
}
