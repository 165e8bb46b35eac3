// A receipt in the formats of others: an OpenTimestamps proof, a token of RFC 3161. Floor 4.
//
// The file that the proof is of is the link itself, its 312 bytes: their SHA-256 is the link hash.
// From it the proof goes through the fleet (when the receipt is one of a fleet), the transaction
// and the block's Merkle tree to the header's Merkle root.
#pragma once

#include <optional>
#include <string>

#include "twinchain/base/result.hpp"
#include "twinchain/ledger/ots.hpp"
#include "twinchain/ledger/receipt.hpp"
#include "twinchain/stream/frame.hpp"

namespace twinchain::ledger {

/// Whether OpenTimestamps has an attestation for the network: the main ones of Bitcoin and
/// Litecoin.
bool ots_has_network(const Network& network);

/// The proof of a receipt. Errors: what check_receipt() refuses (ExitCode::refuted);
/// ExitCode::usage when the network has no attestation, or the transaction is longer than the
/// format's 4096 bytes allow.
Result<OtsProof> ots_of_receipt(const Receipt& receipt);

/// The token of a time-stamp. Errors: what check_receipt() refuses; ExitCode::usage when it is not
/// one of a time-stamp, or of a fleet.
Result<Bytes> token_of_receipt(const Receipt& receipt);

/// Which anchor of a stream is meant. Without these: the newest link that has one.
struct AnchorChoice {
  std::optional<Id128> source;
  std::optional<std::uint64_t> sequence;  ///< of the link
  bool timestamp = false;                 ///< time-stamps are preferred
};

struct ChosenAnchor {
  FrameHeader header;  ///< of the ANCHOR frame
  Receipt receipt;
  Bytes link_body;  ///< of its LINK frame, when that was in the stream
};

/// Reads a whole stream: of the anchors that fit, that of the highest sequence, of several the last
/// one; those of networks with an attestation are preferred. Damage is skipped and told. Errors:
/// ExitCode::unproven when there is no anchor that fits; usage when `choice` names no source and
/// the stream has anchors of several; malformed when this is no stream.
Result<ChosenAnchor> find_anchor(int fd, const AnchorChoice& choice,
                                 const std::function<void(const std::string&)>& tell);

}  // namespace twinchain::ledger
