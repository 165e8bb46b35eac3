#include "twinchain/net/frame_payer.hpp"

#include <algorithm>

#include "twinchain/base/hex.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/net/mempool.hpp"

namespace twinchain::net {
namespace {

constexpr std::int64_t payer_second_ns = 1'000'000'000;
constexpr std::int64_t coins_again_after_ns = 10 * payer_second_ns;
constexpr std::int64_t warn_again_after_ns = 60 * payer_second_ns;
constexpr int longest_wait_exponent = 5;  // 32 s
/// Refusals in a row after which a coin that somebody else spends is given up.
constexpr int patience_refusals = 4;
constexpr std::size_t max_submitted_together = 1'000;

std::string shown(const Hash256& txid) {
  return "transaction " + to_hex_reversed(txid);
}

}  // namespace

FramePayer::FramePayer(const ChainParameters& parameters, const EcdsaSecretKey& key,
                       PayerState& state, const PayerOptions& options,
                       std::function<void(const std::string&)> warn)
    : parameters_(parameters),
      key_(key),
      state_(state),
      options_(options),
      warn_(std::move(warn)),
      script_(pay_to_key_hash_script(key.public_key())),
      accepted_(state.payments().size(), false) {
  // After abandoning, the node says whether that coin is still there.
  if (const auto tip = state_.tip(); tip && state_.abandoned().empty()) {
    funding_ = {*tip};
    new_chain_ = false;
  }
  for (const Payment& payment : state_.payments()) unaccepted_bytes_ += payment.size_bytes;
  unaccepted_ = state_.payments().size();
}

std::size_t FramePayer::largest_batch() const {
  const std::size_t limit = parameters_.transaction_limit_bytes;
  return limit > payment_overhead_bytes ? limit - payment_overhead_bytes : 0;
}

bool FramePayer::wants_frames() const {
  const std::uint64_t held = ready_bytes_ + gathered_.size_bytes + unaccepted_bytes_;
  return state_.abandoned().empty() && held < options_.window_bytes &&
         unaccepted_ + ready_.size() < options_.window_payments;
}

Status FramePayer::take(const FrameHeader& header, ByteView body, std::int64_t now_ns) {
  const FrameHeaderBytes head = encode_frame_header(header);
  Bytes whole(head.begin(), head.end());
  append(whole, body);
  const std::size_t cost = whole.size() + data_output_overhead_bytes;
  if (cost > largest_batch()) {
    return fail(ExitCode::usage,
                frame_type_name(header.type) + " frame " + decimal(header.sequence) + " of " +
                    decimal(std::uint64_t{whole.size()}) +
                    " bytes does not fit in a transaction of this network",
                "record with shorter windows");
  }
  const Id128 id = frame_id(whole);
  const std::uint64_t number = given_++;
  if (in_hand_.contains(id) || state_.knows(id)) {
    ++counts_.duplicates;
    return {};
  }
  const std::size_t batch_bytes = std::min(options_.batch_bytes, largest_batch());
  if (!gathered_.frames.empty() && gathered_.size_bytes + cost > batch_bytes) flush();
  if (gathered_.frames.empty()) {
    gathered_since_ns_ = now_ns;
    gathered_.first = number;
  }
  gathered_.frames.push_back(std::move(whole));
  gathered_.ids.push_back(id);
  in_hand_.insert(id);
  gathered_.size_bytes += cost;
  ++counts_.frames;
  if (options_.each || gathered_.size_bytes >= batch_bytes) flush();
  return make_payments(now_ns);
}

void FramePayer::flush() {
  if (gathered_.frames.empty()) return;
  ready_bytes_ += gathered_.size_bytes;
  ready_.push_back(std::move(gathered_));
  gathered_ = {};
}

Status FramePayer::tick(std::int64_t now_ns) {
  if (!gathered_.frames.empty() && now_ns - gathered_since_ns_ >= options_.every_ns) flush();
  if (connected_ && !search_ && now_ns >= look_again_ns_) begin_search(false, now_ns);
  return make_payments(now_ns);
}

void FramePayer::connected(std::int64_t now_ns) {
  disconnected();
  connected_ = true;
  wait_until_ns_ = 0;
  attempts_ = 0;
  coins_again_ns_ = 0;
  begin_search(true, now_ns);
}

void FramePayer::disconnected() {
  connected_ = false;
  sent_.clear();
  ++round_;
  search_.reset();
  coin_question_.reset();
  coins_asked_ = false;
  // What this node has another one may lack: nothing is sent before that is known.
  next_to_send_ = state_.payments().size();
  for (std::size_t i = 0; i < accepted_.size(); ++i) set_accepted(i, false);
}

Result<std::uint64_t> FramePayer::durable_frames() {
  TWINCHAIN_TRY(state_.sync());
  if (!ready_.empty()) return ready_.front().first;
  return gathered_.frames.empty() ? given_ : gathered_.first;
}

void FramePayer::look(std::int64_t now_ns) {
  if (connected_ && !search_) begin_search(false, now_ns);
}

void FramePayer::set_accepted(std::size_t payment, bool accepted) {
  if (accepted_[payment] == accepted) return;
  accepted_[payment] = accepted;
  const std::uint64_t size = state_.payments()[payment].size_bytes;
  if (accepted) {
    unaccepted_bytes_ -= size;
    --unaccepted_;
  } else {
    unaccepted_bytes_ += size;
    ++unaccepted_;
  }
}

bool FramePayer::waits_for_answer() const {
  return connected_ && (!sent_.empty() || coins_asked_ || (search_ && search_asked_) ||
                        (coin_question_ && coin_question_asked_));
}

bool FramePayer::settled() const {
  return gathered_.frames.empty() && ready_.empty() && state_.abandoned().empty() &&
         unaccepted_ == 0;
}

void FramePayer::wait(std::int64_t now_ns) {
  wait_until_ns_ = now_ns + (payer_second_ns << std::min(attempts_, longest_wait_exponent));
  ++attempts_;
}

void FramePayer::warn_now_and_then(const std::string& message, std::int64_t now_ns) {
  if (message == warned_ && now_ns - warned_ns_ < warn_again_after_ns) return;
  warned_ = message;
  warned_ns_ = now_ns;
  warn_(message);
}

std::optional<std::size_t> FramePayer::position_of(const Hash256& txid) const {
  const auto& payments = state_.payments();
  const auto found =
      std::ranges::find_if(payments, [&](const Payment& payment) { return payment.txid == txid; });
  if (found == payments.end()) return std::nullopt;
  return static_cast<std::size_t>(found - payments.begin());
}

// --- Making payments

Status FramePayer::make_payments(std::int64_t now_ns) {
  while (!state_.abandoned().empty()) {
    auto made = replace_abandoned(now_ns);
    if (!made) return pass(made);
    if (!*made) return {};
  }
  while (!ready_.empty()) {
    const Batch& batch = ready_.front();
    auto made = pay(batch.frames, batch.ids, false, now_ns);
    if (!made) return pass(made);
    if (!*made) return {};
    ready_bytes_ -= batch.size_bytes;
    for (const Id128& id : batch.ids) in_hand_.erase(id);
    ready_.pop_front();
  }
  return {};
}

Result<bool> FramePayer::replace_abandoned(std::int64_t now_ns) {
  if (unaccepted_bytes_ >= options_.window_bytes || unaccepted_ >= options_.window_payments) {
    return false;
  }
  const Payment& old = state_.abandoned().front();
  auto raw = state_.read(old);
  if (!raw) return pass(raw);
  auto parsed = bitcoin::parse_transaction(*raw, bitcoin::TxEncoding::no_witness, raw->size());
  if (!parsed) return pass(parsed);
  std::vector<Bytes> frames;
  for (const CarriedFrame& frame : frames_of(parameters_, *parsed).frames) {
    frames.emplace_back(frame.whole.begin(), frame.whole.end());
  }
  return pay(frames, old.frames, true, now_ns);
}

/// False when there is no coin for it yet.
Result<bool> FramePayer::pay(const std::vector<Bytes>& frames, const std::vector<Id128>& ids,
                             bool replaces, std::int64_t now_ns) {
  missing_sat_ = 1;
  std::optional<TransactionPtr> made;
  if (!funding_.empty()) {
    const std::uint32_t before_s = state_.chain_time_s();
    made = make_data_transaction(
        parameters_, key_, funding_, frames, options_.rate_sat,
        new_chain_ ? std::max(before_s + 1, options_.start_time_s) : before_s, &missing_sat_);
  }
  if (!made) {
    want_coins(now_ns);
    return false;
  }
  TWINCHAIN_TRY(state_.add(**made, ids, replaces));
  accepted_.push_back(false);
  unaccepted_bytes_ += (*made)->size_bytes;
  ++unaccepted_;
  funding_ = {state_.payments().back().change()};
  new_chain_ = false;
  coins_needed_ = false;
  ++counts_.payments;
  return true;
}

void FramePayer::want_coins(std::int64_t now_ns) {
  if (coins_needed_) return;
  coins_needed_ = true;
  coins_again_ns_ = std::max(coins_again_ns_, now_ns);
}

/// The newest change first, so that the chain of payments goes on, then the largest coins.
Status FramePayer::take_coins(const Coins& coins, std::int64_t now_ns) {
  coins_asked_ = false;
  if (!coins_needed_) return {};
  std::unordered_set<bitcoin::OutPoint, SaltedHasher> ours;
  for (const Payment& payment : state_.payments()) {
    ours.insert(payment.inputs.begin(), payment.inputs.end());
  }
  std::vector<PayerCoin> offered;
  bool tip_is_there = false;
  const auto tip = state_.tip();
  for (const WireCoin& coin : coins.coins) {
    if (!bitcoin::is_money(coin.value_sat) || coin.value_sat == 0 || ours.contains(coin.outpoint)) {
      continue;
    }
    if (tip && coin.outpoint == tip->outpoint) {
      tip_is_there = true;
    } else {
      offered.push_back({coin.outpoint, coin.value_sat});
    }
  }
  std::ranges::stable_sort(offered, std::greater<>(), &PayerCoin::value_sat);
  // A tip that is not sent yet is good although the node does not know of it.
  const bool keep = tip && (tip_is_there || !funding_.empty());
  std::int64_t before_sat = 0;
  for (const PayerCoin& coin : funding_) before_sat += coin.value_sat;
  funding_.clear();
  if (keep) funding_.push_back(*tip);
  new_chain_ = !keep;
  std::int64_t sum_sat = keep ? tip->value_sat : 0;
  // More inputs cost a fee, too.
  const std::int64_t rate_sat = std::max(options_.rate_sat, parameters_.min_fee_rate_sat);
  const std::int64_t wanted_sat =
      before_sat + missing_sat_ + fee_sat(rate_sat, payment_overhead_bytes);
  for (const PayerCoin& coin : offered) {
    if (funding_.size() >= max_payment_inputs || (!funding_.empty() && sum_sat >= wanted_sat)) {
      break;
    }
    if (!bitcoin::is_money(sum_sat + coin.value_sat)) break;
    funding_.push_back(coin);
    sum_sat += coin.value_sat;
  }
  if (funding_.empty() && !tip) {
    return fail(ExitCode::usage, "the node knows no coin of the key " + to_hex(key_.public_key()),
                "give it coins: mnode genesis --fund, or a payment by who has some");
  }
  if (funding_.empty() || sum_sat < wanted_sat) {
    warn_now_and_then("the coins of the key do not pay for the next transaction: " +
                          decimal(std::max<std::int64_t>(wanted_sat - sum_sat, 1)) +
                          " satoshi are missing, waiting for more",
                      now_ns);
    coins_again_ns_ = now_ns + coins_again_after_ns;
    return {};
  }
  coins_needed_ = false;
  return make_payments(now_ns);
}

// --- Sending

Result<std::vector<Message>> FramePayer::take_messages(std::int64_t now_ns) {
  std::vector<Message> messages;
  if (!connected_) return messages;
  if (coin_question_) {
    if (!coin_question_asked_) {
      coin_question_asked_ = true;
      messages.emplace_back(FindTransaction{coin_question_->left.back(), 0});
    }
    return messages;
  }
  if (search_) {
    if (!search_asked_) {
      search_asked_ = true;
      messages.emplace_back(
          FindTransaction{state_.payments()[search_->asked].txid, state_.first_height()});
    }
    if (search_->resend) return messages;
  }
  if (coins_needed_ && !coins_asked_ && now_ns >= coins_again_ns_) {
    coins_asked_ = true;
    messages.emplace_back(GetCoins{script_});
  }
  if (now_ns < wait_until_ns_ || next_to_send_ >= state_.payments().size()) return messages;
  TWINCHAIN_TRY(state_.sync());
  TWINCHAIN_TRY(submit(messages));
  return messages;
}

Status FramePayer::submit(std::vector<Message>& messages) {
  std::uint64_t on_the_way = 0;
  for (std::size_t i = 0; i < next_to_send_; ++i) {
    if (!accepted_[i]) on_the_way += state_.payments()[i].size_bytes;
  }
  Submit together;
  std::uint64_t together_bytes = 0;
  const auto close = [&] {
    if (!together.transactions.empty()) messages.emplace_back(std::move(together));
    together = {};
    together_bytes = 0;
  };
  while (next_to_send_ < state_.payments().size() && sent_.size() < options_.window_payments &&
         (on_the_way < options_.window_bytes || sent_.empty())) {
    const Payment& payment = state_.payments()[next_to_send_];
    auto raw = state_.read(payment);
    if (!raw) return pass(raw);
    if (together_bytes + raw->size() > transactions_message_bytes ||
        together.transactions.size() >= max_submitted_together) {
      close();
    }
    together_bytes += raw->size();
    on_the_way += raw->size();
    together.transactions.push_back(std::move(*raw));
    sent_.push_back({payment.txid, round_});
    ++next_to_send_;
  }
  close();
  return {};
}

void FramePayer::resend_from(std::size_t payment) {
  ++round_;
  next_to_send_ = std::min(next_to_send_, payment);
  for (std::size_t i = payment; i < accepted_.size(); ++i) set_accepted(i, false);
}

Status FramePayer::abandon_from(std::size_t payment) {
  ++round_;
  for (std::size_t i = payment; i < accepted_.size(); ++i) {
    set_accepted(i, true);  // so that they are not counted any more
    ++counts_.abandoned;
  }
  accepted_.resize(payment);
  next_to_send_ = std::min(next_to_send_, payment);
  funding_.clear();
  coins_needed_ = false;
  coins_again_ns_ = 0;
  attempts_ = 0;
  wait_until_ns_ = 0;
  search_.reset();
  coin_question_.reset();
  return state_.abandon_from(payment);
}

// --- What the node says

Status FramePayer::receive(const Message& message, std::int64_t now_ns) {
  if (!connected_) return {};
  if (const auto* verdicts = std::get_if<Verdicts>(&message)) {
    for (const TransactionVerdict& verdict : verdicts->verdicts) {
      TWINCHAIN_TRY(take_verdict(verdict, now_ns));
    }
  } else if (const auto* coins = std::get_if<Coins>(&message)) {
    if (coins_asked_) return take_coins(*coins, now_ns);
  } else if (const auto* found = std::get_if<FoundTransaction>(&message)) {
    return take_found(*found);
  }
  return {};
}

Status FramePayer::take_verdict(const TransactionVerdict& verdict, std::int64_t now_ns) {
  if (sent_.empty() || sent_.front().txid != verdict.txid) {
    return fail(ExitCode::malformed, "the node answers what was not asked: " + shown(verdict.txid));
  }
  const Sent sent = sent_.front();
  sent_.pop_front();
  const auto payment = position_of(verdict.txid);
  if (!payment) return {};  // buried or abandoned meanwhile
  if (verdict.outcome == Outcome::accepted || verdict.outcome == Outcome::known) {
    ++counts_.accepted;
    attempts_ = 0;
    set_accepted(*payment, true);
    return {};
  }
  // Of an earlier round: it has been, or will be, sent again.
  if (sent.round != round_) return {};
  return take_refusal(*payment, verdict, now_ns);
}

Status FramePayer::take_refusal(std::size_t payment, const TransactionVerdict& verdict,
                                std::int64_t now_ns) {
  const std::string reason = escape(verdict.reason, 200);
  const std::string what =
      "the node refuses " + shown(verdict.txid) + (reason.empty() ? "" : ": ") + reason;
  const bool waits_for_parent =
      verdict.outcome == Outcome::incomplete || verdict.reason == "bad-txns-inputs-missingorspent";
  if (waits_for_parent) {
    // The first time it is most often one that the node has lost, and helped at once.
    if (attempts_ > 0) {
      warn_now_and_then(what + ", trying again", now_ns);
      wait(now_ns);
    } else {
      attempts_ = 1;
    }
    ++round_;
    begin_search(true, now_ns);
    return {};
  }
  if (verdict.outcome != Outcome::refused) {
    TWINCHAIN_TRY(abandon_from(payment));
    return fail(ExitCode::refuted, what);
  }
  if (verdict.reason.find("fee") != std::string::npos) {
    TWINCHAIN_TRY(abandon_from(payment));
    return fail(ExitCode::usage, what, "start again with a higher --fee-rate");
  }
  const bool conflict = verdict.reason == "txn-mempool-conflict";
  if (conflict && attempts_ >= patience_refusals) {
    warn_(what + ": its frames go into another one; does somebody else use this key?");
    return abandon_from(payment);
  }
  warn_now_and_then(what + ", trying again", now_ns);
  resend_from(payment);
  wait(now_ns);
  return {};
}

}  // namespace twinchain::net
