// Checks a record from beginning to end and finds all that is wrong with it. Floor 4.
//
// Every byte of every frame of a known type is covered: by the stream's CRCs and counts, by the
// digests in the header leaf (SCHEMA, REJECT), by the frame root in the link (DATA, SLICE), by the
// signature (LINK, COSIGNATURE), by the receipt's own hashes (ANCHOR). Memory is bounded however
// long the record: a few frames, and for each source what the newest links say.
//
// chain may not include ledger: what needs a ledger comes as functions.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "twinchain/base/result.hpp"
#include "twinchain/chain/accounting.hpp"
#include "twinchain/chain/findings.hpp"
#include "twinchain/chain/link.hpp"
#include "twinchain/chain/policy.hpp"
#include "twinchain/chain/time_bounds.hpp"
#include "twinchain/record/schema.hpp"
#include "twinchain/stream/reader.hpp"

namespace twinchain::chain {

/// What a receipt proves, as far as it can be checked without a ledger. A time-stamp needs none:
/// whether its authority is believed is known at once.
struct AnchorFacts {
  Hash256 link_hash{};
  std::uint32_t network = 0;  ///< magic number
  std::string network_name;
  /// Difficulty that anyone can meet: it proves nothing to others.
  bool trivial_network = false;
  Hash256 block_hash{};  ///< internal byte order
  std::uint32_t height = 0;
  std::int64_t time_s = 0;  ///< of the block's header
  /// Who signed it, escaped, when a time-stamp authority stands in the place of a block: then
  /// block_hash is that of its token, and there is no height.
  std::string authority = {};
  /// Of a time-stamp: what believing the authority rests on; empty: it is not believed,
  std::string trust = {};
  /// for this reason.
  std::string distrust = {};

  [[nodiscard]] bool is_timestamp() const { return !authority.empty(); }
};

struct BlockPlace {
  bool on_best_chain = false;
  std::uint32_t height = 0;
  std::uint32_t depth = 0;  ///< 1 for the newest block; 0 for a time-stamp, which has none
  std::int64_t time_s = 0;
  std::string trust;  ///< what trusting the ledger means, for the report
};

/// Of an ANCHOR frame's body. An error: the receipt is false; its message says why.
using CheckReceipt = std::function<Result<AnchorFacts>(ByteView body)>;
/// Nothing: no ledger of this network was given. An error with ExitCode::peer: it is away; it is
/// not asked again.
using FindBlock =
    std::function<Result<std::optional<BlockPlace>>(std::uint32_t network, const Hash256& block)>;

struct AuditOptions {
  Policy policy;
  /// The link hash that must be in the record.
  std::optional<Hash256> head;
  /// A record that begins after link 0, and frames that show some channels, are what was asked for.
  bool partial = false;
  /// Anchors are to be checked against a ledger or headers: find_block knows of at least one.
  bool ledger_given = false;
  /// The user wants no ledger asked: receipts are checked in themselves, time is not proven.
  bool offline = false;
  /// Data of a source below this number was dropped on purpose, as the keeper of a store says: an
  /// explanation of what is missing, and no proof.
  std::map<Id128, std::uint64_t> dropped_below;
  CheckReceipt check_receipt;
  FindBlock find_block;
  /// Of a network's magic number, for the report; may be empty.
  std::function<std::string(std::uint32_t network)> network_name;
  /// Threads that hash and check signatures; 0: the caller's own.
  unsigned threads = 2;
  /// Links that are remembered for anchors and repetitions, all sources together: about 110 bytes
  /// each.
  std::size_t remembered_links = 131'072;
};

enum class InputKind {
  stream,          ///< must end with END
  segment,         ///< of a store: needs no END
  active_segment,  ///< of a store, the last: may end inside a frame that is being written
};

/// A key that signed links of a record.
struct Signer {
  std::uint32_t epoch = 0;
  PublicKey key{};
  std::uint64_t first_link = 0;
  std::uint64_t last_link = 0;
  bool trusted = false;
  std::string name;  ///< of the trusted key
};

/// A further party that has signed links of a record.
struct Cosigner {
  PublicKey key{};
  bool trusted = false;
  std::string name;                ///< of the trusted key
  std::uint64_t covered_to = 0;    ///< the newest link signed; it covers all before it
  std::int64_t covered_to_ns = 0;  ///< end of that link's window
  std::uint64_t count = 0;         ///< its good COSIGNATURE frames
};

struct AnchorSummary {
  std::uint64_t receipts = 0;  ///< ANCHOR frames of this record
  /// Links from the first to this one are in a block of the best chain, deep enough.
  std::optional<std::uint64_t> covered_to;
  std::optional<AnchorFacts> best;  ///< of covered_to, else the newest receipt that is not false
  std::optional<BlockPlace> place;  ///< of best, when a ledger was asked
};

/// One record (chain) of one source.
struct RecordReport {
  Id128 source{};
  std::string name;  ///< empty when no SCHEMA frame says it
  Id128 record{};
  std::uint64_t first_link = 0;
  std::uint64_t last_link = 0;
  std::uint64_t links = 0;  ///< 0: nothing is sealed, the fields above and below say nothing
  Hash256 last_link_hash{};
  /// Evidence (evidence_check.hpp): the later link that proves the windows, whose hash is
  /// last_link_hash.
  std::optional<std::uint64_t> proven_by_link;
  std::int64_t window_start_ns = 0;
  std::int64_t window_end_ns = 0;
  /// History roots were computed from link 0 to the last link and are what the links say.
  bool history_computed = false;
  std::vector<Signer> signers;
  std::uint64_t more_signers = 0;       ///< that are not in the list
  std::vector<Cosigner> cosigners;      ///< in the order of their first counter-signature
  std::uint64_t more_cosignatures = 0;  ///< by keys that are neither trusted nor in the list
  AnchorSummary anchors;
  /// Of all links from first_link to last_link, without a gap.
  std::vector<TimeRun> time_bounds;
  bool time_bounds_widened = false;  ///< some are wider than what the record proves
  Beacon first_beacon;
  /// The block of first_beacon, when a ledger was asked and has it on its best chain.
  std::optional<BlockPlace> first_beacon_place;
  Accounting accounting;
  FindingList::Verdict verdict;
};

struct AuditReport {
  std::vector<std::string> inputs;
  std::vector<std::uint64_t> input_bytes;
  std::vector<RecordReport> records;
  std::uint64_t more_records = 0;  ///< that are not in the list
  std::uint64_t frames = 0;
  FindingList findings;
  bool offline = false;
  bool ledger_given = false;

  [[nodiscard]] ExitCode code() const { return exit_code(findings.worst()); }
};

/// Not thread-safe; has threads of its own.
class Audit {
 public:
  explicit Audit(AuditOptions options);
  ~Audit();
  Audit(Audit&&) noexcept;

  /// Reads an input to its end. Inputs are taken one after another as if they were one stream.
  /// `name` is for messages. An error is one of the operating system's; all that is wrong with the
  /// input itself is a finding.
  Status read(const std::string& name, StreamReader& reader, InputKind kind);
  /// Called with the number of bytes read of the input, now and then. False ends read() with
  /// ExitCode::unproven; then the audit is void.
  void on_progress(std::function<bool(std::uint64_t)> go_on);

  /// True when anchors refer to links that are no longer remembered: read_again() on the same
  /// inputs finds them. Without it they are reported as unmatched.
  [[nodiscard]] bool wants_second_reading();
  Status read_again(StreamReader& reader);

  /// The audit is over; nothing may be called after it.
  AuditReport finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace twinchain::chain
