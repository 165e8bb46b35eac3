// Ledgers behind a node's JSON-RPC. Floor 4.
#pragma once

#include <memory>
#include <string>

#include "twinchain/base/result.hpp"
#include "twinchain/ledger/ledger.hpp"

namespace twinchain::ledger {

/// `family`: "bitcoin" or "litecoin"; `http_url`: "http://HOST:PORT".
Result<std::unique_ptr<Ledger>> open_rpc_ledger(const std::string& family,
                                                const std::string& http_url,
                                                const LedgerOptions& options);

}  // namespace twinchain::ledger
