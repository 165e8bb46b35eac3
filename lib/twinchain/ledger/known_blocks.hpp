// The blocks that a verifier can ask about: of ledgers, and of a file of block headers; and the
// time-stamp authorities that it believes. Floor 4.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "twinchain/crypto/timestamp_token.hpp"
#include "twinchain/ledger/header_chain.hpp"
#include "twinchain/ledger/ledger.hpp"
#include "twinchain/ledger/ots_check.hpp"

namespace twinchain::ledger {

/// Opens what a URL names, as open_ledger() does.
using LedgerOpener = std::function<Result<std::unique_ptr<Ledger>>(const std::string& url,
                                                                   const LedgerOptions& options)>;

/// A network that its users made, and how its headers are to be checked.
struct MadeNetwork {
  Network network;
  std::function<HeaderRule(std::uint32_t first_height)> rule;
};

struct KnownBlocksOptions {
  std::vector<std::string> urls;  ///< of ledgers, see open_ledger()
  LedgerOptions ledger;
  LedgerOpener open_ledger = {};  ///< empty: open_ledger()
  /// PEM files with certificates of time-stamp authorities, or of who issued theirs.
  std::vector<std::string> timestamp_certificates;
  std::string headers_path;  ///< empty: no file
  /// Of the headers. No name: that of which the first header is the first block.
  std::string network;
  std::optional<MadeNetwork> made_network;  ///< instead: it is this one
  std::uint32_t first_height = 0;
  std::optional<Hash256> first_hash;
};

struct KnownBlock {
  BlockPosition position;
  std::string trust;  ///< what believing this rests on; escaped
};

/// Not thread-safe.
class KnownBlocks {
 public:
  /// Reads and checks the headers; a ledger is asked when it is needed. Errors as open_ledger() and
  /// HeaderChain::open(), ExitCode::usage for a network that is not known.
  static Result<KnownBlocks> open(Fs& fs, const KnownBlocksOptions& options);

  [[nodiscard]] bool any() const { return !ledgers_.empty() || headers_ || !authorities_.empty(); }
  /// What believing the authority of a token rests on, escaped. ExitCode::unproven when it is not
  /// believed: why. The token is one that check_receipt() found to be sound.
  [[nodiscard]] Result<std::string> authority(ByteView token) const;
  /// Where a block of this network stands. Nothing: no ledger and no headers of the network are at
  /// hand. Of two ledgers of one network the one that has the block counts, for the other may be
  /// behind. ExitCode::peer when a ledger could not be asked and no other has the block.
  Result<std::optional<KnownBlock>> find(std::uint32_t network, const Hash256& block_hash);
  /// Of a network that is built in, or of one of which there are headers or a ledger that was
  /// asked.
  [[nodiscard]] std::optional<std::string> network_name(std::uint32_t network) const;
  /// The block at a height of the best chain of a network, as check_ots() asks for it.
  Result<OtsBlock> at(std::string_view network, std::uint32_t height);

 private:
  struct Source {
    std::unique_ptr<Ledger> ledger;
    std::optional<Network> network;
  };
  Status open_headers(Fs& fs, const KnownBlocksOptions& options);
  static Status find_network(Source& source);

  struct Authorities {
    TimestampTrust trust;
    std::string path;
  };

  std::vector<Source> ledgers_;
  std::vector<Authorities> authorities_;
  std::optional<HeaderChain> headers_;
  std::string headers_trust_;
};

}  // namespace twinchain::ledger
