// JSON-RPC with a node: one call, one answer. Floor 4.
//
// Source: JSON-RPC 1.0 over HTTP/1.1 as Bitcoin Core's httprpc.cpp speaks it.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "twinchain/base/result.hpp"
#include "twinchain/ledger/ledger.hpp"
#include "twinchain/ledger/rpc_json.hpp"

namespace twinchain::ledger {

/// The node understood the call and said no. The numbers are those of Bitcoin Core's
/// rpc/protocol.h.
struct RpcFault {
  std::int64_t code = 0;
  std::string message;  ///< as the node sent it: not escaped
};
struct RpcReply {
  std::optional<RpcFault> fault;
  JsonValue result;  ///< when there is no fault
};

/// No answer of a node is taken that is longer.
inline constexpr std::size_t max_rpc_answer_size = std::size_t{4} * 1024 * 1024;

/// Calls that are asked for at once.
inline constexpr std::size_t max_rpc_batch = 1000;

/// Reads the body of an answer to a batch of `count` calls with the ids 0 to count - 1; answers may
/// come in any order. Errors as below.
Result<std::vector<RpcReply>> parse_rpc_batch(std::string_view body, std::size_t count);

/// Reads the body of an answer. ExitCode::malformed when it is no answer to a call.
Result<RpcReply> parse_rpc_reply(std::string_view body);

class RpcConnection {
 public:
  virtual ~RpcConnection() = default;
  /// `params` is a JSON array. `to_wallet`: the call is one for the wallet that the options name.
  /// Errors: ExitCode::peer (node away, starting, busy, too slow), usage (credentials refused,
  /// access forbidden), malformed (what answers is no node). Not thread-safe.
  virtual Result<RpcReply> call(std::string_view method, std::string_view params,
                                bool to_wallet) = 0;
  /// The same call with each of these parameters, answers in their order; none `to_wallet`. At most
  /// max_rpc_batch. The default asks one by one.
  virtual Result<std::vector<RpcReply>> call_many(std::string_view method,
                                                  std::span<const std::string> params);
};

/// Checks the options' form and reads the credentials; connects with the first call, and again
/// whenever the connection is gone. A cookie is read again when the node refuses it, because a
/// node that starts writes a new one. Time-outs: options.timeout_ms each to connect, to send and to
/// wait for the answer. ExitCode::usage for a malformed URL, for credentials that others can read.
Result<std::unique_ptr<RpcConnection>> open_rpc_connection(const std::string& http_url,
                                                           const LedgerOptions& options);

}  // namespace twinchain::ledger
