// Puts frames into chained data transactions and follows them until they are deep in the chain.
// Floor 6.
//
// A state machine without sockets: the program gives it frames, messages of the node and the time,
// and takes messages for the node. Frames are gathered up to a size or a time, become a payment
// that is durable in the state, and only then are sent. At most a window of payments is on its way;
// while it is full no frames are wanted (backpressure).
//
// What a node answers:
//   accepted, known     done, until it is asked again
//   incomplete          the node lacks something before it: the payments are looked for
//                       (FindTransaction), and sent again from the first one that it does not have
//   too long a chain, full pool, ...   again later, from that one on
//   a coin is spent     (a conflict, again and again; or the node has the coin's transaction and
//                       yet not the coin): from that payment on they are abandoned, and their
//                       frames go into new payments with other coins
//   fee too low, invalid               an error, after they were abandoned likewise
//
// At the start, after a new link and once a minute the payments are looked for: those that are deep
// enough are forgotten, those that nobody knows (a pool was lost) are sent again. Along the chain
// the answers go from "deep" over "in a block" and "in the pool" to "unknown", so that two binary
// searches find them all.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "twinchain/net/payer_state.hpp"
#include "twinchain/net/wire.hpp"

namespace twinchain::net {

struct PayerOptions {
  std::size_t batch_bytes = std::size_t{1} << 20;
  bool each = false;  ///< one frame a transaction
  std::int64_t every_ns = 1'000'000'000;
  std::int64_t rate_sat = 0;  ///< satoshi per 1000 bytes; the network's when that is more
  std::uint32_t depth = 6;    ///< blocks, from its own on, that make a payment safe
  std::uint64_t window_bytes = std::uint64_t{64} << 20;
  std::size_t window_payments = 1'000;
  /// What the time is when the program starts, in seconds since 1970: for the lock time of a new
  /// chain, so that it is later than any before although the state was lost.
  std::uint32_t start_time_s = 0;
  std::int64_t look_every_ns = 60'000'000'000;
};

struct PayerCounts {
  std::uint64_t frames = 0;      ///< taken, and not left out
  std::uint64_t duplicates = 0;  ///< left out: they were taken before
  std::uint64_t payments = 0;
  std::uint64_t accepted = 0;   ///< answers, of some payments more than one
  std::uint64_t buried = 0;     ///< payments that are deep enough
  std::uint64_t abandoned = 0;  ///< payments whose coin was gone
};

/// Not thread-safe. After an error it is of no more use; what was taken is in the state or, if it
/// was not yet in a payment, comes again from upstream.
class FramePayer {
 public:
  FramePayer(const ChainParameters& parameters, const EcdsaSecretKey& key, PayerState& state,
             const PayerOptions& options, std::function<void(const std::string&)> warn);

  /// False while the window is full.
  [[nodiscard]] bool wants_frames() const;
  /// ExitCode::usage for a frame that fits in no transaction of this network.
  Status take(const FrameHeader& header, ByteView body, std::int64_t now_ns);
  /// What was gathered becomes a payment as soon as there is a coin.
  void flush();
  /// Time that passes. Of any clock that does not go back.
  Status tick(std::int64_t now_ns);
  /// A link to a node is there, or is gone.
  void connected(std::int64_t now_ns);
  void disconnected();
  /// Answers that nobody waits for are ignored. ExitCode::usage (fee too low, no coin at all),
  /// refuted (invalid), malformed (the node does not keep to the protocol), system.
  Status receive(const Message& message, std::int64_t now_ns);
  /// What is to be sent now; what it tells of is durable.
  Result<std::vector<Message>> take_messages(std::int64_t now_ns);

  /// Something was asked or submitted on this link and is not answered.
  [[nodiscard]] bool waits_for_answer() const;
  /// Nothing gathered, and the node has every payment.
  [[nodiscard]] bool settled() const;
  /// And every payment is deep enough.
  [[nodiscard]] bool buried() const { return settled() && state_.payments().empty(); }
  /// Of the frames that take() was given, so many of the first need not come again: they are in
  /// durable payments. Makes durable what can be.
  Result<std::uint64_t> durable_frames();
  /// Looks for the payments now, and not only when a minute is over.
  void look(std::int64_t now_ns);
  [[nodiscard]] const PayerCounts& counts() const { return counts_; }
  /// Bytes of payments that the node has not taken yet.
  [[nodiscard]] std::uint64_t unanswered_bytes() const { return unaccepted_bytes_; }

