#include "twinchain/storage/coin_database.hpp"

#include <lmdb.h>

#include <algorithm>
#include <tuple>

#include "twinchain/storage/index_check.hpp"
#include "twinchain/sys/fd.hpp"
#include "twinchain/sys/fs.hpp"

namespace twinchain::storage {
namespace {

using bitcoin::OutPoint;

constexpr std::string_view coins_format = "twinchain coins 1";
constexpr std::uint64_t coins_check_bytes = std::uint64_t{64} << 20;
constexpr std::size_t coin_key_size = 36;
constexpr std::size_t coin_head_size = 12;
constexpr unsigned coin_readers = 1'024;

using CoinKey = std::array<std::uint8_t, coin_key_size>;

std::unexpected<Error> coins_error(const char* operation, int code) {
  const std::string what = std::string("coin database: ") + operation;
  if (code > 0) return std::unexpected(errno_error(what, code));
  const bool system = code == MDB_MAP_FULL || code == MDB_READERS_FULL || code == MDB_TXN_FULL;
  return fail(system ? ExitCode::system : ExitCode::malformed,
              what + ": " + std::string(mdb_strerror(code)));
}

std::unexpected<Error> coins_malformed() {
  return fail(ExitCode::malformed, "coin database: malformed record");
}

MDB_val coin_value_of(ByteView bytes) {
  return {bytes.size(), const_cast<std::uint8_t*>(bytes.data())};  // LMDB does not write to it
}
ByteView coin_view_of(const MDB_val& value) {
  return {static_cast<const std::uint8_t*>(value.mv_data), value.mv_size};
}

std::array<std::uint8_t, 4> big_endian(std::uint32_t number) {
  return {static_cast<std::uint8_t>(number >> 24), static_cast<std::uint8_t>(number >> 16),
          static_cast<std::uint8_t>(number >> 8), static_cast<std::uint8_t>(number)};
}

CoinKey coin_key(const OutPoint& outpoint) {
  CoinKey key{};
  std::memcpy(key.data(), outpoint.txid.data(), 32);
  const auto index = big_endian(outpoint.index);
  std::memcpy(&key[32], index.data(), 4);
  return key;
}

OutPoint decode_coin_key(ByteView key) {
  OutPoint outpoint;
  std::memcpy(outpoint.txid.data(), key.data(), 32);
  for (std::size_t i = 32; i < coin_key_size; ++i) outpoint.index = outpoint.index << 8 | key[i];
  return outpoint;
}

void append_coin(Bytes& out, const Coin& coin) {
  append_le(out, coin.value_sat);
  append_le(out, 2 * coin.height + (coin.coinbase ? 1U : 0U));
  append(out, coin.script_pubkey);
}

std::optional<Coin> decode_coin(ByteView value) {
  if (value.size() < coin_head_size) return std::nullopt;
  Coin coin;
  coin.value_sat = load_le<std::int64_t>(value.data());
  const auto code = load_le<std::uint32_t>(&value[8]);
  coin.height = code / 2;
  coin.coinbase = (code & 1) != 0;
  const ByteView script = value.subspan(coin_head_size);
  coin.script_pubkey.assign(script.begin(), script.end());
  return coin;
}

Bytes encode_tip(const CoinTip& tip) {
  Bytes out;
  append(out, tip.block);
  append_le(out, tip.height);
  return out;
}

/// A cursor of a write transaction, closed before that ends.
class CoinCursor {
 public:
  CoinCursor() = default;
  CoinCursor(const CoinCursor&) = delete;
  CoinCursor& operator=(const CoinCursor&) = delete;
  ~CoinCursor() {
    if (cursor_ != nullptr) mdb_cursor_close(cursor_);
  }
  int open(MDB_txn* txn, MDB_dbi dbi) { return mdb_cursor_open(txn, dbi, &cursor_); }
  [[nodiscard]] MDB_cursor* get() const { return cursor_; }

