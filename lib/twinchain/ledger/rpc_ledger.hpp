// Ledgers behind a node's JSON-RPC. Floor 4.
#pragma once

#include <memory>
#include <string>

#include "twinchain/base/result.hpp"
#include "twinchain/ledger/ledger.hpp"
#include "twinchain/ledger/rpc_client.hpp"

namespace twinchain::ledger {

/// `family`: "bitcoin" or "litecoin"; `http_url`: "http://HOST:PORT". Does not connect yet: that a
/// node is of another family shows with the first call that needs its network.
Result<std::unique_ptr<Ledger>> open_rpc_ledger(const std::string& family,
                                                const std::string& http_url,
                                                const LedgerOptions& options);

/// The same over any connection: for tests.
std::unique_ptr<Ledger> make_rpc_ledger(const std::string& family,
                                        std::unique_ptr<RpcConnection> connection,
                                        const LedgerOptions& options);

}  // namespace twinchain::ledger
