// Follows the links of a stream and refuses what is no sound chain. Floor 4.
//
// For who is about to put a signature under a head: it says yes to what it has seen. An audit
// (chain/audit.hpp) goes on after a fault and reports all of them; this stops at the first.
#pragma once

#include <cstdint>
#include <map>

#include "twinchain/base/result.hpp"
#include "twinchain/chain/link.hpp"

namespace twinchain::chain {

/// Not thread-safe. At most 10,000 sources.
class LinkFollower {
 public:
  struct Head {
    Link link;
    Hash256 hash{};
  };
  enum class Step {
    next,       ///< follows the newest link of its source, or is the first that was seen of it
    repeated,   ///< the newest link once more
    new_record  ///< link 0 of another record of the source
  };

  /// A link in the order of the stream. ExitCode::refuted, with link and offset: a false signature;
  /// not the link that comes next; not the record, the previous hash or a key that the link before
  /// names. What was seen first of a source may be any link.
  Result<Step> take(const SignedLink& link, std::uint64_t offset);
  /// The newest link of each source, by source id.
  [[nodiscard]] const std::map<Id128, Head>& heads() const { return heads_; }

 private:
  std::map<Id128, Head> heads_;
};

}  // namespace twinchain::chain
