#include "twinchain/storage/put.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "twinchain/base/hex.hpp"
#include "twinchain/storage/acknowledge.hpp"
#include "unit/storage/store_for_tests.hpp"

using namespace twinchain;
using namespace twinchain::storage;
using namespace twinchain::testing;

namespace {

struct PutRun {
  TestStore& test;
  std::vector<Error> errors = {};
  bool pass = false;
  bool acknowledge = false;
  int stop_fd = -1;
  Bytes passed = {};

  Result<PutResult> from_fd(int fd) {
    TemporaryFolder scratch;
    const std::string out_path = scratch.path() + "/out";
    auto out = open_file(out_path, O_WRONLY | O_CREAT);
    REQUIRE(out);
    PutOptions options;
    options.writer = test.writer_options();
    options.pass = pass;
    if (acknowledge) {
      REQUIRE(test.fs.make_folders("spool"));
      options.acknowledge_folder = "spool";
    }
    options.input_fd = fd;
    options.output_fd = out->get();
    options.stop_fd = stop_fd;
    PutMessages messages;
    messages.error = [this](const Error& error) { errors.push_back(error); };
    messages.note = test.note();
    auto result = put_stream(test.fs, test.folder, options, messages);
    auto written = read_file(out_path, 1 << 24);
    REQUIRE(written);
    passed = std::move(*written);
    return result;
  }
  Result<PutResult> from_bytes(ByteView bytes) {
    TemporaryFolder scratch;
    const std::string path = scratch.path() + "/in";
    auto out = open_file(path, O_WRONLY | O_CREAT);
    REQUIRE(write_all(out->get(), bytes));
    auto in = open_file(path, O_RDONLY);
    return from_fd(in->get());
  }
};

std::string acknowledged(TestStore& test) {
  auto bytes = read_whole_file(test.memory, "spool/acknowledged", 1 << 20);
  return bytes ? std::string(as_text(*bytes)) : "none";
}

}  // namespace

TEST_CASE("put: a stream is stored, and passed on when asked") {
  TestStore test;
  Recording engine("engine");
  const auto frames = engine.windows(0, 10);
  PutRun run{test};
  run.pass = true;
  auto result = run.from_bytes(stream_of(frames));
  REQUIRE(result);
  CHECK(result->verdict() == ExitCode::success);
  CHECK(result->stored_frames == frames.size());
  CHECK(run.passed == stream_of(frames));
  CHECK(test.exported() == bytes_of(frames));
  // Again: all are there, all are passed on.
  result = run.from_bytes(stream_of(frames));
  CHECK(result->stored_frames == 0);
  CHECK(result->duplicate_frames == frames.size());
  CHECK(run.passed == stream_of(frames));
  // Two streams, one after the other.
  auto more = engine.windows(10, 2);
  Bytes both = stream_of(frames);
  append(both, stream_of(more));
  run.pass = false;
  result = run.from_bytes(both);
  CHECK(result->verdict() == ExitCode::success);
  CHECK(result->stored_frames == more.size());
  CHECK(run.passed.empty());
}

TEST_CASE("put: damage in the input leaves out what is damaged and nothing else") {
  Recording engine("engine");
  const auto frames = engine.windows(0, 10);
  Bytes stream = stream_of(frames);
  std::size_t at = preamble_size;
  for (std::size_t i = 0; i < 5; ++i) at += frames[i].bytes().size();
  stream[at + 100] ^= 1;
  TestStore test;
  PutRun run{test};
  run.pass = true;
  run.acknowledge = true;
  auto result = run.from_bytes(stream);
  REQUIRE(result);
  CHECK(result->verdict() == ExitCode::malformed);
  CHECK(result->stored_frames == frames.size() - 1);
  REQUIRE(run.errors.size() == 1);
  CHECK(run.errors[0].message.find("input at byte " + std::to_string(at) +
                                   ": body crc mismatch, ") == 0);
  CHECK(run.errors[0].message.find("(DATA frame 2 of source ") != std::string::npos);
  // No END: the fault travels on.
  CHECK(run.passed.size() == stream.size() - 80 - frames[5].bytes().size());
  // What is missing is not acknowledged, nor what follows it.
  CHECK(acknowledged(test) == to_hex(engine.id()) + " 2\n");
  // It comes again, with what follows.
  result = run.from_bytes(stream_of({frames.begin() + 5, frames.end()}));
  CHECK(result->stored_frames == 1);
  CHECK(acknowledged(test) == to_hex(engine.id()) + " 10\n");
}

