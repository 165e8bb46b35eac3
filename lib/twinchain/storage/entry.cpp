#include "twinchain/storage/entry.hpp"

#include <algorithm>

#include "twinchain/chain/link.hpp"
#include "twinchain/crypto/merkle.hpp"
#include "twinchain/record/data_frame.hpp"

namespace twinchain::storage {
namespace {

constexpr std::uint8_t flag_events = 1;
constexpr std::uint8_t flag_lost_window = 2;

// Big-endian, so that the order of the bytes is the order of the numbers.
template <class T>
void store_be(std::uint8_t* at, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    at[i] = static_cast<std::uint8_t>(value >> (8 * (sizeof(T) - 1 - i)));
  }
}
template <class T>
T load_be(const std::uint8_t* at) {
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) value = static_cast<T>((value << 8) | at[i]);
  return value;
}

/// The header leaf of a DATA body, without walking its other leaves.
std::optional<record::DataHeader> data_header(const FrameHeader& header, ByteView body) {
  constexpr std::size_t at = sizeof(record::Seed);
  constexpr std::size_t whole = at + record::leaf_head_size + record::data_header_size;
  if (body.size() < whole ||
      load_le<std::uint16_t>(&body[at]) != static_cast<std::uint16_t>(record::LeafType::header) ||
      load_le<std::uint32_t>(&body[at + 4]) != record::data_header_size) {
    return std::nullopt;
  }
  auto data = record::parse_data_header(
      body.subspan(at + record::leaf_head_size, record::data_header_size));
  if (!data || data->source != header.source || data->sequence != header.sequence) {
    return std::nullopt;
  }
  return *data;
}

}  // namespace

FrameEntry describe_frame(const FrameHeader& header, ByteView body, std::uint32_t segment,
                          std::uint64_t offset) {
  FrameEntry entry;
  entry.key = {header.source, header.type, header.sequence, 0};
  entry.segment = segment;
  entry.offset = offset;
  entry.body_size = header.body_size;
  entry.body_crc = header.body_crc;
  entry.window_start_ns = header.window_start_ns;
  entry.window_end_ns = header.window_end_ns;
  if (header.type == FrameType::data) {
    if (const auto data = data_header(header, body); data && data->rows > 0) {
      entry.has_events = true;
      entry.first_event_ns = data->first_event_ns;
      entry.last_event_ns = data->last_event_ns;
    }
  } else if (header.type == FrameType::link) {
    const auto link = chain::parse_link_frame(header, body);
    if (link) {
      entry.lost_window = (link->link.flags & chain::link_lost_window) != 0;
      entry.history_leaf = merkle_leaf(link->link.frame_root);
    }
  }
  return entry;
}

void Block::add(const FrameEntry& entry) {
  switch (entry.key.type) {
    case FrameType::data:
      ++data_frames;
      break;
    case FrameType::link:
      ++link_frames;
      if (entry.lost_window) ++lost_windows;
      break;
    case FrameType::anchor:
      ++anchor_frames;
      break;
    default:
      ++other_frames;
      break;
  }
  size_bytes += entry.size_bytes();
  window_start_ns = std::min(window_start_ns, entry.window_start_ns);
  window_end_ns = std::max(window_end_ns, entry.window_end_ns);
  if (entry.has_events) {
    has_events = true;
    first_event_ns = std::min(first_event_ns, entry.first_event_ns);
    last_event_ns = std::max(last_event_ns, entry.last_event_ns);
  }
}

void Block::add(const Block& other) {
  data_frames += other.data_frames;
  link_frames += other.link_frames;
  anchor_frames += other.anchor_frames;
  other_frames += other.other_frames;
  lost_windows += other.lost_windows;
  size_bytes += other.size_bytes;
  window_start_ns = std::min(window_start_ns, other.window_start_ns);
  window_end_ns = std::max(window_end_ns, other.window_end_ns);
  has_events = has_events || other.has_events;
  first_event_ns = std::min(first_event_ns, other.first_event_ns);
  last_event_ns = std::max(last_event_ns, other.last_event_ns);
}

bool Block::overlaps(const TimeRange& range) const {
  return range.overlaps_window(window_start_ns, window_end_ns) ||
         (has_events && range.overlaps_events(first_event_ns, last_event_ns));
}

std::array<std::uint8_t, key_size> encode_key(const FrameKey& key) {
  std::array<std::uint8_t, key_size> bytes{};
  std::copy(key.source.begin(), key.source.end(), bytes.begin());
  store_be(&bytes[16], static_cast<std::uint16_t>(key.type));
  store_be(&bytes[18], key.sequence);
  store_be(&bytes[26], key.ordinal);
  return bytes;
}

