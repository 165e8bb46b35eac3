#include "twinchain/sys/fs.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "twinchain/base/text.hpp"
#include "twinchain/sys/fd.hpp"

namespace twinchain {

std::string operation_on(std::string_view operation, std::string_view path) {
  std::string text(operation);
  text += ' ';
  text += escape(path, 400);
  return text;
}

namespace {

class RealFile final : public File {
 public:
  RealFile(UniqueFd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

  Result<std::size_t> pread(std::span<std::uint8_t> into, std::uint64_t offset) override {
    auto count = pread_full(fd_.get(), into, offset);
    if (!count) name(count.error());
    return count;
  }

  Status append(std::span<const ByteView> pieces) override {
    if (::lseek(fd_.get(), 0, SEEK_END) < 0) {
      return std::unexpected(errno_error(operation_on("cannot seek in", path_), errno));
    }
    std::vector<iovec> vectors;
    vectors.reserve(pieces.size());
    for (const ByteView piece : pieces) {
      vectors.push_back({const_cast<std::uint8_t*>(piece.data()), piece.size()});
    }
    auto status = writev_all(fd_.get(), vectors);
    if (!status) name(status.error());
    return status;
  }

  Status pwrite(ByteView bytes, std::uint64_t offset) override {
    while (!bytes.empty()) {
      const ssize_t count =
          ::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0)
        return std::unexpected(errno_error(operation_on("cannot write", path_), errno));
      bytes = bytes.subspan(static_cast<std::size_t>(count));
      offset += static_cast<std::uint64_t>(count);
    }
    return {};
  }

  Status truncate(std::uint64_t size_bytes) override {
    while (::ftruncate(fd_.get(), static_cast<off_t>(size_bytes)) != 0) {
      if (errno == EINTR) continue;
      return std::unexpected(errno_error(operation_on("cannot truncate", path_), errno));
    }
    return {};
  }

  Status sync() override {
    while (::fdatasync(fd_.get()) != 0) {
      if (errno == EINTR) continue;
      return std::unexpected(errno_error(operation_on("cannot sync", path_), errno));
    }
    return {};
  }

  Result<std::uint64_t> size_bytes() override {
    struct stat info{};
    if (::fstat(fd_.get(), &info) != 0) {
      return std::unexpected(errno_error(operation_on("cannot stat", path_), errno));
    }
    return static_cast<std::uint64_t>(info.st_size);
  }

 private:
  void name(Error& error) const {
    std::string message = escape(path_, 400);
    message += ": ";
    message += error.message;
    error.message = std::move(message);
  }

  UniqueFd fd_;
  std::string path_;
};

class RealLock final : public FileLock {
 public:
  explicit RealLock(UniqueFd fd) : fd_(std::move(fd)) {}

 private:
  UniqueFd fd_;
};

class RealFs final : public Fs {
 public:
  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    int flags = O_RDWR;
    unsigned permissions = 0644;
    switch (mode) {
      case OpenMode::read:
        flags = O_RDONLY;
        break;
      case OpenMode::read_write:
        break;
      case OpenMode::create:
        flags |= O_CREAT;
        break;
      case OpenMode::create_new:
        flags |= O_CREAT | O_EXCL;
        break;
      case OpenMode::create_secret:
        flags |= O_CREAT | O_EXCL;
        permissions = 0600;
        break;
    }
    auto fd = open_file(path, flags, permissions);
    if (!fd) return pass(fd);
    return std::make_unique<RealFile>(std::move(*fd), path);
  }

  Result<bool> exists(const std::string& path) override {
    struct stat info{};
    if (::stat(path.c_str(), &info) == 0) return true;
    if (errno == ENOENT || errno == ENOTDIR) return false;
    return std::unexpected(errno_error(operation_on("cannot look at", path), errno));
  }

