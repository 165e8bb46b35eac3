#include "twinchain/net/stored_blocks.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <set>

#include "twinchain/base/text.hpp"

namespace twinchain::net {
namespace {

using storage::FrameEntry;
using storage::FrameKey;

constexpr std::size_t stored_entries_at_once = 256;
/// More than a store takes of one height.
constexpr std::size_t max_entries_a_height = 1 << 16;

}  // namespace

StoredBlocks::StoredBlocks(Fs& fs, const ChainParameters& parameters,
                           std::unique_ptr<storage::StoreWriter> writer)
    : parameters_(parameters),
      source_(network_source(parameters)),
      writer_(std::move(writer)),
      fetcher_(fs, writer_->layout()) {}

Result<std::unique_ptr<StoredBlocks>> StoredBlocks::open(Fs& fs, const std::string& folder,
                                                         const ChainParameters& parameters,
                                                         const storage::WriterOptions& options,
                                                         const storage::Notes& notes) {
  auto writer = storage::StoreWriter::open(fs, folder, options, notes);
  if (!writer) return pass(writer);
  std::unique_ptr<StoredBlocks> blocks(new StoredBlocks(fs, parameters, std::move(*writer)));
  TWINCHAIN_TRY(blocks->scan(notes));
  return blocks;
}

/// Nothing when the frame is damaged, or is none of a block: that is fsck's business.
Result<std::optional<BlockFrameHead>> StoredBlocks::head_of(const FrameEntry& entry) {
  std::array<std::uint8_t, block_frame_header_size> start{};
  auto count = fetcher_.fetch_start(entry, start);
  if (!count && count.error().code == ExitCode::malformed) return std::nullopt;
  if (!count) return pass(count);
  auto head = parse_block_frame_head(ByteView(start).first(*count), parameters_.block_limit_bytes);
  if (!head) return std::nullopt;
  return *head;
}

Status StoredBlocks::scan(const storage::Notes& notes) {
  struct Parts {
    std::uint64_t size_bytes = 0;
    std::uint32_t wanted = 0;
    std::set<std::uint32_t> found;
  };
  std::map<Hash256, Parts> group;  // of one height
  std::uint64_t incomplete = 0;
  const auto end_group = [&](std::uint64_t height) {
    for (const auto& [block, parts] : group) {
      if (parts.found.size() == parts.wanted && height <= UINT32_MAX) {
        remember(block, {parts.size_bytes, static_cast<std::uint32_t>(height)});
      } else {
        ++incomplete;
      }
    }
    group.clear();
  };
  FrameKey next{source_, FrameType::block, 0, 0};
  const FrameKey last{source_, FrameType::block, UINT64_MAX, UINT32_MAX};
  while (true) {
    auto entries = writer_->index().entries(next, last, stored_entries_at_once);
    if (!entries) return pass(entries);
    for (const FrameEntry& entry : *entries) {
      if (entry.key.sequence != next.sequence) end_group(next.sequence);
      next = entry.key;
      auto head = head_of(entry);
      if (!head) return pass(head);
      if (!*head) continue;
      Parts& parts = group[(*head)->block];
      if (parts.wanted == 0) parts = {(*head)->size_bytes, (*head)->parts, {}};
      if ((*head)->size_bytes == parts.size_bytes) parts.found.insert((*head)->part);
    }
    if (entries->size() < stored_entries_at_once) break;
    ++next.ordinal;
  }
  end_group(next.sequence);
  if (incomplete > 0) {
    notes(decimal(incomplete) + " blocks in the store lack a part and are not served");
  }
  return {};
}

void StoredBlocks::remember(const Hash256& block, const Known& known) {
  if (blocks_.emplace(block, known).second) size_bytes_ += known.size_bytes;
}

void StoredBlocks::forget(const Hash256& block) {
  const auto found = blocks_.find(block);
  if (found == blocks_.end()) return;
  size_bytes_ -= found->second.size_bytes;
  blocks_.erase(found);
}

Result<bool> StoredBlocks::add(std::uint32_t height, const bitcoin::BlockHeader& header,
                               ByteView raw) {
  bool has_room = true;
  const auto store = [&](const FrameHeader& start, std::span<const ByteView> pieces) -> Status {
    if (!has_room) return {};
    Frame frame;
    frame.header = start;
    frame.body = writer_->take_spare();
    frame.body.clear();
    for (const ByteView piece : pieces) frame.body.append(piece);
    set_body(frame.header, frame.body.view());
    std::string reason;
    auto taken = writer_->add(frame, &reason);
    if (!taken && taken.error().code == ExitCode::malformed) {
      has_room = false;
      return {};
    }
    if (!taken) return pass(taken);
    if (*taken == storage::Taken::refused) has_room = false;
    return {};
  };
  TWINCHAIN_TRY(block_frames(parameters_, height, header, raw, store));
  TWINCHAIN_TRY(writer_->commit());
  TWINCHAIN_TRY(writer_->commit_index(false));
  if (has_room) remember(bitcoin::block_hash(header), {raw.size(), height});
  return has_room;
}

Result<std::optional<StoredBlocks::Place>> StoredBlocks::find(const Hash256& block) {
  const auto known = blocks_.find(block);
  if (known == blocks_.end()) return std::nullopt;
  Place place{block, known->second.size_bytes, known->second.height, {}};
  const FrameKey first{source_, FrameType::block, place.height, 0};
  auto entries = writer_->index().entries(
      first, {source_, FrameType::block, place.height, UINT32_MAX}, max_entries_a_height);
  if (!entries) return pass(entries);
  std::map<std::uint32_t, std::uint32_t> ordinals;
  std::uint32_t parts = 0;
  for (const FrameEntry& entry : *entries) {
    auto head = head_of(entry);
    if (!head) return pass(head);
    if (!*head || (*head)->block != block || (*head)->size_bytes != place.size_bytes) continue;
    parts = (*head)->parts;
    ordinals.emplace((*head)->part, entry.key.ordinal);
  }
  if (parts == 0 || ordinals.size() != parts) {
    forget(block);
    return std::nullopt;
  }
  for (const auto& [part, ordinal] : ordinals) place.ordinals.push_back(ordinal);
  return place;
}

Result<std::optional<Bytes>> StoredBlocks::read_part(const Place& place, std::size_t number) {
  const FrameKey key{source_, FrameType::block, place.height, place.ordinals[number]};
  auto entry = writer_->index().find(key);
  if (!entry) return pass(entry);
  if (!*entry) return std::nullopt;
  auto frame = fetcher_.fetch(**entry);
  if (!frame && frame.error().code == ExitCode::malformed) return std::nullopt;
  if (!frame) return pass(frame);
  const ByteView body = frame->body.view();
  auto head = parse_block_frame_head(body, parameters_.block_limit_bytes);
  const bool is_it = head && head->block == place.block && head->part == number &&
                     head->size_bytes == place.size_bytes;
  if (!is_it) return std::nullopt;
  const ByteView bytes = body.subspan(block_frame_header_size);
  Bytes part(bytes.begin(), bytes.end());
  fetcher_.recycle(std::move(frame->body));
  return part;
}

Result<std::optional<Bytes>> StoredBlocks::part(const Place& place, std::size_t number) {
  auto read = read_part(place, number);
  if (!read) return pass(read);
  const std::uint64_t offset = std::uint64_t{number} * block_frame_part_bytes;
  const bool fits = *read && (*read)->size() == std::min<std::uint64_t>(block_frame_part_bytes,
                                                                        place.size_bytes - offset);
  if (!fits) {
    forget(place.block);
    return std::nullopt;
  }
  return read;
}

}  // namespace twinchain::net
