#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <map>

#include "twinchain/base/text.hpp"
#include "twinchain/record/input_source.hpp"
#include "unit/temporary_folder.hpp"

using namespace twinchain;
using namespace twinchain::record;
using twinchain::testing::TemporaryFolder;
using Kind = InputEvent::Kind;

namespace {

struct Pipe {
  Pipe() {
    std::array<int, 2> ends{};
    REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
    read = UniqueFd(ends[0]);
    write = UniqueFd(ends[1]);
  }
  UniqueFd read;
  UniqueFd write;
};

void append_to(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::app) << text;
}

/// Runs until nothing happens for a while; gives what each writer wrote, with marks for events.
std::map<std::uint32_t, std::string> run_until_quiet(InputSource& input, Kind* last = nullptr) {
  std::map<std::uint32_t, std::string> text;
  Bytes buffer(input.read_size_bytes());
  for (int i = 0; i < 1000; ++i) {
    const auto event = input.wait(60'000'000);
    REQUIRE(event);
    if (last != nullptr) *last = event->kind;
    switch (event->kind) {
      case Kind::timeout:
      case Kind::ended:
      case Kind::stopped:
        return text;
      case Kind::opened:
        text[event->writer] = "";
        break;
      case Kind::readable: {
        const auto count = input.read(event->writer, buffer);
        REQUIRE(count);
        text[event->writer] += as_text(ByteView(buffer).first(*count));
        break;
      }
      case Kind::restarted:
        text[event->writer] += "<restarted>";
        break;
      case Kind::closed:
        text[event->writer] += "<closed>";
        break;
      case Kind::broken:
        text[event->writer] += "<broken>";
        break;
    }
  }
  FAIL("it never becomes quiet");
  return text;
}

UniqueFd connect_tcp(std::uint16_t port) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  return fd;
}

UniqueFd connect_unix(const std::string& path) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  REQUIRE(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  return fd;
}

}  // namespace

TEST_CASE("a pipe is read to its end, and grows") {
  Pipe data;
  const int write_fd = data.write.get();
  auto input = make_fd_input(std::move(data.read), -1);
  CHECK(::fcntl(write_fd, F_GETPIPE_SZ) >= 1024 * 1024);
  REQUIRE(write_all(write_fd, as_bytes("abc")));
  Kind last = Kind::stopped;
  CHECK(run_until_quiet(*input, &last)[0] == "abc");
  CHECK(last == Kind::timeout);
  REQUIRE(write_all(write_fd, as_bytes("def")));
  data.write.reset();
  CHECK(run_until_quiet(*input, &last)[0] == "def<closed>");
  CHECK(last == Kind::ended);
}

TEST_CASE("at a stop, what is in the pipe is read") {
  Pipe data;
  Pipe stop;
  auto input = make_fd_input(std::move(data.read), stop.read.get());
  REQUIRE(write_all(data.write.get(), as_bytes("one\ntwo\n")));
  REQUIRE(write_all(stop.write.get(), as_bytes("x")));
  Kind last = Kind::timeout;
  CHECK(run_until_quiet(*input, &last)[0] == "one\ntwo\n");
  CHECK(last == Kind::stopped);
}

