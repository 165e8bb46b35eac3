// File systems for tests: one in memory that knows what a power cut leaves, one that fails.
// Floor 1.
//
// A test runs its work once to count the write-like operations, then once for each of them with a
// fault there, reboots, and looks at what is left:
//
//   MemoryFs memory;
//   FaultyFs fs(memory);
//   fs.set_fault({.kind = FaultKind::power_cut, .operation = k, .seed = seed});
//   work(fs);                       // fails from operation k on
//   fs.reboot();                    // the durable state; handles and locks of before are dead
//   check(fs);
//
// Write-like operations, counted from 1: File::append, pwrite, truncate, sync; Fs::open in a mode
// that creates a file that is not there, make_folders of one that is not there, rename, remove,
// sync_folder. Thread-safe, unlike the File objects they give (see sys/fs.hpp).
#pragma once

#include <cerrno>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "twinchain/sys/fs.hpp"

namespace twinchain {

/// What a power cut leaves of changes that were not synced.
enum class Survival {
  nothing,     ///< only what sync() and sync_folder() have promised
  everything,  ///< the disk happened to be quick
  seeded       ///< some first changes, and the next one torn, zero-filled or filled with rubbish
};

/// A tree of files in memory, as strict as POSIX allows: content is durable after File::sync,
/// new, renamed and removed names after sync_folder of their folder. Folders are durable at once
/// (make_folders promises that). Paths may be absolute or relative; "" and "." are the root.
class MemoryFs final : public Fs {
 public:
  MemoryFs();
  ~MemoryFs() override;
  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override;
  Result<bool> exists(const std::string& path) override;
  Result<std::vector<std::string>> list(const std::string& folder) override;
  Status make_folders(const std::string& folder) override;
  Status rename(const std::string& from, const std::string& to) override;
  Status remove(const std::string& path) override;
  Status sync_folder(const std::string& folder) override;
  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override;

  /// The machine goes down and comes up again: unsynced changes are gone (see Survival), open
  /// files give EIO, locks are free.
  void power_cut(Survival survival, std::uint64_t seed = 0);
  /// The processes go down, the machine stays: all content is kept, open files give EIO, locks
  /// are free.
  void kill_processes();

  /// The content of a file as a running program sees it, for tests that change a byte; nullptr
  /// when it is not there. What is changed through it is durable after the next power cut only
  /// when the file is synced.
  Bytes* content(const std::string& path);

 private:
  friend class FaultyFs;
  /// What a failed sync does to the dirty bytes of a file.
  void lose_unsynced(const std::string& path);
  struct State;
  std::shared_ptr<State> state_;
};

enum class FaultKind {
  none,
  error,           ///< this one operation fails with error_number
  error_for_good,  ///< this operation and every write-like one after it
  kill,      ///< SIGKILL inside this operation: all that follows fails, nothing unsynced is lost
  power_cut  ///< the same, and reboot() loses what was not synced; needs a MemoryFs beneath
};

struct Fault {
  FaultKind kind = FaultKind::none;
  std::uint64_t operation = 0;  ///< which write-like operation, from 1
  int error_number = EIO;
  Survival survival = Survival::seeded;
  std::uint64_t seed = 0;
};

/// Passes everything on to another file system until the fault. A write that fails has written a
/// seeded part of its bytes first. A sync that fails has lost the dirty bytes for good, as Linux
/// does: they can still be read, the next sync succeeds without them, and after a power cut there
/// are zeros in their place (MemoryFs only).
class FaultyFs final : public Fs {
 public:
  /// Errors and kill.
  explicit FaultyFs(Fs& base);
  /// Power cuts as well.
  explicit FaultyFs(MemoryFs& base);
  ~FaultyFs() override;
  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override;
  Result<bool> exists(const std::string& path) override;
  Result<std::vector<std::string>> list(const std::string& folder) override;
  Status make_folders(const std::string& folder) override;
  Status rename(const std::string& from, const std::string& to) override;
  Status remove(const std::string& path) override;
  Status sync_folder(const std::string& folder) override;
  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override;

  /// Forgets an earlier fault and starts counting anew.
  void set_fault(const Fault& fault);
  /// Write-like operations since the start or set_fault().
  [[nodiscard]] std::uint64_t operations() const;
  /// True once the fault has happened.
  [[nodiscard]] bool happened() const;
  /// "append rec/a 120 bytes", ... for each write-like operation since set_fault().
  [[nodiscard]] std::vector<std::string> trace() const;
  /// Ends the fault. After kill and power_cut the files and locks of before are dead (with a base
  /// that is not a MemoryFs: destroy those objects first). No fault is set afterwards.
  void reboot();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace twinchain
