// Work in parallel, results in order. Floor 1.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace twinchain {

/// Runs `work` on items on worker threads and hands the items back in the order in which they
/// were put. Memory is bounded by the caller: it calls pop() while in_flight_bytes() is over its
/// limit. put(), pop() and the getters are called by one thread only. `work` must not throw.
/// With `threads` == 0 the work is done inside put().
template <class Item>
class OrderedPool {
 public:
  OrderedPool(unsigned threads, std::function<void(Item&)> work) : work_(std::move(work)) {
    workers_.reserve(threads);
    for (unsigned i = 0; i < threads; ++i) workers_.emplace_back([this] { run(); });
  }
  OrderedPool(const OrderedPool&) = delete;
  OrderedPool& operator=(const OrderedPool&) = delete;
  ~OrderedPool() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_workers_.notify_all();
    for (std::thread& worker : workers_) worker.join();
  }

  void put(Item item, std::uint64_t size_bytes) {
    auto slot = std::make_unique<Slot>(std::move(item), size_bytes);
    in_flight_bytes_ += size_bytes;
    if (workers_.empty()) {
      work_(slot->item);
      slot->done = true;
      order_.push_back(std::move(slot));
      return;
    }
    {
      const std::lock_guard lock(mutex_);
      waiting_.push_back(slot.get());
    }
    order_.push_back(std::move(slot));
    wake_workers_.notify_one();
  }

  /// Waits until the work of the `count` oldest items is done, all of them if there are fewer. One
  /// wait for many costs two switches of threads, as a wait for one does.
  void wait(std::size_t count) {
    std::unique_lock lock(mutex_);
    for (std::size_t i = 0; i < std::min(count, order_.size()); ++i) {
      if (order_[i]->done) continue;
      order_[i]->awaited = true;
      ++awaited_;
    }
    wake_owner_.wait(lock, [this] { return awaited_ == 0; });
  }

  /// The oldest item, waiting until its work is done; nothing when none is in flight.
  std::optional<Item> pop() {
    if (order_.empty()) return std::nullopt;
    wait(1);
    return take();
  }
  /// The oldest item when its work is done already.
  std::optional<Item> try_pop() {
    if (order_.empty()) return std::nullopt;
    const std::lock_guard lock(mutex_);
    if (!order_.front()->done) return std::nullopt;
    return take();
  }

  [[nodiscard]] std::size_t in_flight() const { return order_.size(); }
  [[nodiscard]] std::uint64_t in_flight_bytes() const { return in_flight_bytes_; }

 private:
  struct Slot {
    Slot(Item i, std::uint64_t s) : item(std::move(i)), size_bytes(s) {}
    Item item;
    std::uint64_t size_bytes;
    bool done = false;
    bool awaited = false;
  };

  Item take() {
    std::unique_ptr<Slot> slot = std::move(order_.front());
    order_.pop_front();
    in_flight_bytes_ -= slot->size_bytes;
    return std::move(slot->item);
  }

  void run() {
    std::unique_lock lock(mutex_);
    while (true) {
      wake_workers_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
      if (stopping_) return;
      Slot* slot = waiting_.front();
      waiting_.pop_front();
      lock.unlock();
      work_(slot->item);
      lock.lock();
      slot->done = true;
      if (!slot->awaited || --awaited_ > 0) continue;
      // Without the lock: the owner would wake only to wait for it.
      lock.unlock();
      wake_owner_.notify_one();
      lock.lock();
    }
  }

  std::function<void(Item&)> work_;
  std::mutex mutex_;
  std::condition_variable wake_workers_;
  std::condition_variable wake_owner_;
  std::deque<Slot*> waiting_;
  std::deque<std::unique_ptr<Slot>> order_;
  std::uint64_t in_flight_bytes_ = 0;
  std::size_t awaited_ = 0;  ///< items that the owner waits for
  bool stopping_ = false;
  std::vector<std::thread> workers_;
};

}  // namespace twinchain
