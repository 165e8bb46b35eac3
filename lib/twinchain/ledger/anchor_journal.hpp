// What `anchor` must not forget: transactions sent and not yet deep enough. Floor 4.
//
// One file an anchor in the state folder, replaced atomically, so that a crash at any moment leaves
// either the old or the new content. A transaction is written down before it is sent; so after a
// restart the same one is sent again, never a second one for the same link. The format is in
// anchor(1). Not thread-safe; one process at a time (lock).
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "twinchain/base/result.hpp"
#include "twinchain/ledger/ledger.hpp"
#include "twinchain/stream/frame.hpp"
#include "twinchain/sys/fs.hpp"

namespace twinchain::ledger {

/// A link as anchoring sees it.
struct LinkReference {
  FrameHeader header;  ///< of its LINK frame; source, sequence and window are used
  Id128 record{};      ///< the same in all links of a chain
  Hash256 hash{};
};

/// A fleet is anchored by one transaction: its links' hashes are the leaves of a Merkle tree.
inline constexpr std::size_t max_fleet_size = 16384;

struct AnchorRecord {
  /// Of a fleet only the hash is used: fleet_hash() of its links.
  LinkReference link;
  std::string network;      ///< "litecoin-regtest"
  std::uint64_t order = 0;  ///< of its making: later ones may spend the change of earlier ones
  /// Oldest first; each later one replaces those before it with a higher fee. At least one.
  std::vector<Prepared> transactions;
  Bytes receipt;         ///< the ANCHOR frame's body; empty until it is deep enough
  bool emitted = false;  ///< the frame was written to the output
  /// Links of a fleet in the order of their leaves, at least two; empty: `link` is alone.
  std::vector<LinkReference> fleet = {};

  /// The links that are anchored by it.
  [[nodiscard]] std::span<const LinkReference> links() const {
    return fleet.empty() ? std::span(&link, 1) : std::span<const LinkReference>(fleet);
  }
};

/// The hash that stands for a fleet in its transaction.
Hash256 hash_of_fleet(std::span<const LinkReference> links);

/// More replacements than this are not made.
inline constexpr std::size_t max_transactions_per_anchor = 8;

std::string encode_anchor_record(const AnchorRecord& record);
/// ExitCode::malformed for anything that encode_anchor_record() does not write.
Result<AnchorRecord> parse_anchor_record(std::string_view text);

class AnchorJournal {
 public:
  /// Keeps everything in memory only.
  AnchorJournal() = default;
  /// Makes the folder when it is missing, locks it and reads it. A file that is damaged is an error
  /// (ExitCode::malformed), because guessing could publish twice.
  static Result<AnchorJournal> open(Fs& fs, const std::string& folder);

  /// By link hash.
  [[nodiscard]] const std::map<Hash256, AnchorRecord>& records() const { return records_; }
  [[nodiscard]] const AnchorRecord* find(const Hash256& link_hash) const;
  /// The record that anchors a link, alone or in a fleet; null when there is none.
  [[nodiscard]] const AnchorRecord* find_link(const Hash256& link_hash) const;
  /// Changes with every put() and remove().
  [[nodiscard]] std::uint64_t version() const { return version_; }
  [[nodiscard]] std::uint64_t next_order() const { return next_order_; }
  /// Durable when it returns. An error leaves the record in memory as it was.
  Status put(const AnchorRecord& record);
  Status remove(const Hash256& link_hash);
  /// Removes all but the newest anchors of a source that were emitted; those few are kept to be
  /// emitted again when their link comes again.
  Status prune(const Id128& source);

 private:
  [[nodiscard]] std::string path_of(const Hash256& link_hash) const;
  void index(const AnchorRecord& record);

  Fs* fs_ = nullptr;
  std::string folder_;
  std::unique_ptr<FileLock> lock_;
  std::map<Hash256, AnchorRecord> records_;
  std::map<Hash256, Hash256> fleets_;  ///< from a fleet's link to its record
  std::uint64_t next_order_ = 1;
  std::uint64_t version_ = 0;
};

}  // namespace twinchain::ledger