TEST_CASE("put: an input that is cut short, empty, or no stream") {
  Recording engine("engine");
  const auto frames = engine.windows(0, 3);
  TestStore test;
  PutRun run{test};
  auto result = run.from_bytes(stream_of(frames, false));
  REQUIRE(result);
  CHECK(result->verdict() == ExitCode::malformed);
  CHECK(result->stored_frames == frames.size());
  CHECK(run.errors.at(0).message == "input at byte " +
                                        std::to_string(stream_of(frames, false).size()) +
                                        ": ends without an END frame");
  result = run.from_bytes({});
  REQUIRE_FALSE(result);
  CHECK(result.error().code == ExitCode::malformed);
  CHECK(result.error().message == "empty input");
  result = run.from_bytes(as_bytes("ts,rpm\n1,2\n3,4\n"));
  REQUIRE_FALSE(result);
  CHECK(result.error().message == "byte 0: not a twin stream");
  CHECK(test.exported() == bytes_of(frames));
}

TEST_CASE("put: a fork is refused, the other sources go on") {
  Recording engine("engine");
  Recording fork("engine", 2);
  Recording other("other", 3);
  TestStore test;
  test.put(engine.windows(0, 3));
  std::vector<TestFrame> frames;
  for (std::uint64_t n = 0; n < 3; ++n) {
    frames.push_back(fork.data(n, 1));
    frames.push_back(fork.link(n, frames.back()));
    frames.push_back(other.data(n));
  }
  PutRun run{test};
  run.pass = true;
  run.acknowledge = true;
  auto result = run.from_bytes(stream_of(frames));
  REQUIRE(result);
  CHECK(result->verdict() == ExitCode::refuted);
  CHECK(result->refused_frames == 6);
  CHECK(result->stored_frames == 3);
  REQUIRE(run.errors.size() == 2);
  CHECK(run.errors[0].message.find("DATA frame 0 is another one than") != std::string::npos);
  CHECK(run.errors[1].message == "6 frames of source " + to_hex(engine.id()) + " were refused");
  // Nothing of the fork is acknowledged, though numbers 0 to 2 are in the store.
  CHECK(acknowledged(test) == to_hex(other.id()) + " 3\n");
  std::vector<TestFrame> kept = {other.data(0), other.data(1), other.data(2)};
  CHECK(run.passed == stream_of(kept, false));
}

TEST_CASE("put: frames that must be understood and are not end the run") {
  Recording engine("engine");
  auto frames = engine.windows(0, 2);
  FrameHeader header = engine.header(FrameType{0x99}, 1);
  SUBCASE("critical") {
    header.flags = flag_critical;
    frames.insert(frames.end() - 2, Recording::whole(header, Bytes(5)));
    TestStore test;
    PutRun run{test};
    auto result = run.from_bytes(stream_of(frames));
    REQUIRE_FALSE(result);
    CHECK(result.error().code == ExitCode::malformed);
    CHECK(result.error().message.find("frame of unknown type 0x0099 that must be understood") !=
          std::string::npos);
    CHECK(test.exported() == bytes_of({frames.begin(), frames.begin() + 3}));
  }
  SUBCASE("not critical") {
    frames.push_back(Recording::whole(header, Bytes(5)));
    TestStore test;
    PutRun run{test};
    CHECK(run.from_bytes(stream_of(frames))->verdict() == ExitCode::success);
    CHECK(test.exported() == bytes_of(frames));
  }
}

