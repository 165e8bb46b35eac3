// Tells a recorder's spool what a payer has (storage/acknowledged_file.hpp). Floor 6.
//
// Frames come in order, and become durable in order. A window counts when its LINK is durable; of a
// source without links, when its DATA frame is. Whether a source has links shows when its first
// LINK or its second DATA frame comes, or the input ends. Windows are acknowledged without a gap,
// from what the file says on; when it says nothing, from the first one that comes: a recorder
// begins with the oldest that it still has.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>

#include "twinchain/storage/acknowledged_file.hpp"
#include "twinchain/stream/frame.hpp"

namespace twinchain::net {

/// Not thread-safe.
class FrameAcknowledger {
 public:
  FrameAcknowledger(Fs& fs, std::string spool_folder) : fs_(fs), folder_(std::move(spool_folder)) {}

  /// The next frame of the input. Opens the file with the first one: at the first start of a
  /// pipeline the recorder may still be making its folder, but it has one before it sends anything.
  Status saw(const FrameHeader& header);
  /// Of the frames that were seen, so many of the first are durable. `input_ended`: by an END
  /// frame, so that a source's last DATA frame without a LINK will have none. Rewrites the file
  /// when a source has got on.
  Status update(std::uint64_t durable_frames, bool input_ended);

 private:
  enum class Links { unknown, has, has_none };
  struct Source {
    std::optional<std::uint64_t> next;
    std::optional<std::uint64_t> unlinked;  ///< the newest durable DATA frame, without its LINK
    Links links = Links::unknown;
  };
  struct Seen {
    std::uint64_t number = 0;  ///< of the input's frames
    Id128 source{};
    std::uint64_t sequence = 0;
    bool is_link = false;
  };
  Source& source(const Id128& id);
  void became_durable(const Seen& frame);
  void complete(const Id128& id, Source& source, std::uint64_t sequence);

  Fs& fs_;
  std::string folder_;
  std::optional<storage::AcknowledgedFile> file_;
  std::uint64_t count_ = 0;
  std::deque<Seen> waiting_;
  std::map<Id128, Source> sources_;
  bool changed_ = false;
};

}  // namespace twinchain::net
