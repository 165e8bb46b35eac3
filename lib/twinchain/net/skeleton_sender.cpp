#include "twinchain/net/skeleton_sender.hpp"

#include <algorithm>

#include "twinchain/iblt/decoder.hpp"
#include "twinchain/iblt/sizing.hpp"

namespace twinchain::net {
namespace {

// Items of `a` that are not in `b`, both in canonical order, as short ids.
std::vector<iblt::Item<1>> ids_only_in(std::span<const Hash256> a, std::span<const Hash256> b,
                                       const SipKey& key) {
  std::vector<iblt::Item<1>> ids;
  std::size_t j = 0;
  for (const Hash256& txid : a) {
    while (j < b.size() && canonical_less(b[j], txid)) ++j;
    if (j == b.size() || b[j] != txid) ids.push_back({short_id(key, txid)});
  }
  return ids;
}

}  // namespace

SkeletonSender::SkeletonSender(const bitcoin::BlockHeader& header, Bytes coinbase,
                               std::vector<Hash256> txids, const Snapshot* base,
                               const SkeletonOptions& options)
    : block_(bitcoin::block_hash(header)),
      key_(skeleton_key(header, options.salt)),
      txids_(std::move(txids)),
      layers_(iblt::max_layers) {
  ids_.reserve(txids_.size());
  for (const Hash256& txid : txids_) ids_.push_back({short_id(key_, txid)});
  skeleton_.header = header;
  if (base != nullptr) {
    skeleton_.snapshot_id = base->info.id;
    skeleton_.snapshot_root = base->info.root;
  }
  skeleton_.transaction_count = static_cast<std::uint32_t>(txids_.size() + 1);
  skeleton_.salt = options.salt;
  skeleton_.coinbase = std::move(coinbase);
  auto first = symbols(
      {block_, 0, 0,
       std::min({first_flight(base, options), options.max_symbols, max_symbols_in_message})});
  if (first) skeleton_.symbols = std::move(*first);
}

std::uint32_t SkeletonSender::first_flight(const Snapshot* base,
                                           const SkeletonOptions& options) const {
  const std::span<const Hash256> list = base != nullptr ? base->txids : std::span<const Hash256>();
  const auto theirs = ids_only_in(txids_, list, key_);
  const auto ours = ids_only_in(list, txids_, key_);
  const std::uint64_t d = theirs.size() + ours.size();
  const std::uint32_t estimate = iblt::first_flight(d + options.expected_extra);
  iblt::Encoder<1> block(key_);
  block.add(theirs);
  iblt::Encoder<1> other(key_);
  other.add(ours);
  iblt::Decoder<1> decoder(key_);
  const auto symbols = iblt::difference(block.symbols(estimate), other.symbols(estimate));
  for (std::size_t i = 0; i < symbols.size(); ++i) {
    decoder.add(std::span(symbols).subspan(i, 1));
    if (decoder.state() != iblt::DecodeState::needs_more) break;
  }
  if (options.expected_extra > 0 || decoder.state() != iblt::DecodeState::complete) return estimate;
  return static_cast<std::uint32_t>(decoder.symbol_count());
}

Result<iblt::SymbolRange> SkeletonSender::symbols(const SymbolRequest& request) {
  if (request.block != block_) return fail(ExitCode::refuted, "symbols: of another block");
  if (request.layer >= layers_.size() || request.count > max_symbols_in_message ||
      request.first > iblt::max_symbols - request.count) {
    return fail(ExitCode::refuted, "symbols: beyond those that a block has");
  }
  auto& layer = layers_[request.layer];
  if (!layer) {
    layer.emplace(key_, request.layer);
    layer->add(ids_);
  }
  const auto all =
      layer->symbols(std::size_t{request.first} + request.count).subspan(request.first);
  return iblt::SymbolRange{request.layer,
                           request.first,
                           static_cast<std::uint32_t>(ids_.size()),
                           {all.begin(), all.end()}};
}

ShortIdList SkeletonSender::short_ids() const {
  ShortIdList list{block_, {}};
  list.ids.reserve(ids_.size());
  for (const auto& id : ids_) list.ids.push_back(id[0] & short_id_mask);
  return list;
}

Result<std::vector<std::uint32_t>> SkeletonSender::positions(
    const TransactionRequest& request) const {
  if (request.block != block_) return fail(ExitCode::refuted, "transactions: of another block");
  std::vector<std::uint32_t> found;
  for (const std::uint32_t position : request.positions) {
    if (position < skeleton_.transaction_count) found.push_back(position);
  }
  if (!request.ids.empty()) {
    std::vector<std::uint64_t> wanted = request.ids;
    std::sort(wanted.begin(), wanted.end());
    for (std::size_t i = 0; i < ids_.size(); ++i) {
      if (std::binary_search(wanted.begin(), wanted.end(), ids_[i][0])) {
        found.push_back(static_cast<std::uint32_t>(i + 1));
      }
    }
  }
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

}  // namespace twinchain::net
