#include "twinchain/ledger/rpc_client.hpp"

#include <algorithm>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <exception>

#include "twinchain/base/json_writer.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/ledger/rpc_address.hpp"

namespace twinchain::ledger {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using Clock = std::chrono::steady_clock;

/// A node closes a connection that was idle for 30 s; a request sent at that very moment would be
/// lost without a word whether it was carried out.
constexpr auto reconnect_after_idle = std::chrono::seconds(15);
/// How often a wait looks whether it is still wanted.
constexpr auto cancel_check_interval = std::chrono::milliseconds(50);
constexpr std::uint32_t max_header_size = 16 * 1024;

struct HttpAnswer {
  unsigned status = 0;
  std::string body;
};

class HttpRpcConnection final : public RpcConnection {
 public:
  HttpRpcConnection(RpcAddress address, std::string credentials, const LedgerOptions& options)
      : address_(std::move(address)), credentials_(std::move(credentials)), options_(options) {}

  Result<RpcReply> call(std::string_view method, std::string_view params, bool to_wallet) override {
    try {
      return guarded_call(method, params, to_wallet);
    } catch (const std::exception& error) {
      stream_.reset();
      return fail(ExitCode::system, node() + ": " + escape(error.what()));
    }
  }

 private:
  [[nodiscard]] std::string node() const { return "node at " + address_.display(); }
  [[nodiscard]] bool cancelled() const {
    return options_.cancel != nullptr && options_.cancel->load();
  }

  Result<RpcReply> guarded_call(std::string_view method, std::string_view params, bool to_wallet) {
    JsonWriter body;
    body.begin_object().member("jsonrpc", "1.0").member("id", "twinchain").member("method", method);
    body.key("params");
    std::string text = body.text();
    text += params;
    text += '}';
    const std::string path =
        to_wallet && !options_.wallet.empty() ? wallet_path(options_.wallet) : "/";

    if (credentials_.empty()) TWINCHAIN_TRY(read_credentials());
    auto answer = exchange(path, text);
    if (answer && answer->status == 401 && !options_.cookie_file.empty()) {
      const std::string before = credentials_;
      TWINCHAIN_TRY(read_credentials());
      if (credentials_ != before) answer = exchange(path, text);
    }
    if (!answer) return pass(answer);
    return interpret(*answer);
  }

  Status read_credentials() {
    auto credentials = read_rpc_credentials(options_);
    if (!credentials) return pass(credentials);
    credentials_ = std::move(*credentials);
    return {};
  }

  Result<RpcReply> interpret(const HttpAnswer& answer) {
    switch (answer.status) {
      case 401:
        return fail(
            ExitCode::usage, node() + " refuses the credentials",
            options_.cookie_file.empty() && options_.credentials_file.empty()
                ? "give --cookie-file (.cookie in the node's folder) or --credentials-file"
                : "is it the cookie of this node and network, the password of its rpcauth?");
      case 403:
        return fail(ExitCode::usage, node() + " forbids access from this machine",
                    "rpcallowip in the node's configuration says who may");
      case 503:
        return fail(ExitCode::peer, node() + " is too busy");
      default:
        break;
    }
    auto reply = parse_rpc_reply(answer.body);
    if (!reply) {
      reply.error().message = node() + ": HTTP status " + decimal(std::uint64_t{answer.status}) +
                              ", " + reply.error().message;
      reply.error().hint = "is it a node's RPC port?";
    }
    return reply;
  }

  /// Runs what was started until `done`, the time is over or the wait is cancelled.
  Status wait(const bool& done, const char* what) {
    const auto end = Clock::now() + std::chrono::milliseconds(options_.timeout_ms);
    while (!done) {
      const auto now = Clock::now();
      const bool late = now >= end;
      if (late || cancelled()) {
        // Closing ends the operation, whose handler refers to our caller's variables.
        if (stream_) stream_->close();
        resolver_.cancel();
        io_.restart();
        io_.run();
        stream_.reset();
        if (!late) return fail(ExitCode::peer, "stopped while " + std::string(what));
        return fail(ExitCode::peer, node() + ": no success within " +
                                        decimal(std::int64_t{options_.timeout_ms}) + " ms while " +
                                        what);
      }
      io_.restart();
      io_.run_one_for(std::min<Clock::duration>(end - now, cancel_check_interval));
    }
    return {};
  }

  std::unexpected<Error> network_error(const char* what, const beast::error_code& error) {
    stream_.reset();
    return fail(ExitCode::peer, node() + ": " + what + ": " + lower(error.message()));
  }
  static std::string lower(std::string message) {
    if (!message.empty() && message[0] >= 'A' && message[0] <= 'Z') {
      message[0] = static_cast<char>(message[0] - 'A' + 'a');
    }
    return escape(message);
  }

