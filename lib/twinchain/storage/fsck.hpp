// `store fsck`: reads every byte of a store and says what is wrong with it. Floor 5.
#pragma once

#include <string>
#include <vector>

#include "twinchain/storage/recover.hpp"

namespace twinchain::storage {

enum class FindingKind {
  damage,           ///< bytes of a segment that are no frame, or a frame with a wrong CRC
  torn_tail,        ///< the last write was interrupted: nothing acknowledged is lost
  shortened,        ///< a segment is shorter than the index knows it was
  missing_segment,  ///< the index knows a segment that is not there
  conflict,         ///< two different DATA or LINK frames of one number
  index,            ///< the index is missing, damaged, behind, or does not say what is stored
};

struct Finding {
  FindingKind kind = FindingKind::damage;
  std::string message;  ///< one line, with segment and offset
  std::uint32_t segment = 0;
  std::uint64_t offset = 0;
  std::uint64_t size_bytes = 0;
  /// Of the damaged frame, where its header could be read.
  std::optional<FrameHeader> header;
};

struct FsckOptions {
  bool repair = false;  ///< makes the index anew when it is wrong; never changes a segment
  std::string other_index_folder = {};
};

struct FsckResult {
  std::uint64_t segments = 0;
  std::uint64_t frames = 0;
  std::uint64_t size_bytes = 0;
  std::uint64_t duplicate_frames = 0;  ///< stored twice, the same
  std::uint64_t harmful = 0;           ///< findings of damage, shortened, missing, conflict
  std::uint64_t torn_tails = 0;
  std::uint64_t index_faults = 0;
  bool repaired = false;
  /// refuted when stored frames are harmed; loss when there is a torn tail or the index is wrong
  /// and was not repaired; else success.
  [[nodiscard]] ExitCode verdict() const;
};

/// Works beside a writer (then what is being written now is left out). Memory does not grow with
/// the store, but for 100 bytes a finding in `found`'s hands.
Result<FsckResult> check_store(Fs& fs, const std::string& folder, const FsckOptions& options,
                               const std::function<void(const Finding&)>& found,
                               const std::function<void(std::uint64_t)>& progress,
                               const Notes& notes);

/// "damage", "torn-tail", "shortened", "missing-segment", "conflict", "index".
std::string_view finding_name(FindingKind kind);

}  // namespace twinchain::storage
