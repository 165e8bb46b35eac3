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
/// nothing in flight. `done(begin, end)` is called for the parts in order, on the caller's thread
/// and beside the work on later parts.
template <class Work, class Done>
void parallel_for(WorkPool& pool, std::size_t count, std::size_t grain, const Work& work,
                  const Done& done) {
  // Smaller ones towards the end, so that no thread is long at the last one while others wait.
  const auto end_of = [count, grain](std::size_t begin) {
    const std::size_t left = count - begin;
    return begin +
           std::min(left, std::clamp(left / 16, std::max<std::size_t>(1, grain / 8), grain));
  };
  for (std::size_t begin = 0; begin < count; begin = end_of(begin)) {
    pool.put([&work, begin, end = end_of(begin)] { work(begin, end); }, 0);
  }
  // A few waits instead of one for each part: each takes a processor from the work for a moment.
  for (std::size_t begin = 0; pool.in_flight() > 0;) {
    const std::size_t parts = std::max<std::size_t>(1, pool.in_flight() / 4);
    pool.wait(parts);
    for (std::size_t i = 0; i < parts; ++i, begin = end_of(begin)) {
      pool.pop();
      done(begin, end_of(begin));
    }
  }
}

template <class Work>
void parallel_for(WorkPool& pool, std::size_t count, std::size_t grain, const Work& work) {
  parallel_for(pool, count, grain, work, [](std::size_t, std::size_t) {});
}

}  // namespace twinchain::net