Bytes encode_entry_value(const FrameEntry& entry) {
  Bytes bytes(entry_value_size);
  store_le(&bytes[0], entry.segment);
  bytes[4] = static_cast<std::uint8_t>((entry.has_events ? flag_events : 0) |
                                       (entry.lost_window ? flag_lost_window : 0));
  store_le(&bytes[8], entry.offset);
  store_le(&bytes[16], entry.body_size);
  store_le(&bytes[20], entry.body_crc);
  store_le(&bytes[24], entry.window_start_ns);
  store_le(&bytes[32], entry.window_end_ns);
  store_le(&bytes[40], entry.first_event_ns);
  store_le(&bytes[48], entry.last_event_ns);
  if (entry.history_leaf) append(bytes, *entry.history_leaf);
  return bytes;
}

std::optional<FrameEntry> decode_entry(ByteView key, ByteView value) {
  if (key.size() != key_size ||
      (value.size() != entry_value_size && value.size() != link_entry_value_size)) {
    return std::nullopt;
  }
  FrameEntry entry;
  if (value.size() == link_entry_value_size) {
    entry.history_leaf.emplace();
    std::copy_n(&value[entry_value_size], entry.history_leaf->size(), entry.history_leaf->begin());
  }
  std::copy_n(key.begin(), entry.key.source.size(), entry.key.source.begin());
  entry.key.type = static_cast<FrameType>(load_be<std::uint16_t>(&key[16]));
  entry.key.sequence = load_be<std::uint64_t>(&key[18]);
  entry.key.ordinal = load_be<std::uint32_t>(&key[26]);
  entry.segment = load_le<std::uint32_t>(&value[0]);
  entry.has_events = (value[4] & flag_events) != 0;
  entry.lost_window = (value[4] & flag_lost_window) != 0;
  entry.offset = load_le<std::uint64_t>(&value[8]);
  entry.body_size = load_le<std::uint32_t>(&value[16]);
  entry.body_crc = load_le<std::uint32_t>(&value[20]);
  entry.window_start_ns = load_le<std::int64_t>(&value[24]);
  entry.window_end_ns = load_le<std::int64_t>(&value[32]);
  entry.first_event_ns = load_le<std::int64_t>(&value[40]);
  entry.last_event_ns = load_le<std::int64_t>(&value[48]);
  if ((value[4] & ~(flag_events | flag_lost_window)) != 0 || value[5] != 0 || value[6] != 0 ||
      value[7] != 0 || entry.body_size > max_body_size) {
    return std::nullopt;
  }
  return entry;
}

std::array<std::uint8_t, history_key_size> encode_history_key(const Id128& source, unsigned level,
                                                              std::uint64_t index) {
  std::array<std::uint8_t, history_key_size> bytes{};
  std::copy(source.begin(), source.end(), bytes.begin());
  bytes[16] = static_cast<std::uint8_t>(level);
  store_be(&bytes[17], index);
  return bytes;
}

std::array<std::uint8_t, block_key_size> encode_block_key(const Id128& source,
                                                          std::uint64_t number) {
  std::array<std::uint8_t, block_key_size> bytes{};
  std::copy(source.begin(), source.end(), bytes.begin());
  store_be(&bytes[16], number);
  return bytes;
}

std::array<std::uint8_t, block_value_size> encode_block(const Block& block) {
  std::array<std::uint8_t, block_value_size> bytes{};
  store_le(&bytes[0], static_cast<std::uint32_t>(block.data_frames));
  store_le(&bytes[4], static_cast<std::uint32_t>(block.link_frames));
  store_le(&bytes[8], static_cast<std::uint32_t>(block.anchor_frames));
  store_le(&bytes[12], static_cast<std::uint32_t>(block.other_frames));
  store_le(&bytes[16], static_cast<std::uint32_t>(block.lost_windows));
  store_le(&bytes[20], std::uint32_t{block.has_events});
  store_le(&bytes[24], block.size_bytes);
  store_le(&bytes[32], block.window_start_ns);
  store_le(&bytes[40], block.window_end_ns);
  store_le(&bytes[48], block.first_event_ns);
  store_le(&bytes[56], block.last_event_ns);
  return bytes;
}

std::optional<Block> decode_block(ByteView value) {
  if (value.size() != block_value_size) return std::nullopt;
  Block block;
  block.data_frames = load_le<std::uint32_t>(&value[0]);
  block.link_frames = load_le<std::uint32_t>(&value[4]);
  block.anchor_frames = load_le<std::uint32_t>(&value[8]);
  block.other_frames = load_le<std::uint32_t>(&value[12]);
  block.lost_windows = load_le<std::uint32_t>(&value[16]);
  block.has_events = load_le<std::uint32_t>(&value[20]) != 0;
  block.size_bytes = load_le<std::uint64_t>(&value[24]);
  block.window_start_ns = load_le<std::int64_t>(&value[32]);
  block.window_end_ns = load_le<std::int64_t>(&value[40]);
  block.first_event_ns = load_le<std::int64_t>(&value[48]);
  block.last_event_ns = load_le<std::int64_t>(&value[56]);
  return block;
}

}  // namespace twinchain::storage
