#include <unistd.h>

#include <algorithm>

#include "twinchain/base/crc32c.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/net/mempool.hpp"

namespace twinchain::net {
namespace {

// 8 bytes "TWPOOL01", genesis hash; then for each transaction, parents first: its size u32, CRC-32C
// of its bytes u32, time of admission in seconds i64, its bytes. Little-endian.
constexpr std::string_view pool_file_magic = "TWPOOL01";
constexpr std::size_t pool_record_head_size = 16;
constexpr std::size_t pool_batch_bytes = std::size_t{16} << 20;
constexpr std::size_t pool_batch_count = 10'000;

struct PoolRecords {
  std::vector<Bytes> raw;
  std::uint64_t next = 0;  ///< offset of the first byte behind them
  bool damaged = false;    ///< what follows is not a record
};

/// Reads records until there are enough for a batch.
Result<PoolRecords> read_records(File& file, std::uint64_t at, std::uint64_t size_bytes,
                                 std::uint64_t max_bytes) {
  PoolRecords records;
  std::size_t bytes = 0;
  while (at < size_bytes && bytes < pool_batch_bytes && records.raw.size() < pool_batch_count) {
    records.next = at;
    std::array<std::uint8_t, pool_record_head_size> head{};
    auto read = file.pread(head, at);
    if (!read) return pass(read);
    ByteCursor cursor{ByteView(head).first(*read)};
    const auto size = cursor.read_le<std::uint32_t>();
    const auto crc = cursor.read_le<std::uint32_t>();
    (void)cursor.read_le<std::int64_t>();
    if (!cursor.ok() || size > max_bytes || size > size_bytes - at - head.size()) {
      records.damaged = true;
      return records;
    }
    Bytes raw(size);
    read = file.pread(raw, at + head.size());
    if (!read) return pass(read);
    if (*read != size || crc32c(raw) != crc) {
      records.damaged = true;
      return records;
    }
    bytes += size;
    at += head.size() + size;
    records.raw.push_back(std::move(raw));
  }
  records.next = at;
  return records;
}

}  // namespace

Status LocalPool::save(Fs& fs, const std::string& path) const {
  const std::string temporary = path + ".tmp-" + decimal(static_cast<std::int64_t>(::getpid()));
  auto there = fs.exists(temporary);
  if (!there) return pass(there);
  if (*there) TWINCHAIN_TRY(fs.remove(temporary));
  auto file = fs.open(temporary, OpenMode::create_new);
  if (!file) return pass(file);
  Bytes buffer;
  append(buffer, pool_file_magic);
  append(buffer, genesis_hash(parameters_));
  const auto flush = [&]() -> Status {
    const ByteView pieces[] = {buffer};
    TWINCHAIN_TRY((*file)->append(pieces));
    buffer.clear();
    return {};
  };
  for (const PoolEntry* entry : by_sequence()) {
    const Bytes raw = bitcoin::serialize(entry->transaction->tx, bitcoin::TxEncoding::no_witness);
    append_le(buffer, static_cast<std::uint32_t>(raw.size()));
    append_le(buffer, crc32c(raw));
    append_le(buffer, entry->time_s);
    append(buffer, raw);
    if (buffer.size() > (std::size_t{1} << 20)) TWINCHAIN_TRY(flush());
  }
  TWINCHAIN_TRY(flush());
  TWINCHAIN_TRY((*file)->sync());
  TWINCHAIN_TRY(fs.rename(temporary, path));
  return fs.sync_folder(parent_folder(path));
}

Result<PoolLoad> LocalPool::load(Fs& fs, const std::string& path) {
  PoolLoad load;
  auto there = fs.exists(path);
  if (!there) return pass(there);
  if (!*there) return load;
  auto file = fs.open(path, OpenMode::read);
  if (!file) return pass(file);
  auto size = (*file)->size_bytes();
  if (!size) return pass(size);
  Bytes wanted;
  append(wanted, pool_file_magic);
  append(wanted, genesis_hash(parameters_));
  Bytes preamble(wanted.size());
  auto read = (*file)->pread(preamble, 0);
  if (!read) return pass(read);
  if (*read < preamble.size()) {
    load.dropped_bytes = *size;
    return load;
  }
  if (preamble != wanted) {
    return fail(ExitCode::usage, escape(path) + ": no mempool file of this network");
  }
  std::uint64_t at = preamble.size();
  while (at < *size) {
    auto records = read_records(**file, at, *size, parameters_.transaction_limit_bytes);
    if (!records) return pass(records);
    const std::vector<ByteView> views(records->raw.begin(), records->raw.end());
    auto admissions = admit(views);
    if (!admissions) return pass(admissions);
    for (const Admission& admission : *admissions) {
      ++(admission.verdict.accepted() ? load.admitted : load.refused);
    }
    at = records->next;
    if (records->damaged) {
      load.dropped_bytes = *size - at;
      return load;
    }
  }
  return load;
}

}  // namespace twinchain::net
