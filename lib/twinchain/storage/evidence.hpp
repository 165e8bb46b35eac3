// `store evidence`: windows of a record with the proofs that they are. Floor 5.
// The stream is specified in twin-evidence(5).
#pragma once

#include <string>
#include <vector>

#include "twinchain/chain/evidence.hpp"
#include "twinchain/storage/get.hpp"

namespace twinchain::storage {

struct EvidenceRequest {
  Id128 source{};
  /// Windows that overlap it, or whose event times do; shown are all from the first to the last.
  TimeRange range;
  std::uint64_t first_sequence = 0;
  std::uint64_t last_sequence = UINT64_MAX;
  /// Names; empty: all, and the REJECT frames.
  std::vector<std::string> channels;
  /// The text of a policy for who verifies; empty: none.
  std::string policy;
};

/// The proofs alone, for windows [first, last], without receipts of other links than the head's.
/// The head is the first anchored link after `last`, else the newest anchored one at it, else the
/// newest link. O(log n) look-ups. ExitCode::unproven when a window is not sealed; ExitCode::loss
/// when links that the proof needs are not in the store; ExitCode::refuted when the store's links
/// do not give the head's history root.
Result<chain::Evidence> make_evidence(Catalog& catalog, const Id128& source, std::uint64_t first,
                                      std::uint64_t last);

/// That the history of a source's first `new_size` links continues that of its first `old_size`
/// ones, 0 < old_size <= new_size (RFC 6962 section 2.1.2). Checked against the history roots in
/// the links; errors as make_evidence().
Result<std::vector<Hash256>> make_consistency_proof(Catalog& catalog, const Id128& source,
                                                    std::uint64_t old_size, std::uint64_t new_size);
/// The source whose link of this number has this hash; nothing when there is none.
Result<std::optional<Id128>> source_of_link(Catalog& catalog, std::uint64_t number,
                                            const Hash256& link_hash);

struct EvidenceResult {
  GetResult frames;  ///< of the slice
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  std::uint64_t head = 0;
  std::uint64_t unsealed_frames = 0;  ///< in the range, but left out
  std::uint64_t proof_bytes = 0;      ///< of the EVIDENCE frame
  bool anchored = false;
};

/// EVIDENCE, then SCHEMA, REJECT and SLICE frames. END is left to the caller, so that bundles of
/// several sources can follow each other in one stream. Nothing when no window is chosen.
Result<std::optional<EvidenceResult>> write_evidence(Catalog& catalog,
                                                     const EvidenceRequest& request,
                                                     StreamWriter& output, const ErrorSink& error);

}  // namespace twinchain::storage
