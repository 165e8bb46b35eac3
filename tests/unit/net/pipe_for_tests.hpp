// A pipe for the tests of net: what a stream is on, or what says stop.
#pragma once

#include <doctest/doctest.h>
#include <unistd.h>

#include <array>

#include "twinchain/sys/fd.hpp"

namespace twinchain::testing {

struct Pipe {
  Pipe() {
    std::array<int, 2> ends{};
    REQUIRE(::pipe(ends.data()) == 0);
    from = UniqueFd(ends[0]);
    to = UniqueFd(ends[1]);
  }
  UniqueFd from;
  UniqueFd to;
};

}  // namespace twinchain::testing
