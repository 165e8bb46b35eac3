#include "twinchain/ledger/http_client.hpp"

#include <algorithm>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <exception>
#include <optional>

#include "twinchain/base/text.hpp"

namespace twinchain::ledger {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using SteadyClock = std::chrono::steady_clock;

/// A node closes a connection that was idle for 30 s; a request sent at that very moment would be
/// lost without a word whether it was carried out.
constexpr auto reconnect_after_idle = std::chrono::seconds(15);
/// How often a wait looks whether it is still wanted.
constexpr auto cancel_check_interval = std::chrono::milliseconds(50);
constexpr std::uint32_t max_header_size = 16 * 1024;

}  // namespace

struct HttpClient::State {
  State(HttpPeer to, const HttpOptions& how) : peer(std::move(to)), options(how) {}

  /// Runs what was started until `done`, the time is over or the wait is cancelled.
  Status wait(const bool& done, const char* what) {
    const auto end = SteadyClock::now() + std::chrono::milliseconds(options.timeout_ms);
    while (!done) {
      const auto now = SteadyClock::now();
      const bool late = now >= end;
      if (late || (options.cancel != nullptr && options.cancel->load())) {
        // Closing ends the operation, whose handler refers to our caller's variables.
        if (stream) stream->close();
        resolver.cancel();
        io.restart();
        io.run();
        stream.reset();
        if (!late) return fail(ExitCode::peer, "stopped while " + std::string(what));
        return fail(ExitCode::peer, peer.display + ": no success within " +
                                        decimal(std::int64_t{options.timeout_ms}) + " ms while " +
                                        what);
      }
      io.restart();
      io.run_one_for(std::min<SteadyClock::duration>(end - now, cancel_check_interval));
    }
    return {};
  }

  std::unexpected<Error> network_error(const char* what, const beast::error_code& error) {
    stream.reset();
    return fail(ExitCode::peer, peer.display + ": " + what + ": " + lower(error.message()));
  }
  static std::string lower(std::string message) {
    if (!message.empty() && message[0] >= 'A' && message[0] <= 'Z') {
      message[0] = static_cast<char>(message[0] - 'A' + 'a');
    }
    return escape(message);
  }

  /// RFC 9110, 7.2.
  [[nodiscard]] std::string host_header() const {
    const bool is_ipv6 = peer.host.find(':') != std::string::npos;
    std::string text = is_ipv6 ? "[" + peer.host + "]" : peer.host;
    if (peer.port != "80") text += ":" + peer.port;
    return text;
  }

  Status connect() {
    bool done = false;
    beast::error_code error;
    asio::ip::tcp::resolver::results_type endpoints;
    resolver.async_resolve(peer.host, peer.port, [&](const beast::error_code& e, auto found) {
      error = e;
      endpoints = std::move(found);
      done = true;
    });
    TWINCHAIN_TRY(wait(done, "looking up its address"));
    if (error) return network_error("cannot look up its address", error);

    stream.emplace(io);
    buffer.clear();
    done = false;
    stream->async_connect(endpoints, [&](const beast::error_code& e, const auto&) {
      error = e;
      done = true;
    });
    TWINCHAIN_TRY(wait(done, "connecting"));
    if (error) return network_error("cannot connect", error);
    (void)stream->socket().set_option(asio::ip::tcp::no_delay(true), error);  // slower without
    return {};
  }

  Result<HttpAnswer> exchange(const HttpRequest& what) {
    if (stream && SteadyClock::now() - last_used > reconnect_after_idle) stream.reset();
    const bool reused = stream.has_value();
    bool nothing_came = false;
    auto answer = try_exchange(what, &nothing_came);
    // A connection kept from an earlier call may have been closed in the meantime.
    if (!answer && reused && nothing_came) answer = try_exchange(what, &nothing_came);
    return answer;
  }

  Result<HttpAnswer> try_exchange(const HttpRequest& what, bool* nothing_came) {
    *nothing_came = false;
    if (!stream) TWINCHAIN_TRY(connect());
    http::request<http::string_body> request{http::verb::post, what.path, 11};
    request.set(http::field::host, host_header());
    request.set(http::field::content_type, what.content_type);
    request.set(http::field::connection, "keep-alive");
    if (!what.authorization.empty()) {
      request.set(http::field::authorization, what.authorization);
    }
    request.body() = what.body;
    request.prepare_payload();

    bool done = false;
    beast::error_code error;
    http::async_write(*stream, request, [&](const beast::error_code& e, std::size_t) {
      error = e;
      done = true;
    });
    TWINCHAIN_TRY(wait(done, "sending a request"));
    if (error) {
      *nothing_came = true;
      return network_error("cannot send", error);
    }

    http::response_parser<http::string_body> parser;
    parser.header_limit(max_header_size);
    parser.body_limit(options.max_answer_bytes);
    done = false;
    http::async_read(*stream, buffer, parser, [&](const beast::error_code& e, std::size_t) {
      error = e;
      done = true;
    });
    TWINCHAIN_TRY(wait(done, "waiting for its answer"));
    if (error) {
      *nothing_came = error == http::error::end_of_stream || (!parser.got_some() && is_gone(error));
      if (error.category() == http::make_error_code(http::error::bad_line_ending).category() &&
          !*nothing_came && error != http::error::partial_message) {
        stream.reset();
        return fail(
            ExitCode::malformed,
            peer.display + " does not answer as " + peer.kind + " does: " + lower(error.message()),
            peer.question);
      }
      return network_error("no answer", error);
    }
    HttpAnswer answer{parser.get().result_int(), std::move(parser.get().body())};
    if (parser.keep_alive()) {
      last_used = SteadyClock::now();
    } else {
      stream.reset();
    }
    return answer;
  }
  static bool is_gone(const beast::error_code& error) {
    return error == asio::error::connection_reset || error == asio::error::eof ||
           error == asio::error::broken_pipe;
  }

  HttpPeer peer;
  HttpOptions options;
  asio::io_context io;
  asio::ip::tcp::resolver resolver{io};
  std::optional<beast::tcp_stream> stream;
  beast::flat_buffer buffer{max_header_size + options.max_answer_bytes};
  SteadyClock::time_point last_used;
};

HttpClient::HttpClient(HttpPeer peer, HttpOptions options)
    : state_(std::make_unique<State>(std::move(peer), options)) {}
HttpClient::~HttpClient() = default;

Result<HttpAnswer> HttpClient::post(const HttpRequest& request) {
  try {
    return state_->exchange(request);
  } catch (const std::exception& error) {
    state_->stream.reset();
    return fail(ExitCode::system, state_->peer.display + ": " + escape(error.what()));
  }
}

}  // namespace twinchain::ledger
