#include "twinchain/chain/audit_frame.hpp"

#include <algorithm>

#include "twinchain/base/crc32c.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/chain/slice.hpp"
#include "twinchain/record/schema.hpp"

namespace twinchain::chain {
namespace {

/// What a search for the leaf after a damaged one may cost, in bytes put through the CRC.
constexpr std::size_t max_search_bytes = std::size_t{64} * 1024 * 1024;

void compare_header(CheckedFrame& frame, const Id128& source, std::uint64_t sequence,
                    std::int64_t window_start_ns, std::int64_t window_end_ns) {
  const FrameHeader& header = frame.header();
  frame.other_source = header.source != source;
  frame.other_sequence = header.sequence != sequence;
  frame.other_window =
      header.window_start_ns != window_start_ns || header.window_end_ns != window_end_ns;
}

/// The frame header with what the content says in place of what it says itself, so that a renamed
/// frame can still be compared with its link.
FrameHeader corrected(FrameHeader header, const record::DataHeader& data) {
  header.source = data.source;
  header.sequence = data.sequence;
  header.window_start_ns = data.window_start_ns;
  header.window_end_ns = data.window_end_ns;
  return header;
}

Status check_data(CheckedFrame& frame) {
  const ByteView body = frame.event.frame.body.view();
  auto leaves = record::parse_leaves(body, false);
  if (!leaves) return pass(leaves);
  auto data = record::parse_data_header(leaves->front().payload);
  if (!data) return pass(data);
  frame.hash = record::leaves_root(record::body_seed(body), *leaves);
  frame.data = *data;
  frame.leaf_count = static_cast<std::uint32_t>(leaves->size());
  return {};
}

Status check_slice_frame(CheckedFrame& frame) {
  const ByteView body = frame.event.frame.body.view();
  auto data = slice_data_header(body);
  if (!data) return pass(data);
  auto content = check_slice(corrected(frame.header(), *data), body);
  if (!content) return pass(content);
  frame.hash = content->root;
  frame.data = content->header;
  frame.leaf_count = content->leaf_count;
  frame.shown_leaves = static_cast<std::uint32_t>(content->shown.size());
  return {};
}

Status check_link(CheckedFrame& frame) {
  auto link = parse_link_body(frame.event.frame.body.view());
  if (!link) return pass(link);
  frame.hash = link_hash(link->link);
  frame.signature_ok =
      verify_signature(link->link.key, link_signing_message(frame.hash), link->signature);
  frame.link = *link;
  return {};
}

Status check_cosignature(CheckedFrame& frame) {
  auto cosignature = parse_cosignature_body(frame.event.frame.body.view());
  if (!cosignature) return pass(cosignature);
  frame.signature_ok = verify_cosignature(*cosignature);
  frame.cosignature = *cosignature;
  return {};
}

Status check_schema(CheckedFrame& frame) {
  const ByteView body = frame.event.frame.body.view();
  frame.hash = frame_digest(frame.header(), body);
  auto schema = record::parse_schema_frame(frame.header(), body);
  if (!schema) return pass(schema);
  frame.source_name = std::move(schema->source_name);
  frame.channels = std::make_shared<std::vector<std::string>>();
  frame.channels->reserve(schema->channels.size());
  for (record::Channel& channel : schema->channels) {
    frame.channels->push_back(std::move(channel.name));
  }
  return {};
}

Status check_by_type(CheckedFrame& frame) {
  switch (frame.header().type) {
    case FrameType::data:
      return check_data(frame);
    case FrameType::slice:
      return check_slice_frame(frame);
    case FrameType::link:
      return check_link(frame);
    case FrameType::schema:
      return check_schema(frame);
    case FrameType::reject:
      frame.hash = frame_digest(frame.header(), frame.event.frame.body.view());
      return {};
    case FrameType::cosignature:
      return check_cosignature(frame);
    case FrameType::anchor:
    case FrameType::end:
    case FrameType::evidence:
    case FrameType::network:
    case FrameType::snapshot:
    case FrameType::skeleton:
    case FrameType::block:
      break;
  }
  return {};
}

/// A leaf as its head describes it, whether or not it makes sense.
struct RawLeaf {
  std::size_t at = 0;
  std::size_t size = 0;  ///< head and payload
  record::LeafType type = record::LeafType::header;
  bool plausible = false;  ///< the head makes sense and the leaf fits
  bool crc_ok = false;
};

RawLeaf look_at_leaf(ByteView body, std::size_t at) {
  RawLeaf leaf;
  leaf.at = at;
  if (body.size() - at < record::leaf_head_size) return leaf;
  leaf.type = static_cast<record::LeafType>(load_le<std::uint16_t>(&body[at]));
  const std::size_t payload_size = load_le<std::uint32_t>(&body[at + 4]);
  if (payload_size > body.size() - at - record::leaf_head_size) return leaf;
  leaf.size = record::leaf_head_size + payload_size;
  const bool first = at == sizeof(record::Seed);
  leaf.plausible = load_le<std::uint16_t>(&body[at + 2]) == 0 &&
                   (leaf.type == record::LeafType::header) == first;
  leaf.crc_ok = crc32c(body.subspan(at + record::leaf_head_size, payload_size)) ==
                load_le<std::uint32_t>(&body[at + 8]);
  return leaf;
}

bool sound(const RawLeaf& leaf) {
  return leaf.plausible && leaf.crc_ok;
}

/// Where the next sound leaf begins after a head that cannot be believed, or the end.
std::size_t next_sound_leaf(ByteView body, std::size_t from) {
  std::size_t cost = 0;
  for (std::size_t at = from; at + record::leaf_head_size <= body.size(); ++at) {
    const auto type = load_le<std::uint16_t>(&body[at]);
    const bool may_be = load_le<std::uint16_t>(&body[at + 2]) == 0 &&
                        (type == static_cast<std::uint16_t>(record::LeafType::time_column) ||
                         type == static_cast<std::uint16_t>(record::LeafType::value_column));
    const std::size_t payload_size = load_le<std::uint32_t>(&body[at + 4]);
    if (!may_be || payload_size == 0 || payload_size > body.size() - at - record::leaf_head_size) {
      continue;
    }
    cost += payload_size;
    if (cost > max_search_bytes) break;
    if (sound(look_at_leaf(body, at))) return at;
  }
  return body.size();
}

std::optional<std::uint32_t> column_channel(ByteView body, const RawLeaf& leaf) {
  if (leaf.type != record::LeafType::value_column || leaf.size < record::leaf_head_size + 4) {
    return std::nullopt;
  }
  return load_le<std::uint32_t>(&body[leaf.at + record::leaf_head_size]);
}

std::string channel_name(std::uint32_t channel, const std::vector<std::string>* names) {
  if (names != nullptr && channel < names->size()) return (*names)[channel];
  return "channel " + decimal(std::uint64_t{channel});
}

/// Columns are in the order of their channels, so the neighbours say whether the number in a
/// damaged column can be believed.
std::string name_column(std::optional<std::uint32_t> own, std::optional<std::uint32_t> before,
                        std::optional<std::uint32_t> after, std::size_t position,
                        const std::vector<std::string>* names) {
  if (before && after && *after - *before == 2) return channel_name(*before + 1, names);
  if (!before && after && *after == 1) return channel_name(0, names);
  const bool fits = own && (!before || *own > *before) && (!after || *own < *after);
  const bool exists = names == nullptr || (own && *own < names->size());
  if (fits && exists) return channel_name(*own, names);
  return "column " + decimal(std::uint64_t{position});
}

struct WalkedLeaf {
  RawLeaf leaf;
  std::size_t size = 0;  ///< up to the next sound leaf, whatever the head says
};

std::vector<WalkedLeaf> walk_leaves(ByteView body) {
  std::vector<WalkedLeaf> leaves;
  std::size_t at = sizeof(record::Seed);
  while (at < body.size() && leaves.size() < record::max_leaves) {
    const RawLeaf leaf = look_at_leaf(body, at);
    std::size_t end = at + leaf.size;
    if (!sound(leaf)) {
      const bool size_believed =
          leaf.size > 0 && (end == body.size() || sound(look_at_leaf(body, end)));
      if (!size_believed) end = next_sound_leaf(body, at + 1);
    }
    leaves.push_back({leaf, end - at});
    at = end;
  }
  return leaves;
}

/// A leaf's CRC covers its payload, not its type: what stands out among sound leaves is looked at
/// when nothing else does.
bool odd_type(const std::vector<WalkedLeaf>& leaves, std::size_t i) {
  if (i == 0) return false;
  const record::LeafType usual =
      i == 1 ? record::LeafType::time_column : record::LeafType::value_column;
  return leaves[i].leaf.type != usual;
}

}  // namespace

Id128 CheckedFrame::source() const {
  if (data) return data->source;
  if (link) return link->link.source;
  return header().source;
}

std::uint64_t CheckedFrame::sequence() const {
  if (data) return data->sequence;
  if (link) return link->link.number;
  return header().sequence;
}

Result<record::DataHeader> slice_data_header(ByteView body) {
  constexpr std::size_t at = 4 + 1 + 32 + record::leaf_head_size;
  if (body.size() < at + record::data_header_size) {
    return fail(ExitCode::malformed, "slice: no room for its header leaf");
  }
  return record::parse_data_header(body.subspan(at, record::data_header_size));
}

void check_frame(CheckedFrame& frame) {
  if (!frame.is_frame()) return;
  if (frame.event.deferred && !frame.reader->load_body(frame.event.frame)) {
    frame.unsound = true;
    return;
  }
  auto status = check_by_type(frame);
  if (!status) {
    frame.error = std::move(status.error());
    return;
  }
  if (frame.data) {
    compare_header(frame, frame.data->source, frame.data->sequence, frame.data->window_start_ns,
                   frame.data->window_end_ns);
  } else if (frame.link) {
    const Link& link = frame.link->link;
    compare_header(frame, link.source, link.number, link.window_start_ns, link.window_end_ns);
  }
  // The digests of SCHEMA and REJECT frames cover their flags; nothing else does.
  const FrameType type = frame.header().type;
  const bool flags_covered = type == FrameType::schema || type == FrameType::reject;
  if (is_known_frame_type(type) && !flags_covered && frame.header().flags != 0) {
    frame.error =
        Error{ExitCode::malformed, "flags of a " + frame_type_name(type) + " frame are not zero"};
  }
}

DamagePlace find_damage(ByteView body, const std::vector<std::string>* channel_names) {
  DamagePlace place;
  if (body.size() <= sizeof(record::Seed)) {
    place.text = "the frame is too short for its content";
    return place;
  }
  const std::vector<WalkedLeaf> leaves = walk_leaves(body);
  const bool all_sound = std::all_of(leaves.begin(), leaves.end(),
                                     [](const WalkedLeaf& walked) { return sound(walked.leaf); });
  const auto suspect = [&](std::size_t i) {
    return all_sound ? odd_type(leaves, i) : !sound(leaves[i].leaf);
  };
  std::optional<std::uint32_t> before;
  std::size_t damaged = 0;
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    const RawLeaf& leaf = leaves[i].leaf;
    if (i >= 2) ++place.columns;
    if (!suspect(i)) {
      if (const auto channel = column_channel(body, leaf)) before = channel;
      continue;
    }
    ++damaged;
    place.first_byte = leaf.at;
    place.last_byte = leaf.at + leaves[i].size - 1;
    if (i < 2) {
      place.channels.emplace_back(i == 0 ? "(header)" : "(time)");
      continue;
    }
    std::optional<std::uint32_t> after;
    if (i + 1 < leaves.size() && !suspect(i + 1)) after = column_channel(body, leaves[i + 1].leaf);
    std::optional<std::uint32_t> own;
    if (leaf.size >= record::leaf_head_size + 4) {
      own = load_le<std::uint32_t>(&body[leaf.at + record::leaf_head_size]);
    }
    place.channels.push_back(name_column(own, before, after, i, channel_names));
  }
  if (damaged != 1) place.first_byte.reset();
  return place;
}

DamagePlace find_slice_damage(const record::DataHeader& data, const FrameHeader& header,
                              ByteView body, const std::vector<std::string>* channel_names) {
  DamagePlace place;
  const auto content = check_slice(corrected(header, data), body);
  if (!content) return place;
  std::size_t damaged = 0;
  for (const ShownLeaf& shown : content->shown) {
    const record::Leaf& leaf = shown.leaf;
    if (leaf.type == record::LeafType::value_column) ++place.columns;
    if (leaf.crc_ok) continue;
    ++damaged;
    place.first_byte = static_cast<std::size_t>(leaf.bytes.data() - body.data());
    place.last_byte = *place.first_byte + leaf.bytes.size() - 1;
    if (leaf.type == record::LeafType::header) {
      place.channels.emplace_back("(header)");
    } else if (leaf.type == record::LeafType::time_column || leaf.payload.size() < 4) {
      place.channels.emplace_back("(time)");
    } else {
      place.channels.push_back(
          channel_name(load_le<std::uint32_t>(leaf.payload.data()), channel_names));
    }
  }
  if (damaged != 1) place.first_byte.reset();
  return place;
}

}  // namespace twinchain::chain
