#include "twinchain/chain/slice.hpp"

#include <algorithm>
#include <functional>

#include "twinchain/base/crc32c.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/crypto/merkle.hpp"
#include "twinchain/record/column_reader.hpp"

namespace twinchain::chain {
namespace {

constexpr std::uint8_t leaf_hidden = 0;
constexpr std::uint8_t leaf_shown = 1;
/// Leaf count and one hidden leaf: nothing shorter can be a slice.
constexpr std::size_t hidden_leaf_size = 1 + sizeof(Hash256);

/// One leaf of a slice's body: either its hash, or its salt and its bytes.
struct SliceLeaf {
  bool shown = false;
  Hash256 hash_or_salt{};
  record::Leaf leaf;
};

std::unexpected<Error> malformed(std::string message) {
  return fail(ExitCode::malformed, "slice: " + std::move(message));
}

Result<record::Leaf> read_leaf(ByteCursor& in, ByteView body) {
  const std::size_t at = in.offset();
  const ByteView head = in.read_view(record::leaf_head_size);
  if (!in.ok()) return malformed("leaf head cut short");
  record::Leaf leaf;
  leaf.type = static_cast<record::LeafType>(load_le<std::uint16_t>(&head[0]));
  if (load_le<std::uint16_t>(&head[2]) != 0) return malformed("reserved field is not zero");
  leaf.payload = in.read_view(load_le<std::uint32_t>(&head[4]));
  if (!in.ok()) return malformed("leaf does not fit into its frame");
  leaf.bytes = body.subspan(at, record::leaf_head_size + leaf.payload.size());
  leaf.crc_ok = crc32c(leaf.payload) == load_le<std::uint32_t>(&head[8]);
  return leaf;
}

/// Calls `each` for every leaf; gives their number.
Result<std::uint32_t> walk_slice(ByteView body, const std::function<void(const SliceLeaf&)>& each) {
  ByteCursor in(body);
  const auto count = in.read_le<std::uint32_t>();
  if (count == 0 || count > record::max_leaves || count > in.remaining() / hidden_leaf_size) {
    return malformed("claims " + decimal(std::uint64_t{count}) + " leaves");
  }
  for (std::uint32_t i = 0; i < count; ++i) {
    SliceLeaf leaf;
    const auto shown = in.read_le<std::uint8_t>();
    leaf.hash_or_salt = in.read_array<32>();
    if (!in.ok() || shown > leaf_shown) {
      return malformed("leaf " + decimal(std::uint64_t{i}) + " is malformed");
    }
    leaf.shown = shown == leaf_shown;
    if (leaf.shown) {
      auto read = read_leaf(in, body);
      if (!read) return pass(read);
      leaf.leaf = *read;
    }
    // A hidden leaf's type is not known; what it is rests on the link that sealed the root.
    const bool is_header = leaf.shown && leaf.leaf.type == record::LeafType::header;
    if (is_header != (i == 0)) return malformed("the header leaf is not shown first and alone");
    each(leaf);
  }
  if (!in.at_end()) return malformed("bytes follow the last leaf");
  return count;
}

bool wanted(const record::Leaf& leaf, std::span<const std::uint32_t> channels) {
  switch (leaf.type) {
    case record::LeafType::header:
    case record::LeafType::time_column:
      return true;
    case record::LeafType::value_column: {
      const auto channel = record::value_column_channel(leaf.payload);
      return channel && std::find(channels.begin(), channels.end(), *channel) != channels.end();
    }
  }
  return false;
}

class SliceWriter {
 public:
  SliceWriter() { append_le(body_, std::uint32_t{0}); }

  void show(const Hash256& salt, const record::Leaf& leaf) {
    append_le(body_, leaf_shown);
    append(body_, salt);
    append(body_, leaf.bytes);
    ++count_;
  }
  void hide(const Hash256& hash) {
    append_le(body_, leaf_hidden);
    append(body_, hash);
    ++count_;
  }
  Result<Slice> finish(const FrameHeader& header) {
    if (body_.size() > max_body_size) return malformed("larger than a frame may be");
    store_le(body_.data(), count_);
    Slice slice;
    slice.header = header;
    slice.header.type = FrameType::slice;
    slice.body = std::move(body_);
    set_body(slice.header, slice.body);
    return slice;
  }

 private:
  Bytes body_;
  std::uint32_t count_ = 0;
};

}  // namespace

Result<Slice> make_slice(const FrameHeader& header, ByteView body,
                         std::span<const std::uint32_t> channels) {
  SliceWriter out;
  if (header.type == FrameType::slice) {
    const auto put = [&](const SliceLeaf& leaf) {
      if (!leaf.shown) {
        out.hide(leaf.hash_or_salt);
      } else if (wanted(leaf.leaf, channels)) {
        out.show(leaf.hash_or_salt, leaf.leaf);
      } else {
        out.hide(record::salted_leaf_hash(leaf.hash_or_salt, leaf.leaf.bytes));
      }
    };
    if (auto count = walk_slice(body, put); !count) return pass(count);
    return out.finish(header);
  }
  auto leaves = record::parse_leaves(body, false);
  if (!leaves) return pass(leaves);
  const auto salts = record::leaf_salts(record::body_seed(body), leaves->size());
  const auto hashes = record::salted_leaf_hashes(salts, *leaves);
  for (std::size_t i = 0; i < leaves->size(); ++i) {
    const record::Leaf& leaf = (*leaves)[i];
    if (wanted(leaf, channels)) {
      out.show(salts[i], leaf);
    } else {
      out.hide(hashes[i]);
    }
  }
  return out.finish(header);
}

Result<SliceContent> check_slice(const FrameHeader& header, ByteView body) {
  SliceContent content;
  std::vector<Hash256> hashes;  // of all leaves; those shown are filled in together
  std::vector<Hash256> salts;
  std::vector<record::Leaf> shown;
  auto count = walk_slice(body, [&](const SliceLeaf& leaf) {
    if (leaf.shown) {
      content.shown.push_back(
          {static_cast<std::uint32_t>(hashes.size()), leaf.hash_or_salt, leaf.leaf});
      salts.push_back(leaf.hash_or_salt);
      shown.push_back(leaf.leaf);
    }
    hashes.push_back(leaf.hash_or_salt);
  });
  if (!count) return pass(count);
  const auto shown_hashes = record::salted_leaf_hashes(salts, shown);
  for (std::size_t i = 0; i < shown.size(); ++i) hashes[content.shown[i].index] = shown_hashes[i];
  auto data = record::parse_data_header(content.shown.front().leaf.payload);
  if (!data) return pass(data);
  if (data->source != header.source || data->sequence != header.sequence ||
      data->window_start_ns != header.window_start_ns ||
      data->window_end_ns != header.window_end_ns) {
    return fail(ExitCode::malformed, "frame header and header leaf do not say the same");
  }
  // A hidden hash may be that of an inner node, so the count can only be too small, never too
  // large.
  const std::uint32_t other_leaves = data->rows > 0 ? 2 : 1;
  if (*count < data->channel_count || *count - data->channel_count < other_leaves) {
    return malformed("fewer leaves than the window has columns");
  }
  content.header = *data;
  content.leaf_count = *count;
  content.root = merkle_root(hashes);
  return content;
}

}  // namespace twinchain::chain
