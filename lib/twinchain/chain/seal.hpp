// Decides what link a DATA frame gets: a new one, its old one, or none. Floor 4.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "twinchain/base/clock.hpp"
#include "twinchain/chain/chain_state.hpp"
#include "twinchain/chain/keys.hpp"
#include "twinchain/chain/link.hpp"
#include "twinchain/record/data_frame.hpp"

namespace twinchain::chain {

/// The signing key in a file that twin-key may rotate while we run. Not thread-safe.
class KeyFollower {
 public:
  static Result<std::unique_ptr<KeyFollower>> open(Fs& fs, const std::string& path,
                                                   std::function<void(std::string_view)> warn);
  /// Reads the file again when it is another one than before. A file that cannot be read leaves
  /// the key in use and is warned of, once.
  void refresh();
  [[nodiscard]] const SecretKeyFile& key() const { return key_; }
  [[nodiscard]] const PublicKey& public_key() const { return public_key_; }
  [[nodiscard]] const Hash256& next_key_hash() const { return next_key_hash_; }

 private:
  /// What tells one version of the file from the next; all zeros where there is no such file.
  struct Stamp {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::int64_t changed_ns = 0;
    bool operator==(const Stamp&) const = default;
  };
  static Stamp stamp_of(const std::string& path);
  KeyFollower(Fs& fs, std::string path, SecretKeyFile key, Stamp stamp,
              std::function<void(std::string_view)> warn);
  void use(SecretKeyFile key);

  Fs& fs_;
  std::string path_;
  SecretKeyFile key_;
  PublicKey public_key_{};
  Hash256 next_key_hash_{};
  Stamp stamp_;
  std::function<void(std::string_view)> warn_;
};

/// Lost windows that one gap may have: a larger one is more likely a wrong input.
inline constexpr std::uint64_t max_lost_windows = 1'000'000;

struct SealerOptions {
  /// Seal windows that are missing as lost instead of refusing.
  bool accept_loss = false;
  /// The newest known block; empty: no beacon.
  std::function<std::optional<Beacon>()> beacon = {};
};

/// A DATA frame that check_data_frame() has passed, with its root.
struct SealRequest {
  record::DataHeader data;
  Hash256 root{};
  std::uint64_t offset = 0;  ///< of its frame in the input, for messages
};

struct SealCounts {
  std::uint64_t sealed = 0;  ///< new links of DATA frames
  std::uint64_t resent = 0;  ///< DATA frames that had their link already
  std::uint64_t lost = 0;    ///< new links of lost windows
};

/// Not thread-safe. Errors are ExitCode::refuted: the answer is no, and the message says which
/// link of which source.
class Sealer {
 public:
  /// Takes a link that goes out before the DATA frame: a lost window's.
  using EmitLost = std::function<Status(const SignedLink&)>;

  /// All outlive the sealer.
  Sealer(ChainState& state, KeyFollower& keys, Clock& clock, SealerOptions options);

  /// The link that follows the DATA frame. It is added to the state, not committed.
  Result<SignedLink> seal(const SealRequest& request, const EmitLost& emit_lost);
  /// A LINK frame in the input: true when it is to be passed on, because its source is none of
  /// ours; false when it is the same that seal() gives, so that it would be there twice.
  Result<bool> pass_link_on(const SignedLink& link, std::uint64_t offset);
  /// Remembers a source's name for messages.
  void learn_name(const Id128& source, std::string name);
  /// Call before a batch: picks up a rotated key.
  void refresh_key() { keys_.refresh(); }

  [[nodiscard]] const SealCounts& counts() const { return counts_; }

 private:
  Result<SignedLink> seal_again(const SealRequest& request, const EmitLost& emit_lost);
  Status seal_gap(const SealRequest& request, std::uint64_t next, const EmitLost& emit_lost);
  Status emit_lost_before(const Id128& source, std::uint64_t number, const EmitLost& emit_lost);
  Status check_key(const Id128& source, const ChainHead* head) const;
  /// Fills what does not come from the window, signs, adds to the state.
  Result<SignedLink> add_link(Link link);
  [[nodiscard]] Error missing_frames(const SealRequest& request, std::uint64_t next) const;
  [[nodiscard]] std::string source_name(const Id128& source) const;
  [[nodiscard]] std::string frame_name(const SealRequest& request) const;

  ChainState& state_;
  KeyFollower& keys_;
  Clock& clock_;
  SealerOptions options_;
  SealCounts counts_;
  std::unordered_map<Id128, std::string, SourceHash> names_;
  /// Sources of which this run has given a link already.
  std::unordered_set<Id128, SourceHash> begun_;
  /// Sources with links in the input that we did not make.
  std::unordered_set<Id128, SourceHash> foreign_;
};

/// Refuses (ExitCode::refuted) when a chain in the state would be cut off by rotating `key`,
/// because its newest link is not signed by it. For twin-key rotate.
Status check_rotation(const ChainState& state, const PublicKeyFile::Epoch& key);

}  // namespace twinchain::chain
