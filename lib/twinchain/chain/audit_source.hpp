// The part of an audit that follows one source from frame to frame. Floor 4, internal.
//
// Memory of a source: the newest links (LinkMemory), a few frames that wait for their link or their
// data, the holes in the chain, the keys that signed.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "twinchain/chain/audit.hpp"
#include "twinchain/chain/audit_frame.hpp"
#include "twinchain/crypto/merkle.hpp"
#include "twinchain/crypto/sha256.hpp"

namespace twinchain::chain {

/// Where in the input a finding is.
struct Place {
  std::uint32_t input = 0;
  std::uint64_t offset = 0;
};

/// Shared by all sources of one audit.
struct AuditContext {
  AuditOptions options;
  FindingList findings;
  std::vector<RecordReport> records;
  std::uint64_t more_records = 0;
  std::size_t source_count = 0;
  /// Streams (from preamble to END) that have begun, over all inputs.
  std::uint32_t part = 0;
  bool head_seen = false;
  bool ledger_away = false;
  /// Anchors that wait for their link, all sources together.
  std::size_t waiting_anchors = 0;
  std::size_t waiting_cosignatures = 0;
  /// Runs in the reports of all records together.
  std::size_t time_runs = 0;
  /// Of the bodies that wait for their link, and memory for the frames to come.
  std::uint64_t retained_bytes = 0;
  std::vector<Buffer> spare;
  /// The last run of bytes that were no frame.
  struct Damage {
    Place place;
    std::uint64_t size_bytes = 0;
    std::uint64_t count = 0;  ///< runs so far
  };
  std::optional<Damage> last_damage;

  void give_back(Buffer&& body);
  /// The block's place, or nothing when no ledger is to be asked or has gone.
  std::optional<BlockPlace> find_block(std::uint32_t network, const Hash256& block,
                                       bool& no_ledger_of_network);
};

/// What is kept of a link for anchors, repetitions and forks.
struct RememberedLink {
  std::uint64_t number = 0;
  Hash256 hash{};
  Hash256 frame_root{};
  std::int64_t window_start_ns = 0;
  std::int64_t window_end_ns = 0;
  std::int64_t wall_ns = 0;
  std::uint32_t beacon_network = 0;
  std::uint32_t beacon_height = 0;
};
RememberedLink remember(const Link& link, const Hash256& hash);

class LinkMemory {
 public:
  /// Numbers grow; `late` ones (that were out of order) may not.
  void add(const RememberedLink& link, std::size_t limit);
  void add_late(const RememberedLink& link);
  [[nodiscard]] const RememberedLink* find(std::uint64_t number) const;
  /// The link with this hash: only for the wording of a message, and only for the first times.
  [[nodiscard]] const RememberedLink* find_hash(const Hash256& hash);
  /// Links below this number may have been forgotten.
  [[nodiscard]] std::uint64_t forgotten_below() const { return forgotten_below_; }
  void clear();

 private:
  std::deque<RememberedLink> links_;
  std::vector<RememberedLink> late_;
  std::uint64_t forgotten_below_ = 0;
  unsigned searches_ = 0;
};

class SourceAudit {
 public:
  SourceAudit(AuditContext& context, const Id128& source);

  /// A frame whose content is of this source. Takes the body when it is needed later.
  void take(CheckedFrame& frame);
  /// A frame of this source whose header is sound and whose body is not.
  void take_damaged(const StreamEvent& event, std::uint32_t input);
  /// Numbers of links that anchors wait for and memory has lost.
  [[nodiscard]] bool wants_second_reading() const;
  void offer_again(const SignedLink& link);
  void finish();

