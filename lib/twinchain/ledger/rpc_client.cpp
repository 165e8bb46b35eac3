#include "twinchain/ledger/rpc_client.hpp"

#include <algorithm>
#include <exception>

#include "twinchain/base/base64.hpp"
#include "twinchain/base/json_writer.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/ledger/http_client.hpp"
#include "twinchain/ledger/rpc_address.hpp"

namespace twinchain::ledger {
namespace {

class HttpRpcConnection final : public RpcConnection {
 public:
  HttpRpcConnection(const RpcAddress& address, std::string credentials,
                    const LedgerOptions& options)
      : node_("node at " + address.display()),
        credentials_(std::move(credentials)),
        options_(options),
        client_({address.host, address.port, node_, "a node", "is it a node's RPC port?"},
                {options.timeout_ms, max_rpc_answer_size, options.cancel}) {}

  Result<RpcReply> call(std::string_view method, std::string_view params, bool to_wallet) override {
    JsonWriter body;
    body.begin_object().member("jsonrpc", "1.0").member("id", "twinchain").member("method", method);
    body.key("params");
    std::string text = body.text();
    text += params;
    text += '}';
    const std::string path =
        to_wallet && !options_.wallet.empty() ? wallet_path(options_.wallet) : "/";
    auto answer = ask(path, text);
    if (!answer) return pass(answer);
    auto reply = parse_rpc_reply(answer->body);
    if (!reply) return odd_answer(*answer, reply.error());
    return reply;
  }

  Result<std::vector<RpcReply>> call_many(std::string_view method,
                                          std::span<const std::string> params) override {
    std::string text = "[";
    for (std::size_t i = 0; i < params.size(); ++i) {
      JsonWriter call;
      call.begin_object().member("jsonrpc", "1.0").member("id", std::uint64_t{i});
      call.member("method", method).key("params");
      if (i > 0) text += ',';
      text += call.text();
      text += params[i];
      text += '}';
    }
    text += ']';
    auto answer = ask("/", text);
    if (!answer) return pass(answer);
    auto replies = parse_rpc_batch(answer->body, params.size());
    if (!replies) return odd_answer(*answer, replies.error());
    return replies;
  }

 private:
  /// An answer whose body is to be read.
  Result<HttpAnswer> ask(const std::string& path, const std::string& text) {
    if (credentials_.empty()) TWINCHAIN_TRY(read_credentials());
    auto answer = post(path, text);
    if (answer && answer->status == 401 && !options_.cookie_file.empty()) {
      const std::string before = credentials_;
      TWINCHAIN_TRY(read_credentials());
      if (credentials_ != before) answer = post(path, text);
    }
    if (answer) TWINCHAIN_TRY(check_status(*answer));
    return answer;
  }

  Result<HttpAnswer> post(const std::string& path, const std::string& text) {
    const std::string authorization =
        credentials_.empty() ? "" : "Basic " + to_base64(as_bytes(credentials_));
    return client_.post({path, "application/json", authorization, text});
  }

  Status read_credentials() {
    auto credentials = read_rpc_credentials(options_);
    if (!credentials) return pass(credentials);
    credentials_ = std::move(*credentials);
    return {};
  }

  Status check_status(const HttpAnswer& answer) {
    switch (answer.status) {
      case 401:
        return fail(
            ExitCode::usage, node_ + " refuses the credentials",
            options_.cookie_file.empty() && options_.credentials_file.empty()
                ? "give --cookie-file (.cookie in the node's folder) or --credentials-file"
                : "is it the cookie of this node and network, the password of its rpcauth?");
      case 403:
        return fail(ExitCode::usage, node_ + " forbids access from this machine",
                    "rpcallowip in the node's configuration says who may");
      case 503:
        return fail(ExitCode::peer, node_ + " is too busy");
      default:
        return {};
    }
  }
  std::unexpected<Error> odd_answer(const HttpAnswer& answer, const Error& error) {
    return fail(
        error.code,
        node_ + ": HTTP status " + decimal(std::uint64_t{answer.status}) + ", " + error.message,
        "is it a node's RPC port?");
  }

  std::string node_;
  std::string credentials_;
  LedgerOptions options_;
  HttpClient client_;
};

Result<RpcReply> read_reply(JsonValue& answer) {
  RpcReply reply;
  const JsonValue* const error = answer.find("error");
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
  for (std::size_t i = 0; i < answer.keys.size(); ++i) {
    if (answer.keys[i] == "result") {
      reply.result = std::move(answer.items[i]);
      return reply;
    }
  }
  return fail(ExitCode::malformed, "answer has neither result nor error");
}

Result<JsonValue> parse_body(std::string_view body) {
  auto parsed = parse_json(body);
  if (!parsed) parsed.error().message = "answer is not JSON: " + parsed.error().message;
  return parsed;
}

}  // namespace

Result<RpcReply> parse_rpc_reply(std::string_view body) {
  auto parsed = parse_body(body);
  if (!parsed) return pass(parsed);
  return read_reply(*parsed);
}

Result<std::vector<RpcReply>> parse_rpc_batch(std::string_view body, std::size_t count) {
  auto parsed = parse_body(body);
  if (!parsed) return pass(parsed);
  if (parsed->kind != JsonValue::Kind::array || parsed->items.size() != count) {
    return fail(ExitCode::malformed, "answer is no list with an answer to each call");
  }
  std::vector<RpcReply> replies(count);
  std::vector<bool> seen(count);
  for (JsonValue& item : parsed->items) {
    const auto id = item.integer_at("id");
    if (!id || *id < 0 || static_cast<std::uint64_t>(*id) >= count ||
        seen[static_cast<std::size_t>(*id)]) {
      return fail(ExitCode::malformed, "answer is to no call");
    }
    auto reply = read_reply(item);
    if (!reply) return pass(reply);
    seen[static_cast<std::size_t>(*id)] = true;
    replies[static_cast<std::size_t>(*id)] = std::move(*reply);
  }
  return replies;
}

Result<std::vector<RpcReply>> RpcConnection::call_many(std::string_view method,
                                                       std::span<const std::string> params) {
  std::vector<RpcReply> replies;
  replies.reserve(params.size());
  for (const std::string& one : params) {
    auto reply = call(method, one, false);
    if (!reply) return pass(reply);
    replies.push_back(std::move(*reply));
  }
  return replies;
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
    return std::make_unique<HttpRpcConnection>(*address, std::move(credentials), options);
  } catch (const std::exception& error) {
    return fail(ExitCode::system, "cannot set up networking: " + escape(error.what()));
  }
}

}  // namespace twinchain::ledger
