#include "twinchain/chain/seal_stream.hpp"

#include <doctest/doctest.h>
#include <sys/socket.h>

#include <algorithm>
#include <map>
#include <thread>

#include "seal_fixture.hpp"
#include "twinchain/sys/faulty_fs.hpp"

using namespace twinchain;
using namespace twinchain::chain;
using test::data_frame;
using test::RawFrame;
using test::stream_of;

namespace {

struct Outcome {
  Status status;
  test::ReadStream stream;
  Bytes bytes;
  SealCounts counts;
};

struct Setup {
  unsigned threads = 2;
  bool accept_loss = false;
};

/// One run of hashchain: keys in node.key of `fs`, state in its folder "state" or none.
Outcome seal_with(Fs& fs, ChainState& state, const Bytes& input, const Setup& setup = {}) {
  test::StepClock clock;
  auto keys = KeyFollower::open(fs, "node.key", [](std::string_view) {});
  REQUIRE(keys);
  Sealer sealer(state, **keys, clock, {.accept_loss = setup.accept_loss});
  const UniqueFd in = test::file_with(input);
  const UniqueFd out = test::file_with({});
  SealStreamOptions options;
  options.input_fd = in.get();
  options.output_fd = out.get();
  options.threads = setup.threads;
  Outcome outcome;
  outcome.status = seal_stream(state, sealer, clock, options);
  outcome.bytes = test::content_of(out.get());
  outcome.stream = test::read_stream(outcome.bytes);
  outcome.counts = sealer.counts();
  return outcome;
}

Outcome seal_alone(const Bytes& input, const Setup& setup = {}) {
  MemoryFs fs;
  REQUIRE(create_key_files(fs, "node", "node"));
  return seal_with(fs, *ChainState::in_memory(), input, setup);
}

Outcome seal_with_state(Fs& fs, const Bytes& input, const Setup& setup = {}) {
  auto state = ChainState::open(fs, "state");
  REQUIRE(state);
  return seal_with(fs, **state, input, setup);
}

std::vector<RawFrame> windows(const std::string& source, std::uint64_t from, std::uint64_t to) {
  std::vector<RawFrame> frames;
  for (std::uint64_t n = from; n < to; ++n) frames.push_back(data_frame(source, n));
  return frames;
}

bool same(const RawFrame& a, const RawFrame& b) {
  return a.header == b.header && a.body == b.body;
}

std::string refused(const Outcome& outcome, ExitCode code) {
  REQUIRE_FALSE(outcome.status);
  CHECK(outcome.status.error().code == code);
  CHECK_FALSE(outcome.stream.ended);
  return outcome.status.error().message;
}

}  // namespace

TEST_CASE("seal stream: a link after each DATA frame, all else in its place") {
  const std::vector<RawFrame> input = {
      test::schema_frame("a"),       data_frame("a", 0), test::other_frame(0x4321, "unknown"),
      test::other_frame(3, "rows"),  data_frame("b", 0), data_frame("a", 1),
      test::other_frame(5, "anchor")};
  for (const unsigned threads : {0U, 1U, 3U}) {
    const Outcome outcome = seal_alone(stream_of(input), {.threads = threads});
    REQUIRE(outcome.status);
    CHECK(outcome.stream.ended);
    std::vector<RawFrame> without_links;
    const auto& frames = outcome.stream.frames;
    REQUIRE(frames.size() == input.size() + 3);
    for (std::size_t i = 0; i < frames.size(); ++i) {
      if (frames[i].header.type == FrameType::link) {
        REQUIRE(i > 0);
        CHECK(frames[i - 1].header.type == FrameType::data);
        CHECK(frames[i - 1].header.source == frames[i].header.source);
        CHECK(frames[i - 1].header.sequence == frames[i].header.sequence);
        auto link = parse_link_frame(frames[i].header, frames[i].body);
        REQUIRE(link);
        CHECK(link->link.frame_root == *record::frame_root(frames[i - 1].body));
      } else {
        without_links.push_back(frames[i]);
      }
    }
    CHECK(std::equal(input.begin(), input.end(), without_links.begin(), without_links.end(), same));
  }
}