 private:
  MDB_cursor* cursor_ = nullptr;
};

/// Aborted by its end unless committed.
class CoinWriting {
 public:
  CoinWriting() = default;
  CoinWriting(const CoinWriting&) = delete;
  CoinWriting& operator=(const CoinWriting&) = delete;
  ~CoinWriting() {
    if (txn_ != nullptr) mdb_txn_abort(txn_);
  }
  Status begin(MDB_env* env, unsigned flags = 0) {
    const int code = mdb_txn_begin(env, nullptr, flags, &txn_);
    if (code == 0) return {};
    txn_ = nullptr;
    return coins_error("begin", code);
  }
  Status commit() {
    const int code = mdb_txn_commit(std::exchange(txn_, nullptr));
    if (code != 0) return coins_error("commit", code);
    return {};
  }
  [[nodiscard]] MDB_txn* txn() const { return txn_; }

 private:
  MDB_txn* txn_ = nullptr;
};

Status put_record(MDB_txn* txn, MDB_dbi dbi, ByteView key, ByteView value) {
  MDB_val k = coin_value_of(key);
  MDB_val v = coin_value_of(value);
  const int code = mdb_put(txn, dbi, &k, &v, 0);
  if (code != 0) return coins_error("write", code);
  return {};
}

/// Takes coins out; `undo` gets them. The list is in order.
Status remove_coins(MDB_cursor* cursor, std::span<const OutPoint> spent, Bytes& undo) {
  append_le(undo, static_cast<std::uint32_t>(spent.size()));
  for (const OutPoint& outpoint : spent) {
    const CoinKey key = coin_key(outpoint);
    MDB_val k = coin_value_of(key);
    MDB_val v{};
    int code = mdb_cursor_get(cursor, &k, &v, MDB_SET_KEY);
    if (code == MDB_NOTFOUND) {
      return fail(ExitCode::refuted, "coin database: a spent coin is not there");
    }
    if (code != 0) return coins_error("read", code);
    append(undo, key);
    append_le(undo, static_cast<std::uint32_t>(v.mv_size));
    append(undo, coin_view_of(v));
    code = mdb_cursor_del(cursor, 0);
    if (code != 0) return coins_error("write", code);
  }
  return {};
}

Status add_coin(MDB_cursor* cursor, const CoinKey& key, ByteView value) {
  MDB_val k = coin_value_of(key);
  MDB_val v = coin_value_of(value);
  const int code = mdb_cursor_put(cursor, &k, &v, MDB_NOOVERWRITE);
  if (code == MDB_KEYEXIST) {
    return fail(ExitCode::refuted, "coin database: a created coin is there already");
  }
  if (code != 0) return coins_error("write", code);
  return {};
}

Status add_coins(MDB_cursor* cursor, const std::vector<std::pair<OutPoint, Coin>>& created,
                 Bytes* undo) {
  if (undo != nullptr) append_le(*undo, static_cast<std::uint32_t>(created.size()));
  Bytes value;
  for (const auto& [outpoint, coin] : created) {
    const CoinKey key = coin_key(outpoint);
    value.clear();
    append_coin(value, coin);
    TWINCHAIN_TRY(add_coin(cursor, key, value));
    if (undo != nullptr) append(*undo, key);
  }
  return {};
}

}  // namespace

bool before(const OutPoint& a, const OutPoint& b) {
  return std::tie(a.txid, a.index) < std::tie(b.txid, b.index);
}

struct CoinDatabase::Environment {
  MDB_env* env = nullptr;
  MDB_dbi meta = 0;
  MDB_dbi coins = 0;
  MDB_dbi undo = 0;

  Environment() = default;
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;
  ~Environment() {
    if (env != nullptr) mdb_env_close(env);
  }

  Status open(const std::string& folder, const CoinDatabaseOptions& options) {
    if (const int code = mdb_env_create(&env); code != 0) return coins_error("create", code);
    mdb_env_set_maxdbs(env, 3);
    mdb_env_set_maxreaders(env, coin_readers);
    if (const int code = mdb_env_set_mapsize(env, options.map_bytes); code != 0) {
      return coins_error("map", code);
    }
    const unsigned flags = MDB_NOTLS | MDB_NORDAHEAD | (options.durable ? 0U : MDB_NOSYNC);
    if (const int code = mdb_env_open(env, folder.c_str(), flags, 0644); code != 0) {
      return coins_error("open", code);
    }
    int dead_readers = 0;
    (void)mdb_reader_check(env, &dead_readers);  // slots of readers that were killed
    return {};
  }

