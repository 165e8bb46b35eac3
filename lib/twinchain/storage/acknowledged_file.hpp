// The file in a recorder's spool that says what it need not keep any more. Floor 5.
//
// SPOOL/acknowledged has a line "SOURCE-ID-HEX NEXT" a source: every DATA frame with a sequence
// below NEXT is durable, and so is its LINK when the source has links (a DATA frame without its
// LINK must come again, or the sealing program, if it has not seen it, could never seal it).
//
// The file is replaced by a rename that is not synced: after a power cut an older state, or an
// empty file, is there, and the recorder sends frames again that are recognised as duplicates.
#pragma once

#include <string>

#include "twinchain/storage/layout.hpp"

namespace twinchain::storage {

inline constexpr std::string_view acknowledged_name = "acknowledged";

/// Not thread-safe; one program writes it.
class AcknowledgedFile {
 public:
  /// Takes what the file says; a missing or malformed one counts as empty. ExitCode::usage when the
  /// folder is not there, system.
  static Result<AcknowledgedFile> open(Fs& fs, const std::string& spool_folder);

  /// What the file says, or will when it is written. To be changed upwards only.
  SourceNumbers numbers;
  /// Replaces the file. ExitCode::system.
  Status write() const;

 private:
  AcknowledgedFile(Fs& fs, std::string folder) : fs_(&fs), folder_(std::move(folder)) {}
  [[nodiscard]] std::string path() const { return folder_ + "/" + std::string(acknowledged_name); }

  Fs* fs_;
  std::string folder_;
};

}  // namespace twinchain::storage
