// The unspent outputs of a chain (the UTXO set) in LMDB. Floor 5.
//
// One LMDB transaction applies a block: its coins, the data to undo it, and the tip that says how
// far the set is. So after a crash the set is that of before or of after the block, never between.
// The folder holds LMDB's data.mdb and lock.mdb:
//
//   meta   "format" -> "twinchain coins 1", "tip" -> block hash, height u32
//   coins  txid, index u32 big-endian -> value i64, 2 * height + coinbase u32, script
//   undo   height u32 big-endian -> block hash, hash of the block before, count u32 of the spent,
//          each: txid, index u32 big-endian, size u32, the coin's value as above; count u32 of the
//          created, each: txid, index u32 big-endian
//
// Little-endian where nothing else is said.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "twinchain/base/result.hpp"
#include "twinchain/bitcoin/tx.hpp"

namespace twinchain::storage {

struct Coin {
  std::int64_t value_sat = 0;
  std::uint32_t height = 0;  ///< of the block that made it
  bool coinbase = false;     ///< made by a miner: maturity is to be looked at
  Bytes script_pubkey;
  bool operator==(const Coin&) const = default;
};

/// The order of the database: txid, then index.
bool before(const bitcoin::OutPoint& a, const bitcoin::OutPoint& b);

/// The newest block that is in the set.
struct CoinTip {
  Hash256 block{};
  std::uint32_t height = 0;
  bool operator==(const CoinTip&) const = default;
};

/// What a block does to the set. A coin that is made and spent within the block is in neither list.
struct CoinChanges {
  std::vector<bitcoin::OutPoint> spent;
  std::vector<std::pair<bitcoin::OutPoint, Coin>> created;
};

struct CoinDatabaseOptions {
  /// Address space, not memory or disk: the set can grow to this. Opening with more later is fine.
  std::uint64_t map_bytes = std::uint64_t{256} << 30;
  /// Blocks that can be undone: no reorganisation is deeper.
  std::uint32_t undo_blocks = 1'000;
  /// False: a commit does not wait for the disk, and a power cut may damage the database (a killed
  /// process does not). For simulations.
  bool durable = true;
};

/// The set as it was at one moment, whatever is written meanwhile. Belongs to one thread at a time;
/// must not outlive its database. A snapshot that is held long keeps the file from reusing space.
class CoinSnapshot {
 public:
  CoinSnapshot(CoinSnapshot&& other) noexcept;
  CoinSnapshot& operator=(CoinSnapshot&& other) noexcept;
  ~CoinSnapshot();

  /// Nothing when there is no such unspent coin. ExitCode::system or malformed.
  Result<std::optional<Coin>> find(const bitcoin::OutPoint& outpoint) const;
  [[nodiscard]] const CoinTip& tip() const { return tip_; }

 private:
  friend class CoinDatabase;
  struct Reading;
  explicit CoinSnapshot(std::unique_ptr<Reading> reading);
  std::unique_ptr<Reading> reading_;
  CoinTip tip_;
};

/// One process at a time writes. snapshot() and the getters are thread-safe, what writes is to be
/// called by one thread at a time.
class CoinDatabase {
 public:
  /// Opens or makes a database. A new one holds the coins of the genesis block, which is its tip.
  /// ExitCode::system, malformed (damaged, or not such a database), usage (another genesis).
  static Result<std::unique_ptr<CoinDatabase>> open(
      const std::string& folder, const Hash256& genesis,
      const std::vector<std::pair<bitcoin::OutPoint, Coin>>& genesis_coins,
      const CoinDatabaseOptions& options = {});
  ~CoinDatabase();

  [[nodiscard]] const CoinTip& tip() const { return tip_; }
  Result<CoinSnapshot> snapshot() const;
  [[nodiscard]] Result<std::uint64_t> count() const;

  /// Applies the block after the tip. ExitCode::refuted, and nothing changed, when a spent coin is
  /// not there or a created one is; bug when `block` does not follow the tip.
  Status connect(const CoinTip& block, const Hash256& previous, CoinChanges changes);
  /// Takes back the tip; gives the tip before it. ExitCode::unproven when the data to undo it are
  /// gone (older than undo_blocks).
  Result<CoinTip> disconnect();

  /// Whether disconnect() can bring the tip down to this height.
  [[nodiscard]] Result<bool> can_undo_to(std::uint32_t height) const;

  /// All coins in order, until `visit` gives false.
  Status visit(const std::function<bool(const bitcoin::OutPoint&, const Coin&)>& visit) const;

 private:
  friend class CoinSnapshot;
  struct Environment;
  CoinDatabase(std::unique_ptr<Environment> environment, const CoinDatabaseOptions& options);
  std::unique_ptr<Environment> environment_;
  CoinDatabaseOptions options_;
  CoinTip tip_;
};

}  // namespace twinchain::storage