TEST_CASE("seal stream: frames of all sizes, in order, on several threads") {
  std::vector<RawFrame> input;
  for (std::uint64_t n = 0; n < 120; ++n) {
    const std::size_t size = n % 7 == 0 ? 3'000'000 : n % 3 == 0 ? 70'000 : 50;
    input.push_back(data_frame("a", n, static_cast<std::uint8_t>(n), size));
  }
  const Outcome outcome = seal_alone(stream_of(input));
  REQUIRE(outcome.status);
  const auto links = outcome.stream.links();
  REQUIRE(links.size() == input.size());
  test::check_chain(links);
  for (std::size_t n = 0; n < links.size(); ++n) {
    CHECK(links[n].link.frame_root == *record::frame_root(input[n].body));
  }
}

TEST_CASE("seal stream: an empty stream stays one, streams in a row become one") {
  Outcome outcome = seal_alone(stream_of({}));
  REQUIRE(outcome.status);
  CHECK(outcome.bytes == stream_of({}));
  Bytes two = stream_of(windows("a", 0, 2));
  append(two, stream_of(windows("a", 2, 4)));
  outcome = seal_alone(two);
  REQUIRE(outcome.status);
  CHECK(outcome.stream.ended);
  test::check_chain(outcome.stream.links());
  CHECK(outcome.stream.links().size() == 4);
}

TEST_CASE("seal stream: what is no stream leaves no stream") {
  CHECK(refused(seal_alone({}), ExitCode::malformed) == "empty input");
  CHECK(refused(seal_alone({'h', 'e', 'l', 'l', 'o', ' ', 'w', 'o'}), ExitCode::malformed) ==
        "byte 0: not a twin stream");
}

TEST_CASE("seal stream: damage and truncation end sealing, what came before is sealed") {
  const std::vector<RawFrame> input = windows("a", 0, 6);
  const Bytes whole = stream_of(input);
  const std::size_t frame_size = frame_header_size + input[0].body.size();
  const std::size_t third = preamble_size + 3 * frame_size;

  Bytes damaged = whole;
  damaged[third + frame_header_size + 60] ^= 1;
  Outcome outcome = seal_alone(damaged);
  CHECK(refused(outcome, ExitCode::malformed) ==
        "DATA frame 3 at byte " + std::to_string(third) + ": body crc mismatch");
  CHECK(outcome.stream.links().size() == 3);
  CHECK(outcome.stream.frames.size() == 6);

  damaged = whole;
  damaged[third + 20] ^= 1;
  outcome = seal_alone(damaged);
  CHECK(refused(outcome, ExitCode::malformed) ==
        "input damaged at byte " + std::to_string(third) + ": header crc mismatch");
  CHECK(outcome.stream.links().size() == 3);

  outcome = seal_alone(stream_of(input, false));
  CHECK(refused(outcome, ExitCode::malformed) ==
        "input truncated at byte " + std::to_string(preamble_size + 6 * frame_size) +
            ": ends without an END frame");
  CHECK(outcome.stream.links().size() == 6);

  for (std::size_t cut = preamble_size; cut < whole.size(); cut += 13) {
    outcome = seal_alone(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(cut)),
                         {.threads = 0});
    refused(outcome, ExitCode::malformed);
    const std::size_t frames = std::min<std::size_t>((cut - preamble_size) / frame_size, 6);
    CHECK(outcome.stream.links().size() == frames);
    CHECK(outcome.stream.frames.size() == 2 * frames);
  }
}