TEST_CASE("a followed file may grow, be cut, be renamed and made anew") {
  const TemporaryFolder folder;
  const std::string path = folder / "log";
  std::vector<std::string> notices;
  auto input =
      make_follow_input(path, -1, [&](std::string_view text) { notices.emplace_back(text); });
  REQUIRE(input);
  CHECK(run_until_quiet(**input)[0].empty());
  REQUIRE(notices.size() == 1);
  CHECK(notices[0].find("is not there yet") != std::string::npos);
  append_to(path, "1\n2\n");
  CHECK(run_until_quiet(**input)[0] == "1\n2\n");
  append_to(path, "3\n");
  CHECK(run_until_quiet(**input)[0] == "3\n");

  // Renamed; its writer goes on for a while before it opens the new file.
  REQUIRE(::rename(path.c_str(), (folder / "log.1").c_str()) == 0);
  append_to(folder / "log.1", "4\n");
  append_to(path, "");
  CHECK(run_until_quiet(**input)[0] == "4\n");
  append_to(folder / "log.1", "5");
  append_to(path, "6\n");
  CHECK(run_until_quiet(**input)[0] == "5<restarted>6\n");

  REQUIRE(::truncate(path.c_str(), 0) == 0);
  CHECK(run_until_quiet(**input)[0] == "<restarted>");
  append_to(path, "7\n");
  CHECK(run_until_quiet(**input)[0] == "7\n");
  CHECK(notices.size() == 3);
  // Cut and filled beyond the place before anybody looks, and just up to it.
  std::ofstream(path) << "8\n9\n";
  CHECK(run_until_quiet(**input)[0] == "<restarted>8\n9\n");
  std::ofstream(path) << "a\nb\n";
  CHECK(run_until_quiet(**input)[0] == "<restarted>a\nb\n");
  CHECK(notices.size() == 5);
}

TEST_CASE("a followed file is found again by a later process") {
  const TemporaryFolder folder;
  const std::string path = folder / "log";
  const Notice ignore = [](std::string_view) {};
  append_to(path, "0123456789\nabc\n");
  Bytes position;
  {
    auto input = make_follow_input(path, -1, ignore);
    REQUIRE(input);
    CHECK(run_until_quiet(**input)[0] == "0123456789\nabc\n");
    position = (*input)->position();
  }
  append_to(path, "def\n");
  const auto resumed = [&](std::uint64_t bytes_before) {
    auto input = make_follow_input(path, -1, ignore);
    REQUIRE(input);
    auto went = (*input)->resume(position, bytes_before);
    REQUIRE(went);
    return std::pair(*went, run_until_quiet(**input)[0]);
  };
  CHECK(resumed(0) == std::pair(true, std::string("def\n")));
  CHECK(resumed(4) == std::pair(true, std::string("abc\ndef\n")));
  CHECK(resumed(100).first == false);

  SUBCASE("after it was renamed") {
    REQUIRE(::rename(path.c_str(), (folder / "log.1").c_str()) == 0);
    append_to(path, "new\n");
    CHECK(resumed(0) == std::pair(true, std::string("def\n<restarted>new\n")));
  }
  SUBCASE("but not when it has other content") {
    REQUIRE(::truncate(path.c_str(), 0) == 0);
    append_to(path, "another beginning\n and more\n");
    CHECK(resumed(0) == std::pair(false, std::string("another beginning\n and more\n")));
  }
  SUBCASE("nor when it is gone") {
    REQUIRE(::unlink(path.c_str()) == 0);
    CHECK(resumed(0) == std::pair(false, std::string()));
  }
  SUBCASE("nor from rubbish") {
    position.resize(11);
    CHECK(resumed(0).first == false);
  }
}

TEST_CASE("--follow is for files with a name") {
  const Notice ignore = [](std::string_view) {};
  CHECK_FALSE(make_follow_input("-", -1, ignore));
  const TemporaryFolder folder;
  REQUIRE(::mkfifo((folder / "fifo").c_str(), 0600) == 0);
  auto input = make_follow_input(folder / "fifo", -1, ignore);
  REQUIRE(input);
  REQUIRE((*input)->wait(0));
  const auto event = (*input)->wait(0);
  REQUIRE_FALSE(event);
  CHECK(event.error().code == ExitCode::usage);
}

