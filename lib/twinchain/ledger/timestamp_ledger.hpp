// tsa:URL: a time-stamp authority (RFC 3161) in the place of a ledger. Floor 4.
//
// There are no blocks: what prepare() gets from the authority is the token, which is the receipt at
// once. It is asked by HTTP (RFC 3161, 3.4); the token is signed, so that plain HTTP takes nothing
// away from it.
#pragma once

#include <memory>
#include <string>

#include "twinchain/base/clock.hpp"
#include "twinchain/crypto/timestamp_token.hpp"
#include "twinchain/ledger/ledger.hpp"

namespace twinchain::ledger {

struct TimestampAddress {
  std::string host;     ///< an IPv6 number without its brackets
  std::string port;     ///< "80" when none is said
  std::string path;     ///< from its / on
  std::string display;  ///< escaped, "HOST:PORT"
};

/// "http://HOST[:PORT][/PATH]". ExitCode::usage for anything else.
Result<TimestampAddress> parse_timestamp_url(std::string_view url);

/// The authority is first asked by prepare(); asking needs no wallet. `payload` must be what
/// anchor_payload() makes: its hash is what is stamped. Errors of prepare(): as HttpClient; of the
/// answer, as take_timestamp_response() and TimestampTrust::check().
Result<std::unique_ptr<Ledger>> open_timestamp_ledger(Clock& clock, std::string_view url,
                                                      const LedgerOptions& options);

/// The certificates of a PEM file. ExitCode::usage when it cannot be read or has none.
Result<TimestampTrust> read_timestamp_trust(const std::string& path);

}  // namespace twinchain::ledger
