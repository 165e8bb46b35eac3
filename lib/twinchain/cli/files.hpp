// Where a tool reads from and writes to. Floor 1 (beside sys).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "twinchain/base/clock.hpp"
#include "twinchain/base/result.hpp"
#include "twinchain/sys/fd.hpp"

namespace twinchain::cli {

/// "-" or "" is standard input; refuses a terminal (a person waiting for a prompt).
Result<UniqueFd> open_input(const std::string& path);

/// -o FILE: a temporary file beside it, and commit() syncs, renames and syncs the folder; without
/// commit() the temporary file is removed and an existing FILE is left as it was. "" is standard
/// output, refused when it is a terminal and the output is binary; "-" is standard output, terminal
/// or not.
class Output {
 public:
  static Result<Output> open(const std::string& option, bool binary);
  Output(Output&& other) noexcept;
  Output& operator=(Output&&) = delete;
  ~Output();
  [[nodiscard]] int fd() const { return fd_.get(); }
  Status commit();

 private:
  Output() = default;
  UniqueFd fd_;
  std::string path_;
  std::string temporary_;
};

/// A line on standard error that is drawn anew, from the second second on and on a terminal only.
class Progress {
 public:
  /// `total` 0: not known, no percentage.
  Progress(std::string label, std::uint64_t total_bytes);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress();
  void show(std::uint64_t done_bytes);

 private:
  std::string label_;
  std::uint64_t total_bytes_;
  std::uint64_t began_ns_;
  std::uint64_t drawn_ns_ = 0;
  bool allowed_;
};

/// Size of a regular file behind a descriptor; nothing for a pipe.
std::optional<std::uint64_t> regular_file_size(int fd);

}  // namespace twinchain::cli