TEST_CASE("several writers at a TCP socket") {
  std::string notice;
  Pipe stop;
  auto input = make_listen_input("tcp:127.0.0.1:0", stop.read.get(),
                                 [&](std::string_view text) { notice = text; });
  REQUIRE(input);
  REQUIRE(notice.starts_with("listening on tcp:127.0.0.1:"));
  const auto port =
      static_cast<std::uint16_t>(*parse_decimal(notice.substr(notice.rfind(':') + 1)));
  CHECK(port != 0);
  UniqueFd first = connect_tcp(port);
  UniqueFd second = connect_tcp(port);
  REQUIRE(write_all(first.get(), as_bytes("a1\n")));
  REQUIRE(write_all(second.get(), as_bytes("b1\nb")));
  auto text = run_until_quiet(**input);
  CHECK(text[0] == "a1\n");
  CHECK(text[1] == "b1\nb");
  first.reset();
  CHECK(run_until_quiet(**input)[0] == "<closed>");
  // A connection that is torn down hard.
  const linger hard{1, 0};
  REQUIRE(::setsockopt(second.get(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard) == 0);
  second.reset();
  CHECK(run_until_quiet(**input)[1] == "<broken>");
  // At a stop, what had been sent is read, also by writers that were not looked at yet.
  UniqueFd third = connect_tcp(port);
  REQUIRE(write_all(third.get(), as_bytes("c1\n")));
  third.reset();
  REQUIRE(write_all(stop.write.get(), as_bytes("x")));
  Kind last = Kind::timeout;
  CHECK(run_until_quiet(**input, &last)[2] == "c1\n<closed>");
  CHECK(last == Kind::stopped);
}

TEST_CASE("more writers than there is room for wait for their turn") {
  std::string notice;
  auto input =
      make_listen_input("tcp:127.0.0.1:0", -1, [&](std::string_view text) { notice = text; });
  REQUIRE(input);
  const auto port =
      static_cast<std::uint16_t>(*parse_decimal(notice.substr(notice.rfind(':') + 1)));
  std::vector<UniqueFd> writers;
  for (std::uint32_t i = 0; i < max_writers + 3; ++i) {
    writers.push_back(connect_tcp(port));
    REQUIRE(write_all(writers.back().get(), as_bytes("x\n")));
  }
  auto text = run_until_quiet(**input);
  CHECK(text.size() == max_writers);
  writers.erase(writers.begin(), writers.begin() + 3);
  text = run_until_quiet(**input);
  CHECK(text[max_writers + 2] == "x\n");
}

TEST_CASE("a Unix socket, and one that a dead program left behind") {
  const TemporaryFolder folder;
  const Notice ignore = [](std::string_view) {};
  const std::string path = folder / "socket";
  {
    UniqueFd dead(::socket(AF_UNIX, SOCK_STREAM, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    REQUIRE(::bind(dead.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  }
  {
    auto input = make_listen_input("unix:" + path, -1, ignore);
    REQUIRE(input);
    UniqueFd writer = connect_unix(path);
    REQUIRE(write_all(writer.get(), as_bytes("hello\n")));
    CHECK(run_until_quiet(**input)[0] == "hello\n");
    const auto taken = make_listen_input("unix:" + path, -1, ignore);
    REQUIRE_FALSE(taken);
    CHECK(taken.error().message.find("in use") != std::string::npos);
  }
  CHECK(::access(path.c_str(), F_OK) != 0);
  append_to(path, "a file\n");
  CHECK_FALSE(make_listen_input("unix:" + path, -1, ignore));
  CHECK(::access(path.c_str(), F_OK) == 0);
}

TEST_CASE("addresses that cannot be") {
  const Notice ignore = [](std::string_view) {};
  for (const char* address :
       {"", "tcp:", "tcp:127.0.0.1", "tcp:127.0.0.1:", "tcp:127.0.0.1:65536", "tcp:localhost:1",
        "tcp:[::1:1", "udp:127.0.0.1:1", "unix:", "127.0.0.1:1"}) {
    CAPTURE(address);
    const auto input = make_listen_input(address, -1, ignore);
    REQUIRE_FALSE(input);
    CHECK(input.error().code == ExitCode::usage);
  }
}
