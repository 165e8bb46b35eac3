// Frames as the tools write them, made without the tools.
#pragma once

#include <doctest/doctest.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "twinchain/chain/link.hpp"
#include "twinchain/crypto/merkle.hpp"
#include "twinchain/crypto/sha256.hpp"
#include "twinchain/record/data_frame.hpp"
#include "twinchain/record/schema.hpp"
#include "twinchain/stream/frame.hpp"
#include "twinchain/stream/reader.hpp"
#include "twinchain/stream/writer.hpp"
#include "unit/temporary_folder.hpp"

namespace twinchain::testing {

struct TestFrame {
  FrameHeader header;
  Bytes body;
  [[nodiscard]] Bytes bytes() const { return encode_frame(header, body); }
  [[nodiscard]] Frame frame() const {
    Frame out;
    out.header = header;
    out.body = Buffer(body);
    return out;
  }
};

inline constexpr std::int64_t second_ns = 1'000'000'000;
/// Windows of one second from here.
inline constexpr std::int64_t start_ns = 1'700'000'000 * second_ns;

/// One recording: SCHEMA, then for each number DATA and LINK, like twin-record and hashchain.
class Recording {
 public:
  explicit Recording(std::string source, std::uint8_t key = 1, std::size_t payload_bytes = 200)
      : name_(std::move(source)),
        payload_bytes_(payload_bytes),
        secret_(SecretKey::from_seed(seed_of(key))) {
    link_.record.fill(key);
    link_.key = secret_.public_key();
  }

  [[nodiscard]] Id128 id() const { return source_id(name_); }
  [[nodiscard]] FrameHeader header(FrameType type, std::uint64_t sequence) const {
    FrameHeader header;
    header.type = type;
    header.source = id();
    header.sequence = sequence;
    header.window_start_ns = start_ns + static_cast<std::int64_t>(sequence) * second_ns;
    header.window_end_ns = header.window_start_ns + second_ns;
    return header;
  }
  [[nodiscard]] static TestFrame whole(FrameHeader header, Bytes body) {
    set_body(header, body);
    return {header, std::move(body)};
  }
  [[nodiscard]] TestFrame schema(std::uint64_t sequence = 0) const {
    record::Schema schema;
    schema.source_name = name_;
    schema.channels = {{"rpm", record::ValueType::f64, "1/min", ""},
                       {"temperature", record::ValueType::f64, "K", ""}};
    return whole(header(FrameType::schema, sequence), record::encode_schema(schema));
  }
  /// `variant` gives other content of the same number; `event_shift_ns` moves the event times.
  [[nodiscard]] TestFrame data(std::uint64_t sequence, std::uint8_t variant = 0,
                               std::int64_t event_shift_ns = 0) const {
    const FrameHeader frame = header(FrameType::data, sequence);
    record::DataHeader data;
    data.source = frame.source;
    data.sequence = sequence;
    data.window_start_ns = frame.window_start_ns;
    data.window_end_ns = frame.window_end_ns;
    data.channel_count = 1;
    const TestFrame described = schema();
    data.schema_digest = frame_digest(described.header, described.body);
    data.rows = 2;
    data.samples = 2;
    data.first_event_ns = frame.window_start_ns + event_shift_ns;
    data.last_event_ns = frame.window_end_ns - 1 + event_shift_ns;
    Bytes body(sizeof(record::Seed), variant);
    record::append_leaf(body, record::LeafType::header, record::encode_data_header(data));
    record::append_leaf(body, record::LeafType::time_column, Bytes(16, 1));
    Bytes payload(payload_bytes_);
    for (std::size_t i = 0; i < payload.size(); ++i) {
      payload[i] = static_cast<std::uint8_t>(i * 7 + sequence + variant);
    }
    record::append_leaf(body, record::LeafType::value_column, payload);
    return whole(frame, std::move(body));
  }
  /// Links must be asked for in order; the hash of the last one is kept.
  TestFrame link(std::uint64_t sequence, const TestFrame& data_frame) {
    link_.source = id();
    link_.number = sequence;
    link_.flags = 0;
    link_.frame_root = *record::frame_root(data_frame.body);
    return sign();
  }
  /// The link of a window with this root, of which there is no data.
  TestFrame link_of_root(std::uint64_t sequence, const Hash256& root, bool true_history = true) {
    link_.source = id();
    link_.number = sequence;
    link_.flags = 0;
    link_.frame_root = root;
    return sign(true_history);
  }
  /// The link of a window whose data was lost.
  TestFrame lost_link(std::uint64_t sequence) {
    link_.source = id();
    link_.number = sequence;
    link_.flags = chain::link_lost_window;
    link_.frame_root = {};
    return sign();
  }
  [[nodiscard]] TestFrame anchor(std::uint64_t sequence, std::uint8_t content = 0) const {
    return whole(header(FrameType::anchor, sequence), Bytes(300, content));
  }
  [[nodiscard]] TestFrame reject(std::uint64_t sequence, std::uint64_t line) const {
    Bytes body;
    append_le(body, std::uint32_t{1});
    record::append_reject(body, {line, start_ns, "column 1: not a number", "x,y"});
    return whole(header(FrameType::reject, sequence), std::move(body));
  }
  /// SCHEMA and `windows` times DATA and LINK.
  std::vector<TestFrame> windows(std::uint64_t first, std::uint64_t count, bool with_links = true) {
    std::vector<TestFrame> frames;
    if (first == 0) frames.push_back(schema());
    for (std::uint64_t n = first; n < first + count; ++n) {
      frames.push_back(data(n));
      if (with_links) frames.push_back(link(n, frames.back()));
    }
    return frames;
  }

 private:
  static std::array<std::uint8_t, 32> seed_of(std::uint8_t key) {
    std::array<std::uint8_t, 32> seed{};
    seed.fill(key);
    return seed;
  }
  TestFrame sign(bool true_history = true) {
    const FrameHeader window = header(FrameType::link, link_.number);
    link_.window_start_ns = window.window_start_ns;
    link_.window_end_ns = window.window_end_ns;
    history_.append(merkle_leaf(link_.frame_root));
    link_.history_root = true_history ? history_.root() : Hash256{};
    link_.previous = link_.number == 0 ? Hash256{} : hash_;
    hash_ = chain::link_hash(link_);
    chain::SignedLink signed_link{link_, secret_.sign(chain::link_signing_message(hash_))};
    return whole(chain::link_frame_header(link_), chain::encode_link_body(signed_link));
  }

  std::string name_;
  std::size_t payload_bytes_;
  SecretKey secret_;
  chain::Link link_;
  Hash256 hash_{};
  MerkleFrontier history_;
};

/// A stream of these frames.
inline Bytes stream_of(const std::vector<TestFrame>& frames, bool with_end = true) {
  Bytes out(stream_preamble.begin(), stream_preamble.end());
  for (const TestFrame& frame : frames) append(out, frame.bytes());
  if (with_end) append(out, encode_end_frame(frames.size(), out.size() - preamble_size));
  return out;
}

}  // namespace twinchain::testing