TEST_CASE("seal stream: a frame with right checksums and wrong content is named") {
  std::vector<RawFrame> input = windows("a", 0, 3);
  const std::size_t offset = preamble_size + 2 * (frame_header_size + input[0].body.size());
  input[2].body.resize(40);
  set_body(input[2].header, input[2].body);
  Outcome outcome = seal_alone(stream_of(input));
  CHECK(refused(outcome, ExitCode::malformed) ==
        "DATA frame 2 at byte " + std::to_string(offset) + ": leaf head cut short at body byte 32");
  CHECK(outcome.stream.links().size() == 2);

  input = windows("a", 0, 3);
  input[2].header.sequence = 7;
  outcome = seal_alone(stream_of(input));
  CHECK(refused(outcome, ExitCode::malformed) ==
        "DATA frame 7 at byte " + std::to_string(offset) +
            ": frame header and header leaf do not say the same");

  input = windows("a", 0, 2);
  input.push_back(test::other_frame(4, "no link"));
  outcome = seal_alone(stream_of(input));
  CHECK(refused(outcome, ExitCode::malformed) ==
        "LINK frame 0 at byte " + std::to_string(offset) + ": link has 7 bytes instead of 376");
}

TEST_CASE("seal stream: an unknown critical frame is not passed on") {
  std::vector<RawFrame> input = windows("a", 0, 1);
  input.push_back(test::other_frame(0x4321, "?", true));
  input.push_back(data_frame("a", 1));
  const Outcome outcome = seal_alone(stream_of(input));
  CHECK(refused(outcome, ExitCode::malformed).starts_with("type 0x4321 frame 0 at byte "));
  CHECK(outcome.stream.frames.size() == 2);
}

