// A miner at work: takes lists as they come, gives blocks. Floor 6.
//
// Which list: the newest one. What is being searched for is dropped at once for a list on another
// tip: a block on the old one would be worth nothing. For a newer list on the same tip it is
// dropped when it was searched for a second: a search has no memory, so nothing is lost by it, and
// the block gets the newer transactions; but lists that come faster than blocks can be prepared
// never keep a miner from searching. At the easiest difficulty a search takes less than that second
// anyway.
//
// One block a tip: who has found one waits for a list on another tip. If none comes for a while the
// block has been lost on its way, and another one is made.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "twinchain/net/miner.hpp"

namespace twinchain::net {

struct MinerOptions {
  unsigned threads = 1;
  Bytes payout_script;  ///< empty: takes nothing
  /// SkeletonOptions; none: as many as the list says.
  std::optional<std::uint64_t> expected_extra = std::nullopt;
};

struct MinedBlock {
  std::uint32_t height = 0;
  Hash256 block{};
  std::shared_ptr<SkeletonSender> sender;
  std::shared_ptr<const Snapshot> list;  ///< that it is made of
};

class BlockMiner {
 public:
  /// Both are called on the miner's own thread, one at a time. `found` says whether to go on.
  /// `refused`: a list that no block can be made of; the next list is awaited.
  BlockMiner(ChainParameters parameters, MinerOptions options,
             std::function<bool(const MinedBlock&)> found,
             std::function<void(const Error&)> refused);
  /// Drops the work.
  ~BlockMiner();
  BlockMiner(const BlockMiner&) = delete;
  BlockMiner& operator=(const BlockMiner&) = delete;

  /// Thread-safe, as all that follow.
  void set_list(std::shared_ptr<const Snapshot> list);
  /// No list comes any more: the work on the last one is finished.
  void finish();
  /// Whether that is done, within the time.
  [[nodiscard]] bool wait_done(int timeout_ms);

 private:
  using Time = std::chrono::steady_clock::time_point;

  void stop();
  void run();
  std::shared_ptr<const Snapshot> next_list();
  void mine(const std::shared_ptr<const Snapshot>& list);
  [[nodiscard]] bool drop(const Snapshot& working_on, Time began) const;

  ChainParameters parameters_;
  MinerOptions options_;
  std::function<bool(const MinedBlock&)> found_;
  std::function<void(const Error&)> refused_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::shared_ptr<const Snapshot> list_;  ///< to be worked on; none when taken
  Hash256 found_on_{};                    ///< the tip that a block was found on, and when
  Time found_at_{};
  bool finishing_ = false;
  bool stopped_ = false;
  bool done_ = false;
  std::thread thread_;
};

}  // namespace twinchain::net
