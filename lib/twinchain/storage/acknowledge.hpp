// Tells a recorder's spool what a store has (acknowledged_file.hpp). Floor 5.
//
// Whether a source has links shows when its second DATA frame comes, or the input ends.
#pragma once

#include <map>
#include <set>
#include <string>

#include "twinchain/storage/acknowledged_file.hpp"
#include "twinchain/storage/index.hpp"

namespace twinchain::storage {

class Acknowledger {
 public:
  /// Takes what the file says of each source as the start. `dropped`: data that gc has dropped was
  /// durable.
  static Result<Acknowledger> open(Fs& fs, const std::string& spool_folder, SourceNumbers dropped);

  /// A frame has been taken (not refused). Only what was seen so is acknowledged: the same
  /// numbers may be in the store from another recorder, which this one would then forget.
  void saw(const FrameHeader& header);
  /// After a commit: rewrites the file when a source has got on. `input_ended`: by an END frame,
  /// so that the last DATA frame of a source without links will have none.
  Status update(Index& index, bool input_ended);

 private:
  Acknowledger(AcknowledgedFile file, SourceNumbers dropped)
      : file_(std::move(file)), dropped_(std::move(dropped)) {}
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

  AcknowledgedFile file_;
  SourceNumbers dropped_;
  std::map<Id128, Source> sources_;
  std::set<Id128> touched_;
};

}  // namespace twinchain::storage