 private:
  struct PendingData {
    FrameType type = FrameType::data;
    Place place;
    Hash256 root{};
    record::DataHeader data;
    std::uint32_t leaf_count = 0;
    std::uint32_t shown_leaves = 0;
    Buffer body;  ///< empty when it was too large to keep
  };
  struct WaitingLink {
    Place place;
    Link link;
  };
  struct Hole {
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    std::optional<Hash256> hash_before;  ///< H_(first-1), as it stands here
    std::optional<Hash256> hash_after;   ///< H_last, as the link after it says
    Finding::TimeWindow window;
    bool between_streams = false;
    Place place;  ///< of the link after it
    std::optional<AuditContext::Damage> damage;
    std::uint64_t data_seen = 0;  ///< DATA frames of the hole that are here, without their links
  };
  struct DamagedFrame {
    FrameType type = FrameType::data;
    std::uint64_t sequence = 0;
    std::size_t finding = FindingList::not_kept;
  };
  struct RejectGroup {
    // Said here: clang does not see the implicit one before the class around it is complete.
    RejectGroup() {}
    std::uint64_t sequence = 0;
    std::uint32_t frames = 0;
    Place place;
    Sha256 digests;
  };
  struct WaitingAnchor {
    FrameHeader header;
    Place place;
    AnchorFacts facts;
    bool before_its_link = false;
    bool settled = false;
  };
  struct StaleAnchor {
    std::uint64_t number = 0;
    Place place;
    AnchorFacts facts;
  };

  struct WaitingCosignature {
    FrameHeader header;
    Place place;
    Cosignature cosignature;
    bool before_its_link = false;
    bool settled = false;
  };

  struct ReplayedAnchor {
    std::size_t finding = FindingList::not_kept;
    Hash256 link_hash{};
  };

  // audit_source.cpp: findings, DATA and what belongs to it.
  std::size_t add(Finding finding, bool merge = false);
  Finding finding(FindingKind kind, Severity severity, const Place& place) const;
  Finding finding(FindingKind kind, Severity severity, const Place& place, std::uint64_t sequence,
                  std::int64_t start_ns, std::int64_t end_ns) const;
  void report_disagreements(const CheckedFrame& frame);
  void take_by_type(CheckedFrame& frame);
  void take_schema(CheckedFrame& frame);
  void take_reject(const CheckedFrame& frame);
  void take_data(CheckedFrame& frame);
  void check_rejects(const CheckedFrame& frame);
  void check_schema(const CheckedFrame& frame);
  void settle_reject_group();
  void settle_schema();
  void settle(PendingData& data);
  void settle_repeated();
  void drop(PendingData& data);
  [[nodiscard]] bool was_dropped(std::uint64_t sequence) const;
  DamagedFrame* find_damaged(FrameType type, std::uint64_t sequence);

  // audit_link.cpp: the chain.
  void take_link(CheckedFrame& frame);
  bool take_first_link(const Link& link, const Place& place, bool signed_well);
  void begin_record(const Link& link);
  void end_record();
  void open_hole(const Link& link, const Place& place);
  void take_repeated_link(const SignedLink& signed_link, const Hash256& hash, const Place& place);
  void fill_hole(std::size_t index, const Link& link, const Hash256& hash, const Place& place);
  void advance(const Link& link, const Hash256& hash, const Place& place, bool signed_well);
  void check_key(const Link& link, const Place& place);
  void check_history(const Link& link, const Place& place, bool signed_well);
  void check_window(const Link& link, const Place& place);
  void match_data(const Link& link, const Place& place);
  void compare_with_link(PendingData& data, const Link& link);
  void report_altered(const PendingData& data);
  void count_window(const PendingData& data);
  void settle_holes();
  void settle_waiting_links();
  void settle_keys();
  [[nodiscard]] std::optional<std::string> trusted_name(const Link& link) const;
  RecordReport make_report();

  // audit_clock.cpp
  void check_clocks(const Link& link, const Place& place);
  void check_recorder_clock(const PendingData& data, const Link& link);
  void add_clock(FindingKind kind, const Link& link, const Place& place, std::string message);