  Status open_databases(MDB_txn* txn) {
    int code = mdb_dbi_open(txn, "meta", MDB_CREATE, &meta);
    if (code == 0) code = mdb_dbi_open(txn, "coins", MDB_CREATE, &coins);
    if (code == 0) code = mdb_dbi_open(txn, "undo", MDB_CREATE, &undo);
    if (code != 0) return coins_error("open", code);
    return {};
  }

  /// An empty view when there is no such record.
  Result<ByteView> get(MDB_txn* txn, MDB_dbi dbi, ByteView key) const {
    MDB_val k = coin_value_of(key);
    MDB_val v{};
    const int code = mdb_get(txn, dbi, &k, &v);
    if (code == MDB_NOTFOUND) return ByteView{};
    if (code != 0) return coins_error("read", code);
    return coin_view_of(v);
  }

  Result<CoinTip> read_tip(MDB_txn* txn) const {
    auto record = get(txn, meta, as_bytes("tip"));
    if (!record) return pass(record);
    if (record->size() != 36) return coins_malformed();
    CoinTip tip;
    std::memcpy(tip.block.data(), record->data(), 32);
    tip.height = load_le<std::uint32_t>(&(*record)[32]);
    return tip;
  }

  Status put_tip(MDB_txn* txn, const CoinTip& tip) const {
    return put_record(txn, meta, as_bytes("tip"), encode_tip(tip));
  }
};

CoinDatabase::CoinDatabase(std::unique_ptr<Environment> environment,
                           const CoinDatabaseOptions& options)
    : environment_(std::move(environment)), options_(options) {}

CoinDatabase::~CoinDatabase() = default;

Result<std::unique_ptr<CoinDatabase>> CoinDatabase::open(
    const std::string& folder, const Hash256& genesis,
    const std::vector<std::pair<OutPoint, Coin>>& genesis_coins,
    const CoinDatabaseOptions& options) {
  Fs& fs = real_fs();
  const std::string path = folder + "/data.mdb";
  auto there = fs.exists(path);
  if (!there) return pass(there);
  if (*there) {
    auto verdict = check_lmdb_file(path, coins_check_bytes);
    if (!verdict) return pass(verdict);
    if (*verdict) return fail(ExitCode::malformed, "coin database: " + **verdict);
  } else {
    TWINCHAIN_TRY(fs.make_folders(folder));
  }
  auto environment = std::make_unique<Environment>();
  TWINCHAIN_TRY(environment->open(folder, options));
  CoinWriting writing;
  TWINCHAIN_TRY(writing.begin(environment->env));
  TWINCHAIN_TRY(environment->open_databases(writing.txn()));
  auto format = environment->get(writing.txn(), environment->meta, as_bytes("format"));
  if (!format) return pass(format);
  if (format->empty()) {
    const MDB_dbi meta = environment->meta;
    TWINCHAIN_TRY(put_record(writing.txn(), meta, as_bytes("format"), as_bytes(coins_format)));
    TWINCHAIN_TRY(put_record(writing.txn(), meta, as_bytes("genesis"), genesis));
    TWINCHAIN_TRY(environment->put_tip(writing.txn(), {genesis, 0}));
    CoinCursor cursor;
    if (const int code = cursor.open(writing.txn(), environment->coins); code != 0) {
      return coins_error("write", code);
    }
    TWINCHAIN_TRY(add_coins(cursor.get(), genesis_coins, nullptr));
  } else if (as_text(*format) != coins_format) {
    return fail(ExitCode::malformed, "coin database: of another version");
  }
  auto stored = environment->get(writing.txn(), environment->meta, as_bytes("genesis"));
  if (!stored) return pass(stored);
  if (!std::ranges::equal(*stored, genesis)) {
    return fail(ExitCode::usage, "coin database: of another network");
  }
  auto tip = environment->read_tip(writing.txn());
  if (!tip) return pass(tip);
  TWINCHAIN_TRY(writing.commit());
  std::unique_ptr<CoinDatabase> database(new CoinDatabase(std::move(environment), options));
  database->tip_ = *tip;
  return database;
}

Status CoinDatabase::connect(const CoinTip& block, const Hash256& previous, CoinChanges changes) {
  if (previous != tip_.block || block.height != tip_.height + 1) {
    return fail(ExitCode::bug, "coin database: a block that does not follow the tip");
  }
  // In the order of the keys the tree's pages are met one after the other.
  if (!std::is_sorted(changes.spent.begin(), changes.spent.end(), before)) {
    std::sort(changes.spent.begin(), changes.spent.end(), before);
  }
  const auto first_before = [](const auto& a, const auto& b) { return before(a.first, b.first); };
  if (!std::is_sorted(changes.created.begin(), changes.created.end(), first_before)) {
    std::sort(changes.created.begin(), changes.created.end(), first_before);
  }
  CoinWriting writing;
  TWINCHAIN_TRY(writing.begin(environment_->env));
  Bytes undo;
  undo.reserve(72 + changes.spent.size() * 80 + changes.created.size() * coin_key_size);
  append(undo, block.block);
  append(undo, previous);
  {
    CoinCursor cursor;
    if (const int code = cursor.open(writing.txn(), environment_->coins); code != 0) {
      return coins_error("write", code);
    }
    TWINCHAIN_TRY(remove_coins(cursor.get(), changes.spent, undo));
    TWINCHAIN_TRY(add_coins(cursor.get(), changes.created, &undo));
  }
  TWINCHAIN_TRY(put_record(writing.txn(), environment_->undo, big_endian(block.height), undo));
  if (block.height > options_.undo_blocks) {
    const auto old_key = big_endian(block.height - options_.undo_blocks);
    MDB_val key = coin_value_of(old_key);
    const int code = mdb_del(writing.txn(), environment_->undo, &key, nullptr);
    if (code != 0 && code != MDB_NOTFOUND) return coins_error("write", code);
  }
  TWINCHAIN_TRY(environment_->put_tip(writing.txn(), block));
  TWINCHAIN_TRY(writing.commit());
  tip_ = block;
  return {};
}

namespace {

/// Reads an undo record and applies it. The views into the map end with the first write, so that
/// the record is a copy.
Status apply_undo(MDB_cursor* cursor, ByteCursor& record) {
  struct Spent {
    CoinKey key;
    ByteView value;
  };
  const auto spent_count = record.read_le<std::uint32_t>();
  std::vector<Spent> spent;
  for (std::uint32_t i = 0; i < spent_count && record.ok(); ++i) {
    Spent one{record.read_array<coin_key_size>(), {}};
    one.value = record.read_view(record.read_le<std::uint32_t>());
    spent.push_back(one);
  }
  const auto created_count = record.read_le<std::uint32_t>();
  for (std::uint32_t i = 0; i < created_count && record.ok(); ++i) {
    const auto key = record.read_array<coin_key_size>();
    MDB_val k = coin_value_of(key);
    MDB_val v{};
    int code = record.ok() ? mdb_cursor_get(cursor, &k, &v, MDB_SET_KEY) : MDB_NOTFOUND;
    if (code == 0) code = mdb_cursor_del(cursor, 0);
    if (code == MDB_NOTFOUND) return coins_malformed();
    if (code != 0) return coins_error("write", code);
  }
  if (!record.at_end()) return coins_malformed();
  for (const Spent& one : spent) TWINCHAIN_TRY(add_coin(cursor, one.key, one.value));
  return {};
}

}  // namespace

Result<CoinTip> CoinDatabase::disconnect() {
  CoinWriting writing;
  TWINCHAIN_TRY(writing.begin(environment_->env));
  const auto undo_key = big_endian(tip_.height);
  auto stored = environment_->get(writing.txn(), environment_->undo, undo_key);
  if (!stored) return pass(stored);
  if (stored->empty()) {
    return fail(ExitCode::unproven, "coin database: the data to undo the tip are gone");
  }
  const Bytes record(stored->begin(), stored->end());
  ByteCursor cursor(record);
  const auto block = cursor.read_array<32>();
  const CoinTip previous{cursor.read_array<32>(), tip_.height - 1};
  if (!cursor.ok() || block != tip_.block) return coins_malformed();
  {
    CoinCursor coins;
    if (const int code = coins.open(writing.txn(), environment_->coins); code != 0) {
      return coins_error("write", code);
    }
    TWINCHAIN_TRY(apply_undo(coins.get(), cursor));
  }
  MDB_val key = coin_value_of(undo_key);
  if (const int code = mdb_del(writing.txn(), environment_->undo, &key, nullptr); code != 0) {
    return coins_error("write", code);
  }
  TWINCHAIN_TRY(environment_->put_tip(writing.txn(), previous));
  TWINCHAIN_TRY(writing.commit());
  tip_ = previous;
  return previous;
}

struct CoinSnapshot::Reading {
  const CoinDatabase::Environment* environment = nullptr;
  MDB_txn* txn = nullptr;

