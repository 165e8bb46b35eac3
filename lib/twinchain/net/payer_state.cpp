#include "twinchain/net/payer_state.hpp"

#include <algorithm>
#include <cstring>

#include "twinchain/base/hex.hpp"
#include "twinchain/base/text.hpp"

namespace twinchain::net {
namespace {

enum PayerRecord : std::uint16_t {
  record_owner = 0,
  record_payment = 1,
  record_buried = 2,
  record_abandoned = 3,
  record_base = 4,
  record_frames = 5
};

std::unexpected<Error> bad_record(const char* what) {
  return fail(ExitCode::malformed, what);
}

ByteView ids_view(const std::vector<Id128>& ids, Bytes& storage) {
  storage.clear();
  storage.reserve(ids.size() * sizeof(Id128));
  for (const Id128& id : ids) append(storage, id);
  return storage;
}

std::vector<Id128> read_ids(ByteCursor& cursor, std::size_t count) {
  std::vector<Id128> ids;
  ids.reserve(count);
  for (std::size_t i = 0; i < count; ++i) ids.push_back(cursor.read_array<sizeof(Id128)>());
  return ids;
}

}  // namespace

Result<std::unique_ptr<PayerState>> PayerState::open(Fs& fs, const std::string& folder,
                                                     const ChainParameters& parameters,
                                                     const EcdsaPublicKey& key,
                                                     const PayerStateOptions& options) {
  std::unique_ptr<PayerState> state(new PayerState(fs, folder, parameters, key, options));
  TWINCHAIN_TRY(fs.make_folders(folder));
  auto lock = fs.lock(folder + "/lock");
  if (!lock) return pass(lock);
  state->lock_ = std::move(*lock);
  TWINCHAIN_TRY(state->load());
  TWINCHAIN_TRY(state->compact());
  return state;
}

Status PayerState::load() {
  auto there = fs_.exists(log_path());
  if (!there) return pass(there);
  if (!*there) return {};
  auto log = record::SpoolLog::open(
      fs_, log_path(), [this](const record::SpoolRecord& record) { return replay(record); });
  if (!log) {
    if (log.error().code == ExitCode::malformed) {
      log.error().hint =
          "what it held is perhaps not in the chain: keep the folder, start with an empty one, and "
          "send the record again (what is sent twice is read once)";
    }
    return pass(log);
  }
  torn_bytes_ = log->torn_bytes();
  // The name is given to whole files only: an empty one was never ours.
  if (log->headless()) return bad_record("the log of payments has no head");
  auto reader = fs_.open(log_path(), OpenMode::read);
  if (!reader) return pass(reader);
  reader_ = std::move(*reader);
  return {};
}

Status PayerState::replay(const record::SpoolRecord& record) {
  if (record.type == record_owner) return replay_owner(record.payload);
  if (!has_owner_) return bad_record("no owner before the first record");
  ByteCursor cursor(record.payload);
  switch (record.type) {
    case record_payment:
      return replay_payment(record);
    case record_buried: {
      const auto count = cursor.read_le<std::uint32_t>();
      const auto height = cursor.read_le<std::uint32_t>();
      if (!cursor.at_end() || count > payments_.size()) return bad_record("buried payments");
      forget_first(count, height);
      return {};
    }
    case record_abandoned: {
      const auto from = cursor.read_le<std::uint32_t>();
      if (!cursor.at_end() || from > payments_.size()) return bad_record("abandoned payments");
      move_to_abandoned(from);
      return {};
    }
    case record_base:
      return replay_base(record.payload);
    case record_frames:
      return replay_frames(record.payload);
    default:
      return bad_record("a record of a newer version");
  }
}

Status PayerState::replay_owner(ByteView payload) {
  ByteCursor cursor(payload);
  const auto genesis = cursor.read_array<32>();
  const auto key = cursor.read_array<33>();
  if (!cursor.at_end()) return bad_record("owner");
  if (genesis != genesis_hash(parameters_)) {
    return fail(ExitCode::usage,
                escape(folder_, 400) + ": state of the network " + to_hex_reversed(genesis),
                "--state names another folder");
  }
  if (key != key_) {
    return fail(ExitCode::usage, escape(folder_, 400) + ": state of the key " + to_hex(key),
                "--state names another folder, --key another key");
  }
  has_owner_ = true;
  return {};
}

Status PayerState::replay_payment(const record::SpoolRecord& record) {
  ByteCursor cursor(record.payload);
  const auto replaces = cursor.read_array<32>();
  const auto count = cursor.read_le<std::uint32_t>();
  if (!cursor.ok() || count > cursor.remaining() / sizeof(Id128)) return bad_record("payment");
  Payment payment;
  payment.frames = read_ids(cursor, count);
  payment.offset = record.offset + record::spool_record_head_size + cursor.offset();
  const ByteView raw = cursor.read_view(cursor.remaining());
  TransactionPtr transaction;
  const Verdict verdict = read_transaction(parameters_, raw, transaction);
  if (!verdict.accepted()) return bad_record("transaction of a payment");
  if (transaction->tx.outputs[0].script_pubkey != pay_to_key_hash_script(key_)) {
    return bad_record("payment without change");
  }
  if (replaces != Hash256{}) {
    if (abandoned_.empty() || abandoned_.front().txid != replaces) {
      return bad_record("payment in the place of an unknown one");
    }
    abandoned_.pop_front();
  }
  payment.txid = transaction->txid;
  for (const bitcoin::TxIn& input : transaction->tx.inputs) {
    payment.inputs.push_back(input.previous_output);
  }
  payment.change_sat = transaction->tx.outputs[0].value_sat;
  payment.size_bytes = raw.size();
  chain_time_s_ = std::max(chain_time_s_, transaction->tx.lock_time);
  for (const Id128& id : payment.frames) frames_.insert(id);
  payments_.push_back(std::move(payment));
  return {};
}

Status PayerState::replay_base(ByteView payload) {
  ByteCursor cursor(payload);
  const auto has_base = cursor.read_le<std::uint8_t>();
  PayerCoin coin;
  coin.outpoint.txid = cursor.read_array<32>();
  coin.outpoint.index = cursor.read_le<std::uint32_t>();
  coin.value_sat = cursor.read_le<std::int64_t>();
  const auto height = cursor.read_le<std::uint32_t>();
  chain_time_s_ = cursor.read_le<std::uint32_t>();
  if (!cursor.at_end() || has_base > 1 || !bitcoin::is_money(coin.value_sat)) {
    return bad_record("base");
  }
  if (has_base == 1) base_ = coin;
  first_height_ = height;
  return {};
}

Status PayerState::replay_frames(ByteView payload) {
  ByteCursor cursor(payload);
  const auto generation = cursor.read_le<std::uint8_t>();
  if (!cursor.ok() || generation > 1 || cursor.remaining() % sizeof(Id128) != 0) {
    return bad_record("frames");
  }
  const std::vector<Id128> ids = read_ids(cursor, cursor.remaining() / sizeof(Id128));
  frames_.restore(generation, ids);
  return {};
}

void PayerState::forget_first(std::size_t payments, std::uint32_t height) {
  if (payments > 0) base_ = payments_[payments - 1].change();
  payments_.erase(payments_.begin(), payments_.begin() + static_cast<std::ptrdiff_t>(payments));
  first_height_ = height;
}

/// In front: what is abandoned now was sent before what had been abandoned and not replaced yet.
void PayerState::move_to_abandoned(std::size_t from) {
  while (payments_.size() > from) {
    abandoned_.push_front(std::move(payments_.back()));
    payments_.pop_back();
  }
}

std::optional<PayerCoin> PayerState::tip() const {
  if (!payments_.empty()) return payments_.back().change();
  return base_;
}

Status PayerState::add(const NetTransaction& transaction, std::vector<Id128> frames,
                       bool replaces) {
  Bytes head;
  append(head, replaces ? abandoned_.at(0).txid : Hash256{});
  append_le(head, static_cast<std::uint32_t>(frames.size()));
  Bytes storage;
  const ByteView ids = ids_view(frames, storage);
  const Bytes raw = bitcoin::serialize(transaction.tx, bitcoin::TxEncoding::no_witness);
  Payment payment;
  payment.txid = transaction.txid;
  for (const bitcoin::TxIn& input : transaction.tx.inputs) {
    payment.inputs.push_back(input.previous_output);
  }
  payment.change_sat = transaction.tx.outputs[change_output_index].value_sat;
  payment.size_bytes = raw.size();
  chain_time_s_ = std::max(chain_time_s_, transaction.tx.lock_time);
  payment.offset = log_->size_bytes() + record::spool_record_head_size + head.size() + ids.size();
  const ByteView pieces[] = {head, ids, raw};
  TWINCHAIN_TRY(log_->append(record_payment, pieces));
  if (replaces) abandoned_.pop_front();
  for (const Id128& id : frames) frames_.insert(id);
  payment.frames = std::move(frames);
  payments_.push_back(std::move(payment));
  return {};
}

Status PayerState::bury(std::size_t payments, std::uint32_t height) {
  Bytes record;
  append_le(record, static_cast<std::uint32_t>(payments));
  append_le(record, height);
  const ByteView pieces[] = {record};
  TWINCHAIN_TRY(log_->append(record_buried, pieces));
  forget_first(payments, height);
  return compact_if_worth_it();
}

Status PayerState::abandon_from(std::size_t payment) {
  Bytes record;
  append_le(record, static_cast<std::uint32_t>(payment));
  const ByteView pieces[] = {record};
  TWINCHAIN_TRY(log_->append(record_abandoned, pieces));
  move_to_abandoned(payment);
  return log_->sync();
}

Result<Bytes> PayerState::read(const Payment& payment) {
  Bytes raw(payment.size_bytes);
  auto count = reader_->pread(raw, payment.offset);
  if (!count) return pass(count);
  if (*count != raw.size()) {
    return fail(ExitCode::system, escape(log_path(), 400) + " became shorter");
  }
  return raw;
}

Status PayerState::compact_if_worth_it() {
  std::uint64_t useful = sizeof(Id128) * frames_.size();
  for (const Payment& payment : payments_) useful += payment.size_bytes;
  for (const Payment& payment : abandoned_) useful += payment.size_bytes;
  const std::uint64_t size = log_->size_bytes();
  if (size < useful + std::max(useful, options_.waste_bytes)) return {};
  return compact();
}

Status PayerState::write_payment(record::SpoolLog& log, Payment& payment) {
  auto raw = read(payment);
  if (!raw) return pass(raw);
  Bytes head;
  append(head, Hash256{});
  append_le(head, static_cast<std::uint32_t>(payment.frames.size()));
  Bytes storage;
  const ByteView ids = ids_view(payment.frames, storage);
  payment.offset = log.size_bytes() + record::spool_record_head_size + head.size() + ids.size();
  const ByteView pieces[] = {head, ids, *raw};
  return log.append(record_payment, pieces);
}

Status PayerState::write_live(record::SpoolLog& log) {
  const auto put = [&log](PayerRecord type, ByteView payload) {
    const ByteView pieces[] = {payload};
    return log.append(type, pieces);
  };
  Bytes record;
  append(record, genesis_hash(parameters_));
  append(record, key_);
  TWINCHAIN_TRY(put(record_owner, record));
  record.clear();
  append_le(record, static_cast<std::uint8_t>(base_ ? 1 : 0));
  const PayerCoin base = base_.value_or(PayerCoin{});
  append(record, base.outpoint.txid);
  append_le(record, base.outpoint.index);
  append_le(record, base.value_sat);
  append_le(record, first_height_);
  append_le(record, chain_time_s_);
  TWINCHAIN_TRY(put(record_base, record));
  for (const std::uint8_t generation : {std::uint8_t{0}, std::uint8_t{1}}) {
    record.assign(1, generation);
    for (const Id128& id : frames_.generation(generation).all()) append(record, id);
    TWINCHAIN_TRY(put(record_frames, record));
  }
  // The abandoned ones came after those that stay: one record turns them into what they are.
  const auto kept = static_cast<std::uint32_t>(payments_.size());
  for (Payment& payment : payments_) TWINCHAIN_TRY(write_payment(log, payment));
  for (Payment& payment : abandoned_) TWINCHAIN_TRY(write_payment(log, payment));
  record.clear();
  append_le(record, kept);
  if (!abandoned_.empty()) TWINCHAIN_TRY(put(record_abandoned, record));
  return log.sync();
}

Status PayerState::compact() {
  const std::string temporary = log_path() + ".new";
  auto there = fs_.exists(temporary);
  if (!there) return pass(there);
  if (*there) TWINCHAIN_TRY(fs_.remove(temporary));
  auto log = record::SpoolLog::create(fs_, temporary);
  if (!log) return pass(log);
  TWINCHAIN_TRY(write_live(*log));
  TWINCHAIN_TRY(fs_.rename(temporary, log_path()));
  TWINCHAIN_TRY(fs_.sync_folder(folder_));
  log_ = std::move(*log);
  auto reader = fs_.open(log_path(), OpenMode::read);
  if (!reader) return pass(reader);
  reader_ = std::move(*reader);
  return {};
}

}  // namespace twinchain::net
