// How much of something may happen in a time. Floor 6.
#pragma once

#include <algorithm>
#include <cstdint>

namespace twinchain::net {

/// `rate` a second, at most `burst` at once; a rate of 0 is no limit. The time is given: any
/// clock that does not go back. What is taken may be more than there is: then the debt is waited
/// for, so that the size of one step does not matter.
class TokenBucket {
 public:
  TokenBucket(std::uint64_t rate, std::uint64_t burst)
      : rate_(static_cast<double>(rate)), burst_(static_cast<double>(burst)), tokens_(burst_) {}

  /// Whether something may be taken now.
  bool ready(std::uint64_t now_ns) {
    if (rate_ == 0) return true;
    if (now_ns > filled_ns_) {
      if (filled_ns_ != 0) {
        tokens_ += rate_ * static_cast<double>(now_ns - filled_ns_) / 1e9;
        tokens_ = std::min(tokens_, burst_);
      }
      filled_ns_ = now_ns;
    }
    return tokens_ > 0;
  }
  void take(std::uint64_t count) {
    if (rate_ != 0) tokens_ -= static_cast<double>(count);
  }
  /// Until ready() will say yes, from when it said no.
  [[nodiscard]] std::uint64_t wait_ns() const {
    if (rate_ == 0 || tokens_ > 0) return 0;
    return static_cast<std::uint64_t>((1 - tokens_) / rate_ * 1e9) + 1;
  }

 private:
  double rate_;
  double burst_;
  double tokens_;
  std::uint64_t filled_ns_ = 0;
};

}  // namespace twinchain::net