  Status connect() {
    bool done = false;
    beast::error_code error;
    asio::ip::tcp::resolver::results_type endpoints;
    resolver_.async_resolve(address_.host, address_.port,
                            [&](const beast::error_code& e, auto found) {
                              error = e;
                              endpoints = std::move(found);
                              done = true;
                            });
    TWINCHAIN_TRY(wait(done, "looking up its address"));
    if (error) return network_error("cannot look up its address", error);

    stream_.emplace(io_);
    buffer_.clear();
    done = false;
    stream_->async_connect(endpoints, [&](const beast::error_code& e, const auto&) {
      error = e;
      done = true;
    });
    TWINCHAIN_TRY(wait(done, "connecting"));
    if (error) return network_error("cannot connect", error);
    stream_->socket().set_option(asio::ip::tcp::no_delay(true), error);
    return {};
  }

  Result<HttpAnswer> exchange(const std::string& path, const std::string& body) {
    if (stream_ && Clock::now() - last_used_ > reconnect_after_idle) stream_.reset();
    const bool reused = stream_.has_value();
    bool nothing_came = false;
    auto answer = try_exchange(path, body, &nothing_came);
    // A connection kept from an earlier call may have been closed in the meantime.
    if (!answer && reused && nothing_came) answer = try_exchange(path, body, &nothing_came);
    return answer;
  }

  Result<HttpAnswer> try_exchange(const std::string& path, const std::string& body,
                                  bool* nothing_came) {
    *nothing_came = false;
    if (!stream_) TWINCHAIN_TRY(connect());
    http::request<http::string_body> request{http::verb::post, path, 11};
    request.set(http::field::host, address_.host);
    request.set(http::field::content_type, "application/json");
    request.set(http::field::connection, "keep-alive");
    if (!credentials_.empty()) {
      request.set(http::field::authorization, "Basic " + to_base64(credentials_));
    }
    request.body() = body;
    request.prepare_payload();

    bool done = false;
    beast::error_code error;
    http::async_write(*stream_, request, [&](const beast::error_code& e, std::size_t) {
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
    parser.body_limit(max_rpc_answer_size);
    done = false;
    http::async_read(*stream_, buffer_, parser, [&](const beast::error_code& e, std::size_t) {
      error = e;
      done = true;
    });
    TWINCHAIN_TRY(wait(done, "waiting for its answer"));
    if (error) {
      *nothing_came = error == http::error::end_of_stream || (!parser.got_some() && is_gone(error));
      if (error.category() == http::make_error_code(http::error::bad_line_ending).category() &&
          !*nothing_came && error != http::error::partial_message) {
        stream_.reset();
        return fail(ExitCode::malformed,
                    node() + " does not answer as a node does: " + lower(error.message()),
                    "is it a node's RPC port?");
      }
      return network_error("no answer", error);
    }
    HttpAnswer answer{parser.get().result_int(), std::move(parser.get().body())};
    if (parser.keep_alive()) {
      last_used_ = Clock::now();
    } else {
      stream_.reset();
    }
    return answer;
  }
  static bool is_gone(const beast::error_code& error) {
    return error == asio::error::connection_reset || error == asio::error::eof ||
           error == asio::error::broken_pipe;
  }

  RpcAddress address_;
  std::string credentials_;
  LedgerOptions options_;
  asio::io_context io_;
  asio::ip::tcp::resolver resolver_{io_};
  std::optional<beast::tcp_stream> stream_;
  beast::flat_buffer buffer_{max_header_size + max_rpc_answer_size};
  Clock::time_point last_used_;
};

}  // namespace

Result<RpcReply> parse_rpc_reply(std::string_view body) {
  auto parsed = parse_json(body);
  if (!parsed) {
    parsed.error().message = "answer is not JSON: " + parsed.error().message;
    return pass(parsed);
  }
  RpcReply reply;
  const JsonValue* const error = parsed->find("error");
  if (error != nullptr && error->kind == JsonValue::Kind::object) {
    const auto code = error->integer_at("code");
    const auto message = error->text_at("message");
    if (!code || !message) return fail(ExitCode::malformed, "answer has an error without code");
    reply.fault = RpcFault{*code, std::string(*message)};
    return reply;
  }
  if (error != nullptr && error->kind != JsonValue::Kind::null) {
    return fail(ExitCode::malformed, "answer's error is no object");
  }
  for (std::size_t i = 0; i < parsed->keys.size(); ++i) {
    if (parsed->keys[i] == "result") {
      reply.result = std::move(parsed->items[i]);
      return reply;
    }
  }
  return fail(ExitCode::malformed, "answer has neither result nor error");
}

Result<std::unique_ptr<RpcConnection>> open_rpc_connection(const std::string& http_url,
                                                           const LedgerOptions& options) {
  auto address = parse_rpc_url(http_url);
  if (!address) return pass(address);
  if (!options.cookie_file.empty() && !options.credentials_file.empty()) {
    return fail(ExitCode::usage, "--cookie-file and --credentials-file exclude each other");
  }
  std::string credentials;
  if (!options.credentials_file.empty()) {
    auto read = read_rpc_credentials(options);
    if (!read) return pass(read);
    credentials = std::move(*read);
  }
  // A cookie is read with the first call: the node may not have been started yet.
  try {
    return std::make_unique<HttpRpcConnection>(std::move(*address), std::move(credentials),
                                               options);
  } catch (const std::exception& error) {
    return fail(ExitCode::system, "cannot set up networking: " + escape(error.what()));
  }
}

}  // namespace twinchain::ledger
