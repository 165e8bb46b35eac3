#include "twinchain/cli/files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "twinchain/base/text.hpp"
#include "twinchain/cli/run_tool.hpp"
#include "twinchain/sys/fs.hpp"

namespace twinchain::cli {
namespace {

Result<UniqueFd> duplicate(int fd, const char* what) {
  const int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, 3);
  if (copy < 0) return std::unexpected(errno_error(what, errno));
  return UniqueFd(copy);
}

}  // namespace

Result<UniqueFd> open_input(const std::string& path) {
  if (!path.empty() && path != "-") {
    auto fd = open_file(path, O_RDONLY);
    struct stat info{};
    if (fd && ::fstat(fd->get(), &info) == 0 && S_ISDIR(info.st_mode)) {
      return fail(ExitCode::usage, escape(path) + " is a folder");
    }
    return fd;
  }
  if (::isatty(STDIN_FILENO) != 0) {
    return fail(ExitCode::usage, "standard input is a terminal",
                "give a file, or pipe a twin stream in");
  }
  return duplicate(STDIN_FILENO, "standard input");
}

Result<Output> Output::open(const std::string& option, bool binary) {
  Output output;
  if (option.empty() || option == "-") {
    if (option.empty() && binary && ::isatty(STDOUT_FILENO) != 0) {
      return fail(ExitCode::usage, "binary output to a terminal is refused",
                  "redirect it, use -o FILE, or -o - if you mean it");
    }
    auto fd = duplicate(STDOUT_FILENO, "standard output");
    if (!fd) return pass(fd);
    output.fd_ = std::move(*fd);
    return output;
  }
  output.path_ = option;
  output.temporary_ = option;
  output.temporary_ += ".tmp-";
  output.temporary_ += std::to_string(::getpid());
  auto fd = open_file(output.temporary_, O_WRONLY | O_CREAT | O_TRUNC);
  if (!fd) {
    output.temporary_.clear();
    return pass(fd);
  }
  output.fd_ = std::move(*fd);
  return output;
}

Output::Output(Output&& other) noexcept
    : fd_(std::move(other.fd_)),
      path_(std::move(other.path_)),
      temporary_(std::move(other.temporary_)) {
  other.temporary_.clear();
}

Output::~Output() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

Status Output::commit() {
  if (temporary_.empty()) return {};
  TWINCHAIN_TRY(fsync_fd(fd_.get()));
  TWINCHAIN_TRY(real_fs().rename(temporary_, path_));
  temporary_.clear();
  return real_fs().sync_folder(parent_folder(path_));
}

Progress::Progress(std::string label, std::uint64_t total_bytes)
    : label_(std::move(label)),
      total_bytes_(total_bytes),
      began_ns_(system_clock().monotonic_ns()),
      allowed_(progress_allowed()) {}

void Progress::show(std::uint64_t done_bytes) {
  if (!allowed_) return;
  const std::uint64_t now = system_clock().monotonic_ns();
  if (now - began_ns_ < 1'000'000'000 || now - drawn_ns_ < 100'000'000) return;
  drawn_ns_ = now;
  std::string line = "\r" + label_ + " " + decimal(done_bytes / 1'000'000) + " MB";
  if (total_bytes_ > 0) {
    line += ' ';
    line += decimal(done_bytes * 100 / total_bytes_);
    line += " %";
  }
  line += "\x1b[K";
  (void)write_all(STDERR_FILENO, as_bytes(line));
}

Progress::~Progress() {
  if (allowed_ && drawn_ns_ != 0) (void)write_all(STDERR_FILENO, as_bytes("\r\x1b[K"));
}

std::optional<std::uint64_t> regular_file_size(int fd) {
  struct stat info{};
  if (::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) return std::nullopt;
  return static_cast<std::uint64_t>(info.st_size);
}

}  // namespace twinchain::cli
