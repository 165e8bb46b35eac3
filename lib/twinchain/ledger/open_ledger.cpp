#include <string_view>

#include "twinchain/base/clock.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/ledger/dir_ledger.hpp"
#include "twinchain/ledger/ledger.hpp"
#include "twinchain/ledger/rpc_ledger.hpp"
#include "twinchain/ledger/timestamp_ledger.hpp"

namespace twinchain::ledger {

Result<std::unique_ptr<Ledger>> open_ledger(const std::string& url, const LedgerOptions& options,
                                            bool create) {
  const std::size_t colon = url.find(':');
  const std::string scheme = url.substr(0, colon);
  const std::string rest = colon == std::string::npos ? "" : url.substr(colon + 1);
  if (colon != std::string::npos && scheme == "dir") {
    auto ledger = open_dir_ledger(real_fs(), system_clock(), rest, options, create);
    if (!ledger) return pass(ledger);
    return std::move(*ledger);
  }
  if (colon != std::string::npos && (scheme == "bitcoin" || scheme == "litecoin")) {
    return open_rpc_ledger(scheme, rest, options);
  }
  if (colon != std::string::npos && scheme == "tsa") {
    return open_timestamp_ledger(system_clock(), rest, options);
  }
  return fail(ExitCode::usage, "not a ledger: " + escape(url), ledger_forms);
}

}  // namespace twinchain::ledger
