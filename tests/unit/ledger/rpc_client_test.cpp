#include "twinchain/ledger/rpc_client.hpp"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <thread>

#include "twinchain/base/base64.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/ledger/rpc_address.hpp"
#include "twinchain/sys/fd.hpp"
#include "twinchain/sys/fs.hpp"
#include "unit/temporary_folder.hpp"

using namespace twinchain;
using namespace twinchain::ledger;

namespace {

/// Listens on 127.0.0.1 and gives each connection to a function on a thread of its own.
class Server {
 public:
  explicit Server(std::function<void(int fd, int connection)> serve) : serve_(std::move(serve)) {
    listener_ = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    REQUIRE(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(::listen(listener_.get(), 8) == 0);
    REQUIRE(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] {
      while (true) {
        UniqueFd client(::accept(listener_.get(), nullptr, nullptr));
        if (!client.valid() || stopping_) return;
        serve_(client.get(), connections_++);
      }
    });
  }
  ~Server() {
    stopping_ = true;
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }
  [[nodiscard]] std::string url() const {
    return "http://127.0.0.1:" + decimal(std::uint64_t{port_});
  }
  [[nodiscard]] int connections() const { return connections_; }
  [[nodiscard]] bool stopping() const { return stopping_; }

 private:
  std::function<void(int, int)> serve_;
  UniqueFd listener_;
  std::uint16_t port_ = 0;
  std::atomic<int> connections_{0};
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

/// One request; empty when the client has gone.
std::string read_request(int fd) {
  std::string text;
  std::array<char, 4096> chunk{};
  std::size_t wanted = std::string::npos;
  while (text.size() < wanted) {
    const ssize_t count = ::read(fd, chunk.data(), chunk.size());
    if (count <= 0) return "";
    text.append(chunk.data(), static_cast<std::size_t>(count));
    const std::size_t head = text.find("\r\n\r\n");
    const std::size_t length = text.find("Content-Length: ");
    if (head != std::string::npos && length != std::string::npos) {
      wanted = head + 4 + std::strtoul(text.c_str() + length + 16, nullptr, 10);
    }
  }
  return text;
}

std::string answer(std::string_view status, std::string_view body) {
  return "HTTP/1.1 " + std::string(status) +
         "\r\nContent-Length: " + decimal(std::uint64_t{body.size()}) + "\r\n\r\n" +
         std::string(body);
}

void send_text(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    if (count <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(count));
  }
}

const std::string fine = answer("200 OK", R"({"result":5,"error":null,"id":1})");

LedgerOptions quick() {
  LedgerOptions options;
  options.timeout_ms = 300;
  return options;
}

Result<RpcReply> call(const Server& server, const LedgerOptions& options = quick()) {
  auto connection = open_rpc_connection(server.url(), options);
  REQUIRE(connection);
  return (*connection)->call("getblockcount", "[]", false);
}

/// A file with this text and mode.
std::string make_file(const twinchain::testing::TemporaryFolder& folder, const std::string& name,
                      std::string_view text, mode_t mode = 0600) {
  const std::string path = folder / name;
  REQUIRE(write_file_atomically(real_fs(), path, as_bytes(text)));
  REQUIRE(::chmod(path.c_str(), mode) == 0);
  return path;
}

}  // namespace

TEST_CASE("node addresses") {
  const auto address = parse_rpc_url("http://127.0.0.1:9332");
  REQUIRE(address);
  CHECK(address->host == "127.0.0.1");
  CHECK(address->port == "9332");
  CHECK(parse_rpc_url("http://node.example:1/")->host == "node.example");
  CHECK(parse_rpc_url("http://[::1]:65535")->host == "::1");
  CHECK(parse_rpc_url("http://[::1]:65535")->display() == "[::1]:65535");
  for (const char* url :
       {"", "http://", "http://host", "http://:80", "http://host:", "http://host:0",
        "http://host:65536", "http://host:80/path", "http://host:8x", "http://[::1:80",
        "http://[]:1", "https://host:80", "ftp://host:80", "http://user:pass@host:80", "host:80"}) {
    CAPTURE(url);
    const auto bad = parse_rpc_url(url);
    REQUIRE_FALSE(bad);
    CHECK(bad.error().code == ExitCode::usage);
    CHECK(bad.error().message.find("pass@") == std::string::npos);
  }
}

TEST_CASE("wallet names") {
  CHECK(wallet_path("") == "/wallet/");
  CHECK(wallet_path("a-b_c.d~9") == "/wallet/a-b_c.d~9");
  CHECK(wallet_path("my wallet/\xc3\xa9?") == "/wallet/my%20wallet%2F%C3%A9%3F");
}

