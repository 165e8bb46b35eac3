#include "twinchain/chain/beacon.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>

#include "seal_fixture.hpp"

using namespace twinchain;
using namespace twinchain::chain;

namespace {

template <class Condition>
bool eventually(const Condition& condition) {
  for (int i = 0; i < 2000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

/// What the poller said, from its thread.
struct Messages {
  void add(std::string_view text) {
    const std::lock_guard lock(mutex);
    all.emplace_back(text);
  }
  std::vector<std::string> get() {
    const std::lock_guard lock(mutex);
    return all;
  }
  std::mutex mutex;
  std::vector<std::string> all;
};

}  // namespace

TEST_CASE("beacon: the newest answer, asked for again and again") {
  std::atomic<std::uint32_t> height{0};
  BeaconPoller poller([&]() -> Result<Beacon> { return Beacon{1, ++height, {}}; }, system_clock(),
                      {.interval_ms = 1});
  poller.wait_for_first(20'000);
  REQUIRE(poller.current());
  CHECK(poller.current()->height >= 1);
  CHECK(eventually([&] { return poller.current()->height >= 5; }));
}

TEST_CASE("beacon: nobody waits for a node that does not answer") {
  std::atomic<bool> release{false};
  std::atomic<bool> asked{false};
  BeaconPoller poller(
      [&]() -> Result<Beacon> {
        asked = true;
        while (!release) std::this_thread::yield();
        return Beacon{};
      },
      system_clock(), {.interval_ms = 1});
  REQUIRE(eventually([&] { return asked.load(); }));
  poller.wait_for_first(1);
  CHECK_FALSE(poller.current());
  release = true;
}

TEST_CASE("beacon: keeps the last block while the node is away, and says so") {
  Messages messages;
  std::atomic<bool> away{false};
  std::atomic<int> failures{0};
  BeaconPoller poller(
      [&]() -> Result<Beacon> {
        if (!away) return Beacon{1, 7, {}};
        ++failures;
        return fail(ExitCode::peer, "connection refused");
      },
      system_clock(),
      {.interval_ms = 1, .stale_after_ns = 1'000'000, .warn = [&](std::string_view text) {
         messages.add(text);
       }});
  REQUIRE(eventually([&] { return poller.current().has_value(); }));
  CHECK(messages.get().empty());
  away = true;
  REQUIRE(eventually([&] { return failures > 5 && messages.get().size() >= 2; }));
  CHECK(messages.get()[0] == "beacon: connection refused; links carry the last known block");
  CHECK(messages.get()[1].starts_with("beacon: no answer for "));
  CHECK(poller.current()->height == 7);
  away = false;
  REQUIRE(eventually([&] { return messages.get().size() >= 3; }));
  CHECK(messages.get()[2] == "beacon: the ledger answers again");
}

TEST_CASE("beacon: without any answer there is none") {
  Messages messages;
  BeaconPoller poller(
      []() -> Result<Beacon> { return fail(ExitCode::peer, "no route"); }, system_clock(),
      {.interval_ms = 1, .warn = [&](std::string_view text) { messages.add(text); }});
  REQUIRE(eventually([&] { return !messages.get().empty(); }));
  CHECK(messages.get()[0] == "beacon: no route; links carry no beacon yet");
  CHECK_FALSE(poller.current());
}
