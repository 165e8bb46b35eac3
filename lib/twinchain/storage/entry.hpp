// What the index knows of a frame, and the bytes it is kept as. Floor 5.
#pragma once

#include <compare>
#include <optional>

#include "twinchain/stream/frame.hpp"

namespace twinchain::storage {

/// Order of the index. `ordinal` counts frames that share the rest: several REJECT frames of a
/// window, several ANCHOR frames of a link; always 0 for DATA and LINK.
struct FrameKey {
  Id128 source{};
  FrameType type = FrameType::data;
  std::uint64_t sequence = 0;
  std::uint32_t ordinal = 0;
  auto operator<=>(const FrameKey&) const = default;
};

struct FrameEntry {
  FrameKey key;
  std::uint32_t segment = 0;
  std::uint64_t offset = 0;  ///< of the frame's header in the segment
  std::uint32_t body_size = 0;
  std::uint32_t body_crc = 0;
  std::int64_t window_start_ns = 0;
  std::int64_t window_end_ns = 0;
  bool has_events = false;   ///< a DATA frame with rows
  bool lost_window = false;  ///< a LINK that says there never will be a DATA frame
  std::int64_t first_event_ns = 0;
  std::int64_t last_event_ns = 0;
  /// Of a LINK: its leaf in the history tree, RFC 6962 leaf hash of the frame root.
  std::optional<Hash256> history_leaf = std::nullopt;

  [[nodiscard]] std::uint64_t size_bytes() const { return frame_header_size + body_size; }
  bool operator==(const FrameEntry&) const = default;
};

/// From a frame whose CRCs are right. A body that cannot be understood just leaves the event
/// times out: it is stored all the same, what it proves is verify's question.
FrameEntry describe_frame(const FrameHeader& header, ByteView body, std::uint32_t segment,
                          std::uint64_t offset);

/// [from, to) in nanoseconds since 1970 UTC.
struct TimeRange {
  std::int64_t from_ns = INT64_MIN;
  std::int64_t to_ns = INT64_MAX;
  /// A window [start, end) overlaps; one of no length is a point.
  [[nodiscard]] bool overlaps_window(std::int64_t start_ns, std::int64_t end_ns) const {
    return start_ns < to_ns && (end_ns > from_ns || start_ns >= from_ns);
  }
  /// Events in [first, last].
  [[nodiscard]] bool overlaps_events(std::int64_t first_ns, std::int64_t last_ns) const {
    return first_ns < to_ns && last_ns >= from_ns;
  }
};

/// Sums over the frames of up to 256 neighbouring sequences of a source: lets a search by time
/// leave out most of an index in whatever order the times are, and adds up to what ls shows.
struct Block {
  static constexpr std::uint64_t sequences = 256;
  static std::uint64_t number_of(std::uint64_t sequence) { return sequence / sequences; }

  std::uint64_t data_frames = 0;
  std::uint64_t link_frames = 0;
  std::uint64_t anchor_frames = 0;
  std::uint64_t other_frames = 0;
  std::uint64_t lost_windows = 0;
  std::uint64_t size_bytes = 0;
  std::int64_t window_start_ns = INT64_MAX;
  std::int64_t window_end_ns = INT64_MIN;
  bool has_events = false;
  std::int64_t first_event_ns = INT64_MAX;
  std::int64_t last_event_ns = INT64_MIN;

  void add(const FrameEntry& entry);
  void add(const Block& other);
  [[nodiscard]] std::uint64_t frames() const {
    return data_frames + link_frames + anchor_frames + other_frames;
  }
  [[nodiscard]] bool overlaps(const TimeRange& range) const;
  bool operator==(const Block&) const = default;
};

inline constexpr std::size_t key_size = 30;
inline constexpr std::size_t entry_value_size = 56;
/// Of a LINK, which has its history leaf behind the rest.
inline constexpr std::size_t link_entry_value_size = entry_value_size + 32;
inline constexpr std::size_t history_key_size = 25;
inline constexpr std::size_t block_key_size = 24;
inline constexpr std::size_t block_value_size = 64;

std::array<std::uint8_t, key_size> encode_key(const FrameKey& key);
Bytes encode_entry_value(const FrameEntry& entry);
/// Nothing when the sizes or reserved bits are wrong.
std::optional<FrameEntry> decode_entry(ByteView key, ByteView value);

/// A perfect subtree of a source's history tree: leaves [index << level, (index + 1) << level).
std::array<std::uint8_t, history_key_size> encode_history_key(const Id128& source, unsigned level,
                                                              std::uint64_t index);

std::array<std::uint8_t, block_key_size> encode_block_key(const Id128& source,
                                                          std::uint64_t number);
std::array<std::uint8_t, block_value_size> encode_block(const Block& block);
std::optional<Block> decode_block(ByteView value);

}  // namespace twinchain::storage