  // audit_anchor.cpp
  void take_anchor(CheckedFrame& frame);
  void match_anchor(const WaitingAnchor& anchor, const RememberedLink& link);
  void accept_anchor(const WaitingAnchor& anchor, const RememberedLink& link);
  void check_beacon(const Link& link, const Place& place);
  void find_beacon(const Link& link, const Place& place);
  void bound_by_anchor(const AnchorFacts& facts, std::uint64_t link, bool confirmed);
  void settle_anchors();
  void judge_anchors();

  // audit_cosignature.cpp
  void take_cosignature(const CheckedFrame& frame);
  void match_cosignature(const WaitingCosignature& waiting, const RememberedLink& link);
  void count_cosignature(const PublicKey& key, const RememberedLink& link);
  void offer_again_cosigned(const SignedLink& link);
  void settle_cosignatures();
  void judge_cosigners();

  AuditContext& context_;
  Id128 source_;
  FindingList::Verdict verdict_;

  // What the frames before a DATA frame say.
  std::string name_;
  std::shared_ptr<std::vector<std::string>> channels_;
  std::optional<Hash256> schema_digest_;
  bool schema_used_ = false;
  Place schema_place_;
  std::uint64_t schema_sequence_ = 0;
  std::uint32_t schema_part_ = 0;
  std::optional<RejectGroup> rejects_;
  /// The newest frame that is no ANCHOR or COSIGNATURE: a link stands right after its data.
  struct Latest {
    bool is_data = false;
    std::uint64_t sequence = 0;
  };
  std::optional<Latest> latest_;
  std::deque<PendingData> pending_;
  std::deque<DamagedFrame> damaged_;

  // The chain. Valid when links_ > 0.
  std::uint64_t links_ = 0;
  Id128 record_{};
  bool record_sure_ = false;  ///< said by a link that is signed well
  std::uint64_t first_link_ = 0;
  std::uint64_t last_link_ = 0;
  std::optional<Hash256> last_hash_;  ///< unknown after a link with a false signature
  Hash256 last_shown_hash_{};
  std::optional<Link> last_;  ///< the newest link that is signed well and follows the one before
  std::uint32_t last_part_ = 0;
  std::uint64_t damage_count_ = 0;  ///< of the context, at the newest link
  std::optional<MerkleFrontier> history_;
  bool history_doubtful_ = false;
  std::int64_t first_window_start_ns_ = 0;
  std::int64_t last_window_end_ns_ = 0;
  LinkMemory memory_;
  std::vector<Hole> holes_;
  std::deque<WaitingLink> waiting_links_;
  std::optional<Link> key_link_;  ///< the newest link whose key is authorised
  std::vector<Signer> signers_;
  std::uint64_t more_signers_ = 0;
  bool trusted_ = false;
  Accounting accounting_;

  // Clocks: the first link of this boot, and whether its drift was reported.
  std::optional<Link> boot_link_;
  bool drift_reported_ = false;

  AnchorSummary anchors_;
  std::optional<std::uint64_t> shallow_to_;  ///< links under an anchor that is not deep enough yet
  std::uint32_t shallow_depth_ = 0;
  std::uint32_t shallow_needed_ = 0;
  std::optional<std::uint64_t> best_anchor_number_;
  std::vector<WaitingAnchor> waiting_anchors_;
  std::vector<StaleAnchor> stale_anchors_;
  std::vector<ReplayedAnchor> replayed_anchors_;
  std::vector<Cosigner> cosigners_;
  std::size_t unknown_cosigners_ = 0;
  std::uint64_t more_cosignatures_ = 0;
  std::vector<WaitingCosignature> waiting_cosignatures_;
  Beacon first_beacon_;
  std::optional<BlockPlace> first_beacon_place_;
  Beacon checked_beacon_;
  std::optional<std::int64_t> checked_beacon_time_s_;
  std::optional<TimeBounds> time_bounds_;
};

}  // namespace twinchain::chain
