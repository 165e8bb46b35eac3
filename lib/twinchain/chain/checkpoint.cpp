#include "twinchain/chain/checkpoint.hpp"

#include <algorithm>

#include "twinchain/base/hex.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/crypto/merkle.hpp"
#include "twinchain/crypto/merkle_proof.hpp"

namespace twinchain::chain {
namespace {

constexpr std::string_view origin_prefix = "twinchain/";
constexpr std::string_view link_prefix = "link ";

/// Finds the inclusion path of one leaf while leaves are appended, however many there will be.
class PathFollower {
 public:
  explicit PathFollower(std::uint64_t index) : index_(index) {}

  void append(const Hash256& leaf_hash) {
    peaks_.push_back({0, leaf_hash, size_++ == index_});
    while (peaks_.size() > 1 && peaks_[peaks_.size() - 2].level == peaks_.back().level) join();
  }
  /// After the last leaf, once: the path from the leaf to the root.
  std::vector<Hash256> finish() {
    while (peaks_.size() > 1) join();
    return std::move(path_);
  }
  [[nodiscard]] std::uint64_t size() const { return size_; }

 private:
  struct Peak {
    unsigned level = 0;
    Hash256 root{};
    bool has_leaf = false;
  };
  void join() {
    const Peak right = peaks_.back();
    peaks_.pop_back();
    Peak& left = peaks_.back();
    if (left.has_leaf) path_.push_back(right.root);
    if (right.has_leaf) path_.push_back(left.root);
    left = {left.level + 1, merkle_node(left.root, right.root), left.has_leaf || right.has_leaf};
  }

