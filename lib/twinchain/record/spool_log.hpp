// A file of records, each with its checksum: the pieces a spool is made of. Floor 3.
//
//   file    magic "\x89TWspool\n" (9 bytes), version u8 (1), 6 zero bytes, record*
//   record  magic u32, type u16, reserved u16 (0), payload size u32, CRC-32C u32,
//           offset of the record in the file u64, durable bytes u64, payload
//
// The CRC covers the rest of the head and the payload. "durable bytes" is how much of the file was
// known to be on the disk when the record was written. That is what tells a tail that a power cut
// tore (nothing after it was promised) from a file that was damaged later.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "twinchain/base/buffer.hpp"
#include "twinchain/base/result.hpp"
#include "twinchain/sys/fs.hpp"

namespace twinchain::record {

inline constexpr std::size_t spool_file_head_size = 16;
inline constexpr std::size_t spool_record_head_size = 32;
/// A window's frames and the checkpoint; checked before it is believed.
inline constexpr std::size_t max_spool_record_size = std::size_t{96} << 20;

struct SpoolRecord {
  std::uint16_t type = 0;
  std::uint64_t offset = 0;  ///< in the file
  ByteView payload;          ///< valid during the call
};
using SpoolRecordVisitor = std::function<Status(const SpoolRecord&)>;

/// One log file. Not thread-safe.
class SpoolLog {
 public:
  /// A new file with its head; it must not exist.
  static Result<SpoolLog> create(Fs& fs, const std::string& path);
  /// Opens an existing file for reading and gives every sound record to `visit`. A torn tail is
  /// left out and counted in torn_bytes(); damage before it is ExitCode::malformed with the byte
  /// offset, and an error of `visit` gets the file and offset in front.
  static Result<SpoolLog> open(Fs& fs, const std::string& path, const SpoolRecordVisitor& visit);
  /// Makes an opened file ready for append(): its sound part is copied to `temporary`, synced, and
  /// takes the file's place. Nothing is changed where it stands, because of the newest bytes nobody
  /// knows whether they are on the disk (an earlier sync may have failed), or are there only once.
  Status renew(Fs& fs, const std::string& temporary);

  /// Appends a record whose payload is these pieces together. Not durable yet.
  Status append(std::uint16_t type, std::span<const ByteView> pieces);
  /// Makes all of it durable.
  Status sync();

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::uint64_t size_bytes() const { return size_bytes_; }
  [[nodiscard]] bool durable() const { return durable_bytes_ == size_bytes_; }
  [[nodiscard]] std::uint64_t torn_bytes() const { return torn_bytes_; }
  /// True when the file was so short or torn that not even its head was there.
  [[nodiscard]] bool headless() const { return size_bytes_ < spool_file_head_size; }

 private:
  SpoolLog() = default;

  std::string path_;
  std::unique_ptr<File> file_;
  std::uint64_t size_bytes_ = 0;
  std::uint64_t durable_bytes_ = 0;
  std::uint64_t torn_bytes_ = 0;
};

}  // namespace twinchain::record
