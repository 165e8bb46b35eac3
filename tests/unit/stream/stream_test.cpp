#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "twinchain/base/crc32c.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/stream/range_crc.hpp"
#include "twinchain/stream/reader.hpp"
#include "twinchain/stream/writer.hpp"
#include "twinchain/sys/fd.hpp"
#include "unit/temporary_folder.hpp"

using namespace twinchain;

namespace {

FrameHeader make_header(std::uint64_t sequence, FrameType type = FrameType::data) {
  FrameHeader header;
  header.type = type;
  header.source = source_id("engine-1");
  header.sequence = sequence;
  header.window_start_ns = static_cast<std::int64_t>(sequence) * 1000;
  header.window_end_ns = header.window_start_ns + 1000;
  return header;
}

Bytes make_body(std::uint64_t sequence, std::size_t size) {
  std::mt19937_64 random(sequence);
  Bytes body(size);
  for (auto& byte : body) byte = static_cast<std::uint8_t>(random());
  return body;
}

Bytes make_stream(std::size_t frames, std::size_t body_size) {
  Bytes stream(stream_preamble.begin(), stream_preamble.end());
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < frames; ++i) {
    const Bytes frame = encode_frame(make_header(i), make_body(i, body_size));
    bytes += frame.size();
    append(stream, frame);
  }
  append(stream, encode_end_frame(frames, bytes));
  return stream;
}

ReadFunction from_memory(ByteView bytes, std::size_t chunk) {
  return [bytes, chunk](std::span<std::uint8_t> into) mutable -> Result<std::size_t> {
    const std::size_t count = std::min({chunk, into.size(), bytes.size()});
    std::copy_n(bytes.begin(), count, into.begin());
    bytes = bytes.subspan(count);
    return count;
  };
}

/// A file in the folder that has these bytes, to be read from its start.
UniqueFd file_with(const twinchain::testing::TemporaryFolder& folder, ByteView bytes) {
  auto file = open_file(folder / "stream", O_RDWR | O_CREAT);
  REQUIRE(file);
  REQUIRE(write_all(file->get(), bytes));
  REQUIRE(::lseek(file->get(), 0, SEEK_SET) == 0);
  return std::move(*file);
}

struct Seen {
  std::vector<std::uint64_t> sequences;
  std::vector<StreamEvent> damage;
  std::vector<StreamEvent> truncated;
  std::size_t ends = 0;
  std::string error;
};

Seen read_all(ByteView bytes, std::size_t chunk = 4096,
              StreamReader::Options options = StreamReader::Options{}) {
  StreamReader reader(from_memory(bytes, chunk), options);
  Seen seen;
  for (int steps = 0; steps < 1'000'000; ++steps) {
    auto event = reader.next();
    if (!event) {
      seen.error = event.error().message;
      return seen;
    }
    switch (event->kind) {
      case StreamEventKind::frame:
        seen.sequences.push_back(event->frame.header.sequence);
        CHECK(Bytes(event->frame.body.view().begin(), event->frame.body.view().end()).size() ==
              event->frame.header.body_size);
        break;
      case StreamEventKind::damage:
        seen.damage.push_back(std::move(*event));
        break;
      case StreamEventKind::truncated:
        seen.truncated.push_back(std::move(*event));
        break;
      case StreamEventKind::end:
        ++seen.ends;
        break;
      case StreamEventKind::stopped:
      case StreamEventKind::finished:
        return seen;
    }
  }
  FAIL("the reader does not come to an end");
  return seen;
}

}  // namespace

TEST_CASE("a stream is read back whatever the size of the pieces it comes in") {
  const Bytes stream = make_stream(20, 3000);
  for (std::size_t chunk : {1UL, 7UL, 64UL, 4096UL, 1'000'000UL}) {
    const Seen seen = read_all(stream, chunk);
    CHECK(seen.sequences.size() == 20);
    CHECK(seen.ends == 1);
    CHECK(seen.damage.empty());
    CHECK(seen.truncated.empty());
  }
}

