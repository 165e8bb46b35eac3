// The newest block that this machine knows, asked for in the background. Floor 4.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string_view>
#include <thread>

#include "twinchain/base/clock.hpp"
#include "twinchain/base/result.hpp"
#include "twinchain/chain/link.hpp"

namespace twinchain::chain {

/// Asks `source` on a thread of its own, so that sealing never waits for a node. An answer stays
/// in use until there is a newer one: an old block is still a true lower bound, only a looser one.
class BeaconPoller {
 public:
  struct Options {
    int interval_ms = 10'000;
    /// Without an answer for this long, `warn` is told, once, and again after the next answer.
    std::uint64_t stale_after_ns = 3'600'000'000'000;
    /// Called on the poller's thread. The first failure and the end of failing are reported, too.
    std::function<void(std::string_view)> warn = [](std::string_view) {};
  };

  /// `source` is called by the poller's thread only. `clock` outlives the poller.
  BeaconPoller(std::function<Result<Beacon>()> source, Clock& clock, Options options);
  BeaconPoller(const BeaconPoller&) = delete;
  BeaconPoller& operator=(const BeaconPoller&) = delete;
  /// Waits for a call of `source` that is under way.
  ~BeaconPoller();

  /// Thread-safe, at once.
  std::optional<Beacon> current();
  /// Waits until the first answer or failure, or for the time; so that a short input, too, gets a
  /// beacon when the node is there.
  void wait_for_first(int timeout_ms);

 private:
  void run();
  void take(const Result<Beacon>& answer);

  std::function<Result<Beacon>()> source_;
  Clock& clock_;
  Options options_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Beacon> beacon_;
  std::uint64_t answered_ns_ = 0;
  bool asked_ = false;
  bool failing_ = false;
  bool stale_told_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace twinchain::chain
