// The digest of the file that an OpenTimestamps proof is about. Floor 4.
#pragma once

#include <functional>

#include "twinchain/base/result.hpp"
#include "twinchain/ledger/ots.hpp"

namespace twinchain::ledger {

/// Reads to the end, in bounded memory. `operation`: OtsProof::file_hash. `progress` is told the
/// bytes so far. Thread-safe.
Result<Bytes> ots_digest(int fd, OtsOperation operation,
                         const std::function<void(std::uint64_t)>& progress);

}  // namespace twinchain::ledger
