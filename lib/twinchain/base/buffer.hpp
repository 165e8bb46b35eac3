// A growable byte buffer that does not clear what it grows by. Floor 0.
#pragma once

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

#include "twinchain/base/bytes.hpp"

namespace twinchain {

/// std::vector writes zeros into what a read() is about to overwrite; at 16 MiB a frame that is a
/// tenth of the time of hashing it. Moves, does not copy.
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(ByteView bytes) { append(bytes); }
  Buffer(Buffer&& other) noexcept
      : data_(std::move(other.data_)),
        size_(std::exchange(other.size_, 0)),
        capacity_(std::exchange(other.capacity_, 0)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    data_ = std::move(other.data_);
    size_ = std::exchange(other.size_, 0);
    capacity_ = std::exchange(other.capacity_, 0);
    return *this;
  }

  [[nodiscard]] std::uint8_t* data() { return data_.get(); }
  [[nodiscard]] const std::uint8_t* data() const { return data_.get(); }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::size_t capacity() const { return capacity_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] ByteView view() const { return {data_.get(), size_}; }
  [[nodiscard]] std::span<std::uint8_t> span() { return {data_.get(), size_}; }

  /// New bytes have indeterminate values: the caller writes them before reading them.
  void resize_uninitialized(std::size_t size) {
    if (size > capacity_) {
      const std::size_t grown = std::max(size, capacity_ + capacity_ / 2);
      std::unique_ptr<std::uint8_t[]> larger(new std::uint8_t[grown]);
      if (size_ > 0) std::memcpy(larger.get(), data_.get(), size_);
      data_ = std::move(larger);
      capacity_ = grown;
    }
    size_ = size;
  }
  void append(ByteView bytes) {
    if (bytes.empty()) return;
    const std::size_t old_size = size_;
    resize_uninitialized(old_size + bytes.size());
    std::memcpy(data_.get() + old_size, bytes.data(), bytes.size());
  }
  void clear() { size_ = 0; }
  /// Drops bytes at the front.
  void remove_front(std::size_t count) {
    if (count == 0) return;
    std::memmove(data_.get(), data_.get() + count, size_ - count);
    size_ -= count;
  }

 private:
  std::unique_ptr<std::uint8_t[]> data_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace twinchain
