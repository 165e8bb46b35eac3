#include "twinchain/net/frame_extractor.hpp"

#include <algorithm>
#include <map>

#include "twinchain/base/hex.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/net/remembered_frames.hpp"

namespace twinchain::net {
namespace {

std::unexpected<Error> bad_block(const Hash256& hash, const std::string& what) {
  return fail(ExitCode::malformed, "block " + to_hex_reversed(hash) + ": " + escape(what, 200));
}

}  // namespace

/// What one write() carries along.
struct FrameExtractor::Walk {
  const ExtractSelection& selection;
  const Sink& sink;
  const std::function<void(const std::string&)>& note;
  RememberedFrames seen;
  ExtractCounts counts;
};

FrameExtractor::FrameExtractor(const ChainParameters& parameters, File& spill, WorkPool& workers,
                               std::int64_t now_s)
    : parameters_(parameters), spill_(spill), workers_(workers), now_s_(now_s), tree_(parameters) {}

Status FrameExtractor::add_block(ByteView raw) {
  if (raw.size() < bitcoin::block_header_size) {
    return fail(ExitCode::malformed, "block shorter than its header");
  }
  ByteCursor cursor(raw);
  Held held;
  held.header = bitcoin::read_header(cursor);
  held.hash = bitcoin::block_hash(held.header);
  if (held.hash == tree_.genesis().hash || blocks_.contains(held.hash)) return {};
  // Work first: whoever has not done it costs us no more than its hash.
  if (!bitcoin::meets_target(held.hash, held.header.bits, parameters_.easiest_target())) {
    return bad_block(held.hash, "no proof of work");
  }
  NetBlock block;
  Verdict verdict = read_block(parameters_, raw, workers_, block);
  if (!verdict.accepted()) return bad_block(held.hash, verdict.reason);
  const auto height = block.transactions.empty()
                          ? std::nullopt
                          : bitcoin::coinbase_height(block.transactions[0]->tx);
  verdict = check_block_body(parameters_, block, height.value_or(0));
  if (!verdict.accepted()) return bad_block(held.hash, verdict.reason);
  auto carriers = spill_carriers(block);
  if (!carriers) return pass(carriers);
  held.carriers = std::move(*carriers);
  const Verdict header_verdict = tree_.accept(held.header, now_s_).verdict;
  const Hash256 hash = held.hash;
  switch (header_verdict.outcome) {
    case Outcome::accepted:
    case Outcome::known:
      break;
    case Outcome::incomplete:
      waiting_.push_back(hash);
      break;
    default:
      return bad_block(hash, header_verdict.reason);
  }
  blocks_.emplace(hash, std::move(held));
  return {};
}

Result<std::vector<FrameExtractor::Carrier>> FrameExtractor::spill_carriers(const NetBlock& block) {
  std::vector<Carrier> carriers;
  for (const TransactionPtr& transaction : block.transactions) {
    if (!carries_data(parameters_, transaction->tx)) continue;
    const auto key = payer_of(transaction->tx);
    if (!key) continue;
    const auto [number, is_new] =
        payer_numbers_.try_emplace(*key, static_cast<std::uint32_t>(payers_.size()));
    if (is_new) payers_.push_back(*key);
    Carrier carrier;
    carrier.txid = transaction->txid;
    const bitcoin::OutPoint& spent = transaction->tx.inputs[0].previous_output;
    if (spent.index == change_output_index) carrier.previous = spent.txid;
    carrier.payer = number->second;
    carrier.size_bytes = static_cast<std::uint32_t>(transaction->size_bytes);
    carrier.offset = spilled_bytes_;
    carrier.chain_time_s = transaction->tx.lock_time;
    const Bytes raw = bitcoin::serialize(transaction->tx, bitcoin::TxEncoding::no_witness);
    const ByteView pieces[] = {raw};
    TWINCHAIN_TRY(spill_.append(pieces));
    spilled_bytes_ += raw.size();
    carriers.push_back(carrier);
  }
  return carriers;
}

std::vector<std::string> FrameExtractor::finish() {
  std::vector<std::string> lines;
  const auto place = [&](const Hash256& hash) {
    const Verdict verdict = tree_.accept(blocks_.at(hash).header, now_s_).verdict;
    if (verdict.outcome == Outcome::incomplete) return false;
    if (verdict.outcome != Outcome::accepted && verdict.outcome != Outcome::known) {
      lines.push_back(bad_block(hash, verdict.reason).error().message);
    }
    return true;
  };
  while (!waiting_.empty() && std::erase_if(waiting_, place) > 0) {
  }
  // Each gap once: what stands on it is counted. Waiting blocks came with parents before children,
  // most often, so that a parent's gap is known already.
  std::unordered_map<Hash256, Hash256, HashHasher> gap_of;
  std::map<Hash256, std::size_t> gaps;
  const std::unordered_set<Hash256, HashHasher> waiting(waiting_.begin(), waiting_.end());
  for (const Hash256& hash : waiting_) {
    Hash256 missing = blocks_.at(hash).header.previous;
    while (waiting.contains(missing)) {
      const auto known = gap_of.find(missing);
      missing = known != gap_of.end() ? known->second : blocks_.at(missing).header.previous;
    }
    gap_of[hash] = missing;
    ++gaps[missing];
  }
  for (const auto& [hash, count] : gaps) {
    lines.push_back("block " + to_hex_reversed(hash) + ", which " + decimal(std::uint64_t{count}) +
                    (count == 1 ? " block stands" : " blocks stand") + " on, is missing");
  }
  return lines;
}

std::vector<const FrameExtractor::Carrier*> FrameExtractor::branch_carriers(
    ExtractCounts& counts) const {
  std::vector<const HeaderNode*> branch;
  for (const HeaderNode* node = &tree_.best(); node->parent != nullptr; node = node->parent) {
    branch.push_back(node);
  }
  counts.height = tree_.best().height;
  counts.abandoned_blocks = blocks_.size() - waiting_.size() - branch.size();
  std::vector<const Carrier*> carriers;
  for (auto node = branch.rbegin(); node != branch.rend(); ++node) {
    for (const Carrier& carrier : blocks_.at((*node)->hash).carriers) carriers.push_back(&carrier);
  }
  return carriers;
}

Result<ExtractCounts> FrameExtractor::write(const ExtractSelection& selection, const Sink& sink,
                                            const std::function<void(const std::string&)>& note) {
  Walk walk{selection, sink, note, RememberedFrames(), {}};
  const std::vector<const Carrier*> carriers = branch_carriers(walk.counts);
  std::unordered_map<Hash256, std::size_t, HashHasher> position;
  for (std::size_t i = 0; i < carriers.size(); ++i) position.emplace(carriers[i]->txid, i);
  // Who spends the change, and where the chains of each payer begin.
  constexpr std::size_t nobody = ~std::size_t{0};
  std::vector<std::size_t> next(carriers.size(), nobody);
  std::vector<std::uint32_t> payers;
  std::vector<std::vector<std::size_t>> begins(payers_.size());
  std::vector<bool> met(payers_.size(), false);
  for (std::size_t i = 0; i < carriers.size(); ++i) {
    const auto before = position.find(carriers[i]->previous);
    const std::uint32_t payer = carriers[i]->payer;
    if (!met[payer]) payers.push_back(payer);
    met[payer] = true;
    if (before != position.end() && carriers[before->second]->payer == payer) {
      next[before->second] = i;
    } else {
      begins[payer].push_back(i);
    }
  }
  for (const std::uint32_t payer : payers) {
    if (selection.payer && payers_[payer] != *selection.payer) continue;
    ++walk.counts.payers;
    walk.seen = RememberedFrames();
    std::ranges::stable_sort(begins[payer], {},
                             [&](std::size_t at) { return carriers[at]->chain_time_s; });
    for (const std::size_t begin : begins[payer]) {
      for (std::size_t at = begin; at != nobody; at = next[at]) {
        TWINCHAIN_TRY(write_carrier(*carriers[at], walk));
      }
    }
  }
  return walk.counts;
}

Status FrameExtractor::write_carrier(const Carrier& carrier, Walk& walk) {
  Bytes raw(carrier.size_bytes);
  auto count = spill_.pread(raw, carrier.offset);
  if (!count) return pass(count);
  if (*count != raw.size()) return fail(ExitCode::system, "temporary file became shorter");
  auto tx = bitcoin::parse_transaction(raw, bitcoin::TxEncoding::no_witness, raw.size());
  if (!tx) return pass(tx);
  ++walk.counts.transactions;
  const CarriedFrames carried = frames_of(parameters_, *tx);
  for (const std::string& what : carried.malformed) {
    walk.note("transaction " + to_hex_reversed(carrier.txid) + ": " + what);
  }
  for (const CarriedFrame& frame : carried.frames) {
    if (walk.selection.source && frame.header.source != *walk.selection.source) continue;
    if (!walk.seen.insert(frame_id(frame.whole))) {
      ++walk.counts.duplicates;
      continue;
    }
    TWINCHAIN_TRY(walk.sink(frame.header, frame.body));
    ++walk.counts.frames;
  }
  return {};
}

}  // namespace twinchain::net
