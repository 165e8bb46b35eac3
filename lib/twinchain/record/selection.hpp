// Which frames of a stream a person asked for. Floor 3.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "twinchain/base/result.hpp"
#include "twinchain/stream/frame.hpp"

namespace twinchain::record {

/// Everything that is set must hold. A DATA or SLICE frame is in the time range when its window or
/// its event times overlap [from_ns, to_ns): an investigator rather gets a frame too many.
struct Selection {
  std::optional<Id128> source;
  std::optional<std::int64_t> from_ns;
  std::optional<std::int64_t> to_ns;
  std::optional<std::uint64_t> first_sequence;
  std::optional<std::uint64_t> last_sequence;

  [[nodiscard]] bool wants_source(const Id128& id) const { return !source || *source == id; }
  /// For DATA and SLICE; the body's header leaf gives the event times where it can be read.
  [[nodiscard]] bool wants_data(const FrameHeader& header, ByteView body) const;
};

/// "5", "5..9", "5..", "..9": first and last sequence, both included.
Status parse_sequence_range(std::string_view text, Selection& selection);
/// A source's name, or its id in 32 hexadecimal digits.
Id128 parse_source(std::string_view name_or_id);

/// Sequences that were chosen, kept as ranges because they mostly follow each other. Gives the
/// frames that belong to a chosen DATA frame: REJECT before it, LINK and ANCHOR after it.
class SequenceSet {
 public:
  void add(const Id128& source, std::uint64_t sequence);
  [[nodiscard]] bool contains(const Id128& source, std::uint64_t sequence) const;

 private:
  struct Range {
    std::uint64_t first;
    std::uint64_t last;
  };
  std::map<Id128, std::vector<Range>> ranges_;
};

}  // namespace twinchain::record
