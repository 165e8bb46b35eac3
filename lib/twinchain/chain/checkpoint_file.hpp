// A file with a checkpoint: alone, or behind a proof that leads to it (C2SP). Floor 4.
#pragma once

#include <optional>

#include "twinchain/base/result.hpp"
#include "twinchain/crypto/signed_note.hpp"

namespace twinchain::chain {

struct CheckpointFile {
  SignedNote note;
  Checkpoint checkpoint;  ///< what the note says
  /// At most one of the two: that a frame, or an older checkpoint, is in this one's tree.
  std::optional<TlogProof> frame;
  std::optional<ConsistencyProof> consistency;
};

/// Which of the three it is shows in its first line. Nothing is verified: neither signatures nor
/// proofs. ExitCode::malformed. Thread-safe.
Result<CheckpointFile> parse_checkpoint_file(ByteView bytes);

}  // namespace twinchain::chain
