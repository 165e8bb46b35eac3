// What the frames tool's commands share. Floor 4, internal.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "twinchain/chain/stream_tools.hpp"
#include "twinchain/record/column_reader.hpp"
#include "twinchain/record/data_frame.hpp"
#include "twinchain/record/schema.hpp"

namespace twinchain::chain {

/// Runs `each` on every frame; complains of damage; success or malformed.
Result<ExitCode> for_each_frame(StreamReader& in, const Complain& complain,
                                const std::function<Status(Frame&)>& each);

/// "START to END" of a frame's window.
std::string window_text(const FrameHeader& header);
/// "frame 12 at byte 4096: ".
std::string at_frame(const Frame& frame);

/// Header leaf of DATA or of a SLICE; nothing when malformed.
std::optional<record::DataHeader> data_header(const Frame& frame);

/// A window from a DATA frame, or from the shown columns of a SLICE.
Result<record::Window> read_window(const Frame& frame, const record::Schema& schema);

/// Keeps each source's newest schema.
class Schemas {
 public:
  /// An error, with the frame's place, when it is malformed.
  Status learn(const Frame& frame);
  /// nullptr when there was none.
  [[nodiscard]] const record::Schema* find(const Id128& source) const;
  /// The source's name, escaped; its id in hexadecimal while no SCHEMA has said it.
  [[nodiscard]] std::string name(const Id128& source) const;

 private:
  std::map<Id128, record::Schema> by_source_;
};

}  // namespace twinchain::chain
