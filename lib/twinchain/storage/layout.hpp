// The folder of a store. Floor 5. Described for people in store(1).
//
//   DIR/segments/NNNNNNNN.twin  twin streams, read in the order of their names. The last one is
//                               being written and has no END, the others end with END
//   DIR/index/                  LMDB; made anew from the segments at any time
//   DIR/LOCK                    held by whoever writes
//   DIR/LOCK-gc                 held by gc
//   DIR/dropped                 up to where gc has dropped data: "SOURCE-ID-HEX NEXT\n" lines
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "twinchain/sys/fs.hpp"

namespace twinchain::storage {

struct Layout {
  std::string folder;
  /// Empty: DIR/index. Elsewhere for a store on read-only media, and in tests.
  std::string other_index_folder = {};

  [[nodiscard]] std::string segments_folder() const { return folder + "/segments"; }
  [[nodiscard]] std::string index_folder() const;
  [[nodiscard]] std::string lock_path() const { return folder + "/LOCK"; }
  [[nodiscard]] std::string gc_lock_path() const { return folder + "/LOCK-gc"; }
  [[nodiscard]] std::string dropped_path() const { return folder + "/dropped"; }
  [[nodiscard]] std::string segment_path(std::uint32_t number) const;
};

inline constexpr std::uint32_t max_segment_number = 99'999'999;
/// 7 -> "00000007.twin".
std::string segment_name(std::uint32_t number);
std::optional<std::uint32_t> parse_segment_name(std::string_view name);

struct SegmentFile {
  std::uint32_t number = 0;
  std::uint64_t size_bytes = 0;
};
/// Sorted by number. ExitCode::usage, with the folder's name, when there is no store.
Result<std::vector<SegmentFile>> list_segments(Fs& fs, const Layout& layout);

/// Whether the error of Fs::lock() means that another process holds it (and not, for instance,
/// that the medium is read-only).
bool is_in_use(const Error& error);

/// "SOURCE-ID-HEX NUMBER" lines: DIR/dropped and the acknowledgements of `store put`.
using SourceNumbers = std::map<Id128, std::uint64_t>;
std::string format_source_numbers(const SourceNumbers& numbers);
/// Nothing when a line is not of this form, or the last one does not end.
std::optional<SourceNumbers> parse_source_numbers(std::string_view text);
/// DIR/dropped; empty when there is none.
Result<SourceNumbers> read_dropped(Fs& fs, const Layout& layout);

}  // namespace twinchain::storage
