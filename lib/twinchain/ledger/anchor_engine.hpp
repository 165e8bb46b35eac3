// Brings links into a ledger and follows them until they are deep enough. Floor 4.
//
// A state machine: nothing here waits or starts a thread. The caller tells what it read, calls
// step(), and calls again at the time that step() gives. So tests run it with a scripted ledger and
// a clock of their own.
//
// A link's transaction is made, written into the journal, and only then sent. Until its block has
// the wanted depth it is looked after:
//
//   in a block, not deep     wait; the depth is that in the present best chain
//   in the mempool           wait; for too many blocks: replace it by one with a higher fee
//   not known any more       (evicted, or its block was reorganised away) send it again
//   fee too low for the node replace it by one with a higher fee that spends the same input
//   input spent otherwise    give it up, and publish the newest link of its chain instead
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "twinchain/base/clock.hpp"
#include "twinchain/base/result.hpp"
#include "twinchain/ledger/anchor_journal.hpp"
#include "twinchain/ledger/ledger.hpp"

namespace twinchain::ledger {

struct AnchorSettings {
  /// The newest link of each chain is published this long after the first one not yet published.
  std::uint64_t every_ns = 600'000'000'000;
  std::uint32_t depth = 6;
  std::uint64_t poll_ns = 1'000'000'000;      ///< between looks at the ledger's newest block
  std::uint64_t recheck_ns = 10'000'000'000;  ///< between looks at all transactions
  std::uint32_t stuck_blocks = 12;            ///< in the mempool so long: the fee is too low
  /// Further links of a chain wait while this many of its anchors are not deep enough.
  std::size_t max_pending_per_chain = 64;
  bool collect_only = false;  ///< no links will come: the wallet needs not be ready
  /// Links that are due together go into one transaction, as a fleet.
  bool fleet = false;
};

enum class Notice { detail, note, warning };

struct AnchorOutput {
  /// Writes the ANCHOR frame of a link. An error ends the run.
  std::function<Status(const LinkReference& link, ByteView receipt)> emit;
  /// One line for people, untrusted parts escaped.
  std::function<void(Notice, const std::string&)> tell;
};

/// A chain is what one recorder's links form: a source may have several, one after the other.
struct ChainKey {
  Id128 source{};
  Id128 record{};
  auto operator<=>(const ChainKey&) const = default;
};

class AnchorEngine {
 public:
  static constexpr std::uint64_t never = UINT64_MAX;

  /// All references must outlive the engine.
  AnchorEngine(Ledger& ledger, AnchorJournal& journal, Clock& clock, const AnchorSettings& settings,
               AnchorOutput output);

  /// A source is in the input: its anchors of earlier runs may be emitted and are waited for.
  void see_source(const Id128& source) { sources_.insert(source); }
  /// A link of the input has an anchor that was emitted before: it is emitted again, because the
  /// link may come again for the very reason that what followed it was lost.
  void see_again(const Hash256& link_hash) { again_.insert(link_hash); }
  /// All that the journal holds counts as seen, now and before.
  void see_all();
  /// A link of the input. Only the newest of a chain counts: it covers all before it.
  void see_link(const LinkReference& link);
  /// An ANCHOR frame of the input. A link that it proves to be in this ledger is not published
  /// again.
  void see_anchor(const Receipt& receipt);
  /// What is not published yet is due now.
  void end_input();

  /// Does what is due. Gives when to call again (monotonic, `never`: when something was seen). An
  /// error ends the run: of the journal or the output, or a misconfiguration that shows before
  /// the ledger worked once. Everything else is retried with growing pauses.
  Result<std::uint64_t> step();

  [[nodiscard]] bool batch_pending() const { return batch_due_ns_ != never; }
  /// Links of this run's sources that are not published.
  [[nodiscard]] std::size_t unpublished() const;
  /// The same and anchors that are not emitted: what is left to do.
  [[nodiscard]] std::size_t outstanding() const;
  [[nodiscard]] std::vector<std::string> describe_outstanding() const;
  /// The error that is being retried, and since when (monotonic).
  struct Trouble {
    Error error;
    std::uint64_t since_ns = 0;
  };
  [[nodiscard]] const std::optional<Trouble>& trouble() const { return trouble_; }
  [[nodiscard]] std::uint64_t emitted() const { return emitted_; }

 private:
  struct Chain {
    LinkReference newest;
    std::optional<Receipt> cover;  ///< of the input, for `newest`
    bool covered = false;          ///< `newest` is in the ledger by that receipt
  };
  /// What is known of a pending anchor beyond the journal.
  struct Watch {
    TransactionStatus status;
    Hash256 txid{};
    std::optional<std::uint32_t> mempool_since_height;
    std::optional<std::uint32_t> refused_since_height;
  };

  Status work();
  Status contact();
  Status check_wallet();
  Status emit_earlier();
  Status emit_if_still_there(const Hash256& record_hash, const LinkReference* only);
  Status follow();
  Status publish_due();
  Status publish(std::vector<LinkReference> links);
  Status is_covered(Chain& chain, bool* covered);
  Status advance(const Hash256& link_hash);
  Status send_again(AnchorRecord record);
  Status bump(AnchorRecord record);
  Status raise_stuck(const AnchorRecord& record);
  Status replace(const AnchorRecord& record);
  Status mature(AnchorRecord record, const Hash256& txid);
  Status emit(AnchorRecord record, const LinkReference* only = nullptr);
  Status emit_receipts(const AnchorRecord& record, const LinkReference* only);
  /// One of its links is of this run.
  [[nodiscard]] bool concerns(const AnchorRecord& record) const;

  /// Of the journal and the output: an error ends the run.
  Status keep(Status status);
  [[nodiscard]] bool is_published(const Chain& chain) const;
  void refresh_published() const;
  [[nodiscard]] std::vector<Hash256> pending_in_order() const;
  [[nodiscard]] std::size_t pending_of(const ChainKey& chain) const;
  [[nodiscard]] bool has_pending() const;
  void run_into(Error error);
  void recover();
  [[nodiscard]] std::uint64_t next_time() const;
  void tell(Notice notice, const std::string& line) const { output_.tell(notice, line); }

  Ledger& ledger_;
  AnchorJournal& journal_;
  Clock& clock_;
  AnchorSettings settings_;
  AnchorOutput output_;

  std::set<Id128> sources_;
  std::map<ChainKey, Chain> chains_;
  /// What the journal says of chains; made anew when it has changed.
  struct Published {
    std::optional<std::uint64_t> version;
    std::map<ChainKey, std::uint64_t> newest;  ///< sequence
    std::map<ChainKey, std::size_t> pending;   ///< anchors that are not emitted
  };
  mutable Published published_;
  std::set<Hash256> again_;
  std::map<Hash256, Watch> watches_;
  std::optional<Network> network_;
  std::optional<Tip> tip_;
  Hash256 followed_tip_{};
  std::uint64_t batch_due_ns_ = never;
  std::uint64_t poll_due_ns_ = 0;
  std::uint64_t recheck_due_ns_ = 0;
  bool input_ended_ = false;
  bool attempted_ = false;
  bool wallet_checked_ = false;
  std::uint64_t emitted_ = 0;

  std::optional<Error> fatal_;
  std::optional<Trouble> trouble_;
  std::uint64_t retry_due_ns_ = 0;
  std::uint64_t told_trouble_ns_ = 0;
  unsigned failures_ = 0;
};

/// "link 41 of source 0123456789abcdef...".
std::string describe_link(const LinkReference& link);
/// The same, or "the fleet of 12 links".
std::string describe_anchor(const AnchorRecord& record);

}  // namespace twinchain::ledger
