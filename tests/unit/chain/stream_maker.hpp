// Makes small sealed records in memory, and audits them, for the tests of chain/.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "twinchain/base/crc32c.hpp"
#include "twinchain/chain/audit.hpp"
#include "twinchain/chain/cosignature.hpp"
#include "twinchain/chain/link.hpp"
#include "twinchain/crypto/merkle.hpp"
#include "twinchain/crypto/sha256.hpp"
#include "twinchain/record/data_frame.hpp"
#include "twinchain/record/schema.hpp"
#include "twinchain/stream/reader.hpp"
#include "twinchain/stream/writer.hpp"

namespace twinchain::chain::testing {

inline constexpr std::int64_t second_ns = 1'000'000'000;
inline constexpr std::int64_t base_ns = 1'790'000'000 * second_ns;

struct MadeFrame {
  FrameHeader header;
  Bytes body;
  bool operator==(const MadeFrame&) const = default;
};
using Frames = std::vector<MadeFrame>;

inline SecretKey test_key(std::uint8_t number) {
  std::array<std::uint8_t, 32> seed{};
  seed.fill(number);
  return SecretKey::from_seed(seed);
}

inline MadeFrame made(FrameHeader header, Bytes body) {
  set_body(header, body);
  return {header, std::move(body)};
}

/// A ledger's receipt as chain/ sees it: bytes that only a check function understands. Here
/// link hash, height u32, block hash = SHA256 of both. The real ones are tested with ledger/.
inline Bytes test_receipt(const Hash256& link_hash, std::uint32_t height) {
  Bytes body;
  append(body, link_hash);
  append_le(body, height);
  const Hash256 block = sha256(ByteView(body));
  append(body, block);
  return body;
}

inline Result<AnchorFacts> check_test_receipt(ByteView body) {
  ByteCursor in(body);
  AnchorFacts facts;
  facts.link_hash = in.read_array<32>();
  facts.height = in.read_le<std::uint32_t>();
  facts.block_hash = in.read_array<32>();
  facts.network = 0x74736574;
  facts.network_name = "test";
  facts.trivial_network = true;
  facts.time_s = base_ns / second_ns + 60;
  if (!in.at_end() || sha256(body.first(36)) != facts.block_hash) {
    return fail(ExitCode::refuted, "receipt: block hash mismatch");
  }
  return facts;
}

/// Writes what twin-record and hashchain would.
class StreamMaker {
 public:
  explicit StreamMaker(std::string source, std::uint8_t key_number = 1)
      : source_name(std::move(source)),
        id(source_id(source_name)),
        key(test_key(key_number)),
        next_key(test_key(static_cast<std::uint8_t>(key_number + 1))) {
    record.fill(key_number);
    boot.fill(7);
    schema.source_name = source_name;
    schema.time_note = "test";
    for (const char* name : {"alpha", "beta", "gamma"}) {
      schema.channels.push_back({name, record::ValueType::f64, "V", ""});
    }
  }

  FrameHeader header(FrameType type, std::uint64_t sequence) const {
    FrameHeader out;
    out.type = type;
    out.source = id;
    out.sequence = sequence;
    out.window_start_ns = start_ns;
    out.window_end_ns = start_ns + length_ns;
    return out;
  }

