#include "twinchain/net/skeleton_receiver.hpp"

#include <algorithm>

#include "twinchain/bitcoin/tx.hpp"
#include "twinchain/crypto/sha256.hpp"
#include "twinchain/iblt/sizing.hpp"

namespace twinchain::net {
namespace {

constexpr std::size_t short_id_bytes = 6;

std::uint64_t receiver_sort_key(const Hash256& txid) {
  std::uint64_t key = 0;
  for (std::size_t i = 0; i < 8; ++i) key = key << 8 | txid[i];
  return key;
}

// Canonical order, each once. The keys are sorted, not the txids: a quarter of the bytes to move.
std::vector<Hash256> in_canonical_order_once(std::span<const Hash256> txids) {
  if (in_canonical_order(txids)) return {txids.begin(), txids.end()};
  struct Keyed {
    std::uint64_t key;
    std::uint32_t index;
  };
  std::vector<Keyed> order(txids.size());
  for (std::size_t i = 0; i < txids.size(); ++i) {
    order[i] = {receiver_sort_key(txids[i]), static_cast<std::uint32_t>(i)};
  }
  std::sort(order.begin(), order.end(), [&](const Keyed& a, const Keyed& b) {
    return a.key != b.key ? a.key < b.key : canonical_less(txids[a.index], txids[b.index]);
  });
  std::vector<Hash256> sorted;
  sorted.reserve(txids.size());
  for (const Keyed& one : order) {
    const Hash256& txid = txids[one.index];
    if (sorted.empty() || sorted.back() != txid) sorted.push_back(txid);
  }
  return sorted;
}

// 64 bytes can be an inner node of the Merkle tree (CVE-2017-12842), and what is no coinbase is
// none of this block: with either the root could agree, and the block would be judged by it.
bool is_coinbase(ByteView raw) {
  if (raw.size() == 2 * sizeof(Hash256)) return false;
  const auto parsed =
      bitcoin::parse_transaction(raw, bitcoin::TxEncoding::no_witness, max_skeleton_coinbase_size);
  return parsed && parsed->is_coinbase();
}

}  // namespace

SkeletonReceiver::SkeletonReceiver(Skeleton skeleton, std::span<const Hash256> base,
                                   std::span<const Hash256> pool, const ReceiverLimits& limits)
    : skeleton_(std::move(skeleton)),
      limits_(limits),
      block_(bitcoin::block_hash(skeleton_.header)),
      key_(skeleton_key(skeleton_.header, skeleton_.salt)),
      coinbase_txid_(sha256d(skeleton_.coinbase)) {
  limits_.symbols = std::min<std::size_t>(limits_.symbols, iblt::max_symbols);
  if (skeleton_.transaction_count == 0 || skeleton_.transaction_count > max_block_transactions ||
      base.size() > max_snapshot_count || pool.size() > max_snapshot_count ||
      !is_coinbase(skeleton_.coinbase)) {
    return;  // ask_block
  }
  if (block_size() == 0) {
    if (coinbase_txid_ == skeleton_.header.merkle_root) next_ = Next::complete;
    return;
  }
  take_base(base, pool);
  begin();
}

void SkeletonReceiver::take_base(std::span<const Hash256> base, std::span<const Hash256> pool) {
  candidates_.base = in_canonical_order_once(base);
  candidates_.base_ids.reserve(candidates_.base.size());
  for (const Hash256& txid : candidates_.base) {
    candidates_.base_ids.push_back({short_id(key_, txid)});
  }
  candidates_.pool.assign(pool.begin(), pool.end());
  candidates_.pool_ids.reserve(pool.size());
  for (const Hash256& txid : pool) candidates_.pool_ids.push_back(short_id(key_, txid));
}

void SkeletonReceiver::begin() {
  const std::uint64_t base_size = candidates_.base.size();
  const std::uint64_t least_difference = std::max<std::uint64_t>(base_size, block_size()) -
                                         std::min<std::uint64_t>(base_size, block_size());
  const std::uint64_t sent = skeleton_.symbols.symbols.size();
  // Each difference takes a symbol at the least.
  const std::uint64_t lacking = least_difference - std::min(least_difference, sent);
  if (sent > limits_.symbols || least_difference > limits_.difference ||
      skeleton_.symbols.set_size != block_size() || skeleton_.symbols.first != 0 ||
      skeleton_.symbols.layer != 0 || list_costs_less_than(lacking)) {
    return ask_for_short_ids();
  }
  decoder_.emplace(key_, iblt::DecodeLimits{limits_.symbols, limits_.difference});
  ours_.emplace(key_);
  ours_->reserve(candidates_.base_ids.size());
  ours_->add(candidates_.base_ids);
  decode(skeleton_.symbols);
}

bool SkeletonReceiver::list_costs_less_than(std::uint64_t symbols) const {
  return symbols * iblt::min_symbol_size > block_size() * short_id_bytes;
}

void SkeletonReceiver::decode(const iblt::SymbolRange& range) {
  const std::size_t end = std::size_t{range.first} + range.symbols.size();
  const std::span<const iblt::Symbol<1>> theirs = range.symbols;
  if (range.layer == 0) {
    decoder_->add(iblt::difference<1>(theirs, ours_->symbols(end).subspan(range.first)));
  } else {
    // Few, and seldom needed: made for the moment.
    iblt::Encoder<1> layer(key_, range.layer);
    layer.reserve(candidates_.base_ids.size());
    layer.add(candidates_.base_ids);
    decoder_->add(iblt::difference<1>(theirs, layer.symbols(end).subspan(range.first)),
                  range.layer);
  }
  symbols_received_ += range.symbols.size();
  if (decoder_->state() == iblt::DecodeState::complete) {
    return take_match(
        match_difference(candidates_, decoder_->only_theirs(), decoder_->only_ours()));
  }
  if (decoder_->state() != iblt::DecodeState::needs_more) return ask_for_short_ids();
  if (main_due_ == 0 && layer_due_ == 0) plan_extension();
}

// Two txids of base with one id cancel each other in our own symbols, and never come out.
bool SkeletonReceiver::base_repeats_ids() const {
  std::vector<iblt::Item<1>> ids = candidates_.base_ids;
  std::sort(ids.begin(), ids.end());
  return std::adjacent_find(ids.begin(), ids.end()) != ids.end();
}

void SkeletonReceiver::plan_extension() {
  const auto sent = static_cast<std::uint32_t>(symbols_received_);
  iblt::Extension more = iblt::next_extension(sent);
  const auto left = static_cast<std::uint32_t>(limits_.symbols - sent);
  if (more.main + more.layer > left) more = {left, 0};
  if (left == 0 || list_costs_less_than(more.main + more.layer) ||
      (extensions_ == 0 && base_repeats_ids())) {
    return ask_for_short_ids();
  }
  ++extensions_;
  if (extensions_ >= iblt::max_layers) more = {more.main + more.layer, 0};
  main_due_ = more.main;
  layer_due_ = more.layer;
  next_ = Next::ask_symbols;
}

SymbolRequest SkeletonReceiver::symbol_request() const {
  const std::uint32_t layer = main_due_ > 0 ? 0 : extensions_;
  const std::uint32_t due = main_due_ > 0 ? main_due_ : layer_due_;
  if (next_ != Next::ask_symbols) return {block_, 0, 0, 0};
  return {block_, layer, static_cast<std::uint32_t>(decoder_->symbol_count(layer)),
          std::min(due, max_symbols_in_message)};
}

bool SkeletonReceiver::add_symbols(const iblt::SymbolRange& range) {
  if (next_ != Next::ask_symbols) return false;
  const SymbolRequest asked = symbol_request();
  if (range.layer != asked.layer || range.first != asked.first || range.set_size != block_size() ||
      range.symbols.empty() || range.symbols.size() > asked.count) {
    return false;
  }
  (asked.layer == 0 ? main_due_ : layer_due_) -= static_cast<std::uint32_t>(range.symbols.size());
  decode(range);
  return true;
}

void SkeletonReceiver::ask_for_short_ids() {
  ours_.reset();
  decoder_.reset();
  match_ = {};
  arrived_.clear();
  missing_ = 0;
  rung_ = Rung::short_ids;
  next_ = Next::ask_short_ids;
}

void SkeletonReceiver::ask_for_block() {
  ask_for_short_ids();
  candidates_ = {};
  next_ = Next::ask_block;
}

void SkeletonReceiver::give_up_rung() {
  switch (next_) {
    case Next::ask_symbols:
      return ask_for_short_ids();
    case Next::ask_short_ids:
    case Next::ask_transactions:
      // Who lacks transactions by short id has none by position either.
      return ask_for_block();
    case Next::ask_block:
    case Next::complete:
      return;
  }
}

bool SkeletonReceiver::add_short_ids(const ShortIdList& list) {
  if (next_ != Next::ask_short_ids || list.block != block_) return false;
  const bool sound = list.ids.size() == block_size() &&
                     std::all_of(list.ids.begin(), list.ids.end(),
                                 [](std::uint64_t id) { return id <= short_id_mask; });
  take_match(sound ? match_list(candidates_, list.ids) : std::nullopt);
  return true;
}

void SkeletonReceiver::take_match(std::optional<Match> match) {
  ours_.reset();
  decoder_.reset();
  std::size_t count = match ? match->certain.size() + match->wanted.size() : 0;
  if (match) {
    for (const Choice& choice : match->choices) count += choice.take;
  }
  if (!match || count != block_size()) {
    return rung_ == Rung::symbols ? ask_for_short_ids() : ask_for_block();
  }
  match_ = std::move(*match);
  missing_ = match_.wanted.size();
  next_ = Next::ask_transactions;
  if (missing_ == 0) try_match();
}

TransactionRequest SkeletonReceiver::transaction_request() const {
  TransactionRequest request;
  request.block = block_;
  if (next_ != Next::ask_transactions) return request;
  for (const Wanted& wanted : match_.wanted) {
    if (wanted.came) continue;
    if (rung_ == Rung::symbols) {
      request.ids.push_back(wanted.id);
    } else {
      request.positions.push_back(wanted.position);
    }
    if (request.ids.size() + request.positions.size() == max_transactions_in_request) break;
  }
  std::sort(request.positions.begin(), request.positions.end());
  return request;
}

bool SkeletonReceiver::add_transaction(const Hash256& txid) {
  if (next_ != Next::ask_transactions) return false;
  const std::uint64_t id =
      short_id(key_, txid) & (rung_ == Rung::symbols ? ~std::uint64_t{0} : short_id_mask);
  auto wanted =
      std::lower_bound(match_.wanted.begin(), match_.wanted.end(), id,
                       [](const Wanted& one, std::uint64_t other) { return one.id < other; });
  while (wanted != match_.wanted.end() && wanted->id == id && wanted->came) ++wanted;
  if (wanted == match_.wanted.end() || wanted->id != id) return false;
  wanted->came = true;
  arrived_.push_back(txid);
  if (--missing_ == 0) try_match();
  return true;
}

// All transactions are there, with some to choose from perhaps.
void SkeletonReceiver::try_match() {
  auto txids = resolve();
  if (!txids && rung_ == Rung::symbols && doubt_certain(candidates_, key_, match_)) {
    txids = resolve();
  }
  if (!txids) return rung_ == Rung::symbols ? ask_for_short_ids() : ask_for_block();
  ask_for_block();  // forgets all that is for matching
  txids_ = std::move(*txids);
  next_ = Next::complete;
}

std::optional<std::vector<Hash256>> SkeletonReceiver::resolve() const {
  return resolve_match(match_, arrived_, coinbase_txid_, skeleton_.header.merkle_root);
}

}  // namespace twinchain::net
