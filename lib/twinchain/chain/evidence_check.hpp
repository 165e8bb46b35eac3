// Checks an evidence bundle: EVIDENCE frames and the SLICE frames that they are about. Floor 4.
//
// Proven is, by a signed and anchored link, that the windows shown are windows FIRST to LAST of one
// record and what was sealed as such, that no window between them is missing, and what the links
// next to them say. Neither the record, nor the network, nor a store is needed. One pass; memory is
// a few frames, whatever the size of the bundle.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "twinchain/chain/audit.hpp"

namespace twinchain::chain {

struct EvidenceOptions {
  /// Policy, ledger and threads as for an audit; of the rest only check_receipt and find_block are
  /// used.
  AuditOptions audit;
  /// The text of the verifier's own policy file. Evidence that brings a policy asks for this very
  /// text: nobody has signed the one in the bundle.
  std::optional<std::string> policy_text;
};

/// Not thread-safe; has threads of its own.
class EvidenceCheck {
 public:
  explicit EvidenceCheck(EvidenceOptions options);
  ~EvidenceCheck();
  EvidenceCheck(EvidenceCheck&&) noexcept;

  /// Reads a bundle to its end; several are taken one after another. All that is wrong with it is
  /// a finding; an error is one of the operating system's.
  Status read(const std::string& name, StreamReader& reader);
  /// Called with the bytes read, now and then. False ends read() with ExitCode::unproven.
  void on_progress(std::function<bool(std::uint64_t)> go_on);
  /// A report as of an audit, with a record for each EVIDENCE frame: its links are the windows
  /// shown, its last_link_hash is that of the link proven_by_link. Call it once.
  AuditReport finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace twinchain::chain
