// The body of an ANCHOR frame: proof that a payload is in a block. Floor 4.
// Specified in twin-stream(5).
//
// Self-contained: transaction, Merkle branch, header; and the coinbase with its own branch, which
// proves the height (BIP 34) and the depth of the tree (against CVE-2017-12842). Every byte is
// covered by a hash that ends in the header's proof of work or is compared, so that no field can
// be changed unnoticed.
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

struct Receipt {
  std::uint32_t network_magic = 0;
  Hash256 link_hash{};
  /// For later: the link hash's place under a Merkle root of many heads (a fleet). Empty: the
  /// payload is the link hash itself. (RFC 6962 audit path, index and size.)
  std::uint64_t fleet_index = 0;
  std::uint64_t fleet_size = 1;
  std::vector<Hash256> fleet_path;
  Bytes transaction;                      ///< without witness: its SHA-256d is the txid
  std::uint32_t transaction_index = 0;    ///< in the block
  std::vector<Hash256> transaction_branch;
  Bytes coinbase;                         ///< without witness
  std::vector<Hash256> coinbase_branch;   ///< index 0; as long as transaction_branch
  std::array<std::uint8_t, 80> block_header{};
  Hash256 block_hash{};                   ///< internal order; repeated so that a change shows
};

Bytes encode_receipt(const Receipt& receipt);
/// Structure and limits only.
Result<Receipt> parse_receipt(ByteView body);

/// The ANCHOR frame of a link: source, sequence and window of its LINK frame.
FrameHeader anchor_frame_header(const FrameHeader& link_header);

struct ReceiptFacts {
  Network network;
  Hash256 block_hash{};
  std::uint32_t height = 0;  ///< from the coinbase (BIP 34)
  std::int64_t time_s = 0;   ///< the header's nTime
  Hash256 txid{};
};
/// Checks all that needs no other block: network known, payload in the transaction, both branches,
/// no 64-byte transaction, header hash, and the header's own proof of work.
Result<ReceiptFacts> check_receipt(const Receipt& receipt);

}  // namespace twinchain::ledger
