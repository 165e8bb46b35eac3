// An evidence check while it runs: what its two halves share. Floor 4, internal.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "twinchain/chain/audit_frame.hpp"
#include "twinchain/chain/evidence.hpp"
#include "twinchain/chain/evidence_check.hpp"
#include "twinchain/crypto/merkle.hpp"
#include "twinchain/crypto/sha256.hpp"
#include "twinchain/sys/ordered_pool.hpp"

namespace twinchain::chain {

/// One EVIDENCE frame and the frames that follow it.
struct EvidenceBundle {
  Evidence evidence;
  std::uint64_t offset = 0;
  std::uint32_t input = 0;
  RecordReport report;
  MerkleFrontier tree;
  std::uint64_t next = 0;  ///< number of the window that comes next
  std::uint64_t first_lost = 0;
  std::uint64_t lost_windows = 0;  ///< that are not shown: lost ones, if the root is right
  bool damaged = false;
  std::optional<std::int64_t> window_end_ns;  ///< of the window before
  std::int64_t header_start_ns = 0;           ///< as the EVIDENCE frame's header says
  std::int64_t header_end_ns = 0;
  // What comes before a SLICE frame.
  std::optional<Hash256> schema_digest;
  bool schema_used = true;
  std::uint64_t reject_sequence = 0;
  std::uint32_t reject_frames = 0;
  Sha256 reject_digests;
};

/// Appends windows that were lost before they were sealed, whose frame root is zeros.
void append_lost_windows(MerkleFrontier& tree, std::uint64_t count);

struct EvidenceCheck::State {
  explicit State(EvidenceOptions given)
      : options(std::move(given)),
        pool(options.audit.threads, [](CheckedFrame& frame) { check_frame(frame); }) {}

  void take(CheckedFrame& frame);
  void take_damage(const CheckedFrame& frame);
  void take_frame(CheckedFrame& frame);
  void begin(const CheckedFrame& frame);
  void end();
  void take_schema(const CheckedFrame& frame);
  void take_reject(const CheckedFrame& frame);
  void take_slice(const CheckedFrame& frame);
  void check_rejects(const CheckedFrame& frame);
  void check_against_head(const CheckedFrame& frame);
  void check_root();
  void check_signatures();
  void check_edges();
  void check_policy();
  std::optional<BlockBound> beacon_before();
  void audit_head();
  [[nodiscard]] std::vector<TrustedKey> keys_of_head();
  void note_gap(std::int64_t before_ns, std::int64_t start_ns, std::uint64_t number);
  void drain(std::uint64_t bytes, std::size_t items);

  Finding finding(FindingKind kind, Severity severity, std::string message) const;
  void add(Finding made, bool merge = false);
  static Finding finding_at(const CheckedFrame& frame, FindingKind kind, Severity severity,
                            std::string message);
  void add_at(const CheckedFrame& frame, FindingKind kind, Severity severity, std::string message);

  EvidenceOptions options;
  std::optional<EvidenceBundle> bundle;
  /// The first frame that stands before any evidence; of a stream without any it is not told.
  std::optional<Finding> stray;
  FindingList findings;
  AuditReport report;
  std::vector<Buffer> spare;
  std::function<bool(std::uint64_t)> go_on;
  OrderedPool<CheckedFrame> pool;
};

}  // namespace twinchain::chain
