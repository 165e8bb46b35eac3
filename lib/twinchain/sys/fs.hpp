// The file system behind an interface, so that tests inject faults (LevelDB's Env). Floor 1.
//
// Everything that must survive a crash - store segments, spools, chain state, ledger folders,
// keys - goes through Fs. real_fs() is the system's; FaultyFs (sys/faulty_fs.hpp) wraps another
// one and fails or "loses power" at a chosen operation.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "twinchain/base/bytes.hpp"
#include "twinchain/base/result.hpp"

namespace twinchain {

/// For messages: "OPERATION PATH", the path escaped.
std::string operation_on(std::string_view operation, std::string_view path);

/// An open file. Not thread-safe, but several File objects on one path are independent.
class File {
 public:
  virtual ~File() = default;
  /// Fills `into` from `offset` until full or the end of the file; gives the bytes read.
  virtual Result<std::size_t> pread(std::span<std::uint8_t> into, std::uint64_t offset) = 0;
  /// Appends all pieces, in order, at the end of the file. After an error part of them may be
  /// in the file: the caller truncates.
  virtual Status append(std::span<const ByteView> pieces) = 0;
  virtual Status pwrite(ByteView bytes, std::uint64_t offset) = 0;
  virtual Status truncate(std::uint64_t size_bytes) = 0;
  /// Returns when what was written is durable (fdatasync).
  virtual Status sync() = 0;
  virtual Result<std::uint64_t> size_bytes() = 0;
};

enum class OpenMode {
  read,          ///< must exist
  read_write,    ///< must exist
  create,        ///< read and write, made when missing
  create_new,    ///< read and write, must not exist
  create_secret  ///< as create_new, readable by the owner only (0600)
};

/// An exclusive advisory lock (flock), released by the destructor or the end of the process.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

class Fs {
 public:
  virtual ~Fs() = default;
  virtual Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) = 0;
  virtual Result<bool> exists(const std::string& path) = 0;
  /// Names of the entries of a folder, without "." and "..", sorted.
  virtual Result<std::vector<std::string>> list(const std::string& folder) = 0;
  /// Makes a folder and its parents, durably; fine when it is there.
  virtual Status make_folders(const std::string& folder) = 0;
  virtual Status rename(const std::string& from, const std::string& to) = 0;
  virtual Status remove(const std::string& path) = 0;
  /// Makes new, renamed and removed entries of a folder durable.
  virtual Status sync_folder(const std::string& folder) = 0;
  /// Fails with ExitCode::system and "… is in use by another process" when another process,
  /// or another lock of this process, holds it. The lock file stays.
  virtual Result<std::unique_ptr<FileLock>> lock(const std::string& path) = 0;
};

Fs& real_fs();

/// The folder part of a path: "a/b" -> "a", "b" -> ".", "/b" -> "/".
std::string parent_folder(const std::string& path);

/// Replaces a file so that after a crash either the old or the new content is there: writes
/// `path`.tmp-PID, syncs, renames, syncs the folder. `secret` makes it 0600 from the start.
Status write_file_atomically(Fs& fs, const std::string& path, ByteView content,
                             bool secret = false);

/// The whole of a file through Fs; refuses one larger than max_bytes.
Result<Bytes> read_whole_file(Fs& fs, const std::string& path, std::uint64_t max_bytes);

}  // namespace twinchain
