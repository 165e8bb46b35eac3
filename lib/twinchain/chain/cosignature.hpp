// A further party's signature of a link, and its frame. Floor 4. Specified in twin-stream(5).
//
// A counter-signature says: this party held link N with this hash, and so all links before it,
// whose hashes it covers. [0072] It says nothing about who recorded the data.
//
// What is signed has a domain label of its own, not the recorder's (chain/link.hpp). With one label
// for both, the 64 bytes that a haulier or a witness gives for a link hash could be put into a LINK
// frame that names the party's key as the recorder's: whoever got a party to counter-sign a hash
// of their choice would have a chain "recorded" by it. The other way round, a recorder's
// signature must not pass as the consent of a second party.
#pragma once

#include "twinchain/base/result.hpp"
#include "twinchain/chain/link.hpp"

namespace twinchain::chain {

inline constexpr std::uint16_t cosignature_version = 1;

/// Fields in the order of their bytes, after version and a reserved u16 of zero.
struct Cosignature {
  Hash256 link_hash{};  ///< H_n
  PublicKey key{};      ///< of the party that signs
  Signature signature{};
  bool operator==(const Cosignature&) const = default;
};

inline constexpr std::size_t cosignature_body_size = 132;

/// What a counter-signer signs: its domain label and the link's hash.
Bytes cosignature_message(const Hash256& link_hash);
Cosignature make_cosignature(const Hash256& link_hash, const SecretKey& key);

/// The COSIGNATURE frame: header of the link's window, as that of its LINK frame but for the type.
/// body_size and body_crc are not filled in.
FrameHeader cosignature_frame_header(const Link& link);
Bytes encode_cosignature_body(const Cosignature& cosignature);
/// Structure only (size, version, reserved field); ExitCode::malformed otherwise.
Result<Cosignature> parse_cosignature_body(ByteView body);
/// The same, and the type and flags of its header. Source, sequence and window of the header are
/// for finding the link: the reader compares them with the link of this hash.
Result<Cosignature> parse_cosignature_frame(const FrameHeader& header, ByteView body);
/// The signature belongs to the key and the link hash. Nothing here says whether the key is
/// trusted.
bool verify_cosignature(const Cosignature& cosignature);

}  // namespace twinchain::chain
