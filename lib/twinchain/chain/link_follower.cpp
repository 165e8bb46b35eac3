#include "twinchain/chain/link_follower.hpp"

#include "twinchain/base/hex.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/crypto/sha256.hpp"

namespace twinchain::chain {
namespace {

constexpr std::size_t max_followed_sources = 10'000;

/// Why a link cannot come after another one of its record; nothing when it can.
std::optional<std::string> why_not_after(const LinkFollower::Head& before, const Link& link) {
  if (link.record != before.link.record) return "is of another record";
  if (link.number <= before.link.number) {
    return "stands after link " + decimal(before.link.number);
  }
  if (link.number != before.link.number + 1) {
    return "stands after link " + decimal(before.link.number) + ", links between are missing";
  }
  if (link.previous != before.hash) {
    return "does not follow link " + decimal(before.link.number) + " as that stands here";
  }
  const bool same = link.key == before.link.key && link.epoch == before.link.epoch &&
                    link.next_key_hash == before.link.next_key_hash;
  const bool committed = link.epoch == before.link.epoch + 1 &&
                         sha256(ByteView(link.key)) == before.link.next_key_hash;
  if (!same && !committed) return "is signed with a key that the link before does not name";
  return std::nullopt;
}

}  // namespace

Result<LinkFollower::Step> LinkFollower::take(const SignedLink& signed_link, std::uint64_t offset) {
  const Link& link = signed_link.link;
  const auto refuse = [&](const std::string& why) {
    return fail(ExitCode::refuted, "source " + to_hex(link.source) + ", link " +
                                       decimal(link.number) + " at byte " + decimal(offset) + " " +
                                       why);
  };
  if (!verify_link_signature(signed_link)) return refuse("has a false signature");
  const Head now{link, link_hash(link)};
  const bool first_of_record = link.number == 0 && link.previous == Hash256{};
  if (link.number == 0 && !first_of_record) return refuse("names a link before it");
  const auto found = heads_.find(link.source);
  if (found == heads_.end()) {
    if (heads_.size() >= max_followed_sources) return refuse("is of one source too many");
    heads_.emplace(link.source, now);
    return Step::next;
  }
  Head& head = found->second;
  if (now.hash == head.hash) return Step::repeated;
  const bool another = first_of_record && link.record != head.link.record;
  if (!another) {
    if (const auto why = why_not_after(head, link)) return refuse(*why);
  }
  head = now;
  return another ? Step::new_record : Step::next;
}

}  // namespace twinchain::chain