TEST_CASE("put: what can be read now is a group, acknowledged before more comes") {
  TestStore test;
  Recording engine("engine");
  const auto frames = engine.windows(0, 3);
  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  UniqueFd in(ends[0]);
  UniqueFd out(ends[1]);
  PutRun run{test};
  run.acknowledge = true;
  Result<PutResult> result;
  std::thread putting([&] { result = run.from_fd(in.get()); });
  const auto wait_for = [&](const std::string& text) {
    for (int i = 0; i < 1000 && acknowledged(test) != text; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return acknowledged(test) == text;
  };
  const auto send = [&](std::size_t first, std::size_t count) {
    for (std::size_t i = first; i < first + count; ++i) {
      REQUIRE(write_all(out.get(), frames[i].bytes()));
    }
  };
  REQUIRE(write_all(out.get(), stream_preamble));
  send(0, 2);  // SCHEMA and DATA 0: no LINK yet
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  CHECK(acknowledged(test) == "none");
  send(2, 1);
  CHECK(wait_for(to_hex(engine.id()) + " 1\n"));
  send(3, 3);
  CHECK(wait_for(to_hex(engine.id()) + " 2\n"));
  // Half a frame holds nothing back.
  const Bytes half = frames[6].bytes();
  REQUIRE(write_all(out.get(), ByteView(half).first(100)));
  REQUIRE(write_all(out.get(), ByteView(half).subspan(100)));
  CHECK(wait_for(to_hex(engine.id()) + " 3\n"));
  out.reset();
  putting.join();
  REQUIRE(result);
  CHECK(result->verdict() == ExitCode::malformed);  // no END
}

TEST_CASE("put: stops at a signal when nothing comes any more") {
  TestStore test;
  Recording engine("engine");
  const auto frames = engine.windows(0, 3);
  std::array<int, 2> ends{};
  std::array<int, 2> stop{};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  REQUIRE(::pipe2(stop.data(), O_CLOEXEC) == 0);
  REQUIRE(write_all(ends[1], stream_of(frames, false)));
  REQUIRE(write_all(stop[1], as_bytes("x")));
  PutRun run{test};
  run.stop_fd = stop[0];
  auto result = run.from_fd(ends[0]);
  REQUIRE(result);
  CHECK(result->stopped);
  CHECK(result->verdict() == ExitCode::loss);
  CHECK(run.errors.empty());
  CHECK(test.exported() == bytes_of(frames));
  for (const int fd : {ends[0], ends[1], stop[0], stop[1]}) ::close(fd);
}

TEST_CASE("acknowledge: without links, at the next frame or at the end") {
  TestStore test;
  Recording plain("plain");
  PutRun run{test};
  run.acknowledge = true;
  const auto frames = plain.windows(0, 4, false);
  REQUIRE(run.from_bytes(stream_of(frames, false)));
  CHECK(acknowledged(test) == to_hex(plain.id()) + " 4\n");
  TestStore single;
  PutRun one{single};
  one.acknowledge = true;
  REQUIRE(one.from_bytes(stream_of({plain.data(0)}, false)));
  CHECK(acknowledged(single) == "none");  // its link may be on its way
  REQUIRE(one.from_bytes(stream_of({plain.data(0)})));
  CHECK(acknowledged(single) == to_hex(plain.id()) + " 1\n");
}

TEST_CASE("acknowledge: goes on from the file, over lost windows, through many blocks") {
  TestStore test;
  Recording engine("engine", 1, 10);
  PutRun run{test};
  run.acknowledge = true;
  auto frames = engine.windows(0, 300);
  frames.push_back(engine.lost_link(300));
  auto rest = engine.windows(301, 300);
  frames.insert(frames.end(), rest.begin(), rest.end());
  REQUIRE(run.from_bytes(stream_of(frames)));
  CHECK(acknowledged(test) == to_hex(engine.id()) + " 601\n");
  // A spool that has lost its file gets it again as soon as it sends something.
  REQUIRE(test.memory.remove("spool/acknowledged"));
  REQUIRE(run.from_bytes(stream_of({frames.end() - 2, frames.end()})));
  CHECK(acknowledged(test) == to_hex(engine.id()) + " 601\n");
  // A malformed one counts for nothing; other sources' lines stay.
  REQUIRE(write_file_atomically(test.memory, "spool/acknowledged", as_bytes("nonsense")));
  REQUIRE(run.from_bytes(stream_of({frames.end() - 2, frames.end()})));
  CHECK(acknowledged(test) == to_hex(engine.id()) + " 601\n");
  Recording other("other");
  REQUIRE(run.from_bytes(stream_of(other.windows(0, 2))));
  CHECK(acknowledged(test).find(to_hex(engine.id()) + " 601\n") != std::string::npos);
  CHECK(acknowledged(test).find(to_hex(other.id()) + " 2\n") != std::string::npos);
  // A new store behind a spool that is far on.
  TestStore fresh;
  PutRun moved{fresh};
  moved.acknowledge = true;
  REQUIRE(fresh.fs.make_folders("spool"));
  REQUIRE(write_file_atomically(fresh.memory, "spool/acknowledged",
                                as_bytes(to_hex(engine.id()) + " 590\n")));
  REQUIRE(moved.from_bytes(stream_of({frames.end() - 24, frames.end()})));
  CHECK(acknowledged(fresh) == to_hex(engine.id()) + " 601\n");
}

TEST_CASE("acknowledge: a folder that is not there is a mistake worth saying") {
  MemoryFs fs;
  auto acknowledger = Acknowledger::open(fs, "none", {});
  REQUIRE_FALSE(acknowledger);
  CHECK(acknowledger.error().code == ExitCode::usage);
}

TEST_CASE("source numbers: text to and fro") {
  Recording a("a");
  SourceNumbers numbers{{a.id(), 12}, {Id128{}, UINT64_MAX}};
  CHECK(parse_source_numbers(format_source_numbers(numbers)) == numbers);
  CHECK(parse_source_numbers("")->empty());
  for (const char* bad :
       {"x", "\n", "00 1\n", "00000000000000000000000000000000 1",
        "00000000000000000000000000000000 -1\n", "00000000000000000000000000000000\n"}) {
    CHECK_FALSE(parse_source_numbers(bad));
  }
}