  void add_schema() {
    frames.push_back(made(header(FrameType::schema, next), encode_schema(schema)));
    schema_digest = frame_digest(frames.back().header, frames.back().body);
  }
  void add_reject(const std::string& text) {
    Bytes entries;
    record::append_reject(entries, {next, start_ns, "column 3: not a number", text});
    Bytes body;
    append_le(body, std::uint32_t{1});
    append(body, entries);
    frames.push_back(made(header(FrameType::reject, next), std::move(body)));
    append(reject_digests, frame_digest(frames.back().header, frames.back().body));
    ++rejects;
  }
  void add_data(std::uint64_t rows) {
    record::DataHeader data;
    data.source = id;
    data.sequence = next;
    data.window_start_ns = start_ns;
    data.window_end_ns = start_ns + length_ns;
    data.schema_digest = schema_digest;
    data.channel_count = rows > 0 ? static_cast<std::uint32_t>(schema.channels.size()) : 0;
    if (rejects > 0) data.reject_digest = sha256(ByteView(reject_digests));
    data.reject_frames = rejects;
    data.rejected_rows = rejects;
    data.rows = rows;
    data.samples = rows * data.channel_count;
    data.declared_rate_mhz = rate_mhz;
    data.closed_wall_ns = start_ns + length_ns;
    data.closed_monotonic_ns = static_cast<std::uint64_t>(start_ns + length_ns - base_ns) + 5000;
    data.boot_id = boot;
    Bytes body;
    const Hash256 seed = sha256(as_bytes(source_name + std::to_string(next) + salt));
    append(body, seed);
    record::append_leaf(body, record::LeafType::header, record::encode_data_header(data));
    if (rows > 0) record::append_leaf(body, record::LeafType::time_column, column(99));
    for (std::uint32_t channel = 0; channel < data.channel_count; ++channel) {
      record::append_leaf(body, record::LeafType::value_column, column(channel));
    }
    root = record::frame_root(body).value();
    last_data = data;
    frames.push_back(made(header(FrameType::data, next), std::move(body)));
    rejects = 0;
    reject_digests.clear();
  }
  Bytes column(std::uint32_t channel) const {
    // The head of a value column of f64 (twin-stream(5)); the values are anything.
    Bytes payload;
    append_le(payload, channel);
    append(payload, Bytes{1, 4, 0, 0, 10, 0, 0, 0});
    for (std::uint32_t i = 0; i < column_bytes; ++i) {
      payload.push_back(static_cast<std::uint8_t>(i * 7 + channel + next));
    }
    return payload;
  }
  Link next_link(bool lost = false) {
    Link link;
    link.flags = lost ? link_lost_window : std::uint16_t{0};
    link.epoch = epoch;
    link.source = id;
    link.record = record;
    link.number = next;
    link.previous = previous;
    if (!lost) link.frame_root = root;
    history.append(merkle_leaf(link.frame_root));
    link.history_root = history.root();
    link.window_start_ns = start_ns;
    link.window_end_ns = start_ns + length_ns;
    link.samples = lost ? 0 : last_data.samples;
    link.declared_rate_mhz = lost ? 0 : rate_mhz;
    link.wall_ns = start_ns + length_ns + 1000 + wall_offset_ns;
    link.monotonic_ns = static_cast<std::uint64_t>(start_ns + length_ns - base_ns) + 6000;
    link.boot_id = boot;
    link.beacon = beacon;
    link.key = key.public_key();
    link.next_key_hash = sha256(ByteView(next_key.public_key()));
    return link;
  }
  void add_link(const Link& link) {
    previous = link_hash(link);
    last_link = link;
    frames.push_back(made(link_frame_header(link),
                          encode_link_body({link, key.sign(link_signing_message(previous))})));
    ++next;
    start_ns += length_ns;
  }
  void add_window(std::uint64_t rows) {
    add_data(rows);
    add_link(next_link());
  }
  void add_anchor(std::uint32_t height) {
    FrameHeader out = link_frame_header(last_link);
    out.type = FrameType::anchor;
    frames.push_back(made(out, test_receipt(link_hash(last_link), height)));
  }
  void add_cosignature(const SecretKey& party) {
    frames.push_back(made(cosignature_frame_header(last_link),
                          encode_cosignature_body(make_cosignature(link_hash(last_link), party))));
  }
  void rotate(std::uint8_t following) {
    key = next_key;
    next_key = test_key(following);
    ++epoch;
  }
  /// SCHEMA, then `count` windows; the third has rejects, the fourth is silent.
  void add_windows(int count) {
    if (schema_digest == Hash256{}) add_schema();
    for (int i = 0; i < count; ++i) {
      if (next == 2) {
        add_reject("1;2;x");
        add_reject("1;2;\x01\xff");
      }
      add_window(next == 3 ? 0 : 10);
    }
  }

