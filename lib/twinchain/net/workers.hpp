// Work over a range on a given pool of threads. Floor 6.
#pragma once

#include <algorithm>
#include <functional>

#include "twinchain/sys/ordered_pool.hpp"

namespace twinchain::net {

/// Made by whoever owns the threads: WorkPool pool(threads, [](auto& work) { work(); }). With no
/// threads the work is done by the caller, in order: what a simulation wants.
using WorkPool = OrderedPool<std::function<void()>>;

/// Calls work(begin, end) for parts of [0, count) and returns when all are done. The parts have
/// `grain` items or fewer. `work` must not throw. To be called by the pool's owner only, who has
/// nothing in flight.
template <class Work>
void parallel_for(WorkPool& pool, std::size_t count, std::size_t grain, const Work& work) {
  for (std::size_t begin = 0; begin < count; begin += grain) {
    const std::size_t end = std::min(begin + grain, count);
    pool.put([&work, begin, end] { work(begin, end); }, 0);
  }
  while (pool.pop()) {
  }
}

}  // namespace twinchain::net
