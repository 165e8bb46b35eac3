#include "twinchain/net/header_tree.hpp"

#include <algorithm>
#include <array>

namespace twinchain::net {
namespace {

/// Where the skip of a block of this height leads: for each height another number of lowest set
/// bits is cleared, so that any ancestor is found in O(log n) steps (as Bitcoin Core's chain.cpp).
std::uint32_t skip_height(std::uint32_t height) {
  const auto clear_lowest = [](std::uint32_t n) { return n & (n - 1); };
  if (height < 2) return 0;
  return (height & 1) != 0 ? clear_lowest(clear_lowest(height - 1)) + 1 : clear_lowest(height);
}

}  // namespace

HeaderTree::HeaderTree(const ChainParameters& parameters, const HeaderTreeLimits& limits)
    : parameters_(parameters), limits_(limits), easiest_target_(parameters.easiest_target()) {
  const bitcoin::BlockHeader header = genesis_block(parameters).header;
  genesis_ = add(header, bitcoin::block_hash(header), nullptr);
  genesis_->pinned = true;
  best_ = genesis_;
}

HeaderNode* HeaderTree::add(const bitcoin::BlockHeader& header, const Hash256& hash,
                            HeaderNode* parent) {
  auto node = std::make_unique<HeaderNode>();
  node->header = header;
  node->hash = hash;
  node->parent = parent;
  node->work = bitcoin::block_work(header.bits);
  node->sequence = next_sequence_++;
  HeaderNode* const added = node.get();
  if (parent != nullptr) {
    node->height = parent->height + 1;
    node->work += parent->work;
    node->skip_ = ancestor(*parent, skip_height(node->height));
    parent->children_.push_back(added);
  }
  nodes_.emplace(hash, std::move(node));
  return added;
}

HeaderTree::Answer HeaderTree::accept(const bitcoin::BlockHeader& header, std::int64_t now_s) {
  const Hash256 hash = bitcoin::block_hash(header);
  if (const HeaderNode* known = find(hash)) {
    if (known->invalid) return {Verdict::invalid("duplicate-invalid"), nullptr};
    return {{Outcome::known, {}, false}, known};
  }
  // Work first: nothing that costs the sender none is looked at any further.
  if (!bitcoin::meets_target(hash, header.bits, easiest_target_)) {
    return {Verdict::invalid("high-hash"), nullptr};
  }
  HeaderNode* const parent = find_mutable(header.previous);
  if (parent == nullptr) return {Verdict::incomplete("prev-blk-not-found"), nullptr};
  if (parent->invalid) return {Verdict::invalid("bad-prevblk"), nullptr};
  if (header.bits != next_bits(*parent)) return {Verdict::invalid("bad-diffbits"), nullptr};
  if (header.time_s <= median_time_s(*parent)) return {Verdict::invalid("time-too-old"), nullptr};
  if (header.time_s > now_s + limits_.max_future_s) {
    return {Verdict::refused("time-too-new"), nullptr};
  }
  const HeaderNode* const added = add(header, hash, parent);
  if (better(*added, *best_)) best_ = find_mutable(hash);
  if (nodes_.size() - (best_->height + 1) > limits_.max_side_headers) {
    drop_side_branches();
    if (find(hash) == nullptr) return {Verdict::refused("too-many-side-branches"), nullptr};
  }
  return {{}, added};
}

const HeaderNode* HeaderTree::find(const Hash256& hash) const {
  const auto found = nodes_.find(hash);
  return found == nodes_.end() ? nullptr : found->second.get();
}

HeaderNode* HeaderTree::find_mutable(const Hash256& hash) {
  const auto found = nodes_.find(hash);
  return found == nodes_.end() ? nullptr : found->second.get();
}

std::uint32_t HeaderTree::next_bits(const HeaderNode& parent) const {
  // The genesis block is the anchor; what would be before it came one spacing earlier.
  const std::int64_t since_s = std::int64_t{parent.header.time_s} -
                               std::int64_t{parameters_.genesis_time_s} + parameters_.spacing_s;
  return asert_bits(parameters_.asert(), parameters_.easiest_bits, since_s, parent.height);
}

void HeaderTree::mark_invalid(const HeaderNode& node) {
  std::vector<HeaderNode*> waiting = {find_mutable(node.hash)};
  while (!waiting.empty()) {
    HeaderNode* const at = waiting.back();
    waiting.pop_back();
    at->invalid = true;
    waiting.insert(waiting.end(), at->children_.begin(), at->children_.end());
  }
  if (best_->invalid) find_best();
}

void HeaderTree::find_best() {
  best_ = genesis_;
  for (const auto& [hash, node] : nodes_) {
    if (!node->invalid && better(*node, *best_)) best_ = node.get();
  }
}

void HeaderTree::drop_side_branches() {
  std::vector<HeaderNode*> tips;
  for (const auto& [hash, node] : nodes_) {
    if (node->children_.empty() && node.get() != best_ && !node->pinned) tips.push_back(node.get());
  }
  // Those that have not grown for longest: a branch that is just being sent, and may become the
  // best, stays.
  std::sort(tips.begin(), tips.end(),
            [](const HeaderNode* a, const HeaderNode* b) { return a->sequence < b->sequence; });
  // A quarter more than needed, so that it need not be done for each header.
  const std::size_t wanted = best_->height + 1 + limits_.max_side_headers / 4 * 3;
  for (HeaderNode* tip : tips) {
    while (nodes_.size() > wanted && tip->children_.empty() && !tip->pinned && tip != best_) {
      HeaderNode* const parent = find_mutable(tip->parent->hash);
      std::erase(parent->children_, tip);
      nodes_.erase(Hash256(tip->hash));
      tip = parent;
    }
  }
}

bool HeaderTree::better(const HeaderNode& a, const HeaderNode& b) {
  if (a.work != b.work) return a.work > b.work;
  return a.sequence < b.sequence;
}

std::uint32_t HeaderTree::median_time_s(const HeaderNode& node) {
  std::array<std::uint32_t, 11> times_s{};
  std::size_t count = 0;
  for (const HeaderNode* at = &node; at != nullptr && count < times_s.size(); at = at->parent) {
    times_s[count++] = at->header.time_s;
  }
  std::sort(times_s.begin(), times_s.begin() + static_cast<std::ptrdiff_t>(count));
  return times_s[count / 2];
}

const HeaderNode* HeaderTree::ancestor(const HeaderNode& node, std::uint32_t height) {
  if (height > node.height) return nullptr;
  const HeaderNode* at = &node;
  while (at->height > height) {
    const std::uint32_t skip = skip_height(at->height);
    const std::uint32_t skip_of_parent = skip_height(at->height - 1);
    // The parent's skip may be the longer way that still does not go too far.
    const bool use_skip =
        at->skip_ != nullptr &&
        (skip == height ||
         (skip > height && !(skip_of_parent + 2 < skip && skip_of_parent >= height)));
    at = use_skip ? at->skip_ : at->parent;
  }
  return at;
}

const HeaderNode& HeaderTree::fork(const HeaderNode& a, const HeaderNode& b) {
  const std::uint32_t height = std::min(a.height, b.height);
  const HeaderNode* x = ancestor(a, height);
  const HeaderNode* y = ancestor(b, height);
  while (x != y) {
    // Skips of equal heights are equally long.
    const bool far = x->skip_ != nullptr && x->skip_ != y->skip_;
    x = far ? x->skip_ : x->parent;
    y = far ? y->skip_ : y->parent;
  }
  return *x;
}

std::vector<Hash256> HeaderTree::locator() const {
  std::vector<Hash256> hashes;
  std::uint32_t step = 1;
  std::uint32_t height = best_->height;
  while (true) {
    hashes.push_back(ancestor(*best_, height)->hash);
    if (height == 0) return hashes;
    if (hashes.size() >= 10) step *= 2;
    height = height > step ? height - step : 0;
  }
}

std::vector<const HeaderNode*> HeaderTree::after(const std::vector<Hash256>& locator,
                                                 std::size_t max) const {
  std::uint32_t from = 0;
  for (const Hash256& hash : locator) {
    const HeaderNode* known = find(hash);
    if (known == nullptr || ancestor(*best_, known->height) != known) continue;
    from = known->height;
    break;
  }
  const std::uint32_t count =
      static_cast<std::uint32_t>(std::min<std::size_t>(best_->height - from, max));
  std::vector<const HeaderNode*> nodes(count);
  const HeaderNode* at = ancestor(*best_, from + count);
  for (std::uint32_t i = count; i-- > 0; at = at->parent) nodes[i] = at;
  return nodes;
}

}  // namespace twinchain::net
