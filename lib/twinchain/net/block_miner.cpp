#include "twinchain/net/block_miner.hpp"

#include <algorithm>

#include "twinchain/base/clock.hpp"
#include "twinchain/crypto/sha256.hpp"

namespace twinchain::net {
namespace {

constexpr std::chrono::seconds search_before_newer_list(1);

// How long a found block may take to become the tip.
std::chrono::seconds patience(const ChainParameters& parameters) {
  return std::chrono::seconds(std::max<std::uint64_t>(30, 3 * std::uint64_t{parameters.spacing_s}));
}

std::uint32_t wall_clock_s() {
  return static_cast<std::uint32_t>(system_clock().wall_ns() / 1'000'000'000);
}

}  // namespace

BlockMiner::BlockMiner(ChainParameters parameters, MinerOptions options,
                       std::function<bool(const MinedBlock&)> found,
                       std::function<void(const Error&)> refused)
    : parameters_(std::move(parameters)),
      options_(std::move(options)),
      found_(std::move(found)),
      refused_(std::move(refused)),
      thread_([this] { run(); }) {}

BlockMiner::~BlockMiner() {
  stop();
  thread_.join();
}

void BlockMiner::set_list(std::shared_ptr<const Snapshot> list) {
  const std::lock_guard lock(mutex_);
  list_ = std::move(list);
  changed_.notify_all();
}

void BlockMiner::finish() {
  const std::lock_guard lock(mutex_);
  finishing_ = true;
  changed_.notify_all();
}

bool BlockMiner::wait_done(int timeout_ms) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, std::chrono::milliseconds(timeout_ms), [this] { return done_; });
}

void BlockMiner::stop() {
  const std::lock_guard lock(mutex_);
  stopped_ = true;
  changed_.notify_all();
}

void BlockMiner::run() {
  while (const auto list = next_list()) mine(list);
  const std::lock_guard lock(mutex_);
  done_ = true;
  changed_.notify_all();
}

std::shared_ptr<const Snapshot> BlockMiner::next_list() {
  std::unique_lock lock(mutex_);
  while (!stopped_) {
    const bool waits = list_ && list_->info.tip == found_on_;
    const Time until = found_at_ + patience(parameters_);
    if (list_ && (!waits || std::chrono::steady_clock::now() >= until)) {
      return std::exchange(list_, nullptr);
    }
    if (finishing_) return nullptr;
    if (waits) {
      changed_.wait_until(lock, until);
    } else {
      changed_.wait(lock);
    }
  }
  return nullptr;
}

bool BlockMiner::drop(const Snapshot& working_on, Time began) const {
  const std::lock_guard lock(mutex_);
  if (stopped_) return true;
  if (!list_) return false;
  return list_->info.tip != working_on.info.tip ||
         std::chrono::steady_clock::now() - began >= search_before_newer_list;
}

void BlockMiner::mine(const std::shared_ptr<const Snapshot>& list) {
  const auto random = [] { return load_le<std::uint64_t>(random_array<8>().data()); };
  auto block = make_pre_block(parameters_, list, options_.payout_script, random(), wall_clock_s());
  if (!block) {
    refused_(block.error());
    return;
  }
  PuzzleOptions puzzle;
  puzzle.threads = options_.threads;
  puzzle.stop = [&, began = std::chrono::steady_clock::now()] { return drop(*list, began); };
  puzzle.now_s = wall_clock_s;
  if (!solve_puzzle(*block, puzzle)) return;
  const MinedBlock mined{block->height, bitcoin::block_hash(block->header),
                         make_skeleton_sender(*block, random(), options_.expected_extra), list};
  {
    const std::lock_guard lock(mutex_);
    found_on_ = list->info.tip;
    found_at_ = std::chrono::steady_clock::now();
  }
  if (!found_(mined)) stop();
}

}  // namespace twinchain::net
