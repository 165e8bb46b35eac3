#include "twinchain/ledger/anchor_engine.hpp"

#include <algorithm>

#include "twinchain/base/hex.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/ledger/fleet.hpp"

namespace twinchain::ledger {
namespace {

constexpr std::uint64_t second_ns = 1'000'000'000;
constexpr std::uint64_t first_pause_ns = second_ns;
constexpr std::uint64_t longest_pause_ns = 30 * second_ns;
/// The same trouble is told again after this long.
constexpr std::uint64_t tell_again_ns = 600 * second_ns;
/// A transaction that the node refuses though its inputs look unspent is given up after so many
/// blocks: an unconfirmed parent may come back until then.
constexpr std::uint32_t blocks_until_given_up = 2;

std::uint32_t distance(std::uint32_t a, std::uint32_t b) {
  return a > b ? a - b : b - a;
}

}  // namespace

std::string describe_link(const LinkReference& link) {
  return "link " + decimal(link.header.sequence) + " of source " +
         to_hex(ByteView(link.header.source).first(8)) + "...";
}

std::string describe_anchor(const AnchorRecord& record) {
  if (record.fleet.empty()) return describe_link(record.link);
  return "the fleet of " + decimal(std::uint64_t{record.fleet.size()}) + " links";
}

AnchorEngine::AnchorEngine(Ledger& ledger, AnchorJournal& journal, Clock& clock,
                           const AnchorSettings& settings, AnchorOutput output)
    : ledger_(ledger),
      journal_(journal),
      clock_(clock),
      settings_(settings),
      output_(std::move(output)) {}

void AnchorEngine::see_all() {
  for (const auto& [hash, record] : journal_.records()) {
    for (const LinkReference& link : record.links()) {
      sources_.insert(link.header.source);
      if (record.emitted) again_.insert(link.hash);
    }
  }
}

void AnchorEngine::refresh_published() const {
  if (published_.version == journal_.version()) return;
  published_ = {};
  for (const auto& [hash, record] : journal_.records()) {
    for (const LinkReference& link : record.links()) {
      const ChainKey key{link.header.source, link.record};
      std::uint64_t& newest = published_.newest[key];
      newest = std::max(newest, link.header.sequence);
      if (!record.emitted) ++published_.pending[key];
    }
  }
  published_.version = journal_.version();
}

bool AnchorEngine::is_published(const Chain& chain) const {
  if (chain.covered || journal_.find_link(chain.newest.hash) != nullptr) return true;
  // A later link of the same chain covers this one.
  refresh_published();
  const auto found = published_.newest.find({chain.newest.header.source, chain.newest.record});
  return found != published_.newest.end() && found->second > chain.newest.header.sequence;
}

bool AnchorEngine::concerns(const AnchorRecord& record) const {
  const auto links = record.links();
  return std::any_of(links.begin(), links.end(), [this](const LinkReference& link) {
    return sources_.contains(link.header.source);
  });
}

void AnchorEngine::see_link(const LinkReference& link) {
  see_source(link.header.source);
  const auto [at, is_new] = chains_.try_emplace(ChainKey{link.header.source, link.record});
  Chain& chain = at->second;
  if (!is_new &&
      (link.header.sequence < chain.newest.header.sequence || link.hash == chain.newest.hash)) {
    return;
  }
  chain = Chain{link, std::nullopt, false};
  if (batch_due_ns_ == never && !is_published(chain)) {
    batch_due_ns_ = clock_.monotonic_ns() + (input_ended_ ? 0 : settings_.every_ns);
  }
}

void AnchorEngine::see_anchor(const Receipt& receipt) {
  for (auto& [key, chain] : chains_) {
    if (chain.newest.hash == receipt.link_hash && check_receipt(receipt)) chain.cover = receipt;
  }
}

void AnchorEngine::end_input() {
  input_ended_ = true;
  if (unpublished() > 0 || batch_pending()) batch_due_ns_ = clock_.monotonic_ns();
  retry_due_ns_ = 0;
}

std::size_t AnchorEngine::unpublished() const {
  return static_cast<std::size_t>(
      std::count_if(chains_.begin(), chains_.end(), [this](const auto& entry) {
        return sources_.contains(entry.first.source) && !is_published(entry.second);
      }));
}

std::size_t AnchorEngine::outstanding() const {
  std::size_t count = unpublished() + again_.size();
  for (const auto& [hash, record] : journal_.records()) {
    if (!record.emitted && concerns(record)) ++count;
  }
  return count;
}

std::vector<std::string> AnchorEngine::describe_outstanding() const {
  std::vector<std::string> lines;
  for (const auto& [key, chain] : chains_) {
    if (sources_.contains(key.source) && !is_published(chain)) {
      lines.push_back(describe_link(chain.newest) + " is not published");
    }
  }
  for (const Hash256& hash : pending_in_order()) {
    const AnchorRecord& record = *journal_.find(hash);
    if (!concerns(record)) continue;
    std::string line = describe_anchor(record) + ": transaction ";
    const auto watch = watches_.find(hash);
    const bool in_block =
        watch != watches_.end() && watch->second.status.place == TransactionPlace::block;
    line += to_hex_reversed(in_block ? watch->second.txid : record.transactions.back().txid);
    if (in_block) {
      line += " has depth " + decimal(std::uint64_t{watch->second.status.depth}) + " of " +
              decimal(std::uint64_t{settings_.depth});
    } else {
      line += " is in no block yet";
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

std::vector<Hash256> AnchorEngine::pending_in_order() const {
  std::vector<std::pair<std::uint64_t, Hash256>> pending;
  for (const auto& [hash, record] : journal_.records()) {
    if (!record.emitted) pending.emplace_back(record.order, hash);
  }
  std::sort(pending.begin(), pending.end());
  std::vector<Hash256> hashes;
  hashes.reserve(pending.size());
  for (const auto& [order, hash] : pending) hashes.push_back(hash);
  return hashes;
}

std::size_t AnchorEngine::pending_of(const ChainKey& chain) const {
  refresh_published();
  const auto found = published_.pending.find(chain);
  return found == published_.pending.end() ? 0 : found->second;
}

bool AnchorEngine::has_pending() const {
  return std::any_of(journal_.records().begin(), journal_.records().end(),
                     [](const auto& entry) { return !entry.second.emitted; });
}

Status AnchorEngine::keep(Status status) {
  if (!status && !fatal_) fatal_ = status.error();
  return status;
}

Result<std::uint64_t> AnchorEngine::step() {
  if (clock_.monotonic_ns() >= retry_due_ns_) {
    auto status = work();
    if (fatal_) return std::unexpected(*fatal_);
    if (status) {
      recover();
    } else {
      run_into(std::move(status.error()));
      if (fatal_) return std::unexpected(*fatal_);
    }
    attempted_ = true;
  }
  return next_time();
}

void AnchorEngine::run_into(Error error) {
  const bool is_configuration = error.code == ExitCode::usage || error.code == ExitCode::malformed;
  if (is_configuration && !attempted_) {
    fatal_ = std::move(error);
    return;
  }
  const std::uint64_t now = clock_.monotonic_ns();
  ++failures_;
  std::uint64_t pause_ns = first_pause_ns;
  for (unsigned i = 1; i < failures_ && pause_ns < longest_pause_ns; ++i) pause_ns *= 2;
  pause_ns = std::min(pause_ns, longest_pause_ns);
  retry_due_ns_ = now + pause_ns;
  const bool is_new = !trouble_ || trouble_->error.message != error.message;
  if (is_new || now - told_trouble_ns_ >= tell_again_ns) {
    told_trouble_ns_ = now;
    tell(Notice::warning, error.message + "; trying again");
    if (is_new && !error.hint.empty()) tell(Notice::warning, error.hint);
  }
  if (!trouble_) trouble_ = Trouble{{}, now};
  trouble_->error = std::move(error);
}

void AnchorEngine::recover() {
  if (trouble_) {
    const std::uint64_t lasted_ns = clock_.monotonic_ns() - trouble_->since_ns;
    tell(Notice::note, "works again after " + decimal(lasted_ns / second_ns) + " s");
  }
  trouble_.reset();
  failures_ = 0;
  retry_due_ns_ = 0;
}

std::uint64_t AnchorEngine::next_time() const {
  std::uint64_t next = batch_due_ns_;
  if (has_pending()) next = std::min(next, poll_due_ns_);
  if (trouble_) next = retry_due_ns_;
  return next;
}

Status AnchorEngine::work() {
  TWINCHAIN_TRY(contact());
  TWINCHAIN_TRY(emit_earlier());
  auto followed = follow();
  if (!followed && (fatal_ || followed.error().code == ExitCode::peer)) return followed;
  TWINCHAIN_TRY(check_wallet());
  TWINCHAIN_TRY(publish_due());
  return followed;
}

/// The first thing, so that a wrong address or password shows at once.
Status AnchorEngine::contact() {
  if (network_) return {};
  auto tip = ledger_.tip();
  if (!tip) return pass(tip);
  for (const auto& [hash, record] : journal_.records()) {
    if (record.network == tip->network.name) continue;
    return keep(fail(ExitCode::usage,
                     "the state folder belongs to ledger " + record.network + ", this is " +
                         std::string(tip->network.name),
                     "use a state folder for each ledger"));
  }
  for (const auto& [hash, record] : journal_.records()) {
    for (const Prepared& transaction : record.transactions) ledger_.remember(transaction);
  }
  tip_ = *tip;
  network_ = tip->network;
  tell(Notice::detail, "ledger " + std::string(tip->network.name) + " at height " +
                           decimal(std::uint64_t{tip->height}) + ": " + ledger_.trust_statement());
  return {};
}

/// At the start, not at the first link, which may come hours later.
Status AnchorEngine::check_wallet() {
  if (wallet_checked_ || settings_.collect_only) return {};
  TWINCHAIN_TRY(ledger_.ready_to_publish());
  wallet_checked_ = true;
  return {};
}

/// Anchors that were deep enough when an earlier run ended, before it could write them, and those
/// whose links came again.
Status AnchorEngine::emit_earlier() {
  for (const Hash256& hash : pending_in_order()) {
    const AnchorRecord& record = *journal_.find(hash);
    if (record.receipt.empty() || !concerns(record)) continue;
    TWINCHAIN_TRY(emit_if_still_there(hash, nullptr));
  }
  while (!again_.empty()) {
    const Hash256 hash = *again_.begin();
    // Not what the same run has taken back meanwhile: it is emitted when it is deep enough again.
    if (const AnchorRecord* const record = journal_.find_link(hash); record && record->emitted) {
      const auto links = record->links();
      const auto only = std::find_if(links.begin(), links.end(),
                                     [&hash](const auto& link) { return link.hash == hash; });
      const LinkReference link = *only;
      TWINCHAIN_TRY(emit_if_still_there(record->link.hash, &link));
    }
    again_.erase(hash);
  }
  return {};
}

Status AnchorEngine::emit_if_still_there(const Hash256& record_hash, const LinkReference* only) {
  AnchorRecord record = *journal_.find(record_hash);
  auto receipt = parse_receipt(record.receipt);
  if (!receipt) return keep(pass(receipt));
  auto holds = ledger_.still_holds(*receipt);
  if (!holds) return pass(holds);
  if (*holds) return emit(std::move(record), only);
  tell(Notice::warning, describe_anchor(record) + ": its block " +
                            to_hex_reversed(receipt->block_hash) +
                            " is not in the best chain any more");
  record.receipt.clear();
  record.emitted = false;
  return keep(journal_.put(record));
}

Status AnchorEngine::follow() {
  const std::uint64_t now = clock_.monotonic_ns();
  if (!has_pending() || now < poll_due_ns_) return {};
  auto tip = ledger_.tip();
  if (!tip) return pass(tip);
  if (tip->network.magic != network_->magic) {
    return keep(fail(ExitCode::usage, "the node has changed to another network"));
  }
  tip_ = *tip;
  if (tip->block_hash != followed_tip_ || now >= recheck_due_ns_) {
    Status first_error;
    for (const Hash256& hash : pending_in_order()) {
      auto status = advance(hash);
      if (!status && (fatal_ || status.error().code == ExitCode::peer)) return status;
      if (!status && first_error) first_error = std::move(status);
    }
    TWINCHAIN_TRY(first_error);
    followed_tip_ = tip->block_hash;
    recheck_due_ns_ = now + settings_.recheck_ns;
  }
  poll_due_ns_ = now + settings_.poll_ns;
  return {};
}

Status AnchorEngine::advance(const Hash256& link_hash) {
  const AnchorRecord record = *journal_.find(link_hash);
  if (!record.receipt.empty()) return {};
  Watch& watch = watches_[link_hash];
  bool in_mempool = false;
  bool conflicted = true;
  for (auto at = record.transactions.rbegin(); at != record.transactions.rend(); ++at) {
    auto status = ledger_.status(at->txid);
    if (!status) return pass(status);
    if (status->place == TransactionPlace::block) {
      watch = Watch{*status, at->txid, std::nullopt, std::nullopt};
      if (status->depth < settings_.depth) return {};
      return mature(record, at->txid);
    }
    in_mempool = in_mempool || status->place == TransactionPlace::mempool;
    conflicted = conflicted && status->place == TransactionPlace::conflicted;
  }
  if (watch.status.place == TransactionPlace::block) {
    tell(Notice::note, describe_anchor(record) + ": its block " +
                           to_hex_reversed(watch.status.block_hash) +
                           " is not in the best chain any more");
  }
  watch.status = {};
  if (in_mempool) {
    watch.status.place = TransactionPlace::mempool;
    watch.refused_since_height.reset();
    return raise_stuck(record);
  }
  watch.mempool_since_height.reset();
  return conflicted ? replace(record) : send_again(record);
}

Status AnchorEngine::send_again(AnchorRecord record) {
  bool fee_too_low = false;
  const Prepared& newest = record.transactions.back();
  auto sent = ledger_.broadcast(newest, &fee_too_low);
  if (sent) {
    tell(Notice::note,
         describe_anchor(record) + ": sent transaction " + to_hex_reversed(newest.txid) + " again");
    watches_[record.link.hash].refused_since_height.reset();
    return {};
  }
  if (fee_too_low) return bump(std::move(record));
  if (sent.error().code != ExitCode::refuted) return sent;
  auto& since = watches_[record.link.hash].refused_since_height;
  if (!since) since = tip_->height;
  if (distance(tip_->height, *since) >= blocks_until_given_up) return replace(record);
  return sent;
}

/// Until the node takes it. Each replacement is written down before it is sent.
Status AnchorEngine::bump(AnchorRecord record) {
  while (record.transactions.size() < max_transactions_per_anchor) {
    auto higher = ledger_.bump_fee(record.transactions.back());
    if (!higher) return pass(higher);
    record.transactions.push_back(std::move(*higher));
    TWINCHAIN_TRY(keep(journal_.put(record)));
    const Prepared& newest = record.transactions.back();
    bool fee_too_low = false;
    auto sent = ledger_.broadcast(newest, &fee_too_low);
    if (sent) {
      tell(Notice::note, describe_anchor(record) + ": raised the fee to " +
                             decimal(newest.fee_sat) + " sat in transaction " +
                             to_hex_reversed(newest.txid));
      return {};
    }
    if (!fee_too_low) {
      if (sent.error().code == ExitCode::peer) return sent;
      // It was never in the ledger. (Litecoin's nodes replace nothing unless told to.)
      record.transactions.pop_back();
      TWINCHAIN_TRY(keep(journal_.put(record)));
      return sent;
    }
  }
  return fail(ExitCode::refuted,
              describe_anchor(record) + ": the fee is too low after " +
                  decimal(std::uint64_t{record.transactions.size()}) + " transactions",
              "give a higher --fee-rate");
}

Status AnchorEngine::raise_stuck(const AnchorRecord& record) {
  auto& since = watches_[record.link.hash].mempool_since_height;
  if (!since) since = tip_->height;
  if (tip_->height < *since || tip_->height - *since < settings_.stuck_blocks ||
      record.transactions.size() >= max_transactions_per_anchor) {
    return {};
  }
  since = tip_->height;  // whatever comes of it, not again before as many blocks more
  auto raised = bump(record);
  if (!raised && !fatal_ && raised.error().code != ExitCode::peer) {
    tell(Notice::detail,
         describe_anchor(record) + ": cannot raise the fee: " + raised.error().message);
    return {};
  }
  return raised;
}

Status AnchorEngine::replace(const AnchorRecord& record) {
  tell(Notice::warning, describe_anchor(record) + ": transaction " +
                            to_hex_reversed(record.transactions.back().txid) +
                            " cannot get into the ledger any more; publishing anew");
  for (const Prepared& transaction : record.transactions) ledger_.abandon(transaction);
  TWINCHAIN_TRY(keep(journal_.remove(record.link.hash)));
  watches_.erase(record.link.hash);
  bool unpublished = false;
  for (const LinkReference& link : record.links()) {
    const auto [at, is_new] = chains_.try_emplace(ChainKey{link.header.source, link.record});
    if (is_new) at->second = Chain{link, std::nullopt, false};
    unpublished = unpublished || !is_published(at->second);
  }
  if (unpublished) {
    // Not at once while links come: the newest one is to be published, and may not be known yet.
    batch_due_ns_ =
        std::min(batch_due_ns_, clock_.monotonic_ns() + (input_ended_ ? 0 : settings_.every_ns));
  }
  return {};
}

Status AnchorEngine::mature(AnchorRecord record, const Hash256& txid) {
  auto receipt = ledger_.receipt(txid, anchor_payload(record.link.hash));
  if (!receipt) return pass(receipt);
  record.receipt = encode_receipt(*receipt);
  TWINCHAIN_TRY(keep(journal_.put(record)));
  watches_.erase(record.link.hash);
  if (!concerns(record)) return {};
  return emit(std::move(record));
}

Status AnchorEngine::emit(AnchorRecord record, const LinkReference* only) {
  TWINCHAIN_TRY(emit_receipts(record, only));
  if (record.emitted) return {};
  record.emitted = true;
  TWINCHAIN_TRY(keep(journal_.put(record)));
  return keep(journal_.prune(record.link.header.source));
}

/// Of a fleet, each link's own: the receipt of the whole with the link's place in it.
Status AnchorEngine::emit_receipts(const AnchorRecord& record, const LinkReference* only) {
  if (record.fleet.empty()) {
    ++emitted_;
    return keep(output_.emit(record.link, record.receipt));
  }
  auto receipt = parse_receipt(record.receipt);
  if (!receipt) return keep(pass(receipt));
  const FleetTree tree(record.fleet);
  for (std::size_t i = 0; i < record.fleet.size(); ++i) {
    const LinkReference& link = record.fleet[i];
    if (only != nullptr ? link.hash != only->hash : !sources_.contains(link.header.source))
      continue;
    receipt->link_hash = link.hash;
    receipt->fleet_index = i;
    receipt->fleet_size = record.fleet.size();
    receipt->fleet_path = tree.path(i);
    TWINCHAIN_TRY(keep(output_.emit(link, encode_receipt(*receipt))));
    ++emitted_;
  }
  return {};
}

Status AnchorEngine::publish_due() {
  if (clock_.monotonic_ns() < batch_due_ns_) return {};
  bool postponed = false;
  std::vector<LinkReference> due;
  for (auto& [key, chain] : chains_) {
    if (is_published(chain)) continue;
    bool covered = false;
    TWINCHAIN_TRY(is_covered(chain, &covered));
    if (covered) continue;
    if (pending_of(key) >= settings_.max_pending_per_chain) {
      postponed = true;
      continue;
    }
    due.push_back(chain.newest);
    if (settings_.fleet && due.size() < max_fleet_size) continue;
    TWINCHAIN_TRY(publish(std::move(due)));
    due = {};
  }
  if (!due.empty()) TWINCHAIN_TRY(publish(std::move(due)));
  batch_due_ns_ = never;
  if (postponed) {
    tell(Notice::detail, "many anchors wait for their depth: the next one waits too");
    batch_due_ns_ =
        clock_.monotonic_ns() +
        std::max(input_ended_ ? settings_.poll_ns : settings_.every_ns, settings_.poll_ns);
  }
  return {};
}

Status AnchorEngine::is_covered(Chain& chain, bool* covered) {
  *covered = false;
  if (!chain.cover || chain.cover->network_magic != network_->magic) return {};
  auto holds = ledger_.still_holds(*chain.cover);
  if (!holds) return pass(holds);
  if (*holds) {
    chain.covered = *covered = true;
    tell(Notice::detail, describe_link(chain.newest) + " has an anchor in the input already");
  } else {
    chain.cover.reset();
  }
  return {};
}

/// One link alone, or several as a fleet.
Status AnchorEngine::publish(std::vector<LinkReference> links) {
  AnchorRecord record;
  if (links.size() == 1) {
    record.link = links.front();
  } else {
    record.link.hash = hash_of_fleet(links);
    record.link.header.type = FrameType::link;
    record.fleet = std::move(links);
  }
  auto prepared = ledger_.prepare(anchor_payload(record.link.hash));
  if (!prepared) return pass(prepared);
  record.network = network_->name;
  record.order = journal_.next_order();
  record.transactions.push_back(std::move(*prepared));
  TWINCHAIN_TRY(keep(journal_.put(record)));
  bool fee_too_low = false;
  auto sent = ledger_.broadcast(record.transactions.back(), &fee_too_low);
  if (!sent && fee_too_low) sent = bump(record);
  if (fatal_) return sent;
  if (!sent && sent.error().code != ExitCode::peer) {
    // It was never in the ledger: nothing to follow, and the next try makes another.
    if (const AnchorRecord* kept = journal_.find(record.link.hash)) {
      for (const Prepared& transaction : kept->transactions) ledger_.abandon(transaction);
    }
    TWINCHAIN_TRY(keep(journal_.remove(record.link.hash)));
    return sent;
  }
  if (!sent) return sent;  // perhaps it arrived: followed as if
  tell(Notice::detail, describe_anchor(record) + " sent in transaction " +
                           to_hex_reversed(record.transactions.back().txid));
  poll_due_ns_ = clock_.monotonic_ns();
  return advance(record.link.hash);
}

}  // namespace twinchain::ledger