  std::string source_name;
  Id128 id{};
  SecretKey key;
  SecretKey next_key;
  std::uint32_t epoch = 0;
  Id128 record{};
  Id128 boot{};
  record::Schema schema;
  Hash256 schema_digest{};
  std::uint64_t next = 0;
  std::int64_t start_ns = base_ns;
  std::int64_t length_ns = second_ns;
  std::int64_t wall_offset_ns = 0;
  std::uint64_t rate_mhz = 10'000;
  std::uint32_t column_bytes = 40;
  std::string salt;  ///< gives another record of the same source other data
  Beacon beacon;
  std::uint32_t rejects = 0;
  Bytes reject_digests;
  Hash256 root{};
  record::DataHeader last_data;
  Hash256 previous{};
  Link last_link;
  MerkleFrontier history;
  Frames frames;
};

/// Bodies and body CRCs are written as they are; header CRCs are made right.
inline Bytes encode(const Frames& frames, bool end = true) {
  Bytes out(stream_preamble.begin(), stream_preamble.end());
  std::uint64_t size = 0;
  for (const MadeFrame& frame : frames) {
    append(out, encode_frame_header(frame.header));
    append(out, frame.body);
    size += frame_header_size + frame.body.size();
  }
  if (end) append(out, encode_end_frame(frames.size(), size));
  return out;
}

/// What a tamperer does last: the CRCs of the leaves of DATA and SLICE frames, and of the body.
inline void mend(MadeFrame& frame) {
  const bool slice = frame.header.type == FrameType::slice;
  std::size_t at = slice ? 4 : sizeof(record::Seed);
  while ((slice || frame.header.type == FrameType::data) && at < frame.body.size()) {
    if (slice) {
      const bool shown = frame.body[at] == 1;
      at += 1 + sizeof(Hash256);  // its salt, or the hash of a leaf that is not shown
      if (!shown) continue;
    }
    if (at + record::leaf_head_size > frame.body.size()) break;
    const std::size_t size = load_le<std::uint32_t>(&frame.body[at + 4]);
    const std::size_t payload = at + record::leaf_head_size;
    if (size > frame.body.size() - payload) break;
    store_le(&frame.body[at + 8], crc32c(ByteView(frame.body).subspan(payload, size)));
    at = payload + size;
  }
  set_body(frame.header, frame.body);
}

/// The same for a whole stream, as far as the sizes can be followed, with headers and END.
inline void mend_stream(Bytes& stream) {
  std::size_t at = preamble_size;
  std::uint64_t frames = 0;
  while (at + frame_header_size <= stream.size()) {
    std::uint8_t* header = stream.data() + at;
    const std::size_t size = load_le<std::uint32_t>(header + 8);
    if (size > stream.size() - at - frame_header_size) return;
    MadeFrame frame;
    frame.header.type = static_cast<FrameType>(load_le<std::uint16_t>(header + 4));
    frame.body.assign(header + frame_header_size, header + frame_header_size + size);
    if (frame.header.type == FrameType::end && size == end_body_size) {
      store_le(frame.body.data(), frames);
      store_le(frame.body.data() + 8, std::uint64_t{at - preamble_size});
    }
    mend(frame);
    std::copy(frame.body.begin(), frame.body.end(), header + frame_header_size);
    std::copy(frame_magic.begin(), frame_magic.end(), header);
    store_le(header + 12, frame.header.body_crc);
    store_le(header + 60, crc32c(ByteView(header, 60)));
    at += frame_header_size + size;
    ++frames;
  }
}

inline AuditOptions trusting(std::initializer_list<SecretKey> keys) {
  AuditOptions options;
  options.threads = 0;
  options.offline = true;
  options.check_receipt = check_test_receipt;
  for (const SecretKey& key : keys) {
    TrustedKey trusted;
    trusted.name = "node";
    trusted.key = key.public_key();
    options.policy.signers.push_back(std::move(trusted));
  }
  return options;
}

inline ReadFunction bytes_source(ByteView bytes) {
  return [bytes, at = std::size_t{0}](std::span<std::uint8_t> into) mutable -> Result<std::size_t> {
    const std::size_t count = std::min(into.size(), bytes.size() - at);
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), count, into.begin());
    at += count;
    return count;
  };
}

inline AuditReport audit(ByteView bytes, const AuditOptions& options,
                         InputKind kind = InputKind::stream) {
  Audit run(options);
  StreamReader::Options how;
  how.end_required = kind == InputKind::stream;
  StreamReader reader(bytes_source(bytes), how);
  if (!run.read("test", reader, kind)) std::abort();
  if (run.wants_second_reading()) {
    StreamReader again(bytes_source(bytes), how);
    if (!run.read_again(again)) std::abort();
  }
  return run.finish();
}

inline const Finding* find(const AuditReport& report, FindingKind kind) {
  for (const Finding& finding : report.findings.all()) {
    if (finding.kind == kind) return &finding;
  }
  return nullptr;
}

/// "altered-content 2, missing-data 2 to 4": for the messages of failing tests.
inline std::string summary(const AuditReport& report) {
  std::string text = "exit " + std::to_string(static_cast<int>(report.code()));
  for (const Finding& finding : report.findings.all()) {
    text += std::string("\n  ") + severity_name(finding.severity) + " " +
            finding_kind_name(finding.kind);
    if (finding.first_sequence) text += " " + std::to_string(*finding.first_sequence);
    if (finding.last_sequence != finding.first_sequence) {
      text += " to " + std::to_string(*finding.last_sequence);
    }
    for (const std::string& channel : finding.channels) text += " [" + channel + "]";
    text += ": " + finding.message;
  }
  return text;
}

/// True when a finding that affects the verdict names the frame.
inline bool names(const AuditReport& report, std::uint64_t sequence) {
  for (const Finding& finding : report.findings.all()) {
    if (finding.severity == Severity::note) continue;
    if (finding.first_sequence && *finding.first_sequence <= sequence &&
        *finding.last_sequence >= sequence) {
      return true;
    }
    for (const char* what : {"frame ", "link "}) {
      if (finding.message.find(what + std::to_string(sequence)) != std::string::npos) return true;
    }
  }
  return false;
}

}  // namespace twinchain::chain::testing