  Result<std::vector<std::string>> list(const std::string& folder) override {
    DIR* dir = ::opendir(folder.c_str());
    if (dir == nullptr) {
      return std::unexpected(errno_error(operation_on("cannot list", folder), errno));
    }
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* entry = ::readdir(dir)) {
      const std::string name = entry->d_name;
      if (name != "." && name != "..") names.push_back(name);
      errno = 0;
    }
    const int error_number = errno;
    ::closedir(dir);
    if (error_number != 0) {
      return std::unexpected(errno_error(operation_on("cannot list", folder), error_number));
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  Status make_folders(const std::string& folder) override {
    // A new folder is durable before anything is put into it.
    if (::mkdir(folder.c_str(), 0755) == 0) return sync_folder(parent_folder(folder));
    if (errno == ENOENT) {
      const std::string parent = parent_folder(folder);
      if (parent == folder || parent.empty()) {
        return std::unexpected(errno_error(operation_on("cannot make folder", folder), ENOENT));
      }
      TWINCHAIN_TRY(make_folders(parent));
      if (::mkdir(folder.c_str(), 0755) == 0) return sync_folder(parent);
    }
    struct stat info{};
    if (errno == EEXIST && ::stat(folder.c_str(), &info) == 0) {
      if (S_ISDIR(info.st_mode)) return {};
      errno = ENOTDIR;
    }
    return std::unexpected(errno_error(operation_on("cannot make folder", folder), errno));
  }

  Status rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) == 0) return {};
    return std::unexpected(errno_error(operation_on("cannot rename to", to), errno));
  }

  Status remove(const std::string& path) override {
    if (::unlink(path.c_str()) == 0) return {};
    return std::unexpected(errno_error(operation_on("cannot remove", path), errno));
  }

  Status sync_folder(const std::string& folder) override {
    auto fd = open_file(folder, O_RDONLY | O_DIRECTORY);
    if (!fd) return pass(fd);
    return fsync_fd(fd->get());
  }

  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override {
    auto fd = open_file(path, O_RDWR | O_CREAT, 0644);
    if (!fd) return pass(fd);
    while (::flock(fd->get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno == EINTR) continue;
      if (errno == EWOULDBLOCK) {
        return fail(ExitCode::system,
                    escape(parent_folder(path), 400) + " is in use by another process",
                    "only one writer at a time; wait for it or stop it");
      }
      return std::unexpected(errno_error(operation_on("cannot lock", path), errno));
    }
    return std::make_unique<RealLock>(std::move(*fd));
  }
};

}  // namespace

Fs& real_fs() {
  static RealFs fs;
  return fs;
}

std::string parent_folder(const std::string& path) {
  std::string trimmed = path;
  while (trimmed.size() > 1 && trimmed.back() == '/') trimmed.pop_back();
  const std::size_t slash = trimmed.find_last_of('/');
  if (slash == std::string::npos) return ".";
  if (slash == 0) return "/";
  return trimmed.substr(0, slash);
}

Status write_file_atomically(Fs& fs, const std::string& path, ByteView content, bool secret) {
  std::string temporary = path;
  temporary += ".tmp-";
  temporary += std::to_string(::getpid());
  // A leftover of a crashed process with our number.
  if (auto there = fs.exists(temporary); there && *there) TWINCHAIN_TRY(fs.remove(temporary));
  const auto write = [&]() -> Status {
    auto file = fs.open(temporary, secret ? OpenMode::create_secret : OpenMode::create_new);
    if (!file) return pass(file);
    const ByteView pieces[] = {content};
    TWINCHAIN_TRY((*file)->append(pieces));
    TWINCHAIN_TRY((*file)->sync());
    return fs.rename(temporary, path);
  };
  if (auto status = write(); !status) {
    (void)fs.remove(temporary);  // the first error is the one to report
    return status;
  }
  return fs.sync_folder(parent_folder(path));
}

Result<Bytes> read_whole_file(Fs& fs, const std::string& path, std::uint64_t max_bytes) {
  auto file = fs.open(path, OpenMode::read);
  if (!file) return pass(file);
  auto size = (*file)->size_bytes();
  if (!size) return pass(size);
  if (*size > max_bytes) {
    return fail(ExitCode::malformed,
                escape(path, 400) + ": larger than " + decimal(max_bytes) + " bytes");
  }
  Bytes bytes(*size);
  auto count = (*file)->pread(bytes, 0);
  if (!count) return pass(count);
  bytes.resize(*count);
  return bytes;
}

}  // namespace twinchain
