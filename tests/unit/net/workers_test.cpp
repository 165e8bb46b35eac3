#include "twinchain/net/workers.hpp"

#include <doctest/doctest.h>

#include <vector>

using namespace twinchain;
using namespace twinchain::net;

TEST_CASE("workers: each item is worked on once, and told of in order when it is done") {
  for (const unsigned threads : {0U, 1U, 2U, 5U}) {
    WorkPool pool(threads, [](std::function<void()>& work) { work(); });
    for (const std::size_t count : {std::size_t{0}, std::size_t{1}, std::size_t{7}, std::size_t{64},
                                    std::size_t{1'000}, std::size_t{4'097}}) {
      for (const std::size_t grain : {std::size_t{1}, std::size_t{32}, std::size_t{5'000}}) {
        CAPTURE(threads);
        CAPTURE(count);
        CAPTURE(grain);
        std::vector<int> worked(count);
        std::size_t told = 0;
        bool in_order = true;
        bool after_the_work = true;
        bool small = true;
        parallel_for(
            pool, count, grain,
            [&](std::size_t begin, std::size_t end) {
              for (std::size_t i = begin; i < end; ++i) ++worked[i];
            },
            [&](std::size_t begin, std::size_t end) {
              in_order = in_order && begin == told && end > begin;
              small = small && end - begin <= grain;
              for (std::size_t i = begin; i < end; ++i) {
                after_the_work = after_the_work && worked[i] == 1;
              }
              told = end;
            });
        CHECK(told == count);
        CHECK(in_order);
        CHECK(after_the_work);
        CHECK(small);
        CHECK(worked == std::vector<int>(count, 1));
        CHECK(pool.in_flight() == 0);
      }
    }
  }
}
