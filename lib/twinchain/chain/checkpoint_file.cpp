#include "twinchain/chain/checkpoint_file.hpp"

#include "twinchain/base/text.hpp"

namespace twinchain::chain {

Result<CheckpointFile> parse_checkpoint_file(ByteView bytes) {
  CheckpointFile out;
  if (as_text(bytes).starts_with("c2sp.org/tlog-proof@")) {
    auto proof = parse_tlog_proof(bytes);
    if (!proof) return pass(proof);
    out.note = proof->checkpoint;
    out.frame = std::move(*proof);
  } else if (as_text(bytes).starts_with("old ")) {
    auto proof = parse_consistency_proof(bytes);
    if (!proof) return pass(proof);
    out.note = proof->checkpoint;
    out.consistency = std::move(*proof);
  } else {
    auto note = parse_note(bytes);
    if (!note) return pass(note);
    out.note = std::move(*note);
  }
  auto checkpoint = parse_checkpoint(out.note.text);
  if (!checkpoint) return pass(checkpoint);
  out.checkpoint = std::move(*checkpoint);
  return out;
}

}  // namespace twinchain::chain