TEST_CASE("two streams after each other are a stream") {
  Bytes both = make_stream(3, 10);
  append(both, make_stream(4, 10));
  const Seen seen = read_all(both);
  CHECK(seen.sequences.size() == 7);
  CHECK(seen.ends == 2);
  CHECK(seen.damage.empty());
}

TEST_CASE("a writer's stream through a real pipe") {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  StreamWriter writer(write_end.get());
  const Bytes body = make_body(1, 1000);
  const std::vector<ByteView> pieces{ByteView(body).first(10), ByteView(body).subspan(10)};
  REQUIRE(writer.write(make_header(1), pieces));
  REQUIRE(writer.finish());
  write_end.reset();
  StreamReader reader(read_end.get());
  auto event = reader.next();
  REQUIRE(event);
  REQUIRE(event->kind == StreamEventKind::frame);
  CHECK(std::ranges::equal(event->frame.body.view(), body));
  CHECK(event->frame.offset == preamble_size);
  event = reader.next();
  REQUIRE(event);
  CHECK(event->kind == StreamEventKind::end);
  event = reader.next();
  REQUIRE(event);
  CHECK(event->kind == StreamEventKind::finished);
}

TEST_CASE("what is not a twin stream is refused with a reason") {
  CHECK(read_all({}).error == "empty input");
  CHECK(read_all(as_bytes("time,a,b\n1,2,3\n")).error == "byte 0: not a twin stream");
  Bytes version = make_stream(1, 1);
  version[3] = 2;
  CHECK(read_all(version).error ==
        "byte 3: twin stream of version 2, this program reads version 1");
  Bytes text_mode = make_stream(1, 1);
  text_mode.erase(text_mode.begin() + 4);  // CR LF became LF
  CHECK(read_all(text_mode).error ==
        "byte 4: preamble damaged, probably by a transfer in text mode");
}

TEST_CASE("every flipped bit is noticed and costs at most one frame") {
  const Bytes stream = make_stream(5, 40);
  std::size_t checked = 0;
  for (std::size_t at = preamble_size; at < stream.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      Bytes damaged = stream;
      damaged[at] ^= static_cast<std::uint8_t>(1 << bit);
      const Seen seen = read_all(damaged);
      const bool noticed = !seen.damage.empty() || !seen.truncated.empty();
      CHECK(noticed);
      CHECK(seen.sequences.size() >= 4);
      const std::size_t frame = (at - preamble_size) / (frame_header_size + 40);
      if (frame < 5) {
        const auto& first = seen.damage.empty() ? seen.truncated.front() : seen.damage.front();
        CHECK(first.offset == preamble_size + frame * (frame_header_size + 40));
      }
      ++checked;
    }
  }
  CHECK(checked == (stream.size() - preamble_size) * 8);
}

TEST_CASE("every prefix is truncated, never whole") {
  const Bytes stream = make_stream(3, 50);
  for (std::size_t size = 0; size < stream.size(); ++size) {
    const Seen seen = read_all(ByteView(stream).first(size));
    const bool noticed = !seen.error.empty() || !seen.truncated.empty();
    CHECK(noticed);
    CHECK(seen.ends == 0);
  }
}