TEST_CASE("credentials") {
  const twinchain::testing::TemporaryFolder folder;
  LedgerOptions options;
  CHECK(read_rpc_credentials(options)->empty());
  options.credentials_file = make_file(folder, "good", "ann:pass:word\r\n");
  CHECK(*read_rpc_credentials(options) == "ann:pass:word");
  for (const mode_t mode : {0640U, 0604U, 0644U, 0660U, 0601U}) {
    options.credentials_file = make_file(folder, "open", "ann:secret\n", mode);
    const auto read = read_rpc_credentials(options);
    REQUIRE_FALSE(read);
    CHECK(read.error().code == ExitCode::usage);
    CHECK(read.error().message.find("secret") == std::string::npos);
  }
  for (const char* text : {"", "nothing\n", "\nann:secret\n"}) {
    options.credentials_file = make_file(folder, "bad", text);
    CHECK(read_rpc_credentials(options).error().code == ExitCode::usage);
  }
  options.credentials_file = folder.path();
  CHECK(read_rpc_credentials(options).error().code == ExitCode::usage);
  options.credentials_file = make_file(folder, "large", "a:" + std::string(5000, 'x'));
  CHECK(read_rpc_credentials(options).error().code == ExitCode::usage);
  options.cookie_file = options.credentials_file;
  CHECK_FALSE(open_rpc_connection("http://127.0.0.1:1", options));

  LedgerOptions cookie;
  cookie.cookie_file = folder / "none";
  CHECK(read_rpc_credentials(cookie).error().code == ExitCode::peer);
  cookie.cookie_file = make_file(folder, "cookie", "__cookie__:abc", 0644);
  CHECK(*read_rpc_credentials(cookie) == "__cookie__:abc");
  cookie.cookie_file = make_file(folder, "cookie", "");
  CHECK(read_rpc_credentials(cookie).error().code == ExitCode::peer);
}

TEST_CASE("a call and its answer") {
  std::string seen;
  const Server server([&](int fd, int) {
    for (int i = 0; i < 2; ++i) {
      seen = read_request(fd);
      send_text(fd, fine);
    }
  });
  LedgerOptions options = quick();
  options.wallet = "w 1";
  auto connection = open_rpc_connection(server.url(), options);
  REQUIRE(connection);
  const auto reply = (*connection)->call("sendtoaddress", R"(["a",1])", true);
  REQUIRE(reply);
  CHECK(reply->result.integer == 5);
  CHECK(seen.starts_with("POST /wallet/w%201 HTTP/1.1\r\n"));
  CHECK(seen.find(R"("method":"sendtoaddress","params":["a",1]})") != std::string::npos);
  CHECK(seen.find("Authorization") == std::string::npos);
  CHECK((*connection)->call("getblockcount", "[]", false));
  CHECK(seen.starts_with("POST / HTTP/1.1\r\n"));
  CHECK(server.connections() == 1);
}

TEST_CASE("a connection that the node closed in the meantime is made anew") {
  const Server server([&](int fd, int) {
    read_request(fd);
    send_text(fd, fine);
  });
  auto connection = open_rpc_connection(server.url(), quick());
  for (int i = 0; i < 3; ++i) CHECK((*connection)->call("getblockcount", "[]", false));
  CHECK(server.connections() == 3);
}

TEST_CASE("a new cookie is read when the old one is refused") {
  const twinchain::testing::TemporaryFolder folder;
  LedgerOptions options = quick();
  options.cookie_file = make_file(folder, "cookie", "__cookie__:one");
  std::atomic<bool> new_cookie{false};
  const Server server([&](int fd, int) {
    for (std::string request = read_request(fd); !request.empty(); request = read_request(fd)) {
      const std::string wanted =
          to_base64(as_bytes(new_cookie ? "__cookie__:two" : "__cookie__:one"));
      const bool good = request.find("Basic " + wanted + "\r\n") != std::string::npos;
      send_text(fd, good ? fine : answer("401 Unauthorized", ""));
    }
  });
  auto connection = open_rpc_connection(server.url(), options);
  CHECK((*connection)->call("getblockcount", "[]", false));
  new_cookie = true;
  const auto refused = (*connection)->call("getblockcount", "[]", false);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ExitCode::usage);
  CHECK(refused.error().message.find("refuses the credentials") != std::string::npos);
  CHECK(make_file(folder, "cookie", "__cookie__:two") == options.cookie_file);
  CHECK((*connection)->call("getblockcount", "[]", false));
}

