// Any number of moments in a bounded number of buckets, in one pass. Floor 5.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace twinchain::report {

/// Buckets of equal width, a power of two of nanoseconds, that is doubled whenever a time comes
/// that the buckets would not reach: so neither the first nor the last time need be known
/// beforehand. When it is over, at least half of `capacity` buckets lie between the two (unless
/// there are fewer nanoseconds). Bucket has a default constructor and merge(const Bucket& later).
template <class Bucket>
class TimeBuckets {
 public:
  explicit TimeBuckets(std::size_t capacity) : capacity_(static_cast<std::int64_t>(capacity)) {}

  /// The bucket of this time, for the caller to change at once.
  Bucket& at(std::int64_t time_ns) {
    reach(time_ns);
    return buckets_[static_cast<std::size_t>((time_ns >> shift_) - first_)];
  }
  /// Calls change(bucket) for all buckets that [start_ns, end_ns] touches.
  template <class Change>
  void each_in(std::int64_t start_ns, std::int64_t end_ns, const Change& change) {
    reach(start_ns);
    reach(std::max(start_ns, end_ns));
    const std::int64_t last = (std::max(start_ns, end_ns) >> shift_) - first_;
    for (std::int64_t i = (start_ns >> shift_) - first_; i <= last; ++i) {
      change(buckets_[static_cast<std::size_t>(i)]);
    }
  }

  [[nodiscard]] bool empty() const { return buckets_.empty(); }
  [[nodiscard]] std::size_t size() const { return buckets_.size(); }
  [[nodiscard]] const Bucket& operator[](std::size_t index) const { return buckets_[index]; }
  [[nodiscard]] std::int64_t width_ns() const { return std::int64_t{1} << shift_; }
  /// The first moment of a bucket; of bucket size() the end of all.
  [[nodiscard]] double start_ns(std::size_t index) const {
    return static_cast<double>(first_ + static_cast<std::int64_t>(index)) *
           static_cast<double>(width_ns());
  }

 private:
  void reach(std::int64_t time_ns) {
    if (buckets_.empty()) {
      first_ = time_ns >> shift_;
      buckets_.emplace_back();
      return;
    }
    while (true) {
      const std::int64_t bucket = time_ns >> shift_;
      const std::int64_t last = first_ + static_cast<std::int64_t>(buckets_.size()) - 1;
      if (bucket >= first_ && bucket <= last) return;
      // Unsigned: the ends of the range of int64 are further apart than an int64 can say.
      const std::uint64_t span = static_cast<std::uint64_t>(std::max(bucket, last)) -
                                 static_cast<std::uint64_t>(std::min(bucket, first_));
      if (span < static_cast<std::uint64_t>(capacity_)) {
        if (bucket > last) {
          buckets_.resize(static_cast<std::size_t>(bucket - first_ + 1));
        } else {
          buckets_.insert(buckets_.begin(), static_cast<std::size_t>(first_ - bucket), Bucket());
          first_ = bucket;
        }
        return;
      }
      coarsen();
    }
  }

  void coarsen() {
    std::vector<Bucket> wider;
    wider.reserve(static_cast<std::size_t>(capacity_));
    for (std::size_t i = 0; i < buckets_.size(); ++i) {
      const std::int64_t number = (first_ + static_cast<std::int64_t>(i)) >> 1;
      if (wider.empty() || number != last_of(wider)) {
        wider.push_back(buckets_[i]);
      } else {
        wider.back().merge(buckets_[i]);
      }
    }
    buckets_ = std::move(wider);
    first_ >>= 1;
    ++shift_;
  }
  /// The number, in the wider width, of the newest bucket in `wider`.
  [[nodiscard]] std::int64_t last_of(const std::vector<Bucket>& wider) const {
    return (first_ >> 1) + static_cast<std::int64_t>(wider.size()) - 1;
  }

  std::int64_t capacity_;
  unsigned shift_ = 0;
  std::int64_t first_ = 0;  ///< number of the first bucket: its start divided by the width
  std::vector<Bucket> buckets_;
};

}  // namespace twinchain::report