TEST_CASE("bytes taken out, put in or overwritten: reading goes on behind them") {
  const Bytes stream = make_stream(10, 500);
  const std::size_t middle = preamble_size + 4 * 564 + 100;
  SUBCASE("taken out of a body") {
    Bytes damaged = stream;
    damaged.erase(damaged.begin() + static_cast<std::ptrdiff_t>(middle));
    const Seen seen = read_all(damaged);
    CHECK(seen.sequences == std::vector<std::uint64_t>{0, 1, 2, 3, 5, 6, 7, 8, 9});
    REQUIRE(seen.damage.size() == 1);
    CHECK(seen.damage[0].message == "body crc mismatch");
    REQUIRE(seen.damage[0].header);
    CHECK(seen.damage[0].header->sequence == 4);
    CHECK(seen.damage[0].size_bytes == 563);
  }
  SUBCASE("garbage put between frames") {
    Bytes damaged = stream;
    const Bytes garbage(1000, 0xf4);
    damaged.insert(damaged.begin() + static_cast<std::ptrdiff_t>(preamble_size + 4 * 564),
                   garbage.begin(), garbage.end());
    const Seen seen = read_all(damaged);
    CHECK(seen.sequences.size() == 10);
    REQUIRE(seen.damage.size() == 1);
    CHECK(seen.damage[0].message == "no frame header");
    CHECK(seen.damage[0].size_bytes == 1000);
  }
  SUBCASE("a hole of a million bytes keeps memory small") {
    Bytes damaged(stream.begin(), stream.begin() + static_cast<std::ptrdiff_t>(middle));
    damaged.resize(damaged.size() + 1'000'000, 0);
    append(damaged, ByteView(stream).subspan(preamble_size + 6 * 564));
    const Seen seen = read_all(damaged);
    CHECK(seen.sequences == std::vector<std::uint64_t>{0, 1, 2, 3, 6, 7, 8, 9});
  }
}

TEST_CASE("a whole frame taken out is noticed by the count in END") {
  Bytes stream = make_stream(5, 10);
  stream.erase(stream.begin() + preamble_size, stream.begin() + preamble_size + 74);
  const Seen seen = read_all(stream);
  CHECK(seen.sequences.size() == 4);
  REQUIRE(seen.damage.size() == 1);
  CHECK(seen.damage[0].message ==
        "END counts 5 frames and 370 bytes, but 4 frames and 296 bytes were read");
}

TEST_CASE("a header's size is not believed before its crc, nor over the limit") {
  FrameHeader header = make_header(1);
  header.body_size = static_cast<std::uint32_t>(max_body_size) + 1;
  const auto bytes = encode_frame_header(header);
  const auto parsed = parse_frame_header(bytes);
  REQUIRE_FALSE(parsed);
  CHECK(parsed.error().message == "body of 16777153 bytes is larger than a frame may be");
  FrameHeader flags = make_header(1);
  flags.flags = 2;
  CHECK_FALSE(parse_frame_header(encode_frame_header(flags)));
}

TEST_CASE("frames hidden in a body do not come out of an undamaged stream") {
  const Bytes inner = encode_frame(make_header(99), as_bytes("inner"));
  Bytes stream(stream_preamble.begin(), stream_preamble.end());
  const Bytes outer = encode_frame(make_header(0), inner);
  append(stream, outer);
  append(stream, encode_end_frame(1, outer.size()));
  CHECK(read_all(stream).sequences == std::vector<std::uint64_t>{0});
  // And not out of one whose body is damaged, as long as the next frame is where it should be.
  stream[preamble_size + frame_header_size + 2] ^= 1;
  CHECK(read_all(stream).sequences.empty());
}

TEST_CASE("a segment without END is whole where none is required") {
  Bytes stream = make_stream(3, 10);
  stream.resize(stream.size() - frame_header_size - end_body_size);
  StreamReader::Options options;
  options.end_required = false;
  const Seen seen = read_all(stream, 4096, options);
  CHECK(seen.sequences.size() == 3);
  CHECK(seen.truncated.empty());
}