TEST_CASE("seal stream: a frame is sealed at once when no more input is waiting") {
  MemoryFs fs;
  REQUIRE(create_key_files(fs, "node", "node"));
  for (const bool durable : {false, true}) {
    std::unique_ptr<ChainState> state =
        durable ? std::move(*ChainState::open(fs, "state")) : ChainState::in_memory();
    int in[2];
    int out[2];
    REQUIRE(::pipe(in) == 0);
    REQUIRE(::pipe(out) == 0);
    std::thread sealing([&] {
      auto keys = KeyFollower::open(fs, "node.key", [](std::string_view) {});
      Sealer sealer(*state, **keys, system_clock(), {});
      SealStreamOptions options;
      options.input_fd = in[0];
      options.output_fd = out[1];
      (void)seal_stream(*state, sealer, system_clock(), options);
      ::close(out[1]);
    });
    REQUIRE(write_all(in[1], stream_preamble));
    for (std::uint64_t n = 0; n < 3; ++n) {
      const RawFrame frame = data_frame("a", n, 0, n == 1 ? 200'000 : 10);
      const Bytes bytes = encode_frame(frame.header, frame.body);
      REQUIRE(write_all(in[1], bytes));
      // Frame and link come out although nothing follows.
      Bytes sealed(bytes.size() + frame_header_size + link_body_size +
                   (n == 0 ? preamble_size : 0));
      std::size_t done = 0;
      while (done < sealed.size()) {
        REQUIRE(*wait_readable(out[0], 20'000));
        auto count = read_some(out[0], std::span(sealed).subspan(done));
        REQUIRE(count);
        REQUIRE(*count > 0);
        done += *count;
      }
    }
    ::close(in[1]);
    sealing.join();
    ::close(in[0]);
    ::close(out[0]);
  }
}

TEST_CASE("seal stream: a stop signal ends it between frames, without END") {
  MemoryFs fs;
  REQUIRE(create_key_files(fs, "node", "node"));
  auto state = ChainState::in_memory();
  auto keys = KeyFollower::open(fs, "node.key", [](std::string_view) {});
  Sealer sealer(*state, **keys, system_clock(), {});
  int in[2];
  int stop[2];
  REQUIRE(::pipe(in) == 0);
  REQUIRE(::pipe(stop) == 0);
  const UniqueFd out = test::file_with({});
  REQUIRE(write_all(in[1], stream_of(windows("a", 0, 2), false)));
  SealStreamOptions options;
  options.input_fd = in[0];
  options.output_fd = out.get();
  options.stop_fd = stop[0];
  std::thread stopper([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    (void)write_all(stop[1], stream_preamble);
  });
  const Status status = seal_stream(*state, sealer, system_clock(), options);
  stopper.join();
  REQUIRE_FALSE(status);
  CHECK(status.error().code == ExitCode::loss);
  CHECK(status.error().message == "stopped by a signal before the input ended");
  const test::ReadStream stream = test::read_stream(test::content_of(out.get()));
  CHECK_FALSE(stream.ended);
  CHECK(stream.links().size() == 2);
  for (const int fd : {in[0], in[1], stop[0], stop[1]}) ::close(fd);
}

TEST_CASE("seal stream: continues over restarts, and gives old links again") {
  MemoryFs fs;
  REQUIRE(create_key_files(fs, "node", "node"));
  const Outcome first = seal_with_state(fs, stream_of(windows("a", 0, 5)));
  REQUIRE(first.status);
  const Outcome second = seal_with_state(fs, stream_of(windows("a", 3, 9)));
  REQUIRE(second.status);
  CHECK(second.counts.resent == 2);
  CHECK(second.counts.sealed == 4);
  std::vector<SignedLink> links = first.stream.links();
  const std::vector<SignedLink> more = second.stream.links();
  REQUIRE(more.size() == 6);
  for (std::size_t i = 0; i < 2; ++i) {
    CHECK(more[i].link == links[3 + i].link);
    CHECK(more[i].signature == links[3 + i].signature);
  }
  links.insert(links.end(), more.begin() + 2, more.end());
  test::check_chain(links);

  // What is sealed already comes out as it went in, byte for byte.
  const Outcome again = seal_with_state(fs, first.bytes);
  REQUIRE(again.status);
  CHECK(again.bytes == first.bytes);
}

TEST_CASE("seal stream: forks, gaps and foreign links end it without END") {
  MemoryFs fs;
  REQUIRE(create_key_files(fs, "node", "node"));
  REQUIRE(seal_with_state(fs, stream_of(windows("a", 0, 5))).status);
  std::vector<RawFrame> input = windows("a", 3, 6);
  input[1] = data_frame("a", 4, 1);
  Outcome outcome = seal_with_state(fs, stream_of(input));
  CHECK(refused(outcome, ExitCode::refuted).find("link 4 has sealed other data") !=
        std::string::npos);
  CHECK(outcome.stream.links().size() == 1);

  outcome = seal_with_state(fs, stream_of(windows("a", 7, 9)));
  CHECK(refused(outcome, ExitCode::refuted).ends_with("frames 5 to 6 are missing"));
  CHECK(outcome.bytes.empty());

  const Outcome sealed = seal_alone(stream_of(windows("a", 0, 3)));
  outcome = seal_alone(sealed.bytes);  // by another chain
  CHECK(refused(outcome, ExitCode::refuted).starts_with("LINK frame 0 of source "));
  CHECK(outcome.stream.links().size() == 1);
}

TEST_CASE("seal stream: an accepted loss comes out as links, and again after a restart") {
  MemoryFs fs;
  REQUIRE(create_key_files(fs, "node", "node"));
  std::vector<RawFrame> input = windows("a", 0, 2);
  input.push_back(data_frame("a", 5));
  const Outcome first = seal_with_state(fs, stream_of(input), {.accept_loss = true});
  REQUIRE(first.status);
  CHECK(first.counts.lost == 3);
  CHECK(first.stream.links().size() == 6);
  test::check_chain(first.stream.links());
  Outcome again = seal_with_state(fs, stream_of(input));
  REQUIRE(again.status);
  CHECK(again.bytes == first.bytes);
  again = seal_with_state(fs, first.bytes);
  REQUIRE(again.status);
  CHECK(again.bytes == first.bytes);

  // More lost windows than a batch holds.
  input = {data_frame("a", 6), data_frame("a", 12'000)};
  const Outcome many = seal_with_state(fs, stream_of(input), {.accept_loss = true});
  REQUIRE(many.status);
  CHECK(many.counts.lost == 11'993);
  CHECK(many.stream.links().size() == 11'995);
}

TEST_CASE("seal stream: a rotated key is picked up between batches") {
  const test::TemporaryFolder folder;
  const std::string key = folder / "node.key";
  REQUIRE(create_key_files(real_fs(), key, "node"));
  auto keys = KeyFollower::open(real_fs(), key, [](std::string_view) {});
  REQUIRE(keys);
  auto state = ChainState::in_memory();
  Sealer sealer(*state, **keys, system_clock(), {});
  int in[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, in) == 0);
  int out[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, out) == 0);
  std::thread sealing([&] {
    SealStreamOptions options;
    options.input_fd = in[0];
    options.output_fd = out[1];
    (void)seal_stream(*state, sealer, system_clock(), options);
    ::shutdown(out[1], SHUT_WR);
  });
  REQUIRE(write_all(in[1], stream_of(windows("a", 0, 1), false)));
  Bytes output(preamble_size + 2 * frame_header_size + data_frame("a", 0).body.size() +
               link_body_size);
  REQUIRE(*read_full(out[0], output) == output.size());
  REQUIRE(rotate_key_files(real_fs(), key));
  const Bytes rest = stream_of(windows("a", 1, 2), false);
  REQUIRE(write_all(in[1], ByteView(rest).subspan(preamble_size)));
  ::shutdown(in[1], SHUT_WR);
  Bytes more(output.size() - preamble_size);
  REQUIRE(*read_full(out[0], more) == more.size());
  sealing.join();
  append(output, more);
  const auto links = test::read_stream(output).links();
  REQUIRE(links.size() == 2);
  CHECK(links[0].link.epoch == 0);
  CHECK(links[1].link.epoch == 1);
  test::check_chain(links);
  for (const int fd : {in[0], in[1], out[0], out[1]}) ::close(fd);
}

// The promise of --state: at whatever operation the disk fails, the process is killed or the power
// goes, no two outputs ever hold different links of one number, and nothing that was written out is
// unknown afterwards.
TEST_CASE("seal stream: no fault forks the chain") {
  const Bytes input = [] {
    std::vector<RawFrame> frames;
    for (std::uint64_t n = 0; n < 8; ++n) {
      frames.push_back(data_frame("a", n));
      if (n < 3) frames.push_back(data_frame("b", n));
      if (n == 6) frames.push_back(data_frame("b", 5));  // 3 and 4 are lost
    }
    return stream_of(frames);
  }();
  for (const FaultKind kind :
       {FaultKind::error, FaultKind::error_for_good, FaultKind::kill, FaultKind::power_cut}) {
    for (std::uint64_t seed = 0; seed < 3; ++seed) {
      bool happened = true;
      for (std::uint64_t operation = 1; happened; ++operation) {
        MemoryFs memory;
        FaultyFs fs(memory);
        REQUIRE(create_key_files(fs, "node", "node"));
        std::map<std::pair<Id128, std::uint64_t>, Bytes> seen;
        const auto run = [&](bool must_work) {
          auto state = ChainState::open(fs, "state");
          if (!state) {
            CHECK_FALSE(must_work);
            return;
          }
          const Outcome outcome =
              seal_with(fs, **state, input, {.threads = 0, .accept_loss = true});
          if (must_work) CHECK(outcome.status);
          for (const SignedLink& link : outcome.stream.links()) {
            const Bytes body = encode_link_body(link);
            const auto known = seen.emplace(std::pair(link.link.source, link.link.number), body);
            CHECK(known.first->second == body);
          }
        };
        fs.set_fault({.kind = kind, .operation = operation, .seed = seed});
        run(false);
        happened = fs.happened();
        fs.reboot();
        run(true);
        memory.power_cut(Survival::nothing);
        run(true);
        CHECK(seen.size() == 14);
      }
    }
  }
}
