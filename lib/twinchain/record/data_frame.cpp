#include "twinchain/record/data_frame.hpp"

#include <algorithm>

#include "twinchain/base/crc32c.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/crypto/merkle.hpp"
#include "twinchain/crypto/sha256.hpp"
#include "twinchain/crypto/sha256_many.hpp"

namespace twinchain::record {

Bytes encode_data_header(const DataHeader& header) {
  Bytes out;
  out.reserve(data_header_size);
  append(out, header.source);
  append_le(out, header.sequence);
  append_le(out, header.window_start_ns);
  append_le(out, header.window_end_ns);
  append_le(out, header.flags);
  append_le(out, header.channel_count);
  append(out, header.schema_digest);
  append(out, header.reject_digest);
  append_le(out, header.reject_frames);
  append_le(out, std::uint32_t{0});
  append_le(out, header.rows);
  append_le(out, header.samples);
  append_le(out, header.first_event_ns);
  append_le(out, header.last_event_ns);
  append_le(out, header.closed_wall_ns);
  append_le(out, header.closed_monotonic_ns);
  append(out, header.boot_id);
  append_le(out, header.declared_rate_mhz);
  append_le(out, header.late_rows);
  append_le(out, header.duplicate_rows);
  append_le(out, header.out_of_order_rows);
  append_le(out, header.rejected_rows);
  return out;
}

Result<DataHeader> parse_data_header(ByteView payload) {
  if (payload.size() != data_header_size) {
    return fail(ExitCode::malformed, "header leaf has " + decimal(std::uint64_t{payload.size()}) +
                                         " bytes instead of " +
                                         decimal(std::uint64_t{data_header_size}));
  }
  ByteCursor in(payload);
  DataHeader header;
  header.source = in.read_array<16>();
  header.sequence = in.read_le<std::uint64_t>();
  header.window_start_ns = in.read_le<std::int64_t>();
  header.window_end_ns = in.read_le<std::int64_t>();
  header.flags = in.read_le<std::uint32_t>();
  header.channel_count = in.read_le<std::uint32_t>();
  header.schema_digest = in.read_array<32>();
  header.reject_digest = in.read_array<32>();
  header.reject_frames = in.read_le<std::uint32_t>();
  const auto reserved = in.read_le<std::uint32_t>();
  header.rows = in.read_le<std::uint64_t>();
  header.samples = in.read_le<std::uint64_t>();
  header.first_event_ns = in.read_le<std::int64_t>();
  header.last_event_ns = in.read_le<std::int64_t>();
  header.closed_wall_ns = in.read_le<std::int64_t>();
  header.closed_monotonic_ns = in.read_le<std::uint64_t>();
  header.boot_id = in.read_array<16>();
  header.declared_rate_mhz = in.read_le<std::uint64_t>();
  header.late_rows = in.read_le<std::uint64_t>();
  header.duplicate_rows = in.read_le<std::uint64_t>();
  header.out_of_order_rows = in.read_le<std::uint64_t>();
  header.rejected_rows = in.read_le<std::uint64_t>();
  if (reserved != 0)
    return fail(ExitCode::malformed, "reserved field of the header leaf is not zero");
  return header;
}

void append_leaf(Bytes& body, LeafType type, ByteView payload) {
  append_le(body, static_cast<std::uint16_t>(type));
  append_le(body, std::uint16_t{0});
  append_le(body, static_cast<std::uint32_t>(payload.size()));
  append_le(body, crc32c(payload));
  append(body, payload);
}

Result<std::vector<Leaf>> parse_leaves(ByteView body, bool check_crc) {
  if (body.size() < sizeof(Seed)) return fail(ExitCode::malformed, "body too short for its seed");
  std::size_t at = sizeof(Seed);
  std::vector<Leaf> leaves;
  while (at < body.size()) {
    if (body.size() - at < leaf_head_size) {
      return fail(ExitCode::malformed,
                  "leaf head cut short at body byte " + decimal(std::uint64_t{at}));
    }
    Leaf leaf;
    leaf.type = static_cast<LeafType>(load_le<std::uint16_t>(&body[at]));
    const auto reserved = load_le<std::uint16_t>(&body[at + 2]);
    const std::size_t size = load_le<std::uint32_t>(&body[at + 4]);
    if (reserved != 0 || size > body.size() - at - leaf_head_size) {
      return fail(ExitCode::malformed, "leaf " + decimal(std::uint64_t{leaves.size()}) +
                                           " at body byte " + decimal(std::uint64_t{at}) +
                                           " does not fit into its frame");
    }
    if ((leaf.type == LeafType::header) != leaves.empty()) {
      return fail(ExitCode::malformed, "the header leaf is not the first one and alone");
    }
    leaf.bytes = body.subspan(at, leaf_head_size + size);
    leaf.payload = leaf.bytes.subspan(leaf_head_size);
    if (check_crc) leaf.crc_ok = crc32c(leaf.payload) == load_le<std::uint32_t>(&body[at + 8]);
    if (leaves.size() == max_leaves) {
      return fail(ExitCode::malformed, "more leaves than a frame may have");
    }
    leaves.push_back(leaf);
    at += leaf.bytes.size();
  }
  if (leaves.empty()) return fail(ExitCode::malformed, "body has no header leaf");
  return leaves;
}

Seed body_seed(ByteView body) {
  Seed seed{};
  std::copy_n(body.begin(), std::min(seed.size(), body.size()), seed.begin());
  return seed;
}

namespace {

constexpr std::string_view salt_label = "twinchain leaf salt 1";
constexpr std::uint8_t leaf_prefix = 0x00;
using SaltMessage = std::array<std::uint8_t, salt_label.size() + 4>;

SaltMessage salt_message(std::uint32_t index) {
  SaltMessage message{};
  std::copy(salt_label.begin(), salt_label.end(), message.begin());
  store_le(&message[salt_label.size()], index);
  return message;
}

}  // namespace

Hash256 leaf_salt(const Seed& seed, std::uint32_t index) {
  return hmac_sha256(seed, salt_message(index));
}

Hash256 salted_leaf_hash(const Hash256& salt, ByteView leaf_bytes) {
  return sha256({ByteView(&leaf_prefix, 1), ByteView(salt), leaf_bytes});
}

std::vector<Hash256> leaf_salts(const Seed& seed, std::size_t count) {
  std::vector<SaltMessage> messages;
  messages.reserve(count);
  std::vector<ByteView> views;
  views.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    messages.push_back(salt_message(static_cast<std::uint32_t>(i)));
    views.emplace_back(messages.back());
  }
  std::vector<Hash256> salts(count);
  hmac_sha256_many(seed, views, salts);
  return salts;
}

