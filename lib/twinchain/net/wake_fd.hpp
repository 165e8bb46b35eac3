// Descriptors that say that there is something to do. Floor 6. Private to this module.
#pragma once

#include "twinchain/base/result.hpp"
#include "twinchain/sys/fd.hpp"

namespace twinchain::net {

/// Readable after wake(), or while another descriptor is readable. For functions that wait for one
/// stop descriptor.
class WakeFd {
 public:
  /// `also`: -1 for none. Not owned.
  static Result<WakeFd> open(int also);
  /// Thread-safe.
  void wake() const;
  /// Takes back what wake() did.
  void clear() const;
  [[nodiscard]] int fd() const { return both_.get(); }
  /// Whether wake() was called, whatever the other descriptor says.
  [[nodiscard]] int own_fd() const { return own_.get(); }

 private:
  UniqueFd own_;
  UniqueFd both_;
};

}  // namespace twinchain::net
