// The head of a chain as a checkpoint of a transparency log (C2SP tlog-checkpoint). Floor 4.
//
//   twinchain/RECORD             origin: the record id in 32 hexadecimal digits
//   N + 1                        frames so far, N being the head's number
//   BASE64                       history root T_N: RFC 6962 tree over the frame roots
//   link N HASH                  extension: the head's hash in 64 hexadecimal digits
//
// A record's history tree is a log in the sense of C2SP, with frame roots as its entries, and the
// record id is all that is the same in all its links: names and keys may change. Witnesses of such
// logs can cosign it, and anybody's tools check inclusion and consistency against it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "twinchain/base/result.hpp"
#include "twinchain/chain/link_follower.hpp"
#include "twinchain/crypto/signed_note.hpp"
#include "twinchain/stream/reader.hpp"

namespace twinchain::chain {

/// What a checkpoint says of a chain.
struct LinkCheckpoint {
  Id128 record{};
  std::uint64_t number = 0;
  Hash256 history_root{};
  Hash256 link_hash{};
};

Checkpoint make_checkpoint(const LinkFollower::Head& head);
/// ExitCode::malformed when it is a checkpoint of another kind of log, or contradicts itself.
Result<LinkCheckpoint> read_link_checkpoint(const Checkpoint& checkpoint);

/// The newest link of a stream's one source, or of the one with this id, after all links have been
/// followed to the end (LinkFollower). ExitCode::usage when there are several sources and none was
/// named, ExitCode::refuted when there is no link or an unsound one, ExitCode::malformed for damage
/// and truncation.
Result<LinkFollower::Head> newest_head(StreamReader& reader, const std::optional<Id128>& source);

struct FrameProof {
  LinkFollower::Head head;
  /// The inclusion proof of RFC 6962 for one frame root in the head's history tree.
  std::vector<Hash256> path;
};
/// As newest_head(), with the proof that frame `index` is in its tree. The stream has all links
/// from 0 on (ExitCode::refuted otherwise, and when there is no such frame). Memory: O(log frames).
Result<FrameProof> prove_frame(StreamReader& reader, const std::optional<Id128>& source,
                               std::uint64_t index);

struct CheckpointFound {
  Id128 source{};
  bool history_computed = false;  ///< from the frame roots of all links from 0 on
};
/// The link of a checkpoint in a stream, with the links before it. ExitCode::refuted when the
/// stream's link of that number is another one, when the history root is not that of its frame
/// roots, or the link is not there; else as newest_head().
Result<CheckpointFound> find_checkpoint(StreamReader& reader, const LinkCheckpoint& checkpoint);

/// The link of frame `proof.index` in a stream, whose frame root the proof leads to the root of the
/// checkpoint. Errors as find_checkpoint().
Result<CheckpointFound> find_proven_frame(StreamReader& reader, const LinkCheckpoint& checkpoint,
                                          const TlogProof& proof);

/// The checkpoint of a consistency proof continues an older one of the same record: the older one's
/// root and the proof give the newer one's. ExitCode::refuted otherwise.
Status check_continues(const Checkpoint& older, const ConsistencyProof& proof,
                       const Checkpoint& newer);

/// What verify note has found.
struct CheckpointReport {
  Checkpoint checkpoint;
  std::optional<std::uint64_t> proven_frame;  ///< of a tlog-proof: its index
  struct KeyVerdict {
    NoteKey key;
    Result<NoteVerdict> verdict;
  };
  std::vector<KeyVerdict> signatures;            ///< one for each key that was given
  std::optional<Result<CheckpointFound>> found;  ///< when there was a stream to look in
  /// Of a consistency proof: the size of the tree that it is said to continue, and what
  /// check_continues() said when there was an older checkpoint.
  std::optional<std::uint64_t> old_size;
  std::optional<Status> continues;

  /// unproven without a key, for a tlog-proof without a stream, and for a consistency proof without
  /// the older checkpoint; else the worst of refuted,
  /// malformed, unproven, success.
  [[nodiscard]] ExitCode code() const;
};
/// The verdict, a line for each key, one for the stream, and the head.
std::string checkpoint_report_text(const CheckpointReport& report);

}  // namespace twinchain::chain
