// What an OpenTimestamps proof proves, against block headers that somebody vouches for. Floor 4.
//
// An attestation of Bitcoin or Litecoin is proven when its message is the Merkle root of the block
// at its height in the best chain; nothing else proves anything. There are no attestations of test
// networks, and none of a dir: ledger: the format has no tag for them, on purpose.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "twinchain/base/result.hpp"
#include "twinchain/bitcoin/header.hpp"
#include "twinchain/ledger/ots.hpp"

namespace twinchain::ledger {

enum class OtsOutcome {
  proven,       ///< the block's Merkle root is what the proof leads to
  refuted,      ///< it is not
  not_deep,     ///< it is, but the block is not deep enough
  not_checked,  ///< the block's header is not at hand
  away,         ///< a ledger that would have it does not answer
  pending,      ///< a calendar server's promise
  unknown,      ///< of a kind that this program does not know
};
/// "proven", "refuted", "not-deep", "not-checked", "away", "pending", "unknown".
std::string_view ots_outcome_name(OtsOutcome outcome);

/// A block of a best chain.
struct OtsBlock {
  bitcoin::BlockHeaderBytes header{};
  std::uint32_t depth = 0;  ///< 1 for the tip
  std::string trust;        ///< what believing this rests on; escaped
};
/// The block at a height of a network ("bitcoin", "litecoin"). Errors: ExitCode::unproven when
/// there is none at hand, peer when it could not be asked; both become the attestation's outcome.
/// Any other error ends the check.
using FindOtsBlock =
    std::function<Result<OtsBlock>(std::string_view network, std::uint32_t height)>;

struct OtsFinding {
  OtsAttestation attestation;
  OtsOutcome outcome = OtsOutcome::unknown;
  std::string message;  ///< why; escaped; empty for proven
  std::optional<OtsBlock> block;
  std::optional<Hash256> block_hash;
  std::int64_t time_s = 0;  ///< of the block
};

/// Attestations beyond these are counted and not looked at: they prove nothing.
inline constexpr std::size_t max_ots_findings = 1000;

struct OtsReport {
  std::string proof_name;  ///< of the .ots file, as given
  std::string target_name;
  OtsOperation file_hash = OtsOperation::sha256;
  Bytes digest;                 ///< that the proof begins with
  std::optional<Bytes> target;  ///< digest of the target; nothing: none was compared
  std::vector<OtsFinding> findings;
  std::size_t more_findings = 0;

  [[nodiscard]] bool is_of_target() const { return target && *target == digest; }
  /// refuted: the target is another file, or an attestation is refuted. success: the target was
  /// compared and an attestation is proven. peer, unproven: neither.
  [[nodiscard]] ExitCode code() const;
  /// The proven attestation with the earliest block; null when there is none.
  [[nodiscard]] const OtsFinding* best() const;
};

/// "sha256"; of the operations that hash a file.
std::string_view ots_file_hash_name(OtsOperation operation);

/// Fills in findings. `min_depth`: blocks that a proven one must be deep, its own included.
Status check_ots(const OtsProof& proof, const FindOtsBlock& find_block, std::uint32_t min_depth,
                 OtsReport& report);

/// The verdict in the first line, then a line for each attestation.
std::string ots_report_text(const OtsReport& report);
/// One JSON object, described in verify(1).
std::string ots_report_json(const OtsReport& report);

}  // namespace twinchain::ledger