TEST_CASE("a stream without END before another one is truncated, and both are read") {
  const Bytes second = make_stream(4, 100);
  const Bytes first = make_stream(3, 100);
  const std::size_t end_at = first.size() - frame_header_size - end_body_size;
  for (std::size_t size = preamble_size; size < first.size(); ++size) {
    CAPTURE(size);
    Bytes both(first.begin(), first.begin() + static_cast<std::ptrdiff_t>(size));
    append(both, second);
    for (const std::size_t chunk : {1UL, 4096UL}) {
      const Seen seen = read_all(both, chunk);
      const std::size_t whole = (std::min(size, end_at) - preamble_size) / 164;
      CHECK(seen.sequences.size() == whole + 4);
      CHECK(seen.ends == 1);
      const std::size_t frame_start = std::min(preamble_size + whole * 164, end_at);
      // Fewer than the four bytes of a magic cannot be told from anything else.
      const bool told = size - frame_start == 0 || size - frame_start >= 4;
      REQUIRE(seen.truncated.size() + seen.damage.size() == 1);
      CHECK(seen.truncated.size() == (told ? 1 : 0));
      const StreamEvent& event = told ? seen.truncated.front() : seen.damage.front();
      CHECK(event.offset == frame_start);
      CHECK(event.size_bytes == size - frame_start);
      if (told) CHECK(event.message.ends_with(", another stream follows"));
    }
  }
}

TEST_CASE("three streams, the middle one of nothing but a preamble") {
  Bytes all = make_stream(2, 10);
  append(all, ByteView(stream_preamble));
  append(all, make_stream(2, 10));
  const Seen seen = read_all(all);
  CHECK(seen.sequences.size() == 4);
  CHECK(seen.ends == 2);
  REQUIRE(seen.truncated.size() == 1);
  CHECK(seen.truncated[0].offset == make_stream(2, 10).size() + preamble_size);
  CHECK(seen.truncated[0].message == "ends without an END frame, another stream follows");
}

TEST_CASE("segments put together are whole where no END is required") {
  Bytes segment = make_stream(3, 10);
  segment.resize(segment.size() - frame_header_size - end_body_size);
  Bytes both = segment;
  append(both, segment);
  StreamReader::Options options;
  options.end_required = false;
  const Seen seen = read_all(both, 4096, options);
  CHECK(seen.sequences.size() == 6);
  CHECK(seen.truncated.empty());
  CHECK(seen.damage.empty());
}

TEST_CASE("a preamble inside a sound body is content") {
  Bytes stream(stream_preamble.begin(), stream_preamble.end());
  const Bytes frame = encode_frame(make_header(0), make_stream(2, 10));
  append(stream, frame);
  append(stream, encode_end_frame(1, frame.size()));
  const Seen seen = read_all(stream);
  CHECK(seen.sequences == std::vector<std::uint64_t>{0});
  CHECK(seen.ends == 1);
  CHECK(seen.truncated.empty());
}

TEST_CASE(
    "deferred bodies of a file: loaded in any order, and gone back to when they are unsound") {
  const twinchain::testing::TemporaryFolder folder;
  constexpr std::size_t body_size = 100'000;
  Bytes stream = make_stream(4, body_size);
  stream[preamble_size + 2 * (frame_header_size + body_size) + 5000] ^= 1;
  auto file = file_with(folder, stream);
  StreamReader::Options options;
  options.defer_bodies = true;
  StreamReader reader(file.get(), options);
  std::vector<StreamEvent> events;
  for (int i = 0; i < 4; ++i) {
    auto event = reader.next();
    REQUIRE(event);
    REQUIRE(event->kind == StreamEventKind::frame);
    REQUIRE(event->deferred);
    CHECK(event->frame.body.empty());
    events.push_back(std::move(*event));
  }
  CHECK(reader.next()->kind == StreamEventKind::end);
  for (const std::size_t i : {3U, 0U, 1U}) {
    REQUIRE(reader.load_body(events[i].frame));
    const ByteView body = events[i].frame.body.view();
    CHECK(Bytes(body.begin(), body.end()) == make_body(i, body_size));
  }
  CHECK_FALSE(reader.load_body(events[2].frame));
  reader.go_back(events[2]);
  auto damage = reader.next();
  REQUIRE(damage);
  CHECK(damage->kind == StreamEventKind::damage);
  CHECK(damage->offset == events[2].offset);
  CHECK(damage->message == "body crc mismatch");
  auto last = reader.next();
  REQUIRE(last);
  CHECK(last->frame.header.sequence == 3);
  CHECK_FALSE(last->deferred);
  CHECK(last->frame.body.size() == body_size);
  CHECK(reader.next()->kind == StreamEventKind::end);
  CHECK(reader.next()->kind == StreamEventKind::finished);
  CHECK(::lseek(file.get(), 0, SEEK_CUR) == 0);
}