std::vector<Hash256> salted_leaf_hashes(std::span<const Hash256> salts,
                                        std::span<const Leaf> leaves) {
  std::vector<std::array<std::uint8_t, 1 + sizeof(Hash256)>> prefixes(leaves.size());
  std::vector<PrefixedMessage> messages;
  messages.reserve(leaves.size());
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    prefixes[i][0] = leaf_prefix;
    std::copy(salts[i].begin(), salts[i].end(), prefixes[i].begin() + 1);
    messages.push_back({ByteView(prefixes[i]), leaves[i].bytes});
  }
  std::vector<Hash256> hashes(leaves.size());
  sha256_many(messages, hashes);
  return hashes;
}

Hash256 leaves_root(const Seed& seed, std::span<const Leaf> leaves) {
  return merkle_root(salted_leaf_hashes(leaf_salts(seed, leaves.size()), leaves));
}

Result<Hash256> frame_root(ByteView body) {
  auto leaves = parse_leaves(body, false);
  if (!leaves) return pass(leaves);
  return leaves_root(body_seed(body), *leaves);
}

Result<DataHeader> check_data_frame(const FrameHeader& header, ByteView body) {
  auto leaves = parse_leaves(body, false);
  if (!leaves) return pass(leaves);
  auto data = parse_data_header(leaves->front().payload);
  if (!data) return pass(data);
  if (data->source != header.source || data->sequence != header.sequence ||
      data->window_start_ns != header.window_start_ns ||
      data->window_end_ns != header.window_end_ns) {
    return fail(ExitCode::malformed, "frame header and header leaf do not say the same");
  }
  return data;
}

void append_reject(Bytes& entries, const Reject& reject) {
  const std::size_t reason_size = std::min<std::size_t>(reject.reason.size(), 0xffff);
  append_le(entries, reject.line);
  append_le(entries, reject.arrival_ns);
  append_le(entries, static_cast<std::uint16_t>(reason_size));
  append_le(entries, static_cast<std::uint32_t>(reject.text.size()));
  append(entries, as_bytes(reject.reason).first(reason_size));
  append(entries, reject.text);
}

Result<std::vector<Reject>> parse_reject_body(ByteView body) {
  ByteCursor in(body);
  const auto count = in.read_le<std::uint32_t>();
  std::vector<Reject> rejects;
  for (std::uint32_t i = 0; i < count && in.ok(); ++i) {
    Reject reject;
    reject.line = in.read_le<std::uint64_t>();
    reject.arrival_ns = in.read_le<std::int64_t>();
    const auto reason_size = in.read_le<std::uint16_t>();
    const auto text_size = in.read_le<std::uint32_t>();
    reject.reason = as_text(in.read_view(reason_size));
    reject.text = as_text(in.read_view(text_size));
    rejects.push_back(std::move(reject));
  }
  if (!in.at_end()) return fail(ExitCode::malformed, "REJECT body has the wrong size");
  return rejects;
}

}  // namespace twinchain::record
