#include "twinchain/net/block_parts.hpp"

#include <doctest/doctest.h>

#include "unit/net/storage_for_tests.hpp"

using namespace twinchain;
using namespace twinchain::net;
using namespace twinchain::testing;

namespace {

using Taken = BlockParts::Taken;

constexpr std::uint64_t parts_limit_bytes = 1'000;

/// A part of block 7, whose bytes tell where they stand.
BlockPart part_at(std::uint64_t offset, std::size_t size, std::uint64_t whole_bytes) {
  BlockPart part{Hash256{7}, whole_bytes, offset, Bytes(size)};
  for (std::size_t i = 0; i < size; ++i) {
    part.bytes[i] = static_cast<std::uint8_t>((offset + i) * 31);
  }
  return part;
}

/// From now on nothing is taken and nothing is held.
void check_refused(BlockParts& parts) {
  CHECK(parts.bytes().empty());
  CHECK(parts.bytes().capacity() == 0);
  CHECK(parts.take(part_at(0, 300, 900)) == Taken::misfit);
  CHECK(parts.bytes().empty());
}

}  // namespace

TEST_CASE("block parts: in order they make the block, in no more memory than it has bytes") {
  BlockParts parts(Hash256{7}, parts_limit_bytes);
  CHECK(parts.block() == Hash256{7});
  CHECK(parts.size_bytes() == 0);
  CHECK(parts.bytes().empty());
  constexpr std::size_t size = 90;
  for (std::uint64_t offset = 0; offset < 900; offset += size) {
    CHECK(parts.take(part_at(offset, size, 900)) == (offset == 810 ? Taken::whole : Taken::more));
    CHECK(parts.size_bytes() == 900);
    CHECK(parts.bytes().size() == offset + size);
    CHECK(parts.bytes().capacity() <= 900);
  }
  CHECK(parts.take_bytes() == part_at(0, 900, 900).bytes);
  CHECK(parts.bytes().empty());
}

TEST_CASE("block parts: a block of one part, and of the limit's size") {
  BlockParts parts(Hash256{7}, parts_limit_bytes);
  CHECK(parts.take(part_at(0, parts_limit_bytes, parts_limit_bytes)) == Taken::whole);
  CHECK(parts.bytes() == part_at(0, parts_limit_bytes, parts_limit_bytes).bytes);
  // None comes after the last one.
  CHECK(parts.take(part_at(parts_limit_bytes, 1, parts_limit_bytes)) == Taken::misfit);
  check_refused(parts);
}

TEST_CASE("block parts: a large block that is announced costs no memory before it comes") {
  constexpr std::uint64_t large_bytes = std::uint64_t{1} << 40;
  BlockParts parts(Hash256{7}, large_bytes);
  CHECK(parts.take(part_at(0, 300, large_bytes)) == Taken::more);
  CHECK(parts.size_bytes() == large_bytes);
  CHECK(parts.bytes().capacity() <= 600);
}

TEST_CASE("block parts: what does not fit is refused, and with it all that was held") {
  BlockParts parts(Hash256{7}, parts_limit_bytes);
  SUBCASE("the first is missing") {
    CHECK(parts.take(part_at(300, 300, 900)) == Taken::misfit);
  }
  SUBCASE("the first is empty") {
    CHECK(parts.take(part_at(0, 0, 900)) == Taken::misfit);
  }
  SUBCASE("an empty block") {
    CHECK(parts.take(part_at(0, 0, 0)) == Taken::misfit);
  }
  SUBCASE("more bytes than the block has") {
    CHECK(parts.take(part_at(0, 901, 900)) == Taken::misfit);
  }
  SUBCASE("more than the limit, as announced") {
    CHECK(parts.take(part_at(0, 300, parts_limit_bytes + 1)) == Taken::misfit);
    CHECK(parts.size_bytes() == 0);
  }
  SUBCASE("more than the limit at once") {
    CHECK(parts.take(part_at(0, parts_limit_bytes + 1, parts_limit_bytes + 1)) == Taken::misfit);
  }
  SUBCASE("the largest numbers") {
    CHECK(parts.take(part_at(0, 300, UINT64_MAX)) == Taken::misfit);
  }
  SUBCASE("another block") {
    BlockPart part = part_at(0, 300, 900);
    part.block = Hash256{8};
    CHECK(parts.take(part) == Taken::misfit);
  }
  SUBCASE("after the first") {
    REQUIRE(parts.take(part_at(0, 300, 900)) == Taken::more);
    SUBCASE("the first again") {
      CHECK(parts.take(part_at(0, 300, 900)) == Taken::misfit);
    }
    SUBCASE("a gap") {
      CHECK(parts.take(part_at(600, 300, 900)) == Taken::misfit);
    }
    SUBCASE("bytes that are there already") {
      CHECK(parts.take(part_at(299, 300, 900)) == Taken::misfit);
    }
    SUBCASE("an empty one") {
      CHECK(parts.take(part_at(300, 0, 900)) == Taken::misfit);
    }
    SUBCASE("past the end") {
      CHECK(parts.take(part_at(300, 601, 900)) == Taken::misfit);
    }
    SUBCASE("another size") {
      CHECK(parts.take(part_at(300, 300, 901)) == Taken::misfit);
    }
    SUBCASE("a size that is less than what is held") {
      CHECK(parts.take(part_at(300, 300, 200)) == Taken::misfit);
    }
    SUBCASE("an offset near the end of all numbers") {
      BlockPart part = part_at(300, 300, 900);
      part.offset = UINT64_MAX - 100;
      CHECK(parts.take(part) == Taken::misfit);
    }
    SUBCASE("another block") {
      BlockPart part = part_at(300, 300, 900);
      part.block = Hash256{8};
      CHECK(parts.take(part) == Taken::misfit);
    }
  }
  check_refused(parts);
}

TEST_CASE("block parts: a whole block is read only if it is the one that was asked for") {
  const ChainParameters parameters = parameters_for_tests();
  WorkPool workers(0, [](std::function<void()>& work) { work(); });
  const RawBlock block = raw_block(parameters, 3, 1'000);
  const auto read = [&](const Hash256& wanted, const Bytes& raw) {
    BlockParts parts(wanted, parameters.block_limit_bytes);
    REQUIRE(parts.take({wanted, raw.size(), 0, raw}) == Taken::whole);
    NetBlock into;
    const Verdict verdict = parts.read(parameters, workers, into);
    if (verdict.accepted()) CHECK(serialize(into) == raw);
    return verdict;
  };
  CHECK(read(block.hash, block.raw).accepted());
  const auto check_mismatched = [&](const Hash256& wanted, const Bytes& raw) {
    const Verdict verdict = read(wanted, raw);
    CHECK(verdict.outcome == Outcome::mismatched);
    CHECK(verdict.peer_to_blame);
  };
  check_mismatched(raw_block(parameters, 4).hash, block.raw);
  check_mismatched(block.hash, Bytes(block.raw.begin(), block.raw.begin() + 79));
  check_mismatched(block.hash, Bytes(block.raw.begin(), block.raw.end() - 1));
  Bytes longer = block.raw;
  longer.push_back(0);
  check_mismatched(block.hash, longer);
  CHECK(has_block_hash(longer, block.hash));
  CHECK_FALSE(has_block_hash({}, block.hash));
}