  std::uint64_t index_;
  std::uint64_t size_ = 0;
  std::vector<Peak> peaks_;
  std::vector<Hash256> path_;
};

std::unexpected<Error> bad_checkpoint(const std::string& what) {
  return fail(ExitCode::malformed, "checkpoint: " + what);
}

/// Hands each link of a stream to `take`, in order; ends at the first fault.
Status walk_links(StreamReader& reader,
                  const std::function<Status(const SignedLink&, std::uint64_t)>& take) {
  while (true) {
    auto event = reader.next();
    if (!event) return pass(event);
    switch (event->kind) {
      case StreamEventKind::frame: {
        const Frame& frame = event->frame;
        if (frame.header.type == FrameType::link) {
          auto link = parse_link_frame(frame.header, frame.body.view());
          if (!link) {
            return fail(ExitCode::malformed, "LINK frame " + decimal(frame.header.sequence) +
                                                 " at byte " + decimal(frame.offset) + ": " +
                                                 link.error().message);
          }
          TWINCHAIN_TRY(take(*link, frame.offset));
        }
        reader.recycle(std::move(event->frame.body));
        break;
      }
      case StreamEventKind::end:
        break;
      case StreamEventKind::damage:
      case StreamEventKind::truncated:
        return fail(ExitCode::malformed,
                    "input damaged at byte " + decimal(event->offset) + ": " + event->message);
      case StreamEventKind::stopped:
        return fail(ExitCode::loss, "stopped by a signal before the input ended");
      case StreamEventKind::finished:
        return {};
    }
  }
}

Result<LinkFollower::Head> follow_to_head(StreamReader& reader, const std::optional<Id128>& source,
                                          const std::function<void(const Link&)>& follow) {
  LinkFollower follower;
  TWINCHAIN_TRY(walk_links(reader, [&](const SignedLink& link, std::uint64_t offset) -> Status {
    if (source && link.link.source != *source) return {};
    auto step = follower.take(link, offset);
    if (!step) return pass(step);
    if (*step != LinkFollower::Step::repeated && follow) follow(link.link);
    return {};
  }));
  const auto& heads = follower.heads();
  if (heads.empty()) return fail(ExitCode::refuted, "there is no link to make a checkpoint of");
  if (heads.size() > 1) {
    return fail(ExitCode::usage,
                "the stream has " + decimal(std::uint64_t{heads.size()}) + " sources with links",
                "--source NAME says which one is meant");
  }
  return heads.begin()->second;
}

}  // namespace

Checkpoint make_checkpoint(const LinkFollower::Head& head) {
  Checkpoint out;
  out.origin = std::string(origin_prefix) + to_hex(head.link.record);
  out.size = head.link.number + 1;
  out.root = head.link.history_root;
  out.extensions.push_back(std::string(link_prefix) + decimal(head.link.number) + " " +
                           to_hex(head.hash));
  return out;
}

Result<LinkCheckpoint> read_link_checkpoint(const Checkpoint& checkpoint) {
  LinkCheckpoint out;
  const std::string_view origin = checkpoint.origin;
  const auto record = origin.starts_with(origin_prefix)
                          ? from_hex(origin.substr(origin_prefix.size()))
                          : std::nullopt;
  if (!record || record->size() != out.record.size()) {
    return bad_checkpoint("its origin is not \"twinchain/\" and the id of a record");
  }
  std::copy(record->begin(), record->end(), out.record.begin());
  if (checkpoint.size == 0) return bad_checkpoint("of no link");
  out.number = checkpoint.size - 1;
  out.history_root = checkpoint.root;
  std::optional<Hash256> hash;
  for (const std::string& line : checkpoint.extensions) {
    if (!line.starts_with(link_prefix)) continue;  // somebody else's
    const std::string expected = std::string(link_prefix) + decimal(out.number) + " ";
    if (hash || !line.starts_with(expected)) return bad_checkpoint("its link line is not right");
    hash = hash_from_hex(std::string_view(line).substr(expected.size()));
    if (!hash) return bad_checkpoint("its link line is not right");
  }
  if (!hash) return bad_checkpoint("without a link line");
  out.link_hash = *hash;
  if (checkpoint.origin != std::string(origin_prefix) + to_hex(out.record)) {
    return bad_checkpoint("its origin is not in lower case");
  }
  return out;
}

Result<LinkFollower::Head> newest_head(StreamReader& reader, const std::optional<Id128>& source) {
  return follow_to_head(reader, source, {});
}

Result<FrameProof> prove_frame(StreamReader& reader, const std::optional<Id128>& source,
                               std::uint64_t index) {
  PathFollower path(index);
  bool whole = true;
  auto head = follow_to_head(reader, source, [&](const Link& link) {
    if (link.number == 0) {
      path = PathFollower(index);
      whole = true;
    }
    if (link.number != path.size()) whole = false;
    path.append(merkle_leaf(link.frame_root));
  });
  if (!head) return pass(head);
  if (!whole) {
    return fail(ExitCode::refuted, "a proof needs all links from 0 on, the stream begins later");
  }
  if (index > head->link.number) {
    return fail(ExitCode::refuted, "there is no frame " + decimal(index) + ", the newest is " +
                                       decimal(head->link.number));
  }
  return FrameProof{*head, path.finish()};
}

Result<CheckpointFound> find_proven_frame(StreamReader& reader, const LinkCheckpoint& checkpoint,
                                          const TlogProof& proof) {
  std::optional<CheckpointFound> found;
  TWINCHAIN_TRY(walk_links(reader, [&](const SignedLink& link, std::uint64_t offset) -> Status {
    if (link.link.record != checkpoint.record || link.link.number != proof.index) return {};
    if (!verify_link_signature(link)) {
      return fail(ExitCode::refuted, "link " + decimal(link.link.number) + " at byte " +
                                         decimal(offset) + " has a false signature");
    }
    if (!verify_inclusion(merkle_leaf(link.link.frame_root), proof.index, checkpoint.number + 1,
                          proof.path, checkpoint.history_root)) {
      return fail(ExitCode::refuted, "the proof does not lead from frame " + decimal(proof.index) +
                                         " to the root of the checkpoint");
    }
    found = CheckpointFound{link.link.source, false};
    return {};
  }));
  if (found) return *found;
  return fail(ExitCode::refuted,
              "the stream has no link " + decimal(proof.index) + " of the checkpoint's record");
}

Result<CheckpointFound> find_checkpoint(StreamReader& reader, const LinkCheckpoint& checkpoint) {
  LinkFollower follower;
  std::optional<MerkleFrontier> history;
  std::optional<CheckpointFound> found;
  std::uint64_t newest = 0;
  bool any = false;
  TWINCHAIN_TRY(
      walk_links(reader, [&](const SignedLink& signed_link, std::uint64_t offset) -> Status {
        const Link& link = signed_link.link;
        if (link.record != checkpoint.record) return {};
        auto step = follower.take(signed_link, offset);
        if (!step) return pass(step);
        if (*step == LinkFollower::Step::repeated) return {};
        any = true;
        newest = link.number;
        if (link.number == 0) history.emplace();
        if (history) history->append(merkle_leaf(link.frame_root));
        if (link.number != checkpoint.number) return {};
        if (link_hash(link) != checkpoint.link_hash) {
          return fail(ExitCode::refuted, "link " + decimal(link.number) +
                                             " of the stream is another one than that of the "
                                             "checkpoint: the chain was forked");
        }
        if (link.history_root != checkpoint.history_root ||
            (history && history->root() != checkpoint.history_root)) {
          return fail(ExitCode::refuted, "the root of the checkpoint is not that of the " +
                                             decimal(checkpoint.number + 1) +
                                             " frames of the stream up to link " +
                                             decimal(link.number));
        }
        found = CheckpointFound{link.source, history.has_value()};
        return {};
      }));
  if (found) return *found;
  if (!any) return fail(ExitCode::refuted, "the stream has no link of the checkpoint's record");
  return fail(ExitCode::refuted, "the stream ends with link " + decimal(newest) + ", link " +
                                     decimal(checkpoint.number) +
                                     " of the checkpoint is not there");
}

Status check_continues(const Checkpoint& older, const ConsistencyProof& proof,
                       const Checkpoint& newer) {
  if (older.origin != newer.origin) {
    return fail(ExitCode::refuted,
                "the older checkpoint is of another record, " + escape(older.origin));
  }
  if (older.size != proof.old_size) {
    return fail(ExitCode::refuted, "the older checkpoint has " + decimal(older.size) +
                                       " frames, the proof is for " + decimal(proof.old_size));
  }
  if (!verify_consistency(older.size, newer.size, proof.hashes, older.root, newer.root)) {
    return fail(ExitCode::refuted, "the record does not continue that of the older checkpoint");
  }
  return {};
}

ExitCode CheckpointReport::code() const {
  bool unproven = signatures.empty() || (proven_frame && !found) || (old_size && !continues);
  if (continues && !*continues) return ExitCode::refuted;
  bool malformed = false;
  for (const KeyVerdict& one : signatures) {
    if (one.verdict) continue;
    if (one.verdict.error().code == ExitCode::refuted) return ExitCode::refuted;
    unproven = true;
  }
  if (found && !*found) {
    if (found->error().code == ExitCode::refuted) return ExitCode::refuted;
    malformed = true;
  }
  if (malformed) return ExitCode::malformed;
  return unproven ? ExitCode::unproven : ExitCode::success;
}

std::string checkpoint_report_text(const CheckpointReport& report) {
  const ExitCode code = report.code();
  std::string text = code == ExitCode::success     ? "verified"
                     : code == ExitCode::refuted   ? "refuted"
                     : code == ExitCode::malformed ? "damaged"
                                                   : "not proven";
  text += ": checkpoint of " + escape(report.checkpoint.origin) + ", " +
          decimal(report.checkpoint.size) + " frames\n";
  if (report.signatures.empty()) {
    text += "unproven: no key was given, so it is not proven who signed\n";
  }
  for (const CheckpointReport::KeyVerdict& one : report.signatures) {
    if (!one.verdict) {
      text += one.verdict.error().code == ExitCode::refuted ? "refuted: " : "unproven: ";
      text += one.verdict.error().message + "\n";
      continue;
    }
    text += one.key.type == NoteKeyType::cosignature ? "cosigned: by " : "signed: by ";
    text += escape(one.key.name);
    if (one.key.type == NoteKeyType::cosignature) {
      // A witness may write any number there.
      const std::uint64_t time_s = one.verdict->time_s;
      text += " at " + (time_s < 9'000'000'000
                            ? format_time_ns(static_cast<std::int64_t>(time_s) * 1'000'000'000)
                            : decimal(time_s) + " seconds after 1970");
    }
    text += "\n";
  }
  if (report.old_size && !report.continues) {
    text += "unproven: no older checkpoint was given, of " + decimal(*report.old_size) +
            " frames, that this one continues\n";
  } else if (report.continues && *report.continues) {
    text += "continues: the first " + decimal(*report.old_size) +
            " frames are those of the older checkpoint\n";
  } else if (report.continues) {
    text += "refuted: " + report.continues->error().message + "\n";
  }
  if (report.proven_frame && !report.found) {
    text += "unproven: no stream was given with frame " + decimal(*report.proven_frame) +
            ", of which this is the proof\n";
  } else if (report.proven_frame && *report.found) {
    text += "found: frame " + decimal(*report.proven_frame) + " of the stream, source " +
            to_hex((*report.found)->source) + ", is in the tree of the checkpoint\n";
  } else if (report.found && *report.found) {
    text += "found: in the stream, source " + to_hex((*report.found)->source);
    text += (*report.found)->history_computed
                ? ", and its root is that of all frames up to there\n"
                : ", and its root is what the link says; computing it needs all links from 0\n";
  } else if (report.found) {
    text += report.found->error().code == ExitCode::refuted ? "refuted: " : "malformed: ";
    text += report.found->error().message + "\n";
  }
  for (const std::string& line : report.checkpoint.extensions) {
    if (line.starts_with(link_prefix)) text += "head: " + escape(line) + "\n";
  }
  return text;
}

}  // namespace twinchain::chain
