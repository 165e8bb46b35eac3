// Streams, clocks and keys for the tests of sealing.
#pragma once

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "twinchain/base/clock.hpp"
#include "twinchain/chain/keys.hpp"
#include "twinchain/chain/link.hpp"
#include "twinchain/crypto/merkle.hpp"
#include "twinchain/record/data_frame.hpp"
#include "twinchain/record/schema.hpp"
#include "twinchain/stream/reader.hpp"
#include "twinchain/stream/writer.hpp"
#include "twinchain/sys/fd.hpp"
#include "unit/temporary_folder.hpp"

namespace test {

using namespace twinchain;
using twinchain::testing::TemporaryFolder;

/// Goes on by a millisecond whenever it is looked at, so that no two links are alike.
class StepClock final : public Clock {
 public:
  std::int64_t wall_ns() override { return wall_ns_ += 1'000'000; }
  std::uint64_t monotonic_ns() override { return monotonic_ns_ += 1'000'000; }
  Id128 boot_id() override { return {1, 2, 3}; }

 private:
  std::int64_t wall_ns_ = 1'700'000'000'000'000'000;
  std::uint64_t monotonic_ns_ = 5'000'000'000;
};

inline record::DataHeader data_header(const std::string& source, std::uint64_t number) {
  record::DataHeader header;
  header.source = source_id(source);
  header.sequence = number;
  header.window_start_ns = static_cast<std::int64_t>(number) * 1'000'000'000;
  header.window_end_ns = header.window_start_ns + 1'000'000'000;
  header.channel_count = 1;
  header.rows = 3;
  header.samples = 3 + number;
  header.declared_rate_mhz = 1'000'000;
  return header;
}

struct RawFrame {
  FrameHeader header;
  Bytes body;
};

/// `content` makes frames of one number differ.
inline RawFrame data_frame(const std::string& source, std::uint64_t number,
                           std::uint8_t content = 0, std::size_t size = 100) {
  const record::DataHeader data = data_header(source, number);
  RawFrame frame;
  frame.body.assign(32, static_cast<std::uint8_t>(number));
  record::append_leaf(frame.body, record::LeafType::header, record::encode_data_header(data));
  record::append_leaf(frame.body, record::LeafType::value_column, Bytes(size, content));
  frame.header.type = FrameType::data;
  frame.header.source = data.source;
  frame.header.sequence = number;
  frame.header.window_start_ns = data.window_start_ns;
  frame.header.window_end_ns = data.window_end_ns;
  set_body(frame.header, frame.body);
  return frame;
}

inline RawFrame schema_frame(const std::string& source) {
  record::Schema schema;
  schema.source_name = source;
  RawFrame frame;
  frame.body = record::encode_schema(schema);
  frame.header.type = FrameType::schema;
  frame.header.source = source_id(source);
  set_body(frame.header, frame.body);
  return frame;
}

inline RawFrame other_frame(std::uint16_t type, const std::string& content, bool critical = false) {
  RawFrame frame;
  append(frame.body, content);
  frame.header.type = static_cast<FrameType>(type);
  frame.header.flags = critical ? flag_critical : 0;
  set_body(frame.header, frame.body);
  return frame;
}

inline RawFrame link_frame(const chain::SignedLink& link) {
  RawFrame frame{chain::link_frame_header(link.link), chain::encode_link_body(link)};
  set_body(frame.header, frame.body);
  return frame;
}

inline Bytes stream_of(const std::vector<RawFrame>& frames, bool with_end = true) {
  Bytes out(stream_preamble.begin(), stream_preamble.end());
  for (const RawFrame& frame : frames) append(out, encode_frame(frame.header, frame.body));
  if (with_end) append(out, encode_end_frame(frames.size(), out.size() - preamble_size));
  return out;
}

struct ReadStream {
  std::vector<RawFrame> frames;
  bool ended = false;  ///< by END
  /// The links, in order.
  [[nodiscard]] std::vector<chain::SignedLink> links() const {
    std::vector<chain::SignedLink> out;
    for (const RawFrame& frame : frames) {
      if (frame.header.type != FrameType::link) continue;
      auto link = chain::parse_link_frame(frame.header, frame.body);
      REQUIRE(link);
      out.push_back(*link);
    }
    return out;
  }
};

inline ReadStream read_stream(const Bytes& bytes) {
  ReadStream out;
  if (bytes.empty()) return out;
  std::size_t at = 0;
  StreamReader reader(
      [&](std::span<std::uint8_t> into) -> Result<std::size_t> {
        const std::size_t count = std::min(into.size(), bytes.size() - at);
        std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), count, into.begin());
        at += count;
        return count;
      },
      {});
  while (true) {
    auto event = reader.next();
    REQUIRE(event);
    if (event->kind == StreamEventKind::finished) return out;
    if (event->kind == StreamEventKind::end) out.ended = true;
    if (event->kind == StreamEventKind::damage) FAIL(event->message);
    if (event->kind == StreamEventKind::frame) {
      const ByteView body = event->frame.body.view();
      out.frames.push_back({event->frame.header, Bytes(body.begin(), body.end())});
    }
  }
}

/// A file without a name, with this content, at its beginning.
inline UniqueFd file_with(const Bytes& content) {
  std::string pattern = (std::filesystem::temp_directory_path() / "twinchain-unit-XXXXXX").string();
  UniqueFd fd(::mkostemp(pattern.data(), O_CLOEXEC));
  REQUIRE(fd.valid());
  ::unlink(pattern.c_str());
  REQUIRE(write_all(fd.get(), content));
  REQUIRE(::lseek(fd.get(), 0, SEEK_SET) == 0);
  return fd;
}

inline Bytes content_of(int fd) {
  REQUIRE(::lseek(fd, 0, SEEK_SET) == 0);
  Bytes content(static_cast<std::size_t>(::lseek(fd, 0, SEEK_END)));
  REQUIRE(::lseek(fd, 0, SEEK_SET) == 0);
  REQUIRE(read_full(fd, content));
  return content;
}

/// Checks what a verifier of one chain checks, from its first link on: order, previous hashes,
/// history, signatures, one record id.
inline void check_chain(const std::vector<chain::SignedLink>& links) {
  MerkleFrontier history;
  Hash256 previous{};
  std::uint64_t number = 0;
  for (const chain::SignedLink& one : links) {
    const chain::Link& link = one.link;
    REQUIRE(link.number == number);
    CHECK(link.previous == previous);
    CHECK(link.record == links.front().link.record);
    history.append(merkle_leaf(link.frame_root));
    CHECK(link.history_root == history.root());
    CHECK(chain::verify_link_signature(one));
    previous = chain::link_hash(link);
    ++number;
  }
}

}  // namespace test
