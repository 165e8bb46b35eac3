// Tells a recorder's spool what it need not keep any more. Floor 5.
//
// SPOOL/acknowledged has a line "SOURCE-ID-HEX NEXT" a source: every DATA frame with a sequence
// below NEXT is durable, and so is its LINK when the source has links (a DATA frame without its
// LINK must come again, or the sealing program, if it has not seen it, could never seal it).
// Whether a source has links shows when its second DATA frame comes, or the input ends.
//
// The file is replaced by a rename that is not synced: after a power cut an older state, or an
// empty file, is there, and the recorder sends frames again that are recognised as duplicates.
#pragma once

#include <map>
#include <set>
#include <string>

#include "twinchain/storage/index.hpp"
#include "twinchain/storage/layout.hpp"

namespace twinchain::storage {

inline constexpr std::string_view acknowledged_name = "acknowledged";

class Acknowledger {
 public:
  /// Takes what the file says of each source as the start; a malformed file counts as none.
  /// `dropped`: data that gc has dropped was durable.
  static Result<Acknowledger> open(Fs& fs, const std::string& spool_folder, SourceNumbers dropped);

  /// A frame has been taken (not refused). Only what was seen so is acknowledged: the same
  /// numbers may be in the store from another recorder, which this one would then forget.
  void saw(const FrameHeader& header);
  /// After a commit: rewrites the file when a source has got on. `input_ended`: by an END frame,
  /// so that the last DATA frame of a source without links will have none.
  Status update(Index& index, bool input_ended);

 private:
  Acknowledger(Fs& fs, std::string folder) : fs_(fs), folder_(std::move(folder)) {}
  enum class Links { unknown, has, has_none };
  struct Source {
    std::uint64_t next = 0;
    std::uint64_t limit = 0;  ///< one past the highest DATA or LINK that was seen
    Links links = Links::unknown;
    bool loaded = false;
  };
  Status load(Index& index, const Id128& id, Source& source);
  Result<bool> advance(Index& index, const Id128& id, Source& source, bool input_ended);
  Result<bool> is_complete(Index& index, const Id128& id, Source& source, bool input_ended);
  Status write();

  Fs& fs_;
  std::string folder_;
  SourceNumbers acknowledged_;
  SourceNumbers dropped_;
  std::map<Id128, Source> sources_;
  std::set<Id128> touched_;
};

}  // namespace twinchain::storage
