// OpenTimestamps proofs (.ots files). Floor 4.
//
// A proof starts from the digest of a file and applies operations until it arrives at what a
// block's header says, or at a promise of a calendar server. The format is that of the reference
// client's library (python-opentimestamps, core/serialize.py, op.py, notary.py, timestamp.py); its
// limits are kept, so that both accept the same files.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "twinchain/base/bytes.hpp"
#include "twinchain/base/result.hpp"

namespace twinchain::ledger {

/// What a file may hold; the reference has no limit for the whole. The second bounds the bytes
/// that all operations together may produce, for a proof may fork at every byte.
inline constexpr std::size_t max_ots_file_bytes = std::size_t{1} << 20;
inline constexpr std::size_t max_ots_work_bytes = std::size_t{64} << 20;
/// What an operation may take and give.
inline constexpr std::size_t max_ots_message_bytes = 4096;

enum class OtsOperation : std::uint8_t {
  sha1 = 0x02,
  ripemd160 = 0x03,
  sha256 = 0x08,
  keccak256 = 0x67,
  append = 0xf0,
  prepend = 0xf1,
  reverse = 0xf2,
  hexlify = 0xf3,
};

/// A claim about a message: a block at `height` commits to it, a calendar promises to, or
/// something that this program does not know and keeps.
struct OtsAttestation {
  enum class Kind { bitcoin, litecoin, ethereum, pending, unknown };
  Kind kind = Kind::unknown;
  std::uint64_t height = 0;           ///< bitcoin, litecoin, ethereum
  std::string uri;                    ///< pending; plain ASCII
  std::array<std::uint8_t, 8> tag{};  ///< as in the file
  Bytes payload;                      ///< as in the file
  bool operator==(const OtsAttestation&) const = default;
};

/// One item of a node: an attestation about its message, or an operation and the node after it.
struct OtsItem {
  bool is_attestation = false;
  OtsAttestation attestation;
  OtsOperation operation = OtsOperation::sha256;
  Bytes argument;  ///< of append and prepend
  std::vector<OtsItem> next;
  bool operator==(const OtsItem&) const = default;
};

struct OtsProof {
  OtsOperation file_hash = OtsOperation::sha256;  ///< sha1, ripemd160, sha256 or keccak256
  Bytes digest;                                   ///< of the file
  std::vector<OtsItem> items;                     ///< in the order of the file
  bool operator==(const OtsProof&) const = default;
};

/// That a block of Bitcoin or Litecoin commits to the message.
OtsAttestation ots_block_attestation(OtsAttestation::Kind kind, std::uint64_t height);

/// ExitCode::malformed, "ots: byte N: ...". Every limit of the reference client is kept, and every
/// operation's result has been computed once to know that it is within them.
Result<OtsProof> parse_ots(ByteView file);
/// What parse_ots() has read gives the same bytes again (but for integers that were longer than
/// they need be).
Bytes serialize_ots(const OtsProof& proof);
/// The order in which the reference client writes: attestations first, each kind sorted.
void sort_ots(OtsProof& proof);

/// Calls `visit` for each attestation with the message that it is about (at most 4096 bytes, a
/// view valid during the call).
void for_each_attestation(const OtsProof& proof,
                          const std::function<void(const OtsAttestation&, ByteView)>& visit);

/// True when the digest is that of these bytes.
bool ots_is_of(const OtsProof& proof, ByteView file);

/// A Bitcoin or Litecoin attestation's message must be the Merkle root of the block's header.
bool ots_message_is_root(ByteView message, const Hash256& merkle_root);

}  // namespace twinchain::ledger
