// One link of the hash chain, and its frame. Floor 4. Specified in twin-stream(5).
//
// [0083]-[0087]: H_0 = H(D), H_n covers H_(n-1). A link's hash is SHA256 of its 312 bytes; the
// signature is over the domain label and that hash.
#pragma once

#include <optional>
#include <string>

#include "twinchain/base/result.hpp"
#include "twinchain/crypto/ed25519.hpp"
#include "twinchain/stream/frame.hpp"

namespace twinchain::chain {

inline constexpr std::uint16_t link_version = 1;
/// The window was lost before it could be sealed, and the operator said so
/// (hashchain --accept-loss): frame_root is zeros and there is no DATA frame.
inline constexpr std::uint16_t link_lost_window = 1;

/// The newest block that the sealing machine knew: the data is not older.
struct Beacon {
  std::uint32_t network = 0;  ///< ledger network magic (ledger/network.hpp); 0: no beacon
  std::uint32_t height = 0;
  Hash256 block_hash{};  ///< internal byte order
  bool operator==(const Beacon&) const = default;
};

/// Fields in the order of their bytes; all little-endian, no padding.
struct Link {
  std::uint16_t version = link_version;
  std::uint16_t flags = 0;
  std::uint32_t epoch = 0;  ///< number of the signing key, from 0
  Id128 source{};
  Id128 record{};            ///< random, drawn at link 0, the same in all links of a chain
  std::uint64_t number = 0;  ///< n, the sequence of the DATA frame it seals
  Hash256 previous{};        ///< H_(n-1); zeros for n = 0
  Hash256 frame_root{};      ///< R_n
  Hash256 history_root{};    ///< T_n: RFC 6962 tree over R_0 .. R_n as leaf data
  std::int64_t window_start_ns = 0;
  std::int64_t window_end_ns = 0;
  std::uint64_t samples = 0;
  std::uint64_t declared_rate_mhz = 0;
  std::int64_t wall_ns = 0;  ///< the sealing machine's clocks
  std::uint64_t monotonic_ns = 0;
  Id128 boot_id{};
  Beacon beacon;
  PublicKey key{};          ///< signs this link
  Hash256 next_key_hash{};  ///< SHA256 of the public key of the next epoch
  bool operator==(const Link&) const = default;
};

inline constexpr std::size_t link_size = 312;
inline constexpr std::size_t link_body_size = link_size + 64;
using LinkBytes = std::array<std::uint8_t, link_size>;

LinkBytes encode_link(const Link& link);
/// H_n.
Hash256 link_hash(const Link& link);
/// What the recorder signs for a link hash. Counter-signers sign another message
/// (chain/cosignature.hpp).
Bytes link_signing_message(const Hash256& link_hash);

struct SignedLink {
  Link link;
  Signature signature{};
};
/// The LINK frame: header of the window, body = link, signature.
FrameHeader link_frame_header(const Link& link);
Bytes encode_link_body(const SignedLink& link);
/// As parse_link_frame(), for a body that is kept without its frame header.
Result<SignedLink> parse_link_body(ByteView body);
/// Structure only (size, version, flags, header agreeing with the body); no signature check.
Result<SignedLink> parse_link_frame(const FrameHeader& header, ByteView body);
bool verify_link_signature(const SignedLink& link);

}  // namespace twinchain::chain
