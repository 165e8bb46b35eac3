// What a node thinks of what a peer sent. Floor 6.
//
// *Incomplete* is not *invalid*: what cannot be judged for want of a parent or of data is asked for
// again, and nobody is blamed. Failures of the node itself (its disk, its database) are no verdict:
// they are Errors.
#pragma once

#include <string>
#include <utility>

namespace twinchain::net {

enum class Outcome {
  accepted,
  known,       ///< was there already
  incomplete,  ///< a parent, an input or a body is missing: ask for it, then try again
  refused,     ///< allowed by the rules, but not taken: fees, conflicts, limits, too early
  mismatched,  ///< a body that does not belong to its header: the sender lies, the block is not
               ///< judged by it
  invalid      ///< breaks a rule of the chain, for good
};

struct Verdict {
  Outcome outcome = Outcome::accepted;
  /// Bitcoin's word where it has one ("bad-txns-in-belowout"), else words; empty when accepted.
  std::string reason = {};
  /// Whether the one who sent it is to be dropped: no honest node sends this.
  bool peer_to_blame = false;

  [[nodiscard]] bool accepted() const { return outcome == Outcome::accepted; }
  static Verdict incomplete(std::string reason) {
    return {Outcome::incomplete, std::move(reason), false};
  }
  static Verdict refused(std::string reason) {
    return {Outcome::refused, std::move(reason), false};
  }
  static Verdict invalid(std::string reason) { return {Outcome::invalid, std::move(reason), true}; }
  static Verdict mismatched(std::string reason) {
    return {Outcome::mismatched, std::move(reason), true};
  }
};

}  // namespace twinchain::net
