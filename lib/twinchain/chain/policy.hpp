// What a verifier asks for, and its file. Floor 4. The file is described in verify(1).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "twinchain/base/result.hpp"
#include "twinchain/crypto/ed25519.hpp"

namespace twinchain::chain {

/// A key that the verifier trusts.
struct TrustedKey {
  std::string name;
  PublicKey key{};
  /// Of the epoch, when the key comes from a public key file: a link that says another is refused.
  std::optional<std::uint32_t> epoch;
  /// SHA256 of its successor, where known: the successor is trusted too.
  std::optional<Hash256> next_key_hash;
};

struct Policy {
  std::vector<TrustedKey> signers;
  /// Keys of further parties whose counter-signatures count. Keys under one name are one party's.
  std::vector<TrustedKey> cosigners;
  /// Names of parties that must have counter-signed the newest link,
  std::vector<std::string> required_cosigners;
  /// or one whose window ended so long before that of the newest.
  std::optional<std::int64_t> cosigned_within_ns;
  /// Blocks, that of the anchor included. Not said: 1 on networks whose difficulty anyone can
  /// meet, 6 on others.
  std::optional<std::uint32_t> min_depth;
  /// Longer gaps between windows are refused, shorter ones are no loss.
  std::optional<std::int64_t> largest_gap_ns;
  bool require_anchor = false;
  /// Names of the networks whose anchors count; empty: all.
  std::vector<std::string> networks;
  bool refuse_clock_findings = false;
  /// Of the rows that the declared rate promises, those that must be there: 0.99. Not said: any.
  std::optional<double> least_rows;
};

/// Lines "name = value"; "#" begins a comment, empty lines are nothing:
///   signer = NAME PUBLIC-KEY-HEX     (may be repeated)
///   cosigner = NAME PUBLIC-KEY-HEX   (may be repeated)
///   require = NAME                   (may be repeated)      cosigned-within = 1d
///   network = NAME                   (may be repeated)
///   min-depth = N      largest-gap = 10s     require-anchor = yes|no
///   clock = note|refuse              least-rows = 99.5%
/// ExitCode::usage with the line's number for an unknown name, a malformed value or a name that
/// may not be repeated.
Result<Policy> parse_policy(ByteView text);

/// ExitCode::usage when a party is required of which there is no key.
Status check_policy(const Policy& policy);

}  // namespace twinchain::chain
