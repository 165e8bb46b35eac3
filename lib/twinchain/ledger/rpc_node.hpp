// The calls of a Bitcoin-family node that anchoring needs, with checked answers. Floor 4.
//
// Bitcoin Core 0.19 and later and Litecoin Core 0.21 speak them alike; nothing here is newer than
// what both have. Hashes are in internal byte order. Errors as Ledger's, and ExitCode::malformed
// for an answer of another form than the call's. Not thread-safe.
// Source: Bitcoin Core's src/rpc/*.cpp, src/wallet/rpc*.cpp.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "twinchain/base/json_writer.hpp"
#include "twinchain/base/result.hpp"
#include "twinchain/bitcoin/header.hpp"
#include "twinchain/bitcoin/tx.hpp"
#include "twinchain/ledger/rpc_client.hpp"

namespace twinchain::ledger {

class RpcNode {
 public:
  explicit RpcNode(std::unique_ptr<RpcConnection> connection)
      : connection_(std::move(connection)) {}

  struct BlockInfo {
    std::uint32_t height = 0;
    std::uint32_t depth = 0;  ///< 1 for the tip; 0: not in the best chain
    std::int64_t time_s = 0;
  };
  struct MempoolEntry {
    std::uint64_t descendants = 0;  ///< this transaction included
  };
  struct WalletEntry {
    std::int64_t confirmations = 0;  ///< negative: conflicts with a block's transaction
    std::optional<Hash256> block_hash;
  };
  struct Funded {
    Bytes raw_transaction;
    std::uint64_t fee_sat = 0;
  };
  enum class SendOutcome {
    accepted,      ///< or known already
    fee_too_low,   ///< for the node's mempool, or to replace what is there
    busy,          ///< may be accepted later: too many unconfirmed ancestors
    fee_too_high,  ///< the node's own limit
    refused        ///< for good: inputs are spent
  };
  struct Sent {
    SendOutcome outcome = SendOutcome::accepted;
    std::string reason;  ///< escaped
  };

  Result<Hash256> best_block();
  Result<Hash256> block_at(std::uint32_t height);
  /// Nothing: the node does not know the block.
  Result<std::optional<BlockInfo>> block_info(const Hash256& block_hash);
  Result<bitcoin::BlockHeaderBytes> block_header(const Hash256& block_hash);
  /// Headers of the best chain from a height on, at most max_rpc_batch; fewer when it ends before.
  Result<std::vector<bitcoin::BlockHeaderBytes>> headers(std::uint32_t first_height,
                                                         std::uint32_t count);
  Result<std::vector<Hash256>> block_txids(const Hash256& block_hash);
  /// Of a block that is on this node's disk; needs no -txindex.
  Result<Bytes> block_transaction(const Hash256& txid, const Hash256& block_hash);
  Result<std::optional<MempoolEntry>> mempool_entry(const Hash256& txid);
  /// The block of a transaction that is none of the wallet's; needs -txindex. Nothing: not known.
  Result<std::optional<Hash256>> indexed_block_of(const Hash256& txid);
  /// What the node's mempool takes at least, in sat/vbyte.
  Result<double> minimum_fee_rate();

  Status check_wallet();
  Result<std::optional<WalletEntry>> wallet_transaction(const Hash256& txid);
  /// Without inputs of its own, the wallet finds them; with some, it adds more when it must. The
  /// inputs are locked, so that no other transaction takes them before this one is sent.
  Result<Funded> fund(std::span<const bitcoin::TxIn> inputs, ByteView payload,
                      double fee_rate_sat_per_vbyte);
  Result<Bytes> sign(ByteView raw_transaction);
  Result<Sent> send(ByteView raw_transaction);
  /// Makes the wallet leave outputs alone, or not any more. That they were not locked is no error.
  Status lock_outputs(std::span<const bitcoin::OutPoint> outputs, bool lock);

 private:
  Result<JsonValue> expect(std::string_view method, const JsonWriter& params, bool to_wallet);
  /// Nothing for "no such thing" (-5).
  Result<std::optional<JsonValue>> find(std::string_view method, const JsonWriter& params,
                                        bool to_wallet);

  std::unique_ptr<RpcConnection> connection_;
};

/// What a node's refusal means for us: the code, a message, a hint.
Error describe_fault(std::string_view method, const RpcFault& fault);

}  // namespace twinchain::ledger
