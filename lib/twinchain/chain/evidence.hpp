// The body of an EVIDENCE frame: proof that the SLICE frames after it are windows of one record,
// all of them between two moments. Floor 4. Specified in twin-evidence(5).
//
//   head     a signed link; its history root is over the frame roots of windows 0 to head
//   proof    compact ranges left and right of the windows shown (RFC 6962 tree, O(log n) hashes)
//   before   the link of the window before those shown, after: of the one after them. They are in
//            the proven range too, so that what is at the edges is part of what is proven.
//   keys     for each signing key before the head's the last link that it signed, which names the
//            hash of the next key: who trusts an early key can follow to the head's
//
// Nothing in a body is believed because it is there: all of it is either covered by a signature or
// a hash, or must equal what follows from the rest.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "twinchain/base/result.hpp"
#include "twinchain/chain/cosignature.hpp"
#include "twinchain/chain/link.hpp"
#include "twinchain/crypto/merkle_proof.hpp"

namespace twinchain::chain {

inline constexpr std::uint16_t evidence_version = 1;
inline constexpr std::size_t max_evidence_keys = 4096;
inline constexpr std::size_t max_evidence_receipts = 16;
inline constexpr std::size_t max_evidence_cosignatures = 256;
inline constexpr std::size_t max_evidence_policy_size = std::size_t{64} << 10;

struct Evidence {
  std::uint64_t first = 0;           ///< number of the first window shown
  std::uint64_t count = 0;           ///< at least 1
  SignedLink head;                   ///< its number is at least that of the last window shown
  std::optional<SignedLink> before;  ///< there when first > 0
  std::optional<SignedLink> after;   ///< there when the last window shown is before the head's
  RangeProof proof;
  std::vector<SignedLink> keys;
  std::vector<Bytes> receipts;            ///< bodies of ANCHOR frames of the head
  std::vector<Cosignature> cosignatures;  ///< of the head
  /// What the maker says that a verifier should ask for, verify(1)'s POLICY; empty: nothing.
  std::string policy;

  [[nodiscard]] std::uint64_t last() const { return first + (count - 1); }
  /// The range that `proof` is about: what is shown, and the neighbours.
  [[nodiscard]] std::uint64_t proven_first() const { return before ? first - 1 : first; }
  [[nodiscard]] std::uint64_t proven_end() const { return last() + (after ? 2 : 1); }
  [[nodiscard]] std::uint64_t tree_size() const { return head.link.number + 1; }
};

/// The number of hashes that a proof has on its left and right side: of [begin, end) in a tree.
std::size_t left_hash_count(std::uint64_t begin);
std::size_t right_hash_count(std::uint64_t end, std::uint64_t tree_size);

/// The frame's header: source of the links, sequence `first`, window as given.
FrameHeader evidence_frame_header(const Evidence& evidence, std::int64_t window_start_ns,
                                  std::int64_t window_end_ns);
/// Expects the limits above to be met, and neighbours and hashes as the numbers ask for.
Bytes encode_evidence_body(const Evidence& evidence);
/// Structure only: version, reserved fields, limits, the number of hashes, that neighbours have the
/// numbers they must have, and that all links are of one source and record; no signature, no hash
/// is checked. What parses encodes to the same bytes again. ExitCode::malformed, "evidence: byte N
/// of the body: ...".
Result<Evidence> parse_evidence_frame(const FrameHeader& header, ByteView body);

}  // namespace twinchain::chain
