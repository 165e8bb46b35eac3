#include "twinchain/record/selection.hpp"

#include <algorithm>

#include "twinchain/base/hex.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/record/data_frame.hpp"

namespace twinchain::record {
namespace {

/// The header leaf of a DATA body, or of a SLICE body (where it is shown first, after its salt).
std::optional<DataHeader> find_header_leaf(const FrameHeader& header, ByteView body) {
  const std::size_t head = header.type == FrameType::slice ? 4 + 1 + 32 : sizeof(Seed);
  const std::size_t at = head + leaf_head_size;
  if (body.size() < at + data_header_size) return std::nullopt;
  auto parsed = parse_data_header(body.subspan(at, data_header_size));
  if (!parsed) return std::nullopt;
  return *parsed;
}

}  // namespace

bool Selection::wants_data(const FrameHeader& header, ByteView body) const {
  if (!wants_source(header.source)) return false;
  if (first_sequence && header.sequence < *first_sequence) return false;
  if (last_sequence && header.sequence > *last_sequence) return false;
  if (!from_ns && !to_ns) return true;
  const auto overlaps = [&](std::int64_t start_ns, std::int64_t last_ns) {
    return (!from_ns || last_ns >= *from_ns) && (!to_ns || start_ns < *to_ns);
  };
  const std::int64_t window_last =
      std::max(header.window_start_ns, header.window_end_ns - (header.window_end_ns > 0 ? 1 : 0));
  if (overlaps(header.window_start_ns, window_last)) return true;
  const auto data = find_header_leaf(header, body);
  return data && data->rows > 0 && overlaps(data->first_event_ns, data->last_event_ns);
}

Status parse_sequence_range(std::string_view text, Selection& selection) {
  const std::size_t dots = text.find("..");
  const std::string_view first = text.substr(0, dots);
  const std::string_view last = dots == std::string_view::npos ? first : text.substr(dots + 2);
  const auto bad = [&] {
    return fail(ExitCode::usage, "not a range of sequence numbers: " + escape(text),
                "write A, A..B, A.. or ..B");
  };
  if (text.empty() || text == "..") return bad();
  if (!first.empty()) {
    selection.first_sequence = parse_decimal(first);
    if (!selection.first_sequence) return bad();
  }
  if (!last.empty()) {
    selection.last_sequence = parse_decimal(last);
    if (!selection.last_sequence) return bad();
  }
  if (selection.first_sequence && selection.last_sequence &&
      *selection.first_sequence > *selection.last_sequence) {
    return bad();
  }
  return {};
}

Id128 parse_source(std::string_view name_or_id) {
  if (name_or_id.size() == 32) {
    if (const auto bytes = from_hex(name_or_id)) {
      Id128 id{};
      std::copy(bytes->begin(), bytes->end(), id.begin());
      return id;
    }
  }
  return source_id(name_or_id);
}

void SequenceSet::add(const Id128& source, std::uint64_t sequence) {
  std::vector<Range>& ranges = ranges_[source];
  if (!ranges.empty() && ranges.back().last + 1 == sequence) {
    ranges.back().last = sequence;
  } else {
    ranges.push_back({sequence, sequence});
  }
}

bool SequenceSet::contains(const Id128& source, std::uint64_t sequence) const {
  const auto found = ranges_.find(source);
  if (found == ranges_.end()) return false;
  return std::any_of(found->second.rbegin(), found->second.rend(), [&](const Range& range) {
    return range.first <= sequence && sequence <= range.last;
  });
}

}  // namespace twinchain::record
