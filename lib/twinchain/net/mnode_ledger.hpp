// A network of M-nodes as a ledger: anchors in ordinary transactions, receipts as of any other
// chain. Floor 6.
//
// What the node says is believed as little as possible. Its headers are taken from the genesis
// block on and checked (HeaderLine); a block counts when it is among them; a transaction is in a
// block when the Merkle branch says so. What remains: that there is no branch with more work that
// the node keeps to itself; and, without parameters from elsewhere, which network it is. A node can
// also lie about the coins of the key that pays: then a transaction is refused, or pays more fee
// than was meant.
//
// Between questions the node may close the link: then there is a new one, without an error.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "twinchain/base/clock.hpp"
#include "twinchain/ledger/ledger.hpp"
#include "twinchain/net/chain_parameters.hpp"
#include "twinchain/net/send_frames.hpp"

namespace twinchain::net {

struct MnodeLedgerOptions {
  /// Which network it must be. None: what the node says is believed.
  std::optional<ChainParameters> parameters;
  /// File with the key that pays (payer_key.hpp), read when it is needed. Empty: nothing is
  /// published.
  std::string payer_key_file;
};

struct LinkedNode {
  std::unique_ptr<NodeLink> link;
  ChainParameters parameters;
};
/// Makes a link to the node. With parameters: it must be of this network.
using LinkToNode = std::function<Result<LinkedNode>(const ChainParameters* parameters)>;

/// `name`: of the node, for people. Of the ledger's options counts: fee_rate_sat_per_vbyte,
/// timeout_ms, cancel.
std::unique_ptr<ledger::Ledger> make_mnode_ledger(const std::string& name, LinkToNode connect,
                                                  Clock& clock,
                                                  const ledger::LedgerOptions& ledger_options,
                                                  const MnodeLedgerOptions& options);

/// Any ledger: mnode:HOST:PORT, and what ledger::open_ledger() opens. No node is asked yet.
/// ExitCode::usage.
Result<std::unique_ptr<ledger::Ledger>> open_ledger(const std::string& url,
                                                    const ledger::LedgerOptions& ledger_options,
                                                    const MnodeLedgerOptions& options, bool create);

}  // namespace twinchain::net
