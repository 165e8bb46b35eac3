#include "twinchain/record/spool_log.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "twinchain/base/crc32c.hpp"
#include "twinchain/base/text.hpp"

namespace twinchain::record {
namespace {

constexpr std::array<std::uint8_t, spool_file_head_size> file_head{
    0x89, 'T', 'W', 's', 'p', 'o', 'o', 'l', '\n', 1, 0, 0, 0, 0, 0, 0};
constexpr std::uint32_t record_magic = 0x52537754;  // "TwSR"
constexpr std::size_t scan_chunk_size = std::size_t{256} << 10;

using RecordHead = std::array<std::uint8_t, spool_record_head_size>;

struct HeadFields {
  std::uint16_t type = 0;
  std::uint32_t payload_size = 0;
  std::uint32_t crc = 0;
  std::uint64_t durable_bytes = 0;
};

/// CRC over the head without its CRC field; the payload's is added to it.
std::uint32_t head_crc(const std::uint8_t* head) {
  return crc32c(ByteView(head + 16, 16), crc32c(ByteView(head, 12)));
}

std::optional<HeadFields> parse_head(ByteView bytes, std::uint64_t offset,
                                     std::uint64_t file_size) {
  if (bytes.size() < spool_record_head_size) return std::nullopt;
  ByteCursor in(bytes);
  HeadFields head;
  const auto magic = in.read_le<std::uint32_t>();
  head.type = in.read_le<std::uint16_t>();
  const auto reserved = in.read_le<std::uint16_t>();
  head.payload_size = in.read_le<std::uint32_t>();
  head.crc = in.read_le<std::uint32_t>();
  const auto own_offset = in.read_le<std::uint64_t>();
  head.durable_bytes = in.read_le<std::uint64_t>();
  const bool sound = magic == record_magic && reserved == 0 && own_offset == offset &&
                     head.durable_bytes <= offset && head.payload_size <= max_spool_record_size &&
                     head.payload_size <= file_size - offset - spool_record_head_size;
  if (!sound) return std::nullopt;
  return head;
}

Result<std::size_t> read_at(File& file, Buffer& into, std::size_t size, std::uint64_t offset) {
  into.resize_uninitialized(size);
  auto count = file.pread(into.span(), offset);
  if (count) into.resize_uninitialized(*count);
  return count;
}

/// The record at `offset`, with its payload, if it is sound.
Result<std::optional<HeadFields>> read_record(File& file, std::uint64_t offset,
                                              std::uint64_t file_size, Buffer& payload) {
  if (file_size - offset < spool_record_head_size) return std::nullopt;
  RecordHead bytes{};
  auto count = file.pread(bytes, offset);
  if (!count) return pass(count);
  const auto head = parse_head(ByteView(bytes).first(*count), offset, file_size);
  if (!head) return std::nullopt;
  count = read_at(file, payload, head->payload_size, offset + spool_record_head_size);
  if (!count) return pass(count);
  if (*count != head->payload_size || crc32c(payload.view(), head_crc(bytes.data())) != head->crc) {
    return std::nullopt;
  }
  return head;
}

/// True when a sound record after `bad_offset` says that the bytes there had been durable.
Result<bool> promised_durable(File& file, std::uint64_t bad_offset, std::uint64_t file_size) {
  Buffer chunk;
  Buffer payload;
  constexpr std::uint8_t first = record_magic & 0xff;
  std::uint64_t at = bad_offset + 1;
  while (at + spool_record_head_size <= file_size) {
    auto count = read_at(file, chunk, scan_chunk_size, at);
    if (!count) return pass(count);
    const ByteView bytes = chunk.view();
    if (bytes.size() < spool_record_head_size) break;
    const std::size_t usable = bytes.size() - spool_record_head_size + 1;
    for (std::size_t i = 0; i < usable; ++i) {
      if (bytes[i] != first || load_le<std::uint32_t>(&bytes[i]) != record_magic) continue;
      const auto maybe = parse_head(bytes.subspan(i), at + i, file_size);
      if (!maybe || maybe->durable_bytes <= bad_offset) continue;
      auto record = read_record(file, at + i, file_size, payload);
      if (!record) return pass(record);
      if (*record) return true;
    }
    at += usable;
  }
  return false;
}

Error damaged(const std::string& path, std::uint64_t offset, const std::string& what) {
  return {ExitCode::malformed,
          escape(path, 400) + " is damaged at byte " + decimal(offset) + ": " + what,
          "move the spool folder away and start with an empty one; frames recover gets the "
          "finished frames out of the damaged files"};
}

}  // namespace

Result<SpoolLog> SpoolLog::create(Fs& fs, const std::string& path) {
  auto file = fs.open(path, OpenMode::create_new);
  if (!file) return pass(file);
  SpoolLog log;
  log.path_ = path;
  log.file_ = std::move(*file);
  const std::array<ByteView, 1> pieces{file_head};
  TWINCHAIN_TRY(log.file_->append(pieces));
  log.size_bytes_ = file_head.size();
  return log;
}

Result<SpoolLog> SpoolLog::open(Fs& fs, const std::string& path, const SpoolRecordVisitor& visit) {
  auto file = fs.open(path, OpenMode::read);
  if (!file) return pass(file);
  SpoolLog log;
  log.path_ = path;
  log.file_ = std::move(*file);
  auto file_size = log.file_->size_bytes();
  if (!file_size) return pass(file_size);
  Buffer payload;
  auto count = read_at(*log.file_, payload, file_head.size(), 0);
  if (!count) return pass(count);
  const bool head_is_whole =
      std::equal(file_head.begin(), file_head.end(), payload.view().begin(), payload.view().end());
  constexpr std::size_t version_at = 9;
  if (payload.size() > version_at && !head_is_whole &&
      std::equal(file_head.begin(), file_head.begin() + version_at, payload.data()) &&
      payload.data()[version_at] > file_head[version_at]) {
    return fail(ExitCode::malformed, escape(path, 400) + " was written by a newer version");
  }
  std::uint64_t at = head_is_whole ? file_head.size() : 0;
  std::uint64_t durable = 0;
  while (head_is_whole && at < *file_size) {
    auto head = read_record(*log.file_, at, *file_size, payload);
    if (!head) return pass(head);
    if (!*head) break;
    durable = std::max(durable, (*head)->durable_bytes);
    if (auto status = visit({(*head)->type, at, payload.view()}); !status) {
      Error error = std::move(status.error());
      if (error.code == ExitCode::malformed)
        return std::unexpected(damaged(path, at, error.message));
      return std::unexpected(std::move(error));
    }
    at += spool_record_head_size + payload.size();
  }
  if (at < *file_size) {
    auto promised = promised_durable(*log.file_, at, *file_size);
    if (!promised) return pass(promised);
    if (*promised) {
      return std::unexpected(
          damaged(path, at, at == 0 ? "head of the file" : "record checksum mismatch"));
    }
    log.torn_bytes_ = *file_size - at;
  }
  log.size_bytes_ = at;
  log.durable_bytes_ = durable;
  return log;
}

Status SpoolLog::append(std::uint16_t type, std::span<const ByteView> pieces) {
  std::uint64_t payload_size = 0;
  for (const ByteView piece : pieces) payload_size += piece.size();
  if (payload_size > max_spool_record_size) {
    return fail(ExitCode::bug, "record of " + decimal(payload_size) + " bytes for the spool");
  }
  RecordHead head{};
  store_le(&head[0], record_magic);
  store_le(&head[4], type);
  store_le(&head[8], static_cast<std::uint32_t>(payload_size));
  store_le(&head[16], size_bytes_);
  store_le(&head[24], durable_bytes_);
  std::uint32_t crc = head_crc(head.data());
  std::vector<ByteView> all;
  all.reserve(pieces.size() + 1);
  all.emplace_back(head);
  for (const ByteView piece : pieces) {
    crc = crc32c(piece, crc);
    all.push_back(piece);
  }
  store_le(&head[12], crc);
  TWINCHAIN_TRY(file_->append(all));
  size_bytes_ += head.size() + payload_size;
  return {};
}

Status SpoolLog::sync() {
  if (durable()) return {};
  TWINCHAIN_TRY(file_->sync());
  durable_bytes_ = size_bytes_;
  return {};
}

Status SpoolLog::renew(Fs& fs, const std::string& temporary) {
  if (auto there = fs.exists(temporary); there && *there) TWINCHAIN_TRY(fs.remove(temporary));
  auto copy = fs.open(temporary, OpenMode::create_new);
  if (!copy) return pass(copy);
  Buffer chunk;
  for (std::uint64_t at = 0; at < size_bytes_; at += chunk.size()) {
    const auto size = std::min<std::uint64_t>(size_bytes_ - at, std::uint64_t{1} << 20);
    auto count = read_at(*file_, chunk, size, at);
    if (!count) return pass(count);
    if (*count != size) return fail(ExitCode::system, escape(path_, 400) + " became shorter");
    const std::array<ByteView, 1> pieces{chunk.view()};
    TWINCHAIN_TRY((*copy)->append(pieces));
  }
  TWINCHAIN_TRY((*copy)->sync());
  TWINCHAIN_TRY(fs.rename(temporary, path_));
  TWINCHAIN_TRY(fs.sync_folder(parent_folder(path_)));
  file_ = std::move(*copy);
  durable_bytes_ = size_bytes_;
  return {};
}

}  // namespace twinchain::record
