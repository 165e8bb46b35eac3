// FramePayer: finding out where the payments are.

#include <algorithm>

#include "twinchain/base/hex.hpp"
#include "twinchain/net/frame_payer.hpp"

namespace twinchain::net {
namespace {

/// Refusals in a row after which the coins of a payment are asked for.
constexpr int doubt_after_refusals = 4;

}  // namespace

void FramePayer::begin_search(bool resend, std::int64_t now_ns) {
  look_again_ns_ = now_ns + options_.look_every_ns;
  // Only those that were sent can be there, but for a new link.
  std::size_t count = state_.payments().size();
  if (!resend) {
    const auto first_open = std::ranges::find(accepted_, false);
    count = static_cast<std::size_t>(first_open - accepted_.begin());
  }
  if (count == 0) {
    if (resend) next_to_send_ = 0;
    return;
  }
  search_ = Search{};
  search_->wanted = Place::pool;
  search_->high = count;
  search_->count = count;
  search_->asked = count - 1;  // most often all of them are known
  search_->resend = resend;
  search_asked_ = false;
}

Status FramePayer::take_found(const FoundTransaction& found) {
  if (coin_question_ && coin_question_asked_ && found.txid == coin_question_->left.back()) {
    return answer_coin_question(found);
  }
  if (!search_ || !search_asked_ || found.txid != state_.payments()[search_->asked].txid) return {};
  Place place = Place::unknown;
  if (found.place == FoundTransaction::Place::pool) place = Place::pool;
  if (found.place == FoundTransaction::Place::block) {
    const std::uint64_t top = std::uint64_t{found.height} + options_.depth;
    place = top <= std::uint64_t{found.tip_height} + 1 ? Place::deep : Place::block;
  }
  search_asked_ = false;
  return advance_search(place, found);
}

Status FramePayer::advance_search(Place place, const FoundTransaction& found) {
  Search& search = *search_;
  if (place >= search.wanted) {
    search.low = search.asked + 1;
    if (search.wanted == Place::deep) search.height = found.height;
  } else {
    search.high = search.asked;
  }
  if (search.low == search.high && search.wanted == Place::pool) {
    search.known = search.low;
    search.wanted = Place::deep;
    search.low = 0;
    search.high = search.known;
    search.asked = search.high - 1;
    if (search.high > 0) return {};
  }
  if (search.low == search.high) return finish_search();
  search.asked = search.low + (search.high - search.low) / 2;
  return {};
}

Status FramePayer::finish_search() {
  const Search search = *search_;
  search_.reset();
  const std::size_t deep = search.low;
  const std::size_t known = search.known;
  for (std::size_t i = 0; i < known; ++i) set_accepted(i, true);
  if (search.resend || known < search.count) resend_from(known);
  const bool stuck = search.resend && attempts_ > doubt_after_refusals;
  if (stuck && known < state_.payments().size()) TWINCHAIN_TRY(doubt_coins_of(known));
  if (deep == 0 || deep > state_.payments().size()) return {};
  accepted_.erase(accepted_.begin(), accepted_.begin() + static_cast<std::ptrdiff_t>(deep));
  next_to_send_ -= std::min(next_to_send_, deep);
  if (coin_question_) coin_question_->payment -= deep;
  counts_.buried += deep;
  return state_.bury(deep, search.height);
}

/// All payments before it are known to the node, and yet it lacks something.
Status FramePayer::doubt_coins_of(std::size_t payment) {
  CoinQuestion question;
  question.payment = payment;
  for (const bitcoin::OutPoint& input : state_.payments()[payment].inputs) {
    if (!position_of(input.txid)) question.left.push_back(input.txid);
  }
  if (question.left.empty()) return give_up_coins_of(payment);
  coin_question_ = std::move(question);
  coin_question_asked_ = false;
  return {};
}

Status FramePayer::give_up_coins_of(std::size_t payment) {
  warn_("somebody else has spent a coin of transaction " +
        to_hex_reversed(state_.payments()[payment].txid) +
        ": its frames go into another transaction");
  return abandon_from(payment);
}

Status FramePayer::answer_coin_question(const FoundTransaction& found) {
  coin_question_asked_ = false;
  if (found.place == FoundTransaction::Place::unknown) {
    coin_question_.reset();  // the node is behind, or its pool was lost: later
    return {};
  }
  coin_question_->left.pop_back();
  if (!coin_question_->left.empty()) return {};
  return give_up_coins_of(coin_question_->payment);
}

}  // namespace twinchain::net
