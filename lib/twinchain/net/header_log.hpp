// The headers of a tree in a file, so that a node that starts again need not ask for them. Floor 6.
//
// 8 bytes "TWHEADR1", the genesis hash, then headers of 80 bytes in the order in which they were
// accepted. Each header names its parent and meets its proof of work, which no damage does by
// chance: what follows a torn or damaged header is cut off, and asked for again.
#pragma once

#include <memory>
#include <string>

#include "twinchain/net/header_tree.hpp"
#include "twinchain/sys/fs.hpp"

namespace twinchain::net {

/// Not thread-safe. The tree must outlive it.
class HeaderLog {
 public:
  /// Opens or makes the file and fills the tree from it. *dropped_bytes: what was cut off at the
  /// end. ExitCode::system; usage for a file of another network.
  static Result<std::unique_ptr<HeaderLog>> open(Fs& fs, const std::string& path, HeaderTree& tree,
                                                 std::uint64_t* dropped_bytes = nullptr);
  /// A header that the tree has accepted. Not durable before sync(), and need not be.
  Status append(const bitcoin::BlockHeader& header);
  Status sync() { return file_->sync(); }

 private:
  HeaderLog() = default;
  Result<std::uint64_t> load(HeaderTree& tree, std::uint64_t size_bytes);
  std::unique_ptr<File> file_;
};

}  // namespace twinchain::net
