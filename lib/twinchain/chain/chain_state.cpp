#include "twinchain/chain/chain_state.hpp"

#include <algorithm>

#include "twinchain/base/text.hpp"

namespace twinchain::chain {
namespace {

constexpr std::uint64_t links_kept_per_source = 1'024;
constexpr std::uint64_t segments_kept = 4;

bool same_head(const ChainHead& a, const ChainHead& b) {
  return a.hash == b.hash && a.link.signature == b.link.signature &&
         a.history.hashes() == b.history.hashes();
}

}  // namespace

std::unique_ptr<ChainState> ChainState::in_memory() {
  return std::unique_ptr<ChainState>(new ChainState());
}

Result<std::unique_ptr<ChainState>> ChainState::open(Fs& fs, const std::string& folder) {
  return open(fs, folder, StateLog::Access::write);
}

Result<std::unique_ptr<ChainState>> ChainState::look(Fs& fs, const std::string& folder) {
  // A writer may be in the middle of a record, or remove the oldest file under our hands.
  for (int attempt = 1;; ++attempt) {
    auto state = open(fs, folder, StateLog::Access::read_only);
    if (state || attempt == 5 || state.error().code == ExitCode::usage) return state;
  }
}

Result<std::unique_ptr<ChainState>> ChainState::open(Fs& fs, const std::string& folder,
                                                     StateLog::Access access) {
  std::unique_ptr<ChainState> state(new ChainState());
  state->folder_ = folder;
  const StateReplay replay{[&](bool first, std::vector<ChainHead> heads) {
                             return state->replay_checkpoint(first, std::move(heads));
                           },
                           [&](std::uint64_t ordinal, const SignedLink& link) {
                             return state->replay_record(ordinal, link);
                           }};
  auto log = StateLog::open(fs, folder, access, replay);
  if (!log) return pass(log);
  for (const auto& [source, chain] : state->chains_) {
    const Link& link = chain.head.link.link;
    if (chain.head.history.root() != link.history_root || !verify_link_signature(chain.head.link)) {
      return fail(ExitCode::malformed, escape(folder, 400) + ": link " + decimal(link.number) +
                                           " at the head of a chain is not genuine");
    }
  }
  state->log_ = std::move(*log);
  state->next_ordinal_ = state->log_->next_ordinal();
  return state;
}

Status ChainState::replay_checkpoint(bool first, std::vector<ChainHead> heads) {
  if (first) {
    for (ChainHead& head : heads) {
      const Id128 source = head.link.link.source;
      if (!chains_.try_emplace(source, Chain{std::move(head), {}}).second) {
        return fail(ExitCode::malformed, "a source is twice in the checkpoint");
      }
    }
    return {};
  }
  bool same = heads.size() == chains_.size();
  for (const ChainHead& head : heads) {
    const ChainHead* known = this->head(head.link.link.source);
    same = same && known != nullptr && same_head(*known, head);
  }
  if (!same) return fail(ExitCode::malformed, "checkpoint differs from the links before it");
  return {};
}

Status ChainState::replay_record(std::uint64_t ordinal, const SignedLink& link) {
  const ChainHead* before = head(link.link.source);
  ChainHead next{link, link_hash(link.link),
                 before != nullptr ? before->history : MerkleFrontier()};
  next.history.append(merkle_leaf(link.link.frame_root));
  next_ordinal_ = ordinal;
  auto status = add(std::move(next));
  pending_.clear();
  if (!status) status.error().code = ExitCode::malformed;
  return status;
}

const ChainHead* ChainState::head(const Id128& source) const {
  const auto found = chains_.find(source);
  return found == chains_.end() ? nullptr : &found->second.head;
}

std::vector<const ChainHead*> ChainState::heads() const {
  std::vector<const ChainHead*> all;
  all.reserve(chains_.size());
  for (const auto& [source, chain] : chains_) all.push_back(&chain.head);
  std::sort(all.begin(), all.end(), [](const ChainHead* a, const ChainHead* b) {
    return a->link.link.source < b->link.link.source;
  });
  return all;
}

std::optional<std::uint64_t> ChainState::oldest_kept(const Id128& source) const {
  const auto found = chains_.find(source);
  if (found == chains_.end() || found->second.ordinals.empty()) return std::nullopt;
  return found->second.head.link.link.number + 1 - found->second.ordinals.size();
}

Result<std::optional<SignedLink>> ChainState::find(const Id128& source, std::uint64_t number) {
  const auto oldest = oldest_kept(source);
  if (!oldest) return std::optional<SignedLink>();
  const Chain& chain = chains_.find(source)->second;
  if (number < *oldest || number > chain.head.link.link.number) return std::optional<SignedLink>();
  const std::uint64_t ordinal = chain.ordinals[number - *oldest];
  const std::uint64_t committed = next_ordinal_ - pending_.size();
  if (ordinal >= committed) return std::optional(pending_[ordinal - committed]);
  if (log_ == nullptr) return std::optional(recent_[recent_.size() - (committed - ordinal)]);
  auto link = log_->read(ordinal);
  if (!link) return pass(link);
  return std::optional(*link);
}

Status ChainState::add(ChainHead head) {
  const Link& link = head.link.link;
  if (failed_) return fail(ExitCode::bug, "sealing state used after it failed");
  const auto found = chains_.find(link.source);
  const ChainHead* before = found == chains_.end() ? nullptr : &found->second.head;
  const bool follows = before == nullptr ? link.number == 0 && link.previous == Hash256{}
                                         : link.number == before->link.link.number + 1 &&
                                               link.previous == before->hash &&
                                               link.record == before->link.link.record;
  if (!follows || head.history.size() != link.number + 1) {
    return fail(ExitCode::bug, "link " + decimal(link.number) + " does not follow its chain");
  }
  if (before == nullptr && chains_.size() >= max_chain_sources) {
    return fail(ExitCode::usage, "more than " + decimal(std::uint64_t{max_chain_sources}) +
                                     " sources in one sealing state");
  }
  pending_.push_back(head.link);
  Chain& chain = found == chains_.end() ? chains_[link.source] : found->second;
  chain.ordinals.push_back(next_ordinal_++);
  chain.head = std::move(head);
  return {};
}

Status ChainState::commit() {
  if (failed_) return fail(ExitCode::bug, "sealing state used after it failed");
  if (pending_.empty()) return {};
  failed_ = true;  // until everything below has worked
  if (log_ != nullptr) {
    TWINCHAIN_TRY(log_->append(pending_));
    pending_.clear();
    TWINCHAIN_TRY(roll_over());
  } else {
    recent_.insert(recent_.end(), pending_.begin(), pending_.end());
    pending_.clear();
    while (recent_.size() > memory_links_kept) {
      chains_[recent_.front().link.source].ordinals.pop_front();
      recent_.pop_front();
    }
  }
  failed_ = false;
  return {};
}

Status ChainState::roll_over() {
  const std::uint64_t kept =
      std::max<std::uint64_t>(links_kept, links_kept_per_source * chains_.size());
  if (log_->records_in_segment() < kept / segments_kept) return {};
  TWINCHAIN_TRY(log_->begin_segment(heads(), kept));
  forget_before(log_->first_ordinal());
  return {};
}

void ChainState::forget_before(std::uint64_t ordinal) {
  for (auto& [source, chain] : chains_) {
    while (!chain.ordinals.empty() && chain.ordinals.front() < ordinal) {
      chain.ordinals.pop_front();
    }
  }
}

}  // namespace twinchain::chain
