#include "twinchain/sys/ordered_pool.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>

using namespace twinchain;

namespace {

struct Item {
  int number = 0;
  int result = 0;
};

/// Later items are done first: the order must not come from chance.
void work(Item& item) {
  std::this_thread::sleep_for(std::chrono::microseconds(200 * (3 - item.number % 4)));
  item.result = item.number * item.number;
}

}  // namespace

TEST_CASE("ordered pool: results come in the order of the items, on any number of threads") {
  for (const unsigned threads : {0U, 1U, 2U, 5U}) {
    OrderedPool<Item> pool(threads, work);
    int expected = 0;
    const auto check = [&](const std::optional<Item>& item) {
      REQUIRE(item);
      CHECK(item->number == expected);
      CHECK(item->result == expected * expected);
      ++expected;
    };
    for (int i = 0; i < 300; ++i) {
      pool.put({i, 0}, 10);
      while (pool.in_flight_bytes() > 80) check(pool.pop());
      if (auto done = pool.try_pop()) check(done);
      CHECK(pool.in_flight_bytes() == 10 * pool.in_flight());
    }
    while (auto done = pool.pop()) check(done);
    CHECK(expected == 300);
    CHECK(pool.in_flight() == 0);
    CHECK(pool.in_flight_bytes() == 0);
    CHECK_FALSE(pool.try_pop());
  }
}

TEST_CASE("ordered pool: try_pop does not wait, and not for a later item either") {
  std::atomic<bool> go{false};
  OrderedPool<Item> pool(2, [&](Item& item) {
    while (item.number == 0 && !go) std::this_thread::yield();
    item.result = 1;
  });
  pool.put({0, 0}, 1);
  pool.put({1, 0}, 1);
  CHECK_FALSE(pool.try_pop());
  go = true;
  CHECK(pool.pop()->number == 0);
  CHECK(pool.pop()->number == 1);
}

TEST_CASE("ordered pool: wait waits for as many of the oldest as are asked for, and no others") {
  std::atomic<bool> go{false};
  OrderedPool<Item> pool(2, [&](Item& item) {
    while (item.number == 3 && !go) std::this_thread::yield();
    work(item);
  });
  for (int i = 0; i < 6; ++i) pool.put({i, 0}, 1);
  pool.wait(0);
  pool.wait(3);
  for (int i = 0; i < 3; ++i) CHECK(pool.try_pop()->number == i);
  CHECK_FALSE(pool.try_pop());
  go = true;
  pool.wait(100);
  for (int i = 3; i < 6; ++i) CHECK(pool.try_pop()->number == i);
  pool.wait(1);
  CHECK_FALSE(pool.pop());
}

TEST_CASE("ordered pool: ends with work not begun and results not taken") {
  std::atomic<int> done{0};
  {
    OrderedPool<std::unique_ptr<int>> pool(2, [&](std::unique_ptr<int>&) { ++done; });
    for (int i = 0; i < 1000; ++i) pool.put(std::make_unique<int>(i), 1);
  }
  CHECK(done <= 1000);
}
