// One HTTP/1.1 POST and its answer, over a connection that is kept. Floor 4.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>

#include "twinchain/base/bytes.hpp"
#include "twinchain/base/result.hpp"

namespace twinchain::ledger {

struct HttpPeer {
  std::string host;  ///< name or number; an IPv6 number without its brackets
  std::string port;
  std::string display;  ///< for messages, escaped: "node at 127.0.0.1:8332"
  /// Behind "does not answer as ...": what it should be, and a question for the hint.
  std::string kind = "a node";
  std::string question;
};

struct HttpOptions {
  int timeout_ms = 30'000;  ///< each: to look up, to connect, to send, to wait for the answer
  std::size_t max_answer_bytes = 0;
  /// A call that is under way ends soon after this becomes true. Must outlive the client.
  const std::atomic<bool>* cancel = nullptr;
};

struct HttpRequest {
  std::string_view path;
  std::string_view content_type;
  std::string_view authorization;  ///< of the header of this name; empty: none
  std::string_view body;
};

struct HttpAnswer {
  unsigned status = 0;
  std::string body;
};

/// Connects with the first call, and again whenever the connection is gone. Not thread-safe.
class HttpClient {
 public:
  HttpClient(HttpPeer peer, HttpOptions options);
  ~HttpClient();

  /// Errors: ExitCode::peer (away, too slow, cancelled), malformed (what answers does not speak
  /// HTTP), system.
  Result<HttpAnswer> post(const HttpRequest& request);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace twinchain::ledger
