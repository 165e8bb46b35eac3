// The body of an ANCHOR frame: proof that a payload is in a block, or that a time-stamp authority
// saw it. Floor 4. Specified in twin-stream(5).
//
// Of a block it is self-contained: transaction, Merkle branch, header; and the coinbase with its
// own branch, which proves the height (BIP 34) and the depth of the tree (against CVE-2017-12842).
// Every byte is covered by a hash that ends in the header's proof of work or is compared, so that
// no field can be changed unnoticed. Of an authority it is its token (RFC 3161) over the link hash
// itself, so that other programs can check it, too.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "twinchain/base/result.hpp"
#include "twinchain/ledger/network.hpp"
#include "twinchain/stream/frame.hpp"

namespace twinchain::ledger {

/// OP_RETURN payload: "TWIN", version 1, then the 32 bytes of a link hash.
inline constexpr std::array<std::uint8_t, 5> anchor_tag{'T', 'W', 'I', 'N', 0x01};
Bytes anchor_payload(const Hash256& link_hash);
/// What takes the link hash's place in the payload for a fleet: SHA256(0x02 || u64 size || root),
/// with the RFC 6962 root over the link hashes as leaf data. The size is in it because an audit
/// path alone does not fix it.
Hash256 fleet_hash(const Hash256& root, std::uint64_t size);

struct Receipt {
  std::uint32_t network_magic = 0;
  /// Of a network that its users made (made_network(), whose number network_magic is then).
  std::optional<Hash256> genesis;
  Hash256 link_hash{};
  /// The link hash's place under a Merkle root of many heads (a fleet). Empty: the
  /// payload is the link hash itself. (RFC 6962 audit path, index and size.)
  std::uint64_t fleet_index = 0;
  std::uint64_t fleet_size = 1;
  std::vector<Hash256> fleet_path;
  /// Of a time-stamp authority: the token, in DER. Then nothing below is there but block_hash,
  /// which is the token's SHA-256.
  Bytes timestamp_token;
  Bytes transaction;                    ///< without witness: its SHA-256d is the txid
  std::uint32_t transaction_index = 0;  ///< in the block
  std::vector<Hash256> transaction_branch;
  Bytes coinbase;                        ///< without witness
  std::vector<Hash256> coinbase_branch;  ///< index 0; as long as transaction_branch
  std::array<std::uint8_t, 80> block_header{};
  Hash256 block_hash{};  ///< internal order; repeated so that a change shows
};

/// Limits of parse_receipt; encode_receipt() expects them to be met. An ordinary receipt is under
/// 2 KiB.
inline constexpr std::size_t max_receipt_transaction_size = 100'000;
inline constexpr std::size_t max_receipt_branch_length = 32;

/// The bytes of an ANCHOR frame's body, all integers little-endian:
///     0  u16 version, 1            2  u16 reserved, zero       4  u32 network magic
///     8  link hash                40  block hash              72  block header, 80 bytes
///   152  u64 fleet index         160  u64 fleet size         168  u32 transaction index
///   172  u8 n: fleet path        173  u8 m: length of each of both branches
///   174  u16 reserved, zero      176  u32 transaction size   180  u32 coinbase size
///   184  fleet path, n hashes; transaction branch, m; coinbase branch, m; transaction; coinbase
/// of a network that its users made:
///     0  u16 version, 3, and on as above, with the network's number in place of the magic, up to
///   184  hash of the genesis block; then as above from 184 on
/// and of a time-stamp:
///     0  u16 version, 2            2  u16 reserved, zero       4  u32 network magic
///     8  link hash                40  u64 fleet index         48  u64 fleet size
///    56  u8 n: fleet path         57  three bytes reserved, zero
///    60  u32 token size           64  fleet path, n hashes; token
Bytes encode_receipt(const Receipt& receipt);
/// Structure and limits only: version, reserved fields, sizes, nothing after the end. What parses
/// encodes to the same bytes again. ExitCode::malformed, "receipt: …".
Result<Receipt> parse_receipt(ByteView body);

/// The ANCHOR frame of a link: source, sequence and window of its LINK frame.
FrameHeader anchor_frame_header(const FrameHeader& link_header);

struct ReceiptFacts {
  Network network;
  Hash256 block_hash{};
  std::uint32_t height = 0;  ///< from the coinbase (BIP 34)
  std::int64_t time_s = 0;   ///< the header's nTime
  Hash256 txid{};
  /// Of a time-stamp: who signed it, escaped; whether that is to be believed remains open. `time_s`
  /// is the time and its accuracy, rounded up. There is no height and no transaction.
  std::string authority;
};
/// Checks all that needs no other block: network known (or made: whether it is one that counts is
/// for the caller to find out), payload in the transaction, both branches,
/// no 64-byte transaction, header hash, and the header's own proof of work. ExitCode::refuted,
/// "receipt: …". Nothing in a block names its network, so that a block of one trivial network
/// could be called one of another; what a trivial network proves is the disk's word in any case.
Result<ReceiptFacts> check_receipt(const Receipt& receipt);

}  // namespace twinchain::ledger
