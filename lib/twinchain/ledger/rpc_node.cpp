#include "twinchain/ledger/rpc_node.hpp"

#include <algorithm>
#include <cstdio>
#include <limits>

#include "twinchain/base/hex.hpp"
#include "twinchain/base/text.hpp"

namespace twinchain::ledger {
namespace {

// Bitcoin Core, rpc/protocol.h.
constexpr std::int64_t rpc_method_not_found = -32601;
constexpr std::int64_t rpc_wallet_error = -4;
constexpr std::int64_t rpc_invalid_address_or_key = -5;
constexpr std::int64_t rpc_wallet_insufficient_funds = -6;
constexpr std::int64_t rpc_invalid_parameter = -8;
constexpr std::int64_t rpc_client_not_connected = -9;
constexpr std::int64_t rpc_client_in_initial_download = -10;
constexpr std::int64_t rpc_wallet_unlock_needed = -13;
constexpr std::int64_t rpc_wallet_not_found = -18;
constexpr std::int64_t rpc_wallet_not_specified = -19;
constexpr std::int64_t rpc_verify_already_in_chain = -27;
constexpr std::int64_t rpc_in_warmup = -28;

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

std::unexpected<Error> odd_answer(std::string_view method, std::string_view what) {
  return fail(ExitCode::malformed,
              "node's answer to " + std::string(method) + " has no valid " + std::string(what));
}

/// A JSON array with one hash, as Bitcoin displays it.
JsonWriter with_hash(const Hash256& hash) {
  JsonWriter params;
  params.begin_array().value(to_hex_reversed(hash));
  return params;
}

Error describe_wallet_error(std::string_view message) {
  if (contains(message, "nsufficient funds") || contains(message, "does not cover")) {
    return {ExitCode::refuted, "the wallet has not the money for the fee of an anchor",
            "send a small amount to it (getnewaddress); coins just mined can be spent after 100 "
            "blocks"};
  }
  if (contains(message, "ee estimation failed")) {
    return {ExitCode::usage, "the node cannot estimate a fee yet", "say one with --fee-rate"};
  }
  if (contains(message, "mempool chain") || contains(message, "unconfirmed")) {
    return {ExitCode::peer, "the wallet waits for its own transactions: " + escape(message), {}};
  }
  return {ExitCode::refuted, "the wallet refuses: " + escape(message), {}};
}

/// Decimal text with 8 digits, the way a node wants amounts of coins.
std::string coins_text(double sat) {
  char text[64];
  (void)std::snprintf(text, sizeof text, "%.8f", sat / 1e8);
  return text;
}

Result<bitcoin::BlockHeaderBytes> header_of(const JsonValue& answer) {
  const auto bytes = from_hex(answer.text);
  if (!bytes || bytes->size() != bitcoin::block_header_size) {
    return odd_answer("getblockheader", "header");
  }
  bitcoin::BlockHeaderBytes header{};
  std::copy(bytes->begin(), bytes->end(), header.begin());
  return header;
}

}  // namespace

Error describe_fault(std::string_view method, const RpcFault& fault) {
  const std::string said = escape(fault.message);
  switch (fault.code) {
    case rpc_in_warmup:
      return {ExitCode::peer, "node is starting: " + said, {}};
    case rpc_client_not_connected:
    case rpc_client_in_initial_download:
      return {ExitCode::peer, "node is not ready: " + said, {}};
    case rpc_wallet_not_found:
      return {ExitCode::usage, "node: " + said, "load it (loadwallet), or name another: --wallet"};
    case rpc_wallet_not_specified:
      return {ExitCode::usage, "node has several wallets", "say which with --wallet"};
    case rpc_method_not_found:
      return {ExitCode::usage, "node does not know " + std::string(method),
              "is it a full node that was started with its wallet?"};
    case rpc_wallet_unlock_needed:
      return {ExitCode::refuted, "the wallet is locked", "unlock it with walletpassphrase"};
    case rpc_wallet_error:
    case rpc_wallet_insufficient_funds:
      return describe_wallet_error(fault.message);
    default:
      return {
          ExitCode::refuted,
          "node refuses " + std::string(method) + ": " + said + " (" + decimal(fault.code) + ")",
          {}};
  }
}

Result<JsonValue> RpcNode::expect(std::string_view method, const JsonWriter& params,
                                  bool to_wallet) {
  auto reply = connection_->call(method, params.text(), to_wallet);
  if (!reply) return pass(reply);
  if (reply->fault) return std::unexpected(describe_fault(method, *reply->fault));
  return std::move(reply->result);
}

Result<std::optional<JsonValue>> RpcNode::find(std::string_view method, const JsonWriter& params,
                                               bool to_wallet) {
  auto reply = connection_->call(method, params.text(), to_wallet);
  if (!reply) return pass(reply);
  if (!reply->fault) return std::optional(std::move(reply->result));
  if (reply->fault->code == rpc_invalid_address_or_key) return std::optional<JsonValue>();
  return std::unexpected(describe_fault(method, *reply->fault));
}

Result<Hash256> RpcNode::best_block() {
  JsonWriter params;
  params.begin_array().end_array();
  auto answer = expect("getbestblockhash", params, false);
  if (!answer) return pass(answer);
  const auto hash = hash_from_hex_reversed(answer->text);
  if (!hash) return odd_answer("getbestblockhash", "hash");
  return *hash;
}

Result<Hash256> RpcNode::block_at(std::uint32_t height) {
  JsonWriter params;
  params.begin_array().value(height).end_array();
  auto answer = expect("getblockhash", params, false);
  if (!answer) return pass(answer);
  const auto hash = hash_from_hex_reversed(answer->text);
  if (!hash) return odd_answer("getblockhash", "hash");
  return *hash;
}

Result<std::optional<RpcNode::BlockInfo>> RpcNode::block_info(const Hash256& block_hash) {
  auto answer = find("getblockheader", with_hash(block_hash).value(true).end_array(), false);
  if (!answer) return pass(answer);
  if (!*answer) return std::optional<BlockInfo>();
  const JsonValue& value = **answer;
  const auto height = value.integer_at("height");
  const auto confirmations = value.integer_at("confirmations");
  const auto time_s = value.integer_at("time");
  constexpr std::int64_t most = std::numeric_limits<std::uint32_t>::max();
  if (!height || *height < 0 || *height > most) return odd_answer("getblockheader", "height");
  if (!confirmations || *confirmations > most) return odd_answer("getblockheader", "confirmations");
  if (!time_s || *time_s < 0 || *time_s > most) return odd_answer("getblockheader", "time");
  BlockInfo info;
  info.height = static_cast<std::uint32_t>(*height);
  info.depth = static_cast<std::uint32_t>(std::max<std::int64_t>(*confirmations, 0));
  info.time_s = *time_s;
  return std::optional(info);
}

Result<bitcoin::BlockHeaderBytes> RpcNode::block_header(const Hash256& block_hash) {
  auto answer = expect("getblockheader", with_hash(block_hash).value(false).end_array(), false);
  if (!answer) return pass(answer);
  return header_of(*answer);
}

Result<std::vector<bitcoin::BlockHeaderBytes>> RpcNode::headers(std::uint32_t first_height,
                                                                std::uint32_t count) {
  std::vector<bitcoin::BlockHeaderBytes> headers;
  count = std::min(count, static_cast<std::uint32_t>(max_rpc_batch));
  std::vector<std::string> params;
  for (std::uint32_t i = 0; i < count; ++i) {
    JsonWriter height;
    height.begin_array().value(std::uint64_t{first_height} + i).end_array();
    params.push_back(height.text());
  }
  auto replies = connection_->call_many("getblockhash", params);
  if (!replies) return pass(replies);
  params.clear();
  for (const RpcReply& reply : *replies) {
    if (reply.fault && reply.fault->code == rpc_invalid_parameter) break;  // after the tip
    if (reply.fault) return std::unexpected(describe_fault("getblockhash", *reply.fault));
    const auto hash = hash_from_hex_reversed(reply.result.text);
    if (!hash) return odd_answer("getblockhash", "hash");
    params.push_back(with_hash(*hash).value(false).end_array().text());
  }
  if (params.empty()) return headers;
  replies = connection_->call_many("getblockheader", params);
  if (!replies) return pass(replies);
  for (const RpcReply& reply : *replies) {
    if (reply.fault) return std::unexpected(describe_fault("getblockheader", *reply.fault));
    auto header = header_of(reply.result);
    if (!header) return pass(header);
    headers.push_back(*header);
  }
  return headers;
}

Result<std::vector<Hash256>> RpcNode::block_txids(const Hash256& block_hash) {
  auto answer = expect("getblock", with_hash(block_hash).value(1).end_array(), false);
  if (!answer) return pass(answer);
  const JsonValue* const list = answer->find("tx");
  if (list == nullptr || list->kind != JsonValue::Kind::array || list->items.empty()) {
    return odd_answer("getblock", "list of transactions");
  }
  std::vector<Hash256> txids;
  txids.reserve(list->items.size());
  for (const JsonValue& item : list->items) {
    const auto txid = hash_from_hex_reversed(item.text);
    if (!txid) return odd_answer("getblock", "list of transactions");
    txids.push_back(*txid);
  }
  return txids;
}

Result<Bytes> RpcNode::block_transaction(const Hash256& txid, const Hash256& block_hash) {
  auto answer =
      expect("getrawtransaction",
             with_hash(txid).value(false).value(to_hex_reversed(block_hash)).end_array(), false);
  if (!answer) return pass(answer);
  auto bytes = from_hex(answer->text);
  if (!bytes || bytes->empty()) return odd_answer("getrawtransaction", "transaction");
  return std::move(*bytes);
}

Result<std::optional<RpcNode::MempoolEntry>> RpcNode::mempool_entry(const Hash256& txid) {
  auto answer = find("getmempoolentry", with_hash(txid).end_array(), false);
  if (!answer) return pass(answer);
  if (!*answer) return std::optional<MempoolEntry>();
  const auto count = (*answer)->integer_at("descendantcount");
  if (!count || *count < 1) return odd_answer("getmempoolentry", "descendantcount");
  return std::optional(MempoolEntry{static_cast<std::uint64_t>(*count)});
}

Result<std::optional<Hash256>> RpcNode::indexed_block_of(const Hash256& txid) {
  auto answer = find("getrawtransaction", with_hash(txid).value(true).end_array(), false);
  if (!answer) return pass(answer);
  if (!*answer || (*answer)->find("blockhash") == nullptr) return std::optional<Hash256>();
  const auto hash = (*answer)->hash_at("blockhash");
  if (!hash) return odd_answer("getrawtransaction", "blockhash");
  return hash;
}

Result<double> RpcNode::minimum_fee_rate() {
  JsonWriter params;
  params.begin_array().end_array();
  auto answer = expect("getmempoolinfo", params, false);
  if (!answer) return pass(answer);
  const JsonValue* const minimum = answer->find("mempoolminfee");
  const auto sat_per_kvbyte = minimum != nullptr ? amount_sat(*minimum) : std::nullopt;
  if (!sat_per_kvbyte) return odd_answer("getmempoolinfo", "mempoolminfee");
  return static_cast<double>(*sat_per_kvbyte) / 1000;
}

Status RpcNode::check_wallet() {
  JsonWriter params;
  params.begin_array().end_array();
  auto answer = expect("getwalletinfo", params, true);
  if (!answer) return pass(answer);
  const JsonValue* const keys = answer->find("private_keys_enabled");
  if (keys != nullptr && keys->kind == JsonValue::Kind::boolean && !keys->boolean) {
    return fail(ExitCode::usage, "the wallet has no keys: it can watch but not pay",
                "name another: --wallet");
  }
  if (const auto unlocked_until = answer->integer_at("unlocked_until");
      unlocked_until && *unlocked_until == 0) {
    return std::unexpected(
        describe_fault("getwalletinfo", {rpc_wallet_unlock_needed, std::string()}));
  }
  return {};
}

Result<std::optional<RpcNode::WalletEntry>> RpcNode::wallet_transaction(const Hash256& txid) {
  auto answer = find("gettransaction", with_hash(txid).end_array(), true);
  if (!answer) return pass(answer);
  if (!*answer) return std::optional<WalletEntry>();
  WalletEntry entry;
  const auto confirmations = (*answer)->integer_at("confirmations");
  if (!confirmations) return odd_answer("gettransaction", "confirmations");
  entry.confirmations = *confirmations;
  entry.block_hash = (*answer)->hash_at("blockhash");
  if (entry.confirmations > 0 && !entry.block_hash) {
    return odd_answer("gettransaction", "blockhash");
  }
  return std::optional(entry);
}

Result<RpcNode::Funded> RpcNode::fund(std::span<const bitcoin::TxIn> inputs, ByteView payload,
                                      double fee_rate_sat_per_vbyte) {
  JsonWriter create;
  create.begin_array().begin_array();
  for (const bitcoin::TxIn& input : inputs) {
    create.begin_object();
    create.member("txid", to_hex_reversed(input.previous_output.txid));
    create.member("vout", input.previous_output.index);
    create.member("sequence", input.sequence);
    create.end_object();
  }
  create.end_array().begin_array().begin_object().member("data", to_hex(payload)).end_object();
  create.end_array().end_array();
  auto raw = expect("createrawtransaction", create, false);
  if (!raw) return pass(raw);

  JsonWriter fund;
  fund.begin_array().value(raw->text).begin_object();
  fund.member("lockUnspents", true).member("replaceable", true);
  if (!inputs.empty()) fund.member("add_inputs", true);
  // Per 1000 vbytes, which every version takes; "fee_rate" is newer.
  if (fee_rate_sat_per_vbyte > 0) fund.member("feeRate", coins_text(fee_rate_sat_per_vbyte * 1000));
  // Not in witness form: without inputs the two forms cannot be told apart.
  fund.end_object().value(false).end_array();
  auto answer = expect("fundrawtransaction", fund, true);
  if (!answer) return pass(answer);
  Funded funded;
  const auto hex = answer->text_at("hex");
  auto bytes = hex ? from_hex(*hex) : std::nullopt;
  if (!bytes) return odd_answer("fundrawtransaction", "hex");
  const JsonValue* const fee = answer->find("fee");
  const auto fee_sat = fee != nullptr ? amount_sat(*fee) : std::nullopt;
  if (!fee_sat) return odd_answer("fundrawtransaction", "fee");
  funded.raw_transaction = std::move(*bytes);
  funded.fee_sat = static_cast<std::uint64_t>(*fee_sat);
  return funded;
}

Result<Bytes> RpcNode::sign(ByteView raw_transaction) {
  JsonWriter params;
  params.begin_array().value(to_hex(raw_transaction)).end_array();
  auto answer = expect("signrawtransactionwithwallet", params, true);
  if (!answer) return pass(answer);
  const JsonValue* const complete = answer->find("complete");
  if (complete == nullptr || complete->kind != JsonValue::Kind::boolean) {
    return odd_answer("signrawtransactionwithwallet", "complete");
  }
  if (!complete->boolean) {
    return fail(ExitCode::refuted, "the wallet cannot sign for the coins that it chose",
                "does it only watch, or need further signers?");
  }
  const auto hex = answer->text_at("hex");
  auto bytes = hex ? from_hex(*hex) : std::nullopt;
  if (!bytes || bytes->empty()) return odd_answer("signrawtransactionwithwallet", "hex");
  return std::move(*bytes);
}

Result<RpcNode::Sent> RpcNode::send(ByteView raw_transaction) {
  JsonWriter params;
  params.begin_array().value(to_hex(raw_transaction)).end_array();
  auto reply = connection_->call("sendrawtransaction", params.text(), false);
  if (!reply) return pass(reply);
  Sent sent;
  if (!reply->fault) return sent;
  const std::string_view said = reply->fault->message;
  sent.reason = escape(said);
  // The codes -25 and -26 stand for many reasons, which have names in the message
  // (Bitcoin Core's validation.cpp, MemPoolAccept).
  if (reply->fault->code == rpc_verify_already_in_chain || contains(said, "already-in-mempool") ||
      contains(said, "txn-already-known")) {
    sent.outcome = SendOutcome::accepted;
  } else if (contains(said, "fee not met") || contains(said, "insufficient fee") ||
             contains(said, "mempool full") || contains(said, "insufficient priority")) {
    sent.outcome = SendOutcome::fee_too_low;
  } else if (contains(said, "too-long-mempool-chain") || contains(said, "too-large-cluster")) {
    sent.outcome = SendOutcome::busy;
  } else if (contains(said, "Fee exceeds maximum") || contains(said, "max-fee-exceeded")) {
    sent.outcome = SendOutcome::fee_too_high;
  } else if (reply->fault->code == -25 || reply->fault->code == -26) {
    sent.outcome = SendOutcome::refused;
  } else {
    return std::unexpected(describe_fault("sendrawtransaction", *reply->fault));
  }
  return sent;
}

Status RpcNode::lock_outputs(std::span<const bitcoin::OutPoint> outputs, bool lock) {
  JsonWriter params;
  params.begin_array().value(!lock).begin_array();
  for (const bitcoin::OutPoint& output : outputs) {
    params.begin_object();
    params.member("txid", to_hex_reversed(output.txid)).member("vout", output.index);
    params.end_object();
  }
  params.end_array().end_array();
  auto reply = connection_->call("lockunspent", params.text(), true);
  if (!reply) return pass(reply);
  return {};  // "output already locked", "expected locked output": as wished
}

}  // namespace twinchain::ledger
