// Where a node listens and how it lets us in. Floor 4.
#pragma once

#include <string>
#include <string_view>

#include "twinchain/base/result.hpp"
#include "twinchain/ledger/ledger.hpp"

namespace twinchain::ledger {

struct RpcAddress {
  std::string host;  ///< name or number; an IPv6 number without its brackets
  std::string port;
  [[nodiscard]] std::string display() const;  ///< escaped, "HOST:PORT"
};

/// "http://HOST:PORT", "http://[::1]:PORT/". ExitCode::usage for anything else: a path, a user name
/// and password (others would see them in the list of processes), https.
Result<RpcAddress> parse_rpc_url(std::string_view url);

/// "user:password" from the cookie file or the credentials file, empty when neither is named.
/// A cookie file that is not there: ExitCode::peer, because the node writes it when it starts. A
/// credentials file that others can read: ExitCode::usage.
Result<std::string> read_rpc_credentials(const LedgerOptions& options);

/// The path of an HTTP request for a wallet: "/wallet/NAME", escaped as a URL wants it.
std::string wallet_path(std::string_view wallet);

}  // namespace twinchain::ledger
