#include "twinchain/net/chain_state.hpp"

#include <algorithm>

namespace twinchain::net {
namespace {

constexpr std::int64_t chain_second_ns = 1'000'000'000;
/// A header that was accepted once is not in the future any more.
constexpr std::int64_t long_ago_s = std::int64_t{1} << 40;
/// Blocks so far behind the tip are not taken: no reorganisation goes so deep.
constexpr std::uint32_t oldest_body_blocks = 1'000;

}  // namespace

ChainState::ChainState(const ChainParameters& parameters, const ChainParts& parts, HeaderTree& tree,
                       LocalPool& pool)
    : parameters_(parameters), parts_(parts), tree_(tree), pool_(pool), tip_(&tree.genesis()) {}

Result<std::unique_ptr<ChainState>> ChainState::open(const ChainParameters& parameters,
                                                     const ChainParts& parts, HeaderTree& tree,
                                                     LocalPool& pool) {
  std::unique_ptr<ChainState> state(new ChainState(parameters, parts, tree, pool));
  TWINCHAIN_TRY(state->load());
  return state;
}

Status ChainState::load() {
  bodies_.insert(&tree_.genesis());
  whole_.insert(&tree_.genesis());
  candidates_.insert(&tree_.genesis());
  for (const Hash256& hash : parts_.blocks.all()) {
    const HeaderNode* node = tree_.find(hash);
    if (node == nullptr) {
      // The header file is behind: a body has its header, too.
      auto raw = parts_.blocks.get(hash);
      if (!raw) return pass(raw);
      ByteCursor cursor(**raw);
      node = tree_.accept(bitcoin::read_header(cursor), long_ago_s).node;
      if (node == nullptr) continue;
      if (parts_.header_log != nullptr) TWINCHAIN_TRY(parts_.header_log->append(node->header));
    }
    tree_.pin(*node);
    add_body(*node);
  }
  const HeaderNode* tip = tree_.find(parts_.coins.tip().block);
  if (tip == nullptr) {
    return fail(ExitCode::malformed, "chain: the coins are those of a block that is not here",
                "without the coin database it is made anew from the blocks");
  }
  tip_ = tip;
  // Its coins are here, even when bodies below it are not.
  tree_.pin(*tip);
  whole_.insert(tip);
  candidates_.insert(tip);
  pool_.set_tip(next_context());
  pool_.set_time(parts_.clock.wall_ns() / chain_second_ns);
  return go_to_best();
}

SpendContext ChainState::context_after(const HeaderNode& parent) const {
  return {parent.height + 1, HeaderTree::median_time_s(parent), [&parent](std::uint32_t height) {
            const HeaderNode* at = HeaderTree::ancestor(parent, std::min(height, parent.height));
            return HeaderTree::median_time_s(*at);
          }};
}

SpendContext ChainState::next_context() const {
  return context_after(*tip_);
}

std::uint32_t ChainState::next_time_s() const {
  return HeaderTree::median_time_s(*tip_) + 1;
}

HeaderTree::Answer ChainState::accept_header(const bitcoin::BlockHeader& header, Status& logged) {
  const std::int64_t now_s = parts_.clock.wall_ns() / chain_second_ns;
  HeaderTree::Answer answer = tree_.accept(header, now_s);
  if (answer.verdict.accepted() && parts_.header_log != nullptr) {
    logged = parts_.header_log->append(header);
  }
  return answer;
}

Result<Verdict> ChainState::process_header(const bitcoin::BlockHeader& header) {
  Status logged;
  HeaderTree::Answer answer = accept_header(header, logged);
  if (!logged) return pass(logged);
  return std::move(answer.verdict);
}

Result<Verdict> ChainState::process_block(const NetBlock& block) {
  Status logged;
  HeaderTree::Answer answer = accept_header(block.header, logged);
  if (!logged) return pass(logged);
  if (answer.node == nullptr) return std::move(answer.verdict);
  const HeaderNode& node = *answer.node;
  if (has_body(node)) return Verdict{Outcome::known, {}, false};
  if (std::uint64_t{node.height} + oldest_body_blocks < tip_->height) {
    return Verdict::refused("too-far-behind");
  }
  Verdict verdict = check_block_body(parameters_, block, node.height);
  if (verdict.outcome == Outcome::invalid) tree_.mark_invalid(node);
  if (!verdict.accepted()) return verdict;
  TWINCHAIN_TRY(parts_.blocks.put(node.hash, serialize(block)));
  tree_.pin(node);
  add_body(node);
  given_ = &block;
  given_node_ = &node;
  given_verdict_ = {};
  Status gone = go_to_best();
  given_ = nullptr;
  given_node_ = nullptr;
  if (!gone) return pass(gone);
  // An invalid block before this one, which came earlier, is not this sender's.
  if (!given_verdict_.accepted()) return std::move(given_verdict_);
  if (node.invalid) return Verdict{Outcome::invalid, "bad-prevblk", false};
  return Verdict{};
}

void ChainState::add_body(const HeaderNode& node) {
  bodies_.insert(&node);
  if (node.parent != nullptr && !whole_.contains(node.parent)) {
    waiting_.emplace(node.parent, &node);
    return;
  }
  std::vector<const HeaderNode*> done = {&node};
  while (!done.empty()) {
    const HeaderNode* const at = done.back();
    done.pop_back();
    whole_.insert(at);
    if (!HeaderTree::better(*tip_, *at)) candidates_.insert(at);
    const auto [begin, end] = waiting_.equal_range(at);
    for (auto child = begin; child != end; ++child) done.push_back(child->second);
    waiting_.erase(begin, end);
  }
}

/// Goes to the best branch that can be gone to. Blocks that turn out to be invalid take their
/// branches out, so that this ends.
Status ChainState::go_to_best() {
  const HeaderNode& old_tip = *tip_;
  std::vector<Disconnected> disconnected;
  while (true) {
    while (!candidates_.empty() && (*candidates_.begin())->invalid) {
      candidates_.erase(candidates_.begin());
    }
    const HeaderNode* target = candidates_.empty() ? tip_ : *candidates_.begin();
    if (target == tip_) break;
    const HeaderNode& fork = HeaderTree::fork(*tip_, *target);
    auto possible = parts_.coins.can_undo_to(fork.height);
    if (!possible) return pass(possible);
    if (*possible) possible = bodies_at_hand(*tip_, *target, fork);
    if (!possible) return pass(possible);
    if (!*possible) {
      candidates_.erase(candidates_.begin());
      continue;
    }
    TWINCHAIN_TRY(switch_to(*target, fork, disconnected));
  }
  // Worse ones come back only with a better block on top of them.
  while (!candidates_.empty() && HeaderTree::better(*tip_, **candidates_.rbegin())) {
    candidates_.erase(std::prev(candidates_.end()));
  }
  pool_.set_tip(next_context());
  pool_.set_time(parts_.clock.wall_ns() / chain_second_ns);
  if (!disconnected.empty()) TWINCHAIN_TRY(give_back(disconnected));
  if (tip_ != &old_tip && on_tip_) on_tip_(old_tip, *tip_);
  return {};
}

/// Storage nodes that have a body may be away. Then the branch is not gone to before there is a
/// better block on it: half of a way would leave neither of both.
Result<bool> ChainState::bodies_at_hand(const HeaderNode& tip, const HeaderNode& target,
                                        const HeaderNode& fork) {
  if (&tip == &fork) return true;  // the usual step: connecting can stop at any block
  for (const HeaderNode* from : {&tip, &target}) {
    for (const HeaderNode* at = from; at != &fork; at = at->parent) {
      if (at == given_node_) continue;
      auto raw = parts_.blocks.get(at->hash);
      if (!raw) return pass(raw);
      if (!*raw) return false;
    }
  }
  return true;
}

Status ChainState::switch_to(const HeaderNode& target, const HeaderNode& fork,
                             std::vector<Disconnected>& disconnected) {
  while (tip_ != &fork) {
    auto block = load_block(*tip_);
    if (!block) return pass(block);
    auto undone = parts_.coins.disconnect();
    if (!undone) return pass(undone);
    disconnected.push_back({tip_, std::move(block->transactions)});
    tip_ = tip_->parent;
    ++disconnected_;
  }
  while (tip_ != &target) {
    const HeaderNode& next = *HeaderTree::ancestor(target, tip_->height + 1);
    NetBlock loaded;
    const bool given = &next == given_node_;
    if (!given) {
      auto block = load_block(next);
      if (!block) return pass(block);
      loaded = std::move(*block);
    }
    const NetBlock& block = given ? *given_ : loaded;
    auto verdict = connect(next, block);
    if (!verdict) return pass(verdict);
    if (!verdict->accepted()) {
      tree_.mark_invalid(next);
      if (given) given_verdict_ = std::move(*verdict);
      return {};
    }
    tip_ = &next;
    pool_.block_connected(block);
  }
  return {};
}

Result<Verdict> ChainState::connect(const HeaderNode& node, const NetBlock& block) {
  BlockEffects effects;
  auto verdict = check_block_spends(
      parameters_, block, context_after(*tip_), parts_.coins,
      [this](const Hash256& txid) { return pool_.scripts_known(txid); }, parts_.workers, effects);
  verified_ += effects.transactions_verified;
  if (!verdict || !verdict->accepted()) return verdict;
  const Status connected =
      parts_.coins.connect({node.hash, node.height}, tip_->hash, std::move(effects.changes));
  if (connected) return verdict;
  // Spent coins were seen to be there; what can be wrong is a txid that is unspent already.
  if (connected.error().code == ExitCode::refuted) return Verdict::invalid("bad-txns-BIP30");
  return std::unexpected(connected.error());
}

Result<NetBlock> ChainState::load_block(const HeaderNode& node) {
  auto raw = parts_.blocks.get(node.hash);
  if (!raw) return pass(raw);
  if (!*raw) return fail(ExitCode::malformed, "chain: the body of a block of the chain is missing");
  NetBlock block;
  const Verdict verdict = read_block(parameters_, **raw, parts_.workers, block);
  if (!verdict.accepted()) return fail(ExitCode::malformed, "chain: stored " + verdict.reason);
  return block;
}

/// What blocks held that are no longer in the chain goes back to the pool, oldest first, as far as
/// there is room.
Status ChainState::give_back(std::vector<Disconnected>& disconnected) {
  std::vector<TransactionPtr> back;
  for (auto at = disconnected.rbegin(); at != disconnected.rend(); ++at) {
    if (HeaderTree::ancestor(*tip_, at->node->height) == at->node) continue;
    back.insert(back.end(), at->transactions.begin(), at->transactions.end());
  }
  return pool_.reorganised(std::move(back));
}

std::vector<const HeaderNode*> ChainState::missing_bodies(std::size_t max) const {
  std::vector<const HeaderNode*> missing;
  const HeaderNode& best = tree_.best();
  for (const HeaderNode* at = &best; at != nullptr && !whole_.contains(at); at = at->parent) {
    if (!has_body(*at)) missing.push_back(at);
  }
  std::reverse(missing.begin(), missing.end());
  if (missing.size() > max) missing.resize(max);
  return missing;
}

}  // namespace twinchain::net