 private:
  struct Batch {
    std::vector<Bytes> frames;
    std::vector<Id128> ids;
    std::uint64_t size_bytes = 0;
    std::uint64_t first = 0;  ///< number of its first frame among those that take() was given
  };
  struct Sent {
    Hash256 txid{};
    std::uint64_t round = 0;
  };
  enum class Place : std::uint8_t { unknown, pool, block, deep };
  /// Two binary searches: payments before `low` have the place or a better one, from `high` on not.
  struct Search {
    Place wanted = Place::deep;
    std::size_t low = 0;
    std::size_t high = 0;
    std::size_t asked = 0;
    std::size_t count = 0;     ///< of payments that are looked for
    std::size_t known = 0;     ///< of the search before: so many are somewhere
    std::uint32_t height = 0;  ///< of the newest deep one
    bool resend = false;
  };
  /// Whether the coins of a payment that is refused as incomplete exist at all.
  struct CoinQuestion {
    std::size_t payment = 0;
    std::vector<Hash256> left;
  };

  [[nodiscard]] std::size_t largest_batch() const;
  Status make_payments(std::int64_t now_ns);
  Result<bool> pay(const std::vector<Bytes>& frames, const std::vector<Id128>& ids, bool replaces,
                   std::int64_t now_ns);
  Result<bool> replace_abandoned(std::int64_t now_ns);
  void want_coins(std::int64_t now_ns);
  Status take_coins(const Coins& coins, std::int64_t now_ns);
  Status take_verdict(const TransactionVerdict& verdict, std::int64_t now_ns);
  Status take_refusal(std::size_t payment, const TransactionVerdict& verdict, std::int64_t now_ns);
  Status take_found(const FoundTransaction& found);
  Status advance_search(Place place, const FoundTransaction& found);
  Status finish_search();
  Status doubt_coins_of(std::size_t payment);
  Status give_up_coins_of(std::size_t payment);
  Status answer_coin_question(const FoundTransaction& found);
  void begin_search(bool resend, std::int64_t now_ns);
  void resend_from(std::size_t payment);
  Status abandon_from(std::size_t payment);
  void set_accepted(std::size_t payment, bool accepted);
  void wait(std::int64_t now_ns);
  void warn_now_and_then(const std::string& message, std::int64_t now_ns);
  [[nodiscard]] std::optional<std::size_t> position_of(const Hash256& txid) const;
  Status submit(std::vector<Message>& messages);

  ChainParameters parameters_;
  EcdsaSecretKey key_;
  PayerState& state_;
  PayerOptions options_;
  std::function<void(const std::string&)> warn_;
  Bytes script_;
  PayerCounts counts_;

  std::uint64_t given_ = 0;  ///< frames, to take()
  Batch gathered_;
  std::int64_t gathered_since_ns_ = 0;
  std::deque<Batch> ready_;
  std::unordered_set<Id128, FrameIdHasher> in_hand_;  ///< gathered or ready
  std::uint64_t ready_bytes_ = 0;

  std::vector<PayerCoin> funding_;  ///< what the next payment spends; empty: the node is asked
  bool new_chain_ = true;           ///< `funding_` does not begin with the newest change
  bool coins_needed_ = false;
  bool coins_asked_ = false;
  std::int64_t coins_again_ns_ = 0;
  std::int64_t missing_sat_ = 0;

  bool connected_ = false;
  std::deque<bool> accepted_;  ///< of each payment of the state
  std::uint64_t unaccepted_bytes_ = 0;
  std::size_t unaccepted_ = 0;
  std::size_t next_to_send_ = 0;  ///< payments from here on have not been sent on this link
  std::uint64_t round_ = 0;       ///< changes when payments are sent again
  std::deque<Sent> sent_;         ///< without an answer, in order
  std::optional<Search> search_;
  bool search_asked_ = false;
  std::optional<CoinQuestion> coin_question_;
  bool coin_question_asked_ = false;
  std::int64_t look_again_ns_ = 0;
  int attempts_ = 0;  ///< refusals in a row
  std::int64_t wait_until_ns_ = 0;
  std::int64_t warned_ns_ = 0;
  std::string warned_;
};

}  // namespace twinchain::net