TEST_CASE("what a node's web server says is told apart") {
  const auto outcome = [](const std::string& text) {
    const Server server([&text](int fd, int) {
      read_request(fd);
      send_text(fd, text);
    });
    return call(server);
  };
  CHECK(outcome(answer("401 Unauthorized", "")).error().code == ExitCode::usage);
  CHECK(outcome(answer("403 Forbidden", "")).error().code == ExitCode::usage);
  CHECK(outcome(answer("503 Service Unavailable", "Work queue depth exceeded")).error().code ==
        ExitCode::peer);
  CHECK(outcome(answer("200 OK", "<html>")).error().code == ExitCode::malformed);
  CHECK(outcome(answer("404 Not Found", "")).error().code == ExitCode::malformed);
  CHECK(outcome("SSH-2.0-OpenSSH_9.2p1 Debian\r\n\r\n").error().code == ExitCode::malformed);
  CHECK(outcome("HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n").error().code !=
        ExitCode::success);
  CHECK(outcome("HTTP/1.1 200 OK\r\nX: " + std::string(100'000, 'x')).error().code !=
        ExitCode::success);
  CHECK(outcome("").error().code == ExitCode::peer);
  CHECK(outcome("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort").error().code ==
        ExitCode::peer);
  const auto fault = outcome(
      answer("500 Internal Server Error",
             R"({"result":null,"error":{"code":-28,"message":"Loading block index..."},"id":1})"));
  REQUIRE(fault);
  REQUIRE(fault->fault);
  CHECK(fault->fault->code == -28);
  // An endless answer ends at the limit.
  const Server endless([](int fd, int) {
    read_request(fd);
    send_text(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    const std::string chunk = "10000\r\n" + std::string(65536, '[') + "\r\n";
    for (int i = 0; i < 200; ++i) send_text(fd, chunk);
  });
  LedgerOptions options;
  options.timeout_ms = 5000;
  const auto limited = call(endless, options);
  REQUIRE_FALSE(limited);
  CHECK(limited.error().message.find("body limit") != std::string::npos);
}

TEST_CASE("nothing is waited for longer than the time-out") {
  const auto measured = [](const Server& server, const LedgerOptions& options) {
    const auto began = std::chrono::steady_clock::now();
    const auto reply = call(server, options);
    REQUIRE_FALSE(reply);
    CHECK(reply.error().code == ExitCode::peer);
    return std::chrono::steady_clock::now() - began;
  };
  std::atomic<bool> release{false};
  const auto hold = [&release] {
    while (!release) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  };
  const Server silent([&](int, int) { hold(); });
  const Server half([&](int fd, int) {
    read_request(fd);
    send_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"res");
    hold();
  });
  CHECK(measured(silent, quick()) < std::chrono::seconds(5));
  CHECK(measured(half, quick()) < std::chrono::seconds(5));
  // Told to stop, it does not wait for the time-out either.
  std::atomic<bool> cancel{false};
  LedgerOptions options;
  options.cancel = &cancel;
  std::thread canceller([&cancel] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    cancel = true;
  });
  CHECK(measured(silent, options) < std::chrono::seconds(10));
  canceller.join();
  release = true;
}

TEST_CASE("nobody there") {
  std::string url;
  {
    const Server server([](int, int) {});
    url = server.url();
  }
  auto connection = open_rpc_connection(url, quick());
  const auto reply = (*connection)->call("getblockcount", "[]", false);
  REQUIRE_FALSE(reply);
  CHECK(reply.error().code == ExitCode::peer);
  CHECK(reply.error().message.find("connection refused") != std::string::npos);
}

TEST_CASE("answers to calls") {
  CHECK(parse_rpc_reply(R"({"result":null,"error":null})")->result.kind == JsonValue::Kind::null);
  CHECK(parse_rpc_reply(R"({"jsonrpc":"2.0","result":[1]})")->result.items.size() == 1);
  CHECK(parse_rpc_reply(R"({"error":{"code":-5,"message":"m"}})")->fault->message == "m");
  for (const char* body : {"", "[]", "5", "{}", R"({"error":null})", R"({"error":"x","result":1})",
                           R"({"error":{},"result":1})", R"({"error":{"code":"-5","message":"m"}})",
                           R"({"error":{"code":-5}})"}) {
    CAPTURE(body);
    CHECK_FALSE(parse_rpc_reply(body));
  }
}

TEST_CASE("an answer to a batch of calls: in any order, each once, none missing") {
  const auto two = parse_rpc_batch(
      R"([{"result":"b","error":null,"id":1},{"result":null,"error":{"code":-8,"message":"no"},"id":0}])",
      2);
  REQUIRE(two);
  CHECK((*two)[0].fault->code == -8);
  CHECK((*two)[1].result.text == "b");
  for (const char* const wrong : {
           R"([{"result":"b","error":null,"id":1}])",
           R"([{"result":"a","error":null,"id":1},{"result":"b","error":null,"id":1}])",
           R"([{"result":"a","error":null,"id":0},{"result":"b","error":null,"id":2}])",
           R"([{"result":"a","error":null,"id":0},{"result":"b","error":null}])",
           R"([{"result":"a","error":null,"id":0},{"error":null,"id":1}])",
           R"([1,2])",
           R"({"result":null,"error":{"code":-28,"message":"starting"},"id":null})",
           R"([)",
       }) {
    CAPTURE(wrong);
    const auto replies = parse_rpc_batch(wrong, 2);
    REQUIRE_FALSE(replies);
    CHECK(replies.error().code == ExitCode::malformed);
  }
  CHECK(parse_rpc_batch("[]", 0)->empty());
}
