// Where the chains of a sealing machine stand, and their most recent links. Floor 4.
//
// A link is signed, added, made durable by commit(), and only then written out. After a crash the
// state is therefore never behind the output, and a DATA frame that is sent again gets the same
// link bytes again: no crash forks a chain or loses a link. Files: see chain_state_log.hpp.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "twinchain/chain/chain_state_log.hpp"

namespace twinchain::chain {

struct SourceHash {
  std::size_t operator()(const Id128& id) const { return load_le<std::size_t>(id.data()); }
};

/// Not thread-safe.
class ChainState {
 public:
  /// Without a folder: keeps memory_links_kept links, and commit() costs nothing.
  static std::unique_ptr<ChainState> in_memory();
  /// Takes the folder's lock; makes the folder when it is missing. Damage is ExitCode::malformed.
  static Result<std::unique_ptr<ChainState>> open(Fs& fs, const std::string& folder);
  /// For looking only, beside a writer: without lock, nothing is mended, add() is a bug.
  static Result<std::unique_ptr<ChainState>> look(Fs& fs, const std::string& folder);

  /// nullptr before the first link of a source. Valid until the next add().
  [[nodiscard]] const ChainHead* head(const Id128& source) const;
  /// All heads, ordered by source id.
  [[nodiscard]] std::vector<const ChainHead*> heads() const;
  /// A link among the most recent ones, not yet committed ones included; nothing when it is
  /// unknown or too old.
  Result<std::optional<SignedLink>> find(const Id128& source, std::uint64_t number);
  /// The number of the oldest link that find() knows; nothing when it knows none.
  [[nodiscard]] std::optional<std::uint64_t> oldest_kept(const Id128& source) const;

  /// The next link of a source. `head.history` has number + 1 leaves. Not durable yet.
  Status add(ChainHead head);
  /// Returns when all that was added is durable. After an error the state is of no more use: the
  /// added links must not be written out.
  Status commit();
  [[nodiscard]] std::size_t uncommitted() const { return pending_.size(); }

  [[nodiscard]] bool durable() const { return log_ != nullptr; }
  [[nodiscard]] const std::string& folder() const { return folder_; }
  /// Bytes at the end that a crash left unfinished, and open() passed over.
  [[nodiscard]] std::uint64_t torn_bytes() const { return log_ ? log_->torn_bytes() : 0; }

  /// At least so many of the most recent links are kept, and 1,024 for each source.
  static constexpr std::uint64_t links_kept = 65'536;
  static constexpr std::uint64_t memory_links_kept = 4'096;

 private:
  struct Chain {
    ChainHead head;
    /// Ordinals of its links from the oldest kept one to the head.
    std::deque<std::uint64_t> ordinals;
  };

  ChainState() = default;
  static Result<std::unique_ptr<ChainState>> open(Fs& fs, const std::string& folder,
                                                  StateLog::Access access);
  Status replay_checkpoint(bool first, std::vector<ChainHead> heads);
  Status replay_record(std::uint64_t ordinal, const SignedLink& link);
  Status roll_over();
  /// Drops from the index what is no longer kept.
  void forget_before(std::uint64_t ordinal);

  std::string folder_;
  std::unordered_map<Id128, Chain, SourceHash> chains_;
  std::unique_ptr<StateLog> log_;
  std::vector<SignedLink> pending_;
  std::uint64_t next_ordinal_ = 0;  ///< of the next link added
  /// Without a folder: the last committed links, the newest with ordinal next_ordinal_ - pending
  /// - 1.
  std::deque<SignedLink> recent_;
  bool failed_ = false;
};

}  // namespace twinchain::chain
