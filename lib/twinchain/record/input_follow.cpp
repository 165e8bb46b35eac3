// A file that others append to, like `tail -F` from its first byte on.

#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>

#include "twinchain/base/text.hpp"
#include "twinchain/record/input_poll.hpp"
#include "twinchain/record/input_source.hpp"
#include "twinchain/sys/fs.hpp"

namespace twinchain::record {
namespace {

/// Where the kernel gives no notice of changes (network file systems), this is how late one is.
constexpr std::int64_t look_again_ns = 250'000'000;
/// So many bytes before the position are remembered, to know the file again.
constexpr std::size_t fingerprint_size = 64;

struct FileId {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  bool operator==(const FileId&) const = default;
};

FileId id_of(const struct stat& info) {
  return {static_cast<std::uint64_t>(info.st_dev), static_cast<std::uint64_t>(info.st_ino)};
}

class FollowInput final : public InputSource {
 public:
  FollowInput(std::string path, int stop_fd, Notice notice)
      : path_(std::move(path)), stop_fd_(stop_fd), notice_(std::move(notice)) {
    inotify_ = UniqueFd(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
    if (inotify_.valid() &&
        ::inotify_add_watch(inotify_.get(), parent_folder(path_).c_str(),
                            IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_ONLYDIR) < 0) {
      inotify_.reset();
    }
  }

  Result<InputEvent> wait(std::int64_t timeout_ns) override {
    if (!announced_) {
      announced_ = true;
      return InputEvent{InputEvent::Kind::opened, 0};
    }
    while (true) {
      if (stopping_) return InputEvent{InputEvent::Kind::stopped, 0};
      auto stopped = stop_asked();
      if (!stopped) return pass(stopped);
      auto event = look();
      if (!event) return pass(event);
      if (*stopped) {
        // What has just been written is still read; a long backlog is left where it is.
        stopping_ = true;
        if (*event && (*event)->kind == InputEvent::Kind::readable) return **event;
        continue;
      }
      if (*event) return **event;
      const bool last = timeout_ns >= 0 && timeout_ns <= look_again_ns;
      const std::int64_t step_ns = last ? timeout_ns : look_again_ns;
      auto changed = wait_for_change(step_ns);
      if (!changed) return pass(changed);
      if (*changed) continue;
      if (last) return InputEvent{};
      if (timeout_ns >= 0) timeout_ns -= step_ns;
    }
  }

  Result<std::size_t> read(std::uint32_t /*writer*/, std::span<std::uint8_t> into) override {
    if (!file_.valid()) return std::size_t{0};
    auto count = pread_full(file_.get(), into, offset_);
    if (!count) {
      count.error().message = escape(path_) + ": " + count.error().message;
      return pass(count);
    }
    offset_ += *count;
    remember(into.first(*count));
    return *count;
  }

  [[nodiscard]] std::size_t read_size_bytes() const override { return file_piece_bytes; }

  [[nodiscard]] Bytes position() const override {
    if (!file_.valid()) return {};
    Bytes bytes;
    append_le(bytes, id_.device);
    append_le(bytes, id_.inode);
    append_le(bytes, offset_);
    append(bytes, fingerprint_);
    return bytes;
  }

  Result<bool> resume(ByteView position, std::uint64_t bytes_before) override {
    ByteCursor in(position);
    FileId id;
    id.device = in.read_le<std::uint64_t>();
    id.inode = in.read_le<std::uint64_t>();
    const auto offset = in.read_le<std::uint64_t>();
    const ByteView fingerprint = in.read_view(in.remaining());
    if (!in.ok() || fingerprint.size() > fingerprint_size || fingerprint.size() > offset ||
        bytes_before > offset) {
      return false;
    }
    if (resume_at(path_, id, offset, fingerprint)) {
      go_back(bytes_before);
      return true;
    }
    // Renamed in the meantime: the rest of the old file comes first, then the new one.
    const std::string folder = parent_folder(path_);
    auto names = real_fs().list(folder);
    if (!names) return false;
    for (const std::string& name : *names) {
      std::string other = folder;
      other += '/';
      other += name;
      struct stat info{};
      if (::stat(other.c_str(), &info) != 0 || id_of(info) != id) continue;
      if (resume_at(other, id, offset, fingerprint)) {
        go_back(bytes_before);
        notice_("going on in " + escape(other) + ", which " + escape(path_) + " was renamed to");
        return true;
      }
    }
    return false;
  }

 private:
  bool resume_at(const std::string& path, const FileId& id, std::uint64_t offset,
                 ByteView fingerprint) {
    auto fd = open_file(path, O_RDONLY);
    struct stat info{};
    if (!fd || ::fstat(fd->get(), &info) != 0 || id_of(info) != id ||
        static_cast<std::uint64_t>(info.st_size) < offset) {
      return false;
    }
    Bytes there(fingerprint.size());
    auto count = pread_full(fd->get(), there, offset - fingerprint.size());
    if (!count || !std::equal(there.begin(), there.end(), fingerprint.begin(), fingerprint.end())) {
      return false;
    }
    file_ = std::move(*fd);
    id_ = id;
    offset_ = offset;
    fingerprint_ = std::move(there);
    return true;
  }

  /// Whoever cuts the file may have written more than there was before anybody looks again, as long
  /// as nobody reads what this recorder writes.
  bool content_is_known() {
    std::array<std::uint8_t, fingerprint_size> there{};
    const auto wanted = std::span(there).first(fingerprint_.size());
    auto count = pread_full(file_.get(), wanted, offset_ - fingerprint_.size());
    return !count || std::equal(fingerprint_.begin(), fingerprint_.end(), there.begin(),
                                there.begin() + static_cast<std::ptrdiff_t>(*count));
  }

  void go_back(std::uint64_t count) {
    offset_ -= count;
    if (count > 0) fingerprint_.clear();
  }

  void remember(ByteView read) {
    if (read.size() >= fingerprint_size) fingerprint_.clear();
    append(fingerprint_, read.last(std::min(read.size(), fingerprint_size)));
    if (fingerprint_.size() > fingerprint_size) {
      fingerprint_.erase(fingerprint_.begin(),
                         fingerprint_.end() - static_cast<std::ptrdiff_t>(fingerprint_size));
    }
  }

  Result<bool> stop_asked() {
    pollfd wait{stop_fd_, POLLIN, 0};
    return poll_for({&wait, 1}, 0);
  }

  Result<bool> wait_for_change(std::int64_t timeout_ns) {
    std::array<pollfd, 2> waits{{{stop_fd_, POLLIN, 0}, {inotify_.get(), POLLIN, 0}}};
    auto ready = poll_for(waits, timeout_ns);
    if (ready && waits[1].revents != 0) drain_inotify();
    return ready;
  }

  /// Something to do, or nothing for now.
  Result<std::optional<InputEvent>> look() {
    if (!file_.valid()) return open_first();
    struct stat info{};
    if (::fstat(file_.get(), &info) != 0) {
      return std::unexpected(errno_error("cannot stat " + escape(path_), errno));
    }
    auto size = static_cast<std::uint64_t>(info.st_size);
    const bool cut = size < offset_;
    if (cut || !content_is_known()) {
      notice_(escape(path_) +
              (cut ? " was cut to " + decimal(size) + " bytes" : " was written anew") +
              ": reading it from its beginning");
      begin(std::move(file_), info);
      return InputEvent{InputEvent::Kind::restarted, 0};
    }
    if (size > offset_) return InputEvent{InputEvent::Kind::readable, 0};
    // Whoever writes may go on in the renamed file for a while. It has let go of it when there is
    // something in the new one.
    struct stat named{};
    if (::stat(path_.c_str(), &named) != 0 || id_of(named) == id_ || named.st_size == 0) {
      return std::nullopt;
    }
    if (::fstat(file_.get(), &info) == 0 && static_cast<std::uint64_t>(info.st_size) > offset_) {
      return InputEvent{InputEvent::Kind::readable, 0};
    }
    auto fd = open_file(path_, O_RDONLY);
    if (!fd || ::fstat(fd->get(), &named) != 0) return std::nullopt;  // renamed again: later
    notice_(escape(path_) + " was replaced: going on with the new file");
    begin(std::move(*fd), named);
    return InputEvent{InputEvent::Kind::restarted, 0};
  }

  Result<std::optional<InputEvent>> open_first() {
    auto fd = open_file(path_, O_RDONLY | O_NONBLOCK);
    struct stat info{};
    if (!fd && ::stat(path_.c_str(), &info) != 0 && errno == ENOENT) {
      if (!said_missing_) notice_(escape(path_) + " is not there yet: waiting for it");
      said_missing_ = true;
      return std::nullopt;
    }
    if (!fd) return pass(fd);
    if (::fstat(fd->get(), &info) != 0 || !S_ISREG(info.st_mode)) {
      return fail(ExitCode::usage, escape(path_) + " is not a regular file",
                  "--follow is for files; a pipe or FIFO is read without it");
    }
    begin(std::move(*fd), info);
    return InputEvent{InputEvent::Kind::readable, 0};
  }

  void begin(UniqueFd file, const struct stat& info) {
    file_ = std::move(file);
    id_ = id_of(info);
    offset_ = 0;
    fingerprint_.clear();
  }

  void drain_inotify() {
    // Which file it was does not matter: looking is cheap.
    alignas(inotify_event) std::array<char, 4096> events;
    while (::read(inotify_.get(), events.data(), events.size()) > 0) {
    }
  }

  std::string path_;
  int stop_fd_;
  Notice notice_;
  UniqueFd inotify_;
  UniqueFd file_;
  FileId id_;
  std::uint64_t offset_ = 0;
  Bytes fingerprint_;
  bool announced_ = false;
  bool said_missing_ = false;
  bool stopping_ = false;
};

}  // namespace

Result<std::unique_ptr<InputSource>> make_follow_input(const std::string& path, int stop_fd,
                                                       Notice notice) {
  if (path.empty() || path == "-") {
    return fail(ExitCode::usage, "--follow needs the name of a file",
                "standard input is read as it comes, without --follow");
  }
  return std::make_unique<FollowInput>(path, stop_fd, std::move(notice));
}

}  // namespace twinchain::record