  Reading() = default;
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;
  ~Reading() {
    if (txn != nullptr) mdb_txn_abort(txn);
  }
};

CoinSnapshot::CoinSnapshot(std::unique_ptr<Reading> reading) : reading_(std::move(reading)) {}
CoinSnapshot::CoinSnapshot(CoinSnapshot&& other) noexcept = default;
CoinSnapshot& CoinSnapshot::operator=(CoinSnapshot&& other) noexcept = default;
CoinSnapshot::~CoinSnapshot() = default;

Result<std::optional<Coin>> CoinSnapshot::find(const OutPoint& outpoint) const {
  auto record =
      reading_->environment->get(reading_->txn, reading_->environment->coins, coin_key(outpoint));
  if (!record) return pass(record);
  if (record->empty()) return std::nullopt;
  auto coin = decode_coin(*record);
  if (!coin) return coins_malformed();
  return coin;
}

Result<CoinSnapshot> CoinDatabase::snapshot() const {
  auto reading = std::make_unique<CoinSnapshot::Reading>();
  reading->environment = environment_.get();
  const int code = mdb_txn_begin(environment_->env, nullptr, MDB_RDONLY, &reading->txn);
  if (code != 0) {
    reading->txn = nullptr;
    return coins_error("read", code);
  }
  auto tip = environment_->read_tip(reading->txn);
  if (!tip) return pass(tip);
  CoinSnapshot snapshot(std::move(reading));
  snapshot.tip_ = *tip;
  return snapshot;
}

Result<std::uint64_t> CoinDatabase::count() const {
  CoinWriting reading;
  TWINCHAIN_TRY(reading.begin(environment_->env, MDB_RDONLY));
  MDB_stat stat{};
  if (const int code = mdb_stat(reading.txn(), environment_->coins, &stat); code != 0) {
    return coins_error("read", code);
  }
  return std::uint64_t{stat.ms_entries};
}

Result<bool> CoinDatabase::can_undo_to(std::uint32_t height) const {
  if (height >= tip_.height) return true;
  CoinWriting reading;
  TWINCHAIN_TRY(reading.begin(environment_->env, MDB_RDONLY));
  auto record = environment_->get(reading.txn(), environment_->undo, big_endian(height + 1));
  if (!record) return pass(record);
  return !record->empty();
}

Status CoinDatabase::visit(const std::function<bool(const OutPoint&, const Coin&)>& visit) const {
  CoinWriting reading;
  TWINCHAIN_TRY(reading.begin(environment_->env, MDB_RDONLY));
  CoinCursor cursor;
  int code = cursor.open(reading.txn(), environment_->coins);
  MDB_val key{};
  MDB_val value{};
  while (code == 0) {
    code = mdb_cursor_get(cursor.get(), &key, &value, MDB_NEXT);
    if (code == MDB_NOTFOUND) return {};
    if (code != 0) break;
    const auto coin = decode_coin(coin_view_of(value));
    if (!coin || key.mv_size != coin_key_size) return coins_malformed();
    if (!visit(decode_coin_key(coin_view_of(key)), *coin)) return {};
  }
  return coins_error("read", code);
}

}  // namespace twinchain::storage