TEST_CASE("nothing is deferred of what cannot be read twice, nor of small frames") {
  StreamReader::Options options;
  options.defer_bodies = true;
  SUBCASE("pipe") {
    std::array<int, 2> ends{};
    REQUIRE(::pipe(ends.data()) == 0);
    const UniqueFd out(ends[0]);
    UniqueFd in(ends[1]);
    std::thread writer([&] {
      CHECK(write_all(in.get(), make_stream(2, 100'000)));
      in.reset();
    });
    StreamReader reader(out.get(), options);
    auto event = reader.next();
    REQUIRE(event);
    CHECK_FALSE(event->deferred);
    CHECK(event->frame.body.size() == 100'000);
    while (reader.next()->kind != StreamEventKind::finished) {
    }
    writer.join();
  }
  SUBCASE("small frames") {
    const twinchain::testing::TemporaryFolder folder;
    auto file = file_with(folder, make_stream(3, 1000));
    StreamReader reader(file.get(), options);
    auto event = reader.next();
    REQUIRE(event);
    CHECK_FALSE(event->deferred);
    CHECK(event->frame.body.size() == 1000);
  }
}

TEST_CASE("range crc: as the crc of each range, whichever way one goes") {
  const Bytes bytes = make_body(1, 300'000);
  std::mt19937_64 random(7);
  RangeCrc of_range;
  std::size_t at = 0;
  for (int i = 0; i < 2000; ++i) {
    CAPTURE(i);
    switch (random() % 8) {
      case 0:
        at = random() % bytes.size();  // anywhere
        break;
      case 1:
        at += random() % 20'000;
        break;
      default:
        at += random() % 100;
    }
    at %= bytes.size();
    std::size_t size = random() % (bytes.size() - at + 1);
    if (random() % 2 == 0) size = std::min<std::size_t>(size, 20'000);
    const ByteView range = ByteView(bytes).subspan(at, size);
    REQUIRE(of_range(range, at) == crc32c(range));
  }
}

TEST_CASE("an input full of headers that claim all that follows is read in time") {
  // One header at every 64 bytes; each has its own body's CRC wrong, or reaches past the end.
  Bytes stream(stream_preamble.begin(), stream_preamble.end());
  for (std::uint64_t i = 0; i < 300'000; ++i) {
    FrameHeader header = make_header(i);
    // No multiple of 64, so that nothing sound seems to follow.
    header.body_size = max_body_size - 1;
    header.body_crc = static_cast<std::uint32_t>(i);
    append(stream, encode_frame_header(header));
  }
  const Bytes sound = encode_frame(make_header(300'000), make_body(1, 1000));
  append(stream, sound);
  const Seen seen = read_all(stream, 1 << 20);
  CHECK(seen.sequences == std::vector<std::uint64_t>{300'000});
  CHECK(seen.damage.size() == 300'000);
  CHECK(seen.damage.front().message == "body crc mismatch");
  CHECK(seen.damage.back().message == "body is cut short");
}

TEST_CASE("a large END is no frame to be deferred, but damage as in a pipe") {
  const twinchain::testing::TemporaryFolder folder;
  Bytes stream(stream_preamble.begin(), stream_preamble.end());
  append(stream, encode_frame(make_header(0, FrameType::end), make_body(1, 100'000)));
  auto file = file_with(folder, stream);
  StreamReader::Options options;
  options.defer_bodies = true;
  StreamReader reader(file.get(), options);
  auto event = reader.next();
  REQUIRE(event);
  const Seen in_pipe = read_all(stream);
  REQUIRE(in_pipe.damage.size() == 1);
  CHECK(event->kind == StreamEventKind::damage);
  CHECK(event->message == in_pipe.damage[0].message);
}
